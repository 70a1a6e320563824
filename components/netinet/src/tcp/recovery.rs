//! What an acknowledgment says: what has arrived, what was lost, how much more may go.
//!
//! Losses are found by RACK where the peer has SACK, else by three duplicates (NewReno).
//!
//! Locking: none. Sources: RFC 9293 §3.10.7.4 (fifth); RFC 5681 §3.2; RFC 6582; RFC 6675 §5;
//! RFC 8985 §6, §7; RFC 2883 (duplicates).

use super::board::Sent;
use super::congestion::{Ack, Congestion};
use super::control::{LINGER, Mode, Stamps};
use super::header::Segment;
use super::options::Block;
use super::rack::Rack;
use super::rto::{MS, SECOND};
use super::seq::Seq;
use super::state::{Event, State};
use super::timers::Timer;
use super::{Payload, Tcb};

/// Duplicates that mean a loss (RFC 5681 §3.2).
const DUP_THRESHOLD: u32 = 3;
/// How long a peer may put off the acknowledgment of a single segment (RFC 8985 §7.2, WCDelAckT).
const DELAYED_ACK_MAX: u64 = 200 * MS;
/// The shortest wait before a tail loss probe: shorter than this is noise.
const PROBE_MIN: u64 = 10 * MS;

/// The longest round trip that an echoed timestamp may tell of, in milliseconds.
const MAX_ECHO: u32 = 60_000;

/// What one acknowledgment has brought.
#[derive(Default)]
struct News {
    bytes: u32,
    /// The round trip of the segment that was sent last, of those sent once.
    rtt: Option<u64>,
    /// One was sent more than once: what came after it waited for that.
    again: bool,
}

/// What each segment that has arrived is news for.
struct Arrival<'a> {
    rack: &'a mut Rack,
    stamps: Stamps,
    echo: Option<u32>,
    now: u64,
    smallest: u64,
    news: News,
}

impl Arrival<'_> {
    fn take(&mut self, sent: &Sent) {
        let news = &mut self.news;
        news.bytes = news.bytes.saturating_add(sent.len());
        news.again |= sent.again;
        if !sent.again {
            let rtt = self.now.saturating_sub(sent.at);
            news.rtt = Some(news.rtt.map_or(rtt, |r| r.min(rtt)));
        }
        // RFC 8985 §6.2 step 2: the echo of an earlier copy.
        let at = self.stamps.clock(sent.at);
        let is_older = self.echo.is_some_and(|e| (e.wrapping_sub(at) as i32) < 0);
        self.rack.delivered(sent, self.now, self.smallest, is_older);
    }
}

impl<P: Payload> Tcb<P> {
    /// Takes the acknowledgment, the SACK blocks and the window of an acceptable segment.
    pub(super) fn acknowledged(&mut self, seg: &Segment, now: u64) {
        let ack = seg.ack;
        let is_duplicate = ack == self.snd.una
            && seg.span() == 0
            && u32::from(seg.window) << self.snd.scale == self.snd.window
            && !self.board.is_empty();
        self.take_window(seg, now);
        let duplicate = self.reported_duplicate(seg);
        let flight = self.board.total();
        let news = self.arrived(seg, now);
        let advanced = ack.gt(self.snd.una);
        let moved = ack.after(self.snd.una);
        if advanced {
            self.advance(ack, now);
        }
        if let Some(rtt) = news.rtt {
            self.rtt.sample(rtt, now);
        }
        if duplicate {
            self.rack.duplicate(self.snd.una, self.snd.nxt);
        }
        let repairing = matches!(self.mode, Mode::Recovery(_));
        self.leave_recovery();
        self.hear_of_marks(seg, flight, now);
        if self.sack {
            self.end_probe(ack, duplicate, now);
            self.find_losses(now);
        } else {
            self.count_duplicates(is_duplicate, moved, now);
        }
        // RFC 5681 §3.1, RFC 9438 §4.2: a window that was not used up says nothing.
        let grows = !repairing && self.mode_grows() && !self.tells_of_marks(seg);
        if news.bytes > 0 && grows && self.was_limited(flight) {
            let rtt = self.rtt.smoothed().unwrap_or(0);
            self.cc.acknowledged(&Ack { bytes: news.bytes, rtt, now });
        }
        if news.bytes > 0 {
            self.schedule_probe(now);
        }
        if advanced {
            self.after_fin(now);
        }
    }

    fn mode_grows(&self) -> bool {
        !matches!(self.mode, Mode::Recovery(_))
    }

    fn was_limited(&self, flight: u32) -> bool {
        let window = self.cc.window();
        let slow_start = window < self.cc.threshold();
        self.snd.limited || (slow_start && flight.saturating_mul(2) >= window)
    }

    /// RFC 9293 §3.10.7.4: the window, unless the segment is older than what set it.
    fn take_window(&mut self, seg: &Segment, now: u64) {
        let newer =
            self.snd.wl1.lt(seg.seq) || (self.snd.wl1 == seg.seq && self.snd.wl2.le(seg.ack));
        if !newer || seg.ack.lt(self.snd.una) {
            return;
        }
        let window = u32::from(seg.window) << self.snd.scale;
        if window > 0 {
            self.timers.clear(Timer::Persist);
            self.persists = 0;
            if self.snd.window == 0 {
                // The time while the window was closed is not the data's.
                self.snd.since = now;
            }
        }
        self.snd.window = window;
        self.snd.window_max = self.snd.window_max.max(window);
        (self.snd.wl1, self.snd.wl2) = (seg.seq, seg.ack);
    }

    /// Whether the first SACK block says that something has arrived twice (RFC 2883 §4).
    fn reported_duplicate(&self, seg: &Segment) -> bool {
        let blocks = seg.options.sack.as_slice();
        let Some(&(from, end)) = blocks.first().filter(|_| self.sack) else { return false };
        let below = end.le(seg.ack);
        let within = |&(a, b): &Block| a.le(from) && end.le(b);
        from.lt(end) && (below || blocks.get(1).is_some_and(within))
    }

    /// Marks what has arrived.
    fn arrived(&mut self, seg: &Segment, now: u64) -> News {
        let (smallest, stamps) = (self.rtt.smallest(), self.stamps);
        let echo = seg.options.timestamps.filter(|_| stamps.on).map(|(_, echo)| echo);
        let (rack, news) = (&mut self.rack, News::default());
        let mut arrival = Arrival { rack, stamps, echo, now, smallest, news };
        self.board.acknowledge(seg.ack, &mut |sent| arrival.take(sent));
        if arrival.news.again {
            // What came after it waited for it (RFC 6298 §3); but an echo tells which copy it was
            // (RFC 7323 §4.1).
            let passed = echo.filter(|e| *e != 0).map(|e| stamps.clock(now).wrapping_sub(e));
            let sane = passed.filter(|ms| *ms < MAX_ECHO);
            arrival.news.rtt = sane.map(|ms| u64::from(ms.max(1)) * MS);
        }
        if self.sack {
            for &(from, end) in seg.options.sack.as_slice() {
                let sane = from.lt(end) && seg.ack.le(from) && end.le(self.snd.nxt);
                if sane {
                    self.board.sack((from, end), &mut |sent| arrival.take(sent));
                }
            }
        }
        arrival.news
    }

    /// The acknowledgment number has moved.
    fn advance(&mut self, ack: Seq, now: u64) {
        self.snd.una = ack;
        let freed = ack.min(self.snd.end).after(self.snd.start);
        self.snd.start += freed;
        self.snd.freed += freed;
        self.snd.since = now;
        self.rtt.progress();
        self.probe_arrived(ack);
        // RFC 6298 §5.2, §5.3.
        self.timers.clear(Timer::Retransmit);
        if !self.board.is_empty() {
            self.start_retransmit(now);
        }
    }

    fn leave_recovery(&mut self) {
        if let Mode::Recovery(until) | Mode::Loss(until) = self.mode
            && self.snd.una.ge(until)
        {
            self.mode = Mode::Open;
            self.duplicates = 0;
            self.rack.repaired();
        }
    }

    /// RFC 8985 §7.4: whether a tail loss probe has repaired a loss.
    fn end_probe(&mut self, ack: Seq, duplicate: bool, now: u64) {
        let Some(probe) = self.tail.filter(|t| ack.ge(t.end)) else { return };
        self.tail = None;
        // New data, or the copy arrived beside the first.
        if !probe.again || duplicate {
            return;
        }
        if self.mode == Mode::Open {
            // §7.4.2: one loss, repaired; the window pays for it.
            self.cc.lost(self.board.total() + self.segment_data(), now);
        }
    }

    /// RFC 8985 §6.2 step 5.
    pub(super) fn find_losses(&mut self, now: u64) {
        let clean = self.board.sacked() == 0 && self.mode == Mode::Open && self.tail.is_none();
        if clean || self.board.is_empty() {
            return self.timers.clear(Timer::Reorder);
        }
        let segments = self.board.sacked() / self.segment_data().max(1);
        let repairing = self.mode != Mode::Open;
        let window = self.rack.reordering_window(&self.rtt, repairing, segments);
        let (rack, mut longest) = (&self.rack, 0);
        let any = self.board.mark_lost(|sent| match rack.time_left(sent, window, now) {
            Some(0) => true,
            Some(left) => {
                longest = left.max(longest);
                false
            }
            None => false,
        });
        self.timers.clear(Timer::Reorder);
        if longest > 0 {
            self.timers.set(Timer::Reorder, now + longest);
        }
        if any && self.mode == Mode::Open {
            self.enter_recovery(now);
        }
    }

    /// Without SACK: RFC 6582 §3.2.
    fn count_duplicates(&mut self, is_duplicate: bool, moved: u32, now: u64) {
        if is_duplicate {
            self.duplicates += 1;
            if self.mode == Mode::Open && self.duplicates == DUP_THRESHOLD {
                let first = self.snd.una;
                self.board.cut_first();
                self.board.mark_lost(|s| s.seq == first);
                self.enter_recovery(now);
            }
            return;
        }
        if moved == 0 {
            return;
        }
        match self.mode {
            Mode::Recovery(_) => {
                // A partial acknowledgment: the next hole is lost too (step 3).
                let first = self.snd.una;
                self.board.cut_first();
                self.board.mark_lost(|s| s.seq == first && !s.again);
                self.wanted.lost = true;
                let segments = moved.div_ceil(self.segment_data().max(1));
                self.duplicates = self.duplicates.saturating_sub(segments.saturating_sub(1));
            }
            _ => self.duplicates = 0,
        }
    }

    /// RFC 6675 §5 (4).
    fn enter_recovery(&mut self, now: u64) {
        if !self.only_probe_lost() {
            self.cc.lost(self.board.total(), now);
        }
        self.mode = Mode::Recovery(self.snd.nxt);
        // The first one goes at once; the rest as the pipe allows.
        self.wanted.lost = true;
        self.timers.clear(Timer::Probe);
    }

    /// What is on its way, where duplicates stand for segments that have left the network.
    pub(super) fn pipe(&self) -> u32 {
        let left = if self.sack { 0 } else { self.duplicates.saturating_mul(self.segment_data()) };
        self.board.pipe().saturating_sub(left)
    }

    /// RFC 8985 §7.2: when to probe for the loss of the last segments.
    pub(super) fn schedule_probe(&mut self, now: u64) {
        self.timers.clear(Timer::Probe);
        let may = self.sack
            && self.mode == Mode::Open
            && self.tail.is_none()
            && self.board.sacked() == 0
            && !self.board.is_empty()
            && self.state.is_synchronized();
        if !may {
            return;
        }
        let single = if self.board.is_one_packet() { DELAYED_ACK_MAX } else { 0 };
        let wait = self.rtt.smoothed().map_or(SECOND, |rtt| 2 * rtt + single).max(PROBE_MIN);
        // Not where the retransmission timer would be first.
        if self.timers.at(Timer::Retransmit).is_some_and(|due| now + wait < due) {
            self.timers.set(Timer::Probe, now + wait);
        }
    }

    /// What follows once the FIN of this side is acknowledged.
    fn after_fin(&mut self, now: u64) {
        if !(self.snd.fin && self.snd.una.gt(self.snd.end)) {
            return;
        }
        self.events |= Event::ENDED;
        match self.state {
            State::FinWait1 => {
                self.state = State::FinWait2;
                if self.rcv.deaf {
                    self.timers.start(Timer::Linger, now + LINGER);
                }
            }
            State::Closing => self.time_wait(now),
            State::LastAck => self.finish(),
            _ => {}
        }
    }

    pub(super) fn time_wait(&mut self, now: u64) {
        self.state = State::TimeWait;
        for timer in [Timer::Retransmit, Timer::Probe, Timer::Reorder, Timer::Persist] {
            self.timers.clear(timer);
        }
        self.timers.clear(Timer::Keepalive);
        self.timers.set(Timer::Linger, now + LINGER);
        // Nothing of what is left can be of use.
        self.rcv.reassembly.clear();
        self.events |= Event::PEER_ENDED;
    }
}

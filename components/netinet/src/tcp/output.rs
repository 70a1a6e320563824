//! What to send next.
//!
//! In this order: what was lost, new data, a FIN, an acknowledgment.
//!
//! Locking: none. Sources: RFC 9293 §3.7.4 (Nagle), §3.8.6.2 (silly windows), §3.10.2; RFC 5681 §3,
//! §4.1; RFC 6675 §5; RFC 7323 §2.2, §3.2; RFC 6691 (what options take).

use super::congestion::Congestion;
use super::control::{OUR_SCALE, TailProbe};
use super::header::{Control, MAX_OPTIONS, Segment};
use super::options::{Options, TIMESTAMPS_LEN};
use super::rto::MS;
use super::seq::Seq;
use super::state::State;
use super::timers::Timer;
use super::{Payload, Tcb};

/// When there was no memory to send with, and nothing else will lead to another try.
const AGAIN: u64 = 200 * MS;
/// What part of a window goes out as one segment (Linux: tcp_tso_win_divisor).
const GSO_WINDOW_PART: u32 = 3;
/// Segments with less data go one by one; and so many are one at most: what they cost who cuts them
/// is bounded, whatever the peer takes.
const GSO_LEAST: u32 = 64;
const GSO_PACKETS: u32 = 64;

impl<P: Payload> Tcb<P> {
    /// The next segment to send now; its data begins at its number in the owner's buffer. One that is
    /// not sent after all counts as lost on its way.
    pub fn poll(&mut self, now: u64) -> Option<Segment> {
        if let Some(reset) = self.reset.take() {
            return Some(reset);
        }
        if self.state == State::Closed {
            return None;
        }
        let seg = self.again(now).or_else(|| self.fresh(now)).or_else(|| self.bare(now));
        if seg.is_none() {
            self.wanted.small = false;
            self.watch_window(now);
        }
        seg
    }

    /// Bytes of data in a full segment without SACK blocks.
    pub(super) fn segment_data(&self) -> u32 {
        let options = if self.stamps.on { TIMESTAMPS_LEN } else { 0 };
        u32::from(self.snd.mss).saturating_sub(options as u32).max(1)
    }

    fn options(&mut self, now: u64) -> Options {
        let mut options = Options::default();
        if self.stamps.on {
            options.timestamps = Some((self.stamps.clock(now), self.stamps.recent));
        }
        if self.sack && self.rcv.reassembly.has_blocks() {
            options.sack = self.rcv.reassembly.blocks();
        }
        options
    }

    /// Something that was lost, or the last segment again as a probe.
    fn again(&mut self, now: u64) -> Option<Segment> {
        let probes = self.wanted.tail == Some(true);
        let at = if probes { self.board.len().checked_sub(1) } else { self.board.next_lost() };
        let Some(at) = at else {
            self.wanted.lost = false;
            return None;
        };
        let first = *self.board.get(at)?;
        if !probes && !core::mem::take(&mut self.wanted.lost) {
            let len = first.len().min(self.segment_data());
            let pipe = self.pipe();
            if pipe > 0 && pipe.saturating_add(len) > self.cc.window() {
                return None;
            }
            // What the peer has no room for it would not take; but the first may be what it
            // waits for.
            if at > 0 && first.end.gt(self.snd.una + self.snd.window) {
                return None;
            }
        }
        let is_syn = first.seq == self.snd.iss;
        let options = if is_syn { self.syn_options(now) } else { self.options(now) };
        let room = self.room_beside(&options);
        let len = first.len();
        let done = if !probes {
            self.board.cut_packet(at, room)
        } else {
            // The last packet of it, cut until it fits.
            let unit = u32::from(first.unit).min(room);
            let before = len - len.min((len.max(1) - 1) % unit + 1);
            before == 0 || self.board.cut(at, before)
        };
        if !is_syn && !done {
            self.timers.start(Timer::Persist, now + AGAIN);
            return None;
        }
        self.wanted.tail = None;
        let at = if probes { self.board.len().checked_sub(1)? } else { at };
        let sent = *self.board.get(at)?;
        self.board.resent(at, now);
        self.probe_goes_again(sent.seq);
        self.resent = self.resent.saturating_add(1);
        if probes {
            // RFC 8985 §7.3: the retransmission timer starts anew.
            self.start_retransmit(now);
            self.tail = Some(TailProbe { end: sent.end, again: true });
        } else {
            self.start_retransmit_unless_running(now);
        }
        if is_syn {
            Some(self.syn(options))
        } else {
            Some(self.segment(sent.seq, sent.end, options))
        }
    }

    fn room_beside(&self, options: &Options) -> u32 {
        u32::from(self.snd.mss).saturating_sub(options.len() as u32).max(1)
    }

    /// New data, a FIN, or the SYN.
    fn fresh(&mut self, now: u64) -> Option<Segment> {
        if self.snd.nxt == self.snd.iss {
            return self.first(now);
        }
        if !self.state.sends() {
            return None;
        }
        if self.board.is_full() {
            return None;
        }
        let unsent = self.snd.end.after(self.snd.nxt);
        let fin = self.snd.fin && self.snd.nxt.le(self.snd.end);
        if unsent == 0 && !fin {
            self.snd.limited = false;
            self.wanted.tail = None;
            return None;
        }
        let probes = core::mem::take(&mut self.wanted.tail) == Some(false);
        if self.board.is_empty() && now.saturating_sub(self.snd.last) > self.rtt.timeout() {
            // RFC 5681 §4.1: what was learnt may be out of date.
            self.cc.idle();
        }
        // Blocks are taken once: whether there will be a segment is decided with their length.
        let blocks = self.sack && self.rcv.reassembly.has_blocks();
        let most =
            if blocks { u32::from(self.snd.mss) - MAX_OPTIONS as u32 } else { self.segment_data() };
        let window = (self.snd.una + self.snd.window).after(self.snd.nxt);
        let larger = if probes { None } else { self.probe_data(unsent.min(window), now) };
        let most = larger.unwrap_or(most);
        let len = if probes || larger.is_some() {
            unsent.min(window).min(most)
        } else {
            self.burst(unsent.min(window), unsent, most)
        };
        let last = len == unsent;
        if !last && len == 0 {
            return None;
        }
        if len > 0 && !probes && !self.may_send(len, most, last) {
            return None;
        }
        let end = self.snd.nxt + len + u32::from(last && fin);
        let first_out = self.board.is_empty();
        if !self.board.sent(self.snd.nxt, end, most, now) {
            self.timers.start(Timer::Persist, now + AGAIN);
            return None;
        }
        let seq = core::mem::replace(&mut self.snd.nxt, end);
        if larger.is_some() {
            self.probing(seq, len);
        }
        self.snd.last = now;
        if first_out {
            self.snd.since = now;
        }
        if probes {
            self.start_retransmit(now);
            self.tail = Some(TailProbe { end, again: false });
        } else {
            self.start_retransmit_unless_running(now);
            self.schedule_probe(now);
        }
        let options = self.options(now);
        let mut seg = self.segment(seq, end, options);
        self.invite_marks(&mut seg);
        if len > most {
            seg.gso_size = u16::try_from(most).unwrap_or(u16::MAX);
        }
        Some(seg)
    }

    /// How much of `len` bytes, of `unsent`, goes into one segment, which will be cut into some of at
    /// most `most` bytes. Several leave as one if they would leave at once anyway: what is worth a
    /// millisecond at the present rate, and a fraction of the window, so that acknowledgments come
    /// while there is more to send.
    fn burst(&self, len: u32, unsent: u32, most: u32) -> u32 {
        if len <= most || self.snd.urgent.is_some() || most < GSO_LEAST {
            return len.min(most);
        }
        let (pipe, window) = (self.pipe(), self.cc.window());
        let rtt = self.rtt.smoothed().unwrap_or(u64::MAX).max(MS);
        let a_while = u64::from(window) * MS / rtt;
        let fraction = window.min(self.snd.window) / GSO_WINDOW_PART;
        let burst = fraction.min(u32::try_from(a_while).unwrap_or(u32::MAX)).max(2 * most);
        let burst = burst.min(self.snd.gso_max.into()).min(GSO_PACKETS * most).max(most);
        let may_go = window.saturating_sub(pipe).max(most);
        let len = len.min(burst).min(may_go);
        let odd = len % most;
        // The end of what was written goes with the rest, if Nagle has nothing against it.
        let prompt = self.settings.nodelay && !self.settings.cork;
        let goes = len == unsent && (prompt || self.snd.fin);
        if odd > 0 && len > most && !goes { len - odd } else { len }
    }

    /// Whether `len` bytes, of `most` that a segment takes, may go now.
    fn may_send(&mut self, len: u32, most: u32, last: bool) -> bool {
        let idle = self.board.is_empty();
        let pipe = self.pipe();
        if !idle && pipe > 0 && pipe.saturating_add(len) > self.cc.window() {
            self.snd.limited = true;
            return false;
        }
        // RFC 9293 §3.8.6.2.1 and §3.7.4.
        let prompt = (idle || self.settings.nodelay) && !self.settings.cork;
        len >= most
            || (last && (prompt || self.snd.fin))
            || (len >= (self.snd.window_max / 2).max(1) && !self.settings.cork)
            || self.wanted.small
    }

    /// The SYN.
    fn first(&mut self, now: u64) -> Option<Segment> {
        if !self.board.sent(self.snd.iss, self.snd.iss + 1, 1, now) {
            self.timers.start(Timer::Persist, now + AGAIN);
            return None;
        }
        self.snd.nxt = self.snd.iss + 1;
        (self.snd.last, self.snd.since) = (now, now);
        self.start_retransmit(now);
        let options = self.syn_options(now);
        Some(self.syn(options))
    }

    fn syn_options(&self, now: u64) -> Options {
        // A SYN that answers one offers only what that one did (RFC 7323 §2.2, §3.2).
        let answers = self.state != State::SynSent;
        let scaled = !answers || self.rcv.scale > 0;
        let stamp = (self.stamps.clock(now), if answers { self.stamps.recent } else { 0 });
        Options {
            mss: Some(self.rcv.offered),
            scale: scaled.then_some(OUR_SCALE),
            sack_permitted: self.sack,
            timestamps: self.stamps.on.then_some(stamp),
            ..Options::default()
        }
    }

    fn syn(&mut self, options: Options) -> Segment {
        let mut control = Control::SYN;
        if self.state == State::SynSent {
            control |= self.ask_for_marks(self.resent > 0);
        }
        if self.state != State::SynSent {
            control |= Control::ACK;
            self.acknowledging();
        }
        // RFC 7323 §2.2: the window of a SYN is not scaled.
        let window = u16::try_from(self.rcv.room).unwrap_or(u16::MAX);
        let (seq, ack) = (self.snd.iss, self.rcv.nxt);
        Segment { seq, ack, control, window, options, ..Segment::default() }
    }

    /// An acknowledgment, or a probe.
    fn bare(&mut self, now: u64) -> Option<Segment> {
        let probe = core::mem::take(&mut self.wanted.probe);
        if self.state == State::SynSent || !(self.wanted.ack || probe) {
            return None;
        }
        // RFC 9293 §3.8.4: a number that the peer has. DIFFERS from §3.8.6.1, which has a byte of
        // data in a probe for a window: this one is answered too, and leaves nothing on its way.
        // Otherwise the next number, or the edge of the peer's window if that has moved back: beyond
        // it nothing is acceptable.
        let edge = (self.snd.una + self.snd.window).min(self.snd.nxt);
        let seq = if probe { self.snd.una - 1 } else { edge };
        let options = self.options(now);
        Some(self.segment(seq, seq, options))
    }

    /// A segment from `seq` to `end`, with what goes into each.
    fn segment(&mut self, seq: Seq, end: Seq, options: Options) -> Segment {
        let fin = end.gt(self.snd.end);
        let len = end.after(seq) - u32::from(fin && end.gt(seq));
        let mut control = Control::ACK | self.echo();
        control.set(Control::FIN, fin && end.gt(seq));
        control.set(Control::PSH, len > 0 && seq + len == self.snd.end);
        let mut urgent = 0;
        if let Some(mark) = self.snd.urgent.filter(|m| m.gt(seq)) {
            control |= Control::URG;
            urgent = u16::try_from(mark.after(seq)).unwrap_or(u16::MAX);
        }
        let window = self.offer();
        self.acknowledging();
        let ack = self.rcv.nxt;
        Segment { seq, ack, control, window, urgent, options, len, ..Segment::default() }
    }

    /// The window to offer, as it goes into the header.
    fn offer(&mut self) -> u16 {
        // RFC 9293 §3.8.6.2.2: the edge moves by a segment or half the buffer, or not at all; and
        // never back.
        let edge = self.rcv.nxt + self.rcv.room;
        let step = self.rcv.largest.min(self.rcv.room_max / 2).max(1);
        if edge.after(self.rcv.edge) >= step {
            let window = edge.after(self.rcv.nxt).min(u32::from(u16::MAX) << self.rcv.scale);
            let exact = window >> self.rcv.scale << self.rcv.scale;
            self.rcv.edge = self.rcv.edge.max(self.rcv.nxt + exact);
        }
        // Rounded down (RFC 7323 §2.3): what a peer believes beyond that is still taken.
        let window = self.rcv.edge.after(self.rcv.nxt) >> self.rcv.scale;
        u16::try_from(window).unwrap_or(u16::MAX)
    }

    fn acknowledging(&mut self) {
        self.wanted.ack = false;
        self.rcv.acked = self.rcv.nxt;
        self.timers.clear(Timer::DelayedAck);
    }

    /// Data waits, nothing is on its way: asks for a window now and then (RFC 9293 §3.8.6.1).
    fn watch_window(&mut self, now: u64) {
        let waits = self.state.sends() && self.snd.end.gt(self.snd.nxt) && self.board.is_empty();
        if waits {
            if !self.timers.is_set(Timer::Persist) {
                let wait = self.rtt.timeout().saturating_mul(1 << self.persists.min(16));
                self.timers.set(Timer::Persist, now + wait.min(super::expire::PERSIST_MAX));
            }
        } else if self.board.is_empty() {
            self.timers.clear(Timer::Persist);
        }
    }
}

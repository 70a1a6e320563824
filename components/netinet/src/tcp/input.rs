//! A segment has arrived.
//!
//! The order of the checks is that of RFC 9293 §3.10.7.
//!
//! Locking: none. Sources: RFC 9293 §3.10.7; RFC 5961 (challenge acknowledgments); RFC 7323 §5
//! (PAWS).

use super::header::{Control, Segment};
use super::rto::SECOND;
use super::seq::Seq;
use super::state::{Event, Failure, State};
use super::timers::Timer;
use super::{Agreed, Payload, Tcb, control};

/// Challenge acknowledgments in a second (RFC 5961 §7).
const CHALLENGES: u8 = 10;
/// How long a timestamp counts for PAWS (RFC 7323 §5.5).
const STAMP_LIFE: u64 = 24 * 24 * 3600 * SECOND;

/// The answer to a segment for which there is no connection (RFC 9293 §3.10.7.1).
pub fn reset_for(seg: &Segment) -> Option<Segment> {
    if seg.has(Control::RST) {
        return None;
    }
    Some(if seg.has(Control::ACK) {
        Segment { seq: seg.ack, control: Control::RST, ..Segment::default() }
    } else {
        let control = Control::RST | Control::ACK;
        Segment { ack: seg.end(), control, ..Segment::default() }
    })
}

impl<P: Payload> Tcb<P> {
    /// Takes a segment with its data, which is handed to `deliver` if it continues the stream, or
    /// kept. `deliver` says false if it has no memory: the peer will send that again. The answer, if
    /// there is one, is to be sent at once, before what [`Tcb::poll`] says.
    pub fn input(
        &mut self,
        seg: &Segment,
        data: P,
        now: u64,
        deliver: &mut dyn FnMut(P) -> bool,
    ) -> Option<Segment> {
        match self.state {
            State::Closed => reset_for(seg),
            State::SynSent => self.in_syn_sent(seg, now),
            _ => self.in_others(*seg, data, now, deliver),
        }
    }

    /// RFC 9293 §3.10.7.3.
    fn in_syn_sent(&mut self, seg: &Segment, now: u64) -> Option<Segment> {
        let has_ack = seg.has(Control::ACK);
        let good = has_ack && seg.ack.gt(self.snd.iss) && seg.ack.le(self.snd.nxt);
        if has_ack && !good {
            return reset_for(seg);
        }
        if seg.has(Control::RST) {
            if good {
                self.fail(Failure::Refused);
            }
            return None;
        }
        if !seg.has(Control::SYN) {
            return None;
        }
        self.agree(&Agreed::of(seg), now);
        self.heard = now;
        if !good {
            // Two SYNs have crossed (§3.5, figure 8): ours goes out again, with an acknowledgment.
            self.state = State::SynReceived;
            self.board.mark_lost(|_| true);
            self.wanted.lost = true;
            return None;
        }
        self.agree_on_marks(seg);
        self.acknowledged_syn(seg.ack, now);
        self.snd.wl2 = seg.ack;
        self.established(now);
        self.wanted.ack = true;
        None
    }

    /// The SYN of this side is acknowledged.
    fn acknowledged_syn(&mut self, ack: Seq, now: u64) {
        let (mut took, mut again) = (None, false);
        self.board.acknowledge(self.snd.iss + 1, &mut |sent| {
            again = sent.again;
            took = Some(now.saturating_sub(sent.at));
        });
        self.snd.una = self.snd.una.max((self.snd.iss + 1).min(ack));
        self.timers.clear(Timer::Retransmit);
        match took {
            // Karn (RFC 6298 §3).
            Some(rtt) if !again => self.rtt.sample(rtt, now),
            _ => self.rtt.distrust(),
        }
    }

    /// RFC 9293 §3.10.7.4.
    fn in_others(
        &mut self,
        mut seg: Segment,
        mut data: P,
        now: u64,
        deliver: &mut dyn FnMut(P) -> bool,
    ) -> Option<Segment> {
        if self.state == State::SynReceived && seg.has(Control::SYN) && seg.seq == self.rcv.irs {
            // The answer to our SYN, which crossed the peer's: its SYN is known already.
            seg.seq += 1;
            seg.control.remove(Control::SYN);
            // RFC 7323 §2.2: the window of a SYN is never scaled.
            seg.window >>= self.snd.scale;
        }
        if !self.check_stamps(&seg, now) {
            return None;
        }
        // First, the sequence number.
        if !self.is_acceptable(&seg) {
            self.refuse_number(&seg, now);
            return None;
        }
        self.trim(&mut seg, &mut data);
        // Second, RST (RFC 5961 §3.2).
        if seg.has(Control::RST) {
            if seg.seq == self.rcv.nxt {
                self.was_reset();
            } else {
                self.challenge(now);
            }
            return None;
        }
        // Fourth, SYN (RFC 5961 §4.2).
        if seg.has(Control::SYN) {
            self.challenge(now);
            return None;
        }
        // Fifth, ACK.
        if !seg.has(Control::ACK) {
            return None;
        }
        if self.state == State::SynReceived {
            if !(seg.ack.gt(self.snd.una) && seg.ack.le(self.snd.nxt)) {
                return reset_for(&seg);
            }
            self.acknowledged_syn(seg.ack, now);
            self.established(now);
        }
        self.heard = now;
        self.probes = 0;
        self.note_stamp(&seg, now);
        // RFC 5961 §5.2: not older than what the peer could know.
        if seg.ack.gt(self.snd.nxt) || seg.ack.lt(self.snd.una - self.snd.window_max) {
            self.challenge(now);
            return None;
        }
        self.acknowledged(&seg, now);
        if self.state == State::Closed {
            return None;
        }
        // Sixth, URG (RFC 6093: the pointer moves a mark, the data stays in line).
        if seg.has(Control::URG) && self.state.receives() {
            let end = seg.seq + u32::from(seg.urgent);
            if self.rcv.urgent.is_none_or(|old| end.gt(old)) {
                self.rcv.urgent = Some(end);
                self.events |= Event::URGENT;
            }
        }
        if seg.len > 0 {
            self.see_mark(&seg);
        }
        // Seventh and eighth, data and FIN.
        self.take_data(&seg, data, now, deliver);
        None
    }

    /// RFC 7323 §3.2, §5.3 R1: false if the segment is dropped.
    fn check_stamps(&mut self, seg: &Segment, now: u64) -> bool {
        if !self.stamps.on || seg.has(Control::RST) {
            return true;
        }
        let Some((value, _)) = seg.options.timestamps else { return false };
        let old = (value.wrapping_sub(self.stamps.recent) as i32) < 0;
        if old && now.saturating_sub(self.stamps.recent_at) < STAMP_LIFE {
            self.wanted.ack = true;
            return false;
        }
        true
    }

    /// RFC 7323 §4.3 (2), §5.3 R3.
    fn note_stamp(&mut self, seg: &Segment, now: u64) {
        if let Some((value, _)) = seg.options.timestamps.filter(|_| self.stamps.on)
            && seg.seq.le(self.rcv.acked)
            && (value.wrapping_sub(self.stamps.recent) as i32) >= 0
        {
            (self.stamps.recent, self.stamps.recent_at) = (value, now);
        }
    }

    pub(super) fn receive_window(&self) -> u32 {
        self.rcv.edge.after(self.rcv.nxt)
    }

    /// RFC 9293 §3.4, the four cases; and data at the edge of a closed window, whose acknowledgment
    /// counts (§3.10.7.4). DIFFERS: what has no data may be at the right edge: it comes from who has
    /// filled the window, and its acknowledgment may be what opens the other one.
    fn is_acceptable(&self, seg: &Segment) -> bool {
        let (start, span, window) = (self.rcv.nxt, seg.span(), self.receive_window());
        let inside = |n: Seq| start.le(n) && n.lt(start + window);
        if span == 0 || window == 0 {
            return seg.seq == start || inside(seg.seq) || (span == 0 && seg.seq == start + window);
        }
        inside(seg.seq) || inside(seg.seq + (span - 1))
    }

    fn refuse_number(&mut self, seg: &Segment, now: u64) {
        if seg.has(Control::RST) {
            return;
        }
        self.heard = now;
        self.probes = 0;
        if seg.has(Control::SYN) || seg.span() == 0 {
            // An answer to an answer must not be answered for ever.
            return self.challenge(now);
        }
        if self.state == State::TimeWait && seg.has(Control::FIN) {
            self.timers.set(Timer::Linger, now + control::LINGER);
        }
        if self.sack && seg.len > 0 && seg.seq.lt(self.rcv.nxt) {
            // RFC 2883 §4.1.
            let end = (seg.seq + seg.len).min(self.rcv.nxt);
            self.rcv.reassembly.note_duplicate((seg.seq, end));
        }
        self.wanted.ack = true;
    }

    /// Cuts off what lies outside of the window.
    fn trim(&mut self, seg: &mut Segment, data: &mut P) {
        let old = self.rcv.nxt.after(seg.seq);
        if old > 0 {
            let syn = u32::from(seg.has(Control::SYN));
            // A SYN outside of the window is an old one; what is left of the segment counts.
            seg.control.remove(Control::SYN);
            let cut = (old - syn.min(old)).min(seg.len);
            data.trim_front(cut as usize);
            seg.len -= cut;
            seg.seq += old;
            self.wanted.ack = true;
        }
        let room = self.rcv.edge.after(seg.seq);
        if seg.len > room {
            data.truncate(room as usize);
            seg.len = room;
            seg.control.remove(Control::FIN);
            self.wanted.ack = true;
        }
    }

    fn was_reset(&mut self) {
        match self.state {
            State::SynReceived => self.fail(Failure::Refused),
            State::Closing | State::LastAck | State::TimeWait => self.finish(),
            _ => self.fail(Failure::Reset),
        }
    }

    /// RFC 5961: an acknowledgment, to which only the true peer knows the answer; not too many.
    fn challenge(&mut self, now: u64) {
        let (since, count) = self.challenges;
        if now.saturating_sub(since) >= SECOND {
            self.challenges = (now, 1);
        } else if count < CHALLENGES {
            self.challenges.1 += 1;
        } else {
            return;
        }
        self.wanted.ack = true;
    }
}

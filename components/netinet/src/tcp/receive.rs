//! The data of a segment.
//!
//! Locking: none. Sources: RFC 9293 §3.10.7.4 (seventh and eighth), §3.8.6.3 (when to
//! acknowledge); RFC 5681 §4.2; RFC 2525 §2.17 (data that nobody will read).

use super::header::{Control, Segment};
use super::rto::MS;
use super::state::{Event, State};
use super::timers::Timer;
use super::{Payload, Tcb};

/// How long an acknowledgment may wait for company (RFC 9293 §3.8.6.3: below half a second).
const DELAY: u64 = 40 * MS;
/// Memory of pieces out of order, for each byte of the buffer.
const COST_FACTOR: usize = 2;

impl<P: Payload> Tcb<P> {
    /// Takes the data and the FIN of an acceptable, trimmed segment.
    pub(super) fn take_data(
        &mut self,
        seg: &Segment,
        data: P,
        now: u64,
        deliver: &mut dyn FnMut(P) -> bool,
    ) {
        let fin = seg.has(Control::FIN);
        if (seg.len == 0 && !fin) || !self.state.receives() {
            return;
        }
        if self.rcv.deaf && seg.len > 0 {
            // What the peer sends is lost: it must know (RFC 9293 §3.10.7.1, RFC 2525 §2.17).
            return self.abort();
        }
        self.rcv.largest = self.rcv.largest.max(seg.len.min(self.rcv.offered.into()));
        if seg.seq != self.rcv.nxt {
            let limit = (self.rcv.room_max as usize).saturating_mul(COST_FACTOR);
            self.rcv.reassembly.insert(seg.seq, data, fin, limit);
            // RFC 5681 §4.2: at once, so that the sender hears of the hole.
            self.wanted.ack = true;
            return;
        }
        let filled = !self.rcv.reassembly.is_empty();
        if seg.len > 0 && !deliver(data) {
            return;
        }
        self.rcv.nxt += seg.len;
        self.echoed(seg, now);
        let mut ended = fin;
        while let Some((piece, last)) = self.rcv.reassembly.next(self.rcv.nxt) {
            let len = piece.len() as u32;
            if ended {
                break;
            }
            if len > 0 && !deliver(piece) {
                // It is lost to this side, and not acknowledged: it will be sent again.
                break;
            }
            self.rcv.nxt += len;
            ended = last;
        }
        if ended {
            self.rcv.nxt += 1;
            self.peer_ended(now);
        }
        let prompt = filled || ended || self.settings.quickack;
        if prompt || self.rcv.nxt.after(self.rcv.acked) >= 2 * self.rcv.largest {
            self.wanted.ack = true;
        } else {
            self.timers.start(Timer::DelayedAck, now + DELAY);
        }
    }

    fn peer_ended(&mut self, now: u64) {
        self.rcv.reassembly.clear();
        self.events |= Event::PEER_ENDED;
        match self.state {
            State::Established => self.state = State::CloseWait,
            // The FIN of this side is not acknowledged, or it would be FIN-WAIT-2.
            State::FinWait1 => self.state = State::Closing,
            State::FinWait2 => self.time_wait(now),
            _ => {}
        }
    }
}

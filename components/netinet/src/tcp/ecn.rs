//! Explicit congestion notification: routers mark packets instead of dropping them, the receiver tells
//! the sender until it has heard, and the sender does what it would do about a loss.
//!
//! Marks are on data only that is sent for the first time; a SYN that is not answered is sent again
//! without a word of it, as some middleboxes want. A connection made with a SYN cookie has none.
//!
//! Locking: none. Sources: RFC 3168 §5, §6.1.

use super::congestion::Congestion;
use super::control::Mode;
use super::header::{Control, Segment};
use super::seq::Seq;
use super::{Payload, Tcb};

/// The sender can do it: what is in the IP header of marked data (RFC 3168 §5).
pub const ECT_0: u8 = 2;
/// Congestion was experienced.
pub const CE: u8 = 3;
/// The bits of the type of service that are not the user's.
pub const MASK: u8 = 3;

/// What a connection knows of marks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ecn {
    /// This side asks for it.
    asks: bool,
    /// Both do it.
    pub(super) on: bool,
    /// A mark has come, and the peer has not said that it knows.
    echo: bool,
    /// The window was reduced, and the peer does not know yet.
    reduced: bool,
    /// What was on its way when the window was last reduced: one reduction for all of it.
    until: Option<Seq>,
}

impl Ecn {
    /// Nothing agreed yet.
    pub(super) fn new(asks: bool) -> Self {
        Self { asks, ..Self::default() }
    }
}

/// Whether a SYN asks for it (RFC 3168 §6.1.1).
pub(super) fn is_asked_by(syn: &Segment) -> bool {
    syn.control.contains(Control::ECE | Control::CWR)
}

impl<P: Payload> Tcb<P> {
    /// What a SYN says of it; `again`: it was sent before, in vain (§6.1.1.1).
    pub(super) fn ask_for_marks(&mut self, again: bool) -> Control {
        self.ecn.asks &= !again;
        if self.ecn.asks { Control::ECE | Control::CWR } else { Control::empty() }
    }

    /// The answer to a SYN has come.
    pub(super) fn agree_on_marks(&mut self, answer: &Segment) {
        self.ecn.on = self.ecn.asks && answer.has(Control::ECE) && !answer.has(Control::CWR);
    }

    /// Data has arrived (§6.1.3).
    pub(super) fn see_mark(&mut self, seg: &Segment) {
        if !self.ecn.on {
            return;
        }
        if seg.has(Control::CWR) {
            self.ecn.echo = false;
        }
        if seg.ecn & MASK == CE {
            self.ecn.echo = true;
            self.wanted.ack = true;
        }
    }

    /// An acknowledgment has come while `flight` bytes were on their way (§6.1.2).
    pub(super) fn hear_of_marks(&mut self, seg: &Segment, flight: u32, now: u64) {
        // Numbers come round: what is over is forgotten.
        self.ecn.until = self.ecn.until.filter(|until| self.snd.una.lt(*until));
        if !self.ecn.on || !seg.has(Control::ECE) || flight == 0 {
            return;
        }
        if self.ecn.until.is_some() {
            return;
        }
        self.ecn.until = Some(self.snd.nxt);
        self.ecn.reduced = true;
        // A loss that is being repaired has had its reduction.
        if self.mode == Mode::Open {
            self.cc.lost(flight, now);
        }
    }

    /// Whether an acknowledgment tells of a mark: the window does not grow by it.
    pub(super) fn tells_of_marks(&self, seg: &Segment) -> bool {
        self.ecn.on && seg.has(Control::ECE)
    }

    /// What every segment says.
    pub(super) fn echo(&self) -> Control {
        if self.ecn.on && self.ecn.echo { Control::ECE } else { Control::empty() }
    }

    /// New data may be marked, and tells that the window was reduced.
    pub(super) fn invite_marks(&mut self, seg: &mut Segment) {
        if !self.ecn.on || seg.len == 0 {
            return;
        }
        seg.ecn = ECT_0;
        if core::mem::take(&mut self.ecn.reduced) {
            seg.control |= Control::CWR;
        }
    }
}

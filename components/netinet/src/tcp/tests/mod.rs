//! Tests of the core: scripts of segments, two ends joined by a bad channel, and nonsense.

mod channel;
mod clauses;
mod loss;
mod marks;
mod nonsense;
mod options;
mod pathmtu;
mod script;

use super::Payload;

impl Payload for Vec<u8> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }

    fn trim_front(&mut self, n: usize) {
        self.drain(..n.min(self.as_slice().len()));
    }

    fn truncate(&mut self, len: usize) {
        Vec::truncate(self, len);
    }

    fn split_off(&mut self, at: usize) -> Option<Self> {
        Some(Vec::split_off(self, at.min(self.as_slice().len())))
    }

    fn cost(&self) -> usize {
        self.as_slice().len()
    }
}

impl<P: Payload> super::Tcb<P> {
    /// What must hold after each step.
    fn check(&self) {
        let (snd, rcv) = (&self.snd, &self.rcv);
        rcv.reassembly.check();
        if self.state == super::state::State::Closed {
            return assert!(self.deadline().is_none());
        }
        self.board.check(snd.una, snd.nxt);
        assert!(snd.una.le(snd.nxt) && snd.start.le(snd.end));
        assert!(snd.nxt.le(snd.end + u32::from(snd.fin)));
        assert!(snd.una == snd.iss || snd.start == snd.una.min(snd.end), "the buffer's beginning");
        assert!(rcv.nxt.le(rcv.edge + 1), "no more is taken than was offered");
        assert!(rcv.acked.le(rcv.nxt));
    }

    /// A side that does not know of SACK, or of timestamps.
    fn without(&mut self, sack: bool, stamps: bool) {
        self.sack &= !sack;
        self.stamps.on &= !stamps;
    }
}

//! NewReno: slow start, then a segment a round trip; half the window after a loss.
//!
//! Locking: none. Sources: RFC 5681 §3.1, §3.2; RFC 6582; RFC 3465 (counting bytes).

use super::{Ack, Congestion, floor, initial_window};

/// Its state.
#[derive(Clone, Copy, Debug)]
pub struct NewReno {
    mss: u32,
    window: u32,
    threshold: u32,
    /// Bytes acknowledged since the window last grew.
    counted: u32,
}

impl NewReno {
    /// At the beginning.
    pub fn new(mss: u32) -> Self {
        Self { mss, window: initial_window(mss), threshold: u32::MAX, counted: 0 }
    }

    /// Half of what is on its way (RFC 5681 §3.1, equation 4).
    fn halve(&mut self, flight: u32) {
        self.threshold = (flight / 2).max(floor(self.mss));
        self.counted = 0;
    }
}

impl Congestion for NewReno {
    fn window(&self) -> u32 {
        self.window
    }

    fn threshold(&self) -> u32 {
        self.threshold
    }

    fn acknowledged(&mut self, ack: &Ack) {
        if self.window < self.threshold {
            self.window = self.window.saturating_add(ack.bytes);
            return;
        }
        // RFC 5681 §3.1: a segment when a window's worth has been acknowledged.
        self.counted = self.counted.saturating_add(ack.bytes);
        if self.counted >= self.window {
            self.counted -= self.window;
            self.window = self.window.saturating_add(self.mss);
        }
    }

    fn lost(&mut self, flight: u32, _: u64) {
        self.halve(flight);
        self.window = self.threshold;
    }

    fn timed_out(&mut self, flight: u32, _: u64) {
        self.halve(flight);
        self.window = self.mss;
    }

    fn idle(&mut self) {
        self.window = self.window.min(initial_window(self.mss));
    }

    fn set_mss(&mut self, mss: u32) {
        self.mss = mss;
    }
}

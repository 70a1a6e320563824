//! CUBIC: the window follows a cubic function of the time since the last loss.
//!
//! No floating point: times in milliseconds, windows in bytes, C = 4/10, β = 7/10.
//!
//! Locking: none. Sources: RFC 9438 (sections at the decisions).

use super::{Ack, Congestion, floor, initial_window};

const MS: u64 = 1_000_000;

/// Its state.
#[derive(Clone, Copy, Debug)]
pub struct Cubic {
    mss: u32,
    window: u32,
    threshold: u32,
    /// The window at the last loss, W_max.
    before: u32,
    epoch: Option<Epoch>,
    /// Growth that is less than a byte an acknowledgment, kept until it is one.
    fraction: u64,
}

/// A stage of congestion avoidance (RFC 9438 §4.2).
#[derive(Clone, Copy, Debug)]
struct Epoch {
    /// When it began.
    start: u64,
    /// Where the plateau lies, in bytes.
    plateau: u32,
    /// When it is reached, K, in milliseconds from the start.
    reached: u64,
    /// What Reno would have, W_est, in bytes (RFC 9438 §4.3).
    reno: u64,
}

impl Cubic {
    /// At the beginning.
    pub fn new(mss: u32) -> Self {
        let window = initial_window(mss);
        Self { mss, window, threshold: u32::MAX, before: 0, epoch: None, fraction: 0 }
    }

    /// RFC 9438 §4.6, §4.7.
    fn reduce(&mut self, flight: u32) {
        // §4.7, fast convergence: a window that shrinks makes room for others.
        let shrunk = self.window < self.before;
        self.before = if shrunk { part(self.window, 17, 20) } else { self.window };
        // §4.6 allows the window where the sender was limited by it; the flight is never too much.
        let used = flight.max(self.window / 2).min(self.window);
        self.threshold = part(used, 7, 10).max(floor(self.mss));
        self.epoch = None;
        self.fraction = 0;
    }

    fn begin(&self, now: u64) -> Epoch {
        let below = u64::from(self.before.saturating_sub(self.window));
        // §4.2, equation 2: K = cbrt((W_max - cwnd) / C), segments and seconds; a thousand cubed
        // for milliseconds.
        let reached = cube_root(below.saturating_mul(2_500_000_000) / u64::from(self.mss.max(1)));
        let plateau = self.before.max(self.window);
        Epoch { start: now, plateau, reached, reno: self.window.into() }
    }
}

impl Congestion for Cubic {
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
        let (window, mss) = (u64::from(self.window.max(1)), u64::from(self.mss.max(1)));
        let mut epoch = self.epoch.unwrap_or_else(|| self.begin(ack.now));
        let time = ack.now.saturating_sub(epoch.start).saturating_add(ack.rtt) / MS;
        // §4.2, equation 1: W(t) = C (t - K)³ + W_max, at the time of the next round trip.
        let off = time.abs_diff(epoch.reached).min(1_000_000);
        let cube = off.saturating_mul(off).saturating_mul(off) / 1_000_000_000 * 4 / 10;
        let bytes = cube.saturating_mul(mss);
        let plateau = u64::from(epoch.plateau);
        let target = if time < epoch.reached {
            plateau.saturating_sub(bytes)
        } else {
            plateau.saturating_add(bytes)
        };
        // §4.4: at most half as much again in a round trip.
        let target = target.clamp(window, window + window / 2);
        // §4.3, equation 4: α = 3 (1 - β) / (1 + β) = 9/17 of a segment a round trip, as Reno
        // would with this β.
        let reno = mss.saturating_mul(ack.bytes.into()).saturating_mul(9) / (17 * window);
        epoch.reno = epoch.reno.saturating_add(reno);
        self.epoch = Some(epoch);
        let step = if epoch.reno > target {
            self.fraction = 0;
            epoch.reno.saturating_sub(window)
        } else {
            // §4.4: (target - cwnd) / cwnd for each segment acknowledged.
            let more = (target - window).saturating_mul(ack.bytes.into());
            self.fraction = self.fraction.saturating_add(more);
            let step = self.fraction / window;
            self.fraction %= window;
            step
        };
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        self.window = self.window.saturating_add(step);
    }

    fn lost(&mut self, flight: u32, _: u64) {
        self.reduce(flight);
        self.window = self.threshold;
    }

    fn timed_out(&mut self, flight: u32, _: u64) {
        // §4.8.
        self.reduce(flight);
        self.window = self.mss;
    }

    fn idle(&mut self) {
        // §4.2 and §5.8: time that was not used does not count.
        self.epoch = None;
        self.window = self.window.min(initial_window(self.mss));
    }

    fn set_mss(&mut self, mss: u32) {
        self.mss = mss;
    }
}

fn part(n: u32, of: u32, all: u32) -> u32 {
    let n = u64::from(n) * u64::from(of) / u64::from(all.max(1));
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// The largest number whose cube is not more than `n`.
pub(super) fn cube_root(n: u64) -> u64 {
    let (mut root, mut rest) = (0_u64, n);
    // Digit by digit, three bits at a time.
    for shift in (0..64).step_by(3).rev() {
        root <<= 1;
        let step = 3 * root * (root + 1) + 1;
        if rest >> shift >= step {
            rest -= step << shift;
            root += 1;
        }
    }
    root
}

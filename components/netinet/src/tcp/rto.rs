//! How long a round trip takes, and when to send again.
//!
//! * [`Rtt::sample`] takes a measurement; [`Rtt::timeout`] is the timeout, backed off as
//!   [`Rtt::back_off`] has been called since the last one.
//!
//! Times are in nanoseconds. Locking: none.
//! Sources: RFC 6298. DIFFERS from §2.4 (a second at least): 200 ms, as Linux has it.

/// A millisecond.
pub const MS: u64 = 1_000_000;
/// A second.
pub const SECOND: u64 = 1_000 * MS;

/// Before the first measurement (RFC 6298 §2.1).
const INITIAL: u64 = SECOND;
/// The shortest timeout.
const MIN: u64 = 200 * MS;
/// The longest (RFC 6298 §2.5).
const MAX: u64 = 60 * SECOND;
/// The clock's granularity, for the variance's part.
const GRANULARITY: u64 = MS;
/// How long a smallest round trip counts (RFC 8985 §6.2 step 1 asks for a windowed minimum).
const MIN_RTT_LIFE: u64 = 60 * SECOND;

/// The round trip's estimate.
#[derive(Clone, Copy, Debug)]
pub struct Rtt {
    smoothed: u64,
    variance: u64,
    smallest: u64,
    smallest_at: u64,
    base: u64,
    backoff: u8,
    measured: bool,
}

impl Rtt {
    /// Nothing measured.
    pub const fn new() -> Self {
        Self {
            smoothed: 0,
            variance: 0,
            smallest: 0,
            smallest_at: 0,
            base: INITIAL,
            backoff: 0,
            measured: false,
        }
    }

    /// A round trip took `rtt`.
    pub fn sample(&mut self, rtt: u64, now: u64) {
        if self.measured {
            // RFC 6298 §2.3: the variance first.
            let off = self.smoothed.abs_diff(rtt);
            self.variance = (self.variance * 3 + off) / 4;
            self.smoothed = (self.smoothed * 7 + rtt) / 8;
        } else {
            // §2.2.
            (self.smoothed, self.variance) = (rtt, rtt / 2);
        }
        let old = now.saturating_sub(self.smallest_at) > MIN_RTT_LIFE;
        if !self.measured || rtt <= self.smallest || old {
            (self.smallest, self.smallest_at) = (rtt, now);
        }
        self.measured = true;
        let wait = self.smoothed.saturating_add((self.variance * 4).max(GRANULARITY));
        self.base = wait.clamp(MIN, MAX);
        self.backoff = 0;
    }

    /// The handshake's SYN was lost, and nothing has been measured (RFC 6298 §5.7).
    pub fn distrust(&mut self) {
        if !self.measured {
            self.base = 3 * SECOND;
        }
        self.backoff = 0;
    }

    /// The timeout that counts now.
    pub fn timeout(&self) -> u64 {
        self.base.saturating_mul(1 << self.backoff.min(16)).min(MAX)
    }

    /// It has passed: the next one is twice as long (RFC 6298 §5.5).
    pub fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// New data was acknowledged.
    pub fn progress(&mut self) {
        self.backoff = 0;
    }

    /// How often the timeout has passed since.
    pub fn backoffs(&self) -> u8 {
        self.backoff
    }

    /// The smoothed round trip, once there was one.
    pub fn smoothed(&self) -> Option<u64> {
        self.measured.then_some(self.smoothed)
    }

    /// Its variance.
    pub fn variance(&self) -> u64 {
        self.variance
    }

    /// The smallest seen lately.
    pub fn smallest(&self) -> u64 {
        self.smallest
    }
}

impl Default for Rtt {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc6298_2_the_estimate() {
        let mut rtt = Rtt::new();
        assert_eq!(rtt.timeout(), SECOND);
        rtt.sample(400 * MS, 0);
        assert_eq!(rtt.timeout(), 400 * MS + 4 * 200 * MS);
        rtt.sample(480 * MS, 1);
        assert_eq!(rtt.smoothed(), Some(410 * MS));
        assert_eq!(rtt.variance(), (3 * 200 * MS + 80 * MS) / 4);
    }

    #[test]
    fn rfc6298_5_5_the_timeout_doubles_and_has_an_end() {
        let mut rtt = Rtt::new();
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(rtt.timeout(), expected * SECOND);
            rtt.back_off();
        }
        for _ in 0..300 {
            rtt.back_off();
        }
        assert_eq!(rtt.timeout(), 60 * SECOND);
        rtt.sample(MS, 0);
        assert_eq!(rtt.timeout(), MIN);
    }

    #[test]
    fn rfc6298_5_7_after_a_lost_syn_three_seconds() {
        let mut rtt = Rtt::new();
        rtt.back_off();
        rtt.distrust();
        assert_eq!(rtt.timeout(), 3 * SECOND);
    }
}

//! A token bucket.
//!
//! * [`RateLimit::take`] asks for one token at a given time.
//!
//! The bucket is not refilled by a timer: it keeps the time at which it will be full again.
//!
//! Locking: none; the owner guards it.
//! Sources: RFC 1812 §4.3.2.8 (rate limiting); ITU-T I.371 Annex A (virtual scheduling).

/// So many at once, so many a second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Time that one token takes to come back; 0: no limit.
    interval_ns: u64,
    /// How far the time of fullness may lie ahead and still leave a token.
    tolerance_ns: u64,
    /// When the bucket is full again.
    full_at_ns: u64,
}

impl RateLimit {
    /// A full bucket of `burst` tokens, refilled with `per_second`. No burst at all, or none a
    /// second, refuses everything.
    pub const fn new(per_second: u32, burst: u32) -> Self {
        if per_second == 0 || burst == 0 {
            return Self { interval_ns: u64::MAX, tolerance_ns: 0, full_at_ns: u64::MAX };
        }
        let interval_ns = 1_000_000_000 / per_second as u64;
        let tolerance_ns = interval_ns.saturating_mul(burst as u64 - 1);
        Self { interval_ns, tolerance_ns, full_at_ns: 0 }
    }

    /// Lets everything pass.
    pub const fn unlimited() -> Self {
        Self { interval_ns: 0, tolerance_ns: 0, full_at_ns: 0 }
    }

    /// Takes a token if there is one.
    #[must_use]
    pub fn take(&mut self, now_ns: u64) -> bool {
        let full_at_ns = self.full_at_ns.max(now_ns);
        if full_at_ns - now_ns > self.tolerance_ns {
            return false;
        }
        self.full_at_ns = full_at_ns.saturating_add(self.interval_ns);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn rfc1812_4_3_2_8_a_burst_then_the_rate() {
        let mut limit = RateLimit::new(100, 50);
        let sent = |limit: &mut RateLimit, at| (0..1000).filter(|_| limit.take(at)).count();
        assert_eq!(sent(&mut limit, 5 * SECOND), 50);
        assert_eq!(sent(&mut limit, 5 * SECOND + SECOND / 10), 10);
        // A long rest fills it, and no more than that.
        assert_eq!(sent(&mut limit, 500 * SECOND), 50);
    }

    #[test]
    fn nothing_and_everything() {
        assert!(!RateLimit::new(0, 10).take(0) && !RateLimit::new(10, 0).take(0));
        let mut open = RateLimit::unlimited();
        assert!((0..1000).all(|_| open.take(7)));
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(
            rate in 1..2000u32, burst in 1..100u32,
            steps in prop::collection::vec(0..20_000_000u64, 1..300),
        ) {
            let mut limit = RateLimit::new(rate, burst);
            let (mut now, mut sent) = (0, 0);
            for step in steps {
                now += step;
                sent += u64::from(limit.take(now));
                let interval = SECOND / u64::from(rate);
                prop_assert!(sent <= u64::from(burst) + now / interval);
            }
        }
    }

    extern crate std;
}

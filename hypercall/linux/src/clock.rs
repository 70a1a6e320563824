//! Clocks: `CLOCK_MONOTONIC`, its coarse sibling, and the time of day, all through the vDSO.
//!
//! * [`now`] for the host's own threads; kernels call the [`Clock`] of [`Linux`].
//! * [`timespec`] turns an instant into a futex deadline.
//!
//! Locking: none. Sources: clock_gettime(2), vdso(7).

use hypercall::{Clock, Instant, WallTime};
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::Linux;

const NANOS: u64 = 1_000_000_000;

/// The monotonic clock.
#[inline]
pub fn now() -> Instant {
    instant(clock_gettime(ClockId::Monotonic))
}

#[inline]
fn instant(t: Timespec) -> Instant {
    // Neither field of this clock is ever negative; the sum lasts for 584 years.
    let (seconds, nanos) = (t.tv_sec.cast_unsigned(), t.tv_nsec.cast_unsigned());
    Instant::from_nanos(seconds.saturating_mul(NANOS).saturating_add(nanos))
}

/// `at` as an absolute time of `CLOCK_MONOTONIC`.
pub fn timespec(at: Instant) -> Timespec {
    let ns = at.nanos();
    // Both quotient and remainder fit: they are below 2^35 and 10^9.
    Timespec { tv_sec: (ns / NANOS).cast_signed(), tv_nsec: (ns % NANOS).cast_signed() }
}

impl Clock for Linux {
    #[inline]
    fn now(&self) -> Instant {
        now()
    }

    #[inline]
    fn coarse_now(&self) -> Instant {
        instant(clock_gettime(ClockId::MonotonicCoarse))
    }

    fn wall(&self) -> WallTime {
        let t = clock_gettime(ClockId::Realtime);
        WallTime { seconds: t.tv_sec, nanoseconds: u32::try_from(t.tv_nsec).unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn coarse_is_behind_exact_by_little() {
        let host = Linux::new();
        for _ in 0..1000 {
            let coarse = host.coarse_now();
            let exact = host.now();
            assert!(coarse <= exact);
            assert!(exact - coarse < Duration::from_millis(50));
        }
    }

    #[test]
    fn instants_survive_the_way_to_a_deadline() {
        for ns in [0, 1, NANOS - 1, NANOS, u64::MAX] {
            assert_eq!(instant(timespec(Instant::from_nanos(ns))).nanos(), ns);
        }
    }

    #[test]
    fn the_time_of_day_is_that_of_std() {
        let std = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let ours = Linux::new().wall();
        assert!(ours.seconds.abs_diff(i64::try_from(std.as_secs()).unwrap()) <= 1);
        assert!(ours.nanoseconds < 1_000_000_000);
    }
}

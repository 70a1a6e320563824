//! Clocks: one that never goes back, and the time of day.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A point on a host's monotonic clock, in nanoseconds from an origin that the host chooses.
/// Instants of two hosts cannot be compared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Instant(u64);

impl Instant {
    /// The instant `ns` nanoseconds after the origin.
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// Nanoseconds since the origin.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// How much later `self` is than `earlier`; zero if it is not later.
    pub const fn saturating_since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    /// Saturates at the end of time (584 years).
    fn add(self, d: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.saturating_since(earlier)
    }
}

/// The time of day: seconds and nanoseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WallTime {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds, below 1,000,000,000.
    pub nanoseconds: u32,
}

/// Clocks. Never block.
pub trait Clock {
    /// The monotonic clock, exact.
    fn now(&self) -> Instant;

    /// The same clock, at most a few milliseconds behind, for code that ages caches on a hot
    /// path. Never ahead of [`Clock::now`].
    fn coarse_now(&self) -> Instant {
        self.now()
    }

    /// The time of day.
    fn wall(&self) -> WallTime;
}

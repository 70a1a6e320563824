//! Which ports the kernel chooses for sockets that do not.
//!
//! Locking: words. Sources: RFC 6056 §3.2 (as many as may be); RFC 6335 §6 (49152 to 65535).

use core::ops::RangeInclusive;
use core::sync::atomic::{AtomicU16, Ordering};

/// Ports below this one are the superuser's.
pub(crate) const RESERVED: u16 = 1024;

/// The range of ports to choose from.
pub(crate) struct Ephemeral {
    first: AtomicU16,
    last: AtomicU16,
}

impl Ephemeral {
    /// RFC 6335's dynamic ports.
    pub(crate) const fn new() -> Self {
        Self { first: AtomicU16::new(49_152), last: AtomicU16::new(65_535) }
    }

    /// The range; never empty.
    pub(crate) fn range(&self) -> RangeInclusive<u16> {
        let (a, b) = (self.first.load(Ordering::Relaxed), self.last.load(Ordering::Relaxed));
        a.min(b)..=a.max(b)
    }

    /// Sets the first port; false if it cannot be.
    pub(crate) fn set_first(&self, port: i64) -> bool {
        set(&self.first, port)
    }

    /// Sets the last port; false if it cannot be.
    pub(crate) fn set_last(&self, port: i64) -> bool {
        set(&self.last, port)
    }
}

fn set(word: &AtomicU16, port: i64) -> bool {
    match u16::try_from(port) {
        Ok(port) if port >= RESERVED => {
            word.store(port, Ordering::Relaxed);
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_never_empty_and_never_reserved() {
        let e = Ephemeral::new();
        assert_eq!(e.range(), 49_152..=65_535);
        assert!(e.set_first(60_000) && e.set_last(50_000));
        assert_eq!(e.range(), 50_000..=60_000);
        assert!(!e.set_first(1023) && !e.set_last(65_536) && !e.set_last(-1));
    }
}

//! Waiting for what must come, on hosts with a clock of their own.
//!
//! Locking: none. Sources: none.

use std::time::{Duration, Instant};

/// How long a test waits for something that takes no time.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `there`; `what` it is, is for the reader of a failure.
///
/// # Panics
/// If it does not come.
pub fn within(what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !there() {
        assert!(Instant::now() < deadline, "{what}: not in time");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

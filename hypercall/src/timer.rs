//! One timer per kernel, tickless.

use alloc::sync::Arc;

use crate::{Guest, Instant};

/// Timers. A kernel has at most one deadline with its host, its earliest.
pub trait Timers {
    /// Replaces the deadline `old` of `guest`, if it had one, by `new`, if it wants one. At or
    /// after `new` some thread of the host calls [`Guest::timer`] once, and the guest then has no
    /// deadline. `old` may have passed already: then the up-call may come all the same. Never
    /// blocks for long. The host keeps the guest alive only while it has a deadline.
    fn rearm(&self, guest: &Arc<dyn Guest>, old: Option<Instant>, new: Option<Instant>);
}

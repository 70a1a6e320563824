//! How a parked call makes itself heard.
//!
//! Locking: none; called with a wait queue's lock held, so only flags are set here.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use base::Cx;
use base::wait::Notify;

/// What a service asks of the host's half. From any thread; neither may block, nor call back.
pub trait Wake: Send + Sync {
    /// A call of the session with this token can be made again: [`Session::resume`].
    ///
    /// [`Session::resume`]: crate::Session::resume
    fn wake(&self, session: u64);

    /// Somebody who may do so asked for the end of the kernel.
    fn halt(&self);

    /// The kernel is gone: it panicked, or was dropped. Calls that wait are never told again.
    fn gone(&self);
}

/// The notice of one request: it can be tried again.
pub(crate) struct Notice {
    wake: Arc<dyn Wake>,
    session: u64,
    rung: AtomicBool,
}

impl Notice {
    pub(crate) fn new(wake: Arc<dyn Wake>, session: u64) -> Self {
        Self { wake, session, rung: AtomicBool::new(false) }
    }

    /// Whether it was told; it is not any more.
    pub(crate) fn take(&self) -> bool {
        self.rung.swap(false, Ordering::AcqRel)
    }
}

impl Notify for Notice {
    fn notify(&self, _: &Cx<'_>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.wake.wake(self.session);
        }
    }
}

//! The user's wish to stop (SIGINT), for tools that have something to say at their end.
//!
//! * [`watch`]: from then on, the first ^C ends a call that waits, and [`came`] says so. A second
//!   one ends the program.
//!
//! Locking: none; a flag. Sources: sigaction(2).

use std::sync::atomic::{AtomicBool, Ordering};

static CAME: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: libc::c_int) {
    CAME.store(true, Ordering::Relaxed);
}

/// Begins to watch.
pub(crate) fn watch() {
    let handler: extern "C" fn(libc::c_int) = note;
    // SAFETY: all of it zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // Without SA_RESTART: a call that waits is to end.
    action.sa_flags = libc::SA_RESETHAND;
    // SAFETY: the handler only sets a flag, which it may at any time. If it fails, ^C does what
    // it does anyway.
    unsafe { libc::sigaction(libc::SIGINT, &action, std::ptr::null_mut()) };
}

/// Whether the user wants to stop.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

//! The user's wish to stop (SIGINT), for tools that have something to say at their end.
//!
//! * [`watch`]: from then on, the first ^C ends a call that waits, and [`came`] says so. A second
//!   one ends the program.
//!
//! A signal that comes between a look at [`came`] and the call that then waits would not be
//! noticed, so an alarm follows it, and another one each second.
//!
//! Locking: none; a flag. Sources: sigaction(2), alarm(2), signal-safety(7).

use std::sync::atomic::{AtomicBool, Ordering};

static CAME: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_: libc::c_int) {
    CAME.store(true, Ordering::Relaxed);
    // SAFETY: alarm takes a number, and may be called in handlers.
    unsafe { libc::alarm(1) };
}

/// Begins to watch.
pub(crate) fn watch() {
    // Without SA_RESTART: a call that waits is to end.
    handle(libc::SIGALRM, 0);
    handle(libc::SIGINT, libc::SA_RESETHAND);
}

fn handle(signal: libc::c_int, flags: libc::c_int) {
    let handler: extern "C" fn(libc::c_int) = note;
    // SAFETY: all of it zero is a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    action.sa_flags = flags;
    // SAFETY: the handler does only what one may. If this fails, ^C does what it does anyway.
    unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) };
}

/// Whether the user wants to stop.
pub(crate) fn came() -> bool {
    CAME.load(Ordering::Relaxed)
}

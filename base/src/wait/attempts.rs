//! The order in which one waits: attempt, register, attempt again, sleep, leave.
//!
//! * [`Site`] is where and as whom; [`wait_at`] is the order.
//!
//! INVARIANT: what wakes one waiter does not end with one that leaves. Whoever leaves after it was
//! in the queue either makes an attempt afterwards that takes something or finds nothing, or wakes
//! the next one.
//!
//! Locking: none here. Model-checked in `lock/loom_tests.rs`. Sources: NetBSD selrecord(9).

use super::Unslept;
use crate::Errno;

/// A queue, and one that waits in it.
pub(crate) trait Site {
    /// Arms the waiter and puts it into the queue.
    fn join(&mut self) -> Result<(), Errno>;
    /// Sleeps until the waiter is fired.
    fn sleep(&mut self) -> Result<(), Unslept>;
    /// Takes the waiter out of the queue.
    fn leave(&mut self);
    /// Wakes the next one if this waiter has been fired.
    fn hand_on(&mut self);
}

/// Makes `attempt` until it answers something else than [`Errno::WouldBlock`], or a sleep ends
/// without the event.
pub(crate) fn wait_at<S: Site, R>(
    site: &mut S,
    mut attempt: impl FnMut(&mut S) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let mut has_waited = false;
    // One that was told and then fails has taken nothing.
    let last = |site: &mut S, done: Result<R, Errno>, has_waited: bool| {
        if has_waited && done.is_err() {
            site.hand_on();
        }
        done
    };
    loop {
        match attempt(site) {
            Err(Errno::WouldBlock) => {}
            done => return last(site, done, has_waited),
        }
        site.join()?;
        has_waited = true;
        // Once more, now that nothing can happen unheard.
        let again = attempt(site);
        let slept = match again {
            Err(Errno::WouldBlock) => site.sleep(),
            _ => Ok(()),
        };
        site.leave();
        match (again, slept) {
            (Err(Errno::WouldBlock), Ok(())) => {}
            (Err(Errno::WouldBlock), Err(Unslept::TimedOut)) => {
                let done = attempt(site);
                return last(site, done, true);
            }
            (Err(Errno::WouldBlock), Err(Unslept::Interrupted)) => {
                let done = match attempt(site) {
                    Err(Errno::WouldBlock) => Err(Errno::Interrupted),
                    done => done,
                };
                return last(site, done, true);
            }
            (Err(Errno::WouldBlock), Err(e)) => return Err(e.into()),
            (done, _) => {
                site.hand_on();
                return done;
            }
        }
    }
}

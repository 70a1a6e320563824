//! The end of a kernel.
//!
//! 1. Close: nobody enters any more; sleepers are woken and answer `Gone`.
//! 2. Wait for the sleepers, then take all CPUs, which waits for whoever runs inside.
//! 3. Alone now: end the processes, run the components' ends in the opposite order of boot, drop
//!    their states, then the body.
//!
//! The CPUs stay taken for ever: a handle that is left finds the kernel closed.
//! A dead kernel is not taken apart: no destructor of it runs, and its memory is leaked.
//!
//! Locking: none held.

use hypercall::atomic::Ordering;

use super::Core;
use crate::cx::Cx;
use crate::lwp::{Ident, Lwp};
use crate::proc;
use crate::sched::enter::release_other;
use crate::sched::offcpu::outside;
use crate::sched::word::Entry;

/// Ends the kernel, now or, from inside, when the visit ends.
pub(crate) fn end(core: &Core) {
    if core.is_dead() {
        return;
    }
    core.close();
    if core.is_inside() {
        core.defer_end();
    } else {
        end_now(core);
    }
}

/// Ends a closed kernel. The calling thread is outside.
pub(crate) fn end_now(core: &Core) {
    let proof = outside();
    loop {
        core.sleepers.wake_all(&*core.host);
        core.await_sleepers(&proof);
        for i in 0..core.ncpu() {
            if core.cpu(i).word.acquire_slow(Entry::Resume, &*core.host, &proof).is_err() {
                return; // it died meanwhile
            }
        }
        if core.nobody_sleeps() {
            break;
        }
        // Somebody who was running inside went to sleep before the CPUs were ours.
        (0..core.ncpu()).for_each(|i| release_other(core, core.cpu(i)));
    }
    take_apart(core);
    if core.is_dead() {
        return;
    }
    debug_assert_eq!(core.account.used(), 0, "kernel {} left memory charged", core.name);
}

/// Ends a kernel whose boot failed; the calling thread has its CPUs.
pub(crate) fn end_boot(core: &Core) {
    if core.is_dead() {
        return;
    }
    core.close();
    if core.nobody_sleeps() {
        return take_apart(core);
    }
    // A boot hook slept, and others came in through a handle meanwhile.
    (0..core.ncpu()).for_each(|i| release_other(core, core.cpu(i)));
    end_now(core);
}

fn take_apart(core: &Core) {
    if !core.has_body() {
        return;
    }
    if let Some(init) = core.init() {
        let ident = Ident::new(init, 0, 0);
        let caught = core.host.catch(&mut || {
            let mut l = Lwp::new(Cx::new(core, core.cpu(0)), &ident);
            proc::end_all(&mut l);
            for component in l.body().components.iter().rev() {
                if let Some(fini) = component.fini {
                    fini(&mut l);
                }
            }
            l.body().slots.clear();
        });
        if caught.is_err() {
            return core.die();
        }
    }
    if core.cpu(0).owes_carry.replace(false) {
        // Files that were closed may have had something to say to other kernels.
        core.host.carry(&outside());
    }
    let armed = core.armed.swap(u64::MAX, Ordering::AcqRel);
    if armed != u64::MAX
        && let Some(guest) = core.to_guest()
    {
        core.host.rearm(&guest, Some(hypercall::Instant::from_nanos(armed)), None);
    }
    // SAFETY: this thread has all CPUs for good, and nobody sleeps inside.
    let mut body = Some(unsafe { core.take_body() });
    // What components left in it (handlers) may have destructors of their own.
    if core.host.catch(&mut || drop(body.take())).is_err() {
        core.die();
    }
}

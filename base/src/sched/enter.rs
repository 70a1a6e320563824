//! Entering and leaving a kernel, and running what is pending on the way out.
//!
//! A panic inside is stopped here (`Host::catch`): the kernel is then dead, its callers get
//! [`Gone`], and nobody takes its CPU again.
//!
//! Locking: none held on entry or exit. Sources: the book, section 3.3 (rump_schedule).

use core::time::Duration;
use hypercall::Carried;

use hypercall::atomic::Ordering;

use super::cpu::{BUDGET, Cpu};
use super::offcpu::outside;
use super::word::{Entry, Release, Shut};
use crate::cx::Cx;
use crate::kernel::Core;
use crate::lwp::{Ident, Lwp};

/// How long one visit may run interrupts, beside the budget of packets.
const VISIT_NS: u64 = 50_000;

/// How long a thread waits for one of several CPUs before it looks at the others again.
const PATIENCE_NS: u64 = 500_000;

/// How often a release looks again for what was raised meanwhile, before it leaves that to others.
const ROUNDS: u32 = 4;

/// The kernel is gone: it was dropped, is being dropped, or it panicked. Also the answer to a
/// thread that is inside the kernel already and would wait for itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

impl core::fmt::Display for Gone {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the kernel is gone: it was dropped, or it panicked")
    }
}

impl core::error::Error for Gone {}

impl From<Gone> for crate::Errno {
    fn from(_: Gone) -> Self {
        crate::Errno::NoDevice
    }
}

/// Takes a CPU, the one at `hint` if possible.
#[inline]
pub(crate) fn acquire(core: &Core, hint: u32, entry: Entry) -> Result<&Cpu, Shut> {
    let cpu = core.cpu(hint);
    if cpu.word.acquire_fast() {
        return Ok(cpu);
    }
    acquire_slow(core, hint, entry)
}

#[cold]
fn acquire_slow(core: &Core, hint: u32, entry: Entry) -> Result<&Cpu, Shut> {
    let mut asked = false;
    for turn in 0.. {
        for step in 0..core.ncpu() {
            let cpu = core.cpu((hint + step) % core.ncpu());
            if cpu.word.try_acquire(entry)? {
                return Ok(cpu);
            }
        }
        if !core::mem::replace(&mut asked, true) && entry == Entry::Fresh && core.is_inside() {
            return Err(Shut::Inside);
        }
        // Where there are several, another one may become free before this one does.
        // (Not where time is simulated: a wait with a deadline never counts as a deadlock there.)
        let several = core.ncpu() > 1 && core.host.shuffle_seed().is_none();
        let deadline = several.then(|| core.host.now() + Duration::from_nanos(PATIENCE_NS));
        let cpu = core.cpu((hint + turn) % core.ncpu());
        if cpu.word.acquire_until(entry, &*core.host, &outside(), deadline)? {
            return Ok(cpu);
        }
    }
    Err(Shut::Closed)
}

/// Runs soft interrupts and pending interrupts, then gives the CPU of `cx` back. True if the host
/// is owed a `carry`, or a `wait`.
#[inline]
pub(crate) fn release(cx: &Cx<'_>) -> bool {
    let cpu = cx.cpu();
    if cpu.soft.get() == 0 {
        let owes = cpu.owes_carry.get();
        if owes {
            cpu.owes_carry.set(false);
        }
        if cpu.word.release_fast() {
            return owes;
        }
        cpu.owes_carry.set(owes);
    }
    release_slow(cx)
}

#[cold]
fn release_slow(cx: &Cx<'_>) -> bool {
    let cpu = cx.cpu();
    let host = &*cx.core().host;
    let mut owes = false;
    for _ in 0..ROUNDS {
        let done = run_interrupts(cx);
        owes |= cpu.owes_carry.replace(false);
        if !done {
            break;
        }
        if cpu.word.release(host) == Release::Free {
            return owes | cx.core().is_closing();
        }
    }
    // The budget is spent, or lines are raised as fast as they are run: a flood is the workers'.
    if cpu.word.release_pending(host) {
        cx.core().ask_for_visit();
    }
    owes | cx.core().is_closing()
}

/// Runs raised lines and scheduled soft interrupts until there are none; false when the budget
/// ran out first.
fn run_interrupts(cx: &Cx<'_>) -> bool {
    let cpu = cx.cpu();
    if cpu.in_interrupt.replace(true) {
        // Unreachable from safe code: interrupt code has no way to release the CPU.
        return true;
    }
    // A handler may own the kernel that it runs in, and drop it.
    let visitor = cpu.visitor.load(Ordering::Relaxed);
    cpu.visitor.store(cx.core().host.current(), Ordering::Relaxed);
    cpu.budget.set(BUDGET);
    let (mut rounds, mut started) = (0, None);
    let done = loop {
        super::softint::run(cx);
        cpu.word.take_pending();
        let raised = cpu.take_raised();
        if raised == 0 {
            if cpu.soft.get() == 0 {
                break true;
            }
        } else {
            super::line::run(cx, raised);
        }
        if cpu.budget.get() == 0 {
            break false;
        }
        // The clock is read only for a visit that goes on: one packet costs no look at it.
        rounds += 1;
        if rounds > 1 {
            let now = cx.now();
            if now.saturating_since(*started.get_or_insert(now)).as_nanos() as u64 > VISIT_NS {
                break false;
            }
        }
    };
    cpu.visitor.store(visitor, Ordering::Relaxed);
    cpu.in_interrupt.set(false);
    done
}

/// The host's visit: runs what is pending if a CPU can be had.
pub(crate) fn visit(core: &Core) -> Carried {
    let mut again = false;
    for index in 0..core.ncpu() {
        let cpu = core.cpu(index);
        if !cpu.word.acquire_for_interrupt() {
            continue;
        }
        let caught = core.host.catch(&mut || {
            let cx = Cx::new(core, cpu);
            let done = run_interrupts(&cx);
            // What was raised from here is carried by the visitor: it owes nothing.
            cpu.owes_carry.set(false);
            let free = done && cpu.word.release(&*core.host) == Release::Free;
            again |= !free && cpu.word.release_pending(&*core.host);
        });
        if caught.is_err() {
            core.die();
        }
    }
    if end_deferred(core) {
        return Carried::Done;
    }
    if again { Carried::Again } else { Carried::Done }
}

/// Gives back a CPU that this thread has beside its own, and runs nothing on it.
pub(crate) fn release_other(core: &Core, cpu: &Cpu) {
    if !cpu.word.release_fast() && cpu.word.release_pending(&*core.host) {
        core.ask_for_visit();
    }
}

/// Runs `f`, which may be the user's code, inside the kernel, as the thread `ident`.
#[inline]
pub(crate) fn enter<R>(
    core: &Core,
    ident: &Ident,
    f: impl for<'k> FnOnce(&mut Lwp<'k>) -> R,
) -> Result<R, Gone> {
    let me = core.host.current();
    let result = enter_kernel(core, ident, |l| {
        // So that a drop of the kernel by `f` does not wait for `f`.
        l.cpu().visitor.store(me, Ordering::Relaxed);
        let r = f(l);
        l.cpu().visitor.store(0, Ordering::Relaxed);
        r
    });
    end_deferred(core);
    result
}

/// Ends the kernel if that was asked for from inside; true if so. With several CPUs this visit may
/// be inside another one of the same thread: then that one sees to it, when it ends.
#[inline]
fn end_deferred(core: &Core) -> bool {
    if !core.take_deferred() {
        return false;
    }
    if core.is_inside() {
        core.defer_end();
    } else {
        crate::kernel::end_now(core);
    }
    true
}

/// Runs `f`, which is kernel code, inside the kernel, as the thread `ident`.
#[inline]
pub(crate) fn enter_kernel<R>(
    core: &Core,
    ident: &Ident,
    f: impl for<'k> FnOnce(&mut Lwp<'k>) -> R,
) -> Result<R, Gone> {
    let mut f = Some(f);
    let mut result = None;
    visit_as(core, ident, |l| result = f.take().map(|f| f(l)))?;
    result.ok_or(Gone)
}

/// The same for one system call, whose result is a register's worth.
#[inline]
pub(crate) fn enter_syscall(
    core: &Core,
    ident: &Ident,
    number: u32,
    args: &[u64; 6],
    memory: &mut dyn crate::syscall::SysMemory,
) -> Result<u64, Gone> {
    let mut word = 0;
    let result = &mut word;
    visit_as(core, ident, move |l| *result = crate::syscall::call(l, number, args, memory))?;
    Ok(word)
}

/// What a visit needs on the way in and out, in one place: whatever is stored between taking the
/// CPU and giving it back must have reached the cache before the CPU can be given back, so each
/// store here is paid for in every system call.
struct Visit<'k, F> {
    l: Lwp<'k>,
    f: F,
    left: Left,
}

/// How a visit has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// It has not.
    NotYet,
    /// The CPU was given back, and the host is owed nothing.
    Even,
    /// The CPU was given back, and the host is owed a `carry`.
    Owing,
}

#[inline]
fn visit_as<'c, F>(core: &'c Core, ident: &'c Ident, f: F) -> Result<(), Gone>
where
    F: for<'k> FnMut(&mut Lwp<'k>),
{
    let cpu = acquire(core, ident.last_cpu.get(), Entry::Fresh).map_err(|_| Gone)?;
    if cpu.index != ident.last_cpu.get() {
        ident.last_cpu.set(cpu.index);
    }
    let mut visit = Visit { l: Lwp::new(Cx::new(core, cpu), ident), f, left: Left::NotYet };
    let caught = core.host.catch(&mut || {
        // A host that ran this twice would give back a CPU that it does not have.
        if visit.left == Left::NotYet {
            (visit.f)(&mut visit.l);
            visit.left = if release(&visit.l) { Left::Owing } else { Left::Even };
        }
    });
    if caught.is_err() || visit.left == Left::NotYet {
        return Err(left_by_panic(core));
    }
    if visit.left == Left::Owing {
        core.host.carry(&outside());
        end_deferred(core);
    }
    Ok(())
}

/// The closure did not return: either the kernel died while this thread slept in it, or this
/// thread's own panic kills it now. In both cases the thread has no CPU to give back: that of a
/// dead kernel stays taken.
#[cold]
fn left_by_panic(core: &Core) -> Gone {
    core.die();
    Gone
}

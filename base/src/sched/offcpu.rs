//! Blocking: the CPU is given back for as long as a thread waits.
//!
//! The only maker of [`Offcpu`] proofs, with the entry beside it. A context is taken mutably, so
//! that nothing borrowed from the CPU lives across the wait.
//!
//! Locking: interrupt mutexes cannot be held here (their guards borrow the context).

use hypercall::Offcpu;
use hypercall::atomic::Ordering;

use super::cpu::Cpu;
use super::enter::{Gone, acquire, release};
use super::word::{Entry, Shut};
use crate::lwp::Lwp;

/// The proof for code of this crate that is outside of every kernel: before boot has made one,
/// after a visit, at the end.
pub(crate) const fn outside() -> Offcpu {
    Offcpu::scheduler_only()
}

impl Lwp<'_> {
    /// Gives the CPU back, runs `block`, and takes a CPU again, not always the same one. `block` must
    /// not drop this kernel: it would wait for itself.
    ///
    /// [`Gone`] when the kernel is being dropped: the caller should leave without delay. A thread
    /// that sleeps in a kernel that dies does not come back from here: it is unwound to where it
    /// entered.
    pub fn offcpu<R>(&mut self, block: impl FnOnce(&Offcpu) -> R) -> (R, Result<(), Gone>) {
        let core = self.core();
        let visitor = self.cpu().visitor.swap(0, Ordering::Relaxed);
        core.sleeper_enters();
        // Interrupts that run on the way out are not this thread's.
        let account = self.set_account(&core.account);
        let owes = release(self);
        let mut away = Away { l: self, visitor, owes };
        let r = block(&Offcpu::scheduler_only());
        let back = away.come_back();
        core::mem::forget(away);
        self.set_account(account);
        match back {
            Ok(()) => (r, if core.is_closing() { Err(Gone) } else { Ok(()) }),
            Err(_) => core.host.abandon(),
        }
    }
}

/// A thread that has given its CPU back. Dropped by a panic of `block`: who then unwinds, or stops
/// that, still has a context, and so must have a CPU.
struct Away<'a, 'k> {
    l: &'a mut Lwp<'k>,
    visitor: u64,
    owes: bool,
}

impl Away<'_, '_> {
    fn come_back(&mut self) -> Result<(), Shut> {
        let core = self.l.core();
        match acquire(core, self.l.cpu().index, Entry::Resume) {
            Ok(cpu) => {
                cpu.visitor.store(self.visitor, Ordering::Relaxed);
                // SAFETY: this thread has just taken `cpu`, a CPU of this context's kernel.
                unsafe { self.l.set_cpu(cpu) };
                core.sleeper_leaves();
                if self.owes {
                    // `block` may not have waited, so what was raised may still be uncarried.
                    cpu.owes_carry.set(true);
                }
                Ok(())
            }
            Err(shut) => {
                // SAFETY: nobody else has the CPU of nobody, which was made for this thread.
                unsafe { self.l.set_cpu(Cpu::nobodys()) };
                Err(shut)
            }
        }
    }
}

impl Drop for Away<'_, '_> {
    fn drop(&mut self) {
        // Where there is none to be had, the unwinding goes on without.
        let _ = self.come_back();
    }
}

//! Threads inside a kernel: bound and implicit.
//!
//! * [`Lwp`]: the context of a thread that is inside; see [`mod@crate::cx`].
//! * [`BoundLwp`]: an lwp that a host thread asked for and enters with: the fast way.
//! * `Kernel::enter`: an implicit thread, with a temporary context in the init process, so that
//!   descriptors persist between calls.
//!
//! Locking: an `Ident` belongs to one host thread at a time.
//! Sources: the book, section 2.3 (implicit and bound threads); rump_lwproc(3).

mod bound;

use alloc::sync::Arc;
use core::cell::{Cell, OnceCell};
use core::ops::Deref;
use core::ptr::NonNull;

pub use bound::{BoundLwp, Rfork};

use crate::Errno;
use crate::cx::Cx;
use crate::file::Request;
use crate::lock::Rank;
use crate::proc::{self, Proc};
use crate::sched::cpu::Cpu;
use crate::vm::{Account, KBox};
use crate::wait::Waiter;

/// Identifies an lwp within its kernel.
pub type Lid = u32;

/// What a thread is, between and during its visits.
pub(crate) struct Ident {
    /// INVARIANT: valid while the kernel's body is, because a process is freed only after its
    /// last lwp was released, and the init process with the body.
    pub(crate) proc: NonNull<Proc>,
    pub(crate) lid: Lid,
    pub(crate) last_cpu: Cell<u32>,
    /// Made at the first sleep.
    pub(crate) waiter: OnceCell<Arc<Waiter>>,
    /// An interruption came while a lock was waited for; it ends the next sleep.
    interrupted: Cell<bool>,
    /// The request in whose name a visit makes an attempt.
    request: Cell<Option<KBox<Request>>>,
}

// SAFETY: an `Ident` is used by one thread at a time (no `Sync`); the process that it points to
// is `Sync`.
unsafe impl Send for Ident {}

impl Ident {
    pub(crate) fn new(proc: NonNull<Proc>, lid: Lid, cpu: u32) -> Self {
        Self {
            proc,
            lid,
            last_cpu: Cell::new(cpu),
            waiter: OnceCell::new(),
            interrupted: Cell::new(false),
            request: Cell::new(None),
        }
    }
}

/// The context of a thread: a [`Cx`] that may sleep, with a process and credentials.
pub struct Lwp<'k> {
    cx: Cx<'k>,
    ident: &'k Ident,
    /// Ranks of the locks held that may be held across a sleep.
    #[cfg(debug_assertions)]
    held: u64,
}

impl<'k> Lwp<'k> {
    #[inline]
    pub(crate) fn new(cx: Cx<'k>, ident: &'k Ident) -> Self {
        Self {
            cx,
            ident,
            #[cfg(debug_assertions)]
            held: 0,
        }
    }

    /// # Safety
    /// As for [`Cx::set_cpu`].
    pub(crate) unsafe fn set_cpu(&mut self, cpu: &Cpu) {
        self.ident.last_cpu.set(cpu.index);
        // SAFETY: by the caller's promise.
        unsafe { self.cx.set_cpu(cpu) }
    }

    /// Runs `f` in a context that charges `account`, a part of this kernel's, for new memory. What
    /// runs on this thread meanwhile and is not its own (interrupts) charges the kernel's.
    pub fn charged_to<R>(
        &mut self,
        account: &'k Arc<Account>,
        f: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let before = self.cx.set_account(account);
        let result = f(self);
        self.cx.set_account(before);
        result
    }

    /// As [`Cx::set_account`].
    pub(crate) fn set_account(&mut self, account: &'k Arc<Account>) -> &'k Arc<Account> {
        self.cx.set_account(account)
    }

    /// A new process with one lwp, a child of this one's; charged as this thread is.
    pub fn rfork(&mut self, how: Rfork) -> Result<BoundLwp, Errno> {
        let core = self.core().weak().upgrade().ok_or(Errno::NoDevice)?;
        proc::rfork(self, &core, how)
    }

    /// The process.
    #[inline]
    pub fn proc(&self) -> &'k Proc {
        // SAFETY: by the invariant of `Ident`; this thread is inside, so the body is there.
        unsafe { self.ident.proc.as_ref() }
    }

    /// This thread's number in its kernel; 0 for an implicit one.
    pub fn lid(&self) -> Lid {
        self.ident.lid
    }

    /// A lock of `rank` is about to be taken: in debug builds, panics if the order is wrong.
    #[track_caller]
    pub(crate) fn note_locked(&mut self, rank: Rank) {
        #[cfg(debug_assertions)]
        {
            crate::lock::rank::check(self.held, rank);
            self.held |= rank.bit();
        }
        let _ = rank;
    }

    pub(crate) fn note_unlocked(&mut self, rank: Rank) {
        #[cfg(debug_assertions)]
        {
            self.held &= !rank.bit();
        }
        let _ = rank;
    }

    pub(crate) fn mark_interrupted(&mut self) {
        self.ident.interrupted.set(true);
    }

    pub(crate) fn take_interrupted(&mut self) -> bool {
        self.ident.interrupted.take()
    }

    /// The request in whose name this thread makes an attempt.
    pub(crate) fn request(&self) -> &'k Cell<Option<KBox<Request>>> {
        &self.ident.request
    }

    /// The object on which this thread sleeps.
    pub(crate) fn waiter(&self) -> &'k Arc<Waiter> {
        #[allow(clippy::disallowed_methods)] // a word, freed with the thread; not kernel memory
        self.ident.waiter.get_or_init(|| Arc::new(Waiter::new()))
    }
}

impl<'k> Deref for Lwp<'k> {
    type Target = Cx<'k>;
    #[inline]
    fn deref(&self) -> &Cx<'k> {
        &self.cx
    }
}

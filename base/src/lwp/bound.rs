//! Bound threads and the rfork family.
//!
//! | rump_lwproc(3) | here |
//! |---|---|
//! | `rump_pub_lwproc_rfork(flags)` | [`BoundLwp::rfork`], `Kernel::rfork` (from init) |
//! | `rump_pub_lwproc_newlwp(pid)` | `Kernel::newlwp` |
//! | `rump_pub_lwproc_switch(l)` | use another `BoundLwp` |
//! | `rump_pub_lwproc_releaselwp()` | drop it |
//!
//! Locking: `Rank::Procs` inside. Sources: rump_lwproc(3).

use alloc::sync::Arc;

use super::{Ident, Lid, Lwp};
use crate::kernel::Core;
use crate::proc::{self, Pid};
use crate::sched::enter;
use crate::syscall::{self, SysMemory};
use crate::{Errno, Gone};

/// What a new process has of its parent's descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rfork {
    /// The same table (flags 0).
    ShareFds,
    /// A copy (RUMP_RFFDG).
    CopyFds,
    /// None (RUMP_RFCFDG).
    ClearFds,
}

/// An lwp that its holder enters the kernel with. Dropping it releases the lwp, and with its last
/// lwp the process.
///
/// It is a handle: it does not keep the kernel alive, and answers [`Gone`] afterwards. One thread
/// at a time uses it, as the types demand.
pub struct BoundLwp {
    core: Arc<Core>,
    ident: Ident,
    pid: Pid,
}

impl BoundLwp {
    pub(crate) fn new(core: Arc<Core>, ident: Ident, pid: Pid) -> Self {
        Self { core, ident, pid }
    }

    /// Enters the kernel and runs `f` there.
    ///
    /// A panic of `f` kills this kernel, and only it.
    #[inline]
    pub fn enter<R>(&mut self, f: impl for<'k> FnOnce(&mut Lwp<'k>) -> R) -> Result<R, Gone> {
        enter::enter(&self.core, &self.ident, f)
    }

    /// Makes system call `number` (Linux's, x86-64) with its six arguments; `memory` is where
    /// pointers among them point to.
    #[inline]
    pub fn syscall(
        &mut self,
        number: u32,
        args: &[u64; 6],
        memory: &mut dyn SysMemory,
    ) -> Result<u64, Errno> {
        let word = enter::enter_syscall(&self.core, &self.ident, number, args, memory);
        syscall::decode(word?)
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The thread's number in its kernel.
    pub fn lid(&self) -> Lid {
        self.ident.lid
    }

    /// A new process with one lwp, a child of this one's.
    pub fn rfork(&mut self, how: Rfork) -> Result<BoundLwp, Errno> {
        let core = self.core.clone();
        self.enter(|l| proc::rfork(l, &core, how))?
    }

    /// A handle with which another thread can interrupt a sleep of this one: the sleeping call
    /// then answers EINTR.
    pub fn interrupter(&mut self) -> Result<Interrupter, Gone> {
        let waiter = self.enter(|l| l.waiter().clone())?;
        Ok(Interrupter { core: self.core.clone(), waiter })
    }
}

impl Drop for BoundLwp {
    fn drop(&mut self) {
        // After the kernel's end there is nothing to release: its processes went with it.
        let _ = enter::enter(&self.core, &self.ident, proc::release_lwp);
    }
}

/// Interrupts the sleeps of one [`BoundLwp`], from any thread.
#[derive(Clone)]
pub struct Interrupter {
    core: Arc<Core>,
    waiter: Arc<crate::wait::Waiter>,
}

impl Interrupter {
    /// Ends the present sleep, or else the next one.
    pub fn interrupt(&self) {
        self.waiter.interrupt(&*self.core.host);
    }
}

//! A kernel is a value.
//!
//! * [`Kernel`]: the sole owner. Boot it, enter it, drop it.
//! * [`Handle`]: weak, for whoever keeps something of a kernel; answers [`Gone`] after its end.
//!
//! `core` is the shell that handles keep alive (CPUs, account, sleepers); `body` is all that
//! components build up in it, and goes when the kernel is dropped; `boot` and `teardown` make and
//! end the body; `guest` is how the host visits.
//!
//! Locking: none here. Sources: the book, sections 2.3 and 3.8.3.

mod body;
mod boot;
mod core;
mod end;
mod guest;
mod teardown;

use alloc::sync::{Arc, Weak};

pub(crate) use body::Body;
pub use boot::{BootError, MAX_CPUS, Options};
pub(crate) use core::Core;
pub use end::AtEnd;
pub(crate) use teardown::end_now;

use crate::lwp::{BoundLwp, Ident, Lwp, Rfork};
use crate::proc::{self, Pid};
use crate::sched::enter;
use crate::vm::Account;
use crate::{Cx, Errno, Gone, Host, Spec};

/// A kernel. Dropping it ends it: sleepers in it are woken and answer [`Gone`], whoever runs
/// inside is waited for, its descriptors are closed, and every byte charged to it is given back.
/// Dropped from inside one of its own visits, it ends when that visit does.
pub struct Kernel {
    core: Arc<Core>,
}

impl Kernel {
    /// Boots a kernel of all components of `spec` with default options.
    pub fn boot(host: Arc<dyn Host>, spec: &'static Spec) -> Result<Kernel, BootError> {
        Self::boot_with(host, spec, &Options::default())
    }

    /// Boots a kernel with options.
    pub fn boot_with(
        host: Arc<dyn Host>,
        spec: &'static Spec,
        options: &Options<'_>,
    ) -> Result<Kernel, BootError> {
        boot::boot(host, spec, options).map(|core| Kernel { core })
    }

    /// Enters as an implicit thread and runs `f`. A panic of `f` kills this kernel, and only it.
    pub fn enter<R>(&self, f: impl for<'k> FnOnce(&mut Lwp<'k>) -> R) -> Result<R, Gone> {
        self.handle().enter(f)
    }

    /// A bound thread in the init process.
    pub fn bind(&self) -> Result<BoundLwp, Errno> {
        self.newlwp(proc::INIT)
    }

    /// A bound thread in process `pid`; `NoProcess` if there is none.
    pub fn newlwp(&self, pid: Pid) -> Result<BoundLwp, Errno> {
        self.handle().enter(|l| proc::newlwp(l, &self.core, pid))?
    }

    /// A new process, child of init, with one bound thread.
    pub fn rfork(&self, how: Rfork) -> Result<BoundLwp, Errno> {
        self.handle().rfork(how)
    }

    /// A weak handle.
    pub fn handle(&self) -> Handle {
        Handle { core: Arc::downgrade(&self.core) }
    }

    /// The kernel's name.
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The host that it runs on.
    pub fn host(&self) -> &Arc<dyn Host> {
        &self.core.host
    }

    /// The memory account.
    pub fn account(&self) -> &Arc<Account> {
        &self.core.account
    }

    /// Whether the kernel panicked. Nobody can enter it; its memory is not given back.
    pub fn is_dead(&self) -> bool {
        self.core.is_dead()
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        teardown::end(&self.core);
    }
}

/// A weak handle on a kernel.
#[derive(Clone)]
pub struct Handle {
    core: Weak<Core>,
}

impl Handle {
    pub(crate) fn new(core: &Core) -> Self {
        Self { core: core.weak().clone() }
    }

    /// Whether this is a handle on the kernel of `cx`.
    pub(crate) fn is_of(&self, cx: &Cx<'_>) -> bool {
        self.core.as_ptr() as usize == cx.kernel_id()
    }

    /// Enters as an implicit thread and runs `f`.
    pub fn enter<R>(&self, f: impl for<'k> FnOnce(&mut Lwp<'k>) -> R) -> Result<R, Gone> {
        let core = self.core.upgrade().ok_or(Gone)?;
        let init = core.init().ok_or(Gone)?;
        enter::enter(&core, &Ident::new(init, 0, 0), f)
    }

    /// Has `who` told when the kernel is gone; `Gone` if it is already.
    pub fn at_end(&self, who: Weak<dyn AtEnd>) -> Result<(), Gone> {
        let core = self.core.upgrade().ok_or(Gone)?;
        core.at_ends.add(who);
        // It may have ended in between, and then told nobody or this one.
        if core.is_over() { Err(Gone) } else { Ok(()) }
    }

    /// A new process, child of init, with one bound thread.
    pub fn rfork(&self, how: Rfork) -> Result<BoundLwp, Errno> {
        let core = self.core.upgrade().ok_or(Gone)?;
        self.enter(|l| proc::rfork(l, &core, how))?
    }

    /// A bound thread in the init process.
    pub fn bind(&self) -> Result<BoundLwp, Errno> {
        let core = self.core.upgrade().ok_or(Gone)?;
        self.enter(|l| proc::newlwp(l, &core, proc::INIT))?
    }
}

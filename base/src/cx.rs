//! The context: how code knows in which kernel it is.
//!
//! Every kernel function takes one, explicitly; nothing is looked up in thread-local storage.
//!
//! * `cx: &Cx` is what interrupts, soft interrupts and timers have, and all that code needs which
//!   does not sleep. Having one tells you: this thread has a virtual CPU of the kernel; the
//!   kernel is alive and stays so; until `cx` is gone nobody else runs on this CPU.
//! * `l: &mut Lwp` is a thread's: it is a `Cx` too (it derefs to one), has a process and
//!   credentials, and may sleep. Sleeping takes it mutably, so nothing that is borrowed from the
//!   CPU (a guard of an interrupt mutex, for example) can live across a sleep.
//!
//! A context does not leave its thread, nor the closure that it was made for: the lifetime `'k`
//! is that of the visit.
//!
//! Locking: none. Sources: NetBSD `curlwp`, `curcpu()`, passed instead of looked up.

use alloc::sync::Arc;
use core::cell::Cell;
use core::marker::PhantomData;

use hypercall::{Host, Instant};

use crate::component::Component;
use crate::kernel::{Body, Core};
use crate::sched::cpu::Cpu;
use crate::vm::{Account, Charge, NoMemory};
use crate::{Handle, Slot};

/// A context that does not sleep; see the module.
pub struct Cx<'k> {
    core: &'k Core,
    cpu: &'k Cpu,
    /// What is charged for new memory.
    account: &'k Arc<Account>,
    /// Not `Send`, not `Sync`, and `'k` neither grows nor shrinks.
    _mark: PhantomData<(*mut (), Cell<&'k ()>)>,
}

impl<'k> Cx<'k> {
    /// For whoever has just taken `cpu`.
    #[inline]
    pub(crate) fn new(core: &'k Core, cpu: &'k Cpu) -> Self {
        Self { core, cpu, account: &core.account, _mark: PhantomData }
    }

    /// Charges another account from now on; answers the one before.
    pub(crate) fn set_account(&mut self, account: &'k Arc<Account>) -> &'k Arc<Account> {
        core::mem::replace(&mut self.account, account)
    }

    /// Runs `f` in a context that charges `account`, a part of this kernel's or the whole, for new
    /// memory.
    pub fn charged_to<R>(&self, account: &Arc<Account>, f: impl for<'c> FnOnce(&Cx<'c>) -> R) -> R {
        f(&Cx { core: self.core, cpu: self.cpu, account, _mark: PhantomData })
    }

    /// After a sleep: the CPU may be another one.
    ///
    /// # Safety
    /// The calling thread has `cpu`, which is one of this kernel, or that of nobody.
    pub(crate) unsafe fn set_cpu(&mut self, cpu: &Cpu) {
        // SAFETY: CPUs live as long as their kernel's shell, which `'k` does not outlive.
        self.cpu = unsafe { &*core::ptr::from_ref(cpu) };
    }

    #[inline]
    pub(crate) fn core(&self) -> &'k Core {
        self.core
    }

    #[inline]
    pub(crate) fn cpu(&self) -> &'k Cpu {
        self.cpu
    }

    #[inline]
    pub(crate) fn body(&self) -> &'k Body {
        // SAFETY: this thread has a CPU, so the body is there (`Core::body`), and the kernel is
        // not taken apart before the visit `'k` has ended.
        unsafe { self.core.body() }
    }

    /// Identifies the kernel among those alive in this process.
    #[inline]
    pub fn kernel_id(&self) -> usize {
        self.cpu.kernel
    }

    /// The kernel's name.
    pub fn kernel_name(&self) -> &'k str {
        &self.core.name
    }

    /// A weak handle on the kernel.
    pub fn handle(&self) -> Handle {
        Handle::new(self.core)
    }

    /// The kernel's host.
    #[inline]
    pub fn host(&self) -> &'k dyn Host {
        &*self.core.host
    }

    /// The number of this virtual CPU.
    pub fn cpu_index(&self) -> u32 {
        self.cpu.index
    }

    /// Whether this is the kernel's only virtual CPU: then nobody else runs inside.
    #[inline]
    pub(crate) fn is_alone(&self) -> bool {
        self.core.ncpu() == 1
    }

    /// How many virtual CPUs the kernel has.
    pub fn ncpu(&self) -> u32 {
        self.core.ncpu()
    }

    /// Whether the component called `name` is part of this kernel.
    pub fn has_component(&self, name: &str) -> bool {
        self.components().has(name)
    }

    /// The components of this kernel.
    pub fn components(&self) -> Components<'k> {
        Components(&self.body().components)
    }

    /// The state that a component put into `slot` at boot.
    ///
    /// # Panics
    /// If the component is not part of this kernel: its own functions only run where it is.
    #[inline]
    pub fn get<T: Send + Sync>(&self, slot: &Slot<T>) -> &'k T {
        match self.try_get(slot) {
            Some(t) => t,
            None => panic!("component state `{}` is not in kernel {}", slot.name(), self.core.name),
        }
    }

    /// The state in `slot`, if its component is part of this kernel.
    #[inline]
    pub fn try_get<T: Send + Sync>(&self, slot: &Slot<T>) -> Option<&'k T> {
        self.body().slots.get(slot)
    }

    /// The account that is charged for new memory: the kernel's, or a part of it
    /// ([`Lwp::charged_to`](crate::Lwp::charged_to)).
    #[inline]
    pub fn account(&self) -> &'k Arc<Account> {
        self.account
    }

    /// The kernel's account.
    pub fn whole_account(&self) -> &'k Arc<Account> {
        &self.core.account
    }

    /// Charges `bytes` to the account; over the kernel's limit, caches are asked to give some
    /// memory back first. (Not for who has a part only: the caches are for all.)
    #[inline]
    pub fn charge(&self, bytes: usize) -> Result<Charge, NoMemory> {
        Charge::new(self.account(), bytes).or_else(|_| self.charge_after_reclaim(bytes))
    }

    #[cold]
    fn charge_after_reclaim(&self, bytes: usize) -> Result<Charge, NoMemory> {
        if self.account.is_part() {
            return Err(NoMemory);
        }
        while crate::vm::reclaim::reclaim(self, bytes) {
            if let Ok(charge) = Charge::new(self.account(), bytes) {
                return Ok(charge);
            }
        }
        Err(NoMemory)
    }

    /// The monotonic clock.
    #[inline]
    pub fn now(&self) -> Instant {
        self.core.host.now()
    }

    /// The monotonic clock, cheaper and a few milliseconds behind.
    #[inline]
    pub fn coarse_now(&self) -> Instant {
        self.core.host.coarse_now()
    }

    /// Counts one unit of an interrupt's work (a packet); false when the handler should stop,
    /// after raising its line again for what is left.
    #[inline]
    pub fn spend(&self) -> bool {
        let left = self.cpu.budget.get().saturating_sub(1);
        self.cpu.budget.set(left);
        left != 0
    }
}

/// A kernel's components.
#[derive(Clone, Copy)]
pub struct Components<'k>(&'k [&'static Component]);

impl Components<'_> {
    /// Whether there is one called `name`.
    pub fn has(self, name: &str) -> bool {
        self.0.iter().any(|c| c.name == name)
    }

    /// Their names, each after those it needs.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|c| c.name)
    }
}

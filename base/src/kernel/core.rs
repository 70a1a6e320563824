//! The shell of a kernel: what its handles keep alive.
//!
//! INVARIANT: the body is there from the moment that boot wrote it until teardown takes it, and
//! teardown has all CPUs and no sleepers. So whoever has a CPU may use it.
//!
//! Locking: CPUs by their state words; `sleepers` and `at_ends` by short spin locks (never held across a call
//! that blocks); the rest is set at boot.

use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::ptr::NonNull;

use hypercall::atomic::{AtomicU32, AtomicU64, Ordering};
use hypercall::{Guest, Host, Offcpu};
use slab::Slab;

use super::Body;
use super::end::AtEnds;
use crate::proc::Proc;
use crate::sched::cpu::Cpu;
use crate::vm::Account;
use crate::wait::Waiter;

const CLOSING: u32 = 1;
const DEAD: u32 = 2;
const DEFERRED: u32 = 4;
const HAS_BODY: u32 = 8;

/// In `asleep`: those that are counted will not come back, for the kernel is dead.
const NEVER: u32 = 1 << 31;

/// The shell of a kernel.
pub(crate) struct Core {
    first_cpu: Cpu,
    more_cpus: Box<[Cpu]>,
    me: Weak<Core>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) account: Arc<Account>,
    pub(crate) name: Box<str>,
    body: UnsafeCell<MaybeUninit<Body>>,
    /// The init process; null until boot has made it.
    init: hypercall::atomic::AtomicPtr<Proc>,
    state: AtomicU32,
    /// Threads that have given up their CPU and will come back; what teardown waits on.
    asleep: AtomicU32,
    pub(crate) sleepers: Sleepers,
    pub(crate) at_ends: AtEnds,
    /// The deadline that the host has for this kernel; see `callout`.
    pub(crate) armed: AtomicU64,
}

// SAFETY: the body is reached only by threads that have a CPU (`body`), and its parts are shared
// between CPUs only through locks that refuse another kernel's context.
unsafe impl Send for Core {}
// SAFETY: as above.
unsafe impl Sync for Core {}

impl Core {
    /// A shell without a body, whose CPUs its maker has.
    #[allow(clippy::disallowed_methods)] // charged when the body is made
    pub(crate) fn new(
        host: Arc<dyn Host>,
        account: Arc<Account>,
        name: Box<str>,
        ncpu: u32,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            first_cpu: Cpu::new_busy(0, me.as_ptr() as usize),
            more_cpus: (1..ncpu).map(|i| Cpu::new_busy(i, me.as_ptr() as usize)).collect(),
            host,
            account,
            name,
            body: UnsafeCell::new(MaybeUninit::uninit()),
            init: hypercall::atomic::AtomicPtr::new(core::ptr::null_mut()),
            state: AtomicU32::new(0),
            asleep: AtomicU32::new(0),
            sleepers: Sleepers(spin::Mutex::new(Slab::new())),
            at_ends: AtEnds::default(),
            armed: AtomicU64::new(u64::MAX),
        })
    }

    /// How many virtual CPUs there are.
    #[inline]
    pub(crate) fn ncpu(&self) -> u32 {
        self.more_cpus.len() as u32 + 1
    }

    /// CPU `index`; the first one if there is no such.
    #[inline]
    pub(crate) fn cpu(&self, index: u32) -> &Cpu {
        match index {
            0 => &self.first_cpu,
            i => self.more_cpus.get(i as usize - 1).unwrap_or(&self.first_cpu),
        }
    }

    /// What components built up.
    ///
    /// # Safety
    /// The calling thread has a CPU of this kernel, and boot has written the body. The reference
    /// may be used until the thread's visit ends, sleeps included.
    #[inline]
    pub(crate) unsafe fn body(&self) -> &Body {
        // SAFETY: by the type's invariant.
        unsafe { (*self.body.get()).assume_init_ref() }
    }

    /// Boot writes the body.
    ///
    /// # Safety
    /// The caller has all CPUs, and there is no body yet.
    pub(crate) unsafe fn write_body(&self, body: Body) {
        // SAFETY: nobody else can reach it, by the caller's promise.
        unsafe { (*self.body.get()).write(body) };
        self.state.fetch_or(HAS_BODY, Ordering::Release);
    }

    /// Whether boot came as far as to write the body, and teardown has not taken it.
    pub(crate) fn has_body(&self) -> bool {
        self.state.load(Ordering::Acquire) & HAS_BODY != 0
    }

    /// Teardown takes the body.
    ///
    /// # Safety
    /// The caller has all CPUs for good, nobody sleeps inside, and the body is there.
    pub(crate) unsafe fn take_body(&self) -> Body {
        self.state.fetch_and(!HAS_BODY, Ordering::AcqRel);
        // SAFETY: by the caller's promise nobody uses it any more.
        unsafe { (*self.body.get()).assume_init_read() }
    }

    /// A weak reference to this shell.
    pub(crate) fn weak(&self) -> &Weak<Core> {
        &self.me
    }

    /// Has the host visit this kernel.
    pub(crate) fn ask_for_visit(&self) {
        if let Some(me) = self.me.upgrade() {
            self.host.raise(me);
        }
    }

    /// This kernel as its host sees it.
    pub(crate) fn to_guest(&self) -> Option<Arc<dyn Guest>> {
        self.me.upgrade().map(|me| me as Arc<dyn Guest>)
    }

    pub(crate) fn init(&self) -> Option<NonNull<Proc>> {
        NonNull::new(self.init.load(Ordering::Acquire))
    }

    pub(crate) fn set_init(&self, init: NonNull<Proc>) {
        self.init.store(init.as_ptr(), Ordering::Release);
    }

    /// Whether the kernel is being dropped, or is dead.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.load(Ordering::Acquire) & (CLOSING | DEAD) != 0
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.state.load(Ordering::Acquire) & DEAD != 0
    }

    /// Whether it is dead or about to end.
    pub(crate) fn is_over(&self) -> bool {
        self.state.load(Ordering::Acquire) & (DEAD | CLOSING) != 0
    }

    /// Nobody enters any more.
    pub(crate) fn close(&self) {
        self.state.fetch_or(CLOSING, Ordering::AcqRel);
        for i in 0..self.ncpu() {
            self.cpu(i).word.close(&*self.host);
        }
        self.at_ends.tell();
    }

    /// The kernel panicked: nobody enters, and those that sleep inside are sent away. The caller's
    /// CPU, if it has one, stays taken.
    #[cold]
    pub(crate) fn die(&self) {
        if self.state.fetch_or(DEAD, Ordering::AcqRel) & DEAD != 0 {
            return;
        }
        for i in 0..self.ncpu() {
            self.cpu(i).word.kill(&*self.host);
        }
        self.sleepers.wake_all(&*self.host);
        self.asleep.fetch_or(NEVER, Ordering::AcqRel);
        self.host.wake(&self.asleep, u32::MAX);
        self.at_ends.tell();
        log::error!(kernel = &*self.name, leaked = self.account.used(); "kernel panicked; it is dead");
    }

    /// The end was asked for from inside: whoever leaves last in this thread sees to it.
    pub(crate) fn defer_end(&self) {
        self.state.fetch_or(DEFERRED, Ordering::AcqRel);
    }

    /// Whether the end is owed; true once only.
    pub(crate) fn take_deferred(&self) -> bool {
        self.state.load(Ordering::Relaxed) & DEFERRED != 0
            && self.state.fetch_and(!DEFERRED, Ordering::AcqRel) & DEFERRED != 0
    }

    /// Whether the calling thread is inside this kernel.
    pub(crate) fn is_inside(&self) -> bool {
        let me = self.host.current();
        (0..self.ncpu()).any(|i| self.cpu(i).visitor.load(Ordering::Relaxed) == me)
    }

    /// A thread is about to give up its CPU and will come back.
    pub(crate) fn sleeper_enters(&self) {
        self.asleep.fetch_add(1, Ordering::AcqRel);
    }

    /// It came back.
    pub(crate) fn sleeper_leaves(&self) {
        if self.asleep.fetch_sub(1, Ordering::AcqRel) == 1 && self.is_closing() {
            self.host.wake(&self.asleep, u32::MAX);
        }
    }

    /// Whether no thread sleeps inside.
    pub(crate) fn nobody_sleeps(&self) -> bool {
        self.asleep.load(Ordering::Acquire) == 0
    }

    /// Waits until nobody sleeps inside any more, or the kernel is dead. The caller has no CPU.
    pub(crate) fn await_sleepers(&self, proof: &Offcpu) {
        loop {
            match self.asleep.load(Ordering::Acquire) {
                0 => return,
                n if n & NEVER != 0 => return,
                n => self.host.wait(proof, &self.asleep, n, None),
            };
        }
    }
}

/// Threads asleep in the kernel, so that its end can wake them.
pub(crate) struct Sleepers(spin::Mutex<Slab<Arc<Waiter>>>);

impl Sleepers {
    pub(crate) fn insert(&self, waiter: &Arc<Waiter>) -> usize {
        self.0.lock().insert(waiter.clone())
    }

    pub(crate) fn remove(&self, token: usize) {
        self.0.lock().try_remove(token);
    }

    /// Ends all sleeps; sleepers then find the kernel closing.
    pub(crate) fn wake_all(&self, host: &dyn Host) {
        for (_, waiter) in self.0.lock().iter() {
            waiter.end(host);
        }
    }
}

//! A laboratory: kernels on one host, and what must hold when they are gone.
//!
//! ```
//! use tests::Lab;
//! Lab::run(1, |lab| {
//!     let (a, b) = (lab.router("a"), lab.router("b"));
//!     a.plug("shmif0", "bus", ([10, 0, 0, 1], 24)).unwrap();
//!     b.plug("shmif0", "bus", ([10, 0, 0, 2], 24)).unwrap();
//!     assert_eq!(a.ping([10, 0, 0, 2]).unwrap().kind, 0);
//! });
//! ```
//!
//! * [`Lab::run`]: on the simulation host, with a seed; [`Lab::linux`]: on the Linux host.
//! * [`Lab::router`], [`Lab::boot`]: kernels, as [`Node`]s.
//! * [`Lab::settle`], [`Lab::pass`]: until nothing is left to do; and some virtual time later.
//!
//! When a lab goes, no account of a kernel that was dropped may hold a charge (but that of one
//! that panicked: its memory is leaked), and the host must have all its memory back.
//!
//! Locking: a lock around the list of accounts. Sources: netstack3's FakeNetwork, for the idea.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Account, BootError, Host, Kernel, Options, Spec};
use sim::Sim;

use crate::{HOSTED, Node, ROUTER};

/// See the module's text.
pub struct Lab {
    host: Arc<dyn Host>,
    sim: Option<Arc<Sim>>,
    ledger: Arc<Ledger>,
}

/// The accounts of all kernels of a lab.
#[derive(Default)]
pub struct Ledger {
    accounts: Mutex<Vec<(String, Arc<Account>)>>,
    leaks: Mutex<bool>,
    nodes: AtomicU16,
}

impl Ledger {
    /// A number that no other node of the lab has.
    pub(crate) fn new_id(&self) -> u16 {
        self.nodes.fetch_add(1, Ordering::Relaxed)
    }

    fn enter(&self, name: &str, account: &Arc<Account>) {
        self.accounts.lock().unwrap().push((name.to_owned(), account.clone()));
    }

    /// A kernel has ended: nothing may be charged to it any more. One that died keeps its memory.
    pub(crate) fn ended(&self, account: &Arc<Account>, died: bool) {
        self.accounts.lock().unwrap().retain(|(name, a)| {
            if !Arc::ptr_eq(a, account) {
                return true;
            }
            if !died && !std::thread::panicking() {
                assert_eq!(a.used(), 0, "bytes still charged to kernel {name}, which was dropped");
            }
            // Whoever was dropped is looked at again in the end: something may come in late.
            !died
        });
        *self.leaks.lock().unwrap() |= died;
    }

    fn check(&self, sim: Option<&Sim>) {
        for (name, account) in &*self.accounts.lock().unwrap() {
            assert_eq!(account.used(), 0, "bytes charged to kernel {name} after its end");
        }
        if let (Some(sim), false) = (sim, *self.leaks.lock().unwrap()) {
            assert_eq!(sim.held(), sim::Held::default(), "memory not given back to the host");
            assert_eq!(sim.wrong_rearms(), 0, "deadlines that the host did not have");
        }
    }
}

impl Lab {
    /// Runs `test` in a lab on a simulation host of this seed.
    pub fn run<R>(seed: u64, test: impl FnOnce(&Lab) -> R) -> R {
        Self::run_with(sim::Config { seed, ..sim::Config::default() }, test)
    }

    /// The same with all options of the host.
    pub fn run_with<R>(config: sim::Config, test: impl FnOnce(&Lab) -> R) -> R {
        let sim = Sim::new(config);
        let lab = Lab { host: sim.clone(), sim: Some(sim.clone()), ledger: Arc::default() };
        sim.run(move || {
            let r = test(&lab);
            drop(lab);
            r
        })
    }

    /// A lab on a Linux host of its own.
    pub fn linux() -> Lab {
        Self::on(linux::Linux::new())
    }

    /// A lab on this host.
    pub fn on(host: Arc<dyn Host>) -> Lab {
        Lab { host, sim: None, ledger: Arc::default() }
    }

    /// The host.
    pub fn host(&self) -> Arc<dyn Host> {
        self.host.clone()
    }

    /// The simulation host.
    ///
    /// # Panics
    /// If the lab is on another.
    pub fn sim(&self) -> &Arc<Sim> {
        self.sim.as_ref().expect("a lab on the simulation host")
    }

    /// Boots a kernel of all components.
    pub fn router(&self, name: &str) -> Node {
        self.boot(&Options { name, ..Options::default() }).unwrap()
    }

    /// Boots a kernel that has all kinds of interface.
    pub fn hosted(&self, name: &str) -> Node {
        self.boot_of(&HOSTED, &Options { name, ..Options::default() }).unwrap()
    }

    /// Boots a kernel with options.
    pub fn boot(&self, options: &Options<'_>) -> Result<Node, BootError> {
        self.boot_of(&ROUTER, options)
    }

    /// Boots a kernel of components of `spec`, with options.
    pub fn boot_of(&self, spec: &'static Spec, options: &Options<'_>) -> Result<Node, BootError> {
        let kernel = Kernel::boot_with(self.host(), spec, options)?;
        self.ledger.enter(kernel.name(), kernel.account());
        Ok(Node::new(kernel, self.ledger.clone()))
    }

    /// Until nothing is left to do at the present virtual time.
    pub fn settle(&self) {
        self.sim().settle();
    }

    /// Lets virtual time pass, then settles.
    pub fn pass(&self, time: Duration) {
        self.sim().sleep(time);
        self.settle();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.ledger.check(self.sim.as_deref());
        }
    }
}

//! Hypercalls: what a kernel asks of its host, and the two up-calls that a host makes.
//!
//! A host is a value, an `Arc<dyn Host>` given at boot, so that the Linux host and the
//! simulation host live in one binary, and so that two of them in one process share nothing.
//! The traits are the contract; `HYPERCALLS.md` beside this folder says it in one table.
//!
//! * [`Memory`], [`Clock`], [`Parking`], [`Threads`], [`Interrupts`], [`Timers`], [`Names`],
//!   [`Catch`], [`Environment`]: the main hypercalls, needed by every kernel.
//! * [`Host::io`]: the I/O hypercalls of a driver, private to it and to its half on the host.
//! * [`Guest`]: the up-calls, implemented by a kernel.
//! * [`Faults`]: what a host may refuse or spoil on request; the Linux host has none.
//!
//! Rules for every call: no kernel lock and no virtual CPU is needed to make it; it never calls
//! back into a kernel unless it takes an [`Offcpu`] proof; it may be made from any thread. A call
//! that may block takes an [`Offcpu`], which only a kernel's scheduler can make.
//!
//! Locking: none here. Sources: the book's hypercall interface (`rumpuser.h`, version 17),
//! reduced to wait and wake: every lock is built on those in `base`.
#![no_std]

extern crate alloc;

use alloc::sync::Arc;
use core::any::Any;

mod clock;
mod environment;
mod faults;
mod interrupt;
mod memory;
mod names;
mod parking;
mod thread;
mod timer;

pub mod atomic;

pub use clock::{Clock, Instant, WallTime};
pub use environment::Environment;
pub use faults::{Faults, PacketFate};
pub use interrupt::{Carried, Guest, Interrupts};
pub use memory::Memory;
pub use names::Names;
pub use parking::{Offcpu, Parking, Wakeup};
pub use thread::{Catch, Join, Panicked, SpawnError, Threads};
pub use timer::Timers;

/// The version of this contract. A kernel refuses to boot on a host of another one.
pub const VERSION: u32 = 1;

/// Everything a kernel asks of its host.
pub trait Host:
    Memory + Clock + Parking + Threads + Catch + Interrupts + Timers + Names + Environment + Send + Sync
{
    /// The contract that this host implements; see [`VERSION`].
    fn version(&self) -> u32 {
        VERSION
    }

    /// The faults that this host injects; `None` (the default) on a host that injects none, so
    /// that the question costs nothing on a hot path.
    fn faults(&self) -> Option<&dyn Faults> {
        None
    }

    /// The half on this host of the driver `name`, if the program gave the host one: what such a
    /// driver needs beyond the main hypercalls. Only the driver knows what it is, and downcasts.
    fn io(&self, name: &str) -> Option<Arc<dyn Any + Send + Sync>> {
        let _ = name;
        None
    }

    /// A seed for what a kernel may do in any order (hooks of one boot phase, for example), so
    /// that nobody comes to depend on one. `None`: leave things in the order they have.
    fn shuffle_seed(&self) -> Option<u64> {
        None
    }
}

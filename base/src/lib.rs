//! The base of the anykernel: what every kernel has, whatever else it is made of.
//!
//! A [`Kernel`] is a value: it is booted, entered, and dropped; there is no process-global kernel
//! state and no thread of its own. Base knows its host (crate `hypercall`) and nothing of
//! networks, file systems or devices: those are factions and components, which register through
//! the linker sets declared here.
//!
//! * [`Kernel`], [`kernel!`], [`component!`]: composing and booting.
//! * [`Cx`] and [`Lwp`]: the context that every kernel function takes; see [`mod@cx`].
//! * [`sched`]: virtual CPUs, interrupt lines, soft interrupts.  * [`callout`]: timers.
//! * [`lock`]: locks and condition variables.  * [`wait`]: wait queues.
//! * [`vm`]: memory, always charged.  * [`mod@file`]: descriptors, uio, poll.
//! * [`syscall`], [`mod@sysctl`], [`evcnt`], [`msgbuf`]: what programs see.
//!
//! Sources: the book "The Design and Implementation of the Anykernel and Rump Kernels";
//! NetBSD sys/kern and sys/rump/librump/rumpkern, for behaviour and names.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

pub mod callout;
pub mod component;
pub mod cred;
pub mod cx;
mod errno;
pub mod evcnt;
pub mod file;
mod kernel;
pub mod lock;
pub mod lwp;
pub mod msgbuf;
pub mod proc;
pub mod random;
pub mod sched;
pub mod syscall;
pub mod sysctl;
pub mod uname;
pub mod vm;
pub mod wait;

pub use component::slot::Slot;
pub use component::{Component, Phase, Spec};
pub use cred::Cred;
pub use cx::Cx;
pub use errno::Errno;
/// The atomics of words that are shared with a host, or between processes.
pub use hypercall::atomic;
pub use hypercall::{Host, Instant, Offcpu, PacketFate, WallTime};
pub use kernel::{AtEnd, BootError, Handle, Kernel, MAX_CPUS, Options};
pub use lwp::{BoundLwp, Lwp, Rfork};
pub use proc::{Pid, Proc};
pub use sched::enter::Gone;
pub use vm::{Account, Charge, Charged, KArc, KBox, KDeque, KVec, NoMemory};

/// For the macros of this crate.
#[doc(hidden)]
pub mod __private {
    pub use linkme;
    pub use log;
}

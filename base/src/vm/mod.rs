//! The VM shim: every byte that a kernel holds is charged to its account first.
//!
//! * [`Account`]: what a kernel has, and may have.  * [`Charge`]: bytes charged, given back on drop.
//! * [`kmem`]: constructors that charge and then make an ordinary `Box`, `Arc` or `Vec`.
//! * [`reclaim`]: caches that give memory back when the account runs short.
//!
//! Locking: none; the account is two atomics.
//! Sources: the book, section 3.4 (relegated VM, memory limit, pagedaemon).

mod account;
pub mod kmem;
pub mod reclaim;

pub use account::{Account, Charge, NoMemory};
pub use kmem::{Charged, KArc, KBox, KDeque, KVec};

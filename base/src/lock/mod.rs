//! Locks.
//!
//! | | taken by | held across a sleep | when it must wait |
//! |---|---|---|---|
//! | [`IntrMutex`] | anybody, interrupts too | never: its guard borrows the context | spins |
//! | [`Mutex`], [`RwLock`] | threads | yes | gives the CPU back and sleeps |
//! | [`Condvar`] | threads | | sleeps, with either mutex |
//!
//! Every lock knows its kernel and refuses the context of another one, always: with one virtual
//! CPU they use no atomic operations, because having the CPU excludes everybody else. Ranks (in
//! [`Rank`]) are checked in debug builds.
//!
//! Sources: NetBSD mutex(9), rwlock(9), condvar(9); the book, section 3.5.

mod condvar;
mod intr;
mod mutex;
pub(crate) mod rank;
pub(crate) mod raw;
pub(crate) mod raw_mutex;
mod rwlock;

pub use condvar::{Condvar, Lock};
pub use intr::{IntrGuard, IntrMutex};
pub use mutex::Mutex;
pub use rank::Rank;
pub use rwlock::RwLock;

#[cfg(all(test, loom))]
pub(crate) mod loom_host;
#[cfg(all(test, loom))]
mod loom_tests;

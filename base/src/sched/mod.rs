//! The scheduler of virtual CPUs: who may run inside a kernel.
//!
//! The host picks the thread, we pick a CPU for it (the book's inverse scheduling). A thread
//! takes a CPU when it enters a kernel and gives it back when it leaves or must wait.
//!
//! * `word`: the state word, the whole protocol.  * `cpu`: what a CPU has.
//! * `enter`: taking and giving back, and what runs in between.  * `offcpu`: blocking.
//! * [`mod@line`]: interrupt lines.  * [`mod@softint`]: soft interrupts.
//!
//! Sources: the book, sections 2.3 and 3.3.

pub(crate) mod cpu;
pub(crate) mod enter;
pub mod line;
pub(crate) mod offcpu;
pub mod softint;
pub(crate) mod word;

#[cfg(all(test, loom))]
mod loom_tests;

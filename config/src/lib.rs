//! Kernel configurations: what a kernel is made of and how it is set up, as a file.
//!
//! * [`topology`]: networks of many kernels and their routes (`TOPOLOGY.md` is the reference).
//!
//! Everything here is pure but for the reading and writing of files. The library names no
//! faction and no component, because an assembled kernel links this crate, and naming one would
//! bring it into every kernel.
//!
//! Locking: none here.
#![forbid(unsafe_code)]

mod document;
mod inet;
mod nearest;

pub mod topology;

pub use document::Error;
pub use nearest::nearest;

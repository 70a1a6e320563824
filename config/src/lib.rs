//! Kernel configurations: what a kernel is made of and how it is set up, as a file.
//!
//! * [`file::File`]: one configuration file (`CONFIGURATION.md` is the reference).
//! * [`catalogue`] and [`resolve`]: which components there are, and the closure of those wanted.
//! * [`assemble`]: a crate that is a kernel of exactly those components.
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
#[cfg(test)]
mod references;
mod size;

pub mod assemble;
pub mod catalogue;
pub mod file;
pub mod resolve;
pub mod topology;

use std::path::{Path, PathBuf};

pub use document::Error;
pub use nearest::nearest;

/// The root of the source tree that this crate was built from.
pub fn source_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

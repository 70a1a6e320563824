//! Kernel configurations: what a kernel is made of and how it is set up, as a file.
//!
//! * [`file::File`]: one configuration file (`CONFIGURATION.md` is the reference).
//! * [`catalogue`] and [`resolve`]: which components there are, and the closure of those wanted.
//! * [`assemble`]: a crate that is a kernel of exactly those components.
//! * [`program`]: what such a kernel does when it is started as a program.
//! * [`resident`]: memory in use, for those who measure.
//! * [`topology`]: networks of many kernels and their routes (`TOPOLOGY.md` is the reference).
//!
//! Everything here but [`program`] is pure but for the reading and writing of files. The library
//! names no faction and no component, because an assembled kernel links this crate, and naming one
//! would bring it into every kernel. An assembled kernel also has no use for anything but
//! [`program`]: it leaves the feature `tools` out, and with it every dependency but the base.
//!
//! Locking: none here.
#![forbid(unsafe_code)]

pub mod program;
pub mod resident;

#[cfg(feature = "tools")]
mod document;
#[cfg(feature = "tools")]
mod inet;
#[cfg(feature = "tools")]
mod link;
#[cfg(feature = "tools")]
mod nearest;
#[cfg(all(test, feature = "tools"))]
mod references;
#[cfg(feature = "tools")]
mod size;

#[cfg(feature = "tools")]
pub mod assemble;
#[cfg(feature = "tools")]
pub mod catalogue;
#[cfg(feature = "tools")]
pub mod file;
#[cfg(feature = "tools")]
pub mod resolve;
#[cfg(feature = "tools")]
pub mod topology;

use std::path::{Path, PathBuf};

#[cfg(feature = "tools")]
pub use ::character::{Character, Key};
#[cfg(feature = "tools")]
pub use document::Error;
#[cfg(feature = "tools")]
pub use nearest::nearest;
#[cfg(feature = "tools")]
pub use size::size;

/// The root of the source tree that this crate was built from.
pub fn source_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

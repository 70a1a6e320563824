//! Names of the system: uname(2), hostname.
//!
//! Locking: `Rank::Uname`. Sources: the book, section 1.B.1 (host name of a rump kernel).

use alloc::string::String;

use crate::{Cx, Errno};

/// The operating system's name.
pub const SYSNAME: &str = "anykernel";
/// Its release.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");
cfg_if::cfg_if! {
    if #[cfg(target_arch = "x86_64")] {
        /// The machine.
        pub const MACHINE: &str = "x86_64";
    } else if #[cfg(target_arch = "aarch64")] {
        /// The machine.
        pub const MACHINE: &str = "aarch64";
    } else {
        /// The machine.
        pub const MACHINE: &str = "unknown";
    }
}

/// The longest host name, in bytes (Linux's HOST_NAME_MAX).
pub const HOSTNAME_MAX: usize = 64;

/// What can be set of a kernel's names.
pub(crate) struct Uname {
    /// Empty: the host's parameter, asked for when somebody wants to know.
    hostname: String,
}

impl Uname {
    pub(crate) fn new(hostname: &str) -> Self {
        Self { hostname: cut(hostname) }
    }
}

/// The host name: what was set, or what the host says, as in `rump-<pid>.<host>.rumpdomain`.
pub fn hostname(cx: &Cx<'_>) -> String {
    let set = cx.body().uname.lock(cx).hostname.clone();
    if set.is_empty() { cut(&cx.host().param("hostname").unwrap_or_default()) } else { set }
}

/// Sets the host name.
pub fn set_hostname(cx: &Cx<'_>, name: &str) -> Result<(), Errno> {
    if name.len() > HOSTNAME_MAX {
        return Err(Errno::NameTooLong);
    }
    cx.body().uname.lock(cx).hostname = String::from(name);
    Ok(())
}

/// The first [`HOSTNAME_MAX`] bytes, at a character's edge.
fn cut(name: &str) -> String {
    let end = (0..=HOSTNAME_MAX.min(name.len())).rev().find(|&i| name.is_char_boundary(i));
    String::from(name.get(..end.unwrap_or(0)).unwrap_or_default())
}

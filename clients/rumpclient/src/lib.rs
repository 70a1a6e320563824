//! The remote client for C programs, with NetBSD's names.
//!
//! `include/rump/rumpclient.h` is the documentation for its users. A program is one client.
//!
//! * `rumpclient_*`: the client.  * `rump_sys_*`: system calls that take what Linux's take.
//!
//! No panic crosses into C: it is EIO there.
//!
//! Locking: none in calls; `client` says more. Sources: the book, appendix A (rumpclient(3)); NetBSD
//! lib/librumpclient/rumpclient.h.

mod call;
mod client;
mod error;
mod process;
mod sys;

pub use call::*;
pub use client::*;
pub use error::rumpclient_error;
pub use process::*;
pub use sys::*;

//! shmif: an Ethernet-like bus between kernels.
//!
//! `ifconfig shmif0 create; ifconfig shmif0 linkstr NAME` connects an interface to the bus of that
//! name; every interface of every kernel of the same host that names it is on it.
//!
//! * `driver`: the interface.  * `backend`: what a bus is to the driver.
//! * `memory`: the bus inside a process, which hands packets over without copying them.
//! * `port`: where a member takes delivery.
//! * `file`: the bus between processes: a name with a `/` in it is a file that they share.
//!   [`mod@bus`] is what is in the file, [`host`] what this needs of its host. On a host without
//!   that half such a name is refused with EOPNOTSUPP.
//!
//! Sources: the book, section 3.9.1 (shmif); NetBSD sys/rump/net/lib/libshmif.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

mod backend;
pub mod bus;
mod component;
mod driver;
mod file;
pub mod host;
mod memory;
mod port;

pub use component::COMPONENT;

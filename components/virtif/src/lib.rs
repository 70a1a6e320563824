//! virtif: Ethernet interfaces on the host's network.
//!
//! `ifconfig virt0 create` makes an interface whose other end is the host's device `tap0`; what the
//! host does with that (addresses, a bridge to a wire) is the host's business. A linkstr names
//! another device: `ifconfig virt0 linkstr lab7`.
//!
//! * `driver`: the interface.  * `link`: its connection to a device: interrupt, batches, counters.
//! * [`host`]: what this needs of its host. On a host without that half an interface can be
//!   created nowhere: EOPNOTSUPP.
//!
//! Sources: the book, section 3.9.1 (virtif); NetBSD sys/rump/net/lib/libvirtif.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

mod component;
mod driver;
pub mod host;
mod link;

pub use component::COMPONENT;

//! The networking faction: what every protocol and every interface needs, and neither knows.
//!
//! * [`mbuf`]: packets.  * [`ifnet`]: interfaces, their drivers, cloning, configuration.
//! * [`link`]: what a link does to packets: delay, rate, loss.  * [`ethernet`]: link headers.  * [`netisr`]: from the interrupt to the protocol.
//! * [`route`]: routing tables.  * [`mod@domain`]: protocol families.
//! * [`socket`]: sockets, and what a protocol for them is.
//! * [`control`]: what ifconfig and route ask through a socket.
//! * [`loopback`]: `lo0`.  * [`pcap`]: capture files.
//! * [`offload`]: what is left undone in packets.  * [`checksum`]: the Internet checksum.
//!
//! A component adds a protocol family (`domain!`, `link_proto!`, `protosw!`) or a kind of interface
//! (`cloner!`); this crate knows none of them.
//!
//! Sources: NetBSD sys/net, sys/kern/uipc_*.c.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

pub mod checksum;
mod component;
pub mod control;
pub mod domain;
mod errno;
pub mod ethernet;
pub mod ifnet;
pub mod link;
pub mod loopback;
pub mod mbuf;
pub mod netisr;
pub mod offload;
pub mod pcap;
pub mod route;
pub mod socket;
mod tables;

pub use component::COMPONENT;
pub use ethernet::wire::{EtherType, MacAddr};
pub use ifnet::{IfError, Ifnet};
pub use mbuf::Packet;

/// For the macros of this crate.
#[doc(hidden)]
pub mod __private {
    pub use base::__private::linkme;
}

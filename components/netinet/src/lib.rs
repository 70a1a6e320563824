//! IPv4, ARP, ICMP, TCP, UDP and raw sockets.
//!
//! Pure parts (no kernel, no lock; the time is an argument) under thin shells:
//! * [`wire`] is the packet formats;
//! * [`ip`]: input, output, forwarding; options, fragmentation and reassembly;
//! * [`arp`]: address resolution;  * [`icmp`]: errors, echo, and the rules about them;
//! * [`igmp`]: membership in groups;
//! * [`tcp`]: connections, a core and the shell around it;
//! * [`domain`]: addresses of interfaces, and the routes that follow from them.
//!
//! Sources: RFC 791, 792, 826, 768, 9293, 1122, 1812; NetBSD sys/netinet.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

pub mod arp;
mod component;
pub mod domain;
pub mod icmp;
pub mod igmp;
pub mod ip;
mod raw;
mod sockets;
mod spaces;
mod state;
pub mod tcp;
mod timer;
mod udp;
pub mod wire;

pub use component::COMPONENT;
pub use net::checksum;

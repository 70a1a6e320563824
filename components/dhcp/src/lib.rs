//! dhcp: addresses of interfaces on loan from a server of their link.
//!
//! `rump.dhcpclient virt0` asks for one. From then on it is the kernel that holds the lease: it
//! renews it before its end, asks others when its server is silent, and takes the address away
//! when nobody prolongs it. The tool may be gone long since.
//!
//! Pure parts (no kernel, no lock; time and random numbers are arguments):
//! * [`wire`]: the message.  * [`client`]: the states of a client.
//!
//! The shell:
//! * `lease`: a client of an interface: frames in and out, its timer.
//! * `udp`: datagrams of an interface that has no address yet.
//! * `apply`: the address and the route that a lease brings, and that go with it.
//! * `request`: what the tool asks.  * `list`: the table that it shows.
//!
//! DIFFERS from what clients do that can write to a disk: nothing is remembered over a restart, so
//! there is no INIT-REBOOT.
//!
//! Sources: RFC 2131, RFC 2132; RFC 6842 (client identifier); NetBSD's dhcpclient of rump.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

mod apply;
pub mod client;
mod component;
mod lease;
mod list;
mod request;
mod udp;
pub mod wire;

pub use component::COMPONENT;
pub use request::{release, start};

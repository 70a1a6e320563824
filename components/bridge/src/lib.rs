//! bridge: joins the links of interfaces to one.
//!
//! `ifconfig bridge0 create; ifconfig bridge0 addm shmif0; ifconfig bridge0 addm virt0;
//! ifconfig bridge0 up`: what arrives on one member and is not for this kernel goes out on the one
//! where its receiver was last heard, or on all others while nobody knows. The bridge is an
//! interface itself: an address of this kernel's is best on it, and may be on a member.
//!
//! * `table`: who was heard where; the pure part.
//! * `members`: a bridge's members, and where a frame goes.
//! * `driver`: the interface.  * `port`: what a member does with its frames.
//! * [`request`]: what ifconfig asks.  * `list`: the tables that it shows.
//!
//! DIFFERS from NetBSD: no spanning tree, so links must not be joined in a circle; no packet
//! filter; an interface has an address of its own.
//!
//! Sources: IEEE 802.1D §7 (learning, filtering, reserved addresses); NetBSD sys/net/if_bridge.c.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

mod component;
mod driver;
mod list;
mod members;
mod port;
pub mod request;
mod table;

pub use component::COMPONENT;
pub use driver::{add, remove};

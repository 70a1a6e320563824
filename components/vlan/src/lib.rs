//! vlan: virtual networks on an interface's link, told apart by 802.1Q tags.
//!
//! `ifconfig vlan0 create; ifconfig vlan0 vlan 7 vlanif shmif0`: what `vlan0` sends leaves by
//! `shmif0` with the tag 7, and what comes there with that tag arrives on `vlan0` without it.
//!
//! * `tag`: putting a tag into a frame, and taking it out; the pure part.
//! * `driver`: the interface.  * `tags`: what stands on the interfaces below.
//! * [`request`]: what ifconfig asks.  * `list`: the table that it shows.
//!
//! DIFFERS from NetBSD: no tags within tags (802.1ad), priority is always 0.
//!
//! Sources: IEEE 802.1Q §9 (the tag); NetBSD sys/net/if_vlan.c.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

mod component;
mod driver;
mod list;
pub mod request;
mod tag;
mod tags;

pub use component::COMPONENT;
pub use driver::{set, unset};

//! IPv4, ARP, ICMP, UDP and raw sockets.
//!
//! The modules so far are pure: no kernel and no lock; the time is an argument.
//! * [`wire`] is the packet formats, [`checksum`] the Internet checksum;
//! * [`ip`] has options, fragmentation and reassembly;
//! * [`arp`] has the address cache;
//! * [`icmp`] has the rules about sending errors.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

pub mod arp;
pub mod checksum;
pub mod icmp;
pub mod ip;
pub mod wire;

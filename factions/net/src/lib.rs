//! The networking faction.
//!
//! The modules so far are pure: no kernel, no lock and no clock, only bytes and numbers.
//! * [`route::trie`] finds the longest matching prefix;
//! * [`ethernet::wire`] is the Ethernet header;
//! * [`pcap`] encodes capture files.

#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

pub mod ethernet;
pub mod pcap;
pub mod route;

//! Ethernet.
//!
//! * [`wire`] is the format: addresses, types, the header.

pub mod wire;

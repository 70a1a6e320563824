//! Address resolution (RFC 826).
//!
//! * [`cache`] is the state machine;
//! * [`table`] is how it finds an address;
//! * [`entry`] is what it knows about one.

pub mod cache;
pub mod entry;
pub mod table;

//! Address resolution (RFC 826).
//!
//! * [`cache`] is the state machine, [`config`] its limits and times;
//! * [`table`] is how it finds an address, [`entry`] what it knows about one;
//! * [`local`] is an address of our own.

pub mod cache;
pub mod config;
pub mod entry;
pub mod local;
pub mod table;

//! Address resolution (RFC 826).
//!
//! * [`cache`] is the state machine, [`config`] its limits and times;
//! * [`table`] is how it finds an address, [`entry`] what it knows about one;
//! * [`local`] is an address of our own;
//! * `interfaces` holds a cache per interface; `input` and `output` are the shell;
//! * `control` is what arp(8) asks, `list` what it shows.

pub mod cache;
pub mod config;
pub(crate) mod control;
pub mod entry;
pub(crate) mod input;
pub(crate) mod interfaces;
pub(crate) mod list;
pub mod local;
pub(crate) mod output;
pub mod table;

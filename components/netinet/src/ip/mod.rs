//! The Internet protocol: what is arithmetic in it.
//!
//! * [`options`] checks the options of a header and fills in what a router must;
//! * [`frag`] cuts a datagram into pieces;
//! * [`reass`] puts them together.

pub mod frag;
pub mod options;
pub mod reass;

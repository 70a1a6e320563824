//! ICMP: the rules about sending errors.
//!
//! * [`policy`] says whether one may be sent, and how much it quotes;
//! * [`limit`] says how often.

pub mod limit;
pub mod policy;

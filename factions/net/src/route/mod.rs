//! Routing: which way a packet leaves.
//!
//! * [`trie`] is the table itself, without locks or kernel.

pub mod trie;

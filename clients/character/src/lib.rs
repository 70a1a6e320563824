//! The character of a link as people write it: `delay 20ms rate 100mbit loss 1%`.
//!
//! The words of `rump.ifconfig`, the keys of configuration and topology files and the options of
//! `cluster` are the same, and are read here, so that they mean the same.
//!
//! * [`Key`]: one of them, with what it takes and what it does; [`Key::read`]: its value.
//! * [`Character`]: some of them, with their values; those left out are as they were.
//! * [`amount`]: times, rates, shares and sizes.
//!
//! What a link does with them is the kernel's (`factions/net/src/link`).
//!
//! Locking: none. Sources: Linux tc-netem(8), tc(8) (words, units).
#![forbid(unsafe_code)]

pub mod amount;
mod character;
mod key;

pub use character::Character;
pub use key::Key;

/// The longest delay or jitter, in nanoseconds: a day.
pub const MAX_DELAY_NS: u64 = 86_400_000_000_000;
/// The most packets of a limit or a burst.
pub const MAX_PACKETS: u64 = 1_000_000;
/// A billion: shares are in billionths.
pub const BILLION: u64 = 1_000_000_000;

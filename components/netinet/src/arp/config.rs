//! Limits and times of the address resolution cache.
//!
//! * [`Config::DEFAULT`] is what an interface begins with.
//!
//! Locking: none; values only.
//! Sources: RFC 1122 §2.3.2; RFC 5227 §1.1 (constants); NetBSD arp(4) (lifetime, tries).

const SECOND: u64 = 1_000_000_000;

/// Limits and times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// Addresses, of all states.
    pub entries: usize,
    /// Packets that wait for one address; at least one (RFC 1122 §2.3.2.2).
    pub held: usize,
    /// How long an answer is good.
    pub lifetime_ns: u64,
    /// How long before its end the owner is asked again, if it is in use.
    pub probe_ns: u64,
    /// Time between two questions (RFC 1122 §2.3.2.1: at most one a second).
    pub retry_ns: u64,
    /// Questions before giving up.
    pub tries: u8,
    /// How long nobody is asked after that.
    pub down_ns: u64,
    /// Least time between two defences of an address (RFC 5227 §2.4, DEFEND_INTERVAL).
    pub defend_ns: u64,
}

impl Config {
    /// What NetBSD and RFC 5227 have.
    pub const DEFAULT: Self = Self {
        entries: 512,
        held: 8,
        lifetime_ns: 20 * 60 * SECOND,
        probe_ns: 30 * SECOND,
        retry_ns: SECOND,
        tries: 5,
        down_ns: 5 * SECOND,
        defend_ns: 10 * SECOND,
    };
}

impl Default for Config {
    fn default() -> Self {
        Self::DEFAULT
    }
}

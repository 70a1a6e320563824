//! What the cache knows about one address.
//!
//! * [`State`] and its transitions are made by [`super::cache`] only.
//!
//! Locking: as the cache.
//! Sources: RFC 826; RFC 1122 §2.3.2.

use alloc::vec::Vec;
use net::ethernet::wire::MacAddr;

/// How far resolution has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Asked, not answered; packets wait.
    Incomplete,
    /// Answered, or heard from.
    Reachable,
    /// Set by an administrator: never expires, and no packet changes it.
    Static,
    /// Did not answer; not asked again for a while.
    Down,
}

/// One address.
#[derive(Clone, Debug)]
pub(super) struct Entry<P> {
    /// Of no meaning while incomplete or down.
    pub(super) mac: MacAddr,
    pub(super) state: State,
    /// Something was sent there.
    pub(super) used: bool,
    /// Questions asked so far.
    pub(super) tries: u8,
    /// Until then a packet is sent without a second look; 0 if it needs one.
    pub(super) fresh_until_ns: u64,
    /// When something must happen: the next question, the end of the answer's life, the end of
    /// the silence. `u64::MAX`: never.
    pub(super) deadline_ns: u64,
    /// Packets that wait for the answer, the oldest first; only while incomplete.
    pub(super) held: Vec<P>,
}

impl<P> Entry<P> {
    /// Nothing is known yet.
    pub(super) const fn new() -> Self {
        Self {
            mac: MacAddr::ZERO,
            state: State::Incomplete,
            used: false,
            tries: 0,
            fresh_until_ns: 0,
            deadline_ns: u64::MAX,
            held: Vec::new(),
        }
    }

    /// By how many packets the queue grows with the next one: none, or to twice as many.
    pub(super) fn queue_growth(&self) -> usize {
        if self.held.len() < self.held.capacity() { 0 } else { self.held.capacity().max(1) }
    }

    /// Lets a packet wait.
    pub(super) fn hold(&mut self, packet: P) {
        let by = self.queue_growth();
        self.held.reserve_exact(by);
        self.held.push(packet);
    }
}

//! The order of locks, whole.
//!
//! A lock may be taken only while every lock held has a smaller rank. Debug builds check it: per
//! virtual CPU for interrupt mutexes, per thread for those that may be held across a sleep (which
//! all come first, because no interrupt mutex can be held where one is taken).

/// A lock's place in the order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Rank {
    // ---- may be held across a sleep ----
    /// Configuration of interfaces and routes: one change at a time.
    Config,
    /// For tests, and for components that need one lock of their own.
    SleepLeaf,
    // ---- interrupt mutexes ----
    /// The table of processes.
    Procs,
    /// One process's credentials.
    Proc,
    /// A table of descriptors.
    Fds,
    /// One open file's offset and flags.
    File,
    /// A protocol's tables of endpoints (ports, raw sockets).
    Pcbs,
    /// One connection of a protocol.
    Connection,
    /// One socket.
    Socket,
    /// The list of interfaces, by name and index.
    Ifnets,
    /// An interface's addresses.
    Ifaddrs,
    /// Routing tables.
    Route,
    /// Reassembly of fragments.
    Reass,
    /// Address resolution.
    Arp,
    /// Rate limits, and other small state of protocols.
    Proto,
    /// A link with character.
    Link,
    /// An interface's driver.
    Ifnet,
    /// A packet queue.
    Ifqueue,
    /// Capture taps.
    Tap,
    /// The random generator.
    Random,
    /// Timers.
    Callouts,
    /// Interrupt lines.
    Lines,
    /// The message buffer.
    Messages,
    /// Host and domain names.
    Uname,
    /// Wait queues: woken with anything held.
    WaitQueue,
}

impl Rank {
    /// All locks of this rank or a later one, as a mask.
    pub(crate) const fn and_later(self) -> u64 {
        u64::MAX << self as u8
    }

    /// This rank, as a mask.
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u8
    }
}

/// Panics if a lock of `rank` may not be taken while those in `held` are.
#[inline]
#[track_caller]
pub(crate) fn check(held: u64, rank: Rank) {
    debug_assert!(
        held & rank.and_later() == 0,
        "lock order: {rank:?} (bit {}) taken while held: {held:#b}",
        rank as u8
    );
}

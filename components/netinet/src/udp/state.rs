//! UDP's state in each kernel.
//!
//! Locking: the table by `Rank::Pcbs`; settings and counters are words.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use base::vm::kmem;
use base::{Errno, Lwp};
use net::socket::{DEFAULT_LIMIT, MAX_LIMIT, MIN_LIMIT};

use super::pcbs::Pcbs;
use super::ports::Ephemeral;
use crate::component::UDP;

base::counter_group! {
    /// What UDP did.
    UdpCounters {
        /// Datagrams received.
        received,
        /// Put into a socket; one to everybody counts for each.
        delivered,
        /// Too short, or with a length that cannot be.
        bad_length,
        /// With a wrong checksum.
        bad_checksum,
        /// Without a checksum.
        no_checksum,
        /// From an address that cannot be one host's.
        bad_source,
        /// For a port that nobody has.
        no_port,
        /// The same, sent to everybody.
        no_port_broadcast,
        /// For sockets that had no room.
        full,
        /// Dropped for lack of memory.
        no_memory,
        /// Sent.
        sent,
    }
}

/// UDP's state.
pub(crate) struct Udp {
    // ---- settings ----
    pub(crate) ephemeral: Ephemeral,
    checksum: AtomicBool,
    sendspace: AtomicU32,
    recvspace: AtomicU32,
    // ---- counters ----
    pub(crate) counters: UdpCounters,
    // ---- locked ----
    pub(crate) pcbs: Pcbs,
}

/// At boot.
pub(crate) fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let udp = Udp {
        ephemeral: Ephemeral::new(),
        checksum: AtomicBool::new(true),
        sendspace: AtomicU32::new(DEFAULT_LIMIT as u32),
        recvspace: AtomicU32::new(DEFAULT_LIMIT as u32),
        counters: UdpCounters::default(),
        pcbs: Pcbs::new(l),
    };
    UDP.set(l, kmem::boxed(l, udp)?)
}

impl Udp {
    /// Whether datagrams are sent with a checksum (RFC 1122 §4.1.3.4: by default they are).
    pub(crate) fn sends_checksum(&self) -> bool {
        self.checksum.load(Ordering::Relaxed)
    }

    /// Sets it.
    pub(crate) fn set_sends_checksum(&self, on: bool) {
        self.checksum.store(on, Ordering::Relaxed);
    }

    /// Limits of new sockets' buffers: to send (the longest datagram), to receive.
    pub(crate) fn spaces(&self) -> (u32, u32) {
        (self.sendspace.load(Ordering::Relaxed), self.recvspace.load(Ordering::Relaxed))
    }

    /// Sets the first.
    pub(crate) fn set_sendspace(&self, bytes: i64) -> bool {
        set_space(&self.sendspace, bytes)
    }

    /// Sets the second.
    pub(crate) fn set_recvspace(&self, bytes: i64) -> bool {
        set_space(&self.recvspace, bytes)
    }
}

fn set_space(word: &AtomicU32, bytes: i64) -> bool {
    match usize::try_from(bytes) {
        Ok(n) if (MIN_LIMIT..=MAX_LIMIT).contains(&n) => {
            word.store(n as u32, Ordering::Relaxed);
            true
        }
        _ => false,
    }
}

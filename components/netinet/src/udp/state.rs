//! UDP's state in each kernel.
//!
//! Locking: the table by `Rank::Pcbs`; settings and counters are words.

use core::sync::atomic::{AtomicBool, Ordering};

use base::vm::kmem;
use base::{Errno, Lwp};

use super::pcbs::Pcbs;
use super::ports::Ephemeral;
use crate::component::UDP;
use crate::spaces::Spaces;

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
    pub(crate) spaces: Spaces,
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
        spaces: Spaces::default(),
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
}

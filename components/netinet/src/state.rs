//! netinet's state in each kernel.
//!
//! Locking: address resolution by `Rank::Arp`; reassembly by `Rank::Reass`; the error limit by
//! `Rank::Proto`; settings and counters are words.

use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU16, Ordering};

use base::callout::Callout;
use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::{Cx, NoMemory};

use crate::arp::interfaces::ArpInterfaces;
use crate::icmp::limit::RateLimit;
use crate::ip::fragments::Fragments;
use crate::timer::Timer;

/// ICMP errors a second, unless set otherwise.
const ERROR_RATE: i64 = 100;

base::counter_group! {
    /// What IPv4 did.
    IpCounters {
        /// Packets received.
        received,
        /// Delivered to a protocol.
        delivered,
        /// Passed on.
        forwarded,
        /// For others, while forwarding is off, or not to be passed on.
        cant_forward,
        /// Malformed: length, version, checksum.
        bad_header,
        /// With a source or destination that cannot be.
        bad_address,
        /// With options that are malformed or refused.
        bad_options,
        /// For a protocol that nobody has.
        no_protocol,
        /// For a group that nobody here is in.
        not_member,
        /// Without a route.
        no_route,
        /// Dropped for lack of memory.
        no_memory,
        /// Sent by this kernel.
        sent,
        /// Cut into pieces.
        fragmented,
        /// Pieces made.
        fragments_made,
        /// Too long, and not to be cut.
        cant_fragment,
        /// Pieces received.
        fragments,
        /// Pieces not taken: duplicates, overlaps, over a limit.
        fragments_dropped,
        /// Put together.
        reassembled,
        /// Given up: the rest did not come in time.
        reassembly_timeouts,
    }
}

base::counter_group! {
    /// What ICMP did.
    IcmpCounters {
        /// Messages received.
        received,
        /// Malformed: length, checksum.
        bad,
        /// Echo requests answered.
        echoed,
        /// Errors sent.
        errors_sent,
        /// Errors not sent, by the rules.
        errors_silent,
        /// Errors not sent, by the rate limit.
        errors_limited,
        /// Errors received about our packets.
        errors_received,
    }
}

base::counter_group! {
    /// What ARP did.
    ArpCounters {
        /// Packets received.
        received,
        /// Malformed.
        bad,
        /// Requests sent.
        requests_sent,
        /// Replies sent.
        replies_sent,
        /// Packets that waited for an answer.
        held,
        /// Packets given up: no answer, or no room to wait.
        dropped,
        /// Others that use an address of ours.
        conflicts,
    }
}

/// netinet's state.
pub(crate) struct Inet {
    // ---- settings ----
    forwarding: AtomicBool,
    ttl: AtomicU8,
    error_rate: AtomicI64,
    next_id: AtomicU16,
    // ---- counters ----
    pub(crate) ip: IpCounters,
    pub(crate) icmp: IcmpCounters,
    pub(crate) arp_counters: ArpCounters,
    // ---- locked ----
    pub(crate) arp: IntrMutex<ArpInterfaces>,
    pub(crate) fragments: IntrMutex<Fragments>,
    pub(crate) errors: IntrMutex<RateLimit>,
    /// Of messages about what neighbours do: anybody on the link can cause them.
    pub(crate) notices: IntrMutex<RateLimit>,
    /// For what both of the above put off.
    pub(crate) timer: Callout,
}

impl Inet {
    pub(crate) fn new(cx: &Cx<'_>) -> Result<Self, NoMemory> {
        Ok(Self {
            // GATEWAY, as in the original's builds: the book's script expects it.
            forwarding: AtomicBool::new(true),
            ttl: AtomicU8::new(64),
            error_rate: AtomicI64::new(ERROR_RATE),
            next_id: AtomicU16::new(0),
            ip: IpCounters::default(),
            icmp: IcmpCounters::default(),
            arp_counters: ArpCounters::default(),
            arp: IntrMutex::new(cx, Rank::Arp, ArpInterfaces::new(cx)),
            fragments: IntrMutex::new(cx, Rank::Reass, Fragments::new(cx)),
            errors: IntrMutex::new(cx, Rank::Proto, limit(ERROR_RATE)),
            notices: IntrMutex::new(cx, Rank::Proto, RateLimit::new(1, 10)),
            timer: Callout::new(cx, kmem::arc(cx, Timer)?)?,
        })
    }

    /// Lets go of interfaces and packets.
    pub(crate) fn clear(&self, cx: &Cx<'_>) {
        self.timer.stop(cx);
        let fragments = core::mem::replace(&mut *self.fragments.lock(cx), Fragments::new(cx));
        drop(fragments);
        let arp = core::mem::replace(&mut *self.arp.lock(cx), ArpInterfaces::new(cx));
        drop(arp);
    }

    pub(crate) fn forwarding(&self) -> bool {
        self.forwarding.load(Ordering::Relaxed)
    }

    pub(crate) fn set_forwarding(&self, on: bool) {
        self.forwarding.store(on, Ordering::Relaxed);
    }

    pub(crate) fn default_ttl(&self) -> u8 {
        self.ttl.load(Ordering::Relaxed)
    }

    pub(crate) fn set_default_ttl(&self, ttl: u8) {
        self.ttl.store(ttl, Ordering::Relaxed);
    }

    pub(crate) fn error_rate(&self) -> i64 {
        self.error_rate.load(Ordering::Relaxed)
    }

    pub(crate) fn set_error_rate(&self, cx: &Cx<'_>, per_second: i64) {
        self.error_rate.store(per_second, Ordering::Relaxed);
        *self.errors.lock(cx) = limit(per_second);
    }

    /// An identification for a packet that may be cut. Its start is random, so that a kernel's
    /// traffic cannot be counted from another's (RFC 6864 §5 asks no more than uniqueness).
    pub(crate) fn new_id(&self, cx: &Cx<'_>) -> u16 {
        if self.next_id.load(Ordering::Relaxed) == 0 {
            let start = base::random::u32(cx) as u16 | 1;
            let _ = self.next_id.compare_exchange(0, start, Ordering::Relaxed, Ordering::Relaxed);
        }
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }
}

fn limit(per_second: i64) -> RateLimit {
    match u32::try_from(per_second) {
        Ok(n) => RateLimit::new(n, n.clamp(1, 50)),
        Err(_) => RateLimit::unlimited(),
    }
}

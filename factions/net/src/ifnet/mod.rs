//! Interfaces.
//!
//! * [`Ifnet`]: one interface: name, flags, addresses, counters, and a driver ([`IfDriver`]).
//! * [`cloner`]: kinds of interface that can be created by name.  * [`config`]: ifconfig.
//! * [`tap`] is for captures.  * [`crate::link`] may lie between an interface and its driver.
//! * [`upper`]: who stands on an interface.
//!
//! A driver calls [`crate::ethernet::input`] with what arrives; the layer above calls
//! [`transmit`] with whole frames.
//!
//! Locking: flags, MTU and counters are words; addresses by `Rank::Ifaddrs`; taps by `Rank::Tap`; the
//! link by `Rank::Link`.
//! Sources: NetBSD net/if.c, if.h.

pub mod cloner;
pub mod config;
mod list;
pub mod tap;
pub mod upper;

use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use base::evcnt::Counter;
use base::lock::IntrMutex;
use base::{Cx, Errno, KArc, KBox, KVec, Lwp, NoMemory};
use bitflags::bitflags;

pub use list::Ifnets;
pub(crate) use list::attach;
use tap::Tap;
use upper::Upper;

use crate::link::{self, Port};
use crate::mbuf::Packet;
use crate::{EtherType, MacAddr, offload};

bitflags! {
    /// Interface flags, with Linux's values.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct IfFlags: u32 {
        /// It may be used.
        const UP = 0x1;
        /// It can send to everybody on the link.
        const BROADCAST = 0x2;
        /// It leads back to this kernel.
        const LOOPBACK = 0x8;
        /// Its driver is ready.
        const RUNNING = 0x40;
        /// It takes frames that are for others, for a capture.
        const PROMISC = 0x100;
        /// It can send to groups.
        const MULTICAST = 0x1000;
    }
}

/// What is below an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfKind {
    /// Ethernet frames; neighbours are found by address resolution.
    Ethernet,
    /// Packets without a link header, back to this kernel.
    Loopback,
}

/// What can go wrong with an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfError {
    /// There is no interface of that name.
    NoInterface,
    /// No component makes interfaces of that kind.
    NoKind,
    /// It exists already.
    Exists,
    /// A name, number, address or option makes no sense.
    Invalid,
    /// It is not up.
    Down,
    /// Its queue is full, or its other end's.
    Full,
    /// It is not connected to anything (no linkstr).
    NotConnected,
    /// It is in use.
    Busy,
    /// The kernel's memory limit is reached.
    NoMemory,
    /// The driver cannot do that.
    NotSupported,
    /// The linkstr's file cannot be: its directory does not exist.
    NoPath,
    /// The linkstr's file may not be read and written.
    Denied,
    /// The host does not let this process have the linkstr's device.
    NotPermitted,
    /// The linkstr's file is something else, or of another version.
    NotALink,
    /// The link has no place for another member.
    LinkFull,
    /// There is no room on the disk for the linkstr's file.
    NoSpace,
    /// The host has no more descriptors or threads to give.
    HostLimit,
    /// What the interface is connected to broke: its file was truncated, or cannot be read.
    Broken,
}

impl fmt::Display for IfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoInterface => "there is no such interface",
            Self::NoKind => "no component of this kernel makes interfaces of that kind",
            Self::Exists => "it exists already",
            Self::Invalid => "that makes no sense here",
            Self::Down => "the interface is not up",
            Self::Full => "the queue is full",
            Self::NotConnected => "the interface is not connected; set its linkstr",
            Self::Busy => "the interface is in use",
            Self::NoMemory => "the kernel's memory limit is reached",
            Self::NotSupported => "the interface cannot do that",
            Self::NoPath => "the linkstr's directory does not exist; make it first",
            Self::Denied => "the linkstr's file may not be read and written; see its permissions",
            Self::NotPermitted => {
                "the host does not permit the linkstr's device; the kernel's messages say more"
            }
            Self::NotALink => {
                "the linkstr's file is not a bus of this version; remove it or take another name"
            }
            Self::LinkFull => "every place on the bus is taken; use another bus",
            Self::NoSpace => "no room for the linkstr's file; free some space on its disk",
            Self::HostLimit => "the host has no more descriptors or threads; raise its limits",
            Self::Broken => "the linkstr's file was truncated or is unreadable; set it again",
        })
    }
}

impl core::error::Error for IfError {}

impl From<NoMemory> for IfError {
    fn from(_: NoMemory) -> Self {
        IfError::NoMemory
    }
}

impl From<base::Gone> for IfError {
    fn from(_: base::Gone) -> Self {
        IfError::NoInterface
    }
}

impl From<IfError> for Errno {
    fn from(e: IfError) -> Errno {
        match e {
            IfError::NoInterface => Errno::NoDevice,
            IfError::NoKind | IfError::Invalid => Errno::Invalid,
            IfError::Exists => Errno::Exists,
            IfError::Down => Errno::NetDown,
            IfError::Full | IfError::NoMemory => Errno::NoBuffers,
            IfError::NotConnected => Errno::NetDown,
            IfError::Busy => Errno::Busy,
            IfError::NotSupported => Errno::NotSupported,
            IfError::NoPath => Errno::NoEntry,
            IfError::Denied => Errno::AccessDenied,
            IfError::NotPermitted => Errno::NotPermitted,
            IfError::NotALink => Errno::Invalid,
            IfError::LinkFull => Errno::Busy,
            IfError::NoSpace => Errno::NoSpace,
            IfError::HostLimit => Errno::TooManyFiles,
            IfError::Broken => Errno::Io,
        }
    }
}

/// What an interface's driver does.
#[allow(unused_variables)]
pub trait IfDriver: Send + Sync {
    /// Sends a frame, whole. May not block. Of what it cannot send it says why, and drops it.
    fn transmit(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>, frame: Packet) -> Result<(), IfError>;

    /// Sends a packet on an interface without link headers.
    fn transmit_bare(
        &self,
        cx: &Cx<'_>,
        ifp: &KArc<Ifnet>,
        ethertype: EtherType,
        packet: Packet,
    ) -> Result<(), IfError> {
        Err(IfError::NotSupported)
    }

    /// Connects the interface to what `linkstr` names; an empty one disconnects it.
    fn set_linkstr(
        &self,
        l: &mut Lwp<'_>,
        ifp: &KArc<Ifnet>,
        linkstr: &str,
    ) -> Result<(), IfError> {
        Err(IfError::NotSupported)
    }

    /// Calls `show` with what the interface is connected to, if it is.
    fn linkstr(&self, cx: &Cx<'_>, show: &mut dyn FnMut(&str)) {}

    /// The interface came up or went down.
    fn flags_changed(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>) {}

    /// The interface is being destroyed: no interrupt of it runs after this.
    fn detach(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {}

    /// Answers a request that is the driver's own: its number, and memory that begins with the
    /// interface's name.
    fn request(
        &self,
        l: &mut Lwp<'_>,
        ifp: &KArc<Ifnet>,
        number: u32,
        data: &mut [u8],
    ) -> Result<(), Errno> {
        Err(Errno::NotTerminal)
    }

    /// The interface whose link this one shares, if its frames travel inside of that one's.
    fn parent(&self, cx: &Cx<'_>) -> Option<KArc<Ifnet>> {
        None
    }

    /// Whether the interface may have this MTU now, which is one that the driver can send.
    fn check_mtu(&self, cx: &Cx<'_>, mtu: u32) -> Result<(), IfError> {
        Ok(())
    }

    /// The largest MTU that the driver can send.
    fn max_mtu(&self) -> u32 {
        65_535
    }
}

/// An address of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IfAddr {
    /// The address.
    pub addr: IpAddr,
    /// How many of its first bits name the network.
    pub prefix: u8,
}

/// An interface's counters.
#[derive(Default)]
#[allow(missing_docs)]
pub struct IfCounters {
    pub ipackets: Counter,
    pub ibytes: Counter,
    pub imcasts: Counter,
    pub ierrors: Counter,
    pub iqdrops: Counter,
    pub noproto: Counter,
    pub opackets: Counter,
    pub obytes: Counter,
    pub omcasts: Counter,
    pub oerrors: Counter,
    pub oqdrops: Counter,
}

/// The longest name of an interface, in bytes (Linux's IFNAMSIZ less the final zero).
pub const NAME_MAX: usize = 15;

/// An interface.
pub struct Ifnet {
    // ---- set once ----
    name: IfName,
    index: u32,
    kind: IfKind,
    driver: KBox<dyn IfDriver>,
    // ---- words ----
    flags: AtomicU32,
    mtu: AtomicU32,
    lladdr: AtomicU64,
    tapped: AtomicBool,
    unfinished_max: AtomicU32,
    /// Whether there is a link with character; beside `tapped`, which is looked at anyway.
    pub(crate) shaped: AtomicBool,
    /// A bit for each place that somebody stands on.
    standing: AtomicU8,
    /// How many want all frames.
    promiscuous: AtomicU32,
    gone: AtomicBool,
    /// What it did.
    pub counters: IfCounters,
    // ---- locked ----
    addrs: IntrMutex<KVec<IfAddr>>,
    taps: IntrMutex<KVec<KArc<dyn Tap>>>,
    pub(crate) link: IntrMutex<Option<KBox<Port>>>,
    uppers: IntrMutex<[Option<KArc<dyn Upper>>; upper::PLACES]>,
}

/// An interface's name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct IfName {
    bytes: [u8; NAME_MAX],
    len: u8,
}

impl IfName {
    /// The name `text`, if it can be one: 1 to 15 bytes of letters, digits, `.`, `_`, `-`.
    pub fn new(text: &str) -> Option<IfName> {
        let ok = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        if text.is_empty() || !text.bytes().all(ok) {
            return None;
        }
        let mut bytes = [0; NAME_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(IfName { bytes, len: text.len() as u8 })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Ifnet {
    /// The name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The index, from 1; never given to another interface of the same kernel.
    #[inline]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// What is below.
    #[inline]
    pub fn kind(&self) -> IfKind {
        self.kind
    }

    /// The driver.
    pub fn driver(&self) -> &dyn IfDriver {
        &**self.driver
    }

    /// The flags.
    #[inline]
    pub fn flags(&self) -> IfFlags {
        IfFlags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// Sets and clears flags. For drivers; users go through [`config`].
    pub fn change_flags(&self, set: IfFlags, clear: IfFlags) {
        self.flags.fetch_or(set.bits(), Ordering::Relaxed);
        self.flags.fetch_and(!clear.bits(), Ordering::Relaxed);
    }

    /// The largest packet, in bytes, link header not counted.
    #[inline]
    pub fn mtu(&self) -> u32 {
        self.mtu.load(Ordering::Relaxed)
    }

    /// Sets it. For drivers; users go through [`config`].
    pub fn set_mtu(&self, mtu: u32) {
        self.mtu.store(mtu, Ordering::Relaxed);
    }

    /// The link address; zero where there is none.
    #[inline]
    pub fn lladdr(&self) -> MacAddr {
        let [_, _, m @ ..] = self.lladdr.load(Ordering::Relaxed).to_be_bytes();
        MacAddr(m)
    }

    /// Sets it.
    pub fn set_lladdr(&self, mac: MacAddr) {
        let [a, b, c, d, e, f] = mac.0;
        self.lladdr.store(u64::from_be_bytes([0, 0, a, b, c, d, e, f]), Ordering::Relaxed);
    }

    /// The longest packet that its driver takes unfinished, in bytes ([`crate::offload`]); 0: none.
    #[inline]
    pub fn unfinished_max(&self) -> usize {
        self.unfinished_max.load(Ordering::Relaxed) as usize
    }

    /// Sets it. For drivers whose frames stay in the machine's memory.
    pub fn set_unfinished_max(&self, bytes: u32) {
        self.unfinished_max.store(bytes, Ordering::Relaxed);
    }

    /// Whether the interface was destroyed; who still holds it should let go.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Whether anybody stands on it ([`upper`]).
    #[inline]
    pub(crate) fn is_stood_on(&self) -> bool {
        self.standing.load(Ordering::Relaxed) != 0
    }

    /// The addresses.
    pub fn addrs<'a>(&'a self, cx: &'a Cx<'_>) -> base::lock::IntrGuard<'a, KVec<IfAddr>> {
        self.addrs.lock(cx)
    }

    /// Shows a packet to those who capture; costs one look where there is nobody.
    #[inline]
    pub fn tap(&self, cx: &Cx<'_>, frame: &Packet) {
        if self.tapped.load(Ordering::Relaxed) {
            self.tap_slow(cx, frame);
        }
    }

    #[cold]
    fn tap_slow(&self, cx: &Cx<'_>, frame: &Packet) {
        for tap in self.taps.lock(cx).iter() {
            tap.packet(cx, self, frame);
        }
    }
}

/// One more (or one less) who wants all frames on the link of `ifp`, those for others, too.
#[doc(alias = "ifpromisc")]
pub fn promiscuous(cx: &Cx<'_>, ifp: &KArc<Ifnet>, on: bool) {
    let before = match on {
        true => ifp.promiscuous.fetch_add(1, Ordering::Relaxed),
        false => ifp.promiscuous.fetch_sub(1, Ordering::Relaxed),
    };
    let (set, clear) = match (on, before) {
        (true, 0) => (IfFlags::PROMISC, IfFlags::empty()),
        (false, 1) => (IfFlags::empty(), IfFlags::PROMISC),
        _ => return,
    };
    ifp.change_flags(set, clear);
    ifp.driver.flags_changed(cx, ifp);
}

/// Sends a frame on `ifp`, link header included, and counts it.
#[inline]
pub fn transmit(cx: &Cx<'_>, ifp: &KArc<Ifnet>, frame: Packet) -> Result<(), IfError> {
    ifp.tap(cx, &frame);
    if ifp.shaped.load(Ordering::Relaxed) {
        return link::output(cx, ifp, frame, None);
    }
    if !frame.unfinished().is_empty() && frame.len() > ifp.unfinished_max() {
        let most = ifp.unfinished_max();
        let emit = &mut |frame| hand_over(cx, ifp, frame, None);
        return offload::finish_frame(cx, frame, most, emit);
    }
    hand_over(cx, ifp, frame, None)
}

/// Sends a packet on an interface without link headers, and counts it.
pub fn transmit_bare(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    ethertype: EtherType,
    packet: Packet,
) -> Result<(), IfError> {
    if !ifp.flags().contains(IfFlags::UP) {
        ifp.counters.oerrors.inc(cx);
        return Err(IfError::Down);
    }
    ifp.tap(cx, &packet);
    if ifp.shaped.load(Ordering::Relaxed) {
        return link::output(cx, ifp, packet, Some(ethertype));
    }
    hand_over(cx, ifp, packet, Some(ethertype))
}

/// Gives a packet to the driver, and counts it. One with a type has no link header.
#[inline]
pub(crate) fn hand_over(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    packet: Packet,
    bare: Option<EtherType>,
) -> Result<(), IfError> {
    let len = packet.len() as u64;
    let sent = match bare {
        None => ifp.driver.transmit(cx, ifp, packet),
        Some(ethertype) => ifp.driver.transmit_bare(cx, ifp, ethertype, packet),
    };
    match sent {
        Ok(()) => {
            ifp.counters.opackets.inc(cx);
            ifp.counters.obytes.add(cx, len);
        }
        Err(IfError::Full) => ifp.counters.oqdrops.inc(cx),
        Err(_) => ifp.counters.oerrors.inc(cx),
    }
    sent
}

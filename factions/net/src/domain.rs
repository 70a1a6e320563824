//! Protocol families: what a component adds to make one.
//!
//! * [`Domain`] (`domain!`): a family, and what it does about interfaces and addresses.
//!
//! Locking: called with `Rank::Config` held, by who changes an interface.
//! Sources: NetBSD sys/domain.h.

use core::net::IpAddr;

use base::{Cx, Errno, KArc, Lwp};
use linkme::distributed_slice;

use crate::ifnet::{IfAddr, IfError, Ifnet};

/// IPv4, with Linux's number.
pub const AF_INET: u16 = 2;
/// IPv6, with Linux's number.
pub const AF_INET6: u16 = 10;
/// Link layer, with Linux's number (AF_PACKET).
pub const AF_LINK: u16 = 17;

/// A protocol family.
pub struct Domain {
    /// Its number, Linux's.
    pub family: u16,
    /// Its name.
    pub name: &'static str,
    /// The component that it belongs to.
    pub component: &'static str,
    /// Whether an interface may have the address.
    pub check_address: fn(addr: IfAddr) -> Result<(), IfError>,
    /// Whether this kernel has the address, on any interface.
    pub is_local: fn(cx: &Cx<'_>, addr: IpAddr) -> bool,
    /// An interface got an address: makes the routes that follow from it.
    pub address_added: fn(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>, addr: IfAddr) -> Result<(), IfError>,
    /// The interface is up with the address: tells the neighbours.
    pub address_up: fn(cx: &Cx<'_>, ifp: &KArc<Ifnet>, addr: IfAddr),
    /// An interface was taken down: forgets what was learnt of its neighbours.
    pub interface_down: fn(cx: &Cx<'_>, ifp: &KArc<Ifnet>),
    /// An address was taken away: takes its routes away.
    pub address_removed: fn(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>, addr: IfAddr),
    /// An interface is going: lets go of it.
    pub interface_gone: fn(l: &mut Lwp<'_>, ifp: &KArc<Ifnet>),
    /// Answers a request of the family's own on one of its sockets; `NotTerminal` if it is none.
    pub ioctl: fn(l: &mut Lwp<'_>, request: u32, data: &mut [u8]) -> Result<(), Errno>,
}

/// The families of all components in this binary.
#[distributed_slice]
pub static DOMAINS: [Domain];

/// Registers a [`Domain`]: `net::domain! { static NAME = Domain { … }; }`.
#[macro_export]
macro_rules! domain {
    ($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;) => {
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::domain::DOMAINS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::domain::Domain = $value;
    };
}

/// The families of this kernel.
pub(crate) fn of<'k>(cx: &Cx<'k>) -> impl Iterator<Item = &'static Domain> + use<'k> {
    let has = cx.components();
    DOMAINS.iter().filter(move |d| has.has(d.component))
}

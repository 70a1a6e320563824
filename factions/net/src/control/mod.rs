//! What ifconfig and route ask through a socket: each request does a whole job.
//!
//! * [`request`]: numbers, which say how much memory goes which way.  * [`layout`]: that memory.
//!
//! CONTROL.md, beside the code, has all of it in one table. What belongs to one family (ARP) is
//! answered by its [`crate::domain::Domain::ioctl`].
//!
//! Locking: none held. Sources: NetBSD sys/sockio.h (names and numbers); netintro(4).

mod interface;
pub mod layout;
mod link;
mod route;

use base::{Errno, Lwp};

use crate::ifnet::config;

use request as r;

/// Request numbers: NetBSD's letters and numbers, Linux's encoding, sizes of our layouts.
#[allow(missing_docs)]
pub mod request {
    use base::file::request::{read, read_write, write};
    use core::mem::size_of;

    use super::layout::{AddrReq, AliasReq, LinkReq, LinkstrReq, Name, RouteReq};

    pub const SIOCIFCREATE: u32 = write(b'i', 122, size_of::<Name>());
    pub const SIOCIFDESTROY: u32 = write(b'i', 121, size_of::<Name>());
    pub const SIOCGLINKSTR: u32 = read_write(b'i', 135, size_of::<LinkstrReq>());
    pub const SIOCSLINKSTR: u32 = write(b'i', 136, size_of::<LinkstrReq>());
    /// Ours: the character of the link.
    pub const SIOCGLINK: u32 = read_write(b'i', 190, size_of::<LinkReq>());
    /// Ours: changes it.
    pub const SIOCSLINK: u32 = write(b'i', 191, size_of::<LinkReq>());
    pub const SIOCDIFADDR: u32 = write(b'i', 25, size_of::<AddrReq>());
    pub const SIOCAIFADDR: u32 = write(b'i', 26, size_of::<AliasReq>());
    /// Ours: as SIOCAIFADDR, in the place of the first address.
    pub const SIOCRIFADDR: u32 = write(b'i', 27, size_of::<AliasReq>());
    pub const SIOCADDRT: u32 = write(b'r', 10, size_of::<RouteReq>());
    pub const SIOCDELRT: u32 = write(b'r', 11, size_of::<RouteReq>());
    /// Ours: the route that packets to an address take.
    pub const SIOCGETRT: u32 = read_write(b'r', 12, size_of::<RouteReq>());
    /// Ours: deletes all routes that users made; says how many.
    pub const SIOCFLUSHRT: u32 = read(b'r', 13, size_of::<u32>());

    /// Whether it is about one interface, and for its driver: such memory begins with a name.
    pub(crate) fn is_driver_s(number: u32) -> bool {
        number >> 8 & 0xff == u32::from(b'i') && number & 0xff >= DRIVERS
    }

    /// The first number (of letter `i`) of those that drivers have.
    pub const DRIVERS: u32 = 192;
}

type Change = fn(l: &mut Lwp<'_>, data: &mut [u8]) -> Result<(), Errno>;

/// Answers a request; false if it is none of these.
pub(crate) fn ioctl(l: &mut Lwp<'_>, number: u32, data: &mut [u8]) -> Result<bool, Errno> {
    let change: Change = match number {
        r::SIOCGLINKSTR => return interface::linkstr(l, data).map(|()| true),
        r::SIOCGLINK => return link::get(l, data).map(|()| true),
        r::SIOCGETRT => return route::get(l, data).map(|()| true),
        r::SIOCIFCREATE => interface::create,
        r::SIOCIFDESTROY => interface::destroy,
        r::SIOCSLINKSTR => interface::set_linkstr,
        r::SIOCSLINK => link::set,
        r::SIOCDIFADDR => interface::delete_addr,
        r::SIOCAIFADDR => interface::alias_addr,
        r::SIOCRIFADDR => interface::replace_addr,
        r::SIOCADDRT => route::add,
        r::SIOCDELRT => route::delete,
        r::SIOCFLUSHRT => route::flush,
        n if r::is_driver_s(n) => {
            return own(l, number, data).map(|()| true);
        }
        _ => return Ok(false),
    };
    if !l.proc().is_root(l) {
        return Err(Errno::NotPermitted);
    }
    change(l, data).map(|()| true)
}

/// A request that a driver of interfaces answers; all of them are changes.
fn own(l: &mut Lwp<'_>, number: u32, data: &mut [u8]) -> Result<(), Errno> {
    if !l.proc().is_root(l) {
        return Err(Errno::NotPermitted);
    }
    let name = data.first_chunk().map(|name| layout::Name(*name)).ok_or(Errno::Invalid)?;
    config::request(l, name.text()?, number, data)
}

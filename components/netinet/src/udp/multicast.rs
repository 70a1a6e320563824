//! Options of sockets about groups.
//!
//! * [`Multicast::set`], [`Multicast::get`]: IP_ADD_MEMBERSHIP and its like, with Linux's layouts.
//! * [`Multicast::leave_all`]: the socket is closed.
//!
//! Locking: words; `Rank::Proto` for memberships. Sources: RFC 1112 §6.1, §7.1; Linux ip(7).

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

use base::{Cx, KArc};
use net::Ifnet;
use net::ifnet::config;
use net::socket::options::{int, put_int};
use net::socket::{SockError, Socket};

use crate::arp::local;
use crate::component::IGMP;
use crate::ip::way::{self, Out};

const IP_MULTICAST_IF: i32 = 32;
const IP_MULTICAST_TTL: i32 = 33;
const IP_MULTICAST_LOOP: i32 = 34;
const IP_ADD_MEMBERSHIP: i32 = 35;
const IP_DROP_MEMBERSHIP: i32 = 36;

/// Packets for a group stay on the link unless the program says otherwise (RFC 1112 §6.1).
const TTL: u8 = 1;

/// What a socket wants of packets for a group.
pub(crate) struct Multicast {
    /// 0: not beyond this kernel.
    ttl: AtomicU8,
    loops: AtomicBool,
    /// It has been in a group.
    joined: AtomicBool,
    /// The index of the interface to send by; 0: any.
    out_if: AtomicU32,
}

impl Default for Multicast {
    fn default() -> Self {
        Self {
            ttl: AtomicU8::new(TTL),
            loops: AtomicBool::new(true),
            joined: AtomicBool::new(false),
            out_if: AtomicU32::new(0),
        }
    }
}

/// A program's ip_mreq, ip_mreqn, or in_addr alone.
struct Mreq {
    group: Ipv4Addr,
    addr: Ipv4Addr,
    index: u32,
}

impl Mreq {
    fn parse(value: &[u8]) -> Result<Mreq, SockError> {
        let (group, rest) = value.split_first_chunk::<4>().ok_or(SockError::Invalid)?;
        let (addr, rest) = rest.split_first_chunk::<4>().ok_or(SockError::Invalid)?;
        let index = rest.first_chunk().map_or(0, |index| u32::from_ne_bytes(*index));
        Ok(Mreq { group: (*group).into(), addr: (*addr).into(), index })
    }

    /// The interface that is meant, if one is.
    fn interface(&self, cx: &Cx<'_>) -> Result<Option<KArc<Ifnet>>, SockError> {
        if self.index != 0 {
            return config::by_index(cx, self.index).map(Some).map_err(|_| SockError::NoInterface);
        }
        if self.addr.is_unspecified() {
            return Ok(None);
        }
        let is_it = |ifp: &KArc<Ifnet>| ifp.addrs(cx).iter().any(|a| a.addr == self.addr);
        config::list(cx).find(is_it).map(Some).ok_or(SockError::NoInterface)
    }
}

impl Multicast {
    /// Sets an option; `None` if it is none of these.
    pub(crate) fn set(
        &self,
        cx: &Cx<'_>,
        so: &KArc<Socket>,
        name: i32,
        value: &[u8],
    ) -> Option<Result<(), SockError>> {
        Some(match name {
            IP_MULTICAST_IF => self.set_interface(cx, so, value),
            IP_MULTICAST_TTL => word(value).and_then(|n| {
                let ttl = if n == -1 { Ok(TTL) } else { u8::try_from(n) };
                self.ttl.store(ttl.map_err(|_| SockError::Invalid)?, Ordering::Relaxed);
                Ok(())
            }),
            IP_MULTICAST_LOOP => word(value).map(|n| self.loops.store(n != 0, Ordering::Relaxed)),
            IP_ADD_MEMBERSHIP => self.join(cx, so, value),
            IP_DROP_MEMBERSHIP => self.leave(cx, so, value),
            _ => return None,
        })
    }

    /// Reads one; `None` if it is none of these.
    pub(crate) fn get(&self, cx: &Cx<'_>, name: i32, out: &mut [u8]) -> Option<usize> {
        Some(match name {
            IP_MULTICAST_IF => {
                let ifp = config::by_index(cx, self.out_if.load(Ordering::Relaxed)).ok();
                let addr = ifp.and_then(|ifp| ifp.addrs(cx).iter().find_map(local::of));
                let addr = addr.map_or(Ipv4Addr::UNSPECIFIED, |local| local.addr);
                out.iter_mut().zip(addr.octets()).map(|(to, from)| *to = from).count()
            }
            IP_MULTICAST_TTL => put_int(out, self.ttl().into()),
            IP_MULTICAST_LOOP => put_int(out, self.loops.load(Ordering::Relaxed).into()),
            _ => return None,
        })
    }

    pub(crate) fn ttl(&self) -> u8 {
        self.ttl.load(Ordering::Relaxed)
    }

    /// Which way packets of `so` leave.
    pub(crate) fn out(&self, so: &Socket) -> Out {
        let (group_if, loops) = (&self.out_if, &self.loops);
        Out {
            device: so.device(),
            group_if: group_if.load(Ordering::Relaxed),
            loops: loops.load(Ordering::Relaxed),
        }
    }

    fn set_interface(&self, cx: &Cx<'_>, so: &Socket, value: &[u8]) -> Result<(), SockError> {
        let mreq = match value.first_chunk::<4>() {
            Some(addr) if value.len() < 8 => {
                Mreq { group: Ipv4Addr::UNSPECIFIED, addr: (*addr).into(), index: 0 }
            }
            _ => Mreq::parse(value)?,
        };
        let ifp = mreq.interface(cx).map_err(|_| SockError::AddrNotAvailable)?;
        let index = ifp.map_or(0, |ifp| ifp.index());
        // Linux: a socket that is bound to an interface sends by no other.
        if index != 0 && ![0, index].contains(&so.device()) {
            return Err(SockError::Invalid);
        }
        self.out_if.store(index, Ordering::Relaxed);
        Ok(())
    }

    fn join(&self, cx: &Cx<'_>, so: &KArc<Socket>, value: &[u8]) -> Result<(), SockError> {
        let mreq = Mreq::parse(value)?;
        if !mreq.group.is_multicast() {
            return Err(SockError::Invalid);
        }
        let ifp = match mreq.interface(cx)? {
            Some(ifp) => ifp,
            None => way::interface_for(cx, mreq.group).ok_or(SockError::NoInterface)?,
        };
        self.joined.store(true, Ordering::Relaxed);
        cx.get(&IGMP).join(cx, so, &ifp, mreq.group)?;
        if config::by_index(cx, ifp.index()).is_err() {
            // It has gone in the meantime.
            cx.get(&IGMP).remove_interface(cx, ifp.index());
            return Err(SockError::NoInterface);
        }
        Ok(())
    }

    fn leave(&self, cx: &Cx<'_>, so: &Socket, value: &[u8]) -> Result<(), SockError> {
        let mreq = Mreq::parse(value)?;
        if !mreq.group.is_multicast() {
            return Err(SockError::Invalid);
        }
        let index = mreq.interface(cx)?.map(|ifp| ifp.index());
        let was = cx.get(&IGMP).leave(cx, so, index, mreq.group);
        if was { Ok(()) } else { Err(SockError::AddrNotAvailable) }
    }

    /// The socket is closed.
    pub(crate) fn leave_all(&self, cx: &Cx<'_>, so: &Socket) {
        if self.joined.load(Ordering::Relaxed) {
            cx.get(&IGMP).leave_all(cx, so);
        }
    }
}

/// A byte will do where the value fits one, as programs from BSD have it.
pub(super) fn word(value: &[u8]) -> Result<i32, SockError> {
    match value {
        [byte] => Ok(i32::from(*byte)),
        _ => int(value),
    }
}

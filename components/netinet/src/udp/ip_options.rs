//! Options of level IPPROTO_IP that datagram and raw sockets have.
//!
//! * [`IpOptions::set`], [`IpOptions::get`]; [`IpOptions::send`] puts them into a header.
//!
//! Locking: words. Sources: RFC 1122 §4.1.4 (TTL and TOS are the program's to say); Linux ip(7).

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use base::{Cx, KArc};
use net::socket::options::put_int;
use net::socket::{SockError, SockFlags, Socket};

use super::multicast::{Multicast, word};
use crate::ip::output::Send;
use crate::ip::way::{self, Out};

/// The level.
pub(crate) const IPPROTO_IP: i32 = 0;

const IP_TOS: i32 = 1;
const IP_TTL: i32 = 2;
const IP_HDRINCL: i32 = 3;
const IP_PKTINFO: i32 = 8;
const IP_RECVTTL: i32 = 12;
const IP_RECVTOS: i32 = 13;
const IP_MTU: i32 = 14;
const IP_MTU_DISCOVER: i32 = 10;

/// IP_MTU_DISCOVER: packets are cut as need be, and never.
const PMTUDISC_DONT: i32 = 0;
const PMTUDISC_DO: i32 = 2;

/// What a socket wants in the headers of its packets.
#[derive(Default)]
pub(crate) struct IpOptions {
    /// 0: the kernel's default.
    ttl: AtomicU8,
    tos: AtomicU8,
    dont_fragment: AtomicBool,
    header_included: AtomicBool,
    pub(crate) multicast: Multicast,
}

impl IpOptions {
    /// Sets an option of `so`.
    pub(crate) fn set(
        &self,
        cx: &Cx<'_>,
        so: &KArc<Socket>,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), SockError> {
        if level != IPPROTO_IP {
            return Err(SockError::NoOption);
        }
        // A stream has one peer.
        if !is_stream(so)
            && let Some(done) = self.multicast.set(cx, so, name, value)
        {
            return done;
        }
        let n = word(value)?;
        let byte = u8::try_from(n).map_err(|_| SockError::Invalid);
        match name {
            IP_TOS => self.tos.store(byte?, Ordering::Relaxed),
            // -1 is the kernel's default; no packet leaves with 0 (RFC 1122 §3.2.1.7).
            IP_TTL if n == -1 => self.ttl.store(0, Ordering::Relaxed),
            IP_TTL if n == 0 => return Err(SockError::Invalid),
            IP_TTL => self.ttl.store(byte?, Ordering::Relaxed),
            IP_MTU_DISCOVER => match n {
                PMTUDISC_DONT => self.dont_fragment.store(false, Ordering::Relaxed),
                PMTUDISC_DO => self.dont_fragment.store(true, Ordering::Relaxed),
                _ => return Err(SockError::Invalid),
            },
            IP_HDRINCL if is_raw(so) => self.header_included.store(n != 0, Ordering::Relaxed),
            IP_PKTINFO => so.state(cx).flags.set(SockFlags::PKTINFO, n != 0),
            // What tells of single messages means nothing of a stream.
            IP_RECVTTL if !is_stream(so) => so.state(cx).flags.set(SockFlags::RECVTTL, n != 0),
            IP_RECVTOS if !is_stream(so) => so.state(cx).flags.set(SockFlags::RECVTOS, n != 0),
            _ => return Err(SockError::NoOption),
        }
        Ok(())
    }

    /// Reads an option of `so`, which may have a peer, into `out`; says how long it is.
    pub(crate) fn get(
        &self,
        cx: &Cx<'_>,
        so: &Socket,
        peer: Option<Ipv4Addr>,
        (level, name): (i32, i32),
        out: &mut [u8],
    ) -> Result<usize, SockError> {
        if level != IPPROTO_IP {
            return Err(SockError::NoOption);
        }
        if let Some(len) = self.multicast.get(cx, name, out) {
            return Ok(len);
        }
        let n = match name {
            IP_TOS => self.tos.load(Ordering::Relaxed).into(),
            IP_TTL => match self.ttl.load(Ordering::Relaxed) {
                0 => cx.get(&crate::component::INET).default_ttl().into(),
                ttl => ttl.into(),
            },
            IP_MTU_DISCOVER if self.dont_fragment.load(Ordering::Relaxed) => PMTUDISC_DO,
            IP_MTU_DISCOVER => PMTUDISC_DONT,
            IP_HDRINCL if is_raw(so) => self.includes_header().into(),
            IP_PKTINFO => so.flags(cx).contains(SockFlags::PKTINFO).into(),
            IP_RECVTTL if !is_stream(so) => so.flags(cx).contains(SockFlags::RECVTTL).into(),
            IP_RECVTOS if !is_stream(so) => so.flags(cx).contains(SockFlags::RECVTOS).into(),
            IP_MTU => {
                let peer = peer.ok_or(SockError::NotConnected)?;
                let route = way::to_host(cx, peer, so.device());
                route.map_or(0, |r| i32::try_from(r.ifp.mtu()).unwrap_or(i32::MAX))
            }
            _ => return Err(SockError::NoOption),
        };
        Ok(put_int(out, n))
    }

    /// Takes over what a listening socket has for its connections.
    pub(crate) fn inherit(&self, from: &IpOptions) {
        self.ttl.store(from.ttl.load(Ordering::Relaxed), Ordering::Relaxed);
        self.tos.store(from.tos.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Whether the socket's packets come with their IP header.
    pub(crate) fn includes_header(&self) -> bool {
        self.header_included.load(Ordering::Relaxed)
    }

    /// Which way packets of `so` leave.
    pub(crate) fn out(&self, so: &Socket) -> Out {
        self.multicast.out(so)
    }

    /// What the header of a packet shall say.
    pub(crate) fn send(
        &self,
        cx: &Cx<'_>,
        so: &Socket,
        src: Option<Ipv4Addr>,
        dst: Ipv4Addr,
        protocol: u8,
    ) -> Send {
        let ttl = self.ttl.load(Ordering::Relaxed);
        Send {
            src,
            dst,
            protocol,
            ttl: if dst.is_multicast() { self.multicast.ttl() } else { ttl },
            tos: self.tos.load(Ordering::Relaxed),
            dont_fragment: self.dont_fragment.load(Ordering::Relaxed),
            broadcast_ok: so.flags(cx).contains(SockFlags::BROADCAST),
            out: self.out(so),
        }
    }
}

fn is_raw(so: &Socket) -> bool {
    so.proto().kind == net::socket::SockType::Raw
}

fn is_stream(so: &Socket) -> bool {
    so.proto().kind == net::socket::SockType::Stream
}

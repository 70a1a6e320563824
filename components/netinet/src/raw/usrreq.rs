//! What calls on a raw socket do.
//!
//! A packet is sent with a header of the kernel's, or with the caller's (IP_HDRINCL), in which the
//! kernel fills in length and checksum, and identification and source where they are zero. What is
//! received has its IP header, always.
//!
//! Locking: `Rank::Pcbs` for each look at the list; none while a packet is sent.
//! Sources: NetBSD raw_ip.c (rip_output); Linux raw(7).

use core::net::{Ipv4Addr, SocketAddr};

use base::vm::kmem;
use base::{Cx, KArc, Lwp};
use net::Packet;
use net::socket::{Connecting, MsgFlags, Shutdown, SockError, SockFlags, Socket, UsrReqs};
use zerocopy::FromBytes;

use crate::component::{INET, RAW};
use crate::ip::{output, way};
use crate::udp::ip_options::IpOptions;
use crate::udp::pcbs::{destination, inet, may_have, v4};
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN};

/// The raw protocol's side of a socket.
pub(crate) struct RawPcb {
    so: KArc<Socket>,
    id: u64,
    options: IpOptions,
}

/// Makes it.
pub(crate) fn attach(cx: &Cx<'_>, so: &KArc<Socket>) -> Result<KArc<dyn UsrReqs>, SockError> {
    let raw = cx.get(&RAW);
    let id = raw.insert(cx, so)?;
    let pcb = RawPcb { so: so.clone(), id, options: IpOptions::default() };
    match kmem::arc(cx, pcb) {
        Ok(pcb) => Ok(pcb),
        Err(e) => {
            raw.remove(cx, id);
            Err(e.into())
        }
    }
}

impl RawPcb {
    /// Its own address and its peer's.
    fn addrs(&self, cx: &Cx<'_>) -> (Ipv4Addr, Option<Ipv4Addr>) {
        let addrs = cx.get(&RAW).with(cx, self.id, |e| (e.local, e.peer));
        addrs.unwrap_or((Ipv4Addr::UNSPECIFIED, None))
    }

    /// Sends a packet that has its header.
    fn send_whole(&self, cx: &Cx<'_>, mut packet: Packet, dst: Ipv4Addr) -> Result<(), SockError> {
        let total = u16::try_from(packet.len()).map_err(|_| SockError::MessageSize)?;
        let first = packet.pullup(1).and_then(|b| b.first().copied()).ok_or(SockError::Invalid)?;
        let head = packet.pullup(Ipv4Header::contiguous(first)).ok_or(SockError::Invalid)?;
        let Some((fixed, options)) = head.split_at_mut_checked(MIN_HEADER_LEN) else {
            return Err(SockError::Invalid);
        };
        let (header, _) = Ipv4Header::mut_from_prefix(fixed).map_err(|_| SockError::Invalid)?;
        if first >> 4 != 4 || header.header_len() < MIN_HEADER_LEN {
            return Err(SockError::Invalid);
        }
        let out = self.options.out(&self.so);
        header.set_total_len(total);
        if header.id() == 0 {
            header.set_id(cx.get(&INET).new_id(cx));
        }
        if header.src().is_unspecified() {
            header.set_src(way::source(cx, dst, out)?);
        }
        header.set_checksum(options);
        let broadcast_ok = self.so.flags(cx).contains(SockFlags::BROADCAST);
        Ok(output::send_whole(cx, packet, broadcast_ok, out)?)
    }
}

impl UsrReqs for RawPcb {
    fn bind(&self, l: &mut Lwp<'_>, addr: SocketAddr) -> Result<(), SockError> {
        let addr = *inet(addr)?.ip();
        if !may_have(l, addr) {
            return Err(SockError::AddrNotAvailable);
        }
        l.get(&RAW).with(l, self.id, |e| e.local = addr)
    }

    fn connect(&self, l: &mut Lwp<'_>, to: SocketAddr) -> Result<Connecting, SockError> {
        let to = *destination(to)?.ip();
        l.get(&RAW).with(l, self.id, |e| e.peer = Some(to))?;
        Ok(Connecting::Done)
    }

    fn disconnect(&self, l: &mut Lwp<'_>) -> Result<(), SockError> {
        l.get(&RAW).with(l, self.id, |e| e.peer = None)
    }

    fn shutdown(&self, l: &mut Lwp<'_>, _: Shutdown) -> Result<(), SockError> {
        self.addrs(l).1.map(|_| ()).ok_or(SockError::NotConnected)
    }

    fn send(
        &self,
        l: &mut Lwp<'_>,
        data: Packet,
        to: Option<SocketAddr>,
        _: MsgFlags,
    ) -> Result<(), SockError> {
        let (local, peer) = self.addrs(l);
        let dst = match to {
            Some(to) => *destination(to)?.ip(),
            None => peer.ok_or(SockError::DestinationRequired)?,
        };
        if self.options.includes_header() {
            self.send_whole(l, data, dst)?;
        } else {
            let src = (!local.is_unspecified()).then_some(local);
            let how = self.options.send(l, &self.so, src, dst, self.so.protocol());
            output::send(l, data, &how)?;
        }
        l.get(&RAW).sent.inc(l);
        Ok(())
    }

    fn set_option(
        &self,
        l: &mut Lwp<'_>,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), SockError> {
        self.options.set(l, &self.so, level, name, value)
    }

    fn option(
        &self,
        l: &mut Lwp<'_>,
        level: i32,
        name: i32,
        out: &mut [u8],
    ) -> Result<usize, SockError> {
        let peer = self.peer_addr(l).and_then(v4);
        self.options.get(l, &self.so, peer, (level, name), out)
    }

    fn local_addr(&self, cx: &Cx<'_>) -> SocketAddr {
        SocketAddr::from((self.addrs(cx).0, 0))
    }

    fn peer_addr(&self, cx: &Cx<'_>) -> Option<SocketAddr> {
        self.addrs(cx).1.map(|peer| SocketAddr::from((peer, 0)))
    }

    fn detach(&self, l: &mut Lwp<'_>) {
        self.options.multicast.leave_all(l, &self.so);
        l.get(&RAW).remove(l, self.id);
    }
}

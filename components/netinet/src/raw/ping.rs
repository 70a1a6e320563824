//! Ping sockets: ICMP echo without the superuser.
//!
//! A datagram socket of protocol ICMP: what is sent is an echo request, in which the kernel fills
//! in the identifier (the socket's "port") and the checksum; what is received are the answers to
//! it, without their IP header.
//!
//! Locking: `Rank::Pcbs`. Sources: RFC 792 (echo); Linux icmp(7), net/ipv4/ping.c for behaviour.

use core::net::{SocketAddr, SocketAddrV4};

use base::vm::kmem;
use base::{Cx, KArc, Lwp};
use net::Packet;
use net::socket::{Connecting, MsgFlags, Shutdown, SockError, Socket, UsrReqs};

use crate::checksum::Sum;
use crate::component::RAW;
use crate::icmp::{ErrorKind, QuotedFacts};
use crate::ip::{Facts, output};
use crate::udp::ip_options::IpOptions;
use crate::udp::pcbs::{destination, inet, v4};
use crate::udp::table::{Endpoint, Key};
use crate::wire::icmp::{HEADER_LEN, kind};
use crate::wire::ipv4::protocol;

/// ICMP's side of a ping socket.
pub(crate) struct PingPcb {
    so: KArc<Socket>,
    key: Key,
    options: IpOptions,
}

/// Makes it.
pub(crate) fn attach(cx: &Cx<'_>, so: &KArc<Socket>) -> Result<KArc<dyn UsrReqs>, SockError> {
    let pings = &cx.get(&RAW).pings;
    let key = pings.insert(cx, so)?;
    let pcb = PingPcb { so: so.clone(), key, options: IpOptions::default() };
    match kmem::arc(cx, pcb) {
        Ok(pcb) => Ok(pcb),
        Err(e) => {
            pings.remove(cx, key);
            Err(e.into())
        }
    }
}

/// The identifiers are ports of the table; a peer has none.
fn host(addr: SocketAddrV4) -> SocketAddrV4 {
    SocketAddrV4::new(*addr.ip(), 0)
}

/// Shows an ICMP message to the socket whose echo it answers; true if there is one.
pub(super) fn input(cx: &Cx<'_>, ip: &Facts, packet: &Packet, header_len: usize) -> bool {
    let raw = cx.get(&RAW);
    let inner = raw.pings.lock(cx);
    let mut head = [0; HEADER_LEN];
    if inner.table.len() == 0 || !packet.copy_to(header_len, &mut head) {
        return false;
    }
    let [kind::ECHO_REPLY, _, _, _, i0, i1, ..] = head else { return false };
    let id = u16::from_be_bytes([i0, i1]);
    let from = SocketAddrV4::new(ip.src, 0);
    let Some(so) = inner.table.lookup(ip.dst, id, from, ip.ifindex) else {
        return false;
    };
    let Ok(mut copy) = packet.duplicate(cx) else { return true };
    copy.pull(header_len);
    if Sum::of_pieces(copy.segments(), 0, usize::MAX).is_valid() {
        let from = SocketAddr::from((ip.src, 0));
        let delivered = so.deliver(cx, copy, from, ip.way());
        let counter = if delivered { &raw.delivered } else { &raw.full };
        counter.inc(cx);
    }
    true
}

/// An ICMP error about an echo request of ours.
pub(super) fn error(cx: &Cx<'_>, kind: ErrorKind, quoted: &QuotedFacts<'_>) {
    let [kind::ECHO, _, _, _, i0, i1, ..] = quoted.transport else { return };
    let id = u16::from_be_bytes([*i0, *i1]);
    let peer = SocketAddrV4::new(quoted.dst, 0);
    let inner = cx.get(&RAW).pings.lock(cx);
    if let Some(so) = inner.table.connected(quoted.src, id, peer, quoted.ifindex) {
        so.set_error(cx, kind.into());
    }
}

impl PingPcb {
    fn endpoint(&self, cx: &Cx<'_>) -> Endpoint {
        cx.get(&RAW).pings.endpoint(cx, self.key)
    }
}

impl UsrReqs for PingPcb {
    fn bind(&self, l: &mut Lwp<'_>, addr: SocketAddr) -> Result<(), SockError> {
        let raw = l.get(&RAW);
        raw.pings.bind_unreserved(l, self.key, &self.so, inet(addr)?, &raw.ids)
    }

    fn connect(&self, l: &mut Lwp<'_>, to: SocketAddr) -> Result<Connecting, SockError> {
        let raw = l.get(&RAW);
        let out = self.options.out(&self.so);
        raw.pings.connect(l, self.key, &self.so, (host(destination(to)?), out), &raw.ids)?;
        self.so.take_error(l);
        Ok(Connecting::Done)
    }

    fn disconnect(&self, l: &mut Lwp<'_>) -> Result<(), SockError> {
        let _ = l.get(&RAW).pings.disconnect(l, self.key);
        Ok(())
    }

    fn shutdown(&self, l: &mut Lwp<'_>, _: Shutdown) -> Result<(), SockError> {
        self.endpoint(l).peer.map(|_| ()).ok_or(SockError::NotConnected)
    }

    fn send(
        &self,
        l: &mut Lwp<'_>,
        mut data: Packet,
        to: Option<SocketAddr>,
        _: MsgFlags,
    ) -> Result<(), SockError> {
        let raw = l.get(&RAW);
        let to = match to {
            Some(to) => host(destination(to)?),
            None => self.endpoint(l).peer.ok_or(SockError::DestinationRequired)?,
        };
        let at = raw.pings.bound(l, self.key, &self.so, &raw.ids)?;
        let head = data.pullup(HEADER_LEN).ok_or(SockError::Invalid)?;
        let [message, code, sum0, sum1, id0, id1, ..] = head else {
            return Err(SockError::Invalid);
        };
        if (*message, *code) != (kind::ECHO, 0) {
            return Err(SockError::Invalid);
        }
        [*id0, *id1] = at.port.to_be_bytes();
        [*sum0, *sum1] = [0, 0];
        let sum = Sum::of_pieces(data.segments(), 0, usize::MAX);
        if let [_, _, sum0, sum1, ..] = data.head_mut() {
            [*sum0, *sum1] = sum.checksum().to_be_bytes();
        }
        let src = (!at.local.is_unspecified()).then_some(at.local);
        let how = self.options.send(l, &self.so, src, *to.ip(), protocol::ICMP);
        output::send(l, data, &how)?;
        raw.sent.inc(l);
        Ok(())
    }

    fn options_changed(&self, cx: &Cx<'_>) {
        cx.get(&RAW).pings.device_changed(cx, self.key, &self.so);
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
        let at = self.endpoint(cx);
        SocketAddr::from((at.local, at.port))
    }

    fn peer_addr(&self, cx: &Cx<'_>) -> Option<SocketAddr> {
        self.endpoint(cx).peer.map(SocketAddr::V4)
    }

    fn detach(&self, l: &mut Lwp<'_>) {
        self.options.multicast.leave_all(l, &self.so);
        l.get(&RAW).pings.remove(l, self.key);
    }
}

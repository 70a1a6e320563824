//! What calls on a UDP socket do.
//!
//! Locking: `Rank::Pcbs` for each look at the table; none while a datagram is sent.
//! Sources: RFC 768; RFC 1122 §4.1.4; NetBSD udp_usrreq.c; Linux udp(7) (addresses of a call
//! on a connected socket).

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use base::vm::kmem;
use base::{Cx, KArc, Lwp};
use net::Packet;
use net::socket::{Connecting, MsgFlags, Shutdown, SockError, Socket, UsrReqs};
use zerocopy::IntoBytes;

use super::ip_options::IpOptions;
use super::pcbs::{destination, inet, v4};
use super::table::{Endpoint, Key};
use crate::component::UDP;
use crate::ip::output;
use crate::ip::way::{self, Out};
use crate::wire::ipv4::protocol;
use crate::wire::udp::{HEADER_LEN, UdpHeader};

/// The longest payload: what IPv4 can carry less both headers.
const MAX_PAYLOAD: usize = 65_535 - 20 - HEADER_LEN;

/// UDP's side of a socket.
pub(crate) struct UdpPcb {
    so: KArc<Socket>,
    key: Key,
    options: IpOptions,
}

/// Makes it.
pub(crate) fn attach(cx: &Cx<'_>, so: &KArc<Socket>) -> Result<KArc<dyn UsrReqs>, SockError> {
    let udp = cx.get(&UDP);
    udp.spaces.give(&mut so.state(cx));
    let key = udp.pcbs.insert(cx, so)?;
    let pcb = UdpPcb { so: so.clone(), key, options: IpOptions::default() };
    match kmem::arc(cx, pcb) {
        Ok(pcb) => Ok(pcb),
        Err(e) => {
            udp.pcbs.remove(cx, key);
            Err(e.into())
        }
    }
}

impl UdpPcb {
    fn endpoint(&self, cx: &Cx<'_>) -> Endpoint {
        cx.get(&UDP).pcbs.endpoint(cx, self.key)
    }

    /// Where a datagram comes from, and where it goes: where the call says, or to the peer.
    fn ends(
        &self,
        cx: &Cx<'_>,
        to: Option<SocketAddr>,
    ) -> Result<(Endpoint, SocketAddrV4), SockError> {
        let Some(to) = to else {
            // Who has a peer is bound.
            let at = self.endpoint(cx);
            return Ok((at, at.peer.ok_or(SockError::DestinationRequired)?));
        };
        let to = destination(to)?;
        if to.port() == 0 {
            return Err(SockError::Invalid);
        }
        let udp = cx.get(&UDP);
        Ok((udp.pcbs.bound(cx, self.key, &self.so, &udp.ephemeral)?, to))
    }
}

impl UsrReqs for UdpPcb {
    fn bind(&self, l: &mut Lwp<'_>, addr: SocketAddr) -> Result<(), SockError> {
        let udp = l.get(&UDP);
        udp.pcbs.bind(l, self.key, &self.so, inet(addr)?, &udp.ephemeral)
    }

    fn connect(&self, l: &mut Lwp<'_>, to: SocketAddr) -> Result<Connecting, SockError> {
        let udp = l.get(&UDP);
        let to = destination(to)?;
        if to.port() == 0 {
            return Err(SockError::AddrNotAvailable);
        }
        let out = self.options.out(&self.so);
        udp.pcbs.connect(l, self.key, &self.so, (to, out), &udp.ephemeral)?;
        // An error about another peer's datagrams is none of the new one.
        self.so.take_error(l);
        Ok(Connecting::Done)
    }

    fn disconnect(&self, l: &mut Lwp<'_>) -> Result<(), SockError> {
        // Linux: a socket without a peer may be disconnected too.
        let _ = l.get(&UDP).pcbs.disconnect(l, self.key);
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
        let udp = l.get(&UDP);
        if data.len() > MAX_PAYLOAD {
            return Err(SockError::MessageSize);
        }
        let (at, to) = self.ends(l, to)?;
        let src = source(l, at.local, *to.ip(), self.options.out(&self.so))?;
        let header =
            UdpHeader::new(at.port, to.port(), data.len()).ok_or(SockError::MessageSize)?;
        if udp.sends_checksum() {
            data.leave_unfinished(0);
        }
        data.push(HEADER_LEN).ok_or(SockError::NoBuffers)?.copy_from_slice(header.as_bytes());
        let how = self.options.send(l, &self.so, Some(src), *to.ip(), protocol::UDP);
        output::send(l, data, &how)?;
        udp.counters.sent.inc(l);
        Ok(())
    }

    fn options_changed(&self, cx: &Cx<'_>) {
        cx.get(&UDP).pcbs.device_changed(cx, self.key, &self.so);
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
        l.get(&UDP).pcbs.remove(l, self.key);
    }
}

/// The address to send from: the socket's own, if it is one host's, or what the way suggests.
fn source(cx: &Cx<'_>, local: Ipv4Addr, dst: Ipv4Addr, out: Out) -> Result<Ipv4Addr, SockError> {
    if local.is_unspecified() || local.is_broadcast() || local.is_multicast() {
        return Ok(way::source(cx, dst, out)?);
    }
    Ok(local)
}

//! Datagrams of an interface that has no address yet.
//!
//! * [`emit`]: one to everybody, from nobody.  * [`send`]: one to a server, as any other program's.
//! * [`parse`]: one from a server, out of a frame.
//!
//! Locking: none held while anything is sent. Sources: RFC 2131 §4.1 (ports, addresses).

use core::net::Ipv4Addr;

use base::{Cx, KArc, NoMemory};
use net::ethernet::wire::{EtherHeader, HEADER_LEN as LINK_LEN};
use net::{EtherType, Ifnet, MacAddr, Packet, ethernet};
use netinet::checksum::{Sum, pseudo};
use netinet::ip::output;
use netinet::ip::way::Out;
use netinet::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN, protocol};
use netinet::wire::udp::{HEADER_LEN, UdpHeader};
use zerocopy::IntoBytes;

/// The port of servers, and that of clients.
const SERVER: u16 = 67;
const CLIENT: u16 = 68;

/// Hops that a message may take to a server.
const TTL: u8 = 64;

/// The longest message that is looked at: what an Ethernet frame holds.
pub(crate) const LONGEST: usize = 1472;

fn datagram(cx: &Cx<'_>, src: Ipv4Addr, dst: Ipv4Addr, data: &[u8]) -> Result<Packet, NoMemory> {
    let mut header = UdpHeader::new(CLIENT, SERVER, data.len()).ok_or(NoMemory)?;
    header.set_checksum(pseudo(src, dst, protocol::UDP, header.len()), Sum::of(data));
    let mut packet = Packet::new(cx)?;
    packet.append(header.as_bytes())?;
    packet.append(data)?;
    Ok(packet)
}

/// Sends a message to everybody on the link. What cannot be sent is lost: the client asks again.
pub(crate) fn emit(cx: &Cx<'_>, ifp: &KArc<Ifnet>, data: &[u8]) {
    let (src, dst) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST);
    let Ok(mut packet) = datagram(cx, src, dst, data) else { return };
    let Ok(len) = u16::try_from(packet.len() + MIN_HEADER_LEN) else { return };
    let mut ip = Ipv4Header::new(src, dst, protocol::UDP, TTL, len);
    ip.set_checksum(&[]);
    let Some(room) = packet.push(MIN_HEADER_LEN) else { return };
    room.copy_from_slice(ip.as_bytes());
    let _ = ethernet::output(cx, ifp, MacAddr::BROADCAST, EtherType::IPV4, packet);
}

/// Sends a message to `server` from `src`, an address of this kernel's.
pub(crate) fn send(cx: &Cx<'_>, src: Ipv4Addr, server: Ipv4Addr, data: &[u8]) {
    let Ok(packet) = datagram(cx, src, server, data) else { return };
    let how = output::Send {
        src: Some(src),
        dst: server,
        protocol: protocol::UDP,
        ttl: TTL,
        tos: 0,
        dont_fragment: false,
        broadcast_ok: false,
        out: Out::default(),
    };
    let _ = output::send(cx, packet, &how);
}

/// Whether a frame holds a datagram, by its first bytes.
#[inline]
pub(crate) fn is_datagram(head: &[u8]) -> bool {
    head.get(12..14) == Some(&EtherType::IPV4.0.to_be_bytes())
        && head.get(LINK_LEN + 9) == Some(&protocol::UDP)
}

/// Whether one that does may be from a server to a client.
#[inline]
pub(crate) fn concerns(head: &[u8]) -> bool {
    let port = |at: usize| head.get(at..at + 2);
    let Some(first) = head.get(LINK_LEN) else { return false };
    let behind = LINK_LEN + usize::from(first & 15) * 4;
    port(behind) == Some(&SERVER.to_be_bytes()) && port(behind + 2) == Some(&CLIENT.to_be_bytes())
}

/// Where it goes.
pub(crate) fn destination(head: &[u8]) -> Option<Ipv4Addr> {
    head.get(LINK_LEN + 16..)?.first_chunk().map(|bytes| Ipv4Addr::from(*bytes))
}

/// The data of a datagram from a server to a client, if `frame` is a whole one. Of one that is `sound`
/// ([`net::mbuf::Flags::is_sound`]) the checksum may not be filled in.
pub(crate) fn parse(frame: &[u8], sound: bool) -> Option<&[u8]> {
    let (_, packet) = EtherHeader::parse(frame).ok()?;
    let view = Ipv4Header::parse(packet, packet.len()).ok()?;
    if view.header.is_fragment() || view.header.protocol != protocol::UDP {
        return None;
    }
    let (src, dst) = (view.header.src(), view.header.dst());
    let datagram = packet.get(view.header_len..view.total_len)?;
    let (header, rest) = UdpHeader::parse(datagram, datagram.len()).ok()?;
    let data = rest.get(..usize::from(header.len()) - HEADER_LEN)?;
    let pseudo = pseudo(src, dst, protocol::UDP, header.len());
    let ports = (header.src_port(), header.dst_port()) == (SERVER, CLIENT);
    (ports && (sound || header.is_valid(pseudo, Sum::of(data)))).then_some(data)
}

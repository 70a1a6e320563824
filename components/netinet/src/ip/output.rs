//! IPv4 packets that this kernel sends.
//!
//! * [`send`]: a payload, for which a header is made.
//! * [`super::way`] says which way.
//! * `send_on`, `send_in_pieces`: a whole packet, on an interface that is chosen already.
//!
//! Locking: none held while a packet is sent.
//! Sources: RFC 791; RFC 1122 §3.3.1 (routing), §3.3.3 (fragmentation); NetBSD ip_output.c.

use core::net::Ipv4Addr;

use base::{Cx, KArc, NoMemory};
use net::ethernet::wire::MacAddr;
use net::ifnet::{IfError, IfKind, config, transmit_bare};
use net::mbuf::Flags;
use net::route::{Route, RouteKind, kind_of};
use net::{EtherType, Ifnet, Packet, ethernet, netisr};
use zerocopy::{FromBytes, IntoBytes};

use super::finish::{finish_bare, longest};
use super::way::{self, Out};
use super::{frag, options};
use crate::component::INET;
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN};
use crate::{arp, igmp};

/// What the header of a packet shall say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Send {
    /// The sender; `None`: what the route suggests.
    pub src: Option<Ipv4Addr>,
    /// The receiver.
    pub dst: Ipv4Addr,
    /// The protocol.
    pub protocol: u8,
    /// Hops; 0: the kernel's default, or, for a group, none beyond this kernel.
    pub ttl: u8,
    /// Type of service.
    pub tos: u8,
    /// Whether it must not be cut.
    pub dont_fragment: bool,
    /// Whether it may go to everybody (SO_BROADCAST).
    pub broadcast_ok: bool,
    /// Which way it leaves.
    pub out: Out,
}

/// Why a packet was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// No route leads there.
    NoRoute,
    /// It would go to everybody, and that was not allowed.
    Broadcast,
    /// It is longer than a packet can be, or than `mtu` and must not be cut.
    TooBig {
        /// What the link carries.
        mtu: u32,
    },
    /// The kernel's memory limit is reached.
    NoMemory,
    /// The interface would not take it.
    Interface(IfError),
    /// A route refuses it.
    Rejected,
    /// The sender's address is not one of this kernel's.
    BadSource,
    /// The neighbour does not answer.
    HostDown,
}

impl From<NoMemory> for SendError {
    fn from(_: NoMemory) -> Self {
        SendError::NoMemory
    }
}

impl From<IfError> for SendError {
    fn from(e: IfError) -> Self {
        if e == IfError::NoMemory { SendError::NoMemory } else { SendError::Interface(e) }
    }
}

/// Sends `payload` with a header as `how` says.
pub fn send(cx: &Cx<'_>, mut payload: Packet, how: &Send) -> Result<(), SendError> {
    let inet = cx.get(&INET);
    let route = match way::route(cx, how.dst, how.src, how.out) {
        Ok(route) => route,
        Err(e) => {
            inet.ip.no_route.inc(cx);
            return Err(e);
        }
    };
    if let Some(src) = how.src.filter(|s| !s.is_unspecified()) {
        // RFC 1122 §3.2.1.3: the source is one of this host's addresses.
        if kind_of(cx, src) != Some(RouteKind::Local) {
            return Err(SendError::BadSource);
        }
    }
    let src = how.src.filter(|s| !s.is_unspecified()).unwrap_or(route.source);
    let total = payload.len() + MIN_HEADER_LEN;
    let total = u16::try_from(total).map_err(|_| SendError::TooBig { mtu: 65_535 })?;
    let is_default = how.ttl == 0 && !how.dst.is_multicast();
    let ttl = if is_default { inet.default_ttl() } else { how.ttl };
    let mut header = Ipv4Header::new(src, how.dst, how.protocol, ttl, total);
    header.tos = how.tos;
    header.set_dont_fragment(how.dont_fragment);
    header.set_id(inet.new_id(cx));
    header.set_checksum(&[]);
    let room = payload.push(MIN_HEADER_LEN).ok_or(SendError::NoMemory)?;
    room.copy_from_slice(header.as_bytes());
    send_packet(cx, payload, route, how.broadcast_ok, how.out.loops)
}

/// Sends a whole packet, header included, by the route to its destination.
pub(crate) fn send_whole(
    cx: &Cx<'_>,
    packet: Packet,
    broadcast_ok: bool,
    out: Out,
) -> Result<(), SendError> {
    let (header, _) =
        Ipv4Header::read_from_prefix(packet.head()).map_err(|_| SendError::BadSource)?;
    let route = way::route(cx, header.dst(), Some(header.src()), out)?;
    send_packet(cx, packet, route, broadcast_ok, out.loops)
}

fn send_packet(
    cx: &Cx<'_>,
    packet: Packet,
    route: Route,
    broadcast_ok: bool,
    loops: bool,
) -> Result<(), SendError> {
    let inet = cx.get(&INET);
    let (header, _) =
        Ipv4Header::read_from_prefix(packet.head()).map_err(|_| SendError::BadSource)?;
    inet.ip.sent.inc(cx);
    let dst = header.dst();
    match route.kind {
        RouteKind::Local => loop_back(cx, packet),
        RouteKind::Reject => Err(SendError::Rejected),
        RouteKind::Blackhole => Ok(()),
        RouteKind::Broadcast => {
            if !broadcast_ok && !dst.is_multicast() {
                return Err(SendError::Broadcast);
            }
            to_everybody(cx, &route.ifp, dst, packet, loops)
        }
        RouteKind::Gateway(g) => send_fitting(cx, &route.ifp, g, packet),
        RouteKind::Connected => send_fitting(cx, &route.ifp, dst, packet),
    }
}

/// To this kernel itself.
fn loop_back(cx: &Cx<'_>, packet: Packet) -> Result<(), SendError> {
    let lo0 = config::find(cx, "lo0")?;
    Ok(transmit_bare(cx, &lo0, EtherType::IPV4, packet)?)
}

/// To all on a link; this kernel gets a copy, as the link would not bring it back: of one to a group
/// only if it is in the group, and the sender wants that (RFC 1112 §6.1).
fn to_everybody(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    dst: Ipv4Addr,
    packet: Packet,
    loops: bool,
) -> Result<(), SendError> {
    let loops = !dst.is_multicast() || (loops && igmp::is_member(cx, ifp.index(), dst));
    if ifp.kind() == IfKind::Loopback {
        return if loops { loop_back(cx, packet) } else { Ok(()) };
    }
    let (group, fits) = (dst.is_multicast(), packet.len() <= ifp.mtu() as usize);
    if !group && !fits {
        // As on BSD: everybody would have to put it together.
        return Err(SendError::TooBig { mtu: ifp.mtu() });
    }
    let stays = group
        && Ipv4Header::read_from_prefix(packet.head()).is_ok_and(|(header, _)| header.ttl == 0);
    let mac = if group { MacAddr::ipv4_multicast(dst) } else { MacAddr::BROADCAST };
    if loops {
        let mut copy = packet.duplicate(cx)?;
        copy.set_rcvif(ifp.index());
        let how = if group { Flags::LINK_MULTICAST } else { Flags::LINK_BROADCAST };
        copy.set_flags(how | Flags::LOOPED | packet.unfinished());
        netisr::enqueue(cx, EtherType::IPV4, copy);
    }
    if stays {
        // RFC 1112 §6.1: not beyond this host.
        return Ok(());
    }
    let send = &mut |part| Ok(ethernet::output(cx, ifp, mac, EtherType::IPV4, part)?);
    if fits {
        return send(packet);
    }
    send_in_pieces(cx, ifp.mtu(), packet, send).map_err(|(e, _)| e)
}

fn send_fitting(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    next_hop: Ipv4Addr,
    mut packet: Packet,
) -> Result<(), SendError> {
    if longest(&mut packet) <= ifp.mtu() as usize {
        return send_on(cx, ifp, next_hop, packet);
    }
    let send = &mut |part| send_on(cx, ifp, next_hop, part);
    send_in_pieces(cx, ifp.mtu(), packet, send).map_err(|(e, _)| e)
}

/// Sends a packet that fits the interface to a neighbour on it.
#[inline]
pub(super) fn send_on(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    next_hop: Ipv4Addr,
    packet: Packet,
) -> Result<(), SendError> {
    match ifp.kind() {
        IfKind::Ethernet => arp::output::send(cx, ifp, next_hop, packet),
        IfKind::Loopback => Ok(transmit_bare(cx, ifp, EtherType::IPV4, packet)?),
    }
}

fn must_not_be_cut(packet: &Packet) -> bool {
    Ipv4Header::read_from_prefix(packet.head()).is_ok_and(|(header, _)| header.dont_fragment())
}

/// Cuts a packet into pieces of up to `mtu` bytes, and has `send` send them. One that must not be cut
/// comes back.
#[cold]
pub(super) fn send_in_pieces(
    cx: &Cx<'_>,
    mtu: u32,
    mut packet: Packet,
    send: &mut dyn FnMut(Packet) -> Result<(), SendError>,
) -> Result<(), (SendError, Option<Packet>)> {
    let inet = cx.get(&INET);
    if !packet.unfinished().is_empty() && !must_not_be_cut(&packet) {
        // Pieces of it could not be finished.
        let mut sent = Ok(());
        let finished = finish_bare(cx, packet, &mut |p| {
            sent = send_in_pieces(cx, mtu, p, send);
            if sent.is_ok() { Ok(()) } else { Err(IfError::Full) }
        });
        // What `send` said comes first; else what there was no memory for was not sent.
        return sent.and_then(|()| finished.map_err(|e| (e.into(), None)));
    }
    let Ok((header, _)) = Ipv4Header::read_from_prefix(packet.head()) else {
        return Err((SendError::BadSource, None));
    };
    let header_len = header.header_len();
    let Some(whole) = packet.pullup(header_len) else {
        return Err((SendError::BadSource, None));
    };
    let copied = options::copied(whole.get(MIN_HEADER_LEN..).unwrap_or_default());
    let plan = frag::Packet {
        header_len,
        copied_len: copied.as_bytes().len(),
        payload_len: packet.len() - header_len,
        offset: header.fragment_offset(),
        more: header.more_fragments(),
        dont_fragment: header.dont_fragment(),
    };
    let Ok(pieces) = frag::plan(plan, mtu as usize) else {
        return Err((SendError::TooBig { mtu }, Some(packet)));
    };
    inet.ip.fragmented.inc(cx);
    for piece in pieces {
        let cut = || -> Result<Packet, NoMemory> {
            let mut part = packet.slice(cx, header_len + piece.start, piece.len)?;
            let mut h = header;
            let opts = if piece.is_first() {
                packet.head().get(MIN_HEADER_LEN..header_len).unwrap_or_default()
            } else {
                copied.as_bytes()
            };
            h.set_options_len(opts.len());
            h.set_total_len(piece.total_len() as u16);
            h.set_fragment(piece.offset, piece.more);
            h.set_checksum(opts);
            part.push(opts.len()).ok_or(NoMemory)?.copy_from_slice(opts);
            part.push(MIN_HEADER_LEN).ok_or(NoMemory)?.copy_from_slice(h.as_bytes());
            Ok(part)
        };
        // Without one piece the others are of no use.
        let part = cut().map_err(|_| (SendError::NoMemory, None))?;
        inet.ip.fragments_made.inc(cx);
        send(part).map_err(|e| (e, None))?;
    }
    Ok(())
}

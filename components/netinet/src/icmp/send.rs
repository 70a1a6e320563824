//! ICMP errors about packets.
//!
//! * `report`: an error about a packet, if the rules and the rate allow one.
//!
//! Locking: `Rank::Proto` for the rate; none while the error is sent.
//! Sources: RFC 792; RFC 1122 §3.2.2; RFC 1812 §4.3.

use base::Cx;
use net::Packet;
use net::ifnet::{IfFlags, config};
use net::mbuf::Flags;
use net::route::{RouteKind, kind_of};
use zerocopy::{FromBytes, IntoBytes};

use super::policy::{Offender, may_report, quote_len};
use crate::checksum::Sum;
use crate::component::INET;
use crate::ip::output::{Send, send};
use crate::ip::way::Out;
use crate::wire::icmp::{HEADER_LEN, Message, code};
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN, protocol};

/// What is wrong with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Report {
    /// It cannot be delivered; the code says why.
    Unreachable(u8),
    /// It is longer than this, and must not be cut.
    TooBig(u32),
    /// Out of hops or of time; the code says which.
    TimeExceeded(u8),
    /// The byte of its header that is wrong.
    ParameterProblem(u8),
}

impl Report {
    fn message(self) -> Message {
        match self {
            Self::Unreachable(code) => Message::Unreachable { code, mtu: 0 },
            Self::TooBig(mtu) => Message::Unreachable {
                code: code::FRAGMENTATION_NEEDED,
                mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
            },
            Self::TimeExceeded(code) => Message::TimeExceeded { code },
            Self::ParameterProblem(pointer) => Message::ParameterProblem { code: 0, pointer },
        }
    }
}

/// Sends an error about `offender`, a packet with its IP header, to its sender.
#[cold]
pub(crate) fn report(cx: &Cx<'_>, mut offender: Packet, what: Report) {
    let inet = cx.get(&INET);
    let Some(about) = describe(cx, &mut offender) else { return };
    if may_report(&about).is_err() {
        return inet.icmp.errors_silent.inc(cx);
    }
    if !inet.errors.lock(cx).take(cx.now().nanos()) {
        return inet.icmp.errors_limited.inc(cx);
    }
    let Some(header) = what.message().header() else { return };
    let Ok(mut error) = offender.slice(cx, 0, quote_len(offender.len(), MIN_HEADER_LEN)) else {
        return inet.ip.no_memory.inc(cx);
    };
    let mut header = header;
    header.set_checksum(Sum::of_pieces(error.segments(), 0, usize::MAX));
    let Some(room) = error.push(HEADER_LEN) else { return };
    room.copy_from_slice(header.as_bytes());
    // RFC 1812 §4.3.2.4: from the address of the interface that it leaves by, unless the offender
    // was for this kernel: then from the address that it was for (RFC 1122 §3.2.1.3).
    let for_us = kind_of(cx, about.dst) == Some(RouteKind::Local);
    let how = Send {
        src: for_us.then_some(about.dst),
        dst: about.src,
        protocol: protocol::ICMP,
        ttl: 255,
        // RFC 1812 §4.3.2.5: errors go with precedence 6, internetwork control.
        tos: 0xc0,
        dont_fragment: false,
        broadcast_ok: false,
        out: Out::default(),
    };
    if send(cx, error, &how).is_ok() {
        inet.icmp.errors_sent.inc(cx);
    }
}

/// The facts that the rules ask for.
fn describe(cx: &Cx<'_>, packet: &mut Packet) -> Option<Offender> {
    let (header, _) = Ipv4Header::read_from_prefix(packet.head()).ok()?;
    let first = packet.pullup(header.header_len() + 1).and_then(|h| h.last().copied());
    let flags = packet.flags();
    let is_broadcast = |a| kind_of(cx, a) == Some(RouteKind::Broadcast);
    let arrived_on = config::by_index(cx, packet.rcvif());
    let loopback = arrived_on.is_ok_and(|ifp| ifp.flags().contains(IfFlags::LOOPBACK));
    Some(Offender {
        link_broadcast: flags.intersects(Flags::LINK_BROADCAST | Flags::LINK_MULTICAST),
        directed_broadcast: is_broadcast(header.dst()) || is_broadcast(header.src()),
        loopback: loopback || flags.contains(Flags::LOOPED),
        ..Offender::new(&header, first.as_slice())
    })
}

//! UDP.

use base::Cx;
use net::Packet;

use crate::icmp::{ErrorKind, QuotedFacts};
use crate::ip::Facts;

/// Takes a datagram; the packet begins with the UDP header.
pub(crate) fn input(cx: &Cx<'_>, ip: &Facts, packet: Packet) {
    crate::icmp::send_unreachable_port(cx, ip, packet);
}

/// An ICMP error about a datagram of ours.
pub(crate) fn error(_cx: &Cx<'_>, _kind: ErrorKind, _quoted: &QuotedFacts<'_>) {}

//! Raw sockets.

use base::Cx;
use net::Packet;

use crate::icmp::{ErrorKind, QuotedFacts};
use crate::ip::Facts;

/// Shows a packet, whose IP header is `header_len` bytes long, to the sockets that want it; true
/// if there was one.
pub(crate) fn input(_cx: &Cx<'_>, _ip: &Facts, _packet: &Packet, _header_len: usize) -> bool {
    false
}

/// An ICMP error about a packet of ours.
pub(crate) fn error(_cx: &Cx<'_>, _kind: ErrorKind, _quoted: &QuotedFacts<'_>) {}

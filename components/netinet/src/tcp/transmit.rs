//! Segments on their way out: packets of them.
//!
//! * [`send`]: one of a connection, with its data.  * [`reply`]: one without.
//!
//! Locking: with `Rank::Connection` held or not; `Rank::Socket` while data is taken from a buffer.
//! Sources: RFC 9293 §3.1; RFC 1191 §3 (never cut on the way).

use base::{Cx, NoMemory};
use net::Packet;
use net::socket::Socket;
use zerocopy::IntoBytes;

use super::Payload;
use super::header::{Control, MAX_OPTIONS, Segment, TcpHeader};
use super::isn::Pair;
use crate::component::TCP;
use crate::ip::output::{self, Send, SendError};
use crate::ip::way::Out;
use crate::wire::ipv4::protocol;

/// Bytes of both headers without options.
pub(crate) const HEADERS: u32 = 40;

/// The most data in a segment that is cut on its way out: what an IP packet holds beside the longest
/// headers.
pub(crate) const GSO_MAX: u16 = u16::MAX - 60 - 60;

impl Payload for Packet {
    fn len(&self) -> usize {
        Packet::len(self)
    }

    fn trim_front(&mut self, n: usize) {
        self.pull(n.min(Packet::len(self)));
    }

    fn truncate(&mut self, len: usize) {
        Packet::truncate(self, len);
    }

    fn split_off(&mut self, at: usize) -> Option<Self> {
        Packet::split_off(self, at).ok()
    }

    fn cost(&self) -> usize {
        Packet::cost(self)
    }
}

/// How the packets of a connection go, by `device` if it is not 0.
fn how(pair: &Pair, device: u32) -> Send {
    Send {
        src: Some(*pair.local.ip()),
        dst: *pair.peer.ip(),
        protocol: protocol::TCP,
        ttl: 0,
        tos: 0,
        dont_fragment: true,
        broadcast_ok: false,
        out: Out::by(device),
    }
}

/// Sends a segment whose data is `offset` bytes from the front of the socket's send buffer.
pub(crate) fn send(
    cx: &Cx<'_>,
    pair: &Pair,
    seg: &Segment,
    from: Option<(&Socket, usize)>,
    how: &Send,
) -> Result<(), SendError> {
    let counters = &cx.get(&TCP).counters;
    let packet = build(cx, pair, seg, from)?;
    counters.sent.inc(cx);
    if seg.has(Control::RST) {
        counters.resets_sent.inc(cx);
    }
    output::send(cx, packet, how)
}

/// Sends a segment that has no data, by `device` if it is not 0.
pub(crate) fn reply(cx: &Cx<'_>, pair: &Pair, device: u32, seg: &Segment) {
    if send(cx, pair, seg, None, &how(pair, device)).is_err() {
        cx.get(&TCP).counters.send_errors.inc(cx);
    }
}

fn build(
    cx: &Cx<'_>,
    pair: &Pair,
    seg: &Segment,
    from: Option<(&Socket, usize)>,
) -> Result<Packet, NoMemory> {
    let mut options = [0; MAX_OPTIONS];
    let options_len = seg.options.emit(&mut options);
    let options = options.get(..options_len).unwrap_or_default();
    let header = TcpHeader::new(pair.local.port(), pair.peer.port(), seg, options_len);
    let mut packet = Packet::new(cx)?;
    // The header first, so that it is in the buffer with room for the others in front.
    packet.append(header.as_bytes())?;
    packet.append(options)?;
    if let Some((so, offset)) = from.filter(|_| seg.len > 0) {
        so.state(cx).snd.copy_range(offset, seg.len as usize, &mut packet)?;
    }
    packet.leave_unfinished(seg.gso_size);
    Ok(packet)
}

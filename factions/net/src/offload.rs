//! What is left undone while a packet stays in the machine's memory.
//!
//! Between kernels of one machine nothing flips a bit, so nobody fills in the checksum of what is
//! inside of an IP packet; and a TCP segment of up to 64 KiB travels whole, through routers too. An
//! interface whose driver takes such packets says up to which length
//! ([`crate::Ifnet::unfinished_max`]). On the way out of any other, `finish_frame` asks the protocol
//! to do what it has left undone.
//!
//! A host that does such things itself is told by [`explain`] in words that need no protocol
//! ([`Undone`]); what it has left undone in a frame of its own, [`adopt`] takes over.
//!
//! The MTU counts for what the packet will be cut into ([`longest`]).
//!
//! Locking: none. Sources: NetBSD net/if.h (M_CSUM, TSO), netinet/in_offload.c; Linux skbuff.h
//! (CHECKSUM_PARTIAL).

use core::num::NonZeroU16;

use base::{Cx, NoMemory};

use crate::checksum::Sum;
use crate::component::NET;
use crate::ethernet::wire::{EtherHeader, EtherType, HEADER_LEN, TAG_LEN};
use crate::ifnet::IfError;
use crate::mbuf::Packet;

#[cfg(test)]
mod tests;

/// Takes finished packets, in order.
pub type Emit<'a> = &'a mut dyn FnMut(Packet) -> Result<(), IfError>;

/// Finishes a packet whose protocol header begins at `at`, and gives what comes of it to another. The
/// bytes in front are repeated in each. Packets of up to `most` bytes may stay unfinished.
pub type Finish =
    fn(&Cx<'_>, packet: Packet, at: usize, most: usize, emit: Emit<'_>) -> Result<(), IfError>;

/// Where in a packet whose protocol header begins at `at` is what could be left undone. `None`: nothing
/// of it could, or it is not whole, or longer than it says.
pub type FindLayout = fn(packet: &mut Packet, at: usize) -> Option<Layout>;

/// What a protocol knows of packets in which it leaves something undone.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Does it.
    pub finish: Finish,
    /// Finds it.
    pub layout: FindLayout,
}

/// Where in a packet is what could be left undone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Where the bytes begin that the checksum is over, up to the packet's end.
    pub start: usize,
    /// Where the checksum is, from there.
    pub field: usize,
    /// The sum of what it is over beside those bytes: the pseudo-header.
    pub pseudo: u16,
    /// Bytes of all headers, if what follows is a TCP segment's data and can be cut.
    pub headers: Option<usize>,
    /// Only the first of several would say so in its header: the window was reduced (CWR).
    pub reduced: bool,
}

/// What is left undone in a frame, for somebody who does it without knowing its protocols.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Undone {
    /// Where the bytes begin that the checksum is over, up to the frame's end.
    pub start: u16,
    /// Where it belongs, from there. The sum of what it is over beside those bytes is there already.
    pub field: u16,
    /// The frame is to be cut, too.
    pub cut: Option<Cut>,
}

/// How a frame is to be cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Bytes of data in each of the TCP segments that it stands for.
    pub size: NonZeroU16,
    /// Bytes of all headers, link header included. Of a frame of the host's only a hint.
    pub headers: u16,
    /// The first segment alone says that the window was reduced (RFC 3168 §6.1.2).
    pub reduced: bool,
}

impl Cut {
    /// The longest frame that comes of it.
    pub fn longest(&self) -> usize {
        usize::from(self.headers) + usize::from(self.size.get())
    }
}

/// The least data of a segment of several: Linux's TCP_MIN_GSO_SIZE.
pub const SEGMENT_MIN: u16 = 8;

/// The longest frame that anything is left undone in: the longest IPv4 packet, with a tag.
pub const FRAME_MAX: usize = 65_535 + HEADER_LEN + TAG_LEN;

/// Whether this kernel has a protocol that knows what is left undone in packets.
pub fn is_known(cx: &Cx<'_>) -> bool {
    cx.get(&NET).link_protos().any(|proto| proto.offload.is_some())
}

fn rules(cx: &Cx<'_>, ethertype: EtherType) -> Option<Rules> {
    cx.get(&NET).link_proto(ethertype)?.offload
}

fn layout(cx: &Cx<'_>, frame: &mut Packet) -> Option<Layout> {
    let (ethertype, at) = payload(frame)?;
    (rules(cx, ethertype)?.layout)(frame, at)
}

/// The longest frame that this one is cut into where it is finished.
pub fn longest(cx: &Cx<'_>, frame: &mut Packet) -> usize {
    let whole = frame.len();
    match usize::from(frame.gso_size()) {
        0 => whole,
        size => {
            let headers = layout(cx, frame).and_then(|layout| layout.headers);
            headers.map_or(whole, |headers| whole.min(headers + size))
        }
    }
}

/// Says what is left undone in an unfinished frame, and puts the sum of the pseudo-header where the
/// checksum belongs. `None`: it is none that any protocol knows.
pub fn explain(cx: &Cx<'_>, frame: &mut Packet) -> Option<Undone> {
    let Layout { start, field, pseudo, headers, reduced } = layout(cx, frame)?;
    let size = NonZeroU16::new(frame.gso_size());
    let cut = match size.zip(headers) {
        // What is no longer than one segment is one.
        Some((size, headers)) if frame.len() > headers + usize::from(size.get()) => {
            Some(Cut { size, headers: u16::try_from(headers).ok()?, reduced })
        }
        Some(_) => None,
        None if size.is_some() => return None,
        None => None,
    };
    let to = frame.pullup(start + field + 2)?.last_chunk_mut()?;
    *to = pseudo.to_be_bytes();
    Some(Undone { start: u16::try_from(start).ok()?, field: u16::try_from(field).ok()?, cut })
}

/// Takes over a frame in which its host has left something undone. What a protocol of this kernel
/// would leave undone, stays so; any other checksum is filled in. [`IfError::Invalid`]: that makes no
/// sense, or is to be cut and of no protocol of this kernel.
pub fn adopt(cx: &Cx<'_>, bytes: &mut [u8], undone: &Undone) -> Result<Packet, IfError> {
    let mut frame = Packet::from_slice(cx, bytes)?;
    let (start, field) = (usize::from(undone.start), usize::from(undone.field));
    let known = layout(cx, &mut frame).filter(|l| (l.start, l.field) == (start, field));
    match (&undone.cut, known) {
        (None, Some(_)) => frame.leave_unfinished(0),
        (None, None) => {
            drop(frame);
            fill_in(bytes, start, field).ok_or(IfError::Invalid)?;
            frame = Packet::from_slice(cx, bytes)?;
        }
        (Some(cut), Some(Layout { headers: Some(_), .. })) if cut.size.get() >= SEGMENT_MIN => {
            frame.leave_unfinished(cut.size.get());
        }
        (Some(_), _) => return Err(IfError::Invalid),
    }
    Ok(frame)
}

/// Fills in a checksum over all from `start` on, what is in its place included. `None`: it has no place.
#[cold]
fn fill_in(frame: &mut [u8], start: usize, field: usize) -> Option<()> {
    // A link header has no checksum in it.
    let covered = frame.get_mut(start..).filter(|_| start >= HEADER_LEN)?;
    let checksum = match Sum::of(covered).checksum() {
        // In UDP there is none where it is zero (RFC 768); elsewhere the two zeros are one.
        0 => u16::MAX,
        checksum => checksum,
    };
    *covered.get_mut(field..)?.first_chunk_mut()? = checksum.to_be_bytes();
    Some(())
}

/// Finishes an Ethernet frame. One that no protocol knows how to is dropped.
#[cold]
pub(crate) fn finish_frame(
    cx: &Cx<'_>,
    mut frame: Packet,
    most: usize,
    emit: Emit<'_>,
) -> Result<(), IfError> {
    let (ethertype, at) = payload(&mut frame).ok_or(IfError::Invalid)?;
    finish(cx, ethertype, frame, at, most, emit)
}

/// Finishes a packet of the protocol `ethertype`: see [`Finish`].
#[cold]
pub(crate) fn finish(
    cx: &Cx<'_>,
    ethertype: EtherType,
    packet: Packet,
    at: usize,
    most: usize,
    emit: Emit<'_>,
) -> Result<(), IfError> {
    let rules = rules(cx, ethertype).ok_or(IfError::Invalid)?;
    (rules.finish)(cx, packet, at, most, emit)
}

/// What a frame carries, and where that begins.
fn payload(frame: &mut Packet) -> Option<(EtherType, usize)> {
    let mut at = HEADER_LEN;
    let mut ethertype = EtherHeader::parse(frame.pullup(at)?).ok()?.0.ethertype();
    // A tag, or a service tag and a tag.
    while ethertype.is_tag() && at < HEADER_LEN + 2 * TAG_LEN {
        at += TAG_LEN;
        let inner = frame.pullup(at)?.get(at - 2..at)?;
        ethertype = EtherType(u16::from_be_bytes(*inner.first_chunk()?));
    }
    Some((ethertype, at))
}

/// One of the packets that `whole` is cut into: `front`, then `len` bytes of it from `start` on.
pub fn part(
    cx: &Cx<'_>,
    front: &[u8],
    whole: &Packet,
    start: usize,
    len: usize,
) -> Result<Packet, NoMemory> {
    let mut part = Packet::new(cx)?;
    part.append(front)?;
    whole.slice_into(&mut part, start, len)?;
    Ok(part)
}

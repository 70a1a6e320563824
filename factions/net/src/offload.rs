//! What is left undone while a packet stays in the machine's memory.
//!
//! Between kernels of one machine nothing flips a bit, so nobody fills in the checksum of what is
//! inside of an IP packet; and a TCP segment of up to 64 KiB travels whole, through routers too. An
//! interface whose driver takes such packets says up to which length
//! ([`crate::Ifnet::unfinished_max`]). On the way out of any other, `finish_frame` asks the protocol
//! to do what it has left undone.
//!
//! The MTU counts for what the packet will be cut into.
//!
//! Locking: none. Sources: NetBSD net/if.h (M_CSUM, TSO), netinet/in_offload.c.

use base::{Cx, NoMemory};

use crate::component::NET;
use crate::ethernet::wire::{EtherHeader, EtherType, HEADER_LEN, TAG_LEN};
use crate::ifnet::IfError;
use crate::mbuf::Packet;

/// Takes finished packets, in order.
pub type Emit<'a> = &'a mut dyn FnMut(Packet) -> Result<(), IfError>;

/// Finishes a packet whose protocol header begins at `at`, and gives what comes of it to another. The
/// bytes in front are repeated in each. Packets of up to `most` bytes may stay unfinished.
pub type Finish =
    fn(&Cx<'_>, packet: Packet, at: usize, most: usize, emit: Emit<'_>) -> Result<(), IfError>;

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
    let finish = cx.get(&NET).link_proto(ethertype).and_then(|proto| proto.finish);
    finish.ok_or(IfError::Invalid)?(cx, packet, at, most, emit)
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

//! The tag: four bytes between the addresses and the type of a frame.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 12 | 2 | 0x8100 |
//! | 14 | 2 | priority (3 bits), drop eligible (1), number (12) |
//! | 16 | 2 | the true type |
//!
//! Locking: none. Sources: IEEE 802.1Q §9.3–9.6.

use net::ethernet::wire::{EtherType, HEADER_LEN, TAG_LEN};
use net::mbuf::Packet;

/// Bytes of both addresses.
const ADDRESSES: usize = 12;

/// The numbers that a network may have: 0 is no number, 4095 is reserved.
pub(crate) const NUMBERS: core::ops::RangeInclusive<u16> = 1..=4094;

/// The number in a frame's tag; `None` if it has no tag, or not all of one.
pub(crate) fn number(frame: &mut Packet) -> Option<u16> {
    let head = frame.pullup(HEADER_LEN + TAG_LEN)?;
    let [a, b, c, d] = *head.get(ADDRESSES..)?.first_chunk()?;
    let is_tag = u16::from_be_bytes([a, b]) == EtherType::VLAN.0;
    is_tag.then_some(u16::from_be_bytes([c, d]) & 0xfff)
}

/// Puts a tag in; `None` if there is no room in front, or the frame has no header.
pub(crate) fn insert(frame: &mut Packet, number: u16) -> Option<()> {
    let addresses: [u8; ADDRESSES] = *frame.pullup(HEADER_LEN)?.first_chunk()?;
    let room = frame.push(TAG_LEN)?;
    debug_assert_eq!(room.len(), TAG_LEN);
    let head = frame.pullup(HEADER_LEN + TAG_LEN)?;
    let (to, rest) = head.split_first_chunk_mut::<ADDRESSES>()?;
    *to = addresses;
    let [a, b] = EtherType::VLAN.0.to_be_bytes();
    let [c, d] = number.to_be_bytes();
    *rest.first_chunk_mut()? = [a, b, c, d];
    Some(())
}

/// Takes the tag out.
pub(crate) fn remove(frame: &mut Packet) -> Option<()> {
    let addresses: [u8; ADDRESSES] = *frame.pullup(HEADER_LEN + TAG_LEN)?.first_chunk()?;
    frame.pull(TAG_LEN).then_some(())?;
    *frame.pullup(HEADER_LEN)?.first_chunk_mut()? = addresses;
    Some(())
}

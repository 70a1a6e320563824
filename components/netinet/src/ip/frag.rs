//! Fragmentation: where to cut.
//!
//! * [`plan`] decides whether and how a packet is cut for an MTU;
//! * the [`Pieces`] it gives are iterated: each says which bytes of the payload it takes, and
//!   what its header says about them.
//!
//! A packet that is itself a fragment may be cut again; its offset and its "more" flag carry over.
//!
//! Locking: none; numbers only.
//! Sources: RFC 791 §3.2 (fragmentation procedure); RFC 1812 §4.2.2.7, §5.3.12; RFC 1191 §4.

use crate::wire::ipv4::{MAX_HEADER_LEN, MIN_HEADER_LEN};

/// A packet to be cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Length of its header; the first piece keeps all of it.
    pub header_len: usize,
    /// Length of the options that the other pieces get
    /// ([`copied`](crate::ip::options::copied)).
    pub copied_len: usize,
    /// Length of its payload.
    pub payload_len: usize,
    /// Its own place in the datagram, in bytes.
    pub offset: usize,
    /// Whether more of the datagram follows it.
    pub more: bool,
    /// Whether it must not be cut.
    pub dont_fragment: bool,
}

/// Why it is not cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uncut {
    /// It fits as it is.
    Fits,
    /// It is too long and must not be cut: ICMP unreachable, code 4, with the MTU.
    DontFragment,
    /// The MTU has no room for a header and eight bytes.
    MtuTooSmall,
    /// The lengths contradict each other: no datagram has such a piece.
    Malformed,
}

/// One piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// Where it begins in the payload of the packet that is cut.
    pub start: usize,
    /// How much of it it takes.
    pub len: usize,
    /// Where that belongs in the datagram, for the header.
    pub offset: usize,
    /// Whether more follows, for the header.
    pub more: bool,
    /// Length of its header.
    pub header_len: usize,
}

impl Piece {
    /// Length of the packet it becomes.
    pub fn total_len(&self) -> usize {
        self.header_len + self.len
    }

    /// Whether it keeps the header of the packet, with all options.
    pub fn is_first(&self) -> bool {
        self.start == 0
    }
}

/// The cuts of a packet, see [`plan`].
#[derive(Clone, Copy, Debug)]
pub struct Pieces {
    packet: Packet,
    mtu: usize,
    start: usize,
}

/// Cuts a packet for an MTU.
pub fn plan(packet: Packet, mtu: usize) -> Result<Pieces, Uncut> {
    let Packet { header_len, copied_len, payload_len, offset, more, dont_fragment } = packet;
    let lengths = (MIN_HEADER_LEN..=MAX_HEADER_LEN).contains(&header_len)
        && copied_len <= header_len - MIN_HEADER_LEN
        && offset % 8 == 0
        && header_len.saturating_add(offset).saturating_add(payload_len) <= 65535;
    // Every piece but the last has a multiple of eight bytes.
    if !lengths || (more && payload_len % 8 != 0) {
        return Err(Uncut::Malformed);
    }
    if header_len + payload_len <= mtu {
        return Err(Uncut::Fits);
    }
    if dont_fragment {
        return Err(Uncut::DontFragment);
    }
    if mtu < header_len + 8 {
        return Err(Uncut::MtuTooSmall);
    }
    Ok(Pieces { packet, mtu, start: 0 })
}

impl Pieces {
    /// How many there are.
    pub fn count_pieces(self) -> usize {
        let first = (self.mtu - self.packet.header_len) & !7;
        let other = (self.mtu - self.other_header()) & !7;
        let rest = self.packet.payload_len.saturating_sub(first);
        // The last may be longer than `other`, by bytes that are no multiple of eight.
        let last = self.mtu - self.other_header();
        1 + if rest == 0 { 0 } else { 1 + rest.saturating_sub(last).div_ceil(other) }
    }

    fn other_header(&self) -> usize {
        MIN_HEADER_LEN + self.packet.copied_len
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let left = self.packet.payload_len.checked_sub(self.start).filter(|left| *left > 0)?;
        let header_len = if self.start == 0 { self.packet.header_len } else { self.other_header() };
        let room = self.mtu - header_len;
        let last = left <= room;
        let len = if last { left } else { room & !7 };
        let start = self.start;
        self.start += len;
        let (offset, more) = (self.packet.offset + start, !last || self.packet.more);
        Some(Piece { start, len, offset, more, header_len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    extern crate std;

    fn packet(payload_len: usize) -> Packet {
        Packet {
            header_len: 20,
            copied_len: 0,
            payload_len,
            offset: 0,
            more: false,
            dont_fragment: false,
        }
    }

    #[test]
    fn rfc791_3_2_a_packet_that_fits_is_left_alone() {
        assert_eq!(plan(packet(1480), 1500).err(), Some(Uncut::Fits));
        assert_eq!(plan(packet(1481), 1500).unwrap().count(), 2);
    }

    #[test]
    fn rfc1191_4_dont_fragment_is_obeyed() {
        let firm = Packet { dont_fragment: true, ..packet(1481) };
        assert_eq!(plan(firm, 1500).err(), Some(Uncut::DontFragment));
        assert_eq!(plan(firm, 1501).err(), Some(Uncut::Fits));
    }

    #[test]
    fn rfc791_p15_only_the_first_piece_keeps_all_options() {
        let long = Packet { header_len: 60, copied_len: 4, ..packet(100) };
        let pieces: Vec<_> = plan(long, 68).unwrap().collect();
        assert_eq!((pieces[0].header_len, pieces[0].len), (60, 8));
        assert!(pieces[1..].iter().all(|p| p.header_len == 24 && p.len <= 44));
        assert_eq!(plan(long, 67).err(), Some(Uncut::MtuTooSmall));
    }

    #[test]
    fn lengths_that_cannot_be_are_refused() {
        for bad in [
            packet(65516),
            Packet { header_len: 16, ..packet(100) },
            Packet { offset: 4, ..packet(100) },
            Packet { more: true, ..packet(101) },
            Packet { copied_len: 4, ..packet(100) },
            packet(usize::MAX),
        ] {
            assert_eq!(plan(bad, 68).err(), Some(Uncut::Malformed), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn rfc791_3_2_the_pieces_are_the_payload(
            options in 0..=10usize, copied in 0..=10usize, len in 1..9000usize,
            mtu in 68..1600usize, offset in 0..100usize, more in any::<bool>(),
        ) {
            let copied = copied.min(options);
            let len = if more { len.next_multiple_of(8) } else { len };
            let packet = Packet {
                header_len: 20 + 4 * options, copied_len: 4 * copied, payload_len: len,
                offset: 8 * offset, more, dont_fragment: false,
            };
            let Ok(plan) = plan(packet, mtu) else {
                prop_assert!(packet.header_len + len <= mtu);
                return Ok(());
            };
            let pieces: Vec<_> = plan.collect();
            prop_assert_eq!(plan.count_pieces(), pieces.len());
            prop_assert!(pieces.len() > 1);
            let mut at = 0;
            for (n, piece) in pieces.iter().enumerate() {
                let last = n + 1 == pieces.len();
                prop_assert_eq!((piece.start, piece.offset), (at, at + 8 * offset));
                prop_assert_eq!(piece.more, !last || more);
                prop_assert_eq!(piece.is_first(), n == 0);
                prop_assert!(piece.total_len() <= mtu && piece.len > 0);
                prop_assert!(!piece.more || piece.len % 8 == 0);
                at += piece.len;
            }
            prop_assert_eq!(at, len);
        }
    }
}

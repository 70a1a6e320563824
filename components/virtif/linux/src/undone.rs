//! What is left undone in a frame, as a tap device has it in front: a struct virtio_net_hdr.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | flags: 1, a checksum is to be filled in; others do not matter |
//! | 1 | 1 | how to cut: 0 not at all, 1 TCP over IPv4; 0x80 beside it: the first alone has CWR |
//! | 2 | 2 | bytes of all headers, a hint |
//! | 4 | 2 | bytes of data in a segment |
//! | 6 | 2 | where the bytes begin that the checksum is over |
//! | 8 | 2 | where it belongs, from there |
//!
//! The bytes of numbers are in the order that the device was told: lower ones first.
//!
//! * [`emit`], [`parse`]: to and from what the kernel calls it.
//!
//! Locking: none; bytes only.
//! Sources: VIRTIO 1.2 §5.1.6 (the fields), §5.1.6.2, §5.1.6.4 (what may not be); Linux
//! include/linux/virtio_net.h.

use std::num::NonZeroU16;

use virtif::host::{Cut, Undone};

/// Bytes of it.
pub const LEN: usize = 10;

/// VIRTIO_NET_HDR_F_NEEDS_CSUM.
const CHECKSUM: u8 = 1;
/// VIRTIO_NET_HDR_GSO_NONE, VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_ECN.
const WHOLE: u8 = 0;
const TCP: u8 = 1;
const REDUCED: u8 = 0x80;

/// What the device is told of a frame.
pub fn emit(undone: Option<&Undone>) -> [u8; LEN] {
    let Some(Undone { start, field, cut }) = undone else { return [0; LEN] };
    let (kind, headers, size) = match cut {
        None => (WHOLE, 0, 0),
        Some(cut) => (if cut.reduced { TCP | REDUCED } else { TCP }, cut.headers, cut.size.get()),
    };
    let ([a, b], [c, d]) = (headers.to_le_bytes(), size.to_le_bytes());
    let ([e, f], [g, h]) = (start.to_le_bytes(), field.to_le_bytes());
    [CHECKSUM, kind, a, b, c, d, e, f, g, h]
}

/// It makes no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// What the device says of a frame of `len` bytes.
pub fn parse(header: &[u8; LEN], len: usize) -> Result<Option<Undone>, Malformed> {
    let [flags, kind, a, b, c, d, e, f, g, h] = *header;
    let (headers, size) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
    let (start, field) = (u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
    if flags & CHECKSUM == 0 {
        // §5.1.6.2: what is to be cut has its checksum to be filled in.
        return if kind == WHOLE { Ok(None) } else { Err(Malformed) };
    }
    if usize::from(start) + usize::from(field) + 2 > len {
        return Err(Malformed);
    }
    let cut = match (kind, NonZeroU16::new(size)) {
        (WHOLE, _) => None,
        (TCP | 0x81, Some(size)) if usize::from(headers) <= len => {
            Some(Cut { size, headers, reduced: kind & REDUCED != 0 })
        }
        // Nothing else was asked for.
        _ => return Err(Malformed),
    };
    Ok(Some(Undone { start, field, cut }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: usize = 65_549;

    fn cut(size: u16, reduced: bool) -> Option<Cut> {
        Some(Cut { size: NonZeroU16::new(size).unwrap(), headers: 66, reduced })
    }

    #[test]
    fn the_bytes_are_those_of_linux() {
        let undone = Undone { start: 34, field: 16, cut: cut(1448, false) };
        let bytes = [1, 1, 66, 0, 0xa8, 5, 34, 0, 16, 0];
        assert_eq!(emit(Some(&undone)), bytes);
        assert_eq!(parse(&bytes, LONG), Ok(Some(undone)));
        assert_eq!(emit(None), [0; LEN]);
    }

    #[test]
    fn what_is_said_is_understood() {
        let starts = [(0, 0), (34, 6), (u16::MAX - 16, 14), (300, 1000)];
        for (start, field) in starts {
            for cut in [None, cut(1, false), cut(u16::MAX, true)] {
                let undone = Undone { start, field, cut };
                assert_eq!(parse(&emit(Some(&undone)), LONG), Ok(Some(undone)));
            }
        }
        assert_eq!(parse(&[0; LEN], 14), Ok(None));
        // Checked by the host already: so it is whole. And flags that are not known.
        assert_eq!(parse(&[2, 0, 9, 9, 9, 9, 9, 9, 9, 9], 14), Ok(None));
        assert_eq!(parse(&[0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0], 14), Ok(None));
    }

    #[test]
    fn a_checksum_is_in_its_frame() {
        let header = emit(Some(&Undone { start: 34, field: 16, cut: None }));
        for len in 0..100 {
            assert_eq!(parse(&header, len).is_ok(), len >= 52, "{len}");
        }
        let header = emit(Some(&Undone { start: u16::MAX, field: u16::MAX, cut: None }));
        assert_eq!(parse(&header, LONG), Err(Malformed));
    }

    #[test]
    fn what_is_cut_is_tcp_over_ipv4_and_says_how() {
        let good = emit(Some(&Undone { start: 34, field: 16, cut: cut(1448, false) }));
        let with = |at: usize, value: u8| {
            let mut header = good;
            header[at] = value;
            parse(&header, 1000)
        };
        for kind in 0..=255 {
            assert_eq!(with(1, kind).is_ok(), [0, 1, 0x81].contains(&kind), "{kind:#x}");
        }
        assert_eq!(with(0, 0), Err(Malformed), "without a checksum");
        assert_eq!(with(3, 4), Err(Malformed), "headers of 1090 bytes");
        let mut header = good;
        (header[4], header[5]) = (0, 0);
        assert_eq!(parse(&header, 1000), Err(Malformed), "segments of nothing");
    }

    /// Every header that differs in one byte from one that is right, with frames of any length.
    #[test]
    fn whatever_comes_is_understood_or_refused() {
        let good = emit(Some(&Undone { start: 34, field: 16, cut: cut(1448, true) }));
        for at in 0..LEN {
            for value in 0..=255 {
                let mut header = good;
                header[at] = value;
                for len in [0, 1, 51, 52, 66, 1514, LONG] {
                    let Ok(Some(undone)) = parse(&header, len) else { continue };
                    assert!(usize::from(undone.start) + usize::from(undone.field) + 2 <= len);
                    assert!(undone.cut.is_none_or(|cut| usize::from(cut.headers) <= len));
                }
            }
        }
    }
}

//! What hosts leave undone, in a kernel that has no protocols. With one: `components/netinet/tests`.

use std::vec::Vec;

use base::{Cx, Kernel};
use proptest::prelude::*;

use super::*;

base::kernel!(BARE = [crate]);

/// The sum of a pseudo-header.
const PSEUDO: u16 = 0xbeef;

fn inside(f: impl FnOnce(&Cx<'_>)) {
    let kernel = Kernel::boot(sim::Sim::seeded(1), &BARE).unwrap();
    let before = kernel.account().used();
    kernel.enter(|l| f(l)).unwrap();
    assert_eq!(kernel.account().used(), before, "a frame left something charged");
}

fn undone(start: u16, field: u16, size: u16) -> Undone {
    let cut = NonZeroU16::new(size).map(|size| Cut { size, headers: 54, reduced: false });
    Undone { start, field, cut }
}

fn bytes(p: &Packet) -> Vec<u8> {
    p.segments().flatten().copied().collect()
}

#[test]
fn a_checksum_that_no_protocol_here_knows_is_filled_in() {
    inside(|cx| {
        assert!(!is_known(cx));
        for (start, field, len) in [(54, 16, 1401), (14, 0, 16), (900, 98, 1514), (34, 6, 60_001)] {
            let mut frame: Vec<u8> = (0..len).map(|i| (i ^ i >> 8) as u8).collect();
            let at = usize::from(start + field);
            frame[at..at + 2].copy_from_slice(&PSEUDO.to_be_bytes());
            let mut expected = frame.clone();
            let packet = adopt(cx, &mut frame, &undone(start, field, 0)).unwrap();
            assert!(packet.unfinished().is_empty());
            // As who receives it: the pseudo-header, and all that is there.
            let mut sum = Sum::of(&PSEUDO.to_be_bytes());
            sum.append(Sum::of(&bytes(&packet)[start.into()..]));
            assert!(sum.is_valid(), "{start} {field}");
            expected[at..at + 2].copy_from_slice(&bytes(&packet)[at..at + 2]);
            assert!(bytes(&packet) == expected, "nothing else has changed");
        }
    });
}

#[test]
fn rfc768_a_checksum_of_zero_is_sent_as_all_ones() {
    inside(|cx| {
        let mut frame = [0; 64];
        frame[20..22].copy_from_slice(&[0xff, 0xff]);
        let packet = adopt(cx, &mut frame, &undone(14, 6, 0)).unwrap();
        assert_eq!(bytes(&packet)[20..22], [0xff, 0xff]);
    });
}

#[test]
fn nonsense_is_refused() {
    inside(|cx| {
        for (undone, what) in [
            (undone(13, 3, 0), "in the link header"),
            (undone(0, 0, 0), "in the link header"),
            (undone(14, u16::MAX, 0), "behind the end"),
            (undone(98, 1, 0), "half behind the end"),
            (undone(u16::MAX, 2, 0), "behind the end"),
            (undone(34, 16, 1448), "segments of no protocol here"),
        ] {
            let adopted = adopt(cx, &mut [8; 100], &undone);
            assert_eq!(adopted.err(), Some(IfError::Invalid), "{what}");
        }
        let mut packet = Packet::from_slice(cx, &[8; 100]).unwrap();
        packet.leave_unfinished(0);
        assert_eq!(explain(cx, &mut packet), None);
    });
}

proptest! {
    #[test]
    fn whatever_a_host_says_is_done_or_refused(
        mut frame in prop::collection::vec(any::<u8>(), 0..400),
        start in prop_oneof![0..500_u16, any::<u16>()],
        field in prop_oneof![0..500_u16, any::<u16>()],
        size in prop_oneof![Just(0), any::<u16>()],
    ) {
        inside(|cx| {
            let len = frame.len();
            let end = usize::from(start) + usize::from(field) + 2;
            let makes_sense = start >= 14 && end <= len && size == 0;
            let adopted = adopt(cx, &mut frame, &undone(start, field, size));
            assert_eq!(adopted.map(|packet| packet.len()).ok(), makes_sense.then_some(len));
        });
    }
}

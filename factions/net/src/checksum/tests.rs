//! Against the sum as RFC 1071 §4.1 writes it.

use super::*;
use proptest::prelude::*;

/// One big-endian word after the other.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn rfc1071_3_the_numerical_example() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(Sum::of(&bytes).checksum(), !0xddf2);
}

#[test]
fn rfc1624_4_the_example_that_rfc1141_gets_wrong() {
    assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

#[test]
fn all_ones_do_not_overflow() {
    let bytes = [0xff; 65535];
    assert_eq!(Sum::of(&bytes).checksum(), naive(&bytes));
    assert_eq!(Sum::new().checksum(), 0xffff);
    assert!(!Sum::new().is_valid());
}

#[test]
fn the_pseudo_header_is_that_of_rfc768() {
    let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(192, 168, 255, 254));
    let bytes = [10, 0, 0, 1, 192, 168, 255, 254, 0, 17, 0x12, 0x34];
    assert_eq!(pseudo(src, dst, 17, 0x1234).checksum(), naive(&bytes));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_sum(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut cuts: std::vec::Vec<usize> =
            cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut sum = Sum::new();
        let mut from = 0;
        for cut in cuts {
            sum.add(&bytes[from..cut]);
            from = cut;
        }
        prop_assert_eq!(sum.checksum(), naive(&bytes));
    }

    #[test]
    fn sums_join_like_bytes(a in prop::collection::vec(any::<u8>(), 0..9),
                            b in prop::collection::vec(any::<u8>(), 0..9),
                            c in prop::collection::vec(any::<u8>(), 0..9)) {
        let mut right = Sum::of(&b);
        right.append(Sum::of(&c));
        let mut all = Sum::of(&a);
        all.append(right);
        prop_assert_eq!(all.checksum(), naive(&[a, b, c].concat()));
    }

    #[test]
    fn rfc1624_3_an_update_equals_a_new_sum(
        mut bytes in prop::array::uniform20(any::<u8>()), at in 0..10usize, new in any::<u16>(),
    ) {
        bytes[0] = 0x45; // A real header is never all zero.
        let before = Sum::of(&bytes).checksum();
        let at = at.max(1) * 2;
        let old = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        bytes[at..at + 2].copy_from_slice(&new.to_be_bytes());
        prop_assert_eq!(update(before, old, new), Sum::of(&bytes).checksum());
    }
}

extern crate std;

//! Each check of RFC 1812 §5.2.2, and round trips.

use super::*;
use proptest::prelude::*;

fn header(total_len: u16) -> Ipv4Header {
    let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let mut header = Ipv4Header::new(src, dst, protocol::UDP, 64, total_len);
    header.set_checksum(&[]);
    header
}

#[test]
fn a_packet_from_a_wire_parses() {
    // The example header of many textbooks, with its checksum 0xb861.
    let bytes = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00,
        0x01, 0xc0, 0xa8, 0x00, 0xc7,
    ];
    let view = Ipv4Header::parse(&bytes, 0x73).unwrap();
    assert_eq!(view.header.src(), Ipv4Addr::new(192, 168, 0, 1));
    assert_eq!(view.header.dst(), Ipv4Addr::new(192, 168, 0, 199));
    assert_eq!((view.header.ttl, view.header.protocol), (64, protocol::UDP));
    assert_eq!((view.header_len, view.payload_len()), (20, 0x73 - 20));
    assert!(view.header.dont_fragment() && !view.header.is_fragment());
    let mut again = Ipv4Header::new(view.header.src(), view.header.dst(), 17, 64, 0x73);
    again.set_dont_fragment(true);
    again.set_checksum(&[]);
    assert_eq!(again.as_bytes(), bytes);
}

fn refused(change: impl FnOnce(&mut [u8; 20]), sum_again: bool) -> Option<Malformed> {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(header(20).as_bytes());
    change(&mut bytes);
    if sum_again {
        let fresh = Ipv4Header::mut_from_bytes(&mut bytes).unwrap();
        fresh.set_checksum(&[]);
    }
    Ipv4Header::parse(&bytes, 20).err()
}

#[test]
fn rfc1812_5_2_2_each_check() {
    assert_eq!(refused(|_| (), false), None);
    assert_eq!(refused(|b| b[10] ^= 1, false), Some(Malformed::Checksum));
    assert_eq!(refused(|b| b[0] = 0x65, true), Some(Malformed::Version));
    assert_eq!(refused(|b| b[0] = 0x44, true), Some(Malformed::HeaderLength));
    assert_eq!(refused(|b| b[0] = 0x46, true), Some(Malformed::Truncated));
    assert_eq!(refused(|b| b[3] = 19, true), Some(Malformed::Length));
    assert_eq!(refused(|b| b[3] = 21, true), Some(Malformed::Truncated));
    assert_eq!(Ipv4Header::parse(&[0x45; 19], 19).err(), Some(Malformed::Truncated));
}

#[test]
fn padding_of_the_link_is_not_payload() {
    let fresh = header(28);
    let view = Ipv4Header::parse(fresh.as_bytes(), 46).unwrap();
    assert_eq!(view.payload_len(), 8);
}

#[test]
fn a_quote_may_be_cut_and_have_a_stale_checksum() {
    let mut bytes = [0u8; 28];
    bytes[..20].copy_from_slice(header(1500).as_bytes());
    bytes[10] ^= 0xff;
    let (view, rest) = Ipv4Header::parse_quoted(&bytes).unwrap();
    assert_eq!((view.total_len, rest.len()), (1500, 8));
    assert!(Ipv4Header::parse_quoted(&bytes[..19]).is_err());
}

#[test]
fn rfc1812_5_3_1_a_packet_dies_at_ttl_one() {
    for ttl in [0, 1] {
        let mut old = header(20);
        old.ttl = ttl;
        let before = old;
        assert!(!old.decrement_ttl());
        assert_eq!(old, before);
    }
}

#[test]
fn options_lengthen_the_header() {
    let mut fresh = header(28);
    fresh.set_options_len(8);
    fresh.set_checksum(&[1; 8]);
    let mut bytes = [1; 28];
    bytes[..20].copy_from_slice(fresh.as_bytes());
    let view = Ipv4Header::parse(&bytes, 28).unwrap();
    assert_eq!((view.options, view.payload_len()), (&[1u8; 8][..], 0));
    assert_eq!(Ipv4Header::contiguous(bytes[0]), 28);
    assert_eq!(Ipv4Header::parse(&bytes[..24], 28).err(), Some(Malformed::Truncated));
}

proptest! {
    #[test]
    fn rfc1624_the_checksum_stays_right_hop_after_hop(
        src in any::<u32>(), dst in any::<u32>(), id in any::<u16>(), protocol in any::<u8>(),
        ttl in any::<u8>(),
    ) {
        let mut header =
            Ipv4Header::new(Ipv4Addr::from(src), Ipv4Addr::from(dst), protocol, ttl, 20);
        header.set_id(id);
        header.set_checksum(&[]);
        while header.decrement_ttl() {
            prop_assert!(Ipv4Header::parse(header.as_bytes(), 20).is_ok());
        }
        prop_assert!(header.ttl <= 1);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), len in 0..100usize) {
        let _ = Ipv4Header::parse(&bytes, len);
        let _ = Ipv4Header::parse_quoted(&bytes);
    }

    #[test]
    fn fragment_fields_come_back(units in 0..0x2000usize, more in any::<bool>(), df in any::<bool>()) {
        let mut header = header(20);
        header.set_dont_fragment(df);
        header.set_fragment(units * 8, more);
        prop_assert_eq!(header.fragment_offset(), units * 8);
        prop_assert_eq!(header.more_fragments(), more);
        prop_assert_eq!(header.dont_fragment(), df);
        prop_assert_eq!(header.is_fragment(), more || units > 0);
    }
}

extern crate std;

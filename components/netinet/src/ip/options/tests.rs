//! The rules by section, and any bytes at all.

use super::*;
use proptest::prelude::*;

extern crate std;

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

#[test]
fn rfc791_3_1_end_and_no_operation() {
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&[1, 1, 1, 0]), Ok(()));
    // What follows the end is padding, whatever it is.
    assert_eq!(check(&[0, 131, 1, 7]), Ok(()));
}

#[test]
fn rfc1122_3_2_1_8_unknown_options_are_passed_over() {
    let mut router_alert = [148, 4, 0, 0, 222, 4, 9, 9];
    assert_eq!(check(&router_alert), Ok(()));
    assert_eq!(forward(&mut router_alert, OURS, 0), Ok(false));
    assert_eq!(router_alert, [148, 4, 0, 0, 222, 4, 9, 9]);
}

#[test]
fn rfc6274_3_13_1_a_bad_length_is_a_problem_at_its_byte() {
    assert_eq!(check(&[1, 222, 0, 0]), Err(Refused::Problem(22)));
    assert_eq!(check(&[1, 222, 1, 0]), Err(Refused::Problem(22)));
    assert_eq!(check(&[1, 222, 4, 0]), Err(Refused::Problem(22)));
    // The length itself is missing.
    assert_eq!(check(&[1, 1, 1, 222]), Err(Refused::Problem(23)));
}

#[test]
fn rfc7126_4_3_source_routes_are_refused() {
    for kind in [131, 137] {
        let mut route = [kind, 7, 4, 10, 0, 0, 9, 0];
        assert_eq!(check(&route), Err(Refused::SourceRoute));
        assert_eq!(forward(&mut route, OURS, 0), Err(Refused::SourceRoute));
        // Even when it is used up (RFC 1122 §3.2.1.8 (c) would accept that one).
        assert_eq!(check(&[kind, 7, 8, 10, 0, 0, 9, 0]), Err(Refused::SourceRoute));
    }
}

#[test]
fn rfc1812_5_3_13_5_record_route_takes_our_address() {
    let mut options = [1, 7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(check(&options), Ok(()));
    assert_eq!(forward(&mut options, OURS, 0), Ok(true));
    assert_eq!(options, [1, 7, 11, 8, 10, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(forward(&mut options, Ipv4Addr::new(1, 2, 3, 4), 0), Ok(true));
    assert_eq!(options, [1, 7, 11, 12, 10, 0, 0, 1, 1, 2, 3, 4]);
    // Full: it goes on as it is.
    assert_eq!(forward(&mut options, OURS, 0), Ok(false));
}

#[test]
fn rfc791_p20_record_route_with_half_a_slot_is_a_problem() {
    assert_eq!(check(&[7, 6, 4, 0, 0, 0, 0, 0]), Err(Refused::Problem(22)));
    assert_eq!(check(&[7, 7, 3, 0, 0, 0, 0, 0]), Err(Refused::Problem(22)));
    assert_eq!(check(&[7, 7, 5, 0, 0, 0, 0, 0]), Err(Refused::Problem(22)));
    assert_eq!(check(&[7, 2, 0, 0]), Err(Refused::Problem(21)));
}

#[test]
fn rfc1812_5_3_13_6_timestamps() {
    let mut only_times = [68, 8, 5, 0, 0, 0, 0, 0];
    assert_eq!(forward(&mut only_times, OURS, 0x0102_0304), Ok(true));
    assert_eq!(only_times, [68, 8, 9, 0, 1, 2, 3, 4]);
    // Full: the next one is counted.
    assert_eq!(forward(&mut only_times, OURS, 9), Ok(true));
    assert_eq!(only_times, [68, 8, 9, 0x10, 1, 2, 3, 4]);

    let mut with_address = [68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(forward(&mut with_address, OURS, 7), Ok(true));
    assert_eq!(with_address, [68, 12, 13, 1, 10, 0, 0, 1, 0, 0, 0, 7]);

    let mut prespecified = [68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0];
    let mut other = prespecified;
    assert_eq!(forward(&mut prespecified, OURS, 7), Ok(true));
    assert_eq!(prespecified, [68, 12, 13, 3, 10, 0, 0, 1, 0, 0, 0, 7]);
    assert_eq!(forward(&mut other, Ipv4Addr::new(9, 9, 9, 9), 7), Ok(false));
    // Used up: not counted, since nobody else was asked.
    assert_eq!(forward(&mut prespecified, OURS, 7), Ok(false));
}

#[test]
fn rfc791_p22_bad_timestamps_are_a_problem() {
    // The overflow count overflows.
    assert_eq!(check(&[68, 8, 9, 0xf0, 0, 0, 0, 0]), Err(Refused::Problem(23)));
    // An unknown flag.
    assert_eq!(check(&[68, 8, 5, 2, 0, 0, 0, 0]), Err(Refused::Problem(23)));
    // The pointer points into the header of the option, or between two times.
    assert_eq!(check(&[68, 8, 4, 0, 0, 0, 0, 0]), Err(Refused::Problem(22)));
    assert_eq!(check(&[68, 8, 6, 0, 0, 0, 0, 0]), Err(Refused::Problem(22)));
    // Room for an address but not for its time.
    assert_eq!(check(&[68, 8, 5, 1, 0, 0, 0, 0]), Err(Refused::Problem(22)));
    assert_eq!(check(&[68, 3, 5, 0]), Err(Refused::Problem(21)));
}

#[test]
fn nothing_is_written_when_a_later_option_is_bad() {
    let mut options = [7, 7, 4, 0, 0, 0, 0, 222, 0, 0, 0, 0];
    let before = options;
    assert_eq!(forward(&mut options, OURS, 0), Err(Refused::Problem(28)));
    assert_eq!(options, before);
}

#[test]
fn rfc791_p15_copied_options_go_into_every_fragment() {
    let options = [1, 148, 4, 0, 0, 7, 7, 4, 0, 0, 0, 0, 0x88, 4, 1, 2, 0xff, 2, 0, 0];
    let copied = copied(&options);
    assert_eq!(copied.as_bytes(), [148, 4, 0, 0, 0x88, 4, 1, 2, 0xff, 2, 0, 0]);
    assert!(super::copied(&[7, 7, 4, 0, 0, 0, 0, 0]).as_bytes().is_empty());
}

/// Options that come close to being right.
fn plausible() -> impl Strategy<Value = std::vec::Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        0..16u8,
        prop::sample::select(&[7u8, 68, 131, 137, 148, 8, 11, 12, 5][..]),
    ];
    prop::collection::vec(byte, 0..=40)
}

proptest! {
    #[test]
    fn no_options_make_it_panic(mut options in plausible(), ip in any::<u32>(), ms in any::<u32>()) {
        let before = options.clone();
        let checked = check(&options);
        let done = forward(&mut options, Ipv4Addr::from(ip), ms);
        prop_assert_eq!(checked.err(), done.err());
        if done != Ok(true) {
            prop_assert_eq!(&options, &before);
        }
        if done.is_ok() {
            // The lengths stay, so that what was well-formed can still be walked.
            let mut at = 0;
            while let Some((_, end)) = next(&options, at).unwrap() {
                at = end;
            }
        }
        let copied = copied(&options);
        prop_assert!(copied.as_bytes().len().is_multiple_of(4) && copied.as_bytes().len() <= 40);
    }
}

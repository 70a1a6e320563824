//! Scripts for paths that do not say what they carry.

use super::super::Settings;
use super::super::rto::{MS, SECOND};
use super::channel::{Channel, End, Weather, transfer};
use super::script::script_with_probing;

/// A round trip of 100 ms, segments of 1400 bytes, SACK.
const START: &str = "
    > S seq 0
    +100
    < SA seq 0 ack 1 mss 1400 sackok win 60000
    > A seq 1 ack 1
";

/// The same, after a black hole was found: 1 to 1401 did not arrive whole, 1024 at a time does.
const FELL: &str = "
    write 1400
    > A seq 1 len 1400
    +300
    > A seq 1 len 1400
    +600
    > A seq 1 len 1400
    +1200               # RFC 4821 §7.7: the third timeout in a row
    > A seq 1 len 1024
    > A seq 1025 len 376
    < A seq 1 ack 1025
    < A seq 1 ack 1401
";

fn script(text: &str) {
    script_with_probing(1400, &format!("{START}{text}"));
}

#[test]
fn rfc4821_7_7_full_segments_that_time_out_are_cut() {
    script(FELL);
}

#[test]
fn rfc4821_7_2_if_the_base_fails_too_it_goes_lower() {
    script(
        "write 1400
         > A seq 1 len 1400
         +300
         > A seq 1 len 1400
         +600
         > A seq 1 len 1400
         +1200
         > A seq 1 len 1024
         > A seq 1025 len 376
         +2400
         > A seq 1 len 536
         > A seq 537 len 488
         > A seq 1025 len 376
         < A seq 1 ack 1401",
    );
}

#[test]
fn what_is_not_full_is_not_too_long() {
    script(
        "write 500
         > A seq 1 len 500
         +300
         > A seq 1 len 500
         +600
         > A seq 1 len 500
         +1200
         > A seq 1 len 500",
    );
}

/// Two ends that are connected by a way of 20 ms.
fn connected(gso_max: u16, probing: bool) -> Channel {
    let weather = Weather { loss: 0, mark: 0, duplicate: 0, reorder: 0, delay: 20 * MS, jitter: 0 };
    let end = |iss| End::new(iss, 1460, 1 << 20, Settings::default()).with_gso(gso_max);
    let active = if probing { end(1000).probing() } else { end(1000) };
    let mut channel = Channel::new([active, end(5000).listening(4)], weather, 5);
    while !channel.ends[1].tcb.state().is_synchronized() {
        assert!(channel.step());
    }
    channel
}

fn segment(channel: &Channel) -> usize {
    channel.ends[0].tcb.info().mss.into()
}

#[test]
fn rfc8899_5_3_what_a_path_carries_is_found_out() {
    for gso_max in [0, 65_000] {
        for narrow in [1450, 1300, 1100, 1024, 900, 540] {
            let mut channel = connected(gso_max, true);
            transfer(&mut channel, 100_000);
            assert_eq!(segment(&channel), 1460, "nothing is tried without a reason");
            channel.narrow = narrow;
            let took = transfer(&mut channel, 3_000_000);
            assert!(took < 15 * SECOND, "{narrow}: {} ms", took / MS);
            let found = segment(&channel);
            assert!((narrow - 32..=narrow).contains(&found), "{found} where {narrow} fit");
            // What is known is kept.
            transfer(&mut channel, 3_000_000);
            let resent = channel.ends[0].tcb.info().resent;
            transfer(&mut channel, 1_000_000);
            assert_eq!(channel.ends[0].tcb.info().resent, resent, "{narrow}");
        }
    }
}

#[test]
fn rfc8899_5_3_3_a_path_that_becomes_wide_is_noticed_after_a_while() {
    let mut channel = connected(0, true);
    channel.narrow = 1100;
    transfer(&mut channel, 3_000_000);
    let narrow = segment(&channel);
    channel.narrow = 0;
    transfer(&mut channel, 1_000_000);
    assert_eq!(segment(&channel), narrow);
    while channel.step() {}
    channel.now += 601 * SECOND;
    transfer(&mut channel, 3_000_000);
    assert!(segment(&channel) > 1460 - 32, "{}", segment(&channel));
}

#[test]
fn without_probing_a_black_hole_stays_one() {
    let mut channel = connected(0, false);
    channel.narrow = 1100;
    channel.ends[0].write(&[0; 100_000]);
    while channel.step() {}
    assert!(channel.ends[0].tcb.failure().is_some());
}

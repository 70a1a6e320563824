//! Tests of the algorithms.

use super::cubic::cube_root;
use super::*;

const MS: u64 = 1_000_000;

fn ack(bytes: u32, now: u64) -> Ack {
    Ack { bytes, rtt: 100 * MS, now }
}

#[test]
fn rfc6928_2_the_first_window() {
    assert_eq!(initial_window(1460), 14_600);
    assert_eq!(initial_window(536), 5360);
    assert_eq!(initial_window(9000), 18_000);
}

#[test]
fn rfc5681_3_1_slow_start_doubles_in_a_round_trip() {
    for name in Algorithm::NAMES {
        let mut cc = Algorithm::named(name, 1000).unwrap();
        let first = cc.window();
        (0..10).for_each(|_| cc.acknowledged(&ack(1000, 0)));
        assert_eq!(cc.window(), first + 10_000, "{name}");
        assert_eq!(cc.name(), name);
    }
}

#[test]
fn rfc5681_3_1_reno_halves_and_then_adds_a_segment_each_round_trip() {
    let mut cc = NewReno::new(1000);
    cc.lost(100_000, 0);
    assert_eq!((cc.window(), cc.threshold()), (50_000, 50_000));
    (0..50).for_each(|_| cc.acknowledged(&ack(1000, 0)));
    assert_eq!(cc.window(), 51_000);
    cc.timed_out(51_000, 0);
    assert_eq!((cc.window(), cc.threshold()), (1000, 25_500));
    cc.lost(1000, 0);
    assert_eq!(cc.threshold(), 2000, "two segments at least");
}

#[test]
fn rfc9438_4_6_cubic_keeps_seven_tenths() {
    let mut cc = Cubic::new(1000);
    (0..90).for_each(|_| cc.acknowledged(&ack(1000, 0)));
    assert_eq!(cc.window(), 100_000);
    cc.lost(100_000, 0);
    assert_eq!(cc.window(), 70_000);
}

/// Drives a full window's acknowledgments each 100 ms for so many round trips.
fn drive(cc: &mut Cubic, start: u64, trips: u64) -> Vec<u32> {
    let each = |trip: u64| {
        let now = start + trip * 100 * MS;
        (0..cc.window() / 1000).for_each(|_| cc.acknowledged(&ack(1000, now)));
        cc.window()
    };
    (1..=trips).map(each).collect()
}

#[test]
fn rfc9438_4_2_cubic_comes_back_to_where_it_was_and_goes_on() {
    let mut cc = Cubic::new(1000);
    (0..490).for_each(|_| cc.acknowledged(&ack(1000, 0)));
    assert_eq!(cc.window(), 500_000);
    cc.lost(500_000, 0);
    // K = cbrt(150 / 0.4) = 7.2 seconds.
    let windows = drive(&mut cc, 0, 110);
    assert!(windows.windows(2).all(|w| w[0] <= w[1]), "it only grows");
    assert!((480_000..=503_000).contains(&windows[71]), "near W_max at K: {}", windows[71]);
    // Slow around the plateau, fast at both ends.
    let step = |i: usize| windows[i + 5] - windows[i];
    assert!(step(5) > step(65) && step(104) > step(72), "concave, then convex: {windows:?}");
}

#[test]
fn rfc9438_4_7_fast_convergence() {
    let mut cc = Cubic::new(1000);
    (0..90).for_each(|_| cc.acknowledged(&ack(1000, 0)));
    cc.lost(100_000, 0);
    cc.lost(70_000, 0);
    assert_eq!(cc.window(), 49_000);
    // The plateau is now at 0.85 of 70,000.
    let windows = drive(&mut cc, 0, 29);
    assert!(windows[28] < 66_000, "{windows:?}");
}

#[test]
fn numbers_at_their_ends_do_no_harm() {
    for name in Algorithm::NAMES {
        for mss in [0, 1, u32::MAX] {
            let mut cc = Algorithm::named(name, mss).unwrap();
            for now in [0, 1, u64::MAX / 2, 3, u64::MAX] {
                cc.acknowledged(&Ack { bytes: u32::MAX, rtt: now / 2, now });
                cc.lost(u32::MAX, now);
                cc.acknowledged(&Ack { bytes: u32::MAX, rtt: 0, now });
                cc.timed_out(0, now);
                cc.acknowledged(&Ack { bytes: 1, rtt: 0, now });
                cc.idle();
            }
        }
    }
    assert!(Algorithm::named("vegas", 1).is_none());
}

#[test]
fn cube_roots() {
    for n in [0, 1, 7, 8, 26, 27, 1_000_000, u64::MAX] {
        let root = u128::from(cube_root(n));
        assert!(root.pow(3) <= n.into() && (root + 1).pow(3) > n.into(), "{n}");
    }
}

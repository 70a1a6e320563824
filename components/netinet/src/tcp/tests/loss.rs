//! How losses are repaired, in time: what each mechanism is there for.

use super::super::Settings;
use super::super::rto::MS;
use super::channel::{Channel, End, Weather, pair, transfer};

const CALM: Weather =
    Weather { loss: 0, mark: 0, duplicate: 0, reorder: 0, delay: 20 * MS, jitter: 0 };

fn sent_for(channel: &mut Channel, len: usize) -> (u64, u64) {
    let before = channel.sent;
    let took = transfer(channel, len);
    (took / MS, channel.sent - before)
}

#[test]
fn without_loss_nothing_is_sent_twice() {
    let mut channel = pair(CALM, 1, 1 << 20);
    let (took, _) = sent_for(&mut channel, 3_000_000);
    assert!(took < 1500, "{took} ms");
    // But for the SYNs, which crossed.
    assert!(channel.ends.iter().all(|e| e.tcb.info().resent == 1));
}

#[test]
fn rfc8985_reordering_alone_is_no_loss() {
    let weather = Weather { jitter: 8 * MS, ..CALM };
    let mut channel = pair(weather, 2, 1 << 20);
    transfer(&mut channel, 200_000);
    let before = channel.ends[0].tcb.info().resent;
    let (took, _) = sent_for(&mut channel, 3_000_000);
    let resent = channel.ends[0].tcb.info().resent - before;
    assert!(resent < 40, "{resent} of 2000 sent again in {took} ms");
}

#[test]
fn rfc8985_a_percent_of_loss_costs_no_timeouts() {
    let weather = Weather { loss: 10, ..CALM };
    let mut channel = pair(weather, 3, 1 << 20);
    let (took, sent) = sent_for(&mut channel, 3_000_000);
    assert!(took < 12_000, "{took} ms");
    let resent = channel.ends[0].tcb.info().resent;
    assert!(resent < 60, "{resent} sent again, of {sent}");
}

#[test]
fn buffers_grow_until_they_are_not_what_is_waited_for() {
    let took = |tuned_to| {
        let mut channel = pair(CALM, 1, 60_000);
        channel.ends[1].tuned_to = tuned_to;
        transfer(&mut channel, 4_000_000) / MS
    };
    let (fixed, tuned) = (took(0), took(2 << 20));
    // 60 kB in each round trip of 40 ms.
    assert!(fixed > 2500, "{fixed} ms");
    assert!(tuned < 900, "{tuned} ms");
}

#[test]
fn rfc3168_marks_slow_the_sender_down_and_lose_nothing() {
    let window = |mark| {
        let end = |iss| End::new(iss, 1460, 1 << 20, Settings::default()).with_gso(65_000);
        let ends = [end(1000).asking_for_marks(), end(5000).listening(4)];
        let mut channel = Channel::new(ends, CALM, 5);
        while !channel.ends[1].tcb.state().is_synchronized() {
            assert!(channel.step());
        }
        channel.weather.mark = mark;
        transfer(&mut channel, 3_000_000);
        let info = channel.ends[0].tcb.info();
        assert_eq!(info.resent, 0, "nothing was lost");
        info.window
    };
    let (free, marked) = (window(0), window(20));
    assert!(marked < free / 4, "{marked} of {free}");
}

/// How long two transfers take, the second one with losses; and what was sent again.
fn good_and_bad(gso_max: u16, whole: bool) -> (u64, u64, u64, u32) {
    let end = |iss| End::new(iss, 1460, 1 << 20, Settings::default()).with_gso(gso_max);
    let mut channel = Channel::new([end(1000), end(5000)], CALM, 4);
    channel.whole = whole;
    let good = transfer(&mut channel, 1_000_000);
    assert!(channel.ends.iter().all(|e| e.tcb.info().resent == 1), "calm: nothing sent twice");
    channel.weather.loss = 10;
    let (bad, sent) = sent_for(&mut channel, 3_000_000);
    (good, bad, sent, channel.ends[0].tcb.info().resent)
}

#[test]
fn segments_that_others_cut_are_repaired_as_if_they_had_been_sent_cut() {
    assert_eq!(good_and_bad(65_000, false), good_and_bad(0, false));
    let (_, took, sent, _) = good_and_bad(65_000, true);
    assert!(took < 12_000 && sent < 2500, "{took} ms, {sent} segments and acknowledgments");
}

#[test]
fn rfc8985_7_the_loss_of_the_last_segments_is_found_before_the_timeout() {
    let mut total = 0;
    for seed in 0..50 {
        let mut channel = pair(CALM, seed, 1 << 20);
        transfer(&mut channel, 100_000);
        channel.weather.loss = 200;
        let took = transfer(&mut channel, 10_000);
        total += took / MS;
    }
    assert!(total / 50 < 400, "{} ms for seven segments on a bad way", total / 50);
}

//! How losses are repaired, in time: what each mechanism is there for.

use super::super::rto::MS;
use super::channel::{Channel, Weather, pair, transfer};

const CALM: Weather = Weather { loss: 0, duplicate: 0, reorder: 0, delay: 20 * MS, jitter: 0 };

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

//! Losses: timeouts, duplicates, SACK, probes.

use super::super::super::Settings;
use super::super::super::rto::SECOND;
use super::super::script::script_with;
use super::{PLAIN, plain, sack};

#[test]
fn rfc6298_5_the_timeout_doubles() {
    plain(
        "write 100
         > A seq 1 len 100
         +300
         > A seq 1 len 100
         +600
         > A seq 1 len 100
         +1200
         > A seq 1 len 100
         < A seq 1 ack 101
         +600000
         state ESTABLISHED",
    );
}

#[test]
fn rfc9293_3_8_3_a_peer_that_is_silent_is_given_up() {
    let settings = Settings { user_timeout: Some(2 * SECOND), ..Settings::default() };
    let text = "write 9 \n > A seq 1 len 9 \n +300 \n > A seq 1 \n +600 \n > A seq 1 \n +1099 \n state ESTABLISHED \n +1 \n failed TimedOut";
    script_with(settings, &format!("{PLAIN}{text}"));
}

#[test]
fn rfc5681_3_2_three_duplicates_are_a_loss() {
    plain(
        "write 4000
         > A seq 1 len 1000
         > A seq 1001 len 1000
         > A seq 2001 len 1000
         > AP seq 3001 len 1000
         < A seq 1 ack 1
         < A seq 1 ack 1
         < A seq 1 ack 1
         > A seq 1 len 1000
         < A seq 1 ack 4001
         unsent 0",
    );
}

#[test]
fn rfc6582_3_2_a_partial_acknowledgment_shows_the_next_hole() {
    plain(
        "write 5000
         > A seq 1 len 1000
         > A seq 1001 len 1000
         > A seq 2001 len 1000
         > A seq 3001 len 1000
         > A seq 4001 len 1000
         < A seq 1 ack 1
         < A seq 1 ack 1
         < A seq 1 ack 1
         > A seq 1 len 1000
         < A seq 1 ack 2001
         > A seq 2001 len 1000
         < A seq 1 ack 5001",
    );
}

#[test]
fn rfc2018_4_what_came_out_of_order_is_reported() {
    sack(
        "< A seq 1001 ack 1 len 1000
         > A ack 1 sack 1001-2001
         < A seq 3001 ack 1 len 1000
         > A ack 1 sack 3001-4001 sack 1001-2001
         < A seq 1 ack 1 len 1000
         > A ack 2001 sack 3001-4001",
    );
}

#[test]
fn rfc2883_4_1_what_came_twice_is_reported_once() {
    sack(
        "< A seq 1 ack 1 len 1000
         < A seq 1 ack 1 len 1000
         > A ack 1001 sack 1-1001
         < A seq 0 ack 1
         > A ack 1001 bare",
    );
}

#[test]
fn rfc8985_6_2_a_hole_below_three_segments_is_a_loss() {
    sack(
        "write 5000
         > A seq 1 len 1000
         > A seq 1001 len 1000
         > A seq 2001 len 1000
         > A seq 3001 len 1000
         > AP seq 4001 len 1000
         +100
         < A seq 1 ack 1 sack 1001-2001
         < A seq 1 ack 1 sack 1001-3001
         < A seq 1 ack 1 sack 1001-4001
         > A seq 1 len 1000
         < A seq 1 ack 5001
         unsent 0",
    );
}

#[test]
fn rfc8985_6_2_a_single_one_beyond_a_hole_has_a_quarter_of_a_round_trip() {
    sack(
        "write 1000
         > A seq 1 len 1000
         +100
         < A seq 1 ack 1001
         write 2000
         > A seq 1001 len 1000
         > AP seq 2001 len 1000
         +100
         < A seq 1 ack 1001 sack 2001-3001
         +23
         +3
         > A seq 1001 len 1000",
    );
}

#[test]
fn rfc8985_7_3_a_probe_for_the_last_segment() {
    sack(
        "write 1000
         > A seq 1 len 1000
         +100
         < A seq 1 ack 1001
         write 2000
         > A seq 1001 len 1000
         > AP seq 2001 len 1000
         +199
         +1
         > AP seq 2001 len 1000 # two round trips
         +100
         < A seq 1 ack 1001 sack 2001-3001
         > A seq 1001 len 1000
         < A seq 1 ack 3001",
    );
}

#[test]
fn rfc2018_8_a_peer_may_take_back_what_it_said() {
    sack(
        "write 2000
         > A seq 1 len 1000
         > AP seq 1001 len 1000
         +100
         < A seq 1 ack 1 sack 1001-2001
         +25
         > A seq 1 len 1000
         +100
         < A seq 1 ack 1001
         +300
         > A seq 1001 len 1000
         < A seq 1 ack 2001",
    );
}

#[test]
fn rfc5681_4_1_after_a_rest_the_first_window_again() {
    let mut text = String::from("write 40000 \n");
    let mut at = 1;
    // Ten segments, then twice as many.
    (0..10).for_each(|i| text += &format!("> A seq {} len 1000\n", i * 1000 + 1));
    text += "< A seq 1 ack 10001 win 65000\n";
    (10..30).for_each(|i| text += &format!("> A seq {} len 1000\n", i * 1000 + 1));
    text += "< A seq 1 ack 30001 win 65000\n";
    (30..40).for_each(|i| text += &format!("> A seq {} len 1000\n", i * 1000 + 1));
    text += "< A seq 1 ack 40001 win 65000\n +5000 \n write 20000\n";
    at += 40_000;
    (0..10).for_each(|i| text += &format!("> A seq {} len 1000\n", at + i * 1000));
    plain(&text);
}

#[test]
fn rfc1191_6_5_a_narrow_way_cuts_what_is_sent_again() {
    sack(
        "write 1500
         > A seq 1 len 1000
         mtu 640
         > A seq 1 len 600
         > A seq 601 len 400
         < A seq 1 ack 1001
         > AP seq 1001 len 500",
    );
}

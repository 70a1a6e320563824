//! A script for each clause.

use super::super::Settings;
use super::super::rto::{MS, SECOND};
use super::script::{script, script_with};

/// A connection with a peer that has no options. The round trip is 100 ms, so the timeout is 300.
const PLAIN: &str = "
    > S seq 0 mss 1000 scale 7 sackok
    +100
    < SA seq 0 ack 1 mss 1000
    > A seq 1 ack 1 bare
";

/// One with SACK, without timestamps.
const SACK: &str = "
    > S seq 0
    +100
    < SA seq 0 ack 1 mss 1000 sackok
    > A seq 1 ack 1
";

fn plain(text: &str) {
    script(&format!("{PLAIN}{text}"));
}

fn sack(text: &str) {
    script(&format!("{SACK}{text}"));
}

// ---- making a connection ----

#[test]
fn rfc9293_3_5_figure_6_the_handshake() {
    plain("state ESTABLISHED");
}

#[test]
fn rfc9293_3_5_figure_7_syns_cross() {
    script(
        "> S seq 0
         < S seq 0 mss 1000
         > SA seq 0 ack 1
         state SYN_RECEIVED
         < SA seq 0 ack 1
         state ESTABLISHED",
    );
}

#[test]
fn rfc9293_3_10_7_3_first_an_acknowledgment_of_nothing_is_reset() {
    script(
        "> S seq 0
         < A seq 7 ack 99
         > R seq 99
         < R seq 7 ack 99
         < SA seq 7 ack 0
         > R seq 0
         state SYN_SENT",
    );
}

#[test]
fn rfc9293_3_10_7_3_second_a_reset_that_acknowledges_the_syn_refuses() {
    script(
        "> S seq 0
         < R seq 0
         state SYN_SENT
         < RA seq 0 ack 1
         state CLOSED
         failed Refused",
    );
}

#[test]
fn rfc9293_3_8_1_and_3_8_3_the_syn_is_sent_again_for_three_minutes() {
    script(
        "> S seq 0
         +1000
         > S seq 0
         +2000
         > S seq 0
         +4000
         > S seq 0
         +8000
         > S seq 0
         +16000
         > S seq 0
         +32000
         > S seq 0
         +60000
         > S seq 0
         state SYN_SENT
         +60000
         state CLOSED
         failed TimedOut",
    );
}

#[test]
fn rfc6298_5_7_after_a_lost_syn_the_timeout_is_three_seconds() {
    script(
        "> S seq 0
         +1000
         > S seq 0
         < SA seq 0 ack 1 mss 1000
         > A seq 1 ack 1
         write 100
         > A seq 1 len 100
         +2999
         +1
         > A seq 1 len 100",
    );
}

#[test]
fn rfc9293_3_10_4_close_before_there_is_a_connection() {
    script("> S seq 0 \n close \n state CLOSED \n < SA seq 0 ack 1 \n > R seq 1");
}

#[test]
fn rfc9293_3_10_7_4_in_syn_received_a_reset_refuses() {
    script("> S seq 0 \n < S seq 0 \n > SA seq 0 ack 1 \n < R seq 1 \n failed Refused");
}

#[test]
fn rfc9293_3_10_7_4_in_syn_received_a_wrong_acknowledgment_is_reset() {
    script(
        "> S seq 0 \n < S seq 0 \n > SA seq 0 ack 1 \n < A seq 1 ack 9 \n > R seq 9 \n abort \n > RA",
    );
}

// ---- ending one ----

#[test]
fn rfc9293_3_6_figure_12_this_side_ends_first() {
    plain(
        "close
         > FA seq 1 ack 1
         state FIN_WAIT_1
         < A seq 1 ack 2
         state FIN_WAIT_2
         < A seq 1 ack 2 len 100
         +40
         > A seq 2 ack 101
         got 100
         < FA seq 101 ack 2
         > A seq 2 ack 102
         state TIME_WAIT
         +59999
         state TIME_WAIT
         +1
         state CLOSED",
    );
}

#[test]
fn rfc9293_3_6_figure_12_the_other_side_ends_first() {
    plain(
        "< FA seq 1 ack 1
         > A seq 1 ack 2
         state CLOSE_WAIT
         write 100
         > A seq 1 ack 2 len 100
         < A seq 2 ack 101
         close
         > FA seq 101 ack 2
         state LAST_ACK
         < A seq 2 ack 102
         state CLOSED
         failed",
    );
}

#[test]
fn rfc9293_3_6_figure_13_both_end_at_once() {
    plain(
        "close
         > FA seq 1 ack 1
         < FA seq 1 ack 1
         > A seq 2 ack 2
         state CLOSING
         < A seq 2 ack 2
         state TIME_WAIT
         +60000
         state CLOSED",
    );
}

#[test]
fn rfc9293_3_10_7_4_the_fin_is_acknowledged_with_the_peers_own() {
    plain("close \n > FA seq 1 \n < FA seq 1 ack 2 \n > A seq 2 ack 2 \n state TIME_WAIT");
}

#[test]
fn rfc9293_3_10_4_data_goes_before_the_fin() {
    plain(
        "write 1500
         > A seq 1 len 1000
         close
         > FAP seq 1001 len 500
         < A seq 1 ack 1001
         state FIN_WAIT_1
         < A seq 1 ack 1502
         state FIN_WAIT_2",
    );
}

#[test]
fn rfc9293_3_10_7_4_eighth_a_fin_in_time_wait_starts_the_wait_anew() {
    plain(
        "close
         > FA
         < FA seq 1 ack 2
         > A seq 2 ack 2
         +50000
         < FA seq 1 ack 2
         > A seq 2 ack 2
         +59999
         state TIME_WAIT
         +1
         state CLOSED",
    );
}

#[test]
fn rfc9293_3_10_7_4_a_fin_before_its_time_waits() {
    plain(
        "< FA seq 101 ack 1 len 50
         > A ack 1
         state ESTABLISHED
         < A seq 1 ack 1 len 100
         > A ack 152
         state CLOSE_WAIT
         got 150",
    );
}

#[test]
fn a_fin_that_nobody_would_read_is_not_waited_for_forever() {
    plain(
        "close
         > FA
         deafen
         < A seq 1 ack 2
         state FIN_WAIT_2
         +59999
         state FIN_WAIT_2
         +1
         state CLOSED",
    );
}

#[test]
fn rfc2525_2_17_data_that_nobody_will_read_is_answered_by_a_reset() {
    plain("deafen \n close \n > FA seq 1 \n < A seq 1 ack 2 len 5 \n > RA seq 2 \n state CLOSED");
}

#[test]
fn rfc9293_3_10_5_abort() {
    plain("abort \n > RA seq 1 ack 1 \n state CLOSED");
    plain("write 10 \n > A seq 1 len 10 \n abort \n > RA seq 11 \n state CLOSED");
    plain("close \n > FA \n < FA seq 1 ack 2 \n > A \n abort \n state CLOSED");
}

// ---- what is not acceptable ----

#[test]
fn rfc9293_3_10_7_4_first_what_is_outside_of_the_window_is_answered() {
    plain(
        "< A seq 20000 ack 1 len 1
         > A seq 1 ack 1
         < A seq 0 ack 1 len 1
         > A seq 1 ack 1
         < A seq 0 ack 1
         > A seq 1 ack 1
         < R seq 20000
         got 0
         state ESTABLISHED",
    );
}

#[test]
fn rfc9293_3_10_7_4_what_is_new_of_an_old_segment_is_taken() {
    plain(
        "< A seq 1 ack 1 len 100
         < A seq 51 ack 1 len 100
         > A ack 151
         got 150",
    );
}

#[test]
fn rfc5961_3_2_a_reset_must_be_exact() {
    plain(
        "< R seq 2
         > A seq 1 ack 1
         state ESTABLISHED
         < R seq 1
         state CLOSED
         failed Reset",
    );
}

#[test]
fn rfc5961_4_2_a_syn_is_challenged() {
    plain(
        "< S seq 1 \n > A seq 1 ack 1 \n < SA seq 500 ack 1 \n > A seq 1 ack 1 \n state ESTABLISHED",
    );
}

#[test]
fn rfc5961_5_2_an_acknowledgment_of_what_was_not_sent_is_challenged() {
    plain("write 10 \n > A seq 1 len 10 \n < A seq 1 ack 12 len 9 \n > A seq 11 ack 1 \n got 0");
    plain("< A seq 1 ack 70000 len 9 \n > A seq 1 ack 1 \n got 0");
}

#[test]
fn rfc5961_7_challenges_have_a_limit() {
    let challenge = "< S seq 1 \n > A seq 1 ack 1 \n".repeat(10);
    plain(&format!("+2000 \n {challenge} < S seq 1 \n < S seq 1 \n +1000 \n < S seq 1 \n > A"));
}

#[test]
fn rfc9293_3_10_7_4_fifth_without_ack_nothing_is_taken() {
    plain("< . seq 1 len 10 \n got 0 \n state ESTABLISHED");
}

#[test]
fn rfc9293_3_10_7_1_what_is_for_no_connection_is_reset() {
    plain("abort \n > RA \n < A seq 1 ack 77 \n > R seq 77 \n < F seq 1 len 5 \n > RA ack 7");
}

// ---- acknowledging ----

#[test]
fn rfc9293_3_8_6_3_every_second_segment_and_no_later_than_40_ms() {
    plain(
        "< A seq 1 ack 1 len 1000
         < A seq 1001 ack 1 len 1000
         > A ack 2001
         < A seq 2001 ack 1 len 1000
         +39
         +1
         > A ack 3001",
    );
}

#[test]
fn rfc5681_4_2_out_of_order_at_once_and_again_when_the_hole_is_filled() {
    plain(
        "< A seq 1001 ack 1 len 1000
         > A ack 1
         < A seq 2001 ack 1 len 1000
         > A ack 1
         < A seq 1 ack 1 len 1000
         > A ack 3001
         got 3000",
    );
}

#[test]
fn rfc9293_3_8_6_2_2_the_window_opens_by_steps_worth_it() {
    plain(
        "< A seq 1 ack 1 len 5000
         > A ack 5001 win 5000
         < A seq 5001 ack 1 len 5000
         > A ack 10001 win 0
         read 100
         read 1800
         read 3100
         > A ack 10001 win 5000
         got 10000",
    );
}

#[test]
fn rfc9293_3_10_7_4_at_a_closed_window_acknowledgments_count() {
    plain(
        "write 100
         > A seq 1 len 100
         < A seq 1 ack 1 len 10000
         > A ack 10001 win 0
         < A seq 10001 ack 101 len 1
         > A ack 10001 win 0
         unsent 0
         got 10000",
    );
}

// ---- sending ----

#[test]
fn rfc9293_3_7_4_nagle() {
    plain(
        "write 100
         > A seq 1 len 100
         write 100
         write 100
         < A seq 1 ack 101
         > AP seq 101 len 200
         write 1100
         > A seq 301 len 1000
         < A seq 1 ack 301
         < A seq 1 ack 1301
         > AP seq 1301 len 100",
    );
}

#[test]
fn nodelay_sends_small_segments_at_once() {
    let settings = Settings { nodelay: true, ..Settings::default() };
    let text = "write 100 \n > A seq 1 len 100 \n write 100 \n > A seq 101 len 100";
    script_with(settings, &format!("{PLAIN}{text}"));
}

#[test]
fn rfc9293_3_8_6_no_more_than_the_window() {
    plain(
        "< A seq 1 ack 1 win 1500
         write 3000
         > A seq 1 len 1000
         < A seq 1 ack 1001 win 1500
         > A seq 1001 len 1000
         < A seq 1 ack 2001 win 1500
         > A seq 2001 len 1000",
    );
}

#[test]
fn rfc9293_3_8_6_1_a_closed_window_is_probed_ever_more_slowly() {
    plain(
        "< A seq 1 ack 1 win 0
         write 100
         +300
         > A seq 0 len 0
         +600
         > A seq 0 len 0
         +1200
         > A seq 0 len 0
         < A seq 1 ack 1 win 100
         > A seq 1 len 100",
    );
}

#[test]
fn rfc9293_3_8_6_1_a_closed_window_is_waited_for_as_long_as_the_peer_answers() {
    let settings = Settings { user_timeout: Some(2 * SECOND), ..Settings::default() };
    let wait = |n: u32| (300 << n).min(60_000);
    let probe = |n| format!("+{} \n > A seq 0 \n < A seq 1 ack 1 win 0 \n", wait(n));
    let answered: String = (0..20).map(probe).collect();
    let silence = "+60000 \n > A seq 0 \n +60000 \n failed TimedOut";
    let text = format!("< A seq 1 ack 1 win 0 \n write 1 \n {answered} {silence}");
    script_with(settings, &format!("{PLAIN}{text}"));
}

#[test]
fn rfc9293_3_8_6_2_1_a_window_that_stays_small_is_used_in_the_end() {
    plain(
        "< A seq 1 ack 1 win 5000
         < A seq 1 ack 1 win 100
         write 3000
         +300
         > A seq 1 len 100
         < A seq 1 ack 101 win 5000
         > A seq 101 len 1000
         > A seq 1101 len 1000",
    );
}

#[test]
fn rfc6093_the_urgent_pointer_is_a_mark() {
    plain(
        "write 10
         > AP seq 1 len 10
         write 5
         urgent
         < A seq 1 ack 11
         > AUP seq 11 len 5 urg 5
         < AU seq 1 ack 16 len 10 urg 4
         got 10",
    );
}

// ---- losses ----

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

// ---- options ----

const STAMPED: &str = "
    > S seq 0 ts 1000 0
    < SA seq 0 ack 1 mss 1000 ts 500 1000
    > A seq 1 ack 1 ts 1000 500
";

#[test]
fn rfc7323_3_2_timestamps() {
    script(&format!(
        "{STAMPED}
         write 988
         > A seq 1 len 988 ts 1000 500
         +10
         < A seq 1 ack 989 ts 507 1000
         write 5
         > A seq 989 ts 1010 507
         < A seq 1 ack 994 len 7
         got 0 # without timestamps: dropped"
    ));
}

#[test]
fn rfc7323_4_3_the_echo_is_of_what_the_acknowledgment_is_for() {
    script(&format!(
        "{STAMPED}
         < A seq 1001 ack 1 len 100 ts 600 1000
         > A ack 1 ts 1000 500
         < A seq 1 ack 1 len 1000 ts 590 1000
         > A ack 1101 ts 1000 590"
    ));
}

#[test]
fn rfc7323_5_3_an_old_timestamp_is_an_old_segment() {
    script(&format!(
        "{STAMPED}
         < A seq 1 ack 1 len 10 ts 499 1000
         > A ack 1 ts 1000 500
         got 0
         < R seq 1 ack 1 ts 1 0
         failed Reset"
    ));
}

#[test]
fn rfc7323_5_5_timestamps_of_a_day_that_is_long_ago_do_not_count() {
    let days = 25_u64 * 24 * 3600 * 1000;
    script(&format!(
        "{STAMPED} +{days} \n < A seq 1 ack 1 len 10 ts 499 1000 \n got 10 \n +40 \n > A"
    ));
}

#[test]
fn rfc7323_2_2_the_window_is_scaled_both_ways() {
    script(
        "> S seq 0 win 10000 scale 7
         < SA seq 0 ack 1 mss 1000 scale 2 win 1000
         > A seq 1 ack 1 win 78
         write 6000
         > A seq 1 len 1000
         < A seq 1 ack 1001 win 700
         > A seq 1001 len 1000
         > A seq 2001 len 1000
         < A seq 1 ack 3001 win 700
         > A seq 3001
         > A seq 4001 # and 800 would be a silly window",
    );
}

#[test]
fn rfc9293_3_7_1_without_the_option_536() {
    script("> S \n < SA seq 0 ack 1 \n > A \n write 1000 \n > A seq 1 len 536");
}

// ---- keepalive ----

#[test]
fn rfc9293_3_8_4_keepalives_and_their_end() {
    let settings = Settings {
        keepalive: true,
        keep_idle: 10 * SECOND,
        keep_interval: SECOND,
        keep_count: 2,
        ..Settings::default()
    };
    let text = "
         +9999
         +1
         > A seq 0 ack 1 len 0
         < A seq 1 ack 1
         +10000
         > A seq 0 ack 1 len 0
         +1000
         > A seq 0 ack 1 len 0
         +1000
         failed TimedOut";
    script_with(settings, &format!("{PLAIN}{text}"));
    let _ = MS;
}

//! Sending: Nagle, the window of the peer, the urgent mark.

use super::super::super::Settings;
use super::super::super::rto::SECOND;
use super::super::script::script_with;
use super::{PLAIN, plain};

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

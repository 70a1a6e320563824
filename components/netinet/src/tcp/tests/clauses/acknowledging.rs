//! Acknowledging, and the window that goes with it.

use super::plain;

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

//! Ending a connection.

use super::plain;

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

//! Making a connection.

use super::super::script::script;
use super::plain;

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

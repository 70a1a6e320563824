//! What is not acceptable.

use super::plain;

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

//! Options of the header.

use super::super::script::script;

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

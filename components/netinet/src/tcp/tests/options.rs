//! Scripts for what a user may set.

use super::script::script;

const PLAIN: &str = "
    > S seq 0
    +100
    < SA seq 0 ack 1 mss 1000
    > A seq 1 ack 1 bare
";

fn plain(text: &str) {
    script(&format!("{PLAIN}{text}"));
}

#[test]
fn corked_segments_that_are_not_full_wait() {
    plain(
        "cork on
         write 100
         write 1000
         > A seq 1 len 1000
         < A seq 1 ack 1001
         write 50
         cork off           # the rest goes, full or not
         > AP seq 1001 len 150",
    );
}

#[test]
fn a_cork_holds_no_longer_than_the_timeout() {
    plain(
        "cork on
         write 100
         +299
         +1
         > AP seq 1 len 100",
    );
}

#[test]
fn a_corked_stream_ends_when_it_is_closed() {
    plain(
        "cork on
         write 100
         close
         > FAP seq 1 len 100",
    );
}

#[test]
fn quick_acknowledgments_do_not_wait() {
    plain(
        "< A seq 1 ack 1 len 10
         +39
         quickack on        # what waits goes now
         > A seq 1 ack 11
         < A seq 11 ack 1 len 10
         > A seq 1 ack 21
         quickack off
         < A seq 21 ack 1 len 10
         +39
         +1
         > A seq 1 ack 31",
    );
}

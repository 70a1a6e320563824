//! Scripts for the clauses of RFC 3168 (congestion marks). `ecn` 2: may be marked, 3: is marked.

use super::script::{script, script_with_marks};

const AGREED: &str = "
    > SEC seq 0
    +100
    < SAE seq 0 ack 1 mss 1000
    > A seq 1 ack 1 ecn 0
";

fn marks(text: &str) {
    script_with_marks(&format!("{AGREED}{text}"));
}

#[test]
fn rfc3168_6_1_1_both_must_say_so() {
    marks(
        "write 500
         > A seq 1 len 500 ecn 2",
    );
    // An answer that only repeats what it got is from who does not know.
    for answer in ["SA", "SAEC", "SAC"] {
        script_with_marks(&format!(
            "> SEC seq 0
             < {answer} seq 0 ack 1
             > A seq 1
             write 500
             > A seq 1 len 500 ecn 0
             < A seq 1 ack 501 len 100 ecn 3
             +40
             > A seq 501 ack 101"
        ));
    }
    script(
        "> S seq 0
         < SAE seq 0 ack 1
         > A seq 1
         write 500
         > A seq 1 len 500 ecn 0",
    );
}

#[test]
fn rfc3168_6_1_1_1_a_syn_that_is_not_answered_goes_again_without() {
    script_with_marks(
        "> SEC seq 0
         +1000
         > S seq 0
         < SAE seq 0 ack 1
         > A seq 1
         write 500
         > A seq 1 len 500 ecn 0",
    );
}

#[test]
fn rfc3168_6_1_3_a_mark_is_told_until_the_sender_has_heard() {
    marks(
        "< A seq 1 ack 1 len 100 ecn 3
         > AE seq 1 ack 101 ecn 0
         < A seq 101 ack 1 len 100 ecn 2
         +40
         > AE ack 201
         < AC seq 201 ack 1 len 100 ecn 2
         +40
         > A ack 301",
    );
    // What says so may itself be marked.
    marks(
        "< A seq 1 ack 1 len 100 ecn 3
         > AE ack 101
         < AC seq 101 ack 1 len 100 ecn 3
         > AE ack 201",
    );
}

#[test]
fn rfc3168_6_1_2_the_window_is_reduced_once_for_what_was_on_its_way() {
    marks(
        "write 10000
         > A seq 1 len 1000 ecn 2
         > A seq 1001 len 1000
         > A seq 2001 len 1000
         > A seq 3001 len 1000
         > A seq 4001 len 1000
         > A seq 5001 len 1000
         > A seq 6001 len 1000
         > A seq 7001 len 1000
         > A seq 8001 len 1000
         > A seq 9001 len 1000
         write 9000
         < AE seq 1 ack 1001
         < AE seq 1 ack 2001
         < AE seq 1 ack 3001
         < AE seq 1 ack 4001
         > AC seq 10001 len 1000 ecn 2
         < A seq 1 ack 5001
         > A seq 11001 len 1000 ecn 2",
    );
}

#[test]
fn rfc3168_6_1_5_what_is_sent_again_is_not_marked() {
    marks(
        "write 500
         > A seq 1 len 500 ecn 2
         +300
         > A seq 1 len 500 ecn 0",
    );
}

#[test]
fn rfc3168_6_1_2_an_echo_of_nothing_reduces_nothing() {
    marks(
        "< AE seq 1 ack 1
         write 500
         > A seq 1 len 500 ecn 2",
    );
}

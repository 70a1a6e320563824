//! Keepalive.

use super::super::super::Settings;
use super::super::super::rto::{MS, SECOND};
use super::super::script::script_with;
use super::PLAIN;

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

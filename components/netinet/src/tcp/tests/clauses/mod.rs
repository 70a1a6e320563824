//! A script for each clause of the RFCs, in a file for each part of a connection's life.

mod acceptance;
mod acknowledging;
mod closing;
mod keepalive;
mod losses;
mod opening;
mod options;
mod sending;

use super::script::script;

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

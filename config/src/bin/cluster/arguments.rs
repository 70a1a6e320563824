//! What the user may ask for.
//!
//! Locking: none.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::character::LinkArguments;

/// Boot many kernels, join them by a network, ping across it
///
/// Prints the time to boot, to configure and to the first reply, the round trip when every
/// neighbour is known, memory per node and host threads. Exit code 1: a node did not answer, or
/// something else went wrong. 2: the arguments make no sense.
#[derive(Parser, Debug)]
#[command(name = "cluster", max_term_width = 100)]
pub struct Arguments {
    /// How many kernels, at least 2 [default: 255, or what the FILE says]
    #[arg(long, value_name = "N")]
    pub nodes: Option<u64>,
    /// line, ring, star, tree, or a file; config/TOPOLOGY.md describes them
    #[arg(long, value_name = "SHAPE|FILE", default_value = "line")]
    pub topology: String,
    /// A process for each node, joined by files in memory, in place of one process for all
    #[arg(long)]
    pub processes: bool,
    /// A server for each node, set up by the tools, as the script of the book's figure does it
    #[arg(long, conflicts_with_all = ["processes", "pcap", "idle"])]
    pub remote: bool,
    /// Where rump_server and the tools are; with --remote [default: on the PATH]
    #[arg(long, value_name = "DIR", requires = "remote")]
    pub programs: Option<PathBuf>,
    /// Print JSON (SI units) in place of text
    #[arg(long)]
    pub json: bool,
    /// Capture the packets of a link in a file for tcpdump and Wireshark; may be repeated
    #[arg(long, value_name = "LINK=FILE", value_parser = link_and_file)]
    pub pcap: Vec<(String, PathBuf)>,
    /// How long to wait for any one reply, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub deadline: Duration,
    /// Ping this address from the last node, too, and measure warm round trips with it
    #[arg(long, value_name = "ADDR")]
    pub ping: Option<Ipv4Addr>,
    /// How many warm round trips to measure
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub count: u32,
    /// At the end, when the last timers have run out (3 s), stay idle for so long, and tell how
    /// much CPU that took
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub idle: Option<Duration>,
    #[command(flatten)]
    pub links: LinkArguments,
}

fn link_and_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((link, file)) if !link.is_empty() && !file.is_empty() => {
            Ok((link.to_string(), PathBuf::from(file)))
        }
        _ => Err("not a link and a file, such as link1=ping.pcap".to_string()),
    }
}

/// More than a day is a slip of the finger.
const MOST_SECONDS: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0.0 && *seconds <= MOST_SECONDS);
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("not a number of seconds above 0 and up to {MOST_SECONDS}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for wrong in ["0", "-1", "nan", "inf", "1e9", "ten", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["link1", "=file", "link1="] {
            assert!(link_and_file(wrong).is_err(), "{wrong}");
        }
        assert_eq!(link_and_file("a=b=c"), Ok(("a".to_string(), PathBuf::from("b=c"))));
    }
}

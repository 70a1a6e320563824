//! A baseline: the line of figure 3.31 out of Linux network namespaces.
//!
//! * [`run`] builds one and measures it: [`Line`]. [`probe`] runs in its last node, as a hidden
//!   command of this program.
//!
//! The probe is a datagram to a closed port of node 1, which that kernel answers with an ICMP
//! error: a round trip that no program at the far end takes part in, like an echo, and that needs
//! no raw socket.
//!
//! Sources: the book's script for figure 3.31; ip-netns(8), unshare(1); RFC 1122 §4.1.3.1.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::stats::Samples;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// From the start of the program that sets it up to the first reply.
    pub first_reply_s: f64,
    /// A round trip when every neighbour is known.
    pub rtt_warm_s: f64,
}

const SCRIPT: &str = include_str!("netns.sh");
const PROBES: usize = 101;
const PATIENCE: Duration = Duration::from_secs(3);

/// Builds a line of `nodes` (at most 255), pings across it and takes it down.
pub fn run(nodes: u32) -> Result<Line> {
    let entry = way_in().context(
        "network namespaces cannot be made here (needs unshare, ip, and root or user namespaces)",
    )?;
    let myself = std::env::current_exe().context("this program does not know where it is")?;
    let start = Instant::now();
    let mut child = Command::new("unshare")
        .args(entry)
        .args(["sh", "-c", SCRIPT, "sh", &nodes.to_string()])
        .arg(myself)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("unshare does not start")?;
    let output = child.stdout.take().context("no output of the probe")?;
    let mut lines = BufReader::new(output).lines();
    let first = lines.next();
    let first_reply_s = start.elapsed().as_secs_f64();
    let warm = lines.next();
    let rest = child.wait_with_output().context("waiting for the namespaces")?;
    match (first, warm) {
        (Some(Ok(_)), Some(Ok(warm))) if rest.status.success() => {
            let rtt_warm_s = warm.parse().context("the probe printed no time")?;
            Ok(Line { first_reply_s, rtt_warm_s })
        }
        _ => {
            let text = String::from_utf8_lossy(&rest.stderr);
            bail!("the network namespaces did not come up: {}", text.trim())
        }
    }
}

/// The options of unshare that work here.
pub(super) fn way_in() -> Option<&'static [&'static str]> {
    const WAYS: &[&[&str]] =
        &[&["--net", "--mount"], &["--user", "--map-root-user", "--net", "--mount"]];
    let works = |way: &&&[&str]| {
        let mut command = Command::new("unshare");
        command.args(**way).args(["ip", "netns"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    WAYS.iter().find(works).copied()
}

/// Prints a line when the first reply is here, then the median of warm round trips in seconds.
pub fn probe() -> Result<()> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_ttl(255)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect("1.2.1.1:9")?;
    let mut out = std::io::stdout().lock();
    round_trip(&socket)?;
    writeln!(out, "reply")?;
    out.flush()?;
    let times = (0..PROBES).map(|_| round_trip(&socket)).collect::<Result<Vec<f64>>>()?;
    let times = Samples::new(times).context("no round trips")?;
    writeln!(out, "{:e}", times.median())?;
    Ok(())
}

fn round_trip(socket: &UdpSocket) -> Result<f64> {
    let start = Instant::now();
    // What is pending from before may be reported by the send.
    let sent = socket.send(&[0]);
    let answer = sent.and_then(|_| socket.recv(&mut [0; 8]));
    let elapsed = start.elapsed().as_secs_f64();
    match answer {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(elapsed),
        Err(error) => Err(error).context("no answer from node 1"),
        Ok(_) => bail!("somebody listens at node 1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_port_answers() {
        // Systems limit how many ICMP errors they send a second, for all their programs together
        // (RFC 1812 §4.3.2.8), so one question may go unanswered.
        let answered = (0..50).any(|_| {
            // A port that was free a moment ago.
            let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            socket.connect(free).unwrap();
            round_trip(&socket).is_ok()
        });
        assert!(answered);
    }
}

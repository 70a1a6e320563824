//! The pings that show that every node works.
//!
//! * [`all`]: every ping of the topology, cold.  * [`warm`]: one ping again and again.
//!
//! The first failure ends the check: every wait has a deadline, but ten thousand deadlines one
//! after another would be a hang.
//!
//! Locking: none; words.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use base::{Errno, Kernel};
use config::topology::{Ping, Topology};

use crate::arguments::Arguments;
use crate::echo::Echo;
use crate::network::Network;
use crate::progress::Progress;
use crate::spread;

/// What came of it.
pub struct Checked {
    /// How many replies there were.
    pub replies: usize,
    /// How many there should be.
    pub pings: usize,
    /// From the start of the program to the first of them, in seconds.
    pub first_reply_s: Option<f64>,
    /// From the start of the program until the last was here.
    pub checked_s: Option<f64>,
    /// What went wrong first.
    pub failure: Option<String>,
}

/// Makes every ping once, each waiting at most `deadline`.
pub fn all(network: &Network, topology: &Topology, deadline: Duration, start: Instant) -> Checked {
    let (failed, first) = (AtomicBool::new(false), AtomicU64::new(u64::MAX));
    let progress = Progress::new("pinging", topology.pings.len());
    let parts = spread::over(topology.pings.len(), network.threads(), |range| {
        let mut replies = 0usize;
        for ping in topology.pings.get(range).unwrap_or_default() {
            if failed.load(Ordering::Relaxed) {
                break;
            }
            let kernel = network.node(ping.from).map_err(|_| Errno::NoEntry);
            match kernel.and_then(|kernel| once(kernel, ping.to, deadline)) {
                Ok(()) => first.fetch_min(nanoseconds(start.elapsed()), Ordering::Relaxed),
                Err(error) => {
                    failed.store(true, Ordering::Relaxed);
                    return (replies, Some(sentence(topology, ping, error, deadline)));
                }
            };
            replies = replies.saturating_add(1);
            progress.step();
        }
        (replies, None)
    });
    let checked_s = start.elapsed().as_secs_f64();
    let first = Some(first.into_inner()).filter(|first| *first != u64::MAX);
    let replies = parts.iter().map(|(replies, _)| replies).sum();
    let failure = parts.into_iter().find_map(|(_, failure)| failure);
    Checked {
        replies,
        pings: topology.pings.len(),
        first_reply_s: first.map(|first| Duration::from_nanos(first).as_secs_f64()),
        checked_s: failure.is_none().then_some(checked_s),
        failure,
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// One ping.
pub fn once(kernel: &Kernel, to: Ipv4Addr, deadline: Duration) -> Result<(), Errno> {
    Echo::open(kernel, to)?.ping(deadline).map(drop)
}

/// Why there was no reply.
pub fn sentence(topology: &Topology, ping: &Ping, error: Errno, deadline: Duration) -> String {
    let from = topology.nodes.get(ping.from as usize).map_or("?", |node| node.name.as_str());
    let why = match error {
        Errno::TimedOut => format!("no reply within {} s (--deadline)", deadline.as_secs_f64()),
        error => error.to_string(),
    };
    format!("{from} pings {}: {why}", ping.to)
}

/// The median round trip of many pings of `to` when every neighbour is known.
pub fn warm(
    kernel: &Kernel,
    to: Ipv4Addr,
    arguments: &Arguments,
) -> Result<Option<Duration>, String> {
    let failed = |error: Errno| format!("a warm ping of {to}: {error}");
    let mut echo = Echo::open(kernel, to).map_err(failed)?;
    let progress = Progress::new("pinging, warm", arguments.count as usize);
    let mut times = Vec::with_capacity(arguments.count as usize);
    for _ in 0..arguments.count {
        times.push(echo.ping(arguments.deadline).map_err(failed)?);
        progress.step();
    }
    times.sort();
    Ok(times.get(times.len() / 2).copied())
}

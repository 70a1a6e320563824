//! Process start to exit, of several programs in turn.
//!
//! In turn, because a machine's speed drifts; in an order that rotates, because a program's
//! neighbour in the order leaves caches behind.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::progress::Bar;
use crate::stats::Samples;

/// A program to time.
pub struct Timed<'a> {
    /// The file.
    pub program: &'a Path,
    /// What it is given.
    pub arguments: &'a [&'a str],
}

/// Starts each program `runs` times; the answer has the times of each, in seconds.
pub fn interleaved(programs: &[Timed<'_>], runs: u32) -> Result<Vec<Samples>> {
    let mut times = vec![Vec::new(); programs.len()];
    for timed in programs {
        // The first start of a file reads it from the disk.
        once(timed)?;
    }
    let mut bar = Bar::new("starting processes", u64::from(runs));
    for round in 0..runs as usize {
        for turn in 0..programs.len() {
            let at = (round + turn) % programs.len();
            times[at].push(once(&programs[at])?);
        }
        bar.step();
    }
    times.into_iter().map(|times| Samples::new(times).context("no process was timed")).collect()
}

/// Seconds from before the start of the program until its exit code is here.
fn once(timed: &Timed<'_>) -> Result<f64> {
    let mut command = Command::new(timed.program);
    // No environment: cargo's own would be copied into every process.
    command.args(timed.arguments).env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status();
    let elapsed = start.elapsed();
    let status = status.with_context(|| format!("{} does not start", timed.program.display()))?;
    if !status.success() {
        let arguments = timed.arguments.join(" ");
        bail!("{} {arguments} failed ({status}); run it by hand", timed.program.display());
    }
    Ok(elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_gets_its_times() {
        let quick = Timed { program: Path::new("/bin/true"), arguments: &[] };
        let slow = Timed { program: Path::new("/bin/sleep"), arguments: &["0.02"] };
        let times = interleaved(&[quick, slow], 3).unwrap();
        assert!(times[0].min() < times[1].min());
        assert!(times[1].min() >= 0.02);
    }

    #[test]
    fn a_program_that_fails_is_an_error() {
        let fails = Timed { program: Path::new("/bin/false"), arguments: &[] };
        assert!(interleaved(&[fails], 1).is_err());
    }
}

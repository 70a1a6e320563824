//! Figures that come from runs of the program `cluster`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Record;
use super::netns::Line;
use crate::run;
use crate::stats::Samples;

/// What `cluster --json` answers.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    nodes: u64,
    boot_s: f64,
    configure_s: f64,
    first_reply_s: f64,
    /// From the start of the program's main until every node has answered.
    checked_s: Option<f64>,
    hop_warm_s: Option<f64>,
    bytes_per_node: f64,
    host_threads: u64,
    checked: bool,
    idle_cpu_fraction: Option<f64>,
    /// Start to exit as seen from here.
    #[serde(skip)]
    process_s: f64,
}

/// Runs of processes: their time depends on what else the machine does more than others'.
const PROCESS_RUNS: u32 = 11;

/// Runs the program.
pub struct Cluster {
    program: PathBuf,
}

impl Cluster {
    /// `program`: the built `cluster`.
    pub fn new(program: &Path) -> Cluster {
        Cluster { program: program.to_owned() }
    }

    fn once(&self, nodes: u64, more: &[&str]) -> Result<Answer> {
        let start = Instant::now();
        let mut command = Command::new(&self.program);
        command.args(["--nodes", &nodes.to_string(), "--json"]).args(more);
        let mut answer: Answer = run::json(&mut command)?;
        answer.process_s = start.elapsed().as_secs_f64();
        if !answer.checked || answer.nodes != nodes {
            bail!("a cluster of {nodes} came up incomplete: {answer:?}");
        }
        Ok(answer)
    }

    fn runs(&self, nodes: u64, times: u32) -> Result<Vec<Answer>> {
        (0..times).map(|_| self.once(nodes, &[])).collect()
    }

    /// `cluster.255` and `hop.warm`, beside the same line out of what `baseline` builds it of.
    pub fn figure(&self, baseline: impl Fn(u32) -> Result<Line>) -> Result<Vec<Record>> {
        let mut ours = Vec::new();
        let mut theirs: Result<Vec<Line>> = Ok(Vec::new());
        for _ in 0..3 {
            ours.extend(self.runs(255, 7)?);
            theirs =
                theirs.and_then(|lines| Ok(lines.into_iter().chain([baseline(255)?]).collect()));
        }
        let reply = median(&ours, |answer| Some(answer.first_reply_s))?;
        let hop = median(&ours, |answer| answer.hop_warm_s)?;
        let (what_reply, what_hop) =
            ("255 nodes, start of main to first reply", "one forwarded hop: warm round trip / 508");
        let of = "Linux network namespaces, set up by ip -batch";
        let (reply, hop) = match theirs {
            Ok(lines) => {
                let line = |figure: fn(&Line) -> f64| -> Result<f64> {
                    let values = lines.iter().map(figure).collect();
                    Ok(Samples::new(values).context("no runs")?.median())
                };
                let (their_reply, their_rtt) =
                    (line(|line| line.first_reply_s)?, line(|line| line.rtt_warm_s)?);
                (
                    Record::new("cluster.255", what_reply, "s", reply, their_reply, of),
                    Record::new("hop.warm", what_hop, "s", hop, their_rtt / 508.0, of),
                )
            }
            Err(error) => {
                let why = format!("{error:#}");
                (
                    Record::alone("cluster.255", what_reply, "s", reply, of, &why),
                    Record::alone("hop.warm", what_hop, "s", hop, of, &why),
                )
            }
        };
        Ok(vec![reply.with("book_s", 1.150), hop.with("book_s", 15.5e-6)])
    }

    /// `cluster.processes.255`, beside as many starts of `nothing`, a program that does nothing.
    pub fn processes(&self, nothing: impl Fn() -> Command) -> Result<Vec<Record>> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..PROCESS_RUNS {
            ours.push(self.once(255, &["--processes", "--count", "20"])?);
            theirs.push(starts(&nothing, 255)?);
        }
        let reply = median(&ours, |answer| Some(answer.first_reply_s))?;
        let starts = Samples::new(theirs).context("no runs")?.median();
        let what = "255 nodes, a process each, start of main to first reply";
        let of = "255 starts of a process that does nothing, one after another";
        Ok(vec![
            Record::new("cluster.processes.255", what, "s", reply, starts, of)
                .with(
                    "best",
                    ours.iter().map(|answer| answer.first_reply_s).fold(f64::MAX, f64::min),
                )
                .with("hop_warm_s", median(&ours, |answer| answer.hop_warm_s)?)
                .with("pss_bytes_per_process", median(&ours, |answer| Some(answer.bytes_per_node))?)
                .with("threads", ours.first().map_or(0, |answer| answer.host_threads))
                .with("book_s", 1.150),
        ])
    }

    /// `cluster.10000` and `node.bytes`.
    pub fn ten_thousand(&self) -> Result<Vec<Record>> {
        let runs = self.runs(10_000, 5)?;
        // A program that does not say when all had answered has at least ended by then.
        let all = median(&runs, |answer| Some(answer.checked_s.unwrap_or(answer.process_s)))?;
        let bytes = median(&runs, |answer| Some(answer.bytes_per_node))?;
        let (of, why) = ("the original NetBSD rump kernel", "the original is not installed here");
        let what = "10,000 nodes booted, configured, all checked";
        Ok(vec![
            Record::alone("cluster.10000", what, "s", all, of, why).with("book_s", 45.0),
            Record::alone("node.bytes", "resident memory per node at 10,000", "B", bytes, of, why)
                .with("book_bytes", 988e3),
        ])
    }

    /// `idle.cpu`.
    pub fn idle(&self) -> Result<Vec<Record>> {
        let answer = self.once(10_000, &["--idle", "10"])?;
        let used = answer.idle_cpu_fraction.context("cluster --idle tells no idle_cpu_fraction")?;
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let what = "CPU use of 10,000 idle nodes over 10 s";
        Ok(vec![
            Record::new("idle.cpu", what, "1", used, 1.0, "one core, busy")
                .with("host_threads", answer.host_threads)
                .with("cpus", cpus),
        ])
    }

    /// `cluster.100000`: per node, beside runs of 1,000 nodes in turn.
    pub fn hundred_thousand(&self) -> Result<Vec<Record>> {
        let (mut many, mut few) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            few.push(self.once(1_000, &[])?);
            many.push(self.once(100_000, &[])?);
            few.push(self.once(1_000, &[])?);
        }
        Ok(vec![per_node(&many, &few)?])
    }
}

/// Seconds that so many starts of a program take, from start to exit.
fn starts(program: &impl Fn() -> Command, times: u32) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..times {
        let status = program().stdin(Stdio::null()).status().context("the baseline")?;
        if !status.success() {
            bail!("a program that does nothing failed: {status}");
        }
    }
    Ok(start.elapsed().as_secs_f64())
}

/// The worse of time and memory per node, `many` against `few`.
fn per_node(many: &[Answer], few: &[Answer]) -> Result<Record> {
    let time = |runs: &[Answer]| {
        median(runs, |answer| Some((answer.boot_s + answer.configure_s) / answer.nodes as f64))
    };
    let memory = |runs: &[Answer]| median(runs, |answer| Some(answer.bytes_per_node));
    let (time, bytes) = ((time(many)?, time(few)?), (memory(many)?, memory(few)?));
    let (time_ratio, memory_ratio) = (time.0 / time.1, bytes.0 / bytes.1);
    let (unit, (ours, baseline)) =
        if time_ratio >= memory_ratio { ("s", time) } else { ("B", bytes) };
    let what = "100,000 nodes booted and configured, per node (the worse of time and memory)";
    Ok(Record::new("cluster.100000", what, unit, ours, baseline, "per node of 1,000")
        .with("time_ratio", time_ratio)
        .with("memory_ratio", memory_ratio))
}

fn median(runs: &[Answer], figure: impl Fn(&Answer) -> Option<f64>) -> Result<f64> {
    let values = runs.iter().map(figure).collect::<Option<Vec<f64>>>();
    let values = values.context("the answer of `cluster` lacks a figure for this size")?;
    Ok(Samples::new(values).context("no runs")?.median())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Script, script};

    fn answer(nodes: u64, boot_s: f64, bytes_per_node: f64) -> Answer {
        Answer {
            nodes,
            boot_s,
            configure_s: 0.0,
            first_reply_s: 0.0,
            checked_s: None,
            hop_warm_s: None,
            bytes_per_node,
            host_threads: 1,
            checked: true,
            idle_cpu_fraction: None,
            process_s: 0.0,
        }
    }

    #[test]
    fn the_worse_of_time_and_memory_is_reported() {
        let few = [answer(8, 1.0, 128.0)];
        let slower = per_node(&[answer(64, 12.0, 136.0)], &few).unwrap();
        assert_eq!((slower.unit.as_str(), slower.ratio), ("s", Some(1.5)));
        let larger = per_node(&[answer(64, 8.0, 160.0)], &few).unwrap();
        assert_eq!((larger.unit.as_str(), larger.ratio), ("B", Some(1.25)));
    }

    fn line(_nodes: u32) -> Result<Line> {
        Ok(Line { first_reply_s: 0.4, rtt_warm_s: 508e-6 })
    }

    #[test]
    fn a_baseline_that_fails_is_absent_with_the_reason() {
        let program = fake("cluster-alone", true);
        let records = Cluster::new(program.path()).figure(|_| bail!("no ip")).unwrap();
        assert_eq!(records[0].baseline, None);
        assert_eq!(records[0].reason.as_deref(), Some("no ip"));
    }

    /// A program that answers as `cluster` does.
    fn fake(name: &str, checked: bool) -> Script {
        let json = format!(
            r#"{{"nodes": $2, "topology": "line", "boot_s": 0.001, "configure_s": 0.001,
            "first_reply_s": 0.004, "rtt_warm_s": 0.0001, "hop_warm_s": 2e-7,
            "bytes_per_node": 20000, "host_threads": 3, "checked": {checked},
            "idle_cpu_fraction": 0.0004}}"#
        );
        script(name, &format!("cat <<END\n{json}\nEND"))
    }

    #[test]
    fn the_contract_with_the_program() {
        let program = fake("cluster", true);
        let cluster = Cluster::new(program.path());
        let mut records = cluster.figure(line).unwrap();
        records.extend(cluster.ten_thousand().unwrap());
        records.extend(cluster.idle().unwrap());
        records.extend(cluster.hundred_thousand().unwrap());
        records.extend(cluster.processes(|| Command::new("true")).unwrap());
        let value = |id: &str| records.iter().find(|record| record.id == id).unwrap().value;
        assert_eq!(value("cluster.255"), Some(0.004));
        assert_eq!(value("cluster.processes.255"), Some(0.004));
        assert_eq!(value("hop.warm"), Some(2e-7));
        assert_eq!(value("node.bytes"), Some(20000.0));
        assert_eq!(value("idle.cpu"), Some(0.0004));
        assert!(value("cluster.10000").is_some() && value("cluster.100000").is_some());
    }

    #[test]
    fn an_incomplete_cluster_is_no_figure() {
        let program = fake("cluster-incomplete", false);
        assert!(Cluster::new(program.path()).figure(line).is_err());
    }
}

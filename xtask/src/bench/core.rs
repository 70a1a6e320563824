//! The group `core`: boot, system calls, clusters.
//!
//! Figures inside one process come from the program `bench`; clusters from runs of `cluster`;
//! processes from the machinery of `bootstrap`. What fails becomes a record that says why, and the
//! rest goes on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Record;
use super::cluster::Cluster;
use super::netns;
use crate::progress::Bar;
use crate::workspace::Workspace;
use crate::{bootstrap, kernels, run};

/// How often a process is started: enough for a median that repeats.
const PROCESSES: u32 = 500;

/// A part of the group: the ids that it measures, and how.
type Part<'a> = (&'a [&'a str], Box<dyn Fn() -> Result<Vec<Record>> + 'a>);

/// Measures everything.
pub fn run(workspace: &Workspace) -> Result<Vec<Record>> {
    let bench = kernels::program(workspace, "bench")?;
    let cluster = Cluster::new(&kernels::program(workspace, "cluster")?);
    let inside = ["boot.base", "boot.router", "syscall.bound", "syscall.2cpu"];
    let parts: Vec<Part<'_>> = vec![
        (&inside, Box::new(|| in_process(&bench))),
        (&["process.base"], Box::new(|| process(workspace))),
        (&["cluster.255", "hop.warm"], Box::new(|| cluster.figure(netns::run))),
        (&["cluster.10000", "node.bytes"], Box::new(|| cluster.ten_thousand())),
        (&["idle.cpu"], Box::new(|| cluster.idle())),
        (&["cluster.100000"], Box::new(|| cluster.hundred_thousand())),
    ];
    Ok(gather(&parts))
}

fn gather(parts: &[Part<'_>]) -> Vec<Record> {
    let mut bar = Bar::new("measuring", parts.len() as u64);
    let mut records = Vec::new();
    for (ids, measure) in parts {
        let (found, why) = match measure() {
            Ok(found) => (found, "its program did not report it".to_owned()),
            Err(error) => (Vec::new(), format!("{error:#}")),
        };
        let missing = ids.iter().filter(|id| !found.iter().any(|record| record.id == **id));
        let missing: Vec<Record> = missing.map(|id| Record::failed(id, &why)).collect();
        records.extend(found);
        records.extend(missing);
        bar.step();
    }
    records
}

fn in_process(bench: &Path) -> Result<Vec<Record>> {
    run::json(Command::new(bench).args(["core", "--json"]))
}

fn process(workspace: &Workspace) -> Result<Vec<Record>> {
    let (ours, empty) =
        bootstrap::process_of(workspace, "base", PROCESSES).context("timing processes")?;
    let what = "process start to exit, base configuration, static";
    let of = "an empty static program";
    Ok(vec![
        Record::new("process.base", what, "s", ours.median, empty.median, of)
            .with("min", ours.min)
            .with("baseline_min", empty.min),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_reported_and_the_rest_goes_on() {
        let parts: Vec<Part<'_>> = vec![
            (&["a", "b"], Box::new(|| anyhow::bail!("no disk"))),
            (&["c", "d"], Box::new(|| Ok(vec![Record::new("c", "x", "s", 1.0, 1.0, "y")]))),
        ];
        let records = gather(&parts);
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c", "d"]);
        assert_eq!(records[0].reason.as_deref(), Some("no disk"));
        assert_eq!(records[2].value, Some(1.0));
        assert_eq!(records[3].value, None);
    }
}

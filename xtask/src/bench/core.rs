//! The group `core`: boot, system calls, clusters.
//!
//! Figures inside one process come from the program `bench`; clusters from runs of `cluster`;
//! processes from the machinery of `bootstrap`. What fails becomes a record that says why, and the
//! rest goes on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::cluster::Cluster;
use super::{Part, Record, gather, netns};
use crate::workspace::Workspace;
use crate::{bootstrap, kernels, run};

/// How often a process is started: enough for a median that repeats.
const PROCESSES: u32 = 500;

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

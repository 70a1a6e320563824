//! The group `remote`: what crosses between processes.
//!
//! Figures come from the program `bench`, which starts the other process itself, and from runs of
//! `cluster --processes`.

use std::process::Command;

use anyhow::Result;

use super::cluster::Cluster;
use super::{Part, Record, gather};
use crate::workspace::Workspace;
use crate::{kernels, run};

/// Measures everything.
pub fn run(workspace: &Workspace) -> Result<Vec<Record>> {
    let bench = kernels::program(workspace, "bench")?;
    let measure = || run::json(Command::new(&bench).args(["remote", "--json"]));
    let cluster = Cluster::new(&kernels::program(workspace, "cluster")?);
    let nothing = || {
        let mut command = Command::new(&bench);
        command.arg("nothing").env_clear();
        command
    };
    let parts: Vec<Part<'_>> = vec![
        (&["bus.ping"], Box::new(measure)),
        (&["cluster.processes.255"], Box::new(|| cluster.processes(nothing))),
    ];
    Ok(gather(&parts))
}

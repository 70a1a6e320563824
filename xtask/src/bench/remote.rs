//! The group `remote`: what crosses between processes.
//!
//! Figures come from the programs that are installed, from the program `bench`, which starts the
//! other process itself, and from runs of `cluster --processes`.

use std::process::Command;

use anyhow::Result;

use super::cluster::Cluster;
use super::servers::Servers;
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
    let servers = Servers::new(workspace)?;
    let calls = ["remote.getpid", "remote.read64k"];
    let script = ["script.255", "server.pss", "server.private"];
    let parts: Vec<Part<'_>> = vec![
        (&script, Box::new(|| servers.script())),
        (&["tool.ifconfig"], Box::new(|| servers.tool())),
        (&["server.start"], Box::new(|| servers.start())),
        (&calls, Box::new(|| servers.calls())),
        (&["bus.ping"], Box::new(measure)),
        (&["cluster.processes.255"], Box::new(|| cluster.processes(nothing))),
    ];
    Ok(gather(&parts))
}

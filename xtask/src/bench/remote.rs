//! The group `remote`: what crosses between processes.
//!
//! Figures come from the program `bench`, which starts the other process itself.

use std::process::Command;

use anyhow::Result;

use super::{Part, Record, gather};
use crate::workspace::Workspace;
use crate::{kernels, run};

/// Measures everything.
pub fn run(workspace: &Workspace) -> Result<Vec<Record>> {
    let bench = kernels::program(workspace, "bench")?;
    let measure = || run::json(Command::new(&bench).args(["remote", "--json"]));
    let parts: Vec<Part<'_>> = vec![(&["bus.ping"], Box::new(measure))];
    Ok(gather(&parts))
}

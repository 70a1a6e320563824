//! `cargo xtask cluster`: many kernels, in one process or in one each.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{kernels, run};

/// Boot many kernels, join them by a network, ping across it
///
/// Options: --nodes N, --topology line|ring|star|tree|FILE, --processes, --json, --pcap LINK=FILE,
/// --deadline SECONDS and more; `cargo xtask cluster --help` builds the program and shows them all.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Arguments {
    /// Handed to the program as they are
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTIONS")]
    arguments: Vec<OsString>,
}

/// Builds the program and hands over to it.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let program = kernels::program(workspace, "cluster")?;
    run::hand_over(Command::new(program).args(&arguments.arguments))
}

/// The network of the book's figure 3.31, as the README's main command shows it.
pub fn figure(workspace: &Workspace) -> Result<()> {
    main(workspace, &Arguments { arguments: vec!["--nodes".into(), "255".into()] })
}

//! `cargo xtask cluster`: many kernels, in one process, in one each, or as servers.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{install, kernels, run};

/// Boot many kernels, join them by a network, ping across it
///
/// Options: --nodes N, --topology line|ring|star|tree|FILE, --processes, --remote, --json, --pcap LINK=FILE,
/// --deadline SECONDS, --delay TIME, --rate RATE, --loss SHARE and more; `cargo xtask cluster --help` builds the program and shows them all.
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
    let mut cluster = Command::new(program);
    cluster.args(&arguments.arguments);
    let is = |word: &str| arguments.arguments.iter().any(|argument| argument == word);
    if is("--remote") && !is("--programs") {
        let bin = workspace.target.join("cluster/bin");
        install::install(&install::programs(workspace)?, &bin)?;
        cluster.arg("--programs").arg(bin);
    }
    run::hand_over(&mut cluster)
}

/// The network of the book's figure 3.31, as the README's main command shows it.
pub fn figure(workspace: &Workspace) -> Result<()> {
    main(workspace, &Arguments { arguments: vec!["--nodes".into(), "255".into()] })
}

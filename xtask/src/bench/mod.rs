//! `cargo xtask bench`: the one entry for every benchmark.
//!
//! * A group is a file with a `run` function that answers [`Record`]s, and a variant of [`Group`].
//! * [`record`]: what a figure is. [`figures`]: what each should reach.

mod cluster;
mod core;
mod figures;
pub mod netns;
mod record;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
pub use record::Record;

/// Measure, beside baselines measured in the same run
///
/// Prints a row per figure: ours, the baseline, their ratio, and whether the project's own aim is
/// met. A baseline that this machine cannot run is null, with the reason. Exit code 1: something
/// could not be measured.
#[derive(clap::Args)]
pub struct Arguments {
    /// One group instead of all
    group: Option<Group>,
    /// Print JSON: an array of {id, what, unit, value, baseline, baseline_what, ratio}
    #[arg(long)]
    json: bool,
}

/// A group of figures.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Group {
    /// Boot, system calls, clusters of kernels
    Core,
}

/// Measures and prints.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let groups = arguments.group.map_or(vec![Group::Core], |group| vec![group]);
    let mut records = Vec::new();
    for group in groups {
        records.extend(match group {
            Group::Core => core::run(workspace)?,
        });
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&records)?);
    } else {
        println!("{}", figures::table(&records));
    }
    let failed: Vec<&str> =
        records.iter().filter(|r| r.value.is_none()).map(|r| r.id.as_str()).collect();
    if !failed.is_empty() {
        bail!("not measured: {}; the reasons are in the output", failed.join(", "));
    }
    Ok(())
}

//! `cargo xtask bench`: the one entry for every benchmark.
//!
//! * A group is a file with a `run` function that answers [`Record`]s, and a variant of [`Group`].
//! * [`record`]: what a figure is. [`figures`]: what each should reach.

mod cluster;
mod core;
pub mod feed;
mod figures;
mod net;
pub mod netns;
mod record;
mod remote;
mod servers;

use anyhow::{Result, bail};

use crate::progress::Bar;
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
    /// What crosses between processes
    Remote,
    /// The network stack beside Linux's
    Net,
}

/// Measures and prints.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let groups =
        arguments.group.map_or(vec![Group::Core, Group::Remote, Group::Net], |group| vec![group]);
    let mut records = Vec::new();
    for group in groups {
        records.extend(match group {
            Group::Core => core::run(workspace)?,
            Group::Remote => remote::run(workspace)?,
            Group::Net => net::run(workspace)?,
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

/// A part of a group: the ids that it measures, and how.
type Part<'a> = (&'a [&'a str], Box<dyn Fn() -> Result<Vec<Record>> + 'a>);

/// Measures all parts. What fails becomes a record that says why, and the rest goes on.
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

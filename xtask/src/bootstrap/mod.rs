//! `cargo xtask bootstrap`: the matrix of boot times, a row per configuration.
//!
//! * [`measure`] builds the kernels, measures them and answers a [`Report`]; [`main`] prints it.
//! * [`process`]: whole processes, ours and an empty one in turn. [`empty`]: the empty one.
//!   [`report`]: the figures as JSON and as a table.
//!
//! Kernels are linked statically here, as the empty program is, so that both sides pay for the
//! same things.
//!
//! Sources: the book, table 4.1 (bootstrap times).

mod empty;
pub mod process;
mod report;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::kernels::{self, Configuration, Shape};
use crate::progress::Bar;
use crate::run;
use crate::stats::Spread;
use crate::workspace::Workspace;
use process::Timed;
pub use report::{Baseline, Process, Report, Row};

/// Boot every shipped configuration and print the matrix of bootstrap times
///
/// A row per configuration in config/: boot in the process (min, median, p99), halt, memory per
/// idle kernel (over 1,000 of them), process start to exit beside an empty static program timed in
/// the same run, size of the stripped binary, number of components.
#[derive(clap::Args)]
pub struct Arguments {
    /// Print JSON (SI units) in place of the table
    #[arg(long)]
    json: bool,
    /// How often each kernel is booted, in the process and as a process
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Configurations to measure; all that are shipped, if none is named
    #[arg(value_name = "CONFIG")]
    configurations: Vec<String>,
}

impl Arguments {
    /// The whole matrix, as the README's main command shows it.
    pub const ALL: Arguments = Arguments { json: false, runs: 1000, configurations: Vec::new() };
}

/// What a kernel answers to `--measure --json`.
#[derive(Deserialize)]
struct Measured {
    components: u32,
    boot_s: Spread,
    halt_s: f64,
    bytes_per_kernel: f64,
}

/// What the program `bench` answers to `getpid --json`.
#[derive(Deserialize)]
struct Getpid {
    host_getpid_s: f64,
    kernel_getpid_s: f64,
}

/// Measures and prints.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let chosen = kernels::chosen(&workspace.path("config"), &arguments.configurations)?;
    let report = measure(workspace, &chosen, arguments.runs)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", report.table());
    }
    Ok(())
}

/// Builds and measures `configurations`.
fn measure(workspace: &Workspace, configurations: &[Configuration], runs: u32) -> Result<Report> {
    let bench = kernels::program(workspace, "bench")?;
    let built = build(workspace, configurations)?;
    let sizes = built.kernels.iter().map(|kernel| stripped_size(workspace, kernel));
    let sizes = sizes.collect::<Result<Vec<u64>>>()?;
    matrix(configurations, &built, &sizes, &bench, runs)
}

/// The matrix of kernels that are built.
fn matrix(
    configurations: &[Configuration],
    built: &Built,
    sizes: &[u64],
    bench: &Path,
    runs: u32,
) -> Result<Report> {
    let mut measured = Vec::new();
    let mut bar = Bar::new("booting in the process", built.kernels.len() as u64);
    for kernel in &built.kernels {
        let runs = runs.to_string();
        let mut command = Command::new(kernel);
        measured.push(run::json(command.args(["--measure", "--runs", &runs, "--json"]))?);
        bar.step();
    }
    drop(bar);

    let getpid: Getpid = run::json(Command::new(bench).args(["getpid", "--json"]))?;
    let times = process::interleaved(&built.programs(), runs)?;
    let (empty, ours) = times.split_first().context("no process was timed")?;

    let rows = configurations.iter().zip(measured).zip(ours).zip(sizes);
    let rows = rows.map(|(((configuration, measured), times), &binary_bytes)| {
        let Measured { components, boot_s, halt_s, bytes_per_kernel } = measured;
        let process_s = Process { min: times.min(), median: times.median() };
        let name = configuration.name.clone();
        Row { name, components, boot_s, halt_s, bytes_per_kernel, process_s, binary_bytes }
    });
    Ok(Report {
        configurations: rows.collect(),
        baseline: Baseline {
            empty_process_s: empty.median(),
            empty_process_min_s: empty.min(),
            host_getpid_s: getpid.host_getpid_s,
            kernel_getpid_s: getpid.kernel_getpid_s,
        },
    })
}

/// Start to exit of the kernel `name` and of an empty program, each `runs` times, in turn.
pub fn process_of(workspace: &Workspace, name: &str, runs: u32) -> Result<(Process, Process)> {
    let chosen = kernels::chosen(&workspace.path("config"), &[name.to_owned()])?;
    let built = build(workspace, &chosen)?;
    let times = process::interleaved(&built.programs(), runs)?;
    match times.as_slice() {
        [empty, ours] => Ok((
            Process { min: ours.min(), median: ours.median() },
            Process { min: empty.min(), median: empty.median() },
        )),
        _ => anyhow::bail!("expected times of two programs, got {}", times.len()),
    }
}

struct Built {
    empty: PathBuf,
    kernels: Vec<PathBuf>,
}

impl Built {
    fn programs(&self) -> Vec<Timed<'_>> {
        let empty = Timed { program: &self.empty, arguments: &[] };
        let kernels = self.kernels.iter();
        std::iter::once(empty)
            .chain(kernels.map(|program| Timed { program, arguments: &["--probe-exit"] }))
            .collect()
    }
}

fn build(workspace: &Workspace, configurations: &[Configuration]) -> Result<Built> {
    let shape = Shape { lib: false, is_static: true };
    let mut kernels = Vec::new();
    for configuration in configurations {
        let kernel = kernels::build(workspace, &configuration.file, shape);
        kernels.push(kernel.with_context(|| format!("building `{}`", configuration.name))?);
    }
    Ok(Built { empty: empty::build(workspace, shape)?, kernels })
}

/// The size of `program` without its symbols.
fn stripped_size(workspace: &Workspace, program: &Path) -> Result<u64> {
    let copy = workspace.target.join(format!("stripped-{}", std::process::id()));
    let mut strip = Command::new("strip");
    strip.arg("-o").arg(&copy).arg(program);
    run::quiet(&mut strip, "install binutils, which every C compiler comes with")?;
    let size = std::fs::metadata(&copy).map(|data| data.len());
    std::fs::remove_file(&copy).ok();
    size.with_context(|| format!("reading the size of {}", copy.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::script;

    /// Programs that answer as ours do.
    #[test]
    fn the_contract_with_the_programs() {
        let kernel = script(
            "kernel",
            r#"if [ "$1" = --measure ]; then
                echo '{"name": "base", "components": 2, "boot_s": {"min": 1e-6, "median": 2e-6,
                "p99": 3e-6, "first": 5e-5}, "halt_s": 1e-6, "bytes_per_kernel": 9000}'
            fi"#,
        );
        let bench = script("bench", r#"echo '{"host_getpid_s": 1e-7, "kernel_getpid_s": 8e-9}'"#);
        let configuration = Configuration { name: "base".into(), file: "config/base.toml".into() };
        let built = Built { empty: "/bin/true".into(), kernels: vec![kernel.path().into()] };
        let report = matrix(&[configuration], &built, &[1234], bench.path(), 3).unwrap();
        let row = &report.configurations[0];
        assert_eq!((row.components, row.binary_bytes, row.boot_s.first), (2, 1234, Some(5e-5)));
        assert!(row.process_s.min > 0.0 && report.baseline.empty_process_s > 0.0);
    }
}

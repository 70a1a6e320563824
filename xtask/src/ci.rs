//! `cargo xtask ci`: what must pass before a change goes in. CI calls nothing else.
//!
//! * To add a job: a variant of [`Job`], a line in [`ORDER`] and an arm in [`run_job`].

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{run, test, tidy};

/// Run the checks of continuous integration, the quick ones first; stops at the first failure
#[derive(clap::Args)]
pub struct Arguments {
    /// One job instead of all
    job: Option<Job>,
}

/// One check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Job {
    /// fmt, tidy and msrv: seconds; run it before you push
    Quick,
    /// The code is formatted as rustfmt does it
    Fmt,
    /// The repository's rules hold
    Tidy,
    /// The minimum Rust version is stated and this toolchain is not older
    Msrv,
    /// No warnings, in code, tests and examples
    Clippy,
    /// The documentation builds without warnings
    Doc,
    /// All tests pass
    Test,
}

const ORDER: &[Job] = &[Job::Fmt, Job::Tidy, Job::Msrv, Job::Clippy, Job::Doc, Job::Test];

/// Runs the jobs.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let jobs: &[Job] = match &arguments.job {
        None => ORDER,
        Some(Job::Quick) => &[Job::Fmt, Job::Tidy, Job::Msrv],
        Some(job) => std::slice::from_ref(job),
    };
    let mut times = Vec::new();
    for &job in jobs {
        let start = Instant::now();
        let name = format!("{job:?}").to_lowercase();
        run_job(workspace, job).with_context(|| {
            format!("job {name} failed; to repeat it alone: cargo xtask ci {name}")
        })?;
        times.push(format!("{name} {:.0} s", start.elapsed().as_secs_f64()));
    }
    eprintln!("ci: {}: all passed", times.join(", "));
    Ok(())
}

fn run_job(workspace: &Workspace, job: Job) -> Result<()> {
    match job {
        Job::Quick => Ok(()),
        Job::Fmt => {
            let mut command = workspace.cargo(&["fmt", "--all", "--check"]);
            run::run(&mut command, "run `cargo fmt --all`")
        }
        Job::Tidy => tidy::main(workspace, &tidy::Arguments::CHECK),
        Job::Msrv => msrv(workspace),
        Job::Clippy => {
            let words = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            run::run(&mut workspace.cargo(&words), "the warnings are above")
        }
        Job::Doc => {
            let mut command = workspace.cargo(&["doc", "--workspace", "--no-deps"]);
            command.env("RUSTDOCFLAGS", "-D warnings");
            run::run(&mut command, "the warnings are above")
        }
        Job::Test => test::main(workspace, &test::Arguments::ALL),
    }
}

/// One number, in the root manifest; README.md repeats it, and this toolchain is not older.
fn msrv(workspace: &Workspace) -> Result<()> {
    let packages = &workspace.metadata.packages;
    let stated = packages
        .iter()
        .find_map(|package| package.rust_version.as_ref())
        .context("the root Cargo.toml states no rust-version; add one to [workspace.package]")?;
    if let Some(package) = packages.iter().find(|p| p.rust_version.as_ref() != Some(stated)) {
        bail!(
            "{} states another minimum Rust version; write `rust-version.workspace = true`",
            package.name
        );
    }
    let short = format!("{}.{}", stated.major, stated.minor);
    if let Ok(readme) = std::fs::read_to_string(workspace.path("README.md"))
        && !readme.contains(&format!("Rust {short}"))
    {
        bail!("README.md does not say `Rust {short}`, the rust-version of Cargo.toml");
    }
    // Cargo itself refuses a toolchain that is older than that, so one that runs this is not.
    eprintln!("msrv: Rust {short}, as stated");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_job_but_the_subset_runs() {
        let missing: Vec<_> =
            Job::value_variants().iter().filter(|job| !ORDER.contains(job)).collect();
        assert_eq!(missing, [&Job::Quick]);
    }
}

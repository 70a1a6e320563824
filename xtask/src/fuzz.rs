//! `cargo xtask fuzz`: random input, guided by coverage, on the stable compiler.
//!
//! Sources: LLVM's libFuzzer and SanitizerCoverage documentation; the flags are what `cargo fuzz`
//! passes, without the address sanitizer, which the stable compiler does not offer.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::MetadataCommand;

use crate::run;
use crate::workspace::{Workspace, host_triple};

/// Fuzz the parsers and the input path; a finding is kept in target/fuzz/findings and fails
#[derive(clap::Args)]
pub struct Arguments {
    /// One target instead of all (see tests/fuzz)
    target: Option<String>,
    /// How long each target runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

const FLAGS: &[&str] = &[
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

/// Builds and runs the targets.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let targets = targets(workspace)?;
    let chosen: Vec<&String> = match &arguments.target {
        None => targets.iter().collect(),
        Some(name) => match targets.iter().find(|target| *target == name) {
            Some(target) => vec![target],
            None => bail!("no fuzz target `{name}`; there are: {}", targets.join(", ")),
        },
    };
    let (triple, folder) = (host_triple()?, workspace.target.join("fuzz"));
    for target in chosen {
        let mut build = workspace.cargo(&["build", "--release", "--bin", target]);
        build
            .args(["--manifest-path", "tests/fuzz/Cargo.toml", "--target", &triple])
            .env("CARGO_TARGET_DIR", &folder)
            .env("RUSTFLAGS", FLAGS.join(" "))
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
        run::run(&mut build, "the fuzz target does not build")?;

        let (corpus, findings) = (folder.join("corpus").join(target), folder.join("findings"));
        for folder in [&corpus, &findings] {
            fs::create_dir_all(folder)
                .with_context(|| format!("making the folder {}", folder.display()))?;
        }
        let mut fuzz = Command::new(folder.join(&triple).join("release").join(target));
        fuzz.arg(format!("-max_total_time={}", arguments.seconds))
            .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/{target}-", findings.display()))
            .arg(&corpus);
        let seeds = workspace.path("tests/fuzz/seeds").join(target);
        fuzz.args(seeds.is_dir().then_some(seeds));
        let advice = format!("the input is in {}; start the program with it", findings.display());
        run::run(&mut fuzz, &advice)?;
    }
    Ok(())
}

/// The programs of `tests/fuzz`, which is a workspace of its own.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let manifest: PathBuf = workspace.path("tests/fuzz/Cargo.toml");
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec()
        .context("tests/fuzz is not a package; see cargo's message")?;
    let targets = metadata.packages.iter().flat_map(|package| &package.targets);
    Ok(targets.filter(|target| target.is_bin()).map(|target| target.name.clone()).collect())
}

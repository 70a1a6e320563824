//! `cargo xtask test`: every test there is.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::run;
use crate::workspace::Workspace;

/// Run all tests: unit, integration and documentation tests, then those of the model checker
///
/// Uses plain `cargo test`, so that the tests of a crate share one process as kernels are meant
/// to. Needs no network and no privileges; tests of the host's network need `unshare` and `ip`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Rewrite the expected lines of scripts and snapshots with what came out (sets BLESS=1);
    /// look at the difference before you commit it
    #[arg(long)]
    bless: bool,
    /// One process per test, by cargo-nextest (`cargo install cargo-nextest`)
    #[arg(long)]
    nextest: bool,
    /// Only tests whose path contains this
    filter: Option<String>,
}

impl Arguments {
    /// All tests, as CI runs them.
    pub const ALL: Arguments = Arguments { bless: false, nextest: false, filter: None };
}

/// Crates with tests for the model checker: folder and package.
const MODELLED: &[(&str, &str)] =
    &[("base/src", "anykernel-base"), ("components/shmif/src", "anykernel-shmif")];

/// Runs the tests.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    for words in plan(arguments) {
        let mut command = workspace.cargo(&words);
        if arguments.bless {
            command.env("BLESS", "1");
        }
        run::run(&mut command, "the failing tests and their output are above")?;
    }
    for (folder, package) in MODELLED {
        if has_loom_tests(&workspace.path(folder)) {
            loom(workspace, package, arguments)?;
        }
    }
    Ok(())
}

/// The cargo commands of the ordinary tests.
fn plan(arguments: &Arguments) -> Vec<Vec<&str>> {
    let mut plan = if arguments.nextest {
        let run = vec!["nextest", "run", "--workspace", "--no-tests", "pass"];
        vec![run, vec!["test", "--workspace", "--doc"]]
    } else {
        vec![vec!["test", "--workspace"]]
    };
    for words in &mut plan {
        words.extend(arguments.filter.as_deref());
    }
    plan
}

/// The model checker's tests of a package, built with its atomics in place of `core`'s.
fn loom(workspace: &Workspace, package: &str, arguments: &Arguments) -> Result<()> {
    let mut words = vec!["test", "--release", "--package", package, "--lib"];
    words.push(arguments.filter.as_deref().unwrap_or("loom"));
    let mut command = workspace.cargo(&words);
    command
        .env("RUSTFLAGS", "--cfg loom")
        // A folder of its own: other flags would otherwise rebuild everything, twice.
        .env("CARGO_TARGET_DIR", workspace.target.join("loom"))
        // The search is what takes time, not the linker.
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
    run::run(&mut command, "the model checker found an interleaving; its trace is above")
}

fn has_loom_tests(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return has_loom_tests(&path);
        }
        fs::read_to_string(&path).is_ok_and(|text| text.contains("loom::model"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_cargo_is_the_default() {
        assert_eq!(plan(&Arguments::ALL), [["test", "--workspace"]]);
    }

    #[test]
    fn the_filter_reaches_every_command() {
        let arguments = Arguments { bless: false, nextest: true, filter: Some("arp".into()) };
        assert!(plan(&arguments).iter().all(|words| words.last() == Some(&"arp")));
    }
}

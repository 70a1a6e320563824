//! Repository rules as code: `cargo xtask tidy`.
//!
//! One file a rule. A rule looks at the [`Tree`] and reports [`Finding`]s, each with a place, the
//! rule's name and what to do. The names are those of `CONTRIBUTING.md`.
//! * To add a rule: a file with a `check` function and its tests, and a line in [`RULES`].
//!
//! Sources: rust-analyzer `xtask/src/tidy.rs` (rules as code, the pinned document).

mod contract;
mod crate_attributes;
mod dependency_table;
mod file_length;
mod floats;
mod globals;
mod header;
mod layers;
mod licences;
mod offcpu;
mod registration;
mod source;
mod tree;
mod unsafe_code;
mod words;

use std::fmt;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use tree::Tree;

/// Check the repository's rules: layers, registration, unsafe, file length, headers, licences, …
///
/// Each finding names a file and line, the rule (see CONTRIBUTING.md) and what to do. Exit code 0:
/// no findings.
#[derive(clap::Args)]
pub struct Arguments {
    /// Write the hash of the hypercall contract into hypercall/HYPERCALLS.md, after you have
    /// brought its text up to date
    #[arg(long)]
    bless: bool,
}

impl Arguments {
    /// Check only.
    pub const CHECK: Arguments = Arguments { bless: false };
}

/// Where a rule is broken, and what to do about it.
#[derive(Debug)]
pub struct Finding {
    path: String,
    line: usize,
    rule: &'static str,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.message)
    }
}

type Check = fn(&Tree, &mut Findings);

/// The rules that look at files and the workspace's own manifests. `licences` needs more and is
/// called apart.
const RULES: &[Check] = &[
    source::check,
    layers::check,
    registration::check,
    unsafe_code::check,
    offcpu::check,
    globals::check,
    floats::check,
    crate_attributes::check,
    header::check,
    file_length::check,
    words::check,
    contract::check,
    dependency_table::check,
];

/// What the rules have found so far.
#[derive(Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Adds one.
    pub fn add(
        &mut self,
        rule: &'static str,
        path: impl Into<String>,
        line: usize,
        message: impl Into<String>,
    ) {
        self.0.push(Finding { path: path.into(), line, rule, message: message.into() });
    }

    #[cfg(test)]
    fn lines(&self) -> Vec<String> {
        self.0.iter().map(Finding::to_string).collect()
    }
}

/// Runs every rule.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let tree = Tree::read(workspace)?;
    if arguments.bless {
        contract::bless(workspace, &tree)?;
        return main(workspace, &Arguments::CHECK);
    }
    let mut findings = Findings::default();
    for check in RULES {
        check(&tree, &mut findings);
    }
    licences::check(workspace, &mut findings)?;
    findings.0.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for finding in &findings.0 {
        println!("{finding}");
    }
    match findings.0.len() {
        0 => {
            println!(
                "tidy: {} files, {} packages, no findings",
                tree.files.len(),
                tree.crates.len()
            );
            Ok(())
        }
        n => bail!("tidy found {n} places to change; the rules are explained in CONTRIBUTING.md"),
    }
}

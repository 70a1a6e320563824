//! Rule `licences`: everything that we link may be linked by anybody.
//!
//! Looks at every package of the lock file that this platform builds.

use anyhow::{Context, Result};
use cargo_metadata::{CargoOpt, MetadataCommand};
use spdx::{Expression, ParseMode};

use super::Findings;
use crate::workspace::{Workspace, host_triple};

const RULE: &str = "licences";

/// Licences that ask for no more than a notice. MPL-2.0 asks for changes to its own files.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks every package of the lock file.
pub fn check(workspace: &Workspace, findings: &mut Findings) -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(&workspace.root)
        .other_options(vec!["--filter-platform".into(), host_triple()?])
        .features(CargoOpt::AllFeatures)
        .exec()
        .context("cargo could not resolve the dependencies; run `cargo metadata` to see why")?;
    for package in metadata.packages.iter().filter(|package| package.source.is_some()) {
        let licence = package.license.as_deref().unwrap_or("none stated");
        if !is_allowed(licence) {
            let message = format!("{} {} is under `{licence}`", package.name, package.version);
            findings.add(RULE, "Cargo.lock", 1, message);
        }
    }
    Ok(())
}

fn is_allowed(licence: &str) -> bool {
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|requirement| {
            requirement.license.id().is_some_and(|id| ALLOWED.contains(&id.name))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_evaluated() {
        assert!(is_allowed("MIT OR Apache-2.0"));
        assert!(is_allowed("MIT/Apache-2.0"));
        assert!(is_allowed("GPL-3.0 OR MIT"));
        assert!(is_allowed("Apache-2.0 WITH LLVM-exception"));
        assert!(is_allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!is_allowed("GPL-3.0"));
        assert!(!is_allowed("MIT AND GPL-2.0"));
        assert!(!is_allowed("none stated"));
    }
}

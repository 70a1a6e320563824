//! The baseline of process times: `fn main() {}`, in the profile of everything else.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::kernels::{self, Shape};
use crate::workspace::Workspace;

const NAME: &str = "empty-process";

/// Generates and builds the program.
pub fn build(workspace: &Workspace, shape: Shape) -> Result<PathBuf> {
    let root = fs::read_to_string(workspace.path("Cargo.toml")).context("reading Cargo.toml")?;
    let profile = section(&root, "[profile.release]");
    let manifest = format!(
        "[package]\nname = \"{NAME}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n{profile}"
    );
    let folder = workspace.target.join("kernels").join(NAME);
    fs::create_dir_all(folder.join("src"))
        .with_context(|| format!("making the folder {}", folder.display()))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/main.rs"), "fn main() {}\n")?;
    kernels::build_crate(workspace, &folder, shape)
}

/// The lines of a manifest from `heading` to the next heading.
fn section(manifest: &str, heading: &str) -> String {
    let mut lines = manifest.lines().skip_while(|line| line.trim() != heading);
    let first = lines.next().into_iter();
    let rest = lines.take_while(|line| !line.starts_with('['));
    first.chain(rest).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_copied() {
        let manifest =
            "[a]\nx = 1\n[profile.release]\nlto = \"fat\"\n\n[profile.dev]\nopt-level = 1\n";
        assert_eq!(section(manifest, "[profile.release]"), "[profile.release]\nlto = \"fat\"\n\n");
        assert_eq!(section(manifest, "[profile.bench]"), "");
    }
}

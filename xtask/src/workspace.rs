//! The checkout: where it is, what packages it has, where cargo builds.
//!
//! * [`Workspace::find`] asks `cargo metadata` once; every command starts with it.
//! * [`Workspace::cargo`] makes a `cargo` command that runs in the root.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

/// The checkout that this program was started in.
pub struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo builds (`target`, or what `CARGO_TARGET_DIR` says).
    pub target: PathBuf,
    /// The packages of the workspace and their direct dependencies.
    pub metadata: Metadata,
}

impl Workspace {
    /// Finds the workspace around this package, or around the current folder when the program
    /// was not started by cargo.
    pub fn find() -> Result<Self> {
        let mut query = MetadataCommand::new();
        query.no_deps();
        if let Some(package) = std::env::var_os("CARGO_MANIFEST_DIR") {
            query.current_dir(package);
        }
        let metadata = query.exec().context(
            "cargo could not read the workspace; run `cargo metadata --no-deps` to see why",
        )?;
        let root = metadata.workspace_root.clone().into_std_path_buf();
        let target = metadata.target_directory.clone().into_std_path_buf();
        Ok(Self { root, target, metadata })
    }

    /// A cargo command in the root, by the cargo that started this program.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// The file or folder `path` of the checkout.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }
}

/// The target triple that this toolchain builds for by default.
pub fn host_triple() -> Result<String> {
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
        .arg("-vV")
        .output()
        .context("rustc does not start; install a Rust toolchain (https://rustup.rs)")?;
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
        .context("`rustc -vV` does not name its host; is RUSTC set to something else?")
}

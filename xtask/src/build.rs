//! `cargo xtask build`: one kernel from one configuration file.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::kernels::{self, Shape};
use crate::workspace::Workspace;

/// Build a kernel from a configuration file: the components it names and nothing else
///
/// Writes the crate under target/kernels, builds it for release and prints where the result is.
/// The program boots the kernel, prints its messages and ends. See config/CONFIGURATION.md.
#[derive(clap::Args)]
pub struct Arguments {
    /// The configuration, for example config/router.toml
    file: PathBuf,
    /// A Rust library, with a function `boot`, in place of a program
    #[arg(long)]
    lib: bool,
    /// Link everything statically, the C library too
    #[arg(long = "static", conflicts_with = "lib")]
    is_static: bool,
}

/// Builds it.
pub fn main(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    if !arguments.file.is_file() {
        let file = arguments.file.display();
        bail!("{file} is not a file; the shipped configurations are config/*.toml");
    }
    let file = std::path::absolute(&arguments.file)?;
    let shape = Shape { lib: arguments.lib, is_static: arguments.is_static };
    println!("{}", kernels::build(workspace, &file, shape)?.display());
    Ok(())
}

//! The assembler: a crate that is a kernel of the listed components and nothing else.
//!
//! The crate is a workspace of its own and depends on the component crates by path, so that
//! cargo builds and links those and no others. Nothing selects components at run time or by
//! feature: what is not in the crate's manifest cannot be in the kernel.
//!
//! * [`assemble`]: writes the crate that a [`Request`] asks for, and says what it is made of.
//! * [`Form`]: a program, or a library for a program of yours.
//!
//! Files that would not change are left alone, so that cargo need not build again.
//!
//! Locking: none. Sources: config(1) of BSD, which writes a build directory from a list.

mod configure;
mod manifest;
mod source;

#[cfg(test)]
mod tests;

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Error;
use crate::catalogue::Catalogue;
use crate::file::File;
use crate::resolve::{Added, Closure};

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The configuration.
    pub file: &'a File,
    /// The components that there are.
    pub catalogue: &'a Catalogue,
    /// The source tree that they belong to.
    pub root: &'a Path,
    /// The folder in which the crate gets a folder of its own.
    pub out: &'a Path,
    /// A program or a library.
    pub form: Form,
    /// A program that needs no shared library.
    pub linked_statically: bool,
}

/// What the crate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// A program with the kernel in it.
    Program,
    /// A library with a `boot` function.
    Library,
}

/// What was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assembled {
    /// The configuration's name, and the program's.
    pub name: String,
    /// The crate's package.
    pub package: String,
    /// A program or a library.
    pub form: Form,
    /// The crate's folder. Build it from there: cargo reads its settings from the folder that
    /// it is started in.
    pub directory: PathBuf,
    /// The crate's manifest.
    pub manifest: PathBuf,
    /// What the kernel is made of, besides the base.
    pub components: Vec<String>,
    /// Those of them that the configuration does not list.
    pub added: Vec<Added>,
}

/// Why nothing was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssembleError {
    /// The configuration names what there is not.
    Configuration(Error),
    /// A file cannot be read or written.
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
}

impl fmt::Display for AssembleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssembleError::Configuration(error) => error.fmt(f),
            AssembleError::File { path, reason } => write!(f, "{}: {reason}", path.display()),
        }
    }
}

impl core::error::Error for AssembleError {}

/// Where kernels are made unless somebody says otherwise.
pub fn default_out(root: &Path) -> PathBuf {
    root.join("target").join("kernels")
}

/// Writes the crate.
pub fn assemble(request: &Request<'_>) -> Result<Assembled, AssembleError> {
    let Request { file, catalogue, root, out, form, linked_statically } = *request;
    let closure = file.closure(&catalogue.known).map_err(AssembleError::Configuration)?;
    let root = std::path::absolute(root).map_err(|error| failed(root, &error))?;
    let (folder, main) = match form {
        Form::Program => (file.name.clone(), "main.rs"),
        Form::Library => (format!("{}-library", file.name), "lib.rs"),
    };
    let directory = std::path::absolute(out.join(folder)).map_err(|error| failed(out, &error))?;

    let profile = manifest::release_profile(&root)?;
    let text = manifest::text(file, &closure, catalogue, &root, form, &profile);
    let path = directory.join("Cargo.toml");
    write(&path, &text)?;
    write(&directory.join("src").join(main), &source::text(file, &closure, catalogue, form))?;
    settings(&directory.join(".cargo").join("config.toml"), linked_statically)?;
    lock(&root.join("Cargo.lock"), &directory.join("Cargo.lock"))?;

    let Closure { components, added } = closure;
    Ok(Assembled {
        name: file.name.clone(),
        package: manifest::package(file),
        form,
        directory,
        manifest: path,
        components,
        added,
    })
}

fn settings(path: &Path, linked_statically: bool) -> Result<(), AssembleError> {
    if linked_statically {
        return write(path, manifest::STATIC_SETTINGS);
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

/// The kernel is built from the versions that the source tree is tested with. Cargo drops the
/// lines that it does not need, so the copy is renewed only when the original is.
fn lock(from: &Path, to: &Path) -> Result<(), AssembleError> {
    let changed = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    match (changed(from), changed(to)) {
        (None, _) => Ok(()),
        (Some(from), Some(to)) if from <= to => Ok(()),
        _ => {
            let text = std::fs::read_to_string(from).map_err(|error| failed(from, &error))?;
            std::fs::write(to, text).map_err(|error| failed(to, &error))
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), AssembleError> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    std::fs::write(path, text).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> AssembleError {
    AssembleError::File { path: path.to_path_buf(), reason: error.to_string() }
}

//! Programs that embed a kernel: found, generated and built.
//!
//! * [`program`]: a program of the package config (`cluster`, `bench`, `assemble`), built for release.
//! * [`shipped`]: the configurations in `config/`.
//! * [`build`]: the kernel of one configuration: `assemble` writes its crate, cargo builds it.
//!
//! Generated kernels are built in one folder of their own (`target/kernels-build`), so that they
//! share what they have in common.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use cargo_metadata::Message;
use serde::Deserialize;

use crate::progress::waiting;
use crate::run;
use crate::workspace::{Workspace, host_triple};

/// A configuration file that the project ships.
pub struct Configuration {
    /// Its name: that of the file.
    pub name: String,
    /// The file.
    pub file: PathBuf,
}

/// How a kernel is built.
#[derive(Clone, Copy, Default)]
pub struct Shape {
    /// As a Rust library, in place of a program.
    pub lib: bool,
    /// Linked statically, C library included.
    pub is_static: bool,
}

/// What `assemble --json` answers.
#[derive(Deserialize)]
struct Assembled {
    /// The folder of the generated crate.
    directory: PathBuf,
    /// Components that the configuration needs and does not list.
    added: Vec<Added>,
}

/// A component that was added.
#[derive(Deserialize)]
struct Added {
    name: String,
    because: String,
}

/// The program `name` of the package config, built as users run it.
pub fn program(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let words = ["build", "--release", "--quiet", "--package", "anykernel-config", "--bin", name];
    artefact(&mut workspace.cargo(&words), &workspace.path("config"), name)
}

/// The configurations in `config/`, by name.
pub fn shipped(folder: &Path) -> Result<Vec<Configuration>> {
    let mut found = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let file = entry?.path();
        let is_configuration = file.extension() == Some(OsStr::new("toml"))
            && file.file_name() != Some(OsStr::new("Cargo.toml"));
        if let Some(name) = file.file_stem().filter(|_| is_configuration) {
            found.push(Configuration { name: name.to_string_lossy().into_owned(), file });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The shipped configurations called `names`, or all.
pub fn chosen(folder: &Path, names: &[String]) -> Result<Vec<Configuration>> {
    let mut shipped = shipped(folder)?;
    if names.is_empty() {
        return Ok(shipped);
    }
    let known = shipped.iter().map(|c| c.name.clone()).collect::<Vec<_>>().join(", ");
    names
        .iter()
        .map(|name| {
            let at = shipped.iter().position(|configuration| configuration.name == *name);
            at.map(|at| shipped.swap_remove(at)).with_context(|| {
                format!("no configuration `{name}` (or named twice); config/ has {known}")
            })
        })
        .collect()
}

/// Generates and builds the kernel that `file` describes; the answer is the binary or library.
pub fn build(workspace: &Workspace, file: &Path, shape: Shape) -> Result<PathBuf> {
    let mut assemble = Command::new(program(workspace, "assemble")?);
    assemble.current_dir(&workspace.root).arg(file).arg("--json");
    assemble.arg("--out").arg(workspace.target.join("kernels"));
    if shape.lib {
        assemble.arg("--lib");
    }
    if shape.is_static {
        assemble.arg("--static");
    }
    assemble.stderr(Stdio::inherit());
    let output = assemble.output().context("the assembler does not start")?;
    if !output.status.success() {
        // It has said what is wrong with the file.
        return Err(run::Status(1).into());
    }
    let assembled: Assembled = serde_json::from_slice(&output.stdout)
        .context("the assembler did not print the JSON that is expected of it")?;
    for Added { name, because } in &assembled.added {
        eprintln!("added {name}: {because} needs it");
    }
    build_crate(workspace, &assembled.directory, shape)
}

/// Builds the generated crate in `folder`.
pub fn build_crate(workspace: &Workspace, folder: &Path, shape: Shape) -> Result<PathBuf> {
    // The versions that the tests ran with. Cargo drops from it what this crate does not need.
    fs::copy(workspace.path("Cargo.lock"), folder.join("Cargo.lock"))
        .with_context(|| format!("copying Cargo.lock to {}", folder.display()))?;
    let mut cargo = workspace.cargo(&["build", "--release", "--quiet", "--manifest-path"]);
    cargo.arg(folder.join("Cargo.toml"));
    cargo.env("CARGO_TARGET_DIR", workspace.target.join("kernels-build"));
    if shape.is_static {
        // With a target named, the flags do not reach procedural macros, which cannot be static.
        cargo.args(["--target", &host_triple()?]).env("RUSTFLAGS", "-C target-feature=+crt-static");
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    artefact(&mut cargo, folder, &name)
}

/// Runs a cargo build of `name` and finds what it made of the package in `folder`.
pub fn artefact(cargo: &mut Command, folder: &Path, name: &str) -> Result<PathBuf> {
    cargo.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let what = run::shown(cargo);
    let output = waiting(&format!("building {name} for release"), || cargo.output())
        .with_context(|| format!("`{what}` does not start"))?;
    if !output.status.success() {
        bail!("`{what}` failed ({}): the compiler's messages are above", output.status);
    }
    last_artefact(&output.stdout, folder)
        .with_context(|| format!("`{what}` built nothing in {}", folder.display()))
}

/// The executable, or else the library, of the last artefact in cargo's messages that is of the
/// package in `folder`. A program comes after the library of its package; a library may be done
/// before those that it depends on.
fn last_artefact(messages: &[u8], folder: &Path) -> Option<PathBuf> {
    let artefacts = Message::parse_stream(messages).filter_map(|message| match message {
        Ok(Message::CompilerArtifact(artefact)) => Some(artefact),
        _ => None,
    });
    let ours = |manifest: &Path| manifest.parent() == Some(folder);
    let last = artefacts.filter(|artefact| ours(artefact.manifest_path.as_std_path())).last()?;
    let library = || last.filenames.iter().find(|file| file.extension() != Some("rmeta")).cloned();
    last.executable.clone().or_else(library).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_are_the_listing_of_a_folder() {
        let folder = std::env::temp_dir().join(format!("xtask-kernels-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for name in ["router.toml", "base.toml", "Cargo.toml", "README.md"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let names = |found: Vec<Configuration>| {
            found.into_iter().map(|configuration| configuration.name).collect::<Vec<_>>()
        };
        assert_eq!(names(shipped(&folder).unwrap()), ["base", "router"]);
        assert_eq!(names(chosen(&folder, &["router".into()]).unwrap()), ["router"]);
        let error = chosen(&folder, &["rooter".into()]).err().unwrap().to_string();
        assert!(error.contains("base, router"), "{error}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_last_artefact_of_the_package_is_taken() {
        let line = |folder: &str, files: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"p","manifest_path":"{folder}/Cargo.toml","target":{{"kind":["bin"],"crate_types":["bin"],"name":"t","src_path":"/s"}},"profile":{{"opt_level":"3","debuginfo":0,"debug_assertions":false,"overflow_checks":false,"test":false}},"features":[],"filenames":[{files}],"executable":{executable},"fresh":false}}"#
            )
        };
        let library = line("/k", r#""/t/libk.rmeta","/t/libk.rlib""#, "null");
        let program = line("/k", r#""/t/k""#, r#""/t/k""#);
        let other = line("/o", r#""/t/libo.rlib""#, "null");
        let last = |lines: &[&str]| last_artefact(lines.join("\n").as_bytes(), Path::new("/k"));
        assert_eq!(last(&[&other, &library, &program]), Some("/t/k".into()));
        assert_eq!(last(&[&library, &other]), Some("/t/libk.rlib".into()));
        assert_eq!(last(&[&other]), None);
        assert_eq!(last(&[]), None);
    }
}

//! What the rules look at: the project's text files and the workspace's packages.
//!
//! * [`Tree::read`] reads the checkout; tests build one with `Tree::of`.
//! * `File::place` says to which part of the project a file belongs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use cargo_metadata::DependencyKind;

use super::source::Source;
use crate::workspace::Workspace;

/// Folders that hold no text of the project.
const SKIPPED: &[&str] = &["target", ".git", "corpus", "artifacts"];
/// Endings of the text files that the rules read.
const TEXT: &[&str] = &["rs", "toml", "md", "txt", "sh", "snap", "pkt"];

/// The checkout.
pub struct Tree {
    /// Text files, sorted by path.
    pub files: Vec<File>,
    /// The packages of the workspace.
    pub crates: Vec<Crate>,
}

/// One text file.
pub struct File {
    /// Path from the root, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
    /// The parsed file, if it is Rust.
    pub source: Option<Source>,
    /// Why it could not be parsed.
    pub parse_error: Option<syn::Error>,
}

/// One package.
pub struct Crate {
    /// Its folder from the root, with `/`.
    pub place: String,
    /// Its dependencies of every kind.
    pub dependencies: Vec<Edge>,
}

/// One dependency.
pub struct Edge {
    /// The package's name.
    pub name: String,
    /// The folder, if it is one of ours.
    pub place: Option<String>,
    /// Whether it is a dependency of tests only.
    pub dev: bool,
}

impl Tree {
    /// Reads the files and packages of the workspace.
    pub fn read(workspace: &Workspace) -> Result<Tree> {
        let mut files = Vec::new();
        walk(&workspace.root, &workspace.root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let relative = |path: &Path| {
            path.strip_prefix(&workspace.root).ok().map(|p| p.to_string_lossy().into_owned())
        };
        let crates = workspace
            .metadata
            .packages
            .iter()
            .map(|package| Crate {
                place: package
                    .manifest_path
                    .parent()
                    .and_then(|folder| relative(folder.as_std_path()))
                    .unwrap_or_default(),
                dependencies: package
                    .dependencies
                    .iter()
                    .map(|dependency| Edge {
                        name: dependency.name.clone(),
                        place: dependency.path.as_ref().and_then(|p| relative(p.as_std_path())),
                        dev: dependency.kind == DependencyKind::Development,
                    })
                    .collect(),
            })
            .collect();
        Ok(Tree { files, crates })
    }

    /// A tree of the given files, for tests of rules.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Tree {
        let files = files.iter().map(|(path, text)| File::new((*path).into(), (*text).into()));
        Tree { files: files.collect(), crates: Vec::new() }
    }

    /// The file `path`, if there is one.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Rust files that could be parsed.
    pub fn sources(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|file| Some((file, file.source.as_ref()?)))
    }
}

impl File {
    fn new(path: String, text: String) -> File {
        let parsed = path.ends_with(".rs").then(|| Source::parse(&text, is_test(&path)));
        let (source, parse_error) = match parsed {
            Some(Ok(source)) => (Some(source), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        File { path, text, source, parse_error }
    }

    /// Whether the file is part of a kernel, that is, of `no_std` code that runs on any host.
    pub fn in_kernel(&self) -> bool {
        let inside = |folder: &str| self.path.starts_with(folder);
        if inside("hypercall/src/") || inside("base/") || inside("factions/") {
            return true;
        }
        // components/X is kernel code, components/X/linux is its half on the host.
        inside("components/") && self.path.split('/').nth(2) != Some("linux")
    }

    /// Whether the file is a test as a whole.
    pub fn is_test(&self) -> bool {
        is_test(&self.path)
    }
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == "tests.rs"
        || name.ends_with("_tests.rs")
        || path.split('/').any(|part| ["tests", "benches", "examples"].contains(&part))
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<File>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // Links are left alone: what they point at is read where it is.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED.contains(&name.as_str()) {
                walk(root, &path, files)?;
            }
        } else if kind.is_file() {
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
            let is_script = path.ends_with(".ci/run");
            if is_script || TEXT.contains(&ending) {
                // A file that another process is just replacing may be gone again.
                let Ok(text) = fs::read_to_string(&path) else { continue };
                let relative = path.strip_prefix(root).unwrap_or(&path);
                files.push(File::new(relative.to_string_lossy().into_owned(), text));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> File {
        File::new(path.into(), "//! x\n".into())
    }

    #[test]
    fn kernel_code_is_told_from_host_code() {
        for path in ["base/src/lib.rs", "factions/net/src/lib.rs", "components/tap/src/lib.rs"] {
            assert!(file(path).in_kernel(), "{path}");
        }
        for path in ["components/tap/linux/src/lib.rs", "hypercall/linux/src/lib.rs", "xtask/a.rs"]
        {
            assert!(!file(path).in_kernel(), "{path}");
        }
    }

    #[test]
    fn tests_are_told_from_code() {
        for path in ["a/src/b/tests.rs", "tests/src/lab.rs", "a/tests/x.rs", "a/examples/e.rs"] {
            assert!(file(path).is_test(), "{path}");
        }
        assert!(!file("a/src/latest.rs").is_test());
    }
}

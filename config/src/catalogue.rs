//! The components that a source tree has: found, not listed.
//!
//! Every folder of `factions/` and `components/` that has a `Cargo.toml` is a component of the
//! folder's name; what it needs are those of its dependencies that are components themselves.
//! So a new component is known as soon as its folder is there.
//!
//! A component's folder `linux`, if there is one, is its half on the host.
//!
//! * [`Catalogue::scan`]: of the tree at a root.
//!
//! Locking: none.

use core::fmt;
use std::path::{Path, PathBuf};

use crate::resolve::Known;

/// The folders whose subfolders are components.
const FOLDERS: [&str; 2] = ["factions", "components"];

/// What a source tree has.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// For [`resolve`](crate::resolve::resolve).
    pub known: Vec<Known>,
    /// Where they are, in the same order.
    pub crates: Vec<Crate>,
}

/// The crate of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crate {
    /// The name of the library, and of the component.
    pub name: String,
    /// The name of the package.
    pub package: String,
    /// Its folder.
    pub path: PathBuf,
    /// Its half on the host, if it has one.
    pub half: Option<Half>,
}

/// The half of a component on the host: the crate in its folder `linux`. What it is to a kernel its
/// manifest says, under `[package.metadata.anykernel]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Half {
    /// The name of the library.
    pub name: String,
    /// The name of the package.
    pub package: String,
    /// Its folder.
    pub path: PathBuf,
    /// The function that makes what the host gives to the driver.
    pub io: Option<String>,
    /// The module that makes a server of the kernel.
    pub server: Option<String>,
}

/// A source tree cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanError {
    path: PathBuf,
    reason: String,
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl core::error::Error for ScanError {}

impl Catalogue {
    /// Finds the components of the tree at `root`.
    pub fn scan(root: &Path) -> Result<Self, ScanError> {
        let mut found = Vec::new();
        for folder in FOLDERS {
            let folder = root.join(folder);
            let failed = |error: std::io::Error| ScanError {
                path: folder.clone(),
                reason: error.to_string(),
            };
            for entry in std::fs::read_dir(&folder).map_err(failed)? {
                let path = entry.map_err(failed)?.path();
                if path.join("Cargo.toml").is_file() {
                    found.push(manifest(&path)?);
                }
            }
        }
        found.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        let is_component = |name: &String| found.iter().any(|(other, _)| other.name == *name);
        let needs = |names: &[String]| names.iter().filter(|n| is_component(n)).cloned().collect();
        let known = found
            .iter()
            .map(|(found, names)| Known { name: found.name.clone(), needs: needs(names) })
            .collect();
        Ok(Catalogue { known, crates: found.into_iter().map(|(found, _)| found).collect() })
    }

    /// The crate of a component.
    pub fn get(&self, name: &str) -> Option<&Crate> {
        self.crates.iter().find(|found| found.name == name)
    }
}

/// The crate in this folder, and the names of its dependencies.
fn manifest(path: &Path) -> Result<(Crate, Vec<String>), ScanError> {
    let file = path.join("Cargo.toml");
    let fail = |reason: String| ScanError { path: file.clone(), reason };
    let text = std::fs::read_to_string(&file).map_err(|error| fail(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error| fail(format!("{error}")))?;
    let package = table.get("package").and_then(|package| package.get("name")?.as_str());
    let package = package.ok_or_else(|| fail("has no package name".to_string()))?;
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| fail("is in a folder whose name is not text".to_string()))?;
    let needs = table.get("dependencies").and_then(|list| list.as_table());
    let needs = needs.map(|list| list.keys().cloned().collect()).unwrap_or_default();
    let half = half(path, name)?;
    let (name, package) = (name.to_string(), package.to_string());
    Ok((Crate { name, package, path: path.to_path_buf(), half }, needs))
}

/// The half on the host of the component `name` in this folder.
fn half(path: &Path, name: &str) -> Result<Option<Half>, ScanError> {
    let path = path.join("linux");
    let file = path.join("Cargo.toml");
    if !file.is_file() {
        return Ok(None);
    }
    let fail = |reason: String| ScanError { path: file.clone(), reason };
    let text = std::fs::read_to_string(&file).map_err(|error| fail(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error| fail(format!("{error}")))?;
    let package = table.get("package");
    let of_package = |key: &str| package.and_then(|package| package.get(key));
    let word = |value: Option<&toml::Value>| value.and_then(|v| v.as_str()).map(str::to_string);
    let metadata = of_package("metadata").and_then(|metadata| metadata.get("anykernel"));
    let of_metadata = |key: &str| word(metadata.and_then(|metadata| metadata.get(key)));
    Ok(Some(Half {
        name: format!("{name}_linux"),
        package: word(of_package("name")).ok_or_else(|| fail("has no package name".to_string()))?,
        io: of_metadata("io"),
        server: of_metadata("server"),
        path,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_has_the_net_faction_and_its_components() {
        let catalogue = Catalogue::scan(&crate::source_root()).unwrap();
        let net = catalogue.get("net").expect("there is a net faction");
        assert_eq!(net.package, "anykernel-net");
        let shmif = catalogue.get("shmif").unwrap();
        assert!(shmif.path.ends_with("shmif"));
        let half = shmif.half.as_ref().unwrap();
        assert_eq!((half.name.as_str(), half.io.as_deref()), ("shmif_linux", Some("files")));
        let server =
            catalogue.get("sysproxy").and_then(|found| found.half.as_ref()?.server.clone());
        assert_eq!(server.as_deref(), Some("daemon"));
        assert!(catalogue.known.is_sorted_by_key(|known| known.name.clone()));
    }

    #[test]
    fn a_tree_without_components_is_an_error() {
        let error = Catalogue::scan(Path::new("nowhere")).unwrap_err().to_string();
        assert!(error.starts_with("nowhere/factions: "), "{error}");
    }
}

//! The manifest of an assembled kernel.
//!
//! Locking: none. Sources: The Cargo Book, "The Manifest Format" and "Profiles".

use core::fmt::Write;
use std::path::Path;

use super::{AssembleError, Form, failed};
use crate::catalogue::Catalogue;
use crate::file::File;
use crate::resolve::Closure;

/// For a program without shared libraries. The target is named, although it is this machine's,
/// because without it the flags would reach procedural macros too, which cannot be static.
pub(super) const STATIC_SETTINGS: &str = r#"[build]
target = "host-tuple"

[target.'cfg(target_env = "gnu")']
rustflags = ["-C", "target-feature=+crt-static"]
"#;

/// The package has another name than the program, because a configuration may be called as a
/// crate that it is made of.
pub(super) fn package(file: &File) -> String {
    format!("kernel-{}", file.name)
}

pub(super) fn text(
    file: &File,
    closure: &Closure,
    catalogue: &Catalogue,
    root: &Path,
    form: Form,
    profile: &str,
) -> String {
    let mut text = format!(
        "# Made from the configuration {}; what is changed here is lost.\n\n\
         [package]\nname = {}\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n",
        file.name,
        quoted(&package(file))
    );
    text += &match form {
        Form::Program => {
            format!("[[bin]]\nname = {}\npath = \"src/main.rs\"\n\n", quoted(&file.name))
        }
        Form::Library => {
            let library = package(file).replace('-', "_");
            format!("[lib]\nname = {}\npath = \"src/lib.rs\"\n\n", quoted(&library))
        }
    };
    text += "[dependencies]\n";
    dependency(&mut text, "base", "anykernel-base", &root.join("base"), "");
    if form == Form::Program {
        // Of this package a kernel needs its main, not the assembler.
        let config = root.join("config");
        let lean = ", default-features = false";
        dependency(&mut text, "config", "anykernel-config", &config, lean);
        let linux = root.join("hypercall").join("linux");
        dependency(&mut text, "linux", "anykernel-hypercall-linux", &linux, "");
    }
    for component in closure.components.iter().filter_map(|name| catalogue.get(name)) {
        dependency(&mut text, &component.name, &component.package, &component.path, "");
        if let Some(half) = component.half.as_ref().filter(|_| form == Form::Program) {
            dependency(&mut text, &half.name, &half.package, &half.path, "");
        }
    }
    text += "\n[workspace]\n\n";
    text += profile;
    text
}

fn dependency(text: &mut String, name: &str, package: &str, path: &Path, more: &str) {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let (package, path) = (quoted(package), quoted(&path.display().to_string()));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name} = {{ package = {package}, path = {path}{more} }}");
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}

/// The source tree's own release profile, so that there is one place that decides it.
pub(super) fn release_profile(root: &Path) -> Result<String, AssembleError> {
    let path = root.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        AssembleError::File { path: path.clone(), reason: error.message().to_string() }
    })?;
    let release = table.get("profile").and_then(|profile| profile.get("release"));
    let lines = release.and_then(toml::Value::as_table).map(ToString::to_string);
    Ok(lines.map_or(String::new(), |lines| format!("[profile.release]\n{lines}")))
}

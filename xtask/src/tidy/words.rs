//! Rules `no-machine-paths`, `plain-words` and `names`: what the project's text does not say.
//!
//! Paths of one machine mean nothing to a reader; praise is for others to give; a file called
//! after no idea holds several.

use super::Findings;
use super::tree::{File, Tree};

/// Beginnings of paths that exist on one machine only. Written in two parts, so that this file
/// passes its own rule.
const PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("../sha", "red"),
    concat!("file:/", "//"),
];

/// Words of advertising.
const PRAISE: &[&str] = &[
    concat!("blazing", "ly"),
    concat!("blazing", " fast"),
    concat!("seam", "lessly"),
    concat!("cutting", "-edge"),
    concat!("world", "-class"),
    concat!("next", "-generation"),
    concat!("revolu", "tionary"),
    concat!("game", "-chang"),
];

/// File names that say nothing.
const NAMES: &[&str] = &["utils", "util", "common", "manager", "helper", "helpers", "misc"];

/// Looks at every line of every text file.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for file in &tree.files {
        name(file, findings);
        for (at, line) in file.text.lines().enumerate() {
            if let Some(path) = PATHS.iter().find(|path| line.contains(*path)) {
                let message = format!("`{path}…` exists on one machine only");
                findings.add("no-machine-paths", &file.path, at + 1, message);
            }
            let small = line.to_lowercase();
            if let Some(word) = PRAISE.iter().find(|word| small.contains(*word)) {
                let message = format!("`{word}`: say what was measured instead");
                findings.add("plain-words", &file.path, at + 1, message);
            }
        }
    }
}

fn name(file: &File, findings: &mut Findings) {
    let parts = file.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
    if let Some(part) = parts.into_iter().find(|part| NAMES.contains(part)) {
        let message = format!("`{part}` names no idea; call it after what it does");
        findings.add("names", &file.path, 1, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let mut findings = Findings::default();
        check(&Tree::of(&[(path, text)]), &mut findings);
        findings.lines()
    }

    #[test]
    fn machine_paths_are_found() {
        let text = format!("cd {}main\n", PATHS[0]);
        assert_eq!(found("README.md", &text).len(), 1);
        assert_eq!(found("README.md", "cd networking; cat /proc/self/maps\n").len(), 0);
    }

    #[test]
    fn praise_is_found() {
        assert_eq!(found("README.md", &format!("It is {} fast\n", PRAISE[0])).len(), 1);
    }

    #[test]
    fn names_are_ideas() {
        assert_eq!(found("base/src/utils.rs", "//! Things.\n").len(), 1);
        assert_eq!(found("base/src/utility_bill.rs", "//! Bills.\n").len(), 0);
    }
}

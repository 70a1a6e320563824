//! Rule `contract-is-written-down`: HYPERCALLS.md changes whenever the hypercall traits do.
//!
//! The document carries a hash of `hypercall/src`. When the traits change, this rule fails until
//! somebody has looked at the document and run `cargo xtask tidy --bless`.
//!
//! Sources: rust-analyzer `xtask/src/tidy.rs` (the pinned protocol document).

use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::Findings;
use super::tree::Tree;
use crate::workspace::Workspace;

const RULE: &str = "contract-is-written-down";
const DOCUMENT: &str = "hypercall/HYPERCALLS.md";
const MARK: &str = "<!-- sha256 of hypercall/src: ";

/// Compares the hash in the document with that of the traits.
pub fn check(tree: &Tree, findings: &mut Findings) {
    let Some(expected) = hash(tree) else { return };
    let Some(document) = tree.file(DOCUMENT) else {
        findings.add(RULE, DOCUMENT, 1, "the document of the hypercall contract is missing");
        return;
    };
    if !document.text.contains(&format!("{MARK}{expected} -->")) {
        let message = "hypercall/src has changed: bring this text up to date, then run \
                       `cargo xtask tidy --bless`";
        findings.add(RULE, DOCUMENT, 1, message);
    }
}

/// Writes the hash into the document.
pub fn bless(workspace: &Workspace, tree: &Tree) -> Result<()> {
    let hash = hash(tree).context("hypercall/src has no files; is this the right checkout?")?;
    let path = workspace.path(DOCUMENT);
    let text = fs::read_to_string(&path)
        .with_context(|| format!("{DOCUMENT} is missing; write it before it can be blessed"))?;
    fs::write(&path, marked(&text, &hash)).with_context(|| format!("writing {DOCUMENT}"))
}

/// `text` with the mark at its end, in place of an older one.
fn marked(text: &str, hash: &str) -> String {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.starts_with(MARK)).collect();
    let mark = format!("{MARK}{hash} -->");
    lines.push(&mark);
    lines.join("\n") + "\n"
}

/// The hash of the traits, by path and text.
fn hash(tree: &Tree) -> Option<String> {
    let mut hasher = Sha256::new();
    let mut any = false;
    for file in tree.files.iter().filter(|file| file.path.starts_with("hypercall/src/")) {
        any = true;
        hasher.update(file.path.as_bytes());
        hasher.update([0]);
        hasher.update(file.text.as_bytes());
        hasher.update([0]);
    }
    any.then(|| {
        hasher.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(document: &str) -> usize {
        let files = [("hypercall/src/lib.rs", "//! x\n"), (DOCUMENT, document)];
        let mut findings = Findings::default();
        check(&Tree::of(&files), &mut findings);
        findings.lines().len()
    }

    #[test]
    fn a_change_must_be_blessed() {
        let hash = hash(&Tree::of(&[("hypercall/src/lib.rs", "//! x\n")])).unwrap();
        assert_eq!(found("# Hypercalls\n"), 1);
        assert_eq!(found(&marked("# Hypercalls\n", &hash)), 0);
        let old = marked("# Hypercalls\n", "0000");
        assert_eq!(found(&old), 1);
        assert_eq!(marked(&old, &hash), marked("# Hypercalls\n", &hash));
    }
}

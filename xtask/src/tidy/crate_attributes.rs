//! Rules `no-std` and `forbid-unsafe`: what the root of a kernel crate declares.
//!
//! Kernel crates are `no_std`. Factions and components forbid unsafe code; base may not.

use super::Findings;
use super::tree::Tree;

/// Looks at each kernel crate's `src/lib.rs`.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for (file, source) in tree.sources() {
        let Some(place) = file.path.strip_suffix("/src/lib.rs") else { continue };
        if !file.in_kernel() || file.is_test() {
            continue;
        }
        let has = |word: &str| source.attributes.iter().any(|attribute| attribute.contains(word));
        if !has("no_std") {
            findings.add("no-std", &file.path, 1, "a kernel runs without std: add `#![no_std]`");
        }
        let is_safe = place.starts_with("factions/") || place.starts_with("components/");
        if is_safe && !has("#![forbid(unsafe_code)]") {
            let message = "add `#![forbid(unsafe_code)]`";
            findings.add("forbid-unsafe", &file.path, 1, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        let mut findings = Findings::default();
        check(&Tree::of(&[(path, text)]), &mut findings);
        findings.lines().len()
    }

    #[test]
    fn roots_declare_what_they_are() {
        let both = "//! x\n#![no_std]\n#![forbid(unsafe_code)]\n";
        assert_eq!(found("components/a/src/lib.rs", both), 0);
        assert_eq!(found("components/a/src/lib.rs", "//! x\n#![no_std]\n"), 1);
        assert_eq!(found("components/a/src/lib.rs", "//! x\n"), 2);
        assert_eq!(found("base/src/lib.rs", "//! x\n#![cfg_attr(not(loom), no_std)]\n"), 0);
        assert_eq!(found("components/a/linux/src/lib.rs", "//! x\n"), 0);
        assert_eq!(found("config/src/lib.rs", "//! x\n"), 0);
    }
}

//! Rule `idea-first`: every Rust file begins with what it is.

use super::Findings;
use super::tree::Tree;

const RULE: &str = "idea-first";

/// Looks for files whose first line is not `//!`.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for file in tree.files.iter().filter(|file| file.path.ends_with(".rs")) {
        let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
        if first.strip_prefix("//!").is_none_or(|words| words.len() <= 3) {
            let message = "begin with `//!`: what this is, how to use it, Locking, Sources";
            findings.add(RULE, &file.path, 1, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_it_is() {
        let tree = Tree::of(&[
            ("a.rs", "//! Address resolution.\n"),
            ("b.rs", "// Address resolution.\n"),
            ("c.rs", "//!\nfn f() {}\n"),
            ("d.rs", ""),
        ]);
        let mut findings = Findings::default();
        check(&tree, &mut findings);
        assert_eq!(findings.lines().len(), 3);
    }
}

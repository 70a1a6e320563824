//! Rule `unsafe-has-an-address`: unsafe code lives in the places listed in `unsafe_allowed.txt`.
//!
//! The list has a line per file or folder, and the reason. Tests count too.

use std::collections::BTreeSet;

use super::Findings;
use super::tree::Tree;

const RULE: &str = "unsafe-has-an-address";
const LIST: &str = include_str!("unsafe_allowed.txt");

/// Looks for `unsafe` outside of the listed places, and for places that have none.
pub fn check(tree: &Tree, findings: &mut Findings) {
    check_against(LIST, tree, findings);
}

fn check_against(list: &str, tree: &Tree, findings: &mut Findings) {
    let mut needed = BTreeSet::new();
    for (file, source) in tree.sources() {
        let mut found = source.all.iter().filter(|token| token.text == "unsafe").peekable();
        if let Some(place) = places(list).find(|place| covers(place, &file.path)) {
            needed.extend(found.next().map(|_| place));
            continue;
        }
        for token in found {
            let message = "unsafe code outside of the places in \
                           xtask/src/tidy/unsafe_allowed.txt; say it safely";
            findings.add(RULE, &file.path, token.line, message);
        }
    }
    for place in places(list).filter(|place| !needed.contains(place)) {
        let message = format!("{place} has no unsafe code: take it off the list");
        findings.add(RULE, "xtask/src/tidy/unsafe_allowed.txt", 1, message);
    }
}

fn places(list: &str) -> impl Iterator<Item = &str> {
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(' ').next()).filter(|place| !place.is_empty())
}

fn covers(place: &str, path: &str) -> bool {
    !place.is_empty()
        && path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || place.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_places_are_unsafe() {
        let text = "//! x\nfn f() { unsafe {} }\n";
        let tree = Tree::of(&[("base/src/lock/mutex.rs", text), ("components/a/src/b.rs", text)]);
        let mut findings = Findings::default();
        check_against("base/src/lock/ guards", &tree, &mut findings);
        assert_eq!(findings.lines().len(), 1);
        assert!(findings.lines()[0].starts_with("components/a/src/b.rs:2:"));
    }

    #[test]
    fn places_without_unsafe_code_are_reported() {
        let mut findings = Findings::default();
        check_against("# why\na.rs is raw\n", &Tree::of(&[("a.rs", "//! x\n")]), &mut findings);
        assert!(findings.lines()[0].contains("a.rs has no unsafe"), "{:?}", findings.lines());
    }

    #[test]
    fn every_line_has_a_reason() {
        for line in LIST.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(line.split_whitespace().count() > 2, "no reason: {line}");
        }
    }

    #[test]
    fn a_file_covers_itself_only() {
        assert!(covers("a/b.rs", "a/b.rs"));
        assert!(!covers("a/b", "a/bc.rs"));
        assert!(covers("a/b/", "a/b/c.rs"));
    }
}

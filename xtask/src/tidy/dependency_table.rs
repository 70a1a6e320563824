//! Rule `dependencies-have-a-reason`: ARCHITECTURE.md names every external crate that we use.

use std::collections::BTreeSet;

use super::Findings;
use super::tree::Tree;

const RULE: &str = "dependencies-have-a-reason";
const DOCUMENT: &str = "ARCHITECTURE.md";

/// Looks each direct dependency up in the document.
pub fn check(tree: &Tree, findings: &mut Findings) {
    let Some(document) = tree.file(DOCUMENT) else { return };
    let edges = tree.crates.iter().flat_map(|package| &package.dependencies);
    let external: BTreeSet<&str> =
        edges.filter(|edge| edge.place.is_none()).map(|edge| edge.name.as_str()).collect();
    for name in external {
        if !document.text.contains(&format!("`{name}`")) {
            let message =
                format!("the table of dependencies lacks `{name}`: what for, why this one");
            findings.add(RULE, DOCUMENT, 1, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Crate, Edge};
    use super::*;

    #[test]
    fn crates_without_a_reason_are_found() {
        let edge = |name: &str| Edge { name: name.into(), place: None, dev: false };
        let mut tree = Tree::of(&[(DOCUMENT, "| `spin` | short sections |\n")]);
        tree.crates
            .push(Crate { place: "base".into(), dependencies: vec![edge("spin"), edge("linkme")] });
        let mut findings = Findings::default();
        check(&tree, &mut findings);
        assert_eq!(findings.lines().len(), 1);
        assert!(findings.lines()[0].contains("linkme"));
    }
}

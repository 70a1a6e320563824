//! Rule `layers`: who may depend on whom.
//!
//! The table is that of ARCHITECTURE.md. Dependencies of tests are exempt, with one exception: a
//! package may not come back to itself through one, because the crate would then be compiled
//! twice and its linker sets with it. A host is named by config's binaries only.
//! * To allow an edge: a line in [`TABLE`], and a line in ARCHITECTURE.md that says why.

use std::collections::BTreeSet;

use super::Findings;
use super::tree::{Crate, Tree};

const RULE: &str = "layers";

/// Folder of a package; folders of ours that it may depend on. `*` stands for one folder name;
/// `~` for the folder name that the first `*` matched.
const TABLE: &[(&str, &[&str])] = &[
    ("hypercall", &[]),
    ("hypercall/*", &["hypercall"]),
    ("base", &["hypercall"]),
    ("factions/*", &["base"]),
    ("components/*", &["base", "factions/*"]),
    ("components/sysproxy", &["clients/wire"]),
    ("components/netinet6", &["components/netinet"]),
    ("components/dhcp", &["components/netinet"]),
    // What a component is made of, its half on the host speaks, too.
    (
        "components/*/linux",
        &["components/~", "factions/*", "hypercall/linux", "clients/wire", "clients/transport"],
    ),
    // The programs of config embed a kernel, and are local clients.
    (
        "config",
        &[
            "base",
            "factions/*",
            "components/*",
            "components/*/linux",
            "clients/local",
            "clients/character",
            "hypercall/linux",
        ],
    ),
    ("clients/wire", &[]),
    // What people say about links, in words, files and options.
    ("clients/character", &[]),
    ("clients/transport", &[]),
    ("clients/*", &["clients/wire"]),
    ("clients/remote", &["clients/wire", "clients/transport"]),
    ("clients/rumpclient", &["clients/remote"]),
    ("clients/tools", &["clients/remote", "clients/transport", "clients/character"]),
    // Local clients live in the same process as their kernel.
    ("clients/local", &["base", "factions/*", "components/*", "hypercall/linux"]),
    ("xtask", &[]),
    ("tests", &["*", "*/*", "*/*/*"]),
];

/// Checks every package against the table.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for package in &tree.crates {
        let manifest = format!("{}/Cargo.toml", package.place);
        if !TABLE.iter().any(|(from, _)| matches(from, &package.place).is_some()) {
            findings.add(RULE, &manifest, 1, "no layer has this folder; see ARCHITECTURE.md");
            continue;
        }
        for edge in &package.dependencies {
            let Some(to) = &edge.place else { continue };
            if edge.dev {
                if package.place != "tests" && reachable(tree, to).contains(&package.place) {
                    let message = format!(
                        "tests of {} use {to}, which depends on it: linker sets would exist twice; \
                         move the test to the package `tests`",
                        package.place
                    );
                    findings.add(RULE, &manifest, 1, message);
                }
            } else if !may_depend(&package.place, to) {
                let message = format!(
                    "{} may not depend on {to}; what both need belongs in a layer below them",
                    package.place
                );
                findings.add(RULE, &manifest, 1, message);
            }
        }
    }
    hosts(tree, findings);
}

/// The library of config runs on any host; only its programs choose one.
fn hosts(tree: &Tree, findings: &mut Findings) {
    for (file, source) in tree.sources() {
        let path = &file.path;
        if !path.starts_with("config/src/") || path.starts_with("config/src/bin/") {
            continue;
        }
        for (before, token) in
            std::iter::once(None).chain(source.code.iter().map(Some)).zip(&source.code)
        {
            let at_root = before.is_none_or(|before| before.text != ":");
            let is_host = token.text == "linux" || token.text.ends_with("_linux");
            if at_root && is_host && path_follows(source, token) {
                let message = "a host is chosen in src/bin; take `Arc<dyn Host>` here";
                findings.add(RULE, path, token.line, message);
            }
        }
    }
}

fn path_follows(source: &super::source::Source, token: &super::source::Token) -> bool {
    let position = source.code.iter().position(|other| std::ptr::eq(other, token));
    position.is_some_and(|at| source.code.get(at + 1).is_some_and(|next| next.text == ":"))
}

fn may_depend(from: &str, to: &str) -> bool {
    // A place that is named with nothing to depend on gets nothing from a row with a star either.
    if TABLE.iter().any(|(place, allowed)| *place == from && allowed.is_empty()) {
        return false;
    }
    TABLE.iter().any(|(place, allowed)| {
        matches(place, from).is_some_and(|name| {
            allowed.iter().any(|pattern| {
                matches(&pattern.replace('~', name), to).is_some()
                    // A star among the allowed means packages, not the halves of one.
                    && (pattern.matches('/').count() == to.matches('/').count())
            })
        })
    })
}

/// What the first `*` of `pattern` stands for in `place` (empty if there is none).
fn matches<'a>(pattern: &str, place: &'a str) -> Option<&'a str> {
    let (wanted, given) = (pattern.split('/'), place.split('/'));
    if wanted.clone().count() != given.clone().count() {
        return None;
    }
    let mut star = "";
    for (wanted, given) in wanted.zip(given) {
        match wanted {
            "*" if star.is_empty() => star = given,
            "*" => {}
            _ if wanted == given => {}
            _ => return None,
        }
    }
    Some(star)
}

/// Every package that `from` needs, itself included.
fn reachable(tree: &Tree, from: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(place) = open.pop() {
        if seen.insert(place.clone()) {
            let package = tree.crates.iter().find(|package: &&Crate| package.place == place);
            let edges = package.into_iter().flat_map(|package| &package.dependencies);
            open.extend(edges.filter(|edge| !edge.dev).filter_map(|edge| edge.place.clone()));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::super::tree::Edge;
    use super::*;

    fn package(place: &str, needs: &[(&str, bool)]) -> Crate {
        let edge = |(to, dev): &(&str, bool)| Edge {
            name: (*to).into(),
            place: Some((*to).into()),
            dev: *dev,
        };
        Crate { place: place.into(), dependencies: needs.iter().map(edge).collect() }
    }

    fn found(crates: Vec<Crate>) -> Vec<String> {
        let mut findings = Findings::default();
        check(&Tree { files: Vec::new(), crates }, &mut findings);
        findings.lines()
    }

    #[test]
    fn the_table_says_what_it_should() {
        for (from, to) in [
            ("base", "hypercall"),
            ("factions/net", "base"),
            ("components/netinet", "factions/net"),
            ("components/netinet6", "components/netinet"),
            ("components/tap/linux", "components/tap"),
            ("components/tap/linux", "hypercall/linux"),
            ("components/sysproxy/linux", "clients/transport"),
            ("clients/hijack", "clients/wire"),
            ("clients/remote", "clients/transport"),
            ("clients/rumpclient", "clients/remote"),
            ("clients/tools", "clients/remote"),
            ("tests", "components/tap/linux"),
            ("components/shmif/linux", "factions/net"),
            ("config", "components/shmif"),
            ("config", "components/tap/linux"),
        ] {
            assert!(may_depend(from, to), "{from} -> {to}");
        }
        for (from, to) in [
            ("hypercall", "base"),
            ("hypercall/linux", "base"),
            ("base", "factions/net"),
            ("factions/vfs", "factions/net"),
            ("components/shmif", "components/netinet"),
            ("components/tap", "hypercall/linux"),
            ("components/tap/linux", "components/shmif"),
            ("config", "tests"),
            ("components/tap/linux", "base"),
            ("xtask", "base"),
            ("clients/hijack", "base"),
            ("clients/transport", "clients/wire"),
            ("clients/rumpclient", "base"),
            ("clients/tools", "factions/net"),
        ] {
            assert!(!may_depend(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn tests_may_look_up_but_not_come_back() {
        let net = || package("factions/net", &[("base", false)]);
        assert_eq!(
            found(vec![
                package("base", &[]),
                net(),
                package("factions/vfs", &[("factions/net", true)])
            ]),
            Vec::<String>::new()
        );
        let twice = found(vec![package("base", &[("factions/net", true)]), net()]);
        assert!(twice[0].contains("twice"), "{twice:?}");
    }

    #[test]
    fn unknown_folders_are_reported() {
        assert!(found(vec![package("drivers", &[])])[0].contains("no layer"));
    }

    #[test]
    fn hosts_are_named_by_binaries_only() {
        let text = "//! x\nuse linux::Linux;\nuse std::os::linux::fs;\nuse tap_linux::x;\n";
        let tree =
            Tree::of(&[("config/src/program.rs", text), ("config/src/bin/cluster.rs", text)]);
        let mut findings = Findings::default();
        check(&tree, &mut findings);
        assert_eq!(findings.lines().len(), 2);
        assert!(findings.lines()[0].starts_with("config/src/program.rs:2: layers"));
        assert!(findings.lines()[1].starts_with("config/src/program.rs:4: layers"));
    }
}

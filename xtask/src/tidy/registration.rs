//! Rule `one-registration`: what a component adds to a kernel is read in one file.
//!
//! A component or faction puts elements into linker sets in `src/component.rs` and nowhere else,
//! through macros of the layer that owns the set; `linkme` itself is named by those layers only.
//! * A new set: a line in [`SETS`].

use super::Findings;
use super::tree::Tree;

const RULE: &str = "one-registration";

/// Macros that put an element into a linker set.
const SETS: &[&str] = &[
    "component",
    "slot",
    "softint",
    "reclaimer",
    "syscalls",
    "syscall",
    "sysctl",
    "tables",
    "counters",
    "domain",
    "link_proto",
    "protosw",
    "cloner",
    "cfattach",
    "devsw",
    "vfsops",
];

/// Looks for registrations outside of their place.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for (file, source) in tree.sources() {
        let path = &file.path;
        let is_component = path.starts_with("components/");
        if file.is_test() || !(is_component || path.starts_with("factions/")) {
            continue;
        }
        let is_home = path.ends_with("/src/component.rs");
        for window in source.code.windows(3) {
            let [name, bang, open] = window else { continue };
            let called = bang.text == "!" && ["{", "(", "["].contains(&open.text.as_str());
            if called && !is_home && SETS.contains(&name.text.as_str()) {
                let message = format!("`{}!` belongs in src/component.rs", name.text);
                findings.add(RULE, path, name.line, message);
            }
        }
        for token in source.code.iter().filter(|token| is_component && token.text == "linkme") {
            let message = "register through a macro of the layer that owns the set";
            findings.add(RULE, path, token.line, message);
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

    const CALL: &str = "//! x\nbase::component!(\"netinet\" { Net => attach });";

    #[test]
    fn one_file_registers() {
        assert_eq!(found("components/netinet/src/component.rs", CALL), 0);
        assert_eq!(found("components/netinet/src/tcp.rs", CALL), 1);
        assert_eq!(found("factions/net/src/lib.rs", CALL), 1);
        assert_eq!(found("base/src/boot.rs", CALL), 0);
    }

    #[test]
    fn a_definition_is_no_registration() {
        let text = "//! x\nmacro_rules! domain { ($x:item) => { $x }; }";
        assert_eq!(found("factions/net/src/domain.rs", text), 0);
    }

    #[test]
    fn components_do_not_name_linkme() {
        let text = "//! x\n#[linkme::distributed_slice(base::SYSCALLS)] static A: u8 = 0;";
        assert_eq!(found("components/netinet/src/component.rs", text), 1);
    }
}

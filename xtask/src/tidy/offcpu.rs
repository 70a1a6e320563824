//! Rule `proof-has-one-maker`: `Offcpu::scheduler_only` is called by schedulers and hosts.
//!
//! The proof says that the thread holds no virtual CPU; it is worth something only if whoever
//! makes one knows.

use super::Findings;
use super::tree::Tree;

const RULE: &str = "proof-has-one-maker";

/// Folders that may make a proof; the last is where it is defined.
const MAKERS: &[&str] =
    &["base/src/sched/", "hypercall/linux/", "hypercall/sim/", "hypercall/src/parking.rs"];

/// Looks for makers elsewhere.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for (file, source) in tree.sources() {
        if MAKERS.iter().any(|maker| file.path.starts_with(maker)) {
            continue;
        }
        for token in source.all.iter().filter(|token| token.text == "scheduler_only") {
            let message = "take the proof from `base::sched::offcpu`, which releases the CPU";
            findings.add(RULE, &file.path, token.line, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_few() {
        let text = "//! x\nfn f() { let p = Offcpu::scheduler_only(); }\n";
        let tree =
            Tree::of(&[("base/src/sched/offcpu.rs", text), ("base/src/lock/mutex.rs", text)]);
        let mut findings = Findings::default();
        check(&tree, &mut findings);
        assert_eq!(findings.lines().len(), 1);
        assert!(findings.lines()[0].starts_with("base/src/lock/mutex.rs:2:"));
    }
}

//! Rule `one-idea-a-file`: at most 600 lines, tests apart.

use super::Findings;
use super::tree::Tree;

const RULE: &str = "one-idea-a-file";
const MOST: usize = 600;

/// Looks for long files.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for (file, source) in tree.sources() {
        if source.code_lines > MOST {
            let message = format!(
                "{} lines without its tests; more than {MOST} is more than one idea: split it",
                source.code_lines
            );
            findings.add(RULE, &file.path, MOST, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_do_not_count() {
        let lines = "const A: u8 = 0;\n".repeat(400);
        let tested = format!("//! x\n{lines}#[cfg(test)]\nmod tests {{\n{lines}}}\n");
        let long = format!("//! x\n{lines}{lines}");
        let tree = Tree::of(&[("a.rs", &tested), ("b.rs", &long), ("tests.rs", &long)]);
        let mut findings = Findings::default();
        check(&tree, &mut findings);
        assert_eq!(findings.lines().len(), 1);
        assert!(findings.lines()[0].starts_with("b.rs:600:"));
    }
}

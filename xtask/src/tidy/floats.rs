//! Rule `no-floats`: kernel code does not use the floating-point unit.
//!
//! A kernel on bare metal does not save its state on an interrupt.

use super::Findings;
use super::source::Token;
use super::tree::Tree;

const RULE: &str = "no-floats";

/// Looks for floating-point types and literals.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for (file, source) in tree.sources().filter(|(file, _)| file.in_kernel()) {
        for token in source.code.iter().filter(|token| is_float(token)) {
            let message = format!("`{}`: count in integers and name the unit", token.text);
            findings.add(RULE, &file.path, token.line, message);
        }
    }
}

fn is_float(token: &Token) -> bool {
    let text = token.text.as_str();
    if text == "f32" || text == "f64" {
        return true;
    }
    // `0.5`, `1e9`; not `0xe5`, and not the `0.1` of `pair.0.1`, which is rare enough to be
    // written `(pair.0).1`.
    let is_number = text.starts_with(|c: char| c.is_ascii_digit());
    is_number && !text.starts_with("0x") && syn::parse_str::<syn::LitFloat>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        let mut findings = Findings::default();
        check(&Tree::of(&[("base/src/x.rs", &format!("//! x\n{text}"))]), &mut findings);
        findings.lines().len()
    }

    #[test]
    fn floats_are_found() {
        assert_eq!(found("fn f(x: f64) -> u8 { let y = 0.5; 1 }"), 2);
        assert_eq!(found("fn f() -> u64 { 0xe5 + 1_000 + \"0.5\".len() + x.0 }"), 0);
    }
}

//! Rule `a-kernel-is-a-value`: kernel code has no process-global mutable state.
//!
//! A `static` that can change, and `thread_local!`, would be shared by all kernels of a process.
//! State of a component belongs in a slot of its kernel.

use super::Findings;
use super::source::Token;
use super::tree::Tree;

const RULE: &str = "a-kernel-is-a-value";

/// Types that can change behind a shared reference.
const CHANGING: &[&str] = &[
    "Cell",
    "RefCell",
    "UnsafeCell",
    "SyncUnsafeCell",
    "OnceCell",
    "LazyCell",
    "Once",
    "OnceLock",
    "LazyLock",
    "Lazy",
    "Mutex",
    "SpinMutex",
    "RwLock",
    "mut",
];

/// Looks for statics that can change.
pub fn check(tree: &Tree, findings: &mut Findings) {
    for (file, source) in tree.sources().filter(|(file, _)| file.in_kernel()) {
        for (at, token) in source.code.iter().enumerate() {
            if token.text == "thread_local" {
                let message =
                    "no thread-local storage in a kernel: take the context as an argument";
                findings.add(RULE, &file.path, token.line, message);
            }
            // `'static` is an apostrophe and the word.
            let is_lifetime = at.checked_sub(1).is_some_and(|i| source.code[i].text == "'");
            if token.text != "static" || is_lifetime {
                continue;
            }
            if let Some(word) = changing(&source.code[at + 1..]) {
                let message = format!("a static `{word}` is shared by all kernels: use a slot");
                findings.add(RULE, &file.path, token.line, message);
            }
        }
    }
}

/// The word in the declaration after `static` that makes it able to change.
fn changing(declaration: &[Token]) -> Option<&str> {
    let kind = declaration.iter().take_while(|token| token.text != "=" && token.text != ";");
    kind.map(|token| token.text.as_str())
        .find(|word| CHANGING.contains(word) || word.starts_with("Atomic"))
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
    fn statics_that_change_are_found() {
        assert_eq!(found("static A: AtomicU32 = AtomicU32::new(0);"), 1);
        assert_eq!(found("static mut A: u32 = 0;"), 1);
        assert_eq!(found("pub static A: spin::Mutex<u8> = spin::Mutex::new(0);"), 1);
        assert_eq!(found("thread_local! { static A: u8 = 0; }"), 1);
        assert_eq!(found("macro_rules! m { () => { static A: AtomicBool = x; } }"), 1);
    }

    #[test]
    fn constant_statics_are_fine() {
        assert_eq!(found("static A: u32 = 0; static B: &[&'static Mutex<u8>] = &[];"), 1);
        assert_eq!(found("fn f(x: &'static Mutex<u8>) { let y = 1; }"), 0);
        assert_eq!(found("static A: &[&str] = &[];"), 0);
        assert_eq!(found("#[cfg(test)] static A: AtomicU32 = AtomicU32::new(0);"), 0);
    }
}

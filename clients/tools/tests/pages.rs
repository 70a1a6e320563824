//! Completions and manual pages, where the tools were built and where they were installed.
#![cfg(feature = "pages")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::Said;
use tempfile::TempDir;

/// A place with the program in `bin`, as an installation has it.
fn installation() -> (TempDir, PathBuf) {
    let built = Path::new(env!("CARGO_BIN_EXE_rump"));
    // Beside it, so that the program can be linked: one that was just written cannot be executed while a
    // process that another thread has forked still has it open.
    let prefix = tempfile::tempdir_in(built.parent().unwrap()).unwrap();
    let bin = prefix.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let program = bin.join("rump");
    fs::hard_link(built, &program).unwrap();
    (prefix, program)
}

fn rump(program: &Path, words: &str) -> Said {
    Said::of(
        Command::new(program).args(words.split_whitespace()).current_dir(program.parent().unwrap()),
    )
}

#[test]
fn an_installation_has_what_was_made_for_it() {
    let (prefix, program) = installation();
    let built = Path::new(env!("CARGO_BIN_EXE_rump"));
    assert!(
        Command::new(env!("CARGO_BIN_EXE_rump_pages"))
            .arg("install")
            .arg(prefix.path())
            .status()
            .unwrap()
            .success()
    );
    for shell in ["bash", "zsh", "fish"] {
        let made = rump(built, &format!("completions {shell}"));
        made.has(&["rump", "ifconfig"]);
        rump(&program, &format!("completions {shell}")).succeeds(&made.out);
    }
    let pages = prefix.path().join("share/man/man1");
    rump(&program, "man").has(&[
        pages.join("rump.1").to_str().unwrap(),
        pages.join("rump.ifconfig.1").to_str().unwrap(),
    ]);
    let copies = prefix.path().join("copies");
    rump(&program, &format!("man {}", copies.display())).succeeds("");
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.collect();
        names.sort();
        names
    };
    assert_eq!(names(&copies), names(&pages));
    assert_eq!(
        fs::read(copies.join("rump.ping.1")).unwrap(),
        fs::read(pages.join("rump.ping.1")).unwrap()
    );
}

#[test]
fn what_is_missing_is_said_to_whoever_installed_it() {
    let (_prefix, program) = installation();
    for words in ["man", "man copies", "completions bash"] {
        let said = rump(&program, words);
        said.fails(2, "`rump help COMMAND` tells the same");
        assert!(said.err.contains("/share/"), "{}", said.err);
        for hint in ["feature", "build", "cargo"] {
            assert!(!said.err.contains(hint), "{}", said.err);
        }
    }
    assert!(!program.with_file_name("copies").exists(), "nothing is begun");
    rump(&program, "completions").fails(2, "completions needs a shell: bash, zsh, fish");
    rump(&program, "completions sh").fails(2, "there are none for \"sh\", but for bash");
    rump(&program, "man here there").fails(2, "\"there\" is one word too many");
}

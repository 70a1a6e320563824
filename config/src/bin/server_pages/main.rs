//! Makes the manual pages and the completions of `rump_server` and `shmif_dumpbus`, out of their
//! command lines.
//!
//! A program of its own, so that those stay small. `server_pages PREFIX` writes each where it
//! is looked for.
//!
//! Locking: none. Sources: as of the tools' pages: bash-completion's README, zshcompsys(1), fish's
//! documentation of `complete`.
#![forbid(unsafe_code)]

#[path = "../rump_server/arguments.rs"]
#[allow(dead_code)] // the definition is all that is wanted of it
mod arguments;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory, Parser};
use clap_complete::Shell;

use arguments::{ALL_SERVER, Arguments};

/// Write the manual pages and the completions of rump_server and shmif_dumpbus
#[derive(Parser)]
struct Pages {
    /// Where the programs are, without /bin
    prefix: PathBuf,
}

fn main() -> ExitCode {
    match install(&Pages::parse().prefix) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("server_pages: error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The names that a program goes by, the first of which its page has, and its command line.
fn programs() -> [(&'static [&'static str], Command); 2] {
    [
        (&["rump_server", ALL_SERVER], Arguments::command()),
        (&["shmif_dumpbus"], shmif_linux::dump::Arguments::command()),
    ]
}

fn install(prefix: &Path) -> io::Result<()> {
    let share = prefix.join("share");
    let manual = share.join("man/man1");
    fs::create_dir_all(&manual)?;
    for (names, command) in programs() {
        for (at, name) in names.iter().enumerate() {
            let mut page = Vec::new();
            match at {
                0 => clap_mangen::Man::new(command.clone()).render(&mut page)?,
                _ => page.extend(format!(".so man1/{}.1\n", names[0]).bytes()),
            }
            fs::write(manual.join(format!("{name}.1")), page)?;
            completions(&share, name, &command)?;
        }
    }
    Ok(())
}

fn completions(share: &Path, name: &str, command: &Command) -> io::Result<()> {
    for (shell, folder, file) in [
        (Shell::Bash, "bash-completion/completions", name.to_owned()),
        (Shell::Zsh, "zsh/site-functions", format!("_{name}")),
        (Shell::Fish, "fish/vendor_completions.d", format!("{name}.fish")),
    ] {
        let (folder, mut text) = (share.join(folder), Vec::new());
        clap_complete::generate(shell, &mut command.clone(), name, &mut text);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(file), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_is_on_the_page_and_completed() {
        let prefix = tempfile::tempdir().unwrap();
        install(prefix.path()).unwrap();
        let read = |file: &str| fs::read_to_string(prefix.path().join("share").join(file)).unwrap();
        let mut options = 0;
        for (names, command) in programs() {
            let page = read(&format!("man/man1/{}.1", names[0])).replace("\\-", "-");
            assert!(page.contains(names[0]) && page.contains("Examples:"), "{page}");
            let letters =
                command.get_arguments().filter_map(|a| Some(format!("-{}", a.get_short()?)));
            let long = command.get_arguments().filter_map(|a| Some(format!("--{}", a.get_long()?)));
            for option in letters.chain(long) {
                assert!(page.contains(&option), "{option}: {page}");
                for name in names {
                    let bash = read(&format!("bash-completion/completions/{name}"));
                    assert!(bash.contains(&option), "{option}: {bash}");
                    let zsh = read(&format!("zsh/site-functions/_{name}"));
                    assert!(zsh.contains(&option), "{option}: {zsh}");
                }
                options += 1;
            }
            for name in &names[1..] {
                assert!(read(&format!("man/man1/{name}.1")).contains(names[0]));
            }
        }
        assert!(options > 10, "of both programs");
    }
}

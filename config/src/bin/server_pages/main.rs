//! Makes the manual page and the completions of `rump_server`, out of its command line.
//!
//! A program of its own, so that the server stays small. `server_pages PREFIX` writes each where it
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

use clap::{CommandFactory, Parser};
use clap_complete::Shell;

use arguments::{ALL_SERVER, Arguments};

/// Write the manual page and the completions of rump_server
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

fn install(prefix: &Path) -> io::Result<()> {
    let share = prefix.join("share");
    let manual = share.join("man/man1");
    fs::create_dir_all(&manual)?;
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    fs::write(manual.join("rump_server.1"), page)?;
    fs::write(manual.join(format!("{ALL_SERVER}.1")), ".so man1/rump_server.1\n")?;
    for name in ["rump_server", ALL_SERVER] {
        for (shell, folder, file) in [
            (Shell::Bash, "bash-completion/completions", name.to_owned()),
            (Shell::Zsh, "zsh/site-functions", format!("_{name}")),
            (Shell::Fish, "fish/vendor_completions.d", format!("{name}.fish")),
        ] {
            let (folder, mut text) = (share.join(folder), Vec::new());
            clap_complete::generate(shell, &mut Arguments::command(), name, &mut text);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(file), text)?;
        }
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
        let page = read("man/man1/rump_server.1").replace("\\-", "-");
        let bash = read("bash-completion/completions/rump_allserver");
        for option in ["-l", "-s", "-v", "-c", "-r", "--mode", "--allow-unauthenticated-anywhere"] {
            assert!(page.contains(option), "{option}: {page}");
            assert!(bash.contains(option), "{option}: {bash}");
        }
    }
}

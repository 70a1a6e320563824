//! `rump completions` and `rump man`: what was made of the tools' tables, and lies beside the program.
//!
//! An installation has the files where shells and man look for them, and they come from there. Where
//! the program was built, `rump_pages` lies beside it, and makes them.
//!
//! Locking: none. Sources: hier(7) (where an installation has what).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, plain};
use crate::program::{NAME, TOOLS};

/// Where completions are, below `share`, and how a file is called there: before and after the name
/// of the command.
const SHELLS: [(&str, &str, &str, &str); 3] = [
    ("bash", "bash-completion/completions", "", ""),
    ("zsh", "zsh/site-functions", "_", ""),
    ("fish", "fish/vendor_completions.d", "", ".fish"),
];

/// `kind` is `completions` or `man`.
pub(crate) fn main(
    called: &OsStr,
    kind: &OsStr,
    mut arguments: impl Iterator<Item = OsString>,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let program = std::env::current_exe().unwrap_or_else(|_| called.into());
    let maker = program.with_file_name("rump_pages");
    if maker.exists() {
        let e = std::process::Command::new(&maker).arg(kind).args(arguments).exec();
        return Err(Failure::failed(format!("{}: {}", maker.display(), plain(&e))));
    }
    let share = program.parent().and_then(Path::parent).unwrap_or(Path::new("/")).join("share");
    let (word, more) = (arguments.next(), arguments.next());
    if let Some(word) = more {
        return Err(Failure::misuse(format!("\"{}\" is one word too many", word.display())));
    }
    match (kind.to_str(), word) {
        (Some("completions"), shell) => completions(&share, shell, out),
        (_, Some(directory)) => copy(&share.join("man/man1"), Path::new(&directory)),
        (_, None) => show(&share.join("man/man1"), out),
    }?;
    Ok(0)
}

/// All commands that there are.
fn commands() -> impl Iterator<Item = String> {
    let tools = TOOLS.iter().map(|tool| format!("{NAME}.{}", tool.name));
    std::iter::once(NAME.to_owned()).chain(tools)
}

/// What an installation should have, and has not.
fn missing(path: &Path, e: &io::Error) -> Failure {
    let advice = match e.kind() {
        ErrorKind::NotFound => {
            "; it comes with the tools when they are installed; `rump help COMMAND` tells the same"
        }
        _ => "",
    };
    Failure::failed(format!("{}: {}{advice}", path.display(), plain(e)))
}

fn completions(share: &Path, shell: Option<OsString>, out: &mut dyn Write) -> Result<(), Failure> {
    let all = SHELLS.map(|(shell, ..)| shell).join(", ");
    let Some(shell) = shell else {
        return Err(Failure::missing("completions", &format!("a shell: {all}")));
    };
    let Some((_, folder, before, after)) = SHELLS.iter().find(|(name, ..)| shell == *name) else {
        let shell = shell.display();
        return Err(Failure::misuse(format!("there are none for \"{shell}\", but for {all}")));
    };
    for command in commands() {
        let path = share.join(folder).join(format!("{before}{command}{after}"));
        let text = fs::read(&path).map_err(|e| missing(&path, &e))?;
        out.write_all(&text)?;
    }
    Ok(())
}

fn manual(folder: &Path) -> impl Iterator<Item = PathBuf> {
    commands().map(|command| folder.join(format!("{command}.1")))
}

/// Says where the pages are.
fn show(folder: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    for page in manual(folder) {
        fs::metadata(&page).map_err(|e| missing(&page, &e))?;
        writeln!(out, "{}", page.display())?;
    }
    Ok(())
}

/// Puts the pages into `directory`.
fn copy(folder: &Path, directory: &Path) -> Result<(), Failure> {
    let cannot = |path: &Path, e| Failure::failed(format!("{}: {}", path.display(), plain(&e)));
    for page in manual(folder) {
        let text = fs::read(&page).map_err(|e| missing(&page, &e))?;
        fs::create_dir_all(directory).map_err(|e| cannot(directory, e))?;
        let to = directory.join(page.file_name().unwrap_or_default());
        fs::write(&to, text).map_err(|e| cannot(&to, e))?;
    }
    Ok(())
}

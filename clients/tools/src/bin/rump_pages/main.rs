//! Makes completions and manual pages of the tools' tables.
//!
//! * `rump_pages completions bash`, `zsh`, `fish`: to standard output.
//! * `rump_pages man DIRECTORY`: a page for each tool.
//! * `rump_pages install PREFIX`: both, each where it is looked for.
//!
//! `rump completions` and `rump man` call it; it is a program of its own so that they stay small.
//!
//! * `manual`: the pages.
//!
//! Locking: none. Sources: bash-completion's README, zshcompsys(1), fish's
//! documentation of `complete` (where files are looked for).
#![forbid(unsafe_code)]

mod manual;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::PossibleValue;
use clap::{Arg, ArgAction, Command};
use clap_complete::Shell;
use tools::{HELP, Opt, TOOLS, Tool, VERSION};

/// What is asked for.
#[derive(clap::Parser)]
#[command(about = "Make completions and manual pages of rump and its tools")]
enum Arguments {
    /// Print the completions of a shell
    Completions {
        /// Which
        shell: Shell,
    },
    /// Write a manual page for each tool
    Man {
        /// Where to
        directory: PathBuf,
    },
    /// Write both where they are looked for: PREFIX/share/man and so on
    Install {
        /// Where the programs are, without /bin
        prefix: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match <Arguments as clap::Parser>::parse() {
        Arguments::Completions { shell } => {
            let all = commands().into_iter().map(|command| completions(shell, command));
            io::stdout().write_all(&all.collect::<Vec<_>>().concat())
        }
        Arguments::Man { directory } => manual::write(&directory),
        Arguments::Install { prefix } => install(&prefix),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("rump_pages: {e}");
            ExitCode::FAILURE
        }
    }
}

/// All commands that there are: `rump`, and `rump.TOOL` for each tool.
fn commands() -> Vec<Command> {
    let own = TOOLS.iter().map(|tool| command(tool, format!("rump.{}", tool.name)));
    let under = TOOLS.iter().map(|tool| command(tool, tool.name.into()));
    let all = Command::new("rump")
        .about("the tools of a kernel that runs as a server")
        .subcommands(under)
        .disable_help_subcommand(true);
    std::iter::once(all).chain(own).collect()
}

/// A tool, as clap knows commands.
fn command(tool: &Tool, name: String) -> Command {
    let command = Command::new(name).about(tool.about).version(env!("CARGO_PKG_VERSION"));
    let command = command.disable_help_flag(true).disable_version_flag(true);
    let options = tool.options.iter().copied().chain([&HELP, &VERSION]);
    let command = command.args(options.map(argument));
    if tool.words.is_empty() {
        return command;
    }
    let words = tool.words.iter().map(|word| PossibleValue::new(word.text).help(word.doc));
    let words =
        Arg::new("words").value_name("WORD").num_args(0..).value_parser(words.collect::<Vec<_>>());
    command.arg(words.allow_hyphen_values(true))
}

fn argument(opt: &'static Opt) -> Arg {
    let letter = opt.letter.map(String::from);
    let id = opt.long.map(str::to_owned).or(letter).unwrap_or_default();
    let argument = Arg::new(id).help(opt.doc).short(opt.letter).long(opt.long);
    match opt.value {
        Some(value) => argument.value_name(value).action(ArgAction::Set),
        None => argument.action(ArgAction::Count),
    }
}

fn completions(shell: Shell, mut command: Command) -> Vec<u8> {
    let (name, mut text) = (command.get_name().to_owned(), Vec::new());
    if shell == Shell::Fish {
        words_for_fish(&command, &name, "", &mut text);
        for under in command.get_subcommands() {
            let seen = format!(" -n '__fish_seen_subcommand_from {}'", under.get_name());
            words_for_fish(under, &name, &seen, &mut text);
        }
    }
    clap_complete::generate(shell, &mut command, name, &mut text);
    text
}

/// Words, which clap leaves away for fish.
fn words_for_fish(command: &Command, name: &str, when: &str, text: &mut Vec<u8>) {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    for word in command.get_positionals().flat_map(Arg::get_possible_values) {
        let doc = word.get_help().map(ToString::to_string).unwrap_or_default();
        let (word, doc) = (quoted(word.get_name()), quoted(&doc));
        text.extend(format!("complete -c {name}{when} -f -a '{word}' -d '{doc}'\n").bytes());
    }
}

/// Writes everything where it is looked for.
fn install(prefix: &Path) -> io::Result<()> {
    let share = prefix.join("share");
    manual::write(&share.join("man/man1"))?;
    for command in commands() {
        let name = command.get_name().to_owned();
        for (shell, folder, file) in [
            (Shell::Bash, "bash-completion/completions", name.clone()),
            (Shell::Zsh, "zsh/site-functions", format!("_{name}")),
            (Shell::Fish, "fish/vendor_completions.d", format!("{name}.fish")),
        ] {
            let folder = share.join(folder);
            fs::create_dir_all(&folder)?;
            fs::write(folder.join(file), completions(shell, command.clone()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_every_word() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            for command in commands() {
                command.clone().debug_assert();
                let text = String::from_utf8(completions(shell, command.clone())).unwrap();
                assert!(text.contains(command.get_name()), "{shell}");
            }
            let tool = TOOLS.iter().find(|tool| tool.name == "ifconfig").unwrap();
            let made = completions(shell, command(tool, "rump.ifconfig".into()));
            let text = String::from_utf8(made).unwrap();
            for word in ["create", "linkstr", "-alias", "json"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
        }
    }
}

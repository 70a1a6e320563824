//! What a tool is: one table, from which everything else about its command line follows.
//!
//! Locking: none; all of it is constant.

use std::io::Write;

use crate::arguments::Arguments;
use crate::failure::Failure;

/// A tool.
#[derive(Debug)]
pub struct Tool {
    /// Its name: `ifconfig` is called as `rump ifconfig` or `rump.ifconfig`.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// The forms of its command line, without its name.
    pub usage: &'static [&'static str],
    /// Its options.
    pub options: &'static [&'static Opt],
    /// Words that have a meaning of their own.
    pub words: &'static [&'static Word],
    /// Whether options may follow words. If not, what follows the first word is words, whatever
    /// it begins with (`route add -net`).
    pub permutes: bool,
    /// What there is to know beyond that.
    pub notes: &'static str,
    /// Examples.
    pub examples: &'static [Example],
    /// The exit status where it fails, or its command line is wrong.
    pub failure: u8,
    /// Does it; answers the exit status.
    pub(crate) run: Run,
}

/// The work of a tool.
pub(crate) type Run = fn(&Arguments, &mut dyn Write) -> Result<u8, Failure>;

/// An option.
#[derive(PartialEq, Eq, Debug)]
pub struct Opt {
    /// Its letter, if it has one.
    pub letter: Option<char>,
    /// Its long name, if it has one.
    pub long: Option<&'static str>,
    /// What its value is called, if it has one.
    pub value: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

impl Opt {
    /// An option of a letter.
    pub(crate) const fn flag(letter: char, doc: &'static str) -> Opt {
        Opt { letter: Some(letter), long: None, value: None, doc }
    }

    /// An option of a letter, with a value.
    pub(crate) const fn value(letter: char, value: &'static str, doc: &'static str) -> Opt {
        Opt { letter: Some(letter), long: None, value: Some(value), doc }
    }

    /// The option as it is written: `-c COUNT`.
    pub fn spelling(&self) -> String {
        let letter = self.letter.map(|letter| format!("-{letter}"));
        let long = self.long.map(|long| format!("--{long}"));
        let names = [letter, long].into_iter().flatten().collect::<Vec<_>>().join(", ");
        self.value.map_or(names.clone(), |value| format!("{names} {value}"))
    }
}

/// A word that has a meaning of its own.
#[derive(PartialEq, Eq, Debug)]
pub struct Word {
    /// The word.
    pub text: &'static str,
    /// What follows it, if anything has to.
    pub value: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

impl Word {
    pub(crate) const fn new(text: &'static str, doc: &'static str) -> Word {
        Word { text, value: None, doc }
    }

    pub(crate) const fn with(text: &'static str, value: &'static str, doc: &'static str) -> Word {
        Word { text, value: Some(value), doc }
    }

    /// The word as it is written: `mtu BYTES`.
    pub fn spelling(&self) -> String {
        self.value.map_or(self.text.into(), |value| format!("{} {value}", self.text))
    }
}

/// An example.
#[derive(Debug)]
pub struct Example {
    /// What it shows.
    pub does: &'static str,
    /// The arguments.
    pub arguments: &'static str,
}

/// Of most tools.
pub(crate) const JSON: Opt = Opt {
    letter: None,
    long: Some("json"),
    value: None,
    doc: "print JSON, for programs; numbers are numbers, lists are lists",
};

/// Accepted where the original has it.
pub(crate) const NUMERIC: Opt = Opt::flag(
    'n',
    "print addresses as numbers; they always are, since a kernel has no name service",
);

/// What every tool has beside its own options.
pub const HELP: Opt =
    Opt { letter: Some('h'), long: Some("help"), value: None, doc: "print this help" };
/// The same.
pub const VERSION: Opt =
    Opt { letter: None, long: Some("version"), value: None, doc: "print the version" };

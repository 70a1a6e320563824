//! Why a tool fails, and what to do about it.
//!
//! * [`Failure`]: a command line that is wrong, or a job that was not done.
//! * [`Advice`]: what the error numbers of a request mean to who asked for it.
//! * [`nearest`]: the word that was meant.
//!
//! Locking: none.

use std::fmt;
use std::io;

/// Error numbers of Linux that mean something to people here.
pub(crate) mod errno {
    pub(crate) const PERM: i32 = 1;
    pub(crate) const NOENT: i32 = 2;
    pub(crate) const SRCH: i32 = 3;
    pub(crate) const NXIO: i32 = 6;
    pub(crate) const NOMEM: i32 = 12;
    pub(crate) const ACCES: i32 = 13;
    pub(crate) const BUSY: i32 = 16;
    pub(crate) const EXIST: i32 = 17;
    pub(crate) const NODEV: i32 = 19;
    pub(crate) const ISDIR: i32 = 21;
    pub(crate) const INVAL: i32 = 22;
    pub(crate) const NOTTY: i32 = 25;
    pub(crate) const NOSPC: i32 = 28;
    pub(crate) const NOSYS: i32 = 38;
    pub(crate) const MSGSIZE: i32 = 90;
    pub(crate) const OPNOTSUPP: i32 = 95;
    pub(crate) const ADDRINUSE: i32 = 98;
    pub(crate) const ADDRNOTAVAIL: i32 = 99;
    pub(crate) const NETUNREACH: i32 = 101;
    pub(crate) const NOBUFS: i32 = 105;
    pub(crate) const CONNRESET: i32 = 104;
    pub(crate) const NOTCONN: i32 = 107;
    pub(crate) const CONNREFUSED: i32 = 111;
    pub(crate) const HOSTUNREACH: i32 = 113;
}

/// Why a tool fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line is wrong.
    Misuse(String),
    /// The job was not done.
    Failed(String),
    /// Nobody reads what is printed, or it cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn misuse(message: impl Into<String>) -> Failure {
        Failure::Misuse(message.into())
    }

    pub(crate) fn failed(message: impl Into<String>) -> Failure {
        Failure::Failed(message.into())
    }

    /// A word that is missing.
    pub(crate) fn missing(after: &str, what: &str) -> Failure {
        Failure::Misuse(format!("{after} needs {what}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Misuse(message) | Failure::Failed(message) => f.write_str(message),
            Failure::Output(e) => write!(f, "cannot write: {}", plain(e)),
        }
    }
}

/// Errors of writing; those of the kernel come through [`told`].
impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Failure::Output(e)
    }
}

/// What the error numbers of a request mean.
pub(crate) type Advice = &'static [(i32, &'static str)];

/// What error numbers mean wherever they come from.
const ALWAYS: Advice = &[
    (errno::PERM, "not permitted: only the kernel's root may, and that is who started the server"),
    (errno::NOSYS, "this kernel has no such call; the component that has it is not in it"),
    (errno::NOTCONN, "the server is gone; `rump list` shows those that run"),
    (errno::NOMEM, "the kernel has no memory left; start its server with a larger -r"),
    (errno::NOBUFS, "the kernel has no memory left; start its server with a larger -r"),
];

/// A failure of a call of the kernel, on `what`.
pub(crate) fn told(what: &str, e: &io::Error, advice: Advice) -> Failure {
    let number = e.raw_os_error().unwrap_or_default();
    let known = advice.iter().chain(ALWAYS).find(|(errno, _)| *errno == number);
    match known {
        Some((_, text)) => Failure::Failed(format!("{what}: {text}")),
        None => Failure::Failed(format!("{what}: {}", plain(e))),
    }
}

/// An error without its number, which says nothing to people.
pub(crate) fn plain(e: &dyn fmt::Display) -> String {
    let text = e.to_string();
    let number = text.split_once(" (os error ").and_then(|(before, rest)| {
        let (_, after) = rest.split_once(')')?;
        Some(format!("{before}{after}"))
    });
    number.unwrap_or(text)
}

/// `; did you mean X?`, if one of the words is near.
pub(crate) fn nearest<'a>(
    word: &str,
    known: impl Iterator<Item = &'a str>,
    prefix: &str,
) -> String {
    let far = word.chars().count() / 3 + 1;
    let distance = |known: &&str| strsim::damerau_levenshtein(word, known);
    match known.min_by_key(distance).filter(|known| distance(known) <= far) {
        Some(known) => format!("; did you mean {prefix}{known}?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let near = |word| nearest(word, ["create", "destroy", "up"].into_iter(), "");
        assert_eq!(near("crate"), "; did you mean create?");
        assert_eq!(near("detsroy"), "; did you mean destroy?");
        assert_eq!(near("frobnicate"), "");
    }

    #[test]
    fn numbers_are_explained() {
        let e = io::Error::from_raw_os_error(errno::EXIST);
        assert_eq!(told("shmif0", &e, &[]).to_string(), "shmif0: File exists");
        let advice: Advice = &[(errno::EXIST, "exists already")];
        assert_eq!(told("shmif0", &e, advice).to_string(), "shmif0: exists already");
        let e = io::Error::from_raw_os_error(errno::PERM);
        assert!(told("shmif0", &e, advice).to_string().contains("root"));
        assert_eq!(plain(&"no server (Gone (os error 7)); look"), "no server (Gone); look");
    }
}

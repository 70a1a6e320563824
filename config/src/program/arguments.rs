//! The arguments of an assembled kernel.
//!
//! * [`read`]: the words after the program's name to an [`Action`]; an error is one sentence.
//!
//! Locking: none.

use std::ffi::OsString;

pub(super) const HELP: &str = "\
Boots the kernel, sets it up as its configuration says, prints its messages and ends.
With a URL, unix://PATH or tcp://HOST:PORT[?key=FILE], it is served there to other programs, as
rump_server does: the command is back as soon as they can connect.

Options:
  URL               Serve the kernel
    -s              Stay in the foreground
    --mode MODE     The mode of a unix socket, in octal [default: 600]
    --allow-unauthenticated-anywhere
                    Listen on TCP without a key on an address that others can reach
  --measure         Boot and halt again and again; print times, and memory per idle kernel
    --runs N        How often, 1 to 1000000 [default: 1000]
    --json          Print JSON (SI units)
  --probe-exit      Boot, set up, halt and end without a word: for timing whole processes
  --help            Print this
";

/// The most that `--runs` takes.
const MAX_RUNS: u32 = 1_000_000;

/// What to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// Boot and print the kernel's messages.
    Show,
    /// Boot and end.
    ProbeExit,
    /// Boot again and again, and print figures.
    Measure {
        /// How often.
        runs: u32,
        /// As JSON.
        json: bool,
    },
    /// Serve the kernel.
    Serve(Served),
    /// Print the help.
    Help,
}

/// How to serve it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Served {
    pub url: String,
    pub foreground: bool,
    pub mode: u32,
    /// Without a key, too.
    pub anywhere: bool,
}

/// Understands the arguments.
pub(super) fn read(words: impl Iterator<Item = OsString>) -> Result<Action, String> {
    let mut words = words;
    let mut action = Action::Show;
    let (mut runs, mut json) = (None, false);
    let (mut url, mut how) = (None, Vec::new());
    let mut mode = 0o600;
    while let Some(word) = words.next() {
        let asked = match word.to_str() {
            Some("--probe-exit") => Action::ProbeExit,
            Some("--measure") => Action::Measure { runs: 1000, json: false },
            Some("--help" | "-h") => return Ok(Action::Help),
            Some("--json") => {
                json = true;
                continue;
            }
            Some("--runs") => {
                let count = words.next().and_then(|word| word.to_str()?.parse().ok());
                let count = count.filter(|count| (1..=MAX_RUNS).contains(count));
                runs = Some(
                    count.ok_or_else(|| format!("--runs wants a number from 1 to {MAX_RUNS}"))?,
                );
                continue;
            }
            Some(option @ ("-s" | "--allow-unauthenticated-anywhere")) => {
                how.push(option.to_owned());
                continue;
            }
            Some("--mode") => {
                let octal = words.next();
                let octal = octal.and_then(|word| u32::from_str_radix(word.to_str()?, 8).ok());
                mode =
                    octal.filter(|mode| *mode <= 0o777).ok_or("--mode wants three octal digits")?;
                how.push("--mode".to_owned());
                continue;
            }
            Some(text) if text.contains("://") && url.is_none() => {
                url = Some(text.to_owned());
                continue;
            }
            _ => return Err(format!("unknown argument {word:?}; --help shows them all")),
        };
        if action != Action::Show {
            return Err("--probe-exit and --measure are one or the other".to_string());
        }
        action = asked;
    }
    if let Some(url) = url {
        if action != Action::Show || json || runs.is_some() {
            return Err("a kernel is measured or served, not both".to_string());
        }
        let has = |option: &str| how.iter().any(|word| word == option);
        let (foreground, anywhere) = (has("-s"), has("--allow-unauthenticated-anywhere"));
        return Ok(Action::Serve(Served { url, foreground, mode, anywhere }));
    }
    if let Some(option) = how.first() {
        return Err(format!("{option} goes with a URL"));
    }
    match action {
        Action::Measure { runs: default, .. } => {
            Ok(Action::Measure { runs: runs.unwrap_or(default), json })
        }
        _ if json || runs.is_some() => Err("--runs and --json go with --measure".to_string()),
        action => Ok(action),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Action, String> {
        read(text.split_whitespace().map(OsString::from))
    }

    #[test]
    fn what_may_be_asked_for() {
        assert_eq!(words(""), Ok(Action::Show));
        assert_eq!(words("--probe-exit"), Ok(Action::ProbeExit));
        assert_eq!(words("--measure"), Ok(Action::Measure { runs: 1000, json: false }));
        assert_eq!(words("--json --runs 7 --measure"), Ok(Action::Measure { runs: 7, json: true }));
        assert_eq!(words("--measure --help"), Ok(Action::Help));
    }

    #[test]
    fn a_url_means_to_be_served() {
        let served = |text| match words(text) {
            Ok(Action::Serve(served)) => served,
            other => panic!("{other:?}"),
        };
        let plain = served("unix://a");
        assert_eq!((plain.url.as_str(), plain.mode, plain.foreground), ("unix://a", 0o600, false));
        let all = served("-s tcp://0:7 --mode 660 --allow-unauthenticated-anywhere");
        assert!(all.foreground && all.anywhere && all.mode == 0o660);
        for wrong in ["-s", "--mode 8 unix://a", "unix://a unix://b", "--measure unix://a"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for text in ["--runs 0 --measure", "--measure --runs", "--measure --runs 1000001"] {
            assert!(words(text).unwrap_err().contains("from 1 to 1000000"), "{text}");
        }
        assert!(words("--json").unwrap_err().contains("go with --measure"));
        assert!(words("--probe").unwrap_err().contains("unknown argument \"--probe\""));
        assert!(words("--measure --probe-exit").is_err());
    }
}

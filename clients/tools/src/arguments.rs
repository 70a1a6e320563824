//! Arguments, read as a tool's table says.
//!
//! Locking: none. Sources: POSIX, Utility Syntax Guidelines; getopt_long(3) (options after words).

use std::ffi::OsString;
use std::str::FromStr;

use lexopt::Arg;

use crate::definition::{HELP, Opt, Tool, VERSION};
use crate::failure::{Failure, nearest};

/// The arguments of a tool.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// The program as it was called: `rump.ifconfig`, `rump ifconfig`.
    pub(crate) program: String,
    given: Vec<(&'static Opt, String)>,
    /// What is no option.
    pub(crate) words: Vec<String>,
}

/// What is asked for.
pub(crate) enum Asked {
    Run(Arguments),
    Help,
    Version,
}

impl Arguments {
    /// Whether an option was given.
    pub(crate) fn has(&self, opt: &Opt) -> bool {
        self.count(opt) > 0
    }

    /// How often.
    pub(crate) fn count(&self, opt: &Opt) -> usize {
        self.given.iter().filter(|(given, _)| *given == opt).count()
    }

    /// The value of an option, if it was given: of several, the last.
    pub(crate) fn value<T: FromStr>(&self, opt: &Opt, is: &str) -> Result<Option<T>, Failure> {
        let last = self.given.iter().rev().find(|(given, _)| *given == opt);
        let Some((_, text)) = last else { return Ok(None) };
        let value = text
            .parse()
            .map_err(|_| Failure::misuse(format!("{}: \"{text}\" is not {is}", opt.spelling())))?;
        Ok(Some(value))
    }

    /// Refuses words, for tools that have none.
    pub(crate) fn no_words(&self) -> Result<(), Failure> {
        self.words
            .first()
            .map_or(Ok(()), |word| Err(Failure::misuse(format!("\"{word}\" is one word too many"))))
    }
}

/// Reads arguments, the program's name not among them.
pub(crate) fn parse(
    tool: &Tool,
    program: &str,
    arguments: impl Iterator<Item = OsString>,
) -> Result<Asked, Failure> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let (mut given, mut words) = (Vec::new(), Vec::new());
    while let Some(argument) = parser.next().map_err(|e| Failure::misuse(e.to_string()))? {
        let opt = match argument {
            Arg::Value(word) => {
                words.push(text(word)?);
                if !tool.permutes {
                    let rest = parser.raw_args().map_err(|e| Failure::misuse(e.to_string()))?;
                    for word in rest {
                        words.push(text(word)?);
                    }
                }
                continue;
            }
            Arg::Short(letter) => find(tool, |opt| opt.letter == Some(letter))
                .ok_or_else(|| unknown(tool, &letter.to_string()))?,
            Arg::Long(long) => {
                find(tool, |opt| opt.long == Some(long)).ok_or_else(|| unknown(tool, long))?
            }
        };
        if *opt == HELP {
            return Ok(Asked::Help);
        }
        if *opt == VERSION {
            return Ok(Asked::Version);
        }
        let value = match opt.value {
            Some(value) => text(parser.value().map_err(|_| {
                Failure::misuse(format!("{} needs a value: {value}", opt.spelling()))
            })?)?,
            None => String::new(),
        };
        given.push((opt, value));
    }
    Ok(Asked::Run(Arguments { program: program.into(), given, words }))
}

/// An option of the tool, or of all.
fn find(tool: &Tool, is: impl Fn(&Opt) -> bool) -> Option<&'static Opt> {
    let own = tool.options.iter().copied();
    own.chain([&HELP, &VERSION]).find(|opt| is(opt))
}

fn unknown(tool: &Tool, name: &str) -> Failure {
    if name.chars().count() == 1 {
        return Failure::misuse(format!("there is no option -{name}"));
    }
    let long = tool.options.iter().chain([&&HELP, &&VERSION]).filter_map(|opt| opt.long);
    Failure::misuse(format!("there is no option --{name}{}", nearest(name, long, "--")))
}

fn text(argument: OsString) -> Result<String, Failure> {
    argument.into_string().map_err(|argument| {
        Failure::misuse(format!("{argument:?} is not UTF-8, as all of a kernel's texts are"))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const QUIET: Opt = Opt::flag('q', "quiet");
    const COUNT: Opt = Opt::value('c', "COUNT", "how many");
    const TOOL: Tool = Tool {
        name: "t",
        about: "",
        usage: &[],
        options: &[&QUIET, &COUNT, &crate::definition::JSON],
        words: &[],
        permutes: true,
        notes: "",
        examples: &[],
        failure: 2,
        run: |_, _| Ok(0),
    };

    /// Reads a command line whose words have spaces between them.
    pub(crate) fn read(tool: &Tool, line: &str) -> Result<Arguments, Failure> {
        match parse(tool, "t", line.split_whitespace().map(OsString::from))? {
            Asked::Run(arguments) => Ok(arguments),
            Asked::Help => Err(Failure::failed("help")),
            Asked::Version => Err(Failure::failed("version")),
        }
    }

    #[test]
    fn options_and_words() {
        let a = read(&TOOL, "-qc3 host -q --json -- -x").unwrap();
        assert_eq!(a.count(&QUIET), 2);
        assert!(a.has(&crate::definition::JSON));
        assert_eq!(a.value::<u32>(&COUNT, "a number").unwrap(), Some(3));
        assert_eq!(a.words, ["host", "-x"]);
        let a = read(&TOOL, "-c 3 -c 4").unwrap();
        assert_eq!(a.value::<u32>(&COUNT, "a number").unwrap(), Some(4));
        let stops = Tool { permutes: false, ..TOOL };
        let a = read(&stops, "-q add -net -q").unwrap();
        assert_eq!((a.count(&QUIET), a.words.join(" ")), (1, "add -net -q".into()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let says = |line, what: &str| {
            let e = read(&TOOL, line).unwrap_err().to_string();
            assert!(e.contains(what), "{line}: {e}");
        };
        says("-x", "no option -x");
        says("--jsno", "did you mean --json?");
        says("--frobnicate", "no option --frobnicate");
        says("-c", "-c COUNT needs a value: COUNT");
        says("--help", "help");
        says("-h", "help");
        says("--version", "version");
        let e = read(&TOOL, "-c x").unwrap().value::<u32>(&COUNT, "a number").unwrap_err();
        assert_eq!(e.to_string(), "-c COUNT: \"x\" is not a number");
    }
}

//! The program: which tool is meant, and what its end looks like from outside.
//!
//! Locking: none.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};
use std::os::fd::IntoRawFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec};

use crate::arguments::{self, Asked};
use crate::definition::Tool;
use crate::failure::{Failure, nearest};
use crate::{
    arp, dhcpclient, halt, help, ifconfig, list, nc, netstat, pages, ping, route, sockstat, sysctl,
    traceroute,
};

/// All tools, in the order in which help shows them.
pub const TOOLS: &[&Tool] = &[
    &list::TOOL,
    &ifconfig::TOOL,
    &route::TOOL,
    &dhcpclient::TOOL,
    &arp::TOOL,
    &ping::TOOL,
    &traceroute::TOOL,
    &nc::TOOL,
    &netstat::TOOL,
    &sockstat::TOOL,
    &sysctl::TOOL,
    &halt::TOOL,
];

/// The program's own name; `rump.ping` is the tool `ping`.
pub(crate) const NAME: &str = "rump";

/// What is to be done.
enum Command {
    /// A tool, and the program as it was called.
    Tool(&'static Tool, String),
    Overview,
    Version,
    Help(Option<String>),
    /// Completions and pages, which were made when the tools were installed.
    Pages(OsString),
    Unknown(String),
}

/// Standard output, which tools that have nothing to say do not touch.
#[derive(Default)]
struct Output(Option<BufWriter<StdoutLock<'static>>>);

impl Write for Output {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.get_or_insert_with(|| BufWriter::new(io::stdout().lock())).write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.as_mut().map_or(Ok(()), |out| out.flush())
    }
}

/// Runs the tool that `arguments` mean, the program's name first; answers the exit status.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    fill_standard_descriptors();
    let called = arguments.next().unwrap_or_default();
    let mut out = Output::default();
    let (program, status, done) = match command(&called, &mut arguments) {
        Command::Tool(tool, program) => {
            let done = run(tool, &program, arguments, &mut out);
            (program, tool.failure, done)
        }
        Command::Overview => (NAME.into(), 2, help::overview(TOOLS, &mut out).map(|()| 0)),
        Command::Version => (NAME.into(), 2, version(NAME, &mut out)),
        Command::Help(name) => (NAME.into(), 2, explain(name.as_deref(), &mut out)),
        Command::Pages(kind) => (NAME.into(), 2, pages::main(&called, &kind, arguments, &mut out)),
        Command::Unknown(word) => (NAME.into(), 2, Err(unknown(&word))),
    };
    let done = done.and_then(|status| out.flush().map(|()| status).map_err(Failure::from));
    match done {
        Ok(status) => status,
        // Whoever read it has seen enough.
        Err(Failure::Output(e)) if e.kind() == ErrorKind::BrokenPipe => 0,
        Err(failure) => {
            // What was printed until then comes first.
            let _ = out.flush();
            let mut text = format!("{program}: {failure}\n");
            if matches!(failure, Failure::Misuse(_)) {
                text.push_str(&format!("Try `{program} --help`.\n"));
            }
            // There is nobody else to tell.
            let _ = io::stderr().write_all(text.as_bytes());
            status
        }
    }
}

/// If the program was started without some of its first three descriptors, puts others in their
/// place: else the server's connection would become one, and get what is printed.
fn fill_standard_descriptors() {
    let first = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let mut first = first.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::empty()));
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if rustix::event::poll(&mut first, Some(&now)) == Ok(0) {
        return;
    }
    for _ in first.iter().filter(|fd| fd.revents().contains(PollFlags::NVAL)) {
        // The lowest number that is free is taken, and kept.
        let null = File::options().read(true).write(true).open("/dev/null");
        let _ = null.map(IntoRawFd::into_raw_fd);
    }
}

fn command(called: &OsStr, arguments: &mut impl Iterator<Item = OsString>) -> Command {
    let called = Path::new(called).file_name().unwrap_or_default().to_string_lossy();
    if let Some(name) = called.strip_prefix("rump.") {
        return match find(name) {
            Some(tool) => Command::Tool(tool, called.into_owned()),
            None => Command::Unknown(name.into()),
        };
    }
    let Some(word) = arguments.next() else { return Command::Overview };
    let word = word.to_string_lossy().into_owned();
    match word.as_str() {
        "-h" | "--help" => Command::Overview,
        "--version" => Command::Version,
        "help" => Command::Help(arguments.next().map(|name| name.to_string_lossy().into_owned())),
        "completions" | "man" => Command::Pages(word.into()),
        name => match find(name) {
            Some(tool) => Command::Tool(tool, format!("{NAME} {name}")),
            None => Command::Unknown(word),
        },
    }
}

fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().copied().find(|tool| tool.name == name)
}

fn unknown(word: &str) -> Failure {
    let near = nearest(word, TOOLS.iter().map(|tool| tool.name), "");
    Failure::misuse(format!("there is no command \"{word}\"{near}"))
}

fn run(
    tool: &'static Tool,
    program: &str,
    arguments: impl Iterator<Item = OsString>,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    match arguments::parse(tool, program, arguments)? {
        Asked::Run(arguments) => (tool.run)(&arguments, out),
        Asked::Help => help::tool(tool, program, out).map(|()| 0),
        Asked::Version => version(program, out),
    }
}

fn explain(name: Option<&str>, out: &mut dyn Write) -> Result<u8, Failure> {
    let Some(name) = name else { return help::overview(TOOLS, out).map(|()| 0) };
    let tool = find(name).ok_or_else(|| unknown(name))?;
    help::tool(tool, &format!("{NAME} {name}"), out).map(|()| 0)
}

fn version(program: &str, out: &mut dyn Write) -> Result<u8, Failure> {
    writeln!(out, "{program} (anykernel) {}", env!("CARGO_PKG_VERSION"))?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(line: &str) -> String {
        let mut words = line.split_whitespace().map(OsString::from);
        let called = words.next().unwrap();
        match command(&called, &mut words) {
            Command::Tool(tool, program) => format!("{} as {program}", tool.name),
            Command::Overview => "overview".into(),
            Command::Version => "version".into(),
            Command::Help(name) => format!("help {name:?}"),
            Command::Pages(kind) => format!("pages {kind:?}"),
            Command::Unknown(word) => format!("unknown {word}"),
        }
    }

    #[test]
    fn tools_have_two_names() {
        assert_eq!(meant("bin/rump.ping 1.2.3.4"), "ping as rump.ping");
        assert_eq!(meant("./rump ping 1.2.3.4"), "ping as rump ping");
        assert_eq!(meant("rump.pnig"), "unknown pnig");
        assert_eq!(meant("rump"), "overview");
        assert_eq!(meant("rump --help"), "overview");
        assert_eq!(meant("rump help ping"), "help Some(\"ping\")");
        assert_eq!(meant("rump completions bash"), "pages \"completions\"");
        assert!(unknown("ifcnfig").to_string().contains("did you mean ifconfig?"));
    }

    #[test]
    fn tables_hold_what_they_should() {
        for tool in TOOLS {
            let letters: Vec<_> = tool.options.iter().filter_map(|opt| opt.letter).collect();
            let mut once = letters.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), letters.len(), "{}: a letter means two things", tool.name);
            assert!(!tool.usage.is_empty() && !tool.examples.is_empty(), "{}", tool.name);
        }
    }
}

//! Programs that are remote clients, against a real server: fork, exec, signals, and what they do
//! when the server is killed.
//!
//! This program starts itself for each part (`PART` in the environment), since a part forks, is
//! replaced, or has signals sent to it. So it is a program of its own, without the usual harness.

#[path = "../server/mod.rs"]
mod server;

#[path = "../../../clients/remote/examples/datagrams.rs"]
mod example;
mod exec;
mod fork;
mod retry;
mod signal;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use remote::{Client, UdpSocket};
use server::{Place, within};

type Run = (&'static str, fn());

/// What is tested, and the parts of programs that the tests start.
const TESTS: [&[Run]; 5] = [EXAMPLE, fork::TESTS, exec::TESTS, signal::TESTS, retry::TESTS];
const PARTS: [&[Run]; 5] = [EXAMPLE_PART, fork::PARTS, exec::PARTS, signal::PARTS, retry::PARTS];

fn main() {
    if let Ok(part) = std::env::var("PART") {
        let (_, run) = PARTS.concat().into_iter().find(|(name, _)| *name == part).expect("a part");
        return run();
    }
    // Names come as arguments: a filter, as the usual harness has it.
    let filter = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    for (name, test) in TESTS.concat() {
        if filter.as_ref().is_none_or(|filter| name.contains(filter)) {
            test();
            println!("test {name} ... ok");
        }
    }
}

const EXAMPLE: &[Run] = &[("the_example_of_the_documentation", || {
    let place = served();
    let mut part = Part::new("example", &place.url("a"));
    assert!(part.line().ends_with(" of a"));
    assert_eq!(part.line(), "received: hello");
    part.ends_well();
})];

const EXAMPLE_PART: &[Run] = &[("example", || example::main().unwrap())];

const SERVER: &str = "-l netinet unix://a";

/// A server with a network stack.
fn served() -> Place {
    let place = Place::new();
    place.start(SERVER);
    place
}

/// A program that runs a part. It ends with the value.
struct Part {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Part {
    fn new(name: &str, url: &str) -> Part {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env("PART", name)
            .env("RUMP_SERVER", url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Part { child, stdout }
    }

    /// The next line that it says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits for its end; its status, and what it and its children complained about.
    fn end(mut self) -> (Option<i32>, String) {
        let mut status = None;
        within(60, "the end of a part", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.unwrap().code(), said)
    }

    fn ends_well(self) {
        assert_eq!(self.end(), (Some(0), String::new()));
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It has ended, if all is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the part of this name, which has to end well.
fn run(name: &str) {
    let place = served();
    Part::new(name, &place.url("a")).ends_well();
}

/// The client of a part.
fn client() -> Client {
    Client::from_env().unwrap()
}

fn udp(client: &Client, port: u16) -> UdpSocket {
    UdpSocket::bind(client, ("127.0.0.1", port)).unwrap()
}

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().expect("an error number")
}

const ESRCH: i32 = 3;
const EINTR: i32 = 4;
const EBADF: i32 = 9;
const EAGAIN: i32 = 11;
const EOPNOTSUPP: i32 = 95;
const EADDRINUSE: i32 = 98;
const ENOTCONN: i32 = 107;

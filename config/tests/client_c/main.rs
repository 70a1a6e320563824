//! Remote clients in C, against a real server: compiled here, linked with the static library and
//! with the shared one.
//!
//! The parts of a program are in `program.c`; the example is that of rumpclient's README.

#[path = "../server/mod.rs"]
mod server;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use server::{Place, within};

const SERVER: &str = "-l netinet unix://a";
const README: &str = include_str!("../../../clients/rumpclient/README.md");

/// Where cargo has put the libraries of the packages that this one depends on: beside this program.
fn libraries() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().to_path_buf()
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn compiler(program: &str) -> Command {
    let mut compiler = Command::new(program);
    compiler.args(["-Wall", "-Wextra", "-Werror"]);
    compiler.arg("-I").arg(sources().join("clients/rumpclient/include"));
    compiler
}

fn succeeds(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("a C compiler (cc)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// How a program is linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    Static,
    Shared,
}

const BOTH: [Link; 2] = [Link::Static, Link::Shared];

fn compile(source: &Path, to: &Path, link: Link) {
    let mut cc = compiler("cc");
    cc.args(["-pthread", "-o"]).arg(to).arg(source);
    match link {
        // What the library needs of the system's.
        Link::Static => cc.arg(libraries().join("librumpclient.a")).args(["-lgcc_s", "-lutil"]),
        Link::Shared => cc.arg("-L").arg(libraries()).arg("-lrumpclient"),
    };
    succeeds(cc.args(["-lrt", "-ldl", "-lm"]));
}

/// A program that runs. It ends with the value.
struct Program {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Program {
    fn new(path: &Path, words: &[&str], place: &Place) -> Program {
        let mut child = Command::new(path)
            .args(words)
            .env("RUMP_SERVER", place.url("a"))
            .env("LD_LIBRARY_PATH", libraries())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Program { child, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Waits for its end: status, the rest of what it and its children said, and complained about.
    fn end(mut self) -> (Option<i32>, String, String) {
        let mut status = None;
        within(60, "the end of a program", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let (mut out, mut err) = (String::new(), String::new());
        self.stdout.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (status.unwrap().code(), out, err)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, if all is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `test` with `program.c`, linked in both ways, and a server of its own.
fn both(test: impl Fn(&Path, &Place)) {
    for link in BOTH {
        let place = Place::new();
        place.start(SERVER);
        let program = place.path().join("program");
        compile(&sources().join("config/tests/client_c/program.c"), &program, link);
        test(&program, &place);
    }
}

fn part(name: &str, said: &str) {
    both(|program, place| {
        let ended = Program::new(program, &[name], place).end();
        assert_eq!(ended, (Some(0), said.into(), String::new()));
    });
}

#[test]
fn calls_and_their_errors() {
    part("calls", "");
}

#[test]
fn fork_in_one_and_in_parts() {
    part("fork", "");
}

#[test]
fn daemon() {
    part("daemon", "daemon\n");
}

#[test]
fn exec() {
    part("exec", "");
}

#[test]
fn threads_whose_calls_overlap() {
    part("threads", "");
}

#[test]
fn a_signal_cancels_a_call() {
    part("interrupted", "");
}

#[test]
fn a_server_is_killed_and_another_one_comes() {
    both(|program, place| {
        let mut program = Program::new(program, &["reconnect"], place);
        assert_eq!(program.line(), "here");
        place.kill();
        assert_eq!(program.line(), "lost");
        place.start(SERVER);
        let (status, said, complaints) = program.end();
        assert_eq!((status, said.as_str()), (Some(0), ""), "{complaints}");
        let told = "connection to kernel lost, trying to reconnect ...\n";
        assert!(complaints.starts_with(told), "{complaints}");
    });
}

#[test]
fn a_program_that_dies_with_its_server() {
    both(|program, place| {
        let mut program = Program::new(program, &["die"], place);
        assert_eq!(program.line(), "here");
        place.kill();
        assert_eq!(program.end(), (Some(1), String::new(), String::new()));
    });
}

#[test]
fn the_example_of_the_readme() {
    let example = README.split("```c\n").nth(1).and_then(|rest| rest.split("```").next());
    for link in BOTH {
        let place = Place::new();
        let (source, program) = (place.path().join("hello.c"), place.path().join("hello"));
        std::fs::write(&source, example.unwrap()).unwrap();
        compile(&source, &program, link);
        let (status, _, complaints) = Program::new(&program, &[], &place).end();
        assert!(complaints.contains("no server at"), "{complaints}");
        assert_eq!(status, Some(1));
        place.start(SERVER);
        let (status, said, _) = Program::new(&program, &[], &place).end();
        assert_eq!(status, Some(0));
        let said = said.strip_prefix("process ").and_then(|said| said.split_once(' '));
        assert_eq!(said.unwrap().1, "received: hello\n");
    }
}

/// The header alone, in every language that it is for: it needs no other before it.
#[test]
fn the_header_is_c_and_cxx() {
    let place = Place::new();
    let source = place.path().join("header.c");
    std::fs::write(&source, "#include <rump/rumpclient.h>\n#include <rump/rumpclient.h>\n")
        .unwrap();
    let languages = [("cc", "c", "c99"), ("cc", "c", "c11"), ("g++", "c++", "c++11")];
    for (program, language, standard) in languages {
        let mut compiler = compiler(program);
        compiler.args(["-pedantic", "-fsyntax-only", "-x", language]);
        compiler.arg(format!("-std={standard}")).arg(&source);
        match compiler.output() {
            Ok(output) => {
                let complaints = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{standard}: {complaints}");
            }
            // Not every machine has a compiler for C++.
            Err(_) if program == "g++" => eprintln!("there is no g++; C++ was not tested"),
            Err(error) => panic!("{program}: {error}"),
        }
    }
}

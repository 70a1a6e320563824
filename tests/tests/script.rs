//! Figure 3.31 of the book with the programs that are installed: servers, tools, a bus between
//! processes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tests::Scratch;

const NODES: u32 = 16;

/// Where cargo put the program `name`, which another package of the workspace has.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let programs = test.parent().and_then(Path::parent).unwrap();
    let program = programs.join(name);
    assert!(program.is_file(), "{name} is not built: test the whole workspace, or build it first");
    program
}

/// A folder with the programs under their names, and one to run in.
struct Place(Scratch);

impl Place {
    fn new() -> Place {
        let place = Place(Scratch::new());
        std::fs::create_dir(place.bin()).unwrap();
        let link = |name: &str, to: &str| {
            std::os::unix::fs::symlink(program(to), place.bin().join(name)).unwrap();
        };
        link("rump_server", "rump_server");
        link("shmif_dumpbus", "shmif_dumpbus");
        link("cluster", "cluster");
        link("rump", "rump");
        for tool in ["ifconfig", "route", "ping", "netstat", "sockstat", "halt"] {
            link(&format!("rump.{tool}"), "rump");
        }
        place
    }

    fn bin(&self) -> PathBuf {
        self.0.folder().join("bin")
    }

    fn command(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(program);
        command.current_dir(self.0.folder()).stdin(Stdio::null());
        command.env("PATH", format!("{}:{path}", self.bin().display()));
        command.env("XDG_RUNTIME_DIR", self.0.folder());
        command
    }

    fn script(&self) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/line.sh");
        self.command("sh").arg(script).arg(NODES.to_string()).output().unwrap()
    }

    /// The processes of the servers that run. The list has dead ones, too, whose numbers may be
    /// strangers' by now: a server is where it was started.
    fn pids(&self) -> Vec<String> {
        let folder = std::fs::canonicalize(self.0.folder()).unwrap();
        let is_here = |pid: &String| {
            std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder)
        };
        let entries = std::fs::read_dir(self.0.folder().join("anykernel")).into_iter().flatten();
        let names = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned());
        names.filter_map(|name| name.split('-').next().map(str::to_owned)).filter(is_here).collect()
    }

    fn kill(&self) {
        let pids = self.pids();
        if !pids.is_empty() {
            // Some may have ended.
            let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill();
    }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn works(output: &Output) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    assert!(out.contains("64 bytes from 1.2.1.1: icmp_seq=1 ttl=241"), "{out}{err}");
    assert!(out.contains("1 packets transmitted, 1 received, 0% packet loss"), "{out}");
}

#[test]
fn the_script_of_figure_3_31_works_and_again_after_everything_was_killed() {
    let place = Place::new();
    works(&place.script());
    assert_eq!(place.pids().len(), NODES as usize);
    place.kill();
    // Sockets and buses of the dead are in the way now.
    works(&place.script());
    place.kill();
    let dump = place.command("shmif_dumpbus").args(["-p", "ping.pcap", "shm/bus2"]).output();
    assert!(dump.unwrap().status.success());
    let pcap = std::fs::read(place.0.folder().join("ping.pcap")).unwrap();
    // The echo request came over bus 2, and is still in it: from, to, type and code.
    let echo = [1, 2, 16, 1, 1, 2, 1, 1, 8, 0];
    assert!(pcap.windows(echo.len()).any(|bytes| bytes == echo), "{} bytes", pcap.len());
}

#[test]
fn servers_of_the_script_end_when_they_are_halted() {
    let place = Place::new();
    works(&place.script());
    for n in 1..=NODES {
        let mut halt = place.command("rump.halt");
        let output = halt.env("RUMP_SERVER", format!("unix://router{n}")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let sockets = || (1..=NODES).any(|n| place.0.folder().join(format!("router{n}")).exists());
    while sockets() || !place.pids().is_empty() {
        assert!(std::time::Instant::now() < deadline, "servers that are left: {:?}", place.pids());
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

/// The commands of the README, as they stand there.
#[test]
fn the_server_of_the_readme_works() {
    let place = Place::new();
    let readme = include_str!("../../README.md");
    let section = readme.split("\n## A kernel as a server\n").nth(1).unwrap();
    let script = section.split("```sh\n").nth(1).and_then(|code| code.split("```").next()).unwrap();
    let output = place.command("sh").args(["-e", "-c", script]).output().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    for says in ["64 bytes from 10.0.0.1: icmp_seq=1 ttl=255", "unix://", "left", "right"] {
        assert!(out.contains(says), "{says}: {out}{err}");
    }
    assert!(place.0.folder().join("wire.pcap").metadata().unwrap().len() > 200);
}

#[test]
fn a_cluster_does_what_the_script_does() {
    let place = Place::new();
    let bin = place.bin();
    let run = |words: &str| {
        let mut command = place.command("cluster");
        command.args(words.split_whitespace()).arg("--programs").arg(&bin);
        command.env("TMPDIR", place.0.folder()).output().unwrap()
    };
    let output = run("--remote --nodes 8 --count 10 --json");
    let (text, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{error}");
    for says in [r#""checked": true"#, r#""nodes": 8"#, r#""processes": 8"#, r#""hop_warm_s": "#] {
        assert!(text.contains(says), "{text}");
    }
    // Others than a line, too; and what cannot be is explained.
    let output = run("--remote --nodes 5 --topology ring --count 0");
    assert!(output.status.success(), "{output:?}");
    // Links with character: two there and two back.
    let output = run("--remote --nodes 3 --delay 5ms --loss 0.0001% --count 2 --json");
    let json = String::from_utf8_lossy(&output.stdout);
    let warm =
        json.split(r#""rtt_warm_s": "#).nth(1).and_then(|rest| rest.split([',', '\n']).next());
    assert!(warm.is_some_and(|warm| warm.parse::<f64>().unwrap() >= 0.020), "{output:?}");
    std::fs::remove_file(bin.join("rump.ping")).unwrap();
    let output = run("--remote --nodes 2");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("rump.ping: No such file"), "{error}");
    // Nothing is left: no folder, no server.
    let left = std::fs::read_dir(place.0.folder()).unwrap().flatten().map(|e| e.file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["bin"]);
}

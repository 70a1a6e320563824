//! A folder with servers in it, for the tests of `rump_server`.
//!
//! Whatever a test does, its servers end with it: they are asked for by their list, which is in the
//! folder, too.
#![allow(dead_code)] // no test program uses all of it

pub mod plain;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use remote::{Argument, Client};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;

pub struct Place {
    pub folder: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `rump_server` with these words, in the folder.
    pub fn server(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rump_server"));
        command.args(words.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", self.path());
        command
    }

    /// Starts one; its output.
    pub fn start(&self, words: &str) -> Output {
        let output = self.server(words).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{words}: {errors}");
        output
    }

    /// Starts one that cannot be; what it says.
    pub fn refused(&self, words: &str) -> String {
        let output = self.server(words).output().unwrap();
        assert!(!output.status.success(), "{words} is served");
        String::from_utf8(output.stderr).unwrap()
    }

    pub fn connect(&self, socket: &str) -> Client {
        Client::connect(&self.url(socket)).unwrap()
    }

    pub fn url(&self, socket: &str) -> String {
        format!("unix://{}", self.path().join(socket).display())
    }

    /// The processes of the servers that run here. The list has those of dead ones, too, and such
    /// a number may be a stranger's by now: a server is where it was started.
    pub fn pids(&self) -> Vec<u32> {
        let list = self.path().join("anykernel");
        let entries = std::fs::read_dir(list).into_iter().flatten().flatten();
        let pid = |name: &str| name.split('-').next()?.parse().ok();
        let pids = entries.filter_map(|entry| pid(&entry.file_name().to_string_lossy()));
        pids.filter(|pid| self.is_here(*pid)).collect()
    }

    fn is_here(&self, pid: u32) -> bool {
        let folder = std::fs::canonicalize(self.path()).unwrap();
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder)
    }

    pub fn signal(&self, signal: Signal) {
        for pid in self.pids() {
            kill_process(Pid::from_raw(pid as i32).unwrap(), signal).unwrap();
        }
    }

    /// Stops all servers, or lets them go on; they have when this is back.
    pub fn stop(&self, stop: bool) {
        self.signal(if stop { Signal::STOP } else { Signal::CONT });
        for pid in self.pids() {
            let stopped = || {
                let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
                status.contains("State:\tT")
            };
            within(10, "a server that stops or goes on", || stopped() == stop);
        }
    }

    /// Ends all servers without asking; nothing of them runs any more.
    pub fn kill(&self) {
        let pids = self.pids();
        for pid in pids {
            // It may have ended.
            let Ok(process) = pidfd_open(Pid::from_raw(pid as i32).unwrap(), PidfdFlags::empty())
            else {
                continue;
            };
            // Looked at while the number is held: it is no stranger's.
            if !self.is_here(pid) {
                continue;
            }
            let _ = pidfd_send_signal(&process, Signal::KILL);
            let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
            let mut dead = [PollFd::new(&process, PollFlags::IN)];
            assert_eq!(poll(&mut dead, Some(&patience)), Ok(1), "a server's death");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a server on TCP; where it listens.
pub fn tcp_url(place: &Place, words: &str) -> String {
    let output = place.start(words);
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A file with a key, called `name`.
pub fn key_file(place: &Place, name: &str) {
    let path = place.path().join(name);
    std::fs::write(&path, format!("{:02x}", name.as_bytes()[0]).repeat(32)).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Asks a kernel to end.
pub fn halt(client: &Client) -> std::io::Result<u64> {
    let words = [0xfee1_dead, 672_274_793, 0x4321_fedc, 0];
    client.call(169, &mut words.map(Argument::Value))
}

/// Waits for something that must come.
pub fn within(seconds: u64, what: &str, mut there: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !there() {
        assert!(Instant::now() < deadline, "{what}: not within {seconds} s");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

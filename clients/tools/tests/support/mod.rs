//! Servers in this process, and the program that talks to them.
//!
//! * [`Network`]: kernels on buses of their own, each with a server.  * [`Network::rump`]: runs a
//!   tool against one of them.  * [`Said`]: what it said.
#![allow(dead_code, reason = "each test uses a part")]

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use base::{Kernel, Options};
use sysproxy::Service;
use sysproxy_linux::{Bell, Server, Stopped};
use tempfile::TempDir;
use transport::{Listen, Listener, Url};

base::kernel!(ROUTER = [net, netinet, shmif, bridge, vlan, dhcp, sysproxy]);

/// Kernels and their servers, on a host of their own.
pub struct Network {
    folder: TempDir,
    host: Arc<linux::Linux>,
    servers: Vec<Served>,
}

/// A server that runs.
struct Served {
    name: String,
    /// Its other end stops it.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<Stopped>>,
}

impl Network {
    pub fn new() -> Network {
        let folder = tempfile::tempdir().unwrap();
        Network { folder, host: linux::Linux::new(), servers: Vec::new() }
    }

    /// With one kernel, called `a`.
    pub fn of_one() -> Network {
        let mut network = Network::new();
        network.boot("a");
        network
    }

    /// Kernels `a`, `b` and `c` in a line: a 10.0.1.1, b 10.0.1.2 and 10.0.2.1, c 10.0.2.2.
    pub fn line() -> Network {
        let mut network = Network::new();
        for name in ["a", "b", "c"] {
            network.boot(name);
        }
        for (name, words) in [
            ("a", "shmif0 create linkstr left inet 10.0.1.1/24"),
            ("b", "shmif0 create linkstr left inet 10.0.1.2/24"),
            ("b", "shmif1 create linkstr right inet 10.0.2.1/24"),
            ("c", "shmif0 create linkstr right inet 10.0.2.2/24"),
        ] {
            network.rump(name, &format!("ifconfig {words}")).succeeds("");
        }
        network.rump("a", "route -q add default 10.0.1.2").succeeds("");
        network.rump("c", "route -q add default 10.0.2.1").succeeds("");
        network
    }

    /// Boots a kernel and serves it.
    pub fn boot(&mut self, name: &str) {
        let options = Options { name, ..Options::default() };
        let kernel = Kernel::boot_with(self.host.clone(), &ROUTER, &options).unwrap();
        let bell = Bell::new().unwrap();
        let service = Service::new(kernel.handle(), bell.clone()).unwrap();
        let url = Url::Unix(self.folder.path().join(name));
        let listener = Listener::listen(&url, Listen::default()).unwrap();
        let (stop, other) = UnixStream::pair().unwrap();
        let thread = std::thread::spawn(move || {
            let mut server = Server::new(service, bell).unwrap();
            server.listen(listener, None).unwrap();
            server.stop_on(OwnedFd::from(other)).unwrap();
            let stopped = server.run().unwrap();
            drop((server, kernel));
            stopped
        });
        let (name, stop, thread) = (name.to_owned(), Some(stop), Some(thread));
        self.servers.push(Served { name, stop, thread });
    }

    /// Waits for a server to end.
    pub fn ended(&mut self, name: &str) -> Stopped {
        let served = self.servers.iter_mut().find(|served| served.name == name).unwrap();
        served.thread.take().unwrap().join().unwrap()
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A tool, against the server of that name.
    pub fn command(&self, name: &str, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rump"));
        command.args(words.split_whitespace()).stdin(Stdio::null()).current_dir(self.path());
        command.env("RUMP_SERVER", format!("unix://{name}"));
        command.env("XDG_RUNTIME_DIR", self.path());
        command
    }

    /// Runs it.
    pub fn rump(&self, name: &str, words: &str) -> Said {
        Said::of(&mut self.command(name, words))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for served in &mut self.servers {
            served.stop = None;
            if let Some(thread) = served.thread.take() {
                let ended = thread.join();
                assert!(std::thread::panicking() || ended.is_ok());
            }
        }
    }
}

/// What a program said.
pub struct Said {
    pub words: String,
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    pub fn of(command: &mut Command) -> Said {
        let words = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let [out, err] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
        Said { words, status: status.code().unwrap_or(-1), out, err }
    }

    /// It did what it should, and said all of that.
    #[track_caller]
    pub fn succeeds(&self, out: &str) {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{}", self.words);
        assert_eq!(self.out, out, "{}", self.words);
    }

    /// It did what it should, and what it said has these in it, in this order.
    #[track_caller]
    pub fn has(&self, parts: &[&str]) -> &Said {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{}: {}", self.words, self.out);
        self.mentions(parts)
    }

    #[track_caller]
    pub fn mentions(&self, parts: &[&str]) -> &Said {
        let mut rest = self.out.as_str();
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else {
                panic!("{}: no \"{part}\" in\n{}", self.words, self.out)
            };
            rest = after;
        }
        self
    }

    /// It did not, and says why.
    #[track_caller]
    pub fn fails(&self, status: i32, says: &str) {
        assert_eq!(self.status, status, "{}: {}", self.words, self.err);
        assert!(self.err.contains(says), "{}: {}", self.words, self.err);
    }

    pub fn json(&self) -> serde_json::Value {
        assert_eq!((self.status, self.err.as_str()), (0, ""), "{}", self.words);
        serde_json::from_str(&self.out).unwrap()
    }
}

/// A place for links to the program.
pub fn links(network: &Network, names: &[&str]) -> PathBuf {
    let folder = network.path().join("bin");
    std::fs::create_dir(&folder).unwrap();
    for name in names {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rump"), folder.join(name)).unwrap();
    }
    folder
}

//! A kernel as a server process: in the background or not, from the first URL to the last client.
//!
//! * [`serve`] is what a server program does once it has read its arguments: it detaches, boots,
//!   listens, tells who started it, serves, and cleans up.
//! * `detach`: the process that goes on, and the one that waits for its word.
//! * `limits`: descriptors for many clients.
//!
//! The program that was started ends as soon as clients can connect, with success; or as soon as
//! they never will, with the reason. The server keeps the working directory, since paths (its
//! socket, buses, keys) are relative to it.
//!
//! Locking: none. Sources: the book, section 3.12; rump_server(1); daemon(7).

mod detach;
mod limits;

use std::fmt::Display;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::io::Errno;
use sysproxy::Service;
use transport::registry::{self, Announced, Entry};
use transport::{Key, Listen, ListenError, Listener, Url};

use crate::{Bell, Server, Stopped};

/// How to serve.
#[derive(Clone, Debug)]
pub struct Daemon<'a> {
    /// The program, for messages.
    pub program: &'a str,
    /// Where clients come in.
    pub url: &'a str,
    /// What the kernel is called, for those who list servers.
    pub kernel: &'a str,
    /// What it is made of, likewise.
    pub components: &'a [&'a str],
    /// Stay in the foreground.
    pub foreground: bool,
    /// The mode of a unix socket.
    pub mode: u32,
    /// To listen on TCP where others can reach it, without a key.
    pub allow_unauthenticated_anywhere: bool,
}

/// What is served: the kernel, kept until the end, and its service.
pub type Served<K> = (K, Arc<Service>);

/// Serves the kernel that `boot` makes; the program's exit code. Must be called before the process
/// has any other thread. An error of `boot` is one sentence.
pub fn serve<K>(
    daemon: &Daemon<'_>,
    boot: impl FnOnce(Arc<Bell>) -> Result<Served<K>, String>,
) -> ExitCode {
    let url = match Url::parse(daemon.url) {
        Ok(url) => url,
        Err(error) => return fail(daemon, &error),
    };
    let mut word = match detach::detach(daemon.foreground) {
        Ok(detach::Side::Server(word)) => word,
        Ok(detach::Side::Starter(outcome)) => {
            return match outcome {
                Ok(()) => ExitCode::SUCCESS,
                // It has said why.
                Err(detach::Failed::Said) => ExitCode::FAILURE,
                Err(detach::Failed::Died(how)) => {
                    fail(daemon, &format!("the server died while it started ({how})"))
                }
            };
        }
        Err(error) => return fail(daemon, &few(error)),
    };
    match start(daemon, &url, boot) {
        Ok(mut started) => {
            word.is_ready();
            started.run(daemon)
        }
        Err(error) => fail(daemon, &error),
    }
}

/// All that a running server has; clients go before the kernel.
struct Started<K> {
    server: Server,
    _kernel: K,
    /// Its place in the list of servers, if it could have one.
    _announced: Option<Announced>,
}

fn start<K>(
    daemon: &Daemon<'_>,
    url: &Url,
    boot: impl FnOnce(Arc<Bell>) -> Result<Served<K>, String>,
) -> Result<Started<K>, String> {
    limits::raise();
    let stop = signals().map_err(few)?;
    // Before anything is there to be cleaned up.
    let key = url.key().map(Key::load).transpose().map_err(|e| e.to_string())?;
    let how = Listen {
        mode: daemon.mode,
        allow_unauthenticated_anywhere: daemon.allow_unauthenticated_anywhere,
        ..Listen::default()
    };
    let bell = Bell::new().map_err(few)?;
    let (kernel, service) = boot(bell.clone())?;
    let mut server = Server::new(service, bell).map_err(few)?;
    server.stop_on(stop).map_err(few)?;
    let listener = Listener::listen(url, how).map_err(|e| match e {
        ListenError::Io { source, .. } if is_few(&source) => few(source),
        error => error.to_string(),
    })?;
    if listener.url() != url {
        // The port is the host's choice, and somebody has to know it.
        let _ = writeln!(std::io::stdout(), "{}", listener.url());
    }
    let announced = announce(daemon, listener.url());
    server.listen(listener, key).map_err(few)?;
    Ok(Started { server, _kernel: kernel, _announced: announced })
}

/// Puts the server on the list of those that run. It serves without that, too.
fn announce(daemon: &Daemon<'_>, url: &Url) -> Option<Announced> {
    let directory = std::env::current_dir().unwrap_or_default();
    let announced = registry::announce(&Entry {
        pid: std::process::id(),
        url: url.absolute().to_string(),
        kernel: daemon.kernel.to_owned(),
        directory: directory.display().to_string(),
        components: daemon.components.iter().map(|name| (*name).to_owned()).collect(),
    });
    announced.map_err(|e| log::warn!("`rump list` will not show this server: {e}")).ok()
}

impl<K> Started<K> {
    fn run(&mut self, daemon: &Daemon<'_>) -> ExitCode {
        match self.server.run() {
            Ok(Stopped::Halted | Stopped::Told) => ExitCode::SUCCESS,
            Ok(Stopped::Gone) => fail(daemon, &"the kernel panicked"),
            Err(error) => fail(daemon, &format!("waiting for clients: {error}")),
        }
    }
}

/// An end of a stream in which signals that end the server arrive.
fn signals() -> std::io::Result<OwnedFd> {
    let (ours, theirs) = UnixStream::pair()?;
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::low_level::pipe::register(signal, theirs.try_clone()?)?;
    }
    Ok(ours.into())
}

/// What it means if the first descriptors, or a process, cannot be had.
fn few(error: std::io::Error) -> String {
    if is_few(&error) {
        format!("too few descriptors to serve ({error}); raise the limit (ulimit -n 1024)")
    } else {
        format!("the system has no room for a server ({error}); look at its limits (ulimit -a)")
    }
}

fn is_few(error: &std::io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(number, Some(Errno::MFILE | Errno::NFILE))
}

fn fail(daemon: &Daemon<'_>, error: &dyn Display) -> ExitCode {
    // Where nobody reads, the exit code must do.
    let _ = writeln!(std::io::stderr(), "{}: error: {error}", daemon.program);
    ExitCode::FAILURE
}

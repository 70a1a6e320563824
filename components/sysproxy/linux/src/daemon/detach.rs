//! Going to the background: a child goes on, its parent waits for one word.
//!
//! The word travels in a pipe, whose end also tells of a child that died. Until the word is given
//! the child has its parent's terminal, so that reasons for failing are read where the command was
//! typed; then its standard streams lead nowhere.
//!
//! Locking: none. Sources: fork(2), setsid(2), daemon(7).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, WaitStatus, waitpid};

/// Which process this is.
pub(super) enum Side {
    /// The one that serves.
    Server(Word),
    /// The one that was started, and how it came out.
    Starter(Result<(), Failed>),
}

/// How starting a server failed.
pub(super) enum Failed {
    /// The server has said why.
    Said,
    /// It could not: how it ended.
    Died(String),
}

/// The word that the server owes to who started it.
pub(super) struct Word(Option<OwnedFd>);

const READY: u8 = b'r';

/// Splits the process, unless it stays in the `foreground`. It must have one thread only.
pub(super) fn detach(foreground: bool) -> io::Result<Side> {
    if foreground {
        return Ok(Side::Server(Word(None)));
    }
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    match fork()? {
        None => {
            drop(ours);
            // Fails only for the leader of a group, which a child is not.
            let _ = rustix::process::setsid();
            Ok(Side::Server(Word(Some(theirs))))
        }
        Some(child) => {
            drop(theirs);
            let mut word = [0];
            let is_ready = loop {
                match File::from(ours.try_clone()?).read(&mut word) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    read => break read.is_ok_and(|n| n == 1),
                }
            };
            Ok(Side::Starter(if is_ready { Ok(()) } else { Err(failed(child)) }))
        }
    }
}

fn failed(child: Pid) -> Failed {
    let status = loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(Some((_, status))) => break Some(status),
            Ok(None) | Err(_) => break None,
        }
    };
    let signal = status.and_then(WaitStatus::terminating_signal);
    match (signal, status.and_then(WaitStatus::exit_status)) {
        (Some(signal), _) => Failed::Died(format!("signal {signal}")),
        (None, Some(101)) => Failed::Died("it panicked".into()),
        (None, Some(_)) => Failed::Said,
        (None, None) => Failed::Died("nobody knows how".into()),
    }
}

impl Word {
    /// Clients can connect: who started the server may go on.
    pub(super) fn is_ready(&mut self) {
        let Some(pipe) = self.0.take() else { return };
        if let Ok(nowhere) = File::options().read(true).write(true).open("/dev/null") {
            // They exist, so there is room for them.
            let _ = rustix::stdio::dup2_stdin(&nowhere);
            let _ = rustix::stdio::dup2_stdout(&nowhere);
            let _ = rustix::stdio::dup2_stderr(&nowhere);
        }
        // Who started it may be dead, and the server serves all the same.
        let _ = File::from(pipe).write_all(&[READY]);
    }
}

/// The child, in the parent; `None` in the child.
#[allow(unsafe_code)]
fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: the process has one thread (`serve` demands it), so that the child has all there is:
    // no lock is held by a thread that does not come along.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        child => Ok(Pid::from_raw(child)),
    }
}

//! The two directions of a connection: messages out, bytes in.
//!
//! * [`Writer`]: a message leaves in one system call, if the socket has room.  * [`Reader`]:
//!   small answers come in one read; large ones go straight to where they belong.
//!
//! Over a sealed stream both go through a buffer.
//!
//! Locking: the connection holds a writer or a reader for as long as it uses it.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use transport::{Opener, Sealer, Timeout};

use crate::memory::{Fault, Memory, Message};

/// Why a connection has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// The server is gone.
    Lost,
    /// The server makes no sense.
    Malformed,
}

impl From<wire::Malformed> for Ended {
    fn from(_: wire::Malformed) -> Self {
        Ended::Malformed
    }
}

/// Why a message was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Unsent {
    /// A signal came first.
    Interrupted,
    /// Its memory is not there.
    Fault,
    /// The connection has ended. Nobody has seen the whole message.
    Ended,
}

/// Where messages leave.
#[derive(Default)]
pub(crate) struct Writer {
    sealer: Option<Sealer>,
    plain: Vec<u8>,
    sealed: Vec<u8>,
}

impl Writer {
    pub(crate) fn new(sealer: Option<Sealer>) -> Self {
        Self { sealer, ..Self::default() }
    }

    /// Sends all of a message, or nothing, or ends the connection. `own`: its memory may not be
    /// there.
    pub(crate) fn send(
        &mut self,
        fd: BorrowedFd<'_>,
        message: &mut Message<'_>,
        own: bool,
    ) -> Result<(), Unsent> {
        let Some(sealer) = &mut self.sealer else { return send_plain(fd, message) };
        self.plain.clear();
        self.sealed.clear();
        message.copy_to(&mut self.plain, own).map_err(|Fault| Unsent::Fault)?;
        sealer.send(&self.plain, &mut self.sealed).map_err(|_| Unsent::Ended)?;
        let mut left = self.sealed.as_slice();
        while !left.is_empty() {
            match rustix::net::send(fd, left, SendFlags::NOSIGNAL) {
                Ok(n) => left = left.get(n..).unwrap_or_default(),
                // The record's number is used up: it has to go out.
                Err(Errno::INTR) => {}
                Err(_) => return end(fd),
            }
        }
        Ok(())
    }
}

fn send_plain(fd: BorrowedFd<'_>, message: &mut Message<'_>) -> Result<(), Unsent> {
    let mut begun = false;
    while message.len() > 0 {
        match message.send(fd) {
            Ok(_) => begun = true,
            Err(Errno::INTR) if begun => {}
            Err(Errno::INTR) => return Err(Unsent::Interrupted),
            Err(Errno::FAULT) if !begun => return Err(Unsent::Fault),
            Err(_) => return end(fd),
        }
    }
    Ok(())
}

/// Half a message may be out, so there can be no other.
fn end(fd: BorrowedFd<'_>) -> Result<(), Unsent> {
    // If that fails there is no connection to end.
    let _ = rustix::net::shutdown(fd, Shutdown::Both);
    Err(Unsent::Ended)
}

/// Bytes that are read ahead.
const AHEAD: usize = 16 << 10;

/// What is read ahead where much is to come that has a place already.
const GLANCE: usize = 256;

/// Where messages come in.
pub(crate) struct Reader {
    opener: Option<Opener>,
    sealed: Vec<u8>,
    data: Vec<u8>,
    start: usize,
    end: usize,
    deadline: Option<Instant>,
}

/// What is told of a signal that came while something was waited for.
pub(crate) type OnSignal<'a> = &'a mut dyn FnMut();

impl Reader {
    pub(crate) fn new(opener: Option<Opener>) -> Self {
        let (sealed, data) = if opener.is_some() { (AHEAD, 0) } else { (0, AHEAD) };
        Self {
            opener,
            sealed: vec![0; sealed],
            data: vec![0; data],
            start: 0,
            end: 0,
            deadline: None,
        }
    }

    /// From when on nothing more is waited for: the stream is then lost.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    fn buffered(&self) -> &[u8] {
        self.data.get(self.start..self.end).unwrap_or_default()
    }

    fn consume(&mut self, n: usize) {
        self.start += n;
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
            if self.opener.is_some() {
                self.data.clear();
            }
        }
    }

    /// Reads once, at most `most` bytes if that is in our hands.
    fn fill(&mut self, fd: BorrowedFd<'_>, most: usize, signal: OnSignal<'_>) -> Result<(), Ended> {
        if self.start > 0 {
            self.data.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        loop {
            if let Some(deadline) = self.deadline
                && (Instant::now() >= deadline || Timeout::set(fd, deadline).is_err())
            {
                return Err(Ended::Lost);
            }
            let room = if self.opener.is_some() {
                self.sealed.as_mut_slice()
            } else {
                let upto = self.data.len().min(self.end.saturating_add(most));
                self.data.get_mut(self.end..upto).unwrap_or_default()
            };
            match rustix::net::recv(fd, room, RecvFlags::empty()) {
                Ok((_, 0)) => return Err(Ended::Lost),
                Ok((_, n)) => {
                    let Some(opener) = &mut self.opener else {
                        self.end += n;
                        return Ok(());
                    };
                    self.data.truncate(self.end);
                    let raw = self.sealed.get(..n).unwrap_or_default();
                    opener.receive(raw, &mut self.data).map_err(|_| Ended::Malformed)?;
                    self.end = self.data.len();
                    return Ok(());
                }
                Err(Errno::INTR) => signal(),
                Err(_) => return Err(Ended::Lost),
            }
        }
    }

    /// The next `N` bytes. `much`: what follows has a place already.
    pub(crate) fn take<const N: usize>(
        &mut self,
        fd: BorrowedFd<'_>,
        much: bool,
        signal: OnSignal<'_>,
    ) -> Result<[u8; N], Ended> {
        loop {
            if let Some(bytes) = self.buffered().first_chunk::<N>() {
                let bytes = *bytes;
                self.consume(N);
                return Ok(bytes);
            }
            self.fill(fd, if much { GLANCE } else { AHEAD }, signal)?;
        }
    }

    /// The next `len` bytes, into `to`, which loses what it had.
    pub(crate) fn take_to(
        &mut self,
        fd: BorrowedFd<'_>,
        len: usize,
        to: &mut Vec<u8>,
        signal: OnSignal<'_>,
    ) -> Result<(), Ended> {
        to.clear();
        while to.len() < len {
            if self.buffered().is_empty() {
                self.fill(fd, AHEAD, signal)?;
            }
            let have = self.buffered().len().min(len - to.len());
            to.extend_from_slice(self.buffered().get(..have).unwrap_or_default());
            self.consume(have);
        }
        Ok(())
    }

    /// The next `len` bytes, to where they belong. They are taken off the stream in any case.
    pub(crate) fn store(
        &mut self,
        fd: BorrowedFd<'_>,
        memory: &mut Memory<'_>,
        addr: u64,
        len: usize,
        signal: OnSignal<'_>,
    ) -> Result<Result<(), Fault>, Ended> {
        let (mut done, mut result) = (0, Ok(()));
        while done < len {
            let at = addr.wrapping_add(done as u64);
            let have = self.buffered().len().min(len - done);
            if have > 0 {
                if result.is_ok() {
                    result = memory.store(at, self.buffered().get(..have).unwrap_or_default());
                }
                self.consume(have);
                done += have;
            } else if result.is_ok() && self.opener.is_none() {
                match memory.receive(fd, at, len - done) {
                    Ok(0) => return Err(Ended::Lost),
                    Ok(n) => done += n,
                    Err(Errno::FAULT) => result = Err(Fault),
                    Err(Errno::INTR) => signal(),
                    Err(_) => return Err(Ended::Lost),
                }
            } else {
                self.fill(fd, AHEAD, signal)?;
            }
        }
        Ok(result)
    }
}

/// Ends a connection from our side: whoever waits on it notices.
pub(crate) fn hang_up(fd: impl AsFd) {
    // If that fails there is no connection to end.
    let _ = rustix::net::shutdown(fd, Shutdown::Both);
}

//! A client's bytes, in the open or sealed.
//!
//! * [`Pipe::receive`]: what the client says, into a buffer that all share.
//! * [`Pipe`] is the session's [`Transport`]: it takes what the socket takes. Of a sealed stream one
//!   piece may wait here, since a record that was made has to leave.
//!
//! Locking: none. Sources: send(2), recv(2).

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use sysproxy::Transport;
use transport::{Key, Sealed};

/// Bytes that are sealed in one go.
const PIECE: usize = 64 << 10;

/// The client is gone, or cannot be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Closed {
    /// It ended the connection.
    HungUp,
    /// It does not have the key, or somebody meddles.
    Sealing,
}

/// A client's socket.
pub(crate) struct Pipe {
    socket: OwnedFd,
    seal: Option<Box<Seal>>,
    broken: bool,
}

struct Seal {
    sealed: Sealed,
    /// Records on their way.
    leaving: Vec<u8>,
    /// How many of their bytes have left.
    left: usize,
}

/// Bytes for all clients in turn.
pub(crate) struct Scratch {
    raw: Vec<u8>,
    plain: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { raw: vec![0; PIECE], plain: Vec::new() }
    }
}

impl Pipe {
    pub(crate) fn new(socket: OwnedFd, key: Option<&Key>) -> Pipe {
        let seal = key.map(|key| {
            Box::new(Seal { sealed: Sealed::server(key), leaving: Vec::new(), left: 0 })
        });
        Pipe { socket, seal, broken: false }
    }

    /// Reads once, `most` bytes at most; of a sealed stream, whose pieces can only be opened whole, as many as there
    /// are. Empty: nothing is there, or nothing that says something yet.
    pub(crate) fn receive<'a>(
        &mut self,
        scratch: &'a mut Scratch,
        most: usize,
    ) -> Result<&'a [u8], Closed> {
        let most = if self.seal.is_some() { PIECE } else { most.min(PIECE) };
        let n = loop {
            let place = scratch.raw.get_mut(..most).unwrap_or_default();
            match recv(&self.socket, place, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Err(Closed::HungUp),
                Ok((_, n)) => break n,
                Err(Errno::AGAIN) => return Ok(&[]),
                Err(Errno::INTR) => {}
                Err(_) => return Err(Closed::HungUp),
            }
        };
        let raw = scratch.raw.get(..n).unwrap_or_default();
        let Some(seal) = &mut self.seal else { return Ok(raw) };
        scratch.plain.clear();
        seal.sealed.receive(raw, &mut scratch.plain).map_err(|_| Closed::Sealing)?;
        let handshake = seal.sealed.outgoing();
        if !handshake.is_empty() {
            seal.leaving.append(handshake);
            self.flush();
        }
        Ok(&scratch.plain)
    }

    /// Whether the client has shown that it may speak.
    pub(crate) fn is_established(&self) -> bool {
        self.seal.as_ref().is_none_or(|seal| seal.sealed.is_established())
    }

    /// Whether records wait to leave.
    pub(crate) fn is_leaving(&self) -> bool {
        self.seal.as_ref().is_some_and(|seal| seal.left < seal.leaving.len())
    }

    /// Sends the records that wait; whether all have left.
    pub(crate) fn flush(&mut self) -> bool {
        let Some(seal) = &mut self.seal else { return true };
        while let Some(rest @ [_, ..]) = seal.leaving.get(seal.left..) {
            match push(&self.socket, rest) {
                Ok(0) => return false,
                Ok(n) => seal.left += n,
                Err(Closed::HungUp | Closed::Sealing) => {
                    self.broken = true;
                    break;
                }
            }
        }
        seal.leaving.clear();
        seal.left = 0;
        true
    }

    /// Whether the socket failed when something was sent.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }
}

impl Transport for Pipe {
    fn send(&mut self, bytes: &[u8]) -> usize {
        if self.broken {
            // Nobody reads it. The connection is closed as soon as the session lets go.
            return bytes.len();
        }
        if self.seal.is_none() {
            return push(&self.socket, bytes).unwrap_or_else(|_| {
                self.broken = true;
                bytes.len()
            });
        }
        if !self.flush() {
            return 0;
        }
        let piece = bytes.get(..bytes.len().min(PIECE)).unwrap_or_default();
        let Some(seal) = &mut self.seal else { return 0 };
        if seal.sealed.send(piece, &mut seal.leaving).is_err() {
            self.broken = true;
            return bytes.len();
        }
        self.flush();
        piece.len()
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Sends what can be sent now.
fn push(socket: &OwnedFd, bytes: &[u8]) -> Result<usize, Closed> {
    loop {
        match send(socket, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(n) => return Ok(n),
            Err(Errno::AGAIN) => return Ok(0),
            Err(Errno::INTR) => {}
            Err(_) => return Err(Closed::HungUp),
        }
    }
}

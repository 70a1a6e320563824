//! How a connection begins: keys if there are any, Hello, Welcome.
//!
//! Bounded in time by a deadline, and in size by the protocol.
//!
//! Locking: none. Sources: PROTOCOL.md of `wire`; the book, section 3.12 (guest, fork, exec).

use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use transport::{Key, Opener, Sealed, Sealer, Timeout, Url};
use wire::{HEADER_LEN, Header, Hello, How, Kind, Refused, Welcome};

use crate::connection::Welcomed;
use crate::memory::Message;
use crate::stream::{Ended, Reader, Unsent, Writer};
use crate::{Error, First, first};

/// The longest name: a Hello has 26 bytes beside it.
const MAX_NAME: usize = wire::MAX_HELLO - HEADER_LEN - 26;

/// Connects to the server at `url` and becomes a process of its kernel.
pub(crate) fn connect(
    url: &Url,
    how: How,
    name: &str,
    deadline: Instant,
    first: &mut [First<'_, '_>],
) -> Result<Welcomed, Error> {
    let key = url.key().map(Key::load).transpose()?;
    let fd = transport::connect(url, deadline)?;
    let ends = key.map(|key| seal(&fd, &key, deadline)).transpose()?;
    greet(fd, ends, how, name, deadline, first)
}

/// Says Hello on a stream, and makes the calls that come first.
pub(crate) fn greet(
    fd: OwnedFd,
    ends: Option<(Sealer, Opener)>,
    how: How,
    name: &str,
    deadline: Instant,
    first: &mut [First<'_, '_>],
) -> Result<Welcomed, Error> {
    let sealed = ends.is_some();
    let (sealer, opener) = ends.unzip();
    let (mut writer, mut reader) = (Writer::new(sealer), Reader::new(opener));
    let mut hello = vec![0; HEADER_LEN];
    // What does not fit of a name is left away.
    let name = name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or_default();
    let Ok(()) = Hello { version: wire::VERSION, how, name }.write(&mut hello);
    let header = Header::new(Kind::Hello, 1, hello.len() - HEADER_LEN);
    hello.splice(..HEADER_LEN, header.to_bytes());
    first::send(first, &mut hello);
    let timeout = Timeout::set(fd.as_fd(), deadline).map_err(io)?;
    loop {
        let mut message = Message::new();
        message.bytes(&hello);
        match writer.send(fd.as_fd(), &mut message, false) {
            Ok(()) => break,
            Err(Unsent::Interrupted) => {}
            Err(_) => return Err(late(deadline, Error::HungUp)),
        }
    }
    reader.set_deadline(Some(deadline));
    let (kind, body) = answer(&fd, &mut reader).map_err(|ended| match ended {
        Ended::Lost => late(deadline, Error::HungUp),
        Ended::Malformed => Error::Malformed,
    })?;
    if kind == Kind::Welcome {
        first::receive(first, &fd, &mut reader).map_err(|ended| match ended {
            Ended::Lost => late(deadline, Error::HungUp),
            Ended::Malformed => Error::Malformed,
        })?;
    }
    reader.set_deadline(None);
    timeout.clear().map_err(io)?;
    match kind {
        Kind::Welcome => {
            let Welcome { version, pid, kernel, calls } =
                Welcome::parse(&body).map_err(|_| Error::Malformed)?;
            if version != wire::VERSION {
                return Err(Error::Version { theirs: version });
            }
            let (kernel, calls) = (kernel.to_owned(), calls.iter().collect());
            Ok(Welcomed { fd, pid, kernel, calls, writer, reader, sealed })
        }
        Kind::Refused => {
            let Refused { error, reason } = Refused::parse(&body).map_err(|_| Error::Malformed)?;
            let errno = i32::try_from(error).unwrap_or(Errno::IO.raw_os_error());
            Err(Error::Refused { errno, reason: reason.to_owned() })
        }
        _ => Err(Error::Malformed),
    }
}

/// The answer to a Hello. After an exec, those to requests of the old program may come first.
fn answer(fd: &OwnedFd, reader: &mut Reader) -> Result<(Kind, Vec<u8>), Ended> {
    let (mut body, signal) = (Vec::new(), &mut || {});
    loop {
        let header = Header::parse(&reader.take(fd.as_fd(), false, signal)?)?;
        reader.take_to(fd.as_fd(), header.body_len(), &mut body, signal)?;
        if !matches!(header.kind, Kind::Return | Kind::Copyin) {
            return Ok((header.kind, body));
        }
    }
}

/// Proves to each other that both have the key.
fn seal(fd: &OwnedFd, key: &Key, deadline: Instant) -> Result<(Sealer, Opener), Error> {
    let mut sealed = Sealed::client(key);
    let (mut raw, mut plain) = ([0; 256], Vec::new());
    while !sealed.is_established() {
        let timeout = Timeout::set(fd.as_fd(), deadline).map_err(io)?;
        let mut outgoing = std::mem::take(sealed.outgoing());
        while !outgoing.is_empty() {
            match rustix::net::send(fd, &outgoing, SendFlags::NOSIGNAL) {
                Ok(n) => drop(outgoing.drain(..n)),
                Err(Errno::INTR) => {}
                Err(_) => return Err(late(deadline, Error::KeyRefused)),
            }
        }
        let n = match rustix::net::recv(fd, &mut raw, RecvFlags::empty()) {
            // A server that does not know the key says nothing.
            Ok((_, 0)) => return Err(Error::KeyRefused),
            Ok((_, n)) => n,
            Err(Errno::INTR) => 0,
            Err(_) => return Err(late(deadline, Error::KeyRefused)),
        };
        timeout.clear().map_err(io)?;
        let got = raw.get(..n).unwrap_or_default();
        sealed.receive(got, &mut plain).map_err(|_| Error::KeyRefused)?;
    }
    if !plain.is_empty() {
        return Err(Error::Malformed);
    }
    sealed.split().map_err(|_| Error::KeyRefused)
}

/// What went wrong, unless it was the time.
fn late(deadline: Instant, otherwise: Error) -> Error {
    if Instant::now() >= deadline { Error::TimedOut } else { otherwise }
}

fn io(e: Errno) -> Error {
    let e = std::io::Error::from(e);
    if e.kind() == ErrorKind::TimedOut { Error::TimedOut } else { Error::Io(e) }
}

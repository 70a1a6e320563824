//! The client's end of a stream.
//!
//! * [`connect`] makes one; the socket is blocking and closed at exec.
//! * [`Timeout`]: a deadline for what is read and written next, as for a handshake.
//!
//! Locking: none. Sources: unix(7) and tcp(7): SO_SNDTIMEO also bounds connect.

use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout as Direction};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};

use crate::url::ANY;
use crate::{ConnectError, Url, tcp};

/// Connects to the server at `url`, by `deadline` at the latest.
pub fn connect(url: &Url, deadline: Instant) -> Result<OwnedFd, ConnectError> {
    match url {
        Url::Unix(path) => unix(url, path, deadline),
        Url::Tcp { host, .. } if host == ANY => Err(ConnectError::AnyAddress),
        Url::Tcp { host, port, .. } => {
            let mut last = ConnectError::UnknownHost { host: host.clone() };
            for addr in tcp::resolve(host, *port) {
                match tcp(addr, deadline) {
                    Ok(fd) => return Ok(fd),
                    Err(e) => last = told(url, e),
                }
            }
            Err(last)
        }
    }
}

fn unix(url: &Url, path: &Path, deadline: Instant) -> Result<OwnedFd, ConnectError> {
    let attempt = || -> Result<OwnedFd, Errno> {
        let addr = SocketAddrUnix::new(path)?;
        let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
        let fd = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        let timeout = Timeout::set(fd.as_fd(), deadline)?;
        retried(|| rustix::net::connect(&fd, &addr))?;
        timeout.clear()?;
        Ok(fd)
    };
    attempt().map_err(|e| match e {
        Errno::ACCESS | Errno::PERM => ConnectError::Denied { path: path.into() },
        e => told(url, e),
    })
}

fn tcp(addr: SocketAddrV4, deadline: Instant) -> Result<OwnedFd, Errno> {
    let fd = tcp::socket().map_err(errno)?;
    let timeout = Timeout::set(fd.as_fd(), deadline)?;
    match rustix::net::connect(&fd, &addr) {
        // A signal does not stop TCP from connecting; to ask again is to wait for it.
        Err(Errno::INTR) => match retried(|| rustix::net::connect(&fd, &addr)) {
            Err(Errno::ISCONN) => {}
            done => done?,
        },
        done => done?,
    }
    timeout.clear()?;
    Ok(fd)
}

fn told(url: &Url, e: Errno) -> ConnectError {
    let (url, source) = (url.to_string(), io::Error::from(e));
    match e {
        Errno::NOENT | Errno::NOTDIR | Errno::CONNREFUSED => ConnectError::NoServer { url, source },
        // What SO_SNDTIMEO answers: unix, and TCP.
        Errno::AGAIN | Errno::INPROGRESS | Errno::ALREADY | Errno::TIMEDOUT => {
            ConnectError::TimedOut { url }
        }
        _ => ConnectError::Io { url, source },
    }
}

fn errno(e: io::Error) -> Errno {
    Errno::from_io_error(&e).unwrap_or(Errno::IO)
}

pub(crate) fn retried<T>(mut f: impl FnMut() -> rustix::io::Result<T>) -> rustix::io::Result<T> {
    loop {
        match f() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

/// A deadline on a blocking socket: calls on it fail with EAGAIN once it has passed.
#[derive(Clone, Copy, Debug)]
pub struct Timeout<'a>(BorrowedFd<'a>);

impl<'a> Timeout<'a> {
    /// Sets it. To be set again before each call, since each would wait as long.
    pub fn set(fd: BorrowedFd<'a>, deadline: Instant) -> rustix::io::Result<Self> {
        let left = deadline.saturating_duration_since(Instant::now());
        // No time at all would mean no timeout.
        let left = Some(left.max(Duration::from_micros(1)));
        sockopt::set_socket_timeout(fd, Direction::Send, left)?;
        sockopt::set_socket_timeout(fd, Direction::Recv, left)?;
        Ok(Self(fd))
    }

    /// Takes it off.
    pub fn clear(self) -> rustix::io::Result<()> {
        sockopt::set_socket_timeout(self.0, Direction::Send, None)?;
        sockopt::set_socket_timeout(self.0, Direction::Recv, None)
    }
}

//! Why there is no connection, and what to do about it.
//!
//! Calls have the kernel's error numbers, as `std::io::Error` has them; making a connection has
//! more to say.
//!
//! Locking: none.

use std::fmt;
use std::io;

use rustix::io::Errno;
use transport::{ConnectError, KeyError, UrlError};

/// Why there is no connection.
#[derive(Debug)]
pub enum Error {
    /// The environment names no server.
    NoUrl,
    /// The URL is wrong.
    Url(UrlError),
    /// Nobody can be reached there.
    Connect(ConnectError),
    /// The key cannot be had.
    Key(KeyError),
    /// The server did not prove that it has our key.
    KeyRefused,
    /// The server said no.
    Refused {
        /// The error's number, Linux's.
        errno: i32,
        /// The server's reason.
        reason: String,
    },
    /// The server speaks another version.
    Version {
        /// Which.
        theirs: u16,
    },
    /// What is there does not speak our protocol.
    Malformed,
    /// The server hung up during the handshake.
    HungUp,
    /// The handshake took too long.
    TimedOut,
    /// Something that the host says.
    Io(io::Error),
}

impl Error {
    /// The error's number.
    pub fn errno(&self) -> i32 {
        let errno = match self {
            Self::NoUrl => Errno::NOENT,
            Self::Url(_) => Errno::INVAL,
            Self::Connect(e) => return e.errno(),
            Self::Key(KeyError::Io { source, .. }) | Self::Io(source) => {
                return source.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
            }
            Self::Key(_) | Self::KeyRefused => Errno::ACCESS,
            Self::Refused { errno, .. } => return *errno,
            Self::Version { .. } => Errno::PROTONOSUPPORT,
            Self::Malformed => Errno::PROTO,
            Self::HungUp => Errno::CONNRESET,
            Self::TimedOut => Errno::TIMEDOUT,
        };
        errno.raw_os_error()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl => f.write_str(
                "no server is named; set RUMP_SERVER to its URL, as in RUMP_SERVER=unix://sock",
            ),
            Self::Url(e) => e.fmt(f),
            Self::Connect(e) => e.fmt(f),
            Self::Key(e) => e.fmt(f),
            Self::KeyRefused => f.write_str(
                "the server does not have our key, or none at all; copy its key file, \
                 or leave ?key=FILE out if it has none",
            ),
            Self::Refused { errno, reason } => {
                write!(f, "the server refused: {reason} (error {errno})")
            }
            Self::Version { theirs } => write!(
                f,
                "the server speaks version {theirs} of the protocol, this program {}; \
                 build both from the same source",
                wire::VERSION
            ),
            Self::Malformed => {
                f.write_str("what answers there does not speak our protocol; check the URL")
            }
            Self::HungUp => f.write_str(
                "the server hung up during the handshake; is it one with ?key=FILE, \
                 or is it being halted?",
            ),
            Self::TimedOut => f.write_str(
                "the server did not finish the handshake in time; it may be stopped or overloaded",
            ),
            Self::Io(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<UrlError> for Error {
    fn from(e: UrlError) -> Self {
        Self::Url(e)
    }
}

impl From<ConnectError> for Error {
    fn from(e: ConnectError) -> Self {
        Self::Connect(e)
    }
}

impl From<KeyError> for Error {
    fn from(e: KeyError) -> Self {
        Self::Key(e)
    }
}

impl From<Error> for io::Error {
    fn from(e: Error) -> Self {
        io::Error::new(io::Error::from_raw_os_error(e.errno()).kind(), e)
    }
}

//! What can go wrong, and what to do about it.
//!
//! Each error says both in one line; [`ConnectError::errno`] and its like give Linux's number.
//!
//! Locking: none.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use rustix::io::Errno;

/// What is wrong with a URL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UrlError {
    /// It has no `://`.
    NoScheme {
        /// The text.
        text: String,
    },
    /// Its scheme is none of ours.
    Scheme {
        /// The scheme.
        scheme: String,
        /// The one that may have been meant.
        nearest: Option<&'static str>,
    },
    /// `unix://` and nothing.
    NoPath,
    /// A path with a zero byte.
    Zero,
    /// A path that no socket can have.
    PathTooLong {
        /// Its length.
        len: usize,
    },
    /// No port.
    NoPort {
        /// The host.
        host: String,
    },
    /// No port that exists.
    Port {
        /// Host and port.
        place: String,
    },
    /// No host name and no IPv4 address.
    Host {
        /// What is there.
        host: String,
    },
    /// An IPv6 address.
    Ipv6,
    /// An option that does not exist.
    Option {
        /// The option.
        option: String,
    },
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme { text } => {
                write!(f, "\"{text}\" is not a URL; for a socket file write unix://{text}")
            }
            Self::Scheme { scheme, nearest: Some(nearest) } => {
                write!(f, "unknown scheme \"{scheme}\"; did you mean {nearest}://?")
            }
            Self::Scheme { scheme, nearest: None } => {
                write!(f, "unknown scheme \"{scheme}\"; write unix://path or tcp://host:port")
            }
            Self::NoPath => f.write_str("no path; write unix://path"),
            Self::Zero => f.write_str("a path cannot have a zero byte"),
            Self::PathTooLong { len } => write!(
                f,
                "the path has {len} bytes, and a unix socket's ends before byte 108; \
                 use one relative to the working directory (unix://name), or a shorter directory"
            ),
            Self::NoPort { host } => write!(f, "no port; write tcp://{host}:PORT"),
            Self::Port { place } => {
                write!(f, "\"{place}\" has no valid port: a number from 0 to 65535")
            }
            Self::Host { host } => write!(
                f,
                "\"{host}\" is no host; write a name or an IPv4 address (a server: 0 for any)"
            ),
            Self::Ipv6 => f.write_str("IPv6 is not supported yet; use a name or an IPv4 address"),
            Self::Option { option } => {
                write!(f, "unknown option \"{option}\"; the only one is key=FILE, once")
            }
        }
    }
}

impl Error for UrlError {}

/// Why there is no connection.
#[derive(Debug)]
pub enum ConnectError {
    /// Nobody is there: no socket file, or a port without a listener.
    NoServer {
        /// The URL.
        url: String,
        /// What the host says.
        source: io::Error,
    },
    /// The socket file is another user's.
    Denied {
        /// The path.
        path: PathBuf,
    },
    /// A host name that means nothing, or has no IPv4 address.
    UnknownHost {
        /// The name.
        host: String,
    },
    /// `0` or `*`, which only a server can mean.
    AnyAddress,
    /// No answer in time.
    TimedOut {
        /// The URL.
        url: String,
    },
    /// Something else.
    Io {
        /// The URL.
        url: String,
        /// What the host says.
        source: io::Error,
    },
}

impl ConnectError {
    /// The error's number.
    pub fn errno(&self) -> i32 {
        let errno = match self {
            Self::NoServer { source, .. } | Self::Io { source, .. } => {
                return source.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
            }
            Self::Denied { .. } => Errno::ACCESS,
            Self::UnknownHost { .. } => Errno::HOSTUNREACH,
            Self::AnyAddress => Errno::INVAL,
            Self::TimedOut { .. } => Errno::TIMEDOUT,
        };
        errno.raw_os_error()
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoServer { url, source } => {
                write!(f, "no server at {url} ({source}); is it running? try `rump list`")
            }
            Self::Denied { path } => write!(
                f,
                "no permission for {}: it is its owner's; ask them to open its mode",
                path.display()
            ),
            Self::UnknownHost { host } => {
                write!(f, "the host \"{host}\" is unknown, or has no IPv4 address")
            }
            Self::AnyAddress => f.write_str(
                "\"any address\" is for a server; a client names one: tcp://127.0.0.1:PORT",
            ),
            Self::TimedOut { url } => {
                write!(f, "{url} does not answer in time; it may be stopped or overloaded")
            }
            Self::Io { url, source } => write!(f, "cannot connect to {url}: {source}"),
        }
    }
}

impl Error for ConnectError {}

/// Why a server cannot listen.
#[derive(Debug)]
pub enum ListenError {
    /// A live server has this address.
    InUse {
        /// The URL.
        url: String,
    },
    /// A file that is no socket stands in the way.
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The directory does not exist.
    NoDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory, or the port, is not for this user.
    Denied {
        /// What.
        place: String,
    },
    /// Somebody holds the directory's lock and does not give it back.
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// The machine has no such address.
    NoSuchAddress {
        /// The host.
        host: String,
    },
    /// Others could reach the server, and nothing would say who they are.
    Unauthenticated {
        /// The address.
        addr: SocketAddr,
    },
    /// Something else.
    Io {
        /// The URL.
        url: String,
        /// What the host says.
        source: io::Error,
    },
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { url } => {
                write!(f, "another server listens on {url}; halt it, or choose another URL")
            }
            Self::NotASocket { path } => write!(
                f,
                "{} exists and is no socket; it is left alone: choose another path",
                path.display()
            ),
            Self::NoDirectory { directory } => {
                write!(f, "there is no directory {}; make it first", directory.display())
            }
            Self::Denied { place } => {
                write!(f, "no permission for {place}; choose another place")
            }
            Self::Locked { directory } => write!(
                f,
                "somebody keeps {} locked (flock); use a directory of your own",
                directory.display()
            ),
            Self::NoSuchAddress { host } => {
                write!(f, "this machine has no address \"{host}\"; 127.0.0.1 is itself, 0 is any")
            }
            Self::Unauthenticated { addr } => write!(
                f,
                "{addr} can be reached by others, unauthenticated; add ?key=FILE, or use 127.0.0.1"
            ),
            Self::Io { url, source } => write!(f, "cannot listen on {url}: {source}"),
        }
    }
}

impl Error for ListenError {}

/// Why there is no key.
#[derive(Debug)]
pub enum KeyError {
    /// The file cannot be read or made.
    Io {
        /// The path.
        path: PathBuf,
        /// What the host says.
        source: io::Error,
    },
    /// Others may read it, so it is no secret.
    Public {
        /// The path.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It holds something else.
    Form {
        /// The path.
        path: PathBuf,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "key file {}: {source}", path.display()),
            Self::Public { path, mode } => write!(
                f,
                "key file {0} can be used by others (mode {mode:o}); \
                 if nobody has read it: chmod 600 {0}",
                path.display()
            ),
            Self::Form { path } => write!(
                f,
                "key file {} holds no key: 64 hexadecimal digits, or 32 bytes",
                path.display()
            ),
        }
    }
}

impl Error for KeyError {}

/// Why a sealed stream has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SealError {
    /// The other side does not have our key.
    WrongKey,
    /// What came was not sent by the other side, or was changed on the way.
    Forged,
    /// Nothing can be sent before the other side has proved itself.
    Early,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongKey => "the other side has another key, or none",
            Self::Forged => "the encrypted stream was changed on its way",
            Self::Early => "the other side has not proved yet that it has the key",
        })
    }
}

impl Error for SealError {}

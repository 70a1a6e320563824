//! The server's end: where clients come in, and who they are.
//!
//! Locking: none but [`SocketFile`]'s. Sources: unix(7) (SO_PEERCRED).

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketFlags, SocketType, socket_with, sockopt};

use crate::connect::retried;
use crate::socket_file::SocketFile;
use crate::{ListenError, Url, tcp};

/// How to listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    /// The mode of the socket file: who may connect.
    pub mode: u32,
    /// How many may wait to be accepted.
    pub backlog: i32,
    /// To listen on TCP where others can reach it, without a key. Whoever connects is the kernel's
    /// nobody, and anybody can read along.
    pub allow_unauthenticated_anywhere: bool,
}

impl Default for Listen {
    fn default() -> Self {
        Self { mode: 0o600, backlog: 1024, allow_unauthenticated_anywhere: false }
    }
}

/// Who is at the other end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Peer {
    /// A process of this machine, as it was when it connected. A user of 65534 may be one that
    /// this user namespace does not know.
    Local {
        /// Its process.
        pid: Option<u32>,
        /// Its user.
        uid: u32,
        /// Its group.
        gid: u32,
    },
    /// Somebody at this address.
    Tcp(SocketAddr),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Local { pid: Some(pid), uid, .. } => write!(f, "process {pid} of user {uid}"),
            Peer::Local { pid: None, uid, .. } => write!(f, "a process of user {uid}"),
            Peer::Tcp(addr) => addr.fmt(f),
        }
    }
}

/// Where clients come in. Non-blocking: wait with its descriptor. Its socket file goes when it is
/// dropped.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    url: Url,
    file: Option<SocketFile>,
}

impl Listener {
    /// Listens at `url`; on port 0, at one that the host chooses.
    pub fn listen(url: &Url, how: Listen) -> Result<Listener, ListenError> {
        match url {
            Url::Unix(path) => {
                let (fd, file) = SocketFile::listen(path, how.mode, how.backlog)?;
                Ok(Self { fd, url: url.clone(), file: Some(file) })
            }
            Url::Tcp { host, port, key } => {
                let authenticated = key.is_some() || how.allow_unauthenticated_anywhere;
                let (fd, port) = tcp_listener(url, host, *port, authenticated, how.backlog)?;
                let url = Url::Tcp { host: host.clone(), port, key: key.clone() };
                Ok(Self { fd, url, file: None })
            }
        }
    }

    /// Where it listens, the port filled in.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The next client that waits, if one does. Its socket is non-blocking.
    ///
    /// EMFILE and the like are errors: the client goes on waiting, and the descriptor stays ready.
    pub fn accept(&self) -> io::Result<Option<(OwnedFd, Peer)>> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (fd, from) = loop {
            match rustix::net::acceptfrom_with(&self.fd, flags) {
                Ok(accepted) => break accepted,
                Err(Errno::AGAIN) => return Ok(None),
                // It gave up while it waited (accept(2) has the list).
                Err(Errno::INTR | Errno::CONNABORTED | Errno::PROTO | Errno::NETDOWN) => {}
                Err(e) => return Err(e.into()),
            }
        };
        let peer = match &self.url {
            Url::Unix(_) => {
                let who = sockopt::socket_peercred(&fd)?;
                let pid = u32::try_from(who.pid.as_raw_nonzero().get()).ok();
                Peer::Local { pid, uid: who.uid.as_raw(), gid: who.gid.as_raw() }
            }
            Url::Tcp { .. } => {
                tcp::set_up(&fd)?;
                let from = from.and_then(|from| SocketAddr::try_from(from).ok());
                Peer::Tcp(from.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0))))
            }
        };
        Ok(Some((fd, peer)))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            file.remove();
        }
    }
}

fn tcp_listener(
    url: &Url,
    host: &str,
    port: u16,
    authenticated: bool,
    backlog: i32,
) -> Result<(OwnedFd, u16), ListenError> {
    let other = |source: io::Error| ListenError::Io { url: url.to_string(), source };
    let addr = tcp::resolve(host, port).into_iter().next();
    let addr = addr.ok_or_else(|| ListenError::NoSuchAddress { host: host.into() })?;
    if !authenticated && !addr.ip().is_loopback() {
        return Err(ListenError::Unauthenticated { addr: addr.into() });
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let fd = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)
        .map_err(|e| other(e.into()))?;
    // The old connections of a server that has ended are no reason not to start the next.
    sockopt::set_socket_reuseaddr(&fd, true).map_err(|e| other(e.into()))?;
    let bound = rustix::net::bind(&fd, &addr).and_then(|()| rustix::net::listen(&fd, backlog));
    bound.map_err(|e| match e {
        Errno::ADDRINUSE => ListenError::InUse { url: url.to_string() },
        Errno::ADDRNOTAVAIL => ListenError::NoSuchAddress { host: host.into() },
        Errno::ACCESS | Errno::PERM => ListenError::Denied { place: format!("port {port}") },
        e => other(e.into()),
    })?;
    let own: SocketAddrAny =
        retried(|| rustix::net::getsockname(&fd)).map_err(|e| other(e.into()))?;
    let port = SocketAddr::try_from(own).map_or(port, |own| own.port());
    Ok((fd, port))
}

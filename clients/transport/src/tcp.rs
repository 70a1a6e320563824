//! TCP: addresses, and what our streams set.
//!
//! A machine that loses its power says nothing, and a stream on which nobody has anything to say
//! would wait for it for ever: so the system asks now and then.
//!
//! Locking: none. Sources: tcp(7).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

use crate::url::ANY;

/// How long nothing is heard before the other side is asked whether it is there, how long it may
/// take to answer, and how often it is asked.
const IDLE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(10);
const COUNT: u32 = 6;

/// A socket of a stream.
pub(crate) fn socket() -> io::Result<OwnedFd> {
    let fd = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_up(&fd)?;
    Ok(fd)
}

/// Has it send what it is given at once, and notice when the other side is not there any more.
pub(crate) fn set_up(fd: &OwnedFd) -> rustix::io::Result<()> {
    sockopt::set_tcp_nodelay(fd, true)?;
    sockopt::set_tcp_keepidle(fd, IDLE)?;
    sockopt::set_tcp_keepintvl(fd, INTERVAL)?;
    sockopt::set_tcp_keepcnt(fd, COUNT)?;
    sockopt::set_socket_keepalive(fd, true)
}

/// The IPv4 addresses that a host name means.
pub(crate) fn resolve(host: &str, port: u16) -> Vec<SocketAddrV4> {
    if host == ANY {
        return vec![SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)];
    }
    let all = (host, port).to_socket_addrs().into_iter().flatten();
    all.filter_map(|addr| match addr {
        std::net::SocketAddr::V4(addr) => Some(addr),
        std::net::SocketAddr::V6(_) => None,
    })
    .collect()
}

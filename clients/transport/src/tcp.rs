//! TCP: addresses, and what our streams set.
//!
//! Locking: none. Sources: tcp(7).

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, ToSocketAddrs};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with, sockopt};

use crate::url::ANY;

/// A socket that sends what it is given at once.
pub(crate) fn socket() -> io::Result<OwnedFd> {
    let fd = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    Ok(fd)
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

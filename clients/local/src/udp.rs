//! UDP sockets of a kernel.
//!
//! * [`UdpSocket`] has the methods of `std::net::UdpSocket`, and `Read` and `Write` for one that is
//!   connected: each read takes one datagram, each write sends one.
//!
//! Locking: none. Sources: the documentation of `std::net::UdpSocket`.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use base::Kernel;
use net::socket::{MsgFlags, SockType};

use crate::socket::{Socket, broadcast_methods, read_and_write, socket_methods};

/// Room for a datagram, and what [`UdpSocket::recv_many`] has put into it.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Where its data goes; what does not fit is lost.
    pub buf: &'a mut [u8],
    /// Bytes that were put there.
    pub len: usize,
    /// Who sent it.
    pub from: Option<SocketAddr>,
}

impl<'a> Datagram<'a> {
    /// Room that nothing was put into.
    pub fn new(buf: &'a mut [u8]) -> Self {
        Datagram { buf, len: 0, from: None }
    }
}

/// A UDP socket of a kernel.
pub struct UdpSocket(Socket);

socket_methods!(UdpSocket);
read_and_write!(UdpSocket);
broadcast_methods!(UdpSocket);

impl UdpSocket {
    /// A socket with its own address; port 0: one of the kernel's choice. A host name, where one
    /// is given, is looked up by the host.
    pub fn bind(kernel: &Kernel, addr: impl ToSocketAddrs) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(kernel, SockType::Dgram, 0)?;
            socket.bind(addr)?;
            Ok(Self(socket))
        })
    }

    /// A socket with an address that it shares with others of this kind (SO_REUSEADDR).
    pub fn bind_shared(kernel: &Kernel, addr: impl ToSocketAddrs) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(kernel, SockType::Dgram, 0)?;
            socket.set_reuse_address(true)?;
            socket.bind(addr)?;
            Ok(Self(socket))
        })
    }

    /// A socket with an address that it shares with others of its user and kind (SO_REUSEPORT): what a
    /// sender sends goes to one of them, always the same while there are as many.
    pub fn bind_reuseport(kernel: &Kernel, addr: impl ToSocketAddrs) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(kernel, SockType::Dgram, 0)?;
            socket.set_reuse_port(true)?;
            socket.bind(addr)?;
            Ok(Self(socket))
        })
    }

    /// A socket that is bound to an interface (SO_BINDTODEVICE): others may have the same address on
    /// others.
    pub fn bind_on(kernel: &Kernel, addr: impl ToSocketAddrs, interface: &str) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(kernel, SockType::Dgram, 0)?;
            socket.bind_device(Some(interface))?;
            socket.bind(addr)?;
            Ok(Self(socket))
        })
    }

    /// Gives the socket a peer: it hears no other, and [`UdpSocket::send`] sends there.
    pub fn connect(&self, to: impl ToSocketAddrs) -> io::Result<()> {
        each(to, |to| self.0.connect(to))
    }

    /// Sends a datagram to the peer.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.send(data, None)
    }

    /// Sends a datagram to `to`.
    pub fn send_to(&self, data: &[u8], to: impl ToSocketAddrs) -> io::Result<usize> {
        each(to, |to| self.0.send(data, Some(to)))
    }

    /// Sends several datagrams to the peer in one call; says how many went. Only if not even the first
    /// one could go, that is an error (Linux: sendmmsg).
    pub fn send_many(&self, datagrams: &[&[u8]]) -> io::Result<usize> {
        self.0.send_many(datagrams)
    }

    /// Receives as many datagrams as there are, up to one for each buffer, in one call; waits only for
    /// the first (Linux: recvmmsg with MSG_WAITFORONE). `len` is set in those that were filled.
    pub fn recv_many(&self, datagrams: &mut [Datagram<'_>]) -> io::Result<usize> {
        self.0.recv_many(datagrams)
    }

    /// Receives a datagram; what does not fit into `buf` is lost.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.recv(buf, MsgFlags::empty())?.len)
    }

    /// The same, with its sender.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buf, MsgFlags::empty())
    }

    /// Looks at the next datagram, and leaves it.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.recv(buf, MsgFlags::PEEK)?.len)
    }

    /// The same, with its sender.
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buf, MsgFlags::PEEK)
    }

    fn receive(&self, buf: &mut [u8], flags: MsgFlags) -> io::Result<(usize, SocketAddr)> {
        let got = self.0.recv(buf, flags)?;
        // None of a socket that ended (shutdown): there is no sender then, as in std.
        Ok((got.len, got.from.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0)))))
    }

    /// The socket's own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The peer's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }
}

/// Tries `f` with each address until it succeeds.
pub(crate) fn each<R>(
    addr: impl ToSocketAddrs,
    mut f: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no address");
    for addr in addr.to_socket_addrs()? {
        match f(addr) {
            Ok(r) => return Ok(r),
            Err(e) => last = e,
        }
    }
    Err(last)
}

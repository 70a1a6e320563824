//! UDP sockets of a kernel that is elsewhere.
//!
//! * [`UdpSocket`] has the methods of `std::net::UdpSocket`, and `Read` and `Write` for one that is
//!   connected: each read takes one datagram, each write sends one.
//!
//! Locking: none. Sources: the documentation of `std::net::UdpSocket`.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::Client;
use crate::numbers::{MSG_PEEK, SOCK_DGRAM};
use crate::socket::{Socket, broadcast_methods, each, read_and_write, socket_methods};

/// A UDP socket.
pub struct UdpSocket(Socket);

socket_methods!(UdpSocket);
read_and_write!(UdpSocket);
broadcast_methods!(UdpSocket);

impl UdpSocket {
    /// A socket with its own address; port 0: one of the kernel's choice. A host name, where one
    /// is given, is looked up by the host.
    pub fn bind(client: &Client, addr: impl ToSocketAddrs) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(client, SOCK_DGRAM, 0)?;
            socket.bind(addr)?;
            Ok(Self(socket))
        })
    }

    /// A socket with an address that it shares with others of this kind (SO_REUSEADDR).
    pub fn bind_shared(client: &Client, addr: impl ToSocketAddrs) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(client, SOCK_DGRAM, 0)?;
            socket.set_reuse_address(true)?;
            socket.bind(addr)?;
            Ok(Self(socket))
        })
    }

    /// A socket with an address that it shares with others of its user and kind (SO_REUSEPORT): what a
    /// sender sends goes to one of them, always the same while there are as many.
    pub fn bind_reuseport(client: &Client, addr: impl ToSocketAddrs) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(client, SOCK_DGRAM, 0)?;
            socket.set_reuse_port(true)?;
            socket.bind(addr)?;
            Ok(Self(socket))
        })
    }

    /// A socket without an address, as for ioctls on interfaces.
    pub fn unbound(client: &Client) -> io::Result<Self> {
        Socket::new(client, SOCK_DGRAM, 0).map(Self)
    }

    /// A socket that is bound to an interface (SO_BINDTODEVICE): others may have the same address on
    /// others.
    pub fn bind_on(client: &Client, addr: impl ToSocketAddrs, interface: &str) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(client, SOCK_DGRAM, 0)?;
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

    /// Receives a datagram; what does not fit into `buf` is lost.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.recv(buf, 0)?.len)
    }

    /// The same, with its sender.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buf, 0)
    }

    /// Looks at the next datagram, and leaves it.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.recv(buf, MSG_PEEK)?.len)
    }

    /// The same, with its sender.
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(buf, MSG_PEEK)
    }

    fn receive(&self, buf: &mut [u8], flags: u64) -> io::Result<(usize, SocketAddr)> {
        let got = self.0.recv_from(buf, flags)?;
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

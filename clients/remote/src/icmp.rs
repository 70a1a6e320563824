//! ICMP echo sockets of a kernel that is elsewhere: for ping, without a raw socket.
//!
//! Locking: none. Sources: Linux icmp(7) (SOCK_DGRAM with IPPROTO_ICMP).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::Client;
use crate::numbers::{IPPROTO_ICMP, SOCK_DGRAM};
use crate::socket::{Socket, socket_methods};

/// Sends echo requests and receives their answers, ICMP header first. The kernel fills in the
/// identifier and the checksum.
pub struct IcmpSocket(Socket);

socket_methods!(IcmpSocket);

impl IcmpSocket {
    /// A socket.
    pub fn new(client: &Client) -> io::Result<Self> {
        Socket::new(client, SOCK_DGRAM, IPPROTO_ICMP).map(Self)
    }

    /// Sends from `addr`.
    pub fn bind(&self, addr: Ipv4Addr) -> io::Result<()> {
        self.0.bind(SocketAddr::from((addr, 0)))
    }

    /// Gives the socket a peer.
    pub fn connect(&self, to: Ipv4Addr) -> io::Result<()> {
        self.0.connect(SocketAddr::from((to, 0)))
    }

    /// Sends a message to the peer.
    pub fn send(&self, message: &[u8]) -> io::Result<usize> {
        self.0.send(message, None)
    }

    /// Sends a message to `to`.
    pub fn send_to(&self, message: &[u8], to: Ipv4Addr) -> io::Result<usize> {
        self.0.send(message, Some(SocketAddr::from((to, 0))))
    }

    /// Receives a message.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.recv(buf, 0)?.len)
    }

    /// The same, with its sender.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, IpAddr)> {
        let got = self.0.recv_from(buf, 0)?;
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok((got.len, got.from.map_or(unknown, |from| from.ip())))
    }
}

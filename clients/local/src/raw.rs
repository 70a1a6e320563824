//! Raw IPv4 sockets of a kernel.
//!
//! Locking: none. Sources: Linux raw(7).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use base::Kernel;
use net::socket::{MsgFlags, SockType};

use crate::socket::{Socket, broadcast_methods, read_and_write, socket_methods};

/// A raw socket: packets of one protocol, received with their IP header.
pub struct RawSocket(Socket);

socket_methods!(RawSocket);
read_and_write!(RawSocket);
broadcast_methods!(RawSocket);

impl RawSocket {
    /// A socket for IP protocol number `protocol`.
    pub fn new(kernel: &Kernel, protocol: u8) -> io::Result<Self> {
        Socket::new(kernel, SockType::Raw, protocol).map(Self)
    }

    /// Whether packets that are sent have their IP header already.
    pub fn set_header_included(&self, on: bool) -> io::Result<()> {
        self.0.set_header_included(on)
    }

    /// Receives packets to `addr` only, and sends from there.
    pub fn bind(&self, addr: Ipv4Addr) -> io::Result<()> {
        self.0.bind(SocketAddr::from((addr, 0)))
    }

    /// Receives packets from `to` only, and sends there.
    pub fn connect(&self, to: Ipv4Addr) -> io::Result<()> {
        self.0.connect(SocketAddr::from((to, 0)))
    }

    /// Sends a packet to the peer.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.send(data, None)
    }

    /// Sends a packet to `to`.
    pub fn send_to(&self, data: &[u8], to: Ipv4Addr) -> io::Result<usize> {
        self.0.send(data, Some(SocketAddr::from((to, 0))))
    }

    /// Receives a packet, IP header first.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.recv(buf, MsgFlags::empty())?.len)
    }

    /// The same, with its sender.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, IpAddr)> {
        let got = self.0.recv(buf, MsgFlags::empty())?;
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok((got.len, got.from.map_or(unknown, |from| from.ip())))
    }
}

//! Raw IPv4 sockets of a kernel that is elsewhere.
//!
//! Locking: none. Sources: Linux raw(7).

use std::io;

use crate::Client;
use crate::numbers::SOCK_RAW;
use crate::socket::{Socket, broadcast_methods, host_methods, read_and_write, socket_methods};

/// A raw socket: packets of one protocol, received with their IP header.
pub struct RawSocket(Socket);

socket_methods!(RawSocket);
read_and_write!(RawSocket);
broadcast_methods!(RawSocket);
host_methods!(RawSocket);

impl RawSocket {
    /// A socket for IP protocol number `protocol`.
    pub fn new(client: &Client, protocol: u8) -> io::Result<Self> {
        Socket::new(client, SOCK_RAW, protocol.into()).map(Self)
    }

    /// Whether packets that are sent have their IP header already.
    pub fn set_header_included(&self, on: bool) -> io::Result<()> {
        self.0.set_header_included(on)
    }
}

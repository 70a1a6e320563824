//! ICMP echo sockets of a kernel that is elsewhere: for ping, without a raw socket.
//!
//! Locking: none. Sources: Linux icmp(7) (SOCK_DGRAM with IPPROTO_ICMP).

use std::io;

use crate::Client;
use crate::numbers::{IPPROTO_ICMP, SOCK_DGRAM};
use crate::socket::{Socket, broadcast_methods, host_methods, read_and_write, socket_methods};

/// Sends echo requests and receives their answers, ICMP header first. The kernel fills in the
/// identifier and the checksum.
pub struct IcmpSocket(Socket);

socket_methods!(IcmpSocket);
read_and_write!(IcmpSocket);
broadcast_methods!(IcmpSocket);
host_methods!(IcmpSocket);

impl IcmpSocket {
    /// A socket.
    pub fn new(client: &Client) -> io::Result<Self> {
        Socket::new(client, SOCK_DGRAM, IPPROTO_ICMP).map(Self)
    }
}

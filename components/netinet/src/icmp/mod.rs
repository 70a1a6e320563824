//! ICMP.
//!
//! * [`input`]: messages for this kernel: echo requests are answered, errors passed to the
//!   protocol that they concern, the rest is for raw sockets.
//! * [`send`]: errors about packets.
//! * [`policy`] says whether one may be sent, and how much it quotes;
//! * [`limit`] says how often.
//!
//! Sources: RFC 792; RFC 1122 §3.2.2; RFC 1812 §4.3.

pub mod input;
pub mod limit;
pub mod policy;
pub mod send;

use core::net::Ipv4Addr;

/// What an ICMP error says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorKind {
    /// There is no way to the network.
    NetUnreachable,
    /// The host does not answer.
    HostUnreachable,
    /// The host does not know the protocol.
    ProtocolUnreachable,
    /// Nobody has the port.
    PortUnreachable,
    /// The packet must not be cut, and the next link carries no more than `mtu` bytes (0 if the
    /// router does not say).
    TooBig {
        /// Bytes, IP header included.
        mtu: u16,
    },
    /// Out of hops, or of time for reassembly.
    TimeExceeded,
    /// The header is bad.
    ParameterProblem,
    /// An administrator forbids it.
    Prohibited,
}

/// The packet that an ICMP error is about, as far as it is quoted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotedFacts<'a> {
    /// Who sent it: us.
    pub src: Ipv4Addr,
    /// To whom.
    pub dst: Ipv4Addr,
    /// Its protocol.
    pub protocol: u8,
    /// The index of the interface that the error arrived on.
    pub ifindex: u32,
    /// The first bytes of its payload; at least eight.
    pub transport: &'a [u8],
}

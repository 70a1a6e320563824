//! The Internet protocol.
//!
//! * [`input`]: packets from a link;  * [`forward`]: those for others;  * [`output`]: ours;
//!   [`way`]: by which interface.
//! * `finish`: what was left undone in packets that leave the machine.
//! * [`options`] checks the options of a header and fills in what a router must;
//! * [`frag`] cuts a datagram into pieces;
//! * [`reass`] puts them together, under the shell [`fragments`].
//!
//! Sources: RFC 791; RFC 1122 §3.2.1, §3.3; RFC 1812 §4.2, §5.

pub(crate) mod finish;
pub mod forward;
pub mod frag;
pub mod fragments;
pub mod input;
pub mod options;
pub mod output;
pub mod reass;
pub mod way;

use core::net::Ipv4Addr;

/// What a transport protocol learns of the IP header of a packet for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// Sender.
    pub src: Ipv4Addr,
    /// Receiver.
    pub dst: Ipv4Addr,
    /// Protocol.
    pub protocol: u8,
    /// Hops that were left.
    pub ttl: u8,
    /// Type of service.
    pub tos: u8,
    /// The index of the interface that it arrived on.
    pub ifindex: u32,
    /// It came to more than one host: link or IP broadcast, or multicast.
    pub to_everybody: bool,
}

impl Facts {
    /// What a program may learn of it.
    pub(crate) fn way(&self) -> net::socket::Way {
        net::socket::Way { to: Some(self.dst.into()), ttl: self.ttl, tos: self.tos }
    }
}

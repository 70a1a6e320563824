//! Packet formats, checked once: after a `parse` that succeeds, no accessor can fail.
//!
//! Headers are views into the packet's bytes (zerocopy), in network byte order.
//! * `X::parse` checks and splits off a header;
//! * `as_bytes` emits one, `X::mut_from_prefix` (zerocopy) changes it in place.
//!
//! Packets lie in chains of buffers, so `parse` wants only the bytes that it looks at to be
//! contiguous, and takes the length of the whole as a number.
//!
//! Locking: none; bytes only.

pub mod arp;
pub mod icmp;
pub mod igmp;
pub mod ipv4;
pub mod udp;

/// Why a packet was refused. One list for all protocols: a reason is a counter, and no caller
/// does anything else with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Malformed {
    /// Fewer bytes than a header, or than the length that the header claims.
    Truncated,
    /// Not the version that it was taken for.
    Version,
    /// The header length is below its minimum.
    HeaderLength,
    /// The length field contradicts the header, or the packet's own size.
    Length,
    /// The checksum is wrong.
    Checksum,
    /// Another field has a value that nobody may send, or that we do not speak.
    Field,
}

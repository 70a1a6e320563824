//! The ICMP message.
//!
//! * [`IcmpHeader::parse`] checks a message in one piece, [`IcmpHeader::parse_summed`] one that
//!   lies in several, summed by the caller;
//! * [`Message`] says what it means; [`Message::header`] is the way back;
//! * [`IcmpHeader::set_checksum`] completes one to send.
//!
//! Locking: none; bytes only.
//! Sources: RFC 792; RFC 1191 §4 (next-hop MTU); RFC 1122 §3.2.2; RFC 6633 (source quench is
//! gone); RFC 6918 (other types that are gone).

use super::Malformed;
use crate::checksum::Sum;
use zerocopy::byteorder::big_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Length of the header; all messages have one.
pub const HEADER_LEN: usize = 8;

/// Message types.
pub mod kind {
    /// Answer to an echo.
    pub const ECHO_REPLY: u8 = 0;
    /// Destination unreachable.
    pub const UNREACHABLE: u8 = 3;
    /// Source quench; neither sent nor heeded (RFC 6633).
    pub const SOURCE_QUENCH: u8 = 4;
    /// Redirect.
    pub const REDIRECT: u8 = 5;
    /// Echo request.
    pub const ECHO: u8 = 8;
    /// Router advertisement (RFC 1256).
    pub const ROUTER_ADVERTISEMENT: u8 = 9;
    /// Router solicitation (RFC 1256).
    pub const ROUTER_SOLICITATION: u8 = 10;
    /// Time exceeded.
    pub const TIME_EXCEEDED: u8 = 11;
    /// Parameter problem.
    pub const PARAMETER_PROBLEM: u8 = 12;
    /// Timestamp request.
    pub const TIMESTAMP: u8 = 13;
    /// Answer to a timestamp request.
    pub const TIMESTAMP_REPLY: u8 = 14;
    /// Information request; gone (RFC 6918).
    pub const INFORMATION: u8 = 15;
    /// Answer to an information request; gone.
    pub const INFORMATION_REPLY: u8 = 16;
    /// Address mask request; gone.
    pub const MASK: u8 = 17;
    /// Answer to an address mask request; gone.
    pub const MASK_REPLY: u8 = 18;
    /// Extended echo request (RFC 8335).
    pub const EXTENDED_ECHO: u8 = 42;
    /// Answer to an extended echo request.
    pub const EXTENDED_ECHO_REPLY: u8 = 43;
}

/// Codes of "destination unreachable" and "time exceeded".
pub mod code {
    /// No route to the network.
    pub const NET: u8 = 0;
    /// The host does not answer on its link.
    pub const HOST: u8 = 1;
    /// The host does not speak this protocol.
    pub const PROTOCOL: u8 = 2;
    /// Nobody listens on this port.
    pub const PORT: u8 = 3;
    /// Too long for the next link, and not to be fragmented.
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// Source route failed.
    pub const SOURCE_ROUTE: u8 = 5;
    /// Forbidden by an administrator (RFC 1812 §5.2.7.1).
    pub const PROHIBITED: u8 = 13;
    /// Time exceeded: no hops left.
    pub const TTL: u8 = 0;
    /// Time exceeded: fragments are missing.
    pub const REASSEMBLY: u8 = 1;
}

/// The header as it is on the wire.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct IcmpHeader {
    /// Type of message, see [`kind`].
    pub kind: u8,
    /// What exactly, see [`code`].
    pub code: u8,
    checksum: U16,
    first: U16,
    second: U16,
}

/// What a message says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// An echo request or, with `reply`, the answer.
    Echo {
        /// Answer, not request.
        reply: bool,
        /// Whose echo.
        id: u16,
        /// Which of them.
        sequence: u16,
    },
    /// The quoted packet did not arrive.
    Unreachable {
        /// Why, see [`code`].
        code: u8,
        /// With [`code::FRAGMENTATION_NEEDED`]: what the next link carries; 0 if the router is
        /// older than RFC 1191.
        mtu: u16,
    },
    /// The quoted packet ran out of hops or of time.
    TimeExceeded {
        /// Which, see [`code`].
        code: u8,
    },
    /// The quoted packet has a bad header.
    ParameterProblem {
        /// 0: `pointer` counts. 1: a required option is missing (RFC 1108).
        code: u8,
        /// The byte where it went wrong.
        pointer: u8,
    },
    /// Another type: the payload is for whoever listens.
    Other,
}

impl Message {
    /// The header that says this, checksum zero; `None` for [`Message::Other`].
    pub fn header(self) -> Option<IcmpHeader> {
        let (kind, code, first, second) = match self {
            Self::Echo { reply: true, id, sequence } => (kind::ECHO_REPLY, 0, id, sequence),
            Self::Echo { reply: false, id, sequence } => (kind::ECHO, 0, id, sequence),
            Self::Unreachable { code, mtu } => (kind::UNREACHABLE, code, 0, mtu),
            Self::TimeExceeded { code } => (kind::TIME_EXCEEDED, code, 0, 0),
            Self::ParameterProblem { code, pointer } => {
                (kind::PARAMETER_PROBLEM, code, u16::from(pointer) << 8, 0)
            }
            Self::Other => return None,
        };
        let (first, second) = (U16::new(first), U16::new(second));
        Some(IcmpHeader { kind, code, checksum: U16::ZERO, first, second })
    }
}

impl IcmpHeader {
    /// Checks a message that is in one piece; gives its header and what follows.
    pub fn parse(message: &[u8]) -> Result<(&Self, &[u8]), Malformed> {
        Self::parse_summed(message, Sum::of(message))
    }

    /// Checks a message that begins with `head` and whose bytes, all of them, sum to `sum`.
    pub fn parse_summed(head: &[u8], sum: Sum) -> Result<(&Self, &[u8]), Malformed> {
        let split = Self::ref_from_prefix(head).map_err(|_| Malformed::Truncated)?;
        if !sum.is_valid() {
            return Err(Malformed::Checksum);
        }
        Ok(split)
    }

    /// What it says.
    pub fn message(&self) -> Message {
        let (code, first, second) = (self.code, self.first.get(), self.second.get());
        match self.kind {
            // The code of an echo means nothing and is not looked at.
            kind::ECHO_REPLY => Message::Echo { reply: true, id: first, sequence: second },
            kind::ECHO => Message::Echo { reply: false, id: first, sequence: second },
            kind::UNREACHABLE => {
                let mtu = if code == code::FRAGMENTATION_NEEDED { second } else { 0 };
                Message::Unreachable { code, mtu }
            }
            kind::TIME_EXCEEDED => Message::TimeExceeded { code },
            kind::PARAMETER_PROBLEM => {
                Message::ParameterProblem { code, pointer: first.to_be_bytes()[0] }
            }
            _ => Message::Other,
        }
    }

    /// Computes the checksum; `payload` is the sum of what follows the header.
    pub fn set_checksum(&mut self, payload: Sum) {
        self.checksum = U16::ZERO;
        let mut sum = Sum::of(self.as_bytes());
        sum.append(payload);
        self.checksum = U16::new(sum.checksum());
    }

    /// Makes the answer out of an echo request, in place; the payload stays (RFC 792 p. 14,
    /// RFC 1122 §3.2.2.6: all of it is returned).
    pub fn turn_into_reply(&mut self) {
        let old = u16::from_be_bytes([self.kind, self.code]);
        self.kind = kind::ECHO_REPLY;
        self.code = 0;
        let checksum = crate::checksum::update(self.checksum.get(), old, 0);
        // Zero has two forms. If all the rest is zero, only the one with all bits set is right
        // (RFC 1624 §3); in every other message either form is.
        self.checksum = U16::new(if checksum == 0 { u16::MAX } else { checksum });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc792_an_echo_is_turned_into_its_reply() {
        let payload = *b"abcdefg";
        let echo = Message::Echo { reply: false, id: 0x1234, sequence: 7 };
        let mut header = echo.header().unwrap();
        header.set_checksum(Sum::of(&payload));
        let mut bytes = [0; 15];
        bytes[..8].copy_from_slice(header.as_bytes());
        bytes[8..].copy_from_slice(&payload);
        assert_eq!(IcmpHeader::parse(&bytes).unwrap().0.message(), echo);
        IcmpHeader::mut_from_prefix(&mut bytes).unwrap().0.turn_into_reply();
        let (header, rest) = IcmpHeader::parse(&bytes).unwrap();
        assert_eq!(header.message(), Message::Echo { reply: true, id: 0x1234, sequence: 7 });
        assert_eq!(rest, payload);
    }

    #[test]
    fn rfc1122_3_2_2_a_wrong_checksum_is_refused() {
        let mut bytes = [8, 0, 0xf7, 0xff, 0, 0, 0, 0];
        assert!(IcmpHeader::parse(&bytes).is_ok());
        bytes[7] = 1;
        assert_eq!(IcmpHeader::parse(&bytes).err(), Some(Malformed::Checksum));
        assert_eq!(IcmpHeader::parse(&bytes[..7]).err(), Some(Malformed::Truncated));
    }

    #[test]
    fn rfc1191_4_the_mtu_is_in_the_low_half() {
        let message = Message::Unreachable { code: code::FRAGMENTATION_NEEDED, mtu: 0x0240 };
        let header = message.header().unwrap();
        assert_eq!(header.as_bytes(), [3, 4, 0, 0, 0, 0, 2, 0x40]);
        assert_eq!(header.message(), message);
    }

    #[test]
    fn rfc792_the_pointer_is_the_first_byte() {
        let header = Message::ParameterProblem { code: 0, pointer: 20 }.header().unwrap();
        assert_eq!(header.as_bytes(), [12, 0, 0, 0, 20, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn headers_and_messages_agree(bytes in prop::array::uniform8(any::<u8>())) {
            let header = IcmpHeader::read_from_bytes(&bytes).unwrap();
            let message = header.message();
            if let Some(again) = message.header() {
                prop_assert_eq!(again.message(), message);
            }
            let _ = IcmpHeader::parse(&bytes);
        }
    }

    extern crate std;
}

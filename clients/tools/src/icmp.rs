//! ICMP, as ping and traceroute speak it.
//!
//! * [`echo`]: a request.  * [`Received::parse`]: what a raw socket receives.
//!
//! Pure: bytes in, bytes out.
//!
//! Locking: none. Sources: RFC 792; RFC 1071 (checksum); RFC 1122 §3.2.2.1 (codes).

use std::net::Ipv4Addr;

const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const ECHO: u8 = 8;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;

/// IP protocols.
pub(crate) const ICMP: u8 = 1;
pub(crate) const UDP: u8 = 17;

/// Bytes before the data of an echo request.
pub(crate) const HEADER_LEN: usize = 8;

/// An echo request.
pub(crate) fn echo(ident: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    let mut message = vec![ECHO, 0, 0, 0];
    message.extend(ident.to_be_bytes());
    message.extend(sequence.to_be_bytes());
    message.extend(data);
    let sum = checksum(&message).to_be_bytes();
    message.iter_mut().skip(2).zip(sum).for_each(|(to, from)| *to = from);
    message
}

fn checksum(data: &[u8]) -> u16 {
    let words = data.chunks(2).map(|pair| match pair {
        [high, low] => u16::from_be_bytes([*high, *low]),
        [high] => u16::from_be_bytes([*high, 0]),
        _ => 0,
    });
    let mut sum: u64 = words.map(u64::from).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// What was received.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Received<'a> {
    /// From whom.
    pub(crate) from: Ipv4Addr,
    /// The hops it had left.
    pub(crate) ttl: u8,
    /// What it is.
    pub(crate) message: Message<'a>,
}

/// A message.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Message<'a> {
    /// An answer, of so many bytes with its header.
    Reply { ident: u16, sequence: u16, len: usize, data: &'a [u8] },
    /// Somebody on the way could not do it.
    Error { what: Trouble, quoted: Quoted },
}

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trouble {
    kind: u8,
    code: u8,
}

/// The beginning of the packet that the trouble is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Quoted {
    /// Where it was going.
    pub(crate) dst: Ipv4Addr,
    /// Its protocol.
    pub(crate) protocol: u8,
    /// Its first bytes behind the IP header.
    pub(crate) start: [u8; 8],
}

impl Quoted {
    /// Two bytes of its start.
    pub(crate) fn word(&self, at: usize) -> u16 {
        word(&self.start, at).unwrap_or_default()
    }

    /// Whether it is the echo request of somebody.
    pub(crate) fn is_echo_of(&self, ident: u16, dst: Ipv4Addr) -> bool {
        let (is_echo, of) = (self.start.starts_with(&[ECHO]), self.word(4));
        self.protocol == ICMP && self.dst == dst && is_echo && of == ident
    }
}

impl<'a> Received<'a> {
    /// Reads a packet with its IP header. Nothing, if it is no answer and no trouble.
    pub(crate) fn parse(packet: &'a [u8]) -> Option<Received<'a>> {
        let (header, message) = split(packet)?;
        let (from, ttl) = (Ipv4Addr::from(*header.get(12..)?.first_chunk()?), *header.get(8)?);
        let message = Message::parse(message)?;
        Some(Received { from, ttl, message })
    }
}

impl<'a> Message<'a> {
    /// Reads a message, whose IP header has been taken off.
    pub(crate) fn parse(raw: &'a [u8]) -> Option<Message<'a>> {
        let (header, data) = raw.split_at_checked(HEADER_LEN)?;
        let (kind, code) = (*header.first()?, *header.get(1)?);
        match kind {
            ECHO_REPLY => {
                let (ident, sequence) = (word(header, 4)?, word(header, 6)?);
                Some(Message::Reply { ident, sequence, len: raw.len(), data })
            }
            UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM => {
                let (inner, start) = split(data)?;
                let dst = Ipv4Addr::from(*inner.get(16..)?.first_chunk()?);
                let quoted = Quoted { dst, protocol: *inner.get(9)?, start: *start.first_chunk()? };
                Some(Message::Error { what: Trouble { kind, code }, quoted })
            }
            _ => None,
        }
    }
}

impl Trouble {
    /// Whether a packet had no hops left.
    pub(crate) fn is_time_exceeded(self) -> bool {
        (self.kind, self.code) == (TIME_EXCEEDED, 0)
    }

    /// In words, as ping has them.
    pub(crate) fn in_words(self) -> String {
        let text = match (self.kind, self.code) {
            (UNREACHABLE, 0) => "Destination Net Unreachable",
            (UNREACHABLE, 1) => "Destination Host Unreachable",
            (UNREACHABLE, 2) => "Destination Protocol Unreachable",
            (UNREACHABLE, 3) => "Destination Port Unreachable",
            (UNREACHABLE, 4) => "Frag needed and DF set",
            (UNREACHABLE, 5) => "Source Route Failed",
            (UNREACHABLE, 13) => "Packet filtered",
            (TIME_EXCEEDED, 0) => "Time to live exceeded",
            (TIME_EXCEEDED, 1) => "Frag reassembly time exceeded",
            (PARAMETER_PROBLEM, _) => "Parameter problem",
            (kind, code) => return format!("Destination Unreachable, type {kind} code {code}"),
        };
        text.into()
    }

    /// As traceroute marks it.
    pub(crate) fn mark(self) -> String {
        match (self.kind, self.code) {
            (TIME_EXCEEDED, _) | (UNREACHABLE, 3) => String::new(),
            (UNREACHABLE, 0) => " !N".into(),
            (UNREACHABLE, 1) => " !H".into(),
            (UNREACHABLE, 2) => " !P".into(),
            (UNREACHABLE, 4) => " !F".into(),
            (UNREACHABLE, 5) => " !S".into(),
            (UNREACHABLE, 13) => " !X".into(),
            (_, code) => format!(" !<{code}>"),
        }
    }
}

/// The IP header of a packet, and what is behind it.
fn split(packet: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *packet.first()?;
    let len = usize::from(first & 15) * 4;
    if first >> 4 != 4 || len < 20 {
        return None;
    }
    packet.split_at_checked(len)
}

fn word(raw: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*raw.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(protocol: u8, src: [u8; 4], dst: [u8; 4], data: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 61, protocol, 0, 0];
        packet.extend(src);
        packet.extend(dst);
        packet.extend(data);
        packet
    }

    #[test]
    fn requests_have_a_checksum() {
        // RFC 1071: the sum of all words, the checksum with them, is all ones.
        for data in [&b"abcdefg"[..], b"", b"ab"] {
            assert_eq!(checksum(&echo(7, 1, data)), 0);
        }
        assert_eq!(echo(0x0102, 0x0304, b"a")[4..], [1, 2, 3, 4, b'a']);
    }

    #[test]
    fn answers_are_read() {
        let mut reply = echo(7, 9, b"data");
        reply[0] = ECHO_REPLY;
        let packet = ip(ICMP, [1, 2, 3, 4], [5, 6, 7, 8], &reply);
        let message = Message::Reply { ident: 7, sequence: 9, len: 12, data: b"data" };
        let expected = Received { from: [1, 2, 3, 4].into(), ttl: 61, message };
        assert_eq!(Received::parse(&packet), Some(expected));
        let request = ip(ICMP, [1, 2, 3, 4], [5, 6, 7, 8], &echo(7, 9, b"data"));
        assert_eq!(Received::parse(&request), None, "our own request to ourselves");
    }

    #[test]
    fn troubles_quote() {
        let probe = ip(ICMP, [5, 6, 7, 8], [9, 9, 9, 9], &echo(7, 9, b"data"));
        let mut error = vec![TIME_EXCEEDED, 0, 0, 0, 0, 0, 0, 0];
        error.extend(&probe);
        let packet = ip(ICMP, [1, 2, 3, 4], [5, 6, 7, 8], &error);
        let Some(Received { message: Message::Error { what, quoted }, .. }) =
            Received::parse(&packet)
        else {
            panic!()
        };
        assert!(what.is_time_exceeded());
        assert!(quoted.is_echo_of(7, [9, 9, 9, 9].into()));
        assert!(!quoted.is_echo_of(8, [9, 9, 9, 9].into()));
        assert_eq!(quoted.word(6), 9);
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(raw: Vec<u8>, sum in any::<Vec<u8>>()) {
            let _ = Received::parse(&raw);
            let mut packet = vec![0x45; 20];
            packet.push(UNREACHABLE);
            packet.extend(&raw);
            let _ = Received::parse(&packet);
            checksum(&sum);
        }
    }
}

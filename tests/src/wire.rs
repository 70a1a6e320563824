//! Packets on the wire, built and read by code that shares nothing with netinet's.
//!
//! * [`Ip`], [`Icmp`], [`Arp`]: `bytes` makes one, `parse` reads one and checks its checksum.
//! * [`ethernet`] puts a link header in front; [`split_ethernet`] takes it off.
//!
//! Locking: none; values only. Sources: RFC 791, 792, 826, 894, 1071.

use std::net::Ipv4Addr;

use net::MacAddr;

/// The Ethernet type of IPv4.
pub const TYPE_IP: u16 = 0x0800;
/// The Ethernet type of ARP.
pub const TYPE_ARP: u16 = 0x0806;
/// The protocol number of ICMP.
pub const ICMP: u8 = 1;
/// The protocol number of TCP.
pub const TCP: u8 = 6;
/// The protocol number of UDP.
pub const UDP: u8 = 17;

/// RFC 1071, word by word.
pub fn checksum(bytes: &[u8]) -> u16 {
    let word = |c: &[u8]| u32::from(u16::from_be_bytes([c[0], *c.get(1).unwrap_or(&0)]));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A frame.
pub fn ethernet(dst: MacAddr, src: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&dst.0[..], &src.0, &ethertype.to_be_bytes(), payload].concat()
}

/// Destination, source, type, payload.
pub fn split_ethernet(frame: &[u8]) -> Option<(MacAddr, MacAddr, u16, &[u8])> {
    let (dst, rest) = frame.split_first_chunk()?;
    let (src, rest) = rest.split_first_chunk()?;
    let (ethertype, payload) = rest.split_first_chunk()?;
    Some((MacAddr(*dst), MacAddr(*src), u16::from_be_bytes(*ethertype), payload))
}

/// An IPv4 packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ip {
    /// Sender.
    pub src: Ipv4Addr,
    /// Receiver.
    pub dst: Ipv4Addr,
    /// Protocol.
    pub protocol: u8,
    /// Hops left.
    pub ttl: u8,
    /// Type of service.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Must not be cut.
    pub dont_fragment: bool,
    /// More fragments follow.
    pub more: bool,
    /// Where the payload belongs, in bytes.
    pub offset: usize,
    /// A multiple of four bytes.
    pub options: Vec<u8>,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Ip {
    /// A packet with the usual values.
    pub fn new(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, payload: Vec<u8>) -> Ip {
        let (ttl, tos, id, options) = (64, 0, 7, Vec::new());
        let (dont_fragment, more, offset) = (false, false, 0);
        Ip { src, dst, protocol, ttl, tos, id, dont_fragment, more, offset, options, payload }
    }

    /// An echo request.
    pub fn echo(src: Ipv4Addr, dst: Ipv4Addr, seq: u16, payload: &[u8]) -> Ip {
        Ip::new(src, dst, ICMP, Icmp::echo(0x4242, seq, payload).bytes())
    }

    /// The bytes, with a right checksum.
    pub fn bytes(&self) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let total = (header_len + self.payload.len()) as u16;
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more) << 13;
        let mut h = vec![0x40 | (header_len / 4) as u8, self.tos];
        h.extend(total.to_be_bytes());
        h.extend(self.id.to_be_bytes());
        h.extend((flags | (self.offset / 8) as u16).to_be_bytes());
        h.extend([self.ttl, self.protocol, 0, 0]);
        h.extend(self.src.octets());
        h.extend(self.dst.octets());
        h.extend(&self.options);
        fix_checksum(&mut h, 10);
        h.extend(&self.payload);
        h
    }

    /// Reads a packet; `None` if its header is malformed or its checksum wrong.
    pub fn parse(bytes: &[u8]) -> Option<Ip> {
        let header_len = usize::from(bytes.first()? & 15) * 4;
        let total = usize::from(be16(bytes, 2)?);
        let header = bytes.get(..header_len)?;
        if bytes[0] >> 4 != 4 || header_len < 20 || checksum(header) != 0 {
            return None;
        }
        let fragment = be16(bytes, 6)?;
        let addr = |at: usize| -> Option<Ipv4Addr> {
            bytes.get(at..at + 4).map(|a| Ipv4Addr::new(a[0], a[1], a[2], a[3]))
        };
        Some(Ip {
            src: addr(12)?,
            dst: addr(16)?,
            protocol: bytes[9],
            ttl: bytes[8],
            tos: bytes[1],
            id: be16(bytes, 4)?,
            dont_fragment: fragment & 0x4000 != 0,
            more: fragment & 0x2000 != 0,
            offset: usize::from(fragment & 0x1fff) * 8,
            options: header[20..].to_vec(),
            payload: bytes.get(header_len..total)?.to_vec(),
        })
    }

    /// Whether the checksum of the UDP datagram or TCP segment that it carries is right.
    pub fn transport_is_sound(&self) -> bool {
        checksum(&[&self.pseudo_header(), &self.payload[..]].concat()) == 0
    }

    /// Puts the right checksum into its UDP datagram or TCP segment.
    pub fn fix_transport(&mut self) {
        let at = if self.protocol == UDP { 6 } else { 16 };
        self.payload[at..at + 2].fill(0);
        let sum = checksum(&[&self.pseudo_header(), &self.payload[..]].concat());
        self.payload[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }

    /// RFC 768, RFC 9293 §3.1.
    fn pseudo_header(&self) -> Vec<u8> {
        let len = (self.payload.len() as u16).to_be_bytes();
        [&self.src.octets()[..], &self.dst.octets(), &[0, self.protocol], &len].concat()
    }

    /// The ICMP message that it carries, if it is whole and its checksum right.
    pub fn icmp(&self) -> Option<Icmp> {
        let whole = self.protocol == ICMP && !self.more && self.offset == 0;
        whole.then(|| Icmp::parse(&self.payload)).flatten()
    }

    /// The same, or the beginning of one that was cut; then its checksum says nothing.
    pub fn icmp_beginning(&self) -> Option<Icmp> {
        if self.protocol == ICMP && self.more && self.offset == 0 {
            return Icmp::split(&self.payload);
        }
        self.icmp()
    }
}

/// An ICMP message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The second word: identifier and sequence, pointer, MTU.
    pub word: [u8; 4],
    /// What follows: the echo's data, or the packet that an error is about.
    pub data: Vec<u8>,
}

impl Icmp {
    /// An echo request.
    pub fn echo(id: u16, seq: u16, data: &[u8]) -> Icmp {
        let ([a, b], [c, d]) = (id.to_be_bytes(), seq.to_be_bytes());
        Icmp { kind: 8, code: 0, word: [a, b, c, d], data: data.to_vec() }
    }

    /// The bytes, with a right checksum.
    pub fn bytes(&self) -> Vec<u8> {
        let mut m = vec![self.kind, self.code, 0, 0];
        m.extend(self.word);
        m.extend(&self.data);
        fix_checksum(&mut m, 2);
        m
    }

    /// Reads a message; `None` if its checksum is wrong.
    pub fn parse(bytes: &[u8]) -> Option<Icmp> {
        Icmp::split(bytes).filter(|_| checksum(bytes) == 0)
    }

    fn split(bytes: &[u8]) -> Option<Icmp> {
        let (head, data) = bytes.split_first_chunk::<8>()?;
        let [kind, code, _, _, word @ ..] = *head;
        Some(Icmp { kind, code, word, data: data.to_vec() })
    }

    /// The sequence number of an echo, its own or that of the one that an error quotes.
    pub fn seq(&self) -> Option<u16> {
        self.id_and_seq().map(|(_, seq)| seq)
    }

    /// The same with the identifier.
    pub fn id_and_seq(&self) -> Option<(u16, u16)> {
        match self.kind {
            0 | 8 => Some((be16(&self.word, 0)?, be16(&self.word, 2)?)),
            _ => {
                let header_len = usize::from(self.data.first()? & 15) * 4;
                (*self.data.get(9)? == ICMP).then_some(())?;
                Some((be16(&self.data, header_len + 4)?, be16(&self.data, header_len + 6)?))
            }
        }
    }

    /// The MTU that a "fragmentation needed" names.
    pub fn mtu(&self) -> u16 {
        u16::from_be_bytes([self.word[2], self.word[3]])
    }
}

/// An ARP packet for IPv4 on Ethernet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arp {
    /// 1: request, 2: reply.
    pub op: u16,
    /// Who says it.
    pub sender: (MacAddr, Ipv4Addr),
    /// About whom.
    pub target: (MacAddr, Ipv4Addr),
}

impl Arp {
    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut a = vec![0, 1, 8, 0, 6, 4];
        a.extend(self.op.to_be_bytes());
        for (mac, ip) in [self.sender, self.target] {
            a.extend(mac.0);
            a.extend(ip.octets());
        }
        a
    }

    /// Reads one.
    pub fn parse(bytes: &[u8]) -> Option<Arp> {
        let (head, rest) = bytes.split_first_chunk::<6>()?;
        let party = |at: usize| -> Option<(MacAddr, Ipv4Addr)> {
            let mac = rest.get(at..at + 6)?.first_chunk()?;
            let ip: &[u8; 4] = rest.get(at + 6..at + 10)?.first_chunk()?;
            Some((MacAddr(*mac), Ipv4Addr::from(*ip)))
        };
        (*head == [0, 1, 8, 0, 6, 4]).then_some(())?;
        Some(Arp { op: be16(rest, 0)?, sender: party(2)?, target: party(12)? })
    }
}

/// Puts the right checksum over `bytes` at `at`.
pub fn fix_checksum(bytes: &mut [u8], at: usize) {
    bytes[at..at + 2].fill(0);
    let sum = checksum(bytes);
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_read_back() {
        let mut ip = Ip::echo([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), 9, b"data");
        ip.options = vec![1, 1, 1, 0];
        assert_eq!(Ip::parse(&ip.bytes()), Some(ip.clone()));
        assert_eq!(ip.icmp().and_then(|m| m.seq()), Some(9));
        let end = (MacAddr([2; 6]), Ipv4Addr::new(10, 0, 0, 1));
        let arp = Arp { op: 1, sender: end, target: (MacAddr::ZERO, [10, 0, 0, 2].into()) };
        assert_eq!(Arp::parse(&arp.bytes()), Some(arp));
    }

    #[test]
    fn rfc1071_3_the_example() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }
}

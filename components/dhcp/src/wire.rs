//! The DHCP message.
//!
//! * [`Message::parse`]: one from a server, as far as a client needs it.
//! * [`Request::emit`]: one to a server.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 1 | 1: to a server, 2: from one |
//! | 1 | 3 | kind of link (1), length of its addresses (6), hops |
//! | 4 | 4 | the exchange that it belongs to |
//! | 8 | 2 | seconds since the client began |
//! | 10 | 2 | flags |
//! | 12 | 16 | the client's address; that it gets; of the next server; of a relay |
//! | 28 | 16 | the client's link address |
//! | 44 | 192 | names of server and file, or more options |
//! | 236 | 4 | 99, 130, 83, 99 |
//! | 240 | | options: code, length, value; 0 is padding, 255 the end |
//!
//! Locking: none; bytes only.
//! Sources: RFC 2131 §2, §4.1; RFC 2132; RFC 3396 (an option in several parts: the first counts here).

use core::net::Ipv4Addr;

use net::MacAddr;
use smallvec::SmallVec;

/// Bytes before the options.
const FIXED: usize = 240;

/// The shortest message, which some servers and relays insist on (RFC 1542 §2.1).
const SHORTEST: usize = 300;

const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// How many servers of names are shown.
pub const NAME_SERVERS: usize = 3;

/// Option codes.
mod option {
    pub const PAD: u8 = 0;
    pub const MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const NAME_SERVER: u8 = 6;
    pub const REQUESTED: u8 = 50;
    pub const LEASE: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const KIND: u8 = 53;
    pub const SERVER: u8 = 54;
    pub const PARAMETERS: u8 = 55;
    pub const RENEW: u8 = 58;
    pub const REBIND: u8 = 59;
    pub const CLIENT: u8 = 61;
    pub const END: u8 = 255;
}

/// What a message is (option 53).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Decline = 4,
    Ack = 5,
    Nak = 6,
    Release = 7,
    Inform = 8,
}

impl Kind {
    fn of(n: u8) -> Option<Kind> {
        use Kind::{Ack, Decline, Discover, Inform, Nak, Offer, Release, Request};
        let all = [Discover, Offer, Request, Decline, Ack, Nak, Release, Inform];
        all.into_iter().find(|kind| *kind as u8 == n)
    }
}

/// A message that is none, or none of a server's to a client on Ethernet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

/// A message from a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// What it is.
    pub kind: Kind,
    /// The exchange.
    pub xid: u32,
    /// For whom.
    pub client: MacAddr,
    /// The address that the client gets.
    pub address: Ipv4Addr,
    /// Who says so.
    pub server: Option<Ipv4Addr>,
    /// The mask.
    pub mask: Option<Ipv4Addr>,
    /// The first router.
    pub router: Option<Ipv4Addr>,
    /// Servers of names.
    pub name_servers: [Option<Ipv4Addr>; NAME_SERVERS],
    /// How long the address is lent, in seconds; all ones: for ever.
    pub lease: Option<u32>,
    /// When to ask for more, and when to ask everybody, in seconds from the beginning.
    pub renew: Option<u32>,
    /// See `renew`.
    pub rebind: Option<u32>,
}

fn addr(value: &[u8]) -> Option<Ipv4Addr> {
    value.first_chunk().map(|bytes| Ipv4Addr::from(*bytes))
}

fn number(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

impl Message {
    /// Reads a message.
    pub fn parse(bytes: &[u8]) -> Result<Message, Malformed> {
        let (fixed, options) = bytes.split_first_chunk::<FIXED>().ok_or(Malformed)?;
        let at = |from: usize, len: usize| fixed.get(from..from + len).unwrap_or_default();
        let is_reply = at(0, 3) == [2, 1, 6] && at(236, 4) == COOKIE;
        if !is_reply {
            return Err(Malformed);
        }
        let client = at(28, 6).first_chunk().ok_or(Malformed)?;
        let mut read = Reading {
            kind: None,
            overload: 0,
            message: Message {
                kind: Kind::Offer,
                xid: number(at(4, 4)).ok_or(Malformed)?,
                client: MacAddr(*client),
                address: addr(at(16, 4)).ok_or(Malformed)?,
                server: None,
                mask: None,
                router: None,
                name_servers: [None; NAME_SERVERS],
                lease: None,
                renew: None,
                rebind: None,
            },
        };
        read.options(options)?;
        // RFC 2131 §4.1: first the file, then the server's name.
        let overload = read.overload;
        if overload & 1 != 0 {
            read.options(at(108, 128))?;
        }
        if overload & 2 != 0 {
            read.options(at(44, 64))?;
        }
        let kind = read.kind.ok_or(Malformed)?;
        Ok(Message { kind, ..read.message })
    }
}

/// What was read until now.
struct Reading {
    kind: Option<Kind>,
    overload: u8,
    message: Message,
}

impl Reading {
    /// Reads options up to their end, which may be missing.
    fn options(&mut self, mut rest: &[u8]) -> Result<(), Malformed> {
        loop {
            match rest {
                [] | [option::END, ..] => return Ok(()),
                [option::PAD, after @ ..] => rest = after,
                [code, len, after @ ..] => {
                    let value = after.get(..usize::from(*len)).ok_or(Malformed)?;
                    self.option(*code, value);
                    rest = after.get(usize::from(*len)..).unwrap_or_default();
                }
                [_] => return Err(Malformed),
            }
        }
    }

    /// Takes an option whose length makes sense; of one that comes twice, the first.
    fn option(&mut self, code: u8, value: &[u8]) {
        let m = &mut self.message;
        match (code, value) {
            (option::KIND, [n]) => self.kind = self.kind.or(Kind::of(*n)),
            (option::OVERLOAD, [n]) => self.overload |= n,
            (option::SERVER, [_, _, _, _]) => m.server = m.server.or(addr(value)),
            (option::MASK, [_, _, _, _]) => m.mask = m.mask.or(addr(value)),
            (option::ROUTER, _) => m.router = m.router.or(addr(value)),
            (option::NAME_SERVER, _) if m.name_servers[0].is_none() => {
                for (to, from) in m.name_servers.iter_mut().zip(value.as_chunks::<4>().0) {
                    *to = Some(Ipv4Addr::from(*from));
                }
            }
            (option::LEASE, _) => m.lease = m.lease.or(number(value)),
            (option::RENEW, _) => m.renew = m.renew.or(number(value)),
            (option::REBIND, _) => m.rebind = m.rebind.or(number(value)),
            _ => {}
        }
    }
}

/// A message to a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// What it is.
    pub kind: Kind,
    /// The exchange.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// From whom.
    pub client: MacAddr,
    /// The client's address, if it has one.
    pub address: Ipv4Addr,
    /// The address that it asks for, or refuses.
    pub requested: Option<Ipv4Addr>,
    /// The server that is meant.
    pub server: Option<Ipv4Addr>,
}

/// The bytes of a message.
pub type Bytes = SmallVec<[u8; SHORTEST]>;

impl Request {
    /// Its bytes.
    pub fn emit(&self) -> Bytes {
        let mut bytes = Bytes::new();
        bytes.extend_from_slice(&[1, 1, 6, 0]);
        bytes.extend_from_slice(&self.xid.to_be_bytes());
        bytes.extend_from_slice(&self.secs.to_be_bytes());
        // No flags: frames to our link address are heard before there is an address of ours.
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&self.address.octets());
        bytes.resize(28, 0);
        bytes.extend_from_slice(&self.client.0);
        bytes.resize(FIXED - COOKIE.len(), 0);
        bytes.extend_from_slice(&COOKIE);
        bytes.extend_from_slice(&[option::KIND, 1, self.kind as u8]);
        // RFC 2132 §9.14: the kind of link and the address on it.
        bytes.extend_from_slice(&[option::CLIENT, 7, 1]);
        bytes.extend_from_slice(&self.client.0);
        for (code, value) in [(option::REQUESTED, self.requested), (option::SERVER, self.server)] {
            if let Some(value) = value {
                bytes.extend_from_slice(&[code, 4]);
                bytes.extend_from_slice(&value.octets());
            }
        }
        if matches!(self.kind, Kind::Discover | Kind::Request) {
            let wanted = [
                option::MASK,
                option::ROUTER,
                option::NAME_SERVER,
                option::LEASE,
                option::SERVER,
                option::RENEW,
                option::REBIND,
            ];
            bytes.extend_from_slice(&[option::PARAMETERS, wanted.len() as u8]);
            bytes.extend_from_slice(&wanted);
        }
        bytes.push(option::END);
        bytes.resize(bytes.len().max(SHORTEST), 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    extern crate std;

    /// A reply with these options.
    fn reply(options: &[u8]) -> Vec<u8> {
        let mut bytes = std::vec![0; FIXED];
        bytes[..8].copy_from_slice(&[2, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef]);
        bytes[16..20].copy_from_slice(&[10, 0, 0, 7]);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        bytes[236..].copy_from_slice(&COOKIE);
        bytes.extend_from_slice(options);
        bytes
    }

    #[test]
    fn rfc2132_options_are_read() {
        let options = [
            53, 1, 5, 0, 0, 54, 4, 10, 0, 0, 1, 1, 4, 255, 255, 255, 0, 3, 8, 10, 0, 0, 1, 10, 0,
            0, 2, 6, 8, 1, 1, 1, 1, 2, 2, 2, 2, 51, 4, 0, 0, 14, 16, 58, 4, 0, 0, 7, 8, 59, 4, 0,
            0, 12, 78, 99, 3, 1, 2, 3, 255, 7,
        ];
        let m = Message::parse(&reply(&options)).unwrap();
        let ip = |n| Ipv4Addr::new(10, 0, 0, n);
        assert_eq!((m.kind, m.xid, m.client), (Kind::Ack, 0xdead_beef, MacAddr::local(1)));
        assert_eq!((m.address, m.server, m.router), (ip(7), Some(ip(1)), Some(ip(1))));
        assert_eq!(m.mask, Some(Ipv4Addr::new(255, 255, 255, 0)));
        let names = [Some(Ipv4Addr::new(1, 1, 1, 1)), Some(Ipv4Addr::new(2, 2, 2, 2)), None];
        assert_eq!(m.name_servers, names);
        assert_eq!((m.lease, m.renew, m.rebind), (Some(3600), Some(1800), Some(3150)));
    }

    #[test]
    fn rfc2131_4_1_options_in_the_names_fields() {
        let mut bytes = reply(&[52, 1, 3, 255]);
        bytes[108..112].copy_from_slice(&[53, 1, 2, 255]);
        bytes[44..51].copy_from_slice(&[54, 4, 9, 9, 9, 9, 255]);
        let m = Message::parse(&bytes).unwrap();
        assert_eq!((m.kind, m.server), (Kind::Offer, Some(Ipv4Addr::new(9, 9, 9, 9))));
        // Only where it is said.
        bytes[242] = 0;
        assert_eq!(Message::parse(&bytes), Err(Malformed));
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        let good = reply(&[53, 1, 5, 255]);
        assert!(Message::parse(&good).is_ok());
        for len in 0..FIXED + 3 {
            assert_eq!(Message::parse(&good[..len]), Err(Malformed), "{len}");
        }
        for at in [0, 1, 2, 236, 239] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert_eq!(Message::parse(&bad), Err(Malformed), "byte {at}");
        }
        for options in [&[53, 1][..], &[53], &[53, 2, 5, 5, 255], &[53, 1, 9, 255], &[255], &[]] {
            assert_eq!(Message::parse(&reply(options)), Err(Malformed), "{options:?}");
        }
        // A number of another length is as if it were not there.
        let odd =
            Message::parse(&reply(&[53, 1, 5, 51, 3, 0, 0, 1, 54, 5, 1, 2, 3, 4, 5])).unwrap();
        assert_eq!((odd.lease, odd.server), (None, None));
    }

    #[test]
    fn rfc2131_table_5_a_request_is_byte_for_byte_right() {
        let ip = |n| Ipv4Addr::new(10, 0, 0, n);
        let request = Request {
            kind: Kind::Request,
            xid: 1,
            secs: 2,
            client: MacAddr::local(1),
            address: Ipv4Addr::UNSPECIFIED,
            requested: Some(ip(7)),
            server: Some(ip(1)),
        };
        let bytes = request.emit();
        assert_eq!(bytes[..16], [1, 1, 6, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[28..34], MacAddr::local(1).0);
        let options = [
            53, 1, 3, 61, 7, 1, 2, 0, 0, 0, 0, 1, 50, 4, 10, 0, 0, 7, 54, 4, 10, 0, 0, 1, 55, 7, 1,
            3, 6, 51, 54, 58, 59, 255,
        ];
        assert_eq!(bytes[FIXED..FIXED + options.len()], options);
        assert_eq!(bytes.len(), 300);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            head in proptest::collection::vec(any::<u8>(), 0..260),
            options in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let _ = Message::parse(&head);
            let _ = Message::parse(&reply(&options));
        }
    }
}

//! The IGMP message.
//!
//! * [`Received::parse`]: what others say, its checksum checked by the caller.
//! * [`Report`]: what a host says, as bytes ([`Report::write`]) and where it goes ([`Report::to`]).
//!
//! Locking: none; bytes only.
//! Sources: RFC 1112 appendix I; RFC 2236 §2; RFC 3376 §4.

use core::net::Ipv4Addr;

use super::Malformed;
use crate::checksum::Sum;

/// The group of all hosts on a link, which nobody joins.
pub const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// All routers: who is told that a group was left (RFC 2236 §3).
pub const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
/// All routers that speak version 3 (RFC 3376 §4.2.14).
pub const V3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);

/// Message types.
mod kind {
    pub const QUERY: u8 = 0x11;
    pub const REPORT_V1: u8 = 0x12;
    pub const REPORT_V2: u8 = 0x16;
    pub const LEAVE: u8 = 0x17;
    pub const REPORT_V3: u8 = 0x22;
}

/// Length of a message of versions 1 and 2, and of what a report of version 3 begins with.
const HEADER_LEN: usize = 8;
/// Length of a query of version 3 without sources.
pub const QUERY_V3_LEN: usize = 12;
const RECORD_LEN: usize = 8;
/// Records of one report: it fits every link.
pub const MAX_RECORDS: usize = 32;
/// The longest report.
pub const MAX_LEN: usize = HEADER_LEN + MAX_RECORDS * RECORD_LEN;

/// Time units of the wire, in nanoseconds.
const TENTH_NS: u64 = 100_000_000;
const SECOND_NS: u64 = 1_000_000_000;

/// A version of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// RFC 1112.
    V1,
    /// RFC 2236.
    V2,
    /// RFC 3376.
    V3,
}

/// What a router asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query {
    /// The version that it speaks.
    pub version: Version,
    /// The group; `None`: all.
    pub group: Option<Ipv4Addr>,
    /// The time in which to answer, in nanoseconds.
    pub max_response_ns: u64,
    /// The querier's robustness variable; 0: it does not say.
    pub robustness: u8,
    /// The querier's query interval, in nanoseconds; 0: it does not say.
    pub interval_ns: u64,
}

/// What others say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// A router asks.
    Query(Query),
    /// Another host is in the group (versions 1 and 2).
    Report(Ipv4Addr),
    /// What does not matter to a host.
    Other,
}

impl Received {
    /// Out of the first bytes of a message that is `len` bytes long: [`QUERY_V3_LEN`] of them, or all.
    pub fn parse(head: &[u8], len: usize) -> Result<Received, Malformed> {
        let [kind, code, _, _, a, b, c, d, rest @ ..] = head else {
            return Err(Malformed::Truncated);
        };
        let group = Ipv4Addr::new(*a, *b, *c, *d);
        match *kind {
            kind::QUERY => {}
            kind::REPORT_V1 | kind::REPORT_V2 if group.is_multicast() => {
                return Ok(Received::Report(group));
            }
            kind::REPORT_V1 | kind::REPORT_V2 => return Err(Malformed::Field),
            // RFC 3376 §4: other types are passed over.
            _ => return Ok(Received::Other),
        }
        let group = Some(group).filter(|group| !group.is_unspecified());
        if group.is_some_and(|group| !group.is_multicast()) {
            return Err(Malformed::Field);
        }
        let tenths = |n: u64| n * TENTH_NS;
        let query = Query {
            version: Version::V2,
            group,
            max_response_ns: tenths((*code).into()),
            robustness: 0,
            interval_ns: 0,
        };
        // RFC 3376 §7.1: the length and the code tell the version.
        match (len, *code) {
            (HEADER_LEN, 0) => Ok(Received::Query(Query {
                version: Version::V1,
                // RFC 2236 §4: of 10 seconds. Such a query is for all groups.
                max_response_ns: tenths(100),
                group: None,
                ..query
            })),
            (HEADER_LEN, _) => Ok(Received::Query(query)),
            (QUERY_V3_LEN.., code) => {
                let [flags, interval, s0, s1, ..] = rest else { return Err(Malformed::Truncated) };
                let sources = usize::from(u16::from_be_bytes([*s0, *s1]));
                if len < QUERY_V3_LEN + 4 * sources || (group.is_none() && sources > 0) {
                    return Err(Malformed::Length);
                }
                Ok(Received::Query(Query {
                    version: Version::V3,
                    max_response_ns: tenths(float(code)),
                    robustness: flags & 7,
                    interval_ns: float(*interval) * SECOND_NS,
                    ..query
                }))
            }
            // RFC 3376 §7.1: other lengths are ignored.
            _ => Err(Malformed::Length),
        }
    }
}

/// RFC 3376 §4.1.1: a number of eight bits that grows faster from 128 on.
fn float(code: u8) -> u64 {
    match code {
        0..128 => code.into(),
        _ => (u64::from(code & 15) | 16) << ((code >> 4 & 7) + 3),
    }
}

/// A record of a report of version 3, without sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The group is one of ours (MODE_IS_EXCLUDE).
    Is,
    /// It was joined (CHANGE_TO_EXCLUDE_MODE).
    Joined,
    /// It was left (CHANGE_TO_INCLUDE_MODE).
    Left,
}

/// Records of one report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Records {
    list: [(Change, Ipv4Addr); MAX_RECORDS],
    len: usize,
}

impl Records {
    /// None.
    pub const fn new() -> Self {
        Self { list: [(Change::Is, Ipv4Addr::UNSPECIFIED); MAX_RECORDS], len: 0 }
    }

    /// Whether there is room for one more.
    pub fn has_room(&self) -> bool {
        self.len < MAX_RECORDS
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds one, if there is room.
    pub fn push(&mut self, change: Change, group: Ipv4Addr) {
        if let Some(place) = self.list.get_mut(self.len) {
            *place = (change, group);
            self.len += 1;
        }
    }

    /// All of them.
    pub fn as_slice(&self) -> &[(Change, Ipv4Addr)] {
        self.list.get(..self.len).unwrap_or_default()
    }
}

impl Default for Records {
    fn default() -> Self {
        Self::new()
    }
}

/// What a host says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    /// It is in the group, for routers of version 1.
    V1(Ipv4Addr),
    /// The same for those of version 2.
    V2(Ipv4Addr),
    /// It has left the group (version 2).
    Leave(Ipv4Addr),
    /// Version 3.
    V3(Records),
}

impl Report {
    /// Where it goes.
    pub fn to(&self) -> Ipv4Addr {
        match self {
            Report::V1(group) | Report::V2(group) => *group,
            Report::Leave(_) => ALL_ROUTERS,
            Report::V3(_) => V3_ROUTERS,
        }
    }

    /// The message, with its checksum; and its length.
    pub fn write(&self) -> ([u8; MAX_LEN], usize) {
        let mut out = [0; MAX_LEN];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
            at += bytes.len();
        };
        match self {
            Report::V1(group) | Report::V2(group) | Report::Leave(group) => {
                let kind = match self {
                    Report::V1(_) => kind::REPORT_V1,
                    Report::V2(_) => kind::REPORT_V2,
                    _ => kind::LEAVE,
                };
                put(&[kind, 0, 0, 0]);
                put(&group.octets());
            }
            Report::V3(records) => {
                put(&[kind::REPORT_V3, 0, 0, 0, 0, 0, 0, records.len as u8]);
                for (change, group) in records.as_slice() {
                    // RFC 3376 §4.2.12.
                    let change = match change {
                        Change::Is => 2,
                        Change::Left => 3,
                        Change::Joined => 4,
                    };
                    put(&[change, 0, 0, 0]);
                    put(&group.octets());
                }
            }
        }
        let sum = Sum::of(out.get(..at).unwrap_or_default()).checksum();
        if let Some(place) = out.get_mut(2..4) {
            place.copy_from_slice(&sum.to_be_bytes());
        }
        (out, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

    fn query(bytes: &[u8]) -> Result<Query, Malformed> {
        match Received::parse(bytes, bytes.len())? {
            Received::Query(query) => Ok(query),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn rfc3376_7_1_length_and_code_tell_the_version() {
        let v1 = query(&[0x11, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!((v1.version, v1.group, v1.max_response_ns), (Version::V1, None, 10 * SECOND_NS));
        let v2 = query(&[0x11, 5, 0, 0, 239, 1, 2, 3]).unwrap();
        assert_eq!((v2.version, v2.group), (Version::V2, Some(GROUP)));
        assert_eq!(v2.max_response_ns, 5 * TENTH_NS);
        let v3 = query(&[0x11, 100, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0]).unwrap();
        assert_eq!((v3.version, v3.robustness), (Version::V3, 2));
        assert_eq!((v3.max_response_ns, v3.interval_ns), (10 * SECOND_NS, 125 * SECOND_NS));
        for len in [9, 10, 11] {
            assert_eq!(Received::parse(&[0x11; 12][..len], len), Err(Malformed::Field));
            let mut bytes = [0; 12];
            bytes[0] = 0x11;
            assert_eq!(Received::parse(&bytes[..len], len), Err(Malformed::Length));
        }
        // More sources than there are bytes.
        let said = [0x11, 1, 0, 0, 239, 1, 2, 3, 0, 0, 0, 1];
        assert_eq!(query(&said), Err(Malformed::Length));
        assert_eq!(query(&[0x11, 1, 0, 0, 10, 0, 0, 1]), Err(Malformed::Field));
    }

    #[test]
    fn rfc3376_4_1_1_large_codes_are_floating() {
        assert_eq!([float(127), float(128), float(0x8f), float(255)], [127, 128, 248, 31 << 10]);
    }

    #[test]
    fn reports_as_bytes() {
        let bytes = |report: Report| {
            let (bytes, len) = report.write();
            assert!(Sum::of(&bytes[..len]).is_valid());
            (bytes[0], bytes[4..len].to_vec())
        };
        assert_eq!(bytes(Report::V1(GROUP)), (0x12, vec![239, 1, 2, 3]));
        assert_eq!(bytes(Report::V2(GROUP)), (0x16, vec![239, 1, 2, 3]));
        assert_eq!(bytes(Report::Leave(GROUP)), (0x17, vec![239, 1, 2, 3]));
        let mut records = Records::new();
        records.push(Change::Joined, GROUP);
        records.push(Change::Left, GROUP);
        let expected = vec![0, 0, 0, 2, 4, 0, 0, 0, 239, 1, 2, 3, 3, 0, 0, 0, 239, 1, 2, 3];
        assert_eq!(bytes(Report::V3(records)), (0x22, expected));
        (0..100).for_each(|_| records.push(Change::Is, GROUP));
        assert!(!records.has_room() && Report::V3(records).write().1 == MAX_LEN);
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(bytes: Vec<u8>, more in 0_usize..100) {
            let _ = Received::parse(&bytes, bytes.len() + more);
        }
    }
}

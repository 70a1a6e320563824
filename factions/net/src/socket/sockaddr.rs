//! Socket addresses as programs lay them out: Linux's `sockaddr_in` and `sockaddr_in6`.
//!
//! * [`parse`], [`emit`].
//!
//! Locking: none; bytes only. Sources: Linux ip(7), ipv6(7); POSIX `<netinet/in.h>`.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use smallvec::SmallVec;

use super::SockError;
use crate::domain::{AF_INET, AF_INET6};

/// No family: what disconnects.
pub const AF_UNSPEC: u16 = 0;

/// Length of a `sockaddr_in`.
pub const INET_LEN: usize = 16;
/// Length of a `sockaddr_in6`.
pub const INET6_LEN: usize = 28;
/// The longest that a call takes (`sockaddr_storage`).
pub const MAX_LEN: usize = 128;

/// The address in `bytes`; `None` for one of no family.
pub fn parse(bytes: &[u8]) -> Result<Option<SocketAddr>, SockError> {
    let [f0, f1, rest @ ..] = bytes else { return Err(SockError::Invalid) };
    match u16::from_ne_bytes([*f0, *f1]) {
        AF_UNSPEC => Ok(None),
        AF_INET => parse_inet(rest).map(Some).ok_or(SockError::Invalid),
        AF_INET6 => parse_inet6(rest).map(Some).ok_or(SockError::Invalid),
        _ => Err(SockError::NoFamily),
    }
}

fn parse_inet(rest: &[u8]) -> Option<SocketAddr> {
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (addr, padding) = rest.split_first_chunk::<4>()?;
    // The padding has to be there; what it holds means nothing.
    padding.first_chunk::<8>()?;
    Some(SocketAddr::from((Ipv4Addr::from(*addr), u16::from_be_bytes(*port))))
}

fn parse_inet6(rest: &[u8]) -> Option<SocketAddr> {
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let (flow, rest) = rest.split_first_chunk::<4>()?;
    let (addr, rest) = rest.split_first_chunk::<16>()?;
    let scope = rest.first_chunk::<4>()?;
    Some(SocketAddr::V6(SocketAddrV6::new(
        Ipv6Addr::from(*addr),
        u16::from_be_bytes(*port),
        u32::from_be_bytes(*flow),
        u32::from_ne_bytes(*scope),
    )))
}

/// The bytes of `addr`.
pub fn emit(addr: &SocketAddr) -> SmallVec<[u8; INET6_LEN]> {
    let mut out = SmallVec::new();
    match addr {
        SocketAddr::V4(a) => {
            out.extend_from_slice(&AF_INET.to_ne_bytes());
            out.extend_from_slice(&a.port().to_be_bytes());
            out.extend_from_slice(&a.ip().octets());
            out.extend_from_slice(&[0; 8]);
        }
        SocketAddr::V6(a) => {
            out.extend_from_slice(&AF_INET6.to_ne_bytes());
            out.extend_from_slice(&a.port().to_be_bytes());
            out.extend_from_slice(&a.flowinfo().to_be_bytes());
            out.extend_from_slice(&a.ip().octets());
            out.extend_from_slice(&a.scope_id().to_ne_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_an_address_or_an_error(
            family in prop_oneof![Just(AF_INET), Just(AF_INET6), any::<u16>()],
            rest in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut raw = family.to_ne_bytes().to_vec();
            raw.extend(rest);
            if let Ok(Some(addr)) = parse(&raw) {
                prop_assert_eq!(parse(&emit(&addr)), Ok(Some(addr)));
            }
        }
    }

    #[test]
    fn a_sockaddr_in_is_byte_for_byte_linux_s() {
        let addr: SocketAddr = "10.1.2.3:5000".parse().unwrap();
        let family = AF_INET.to_ne_bytes();
        let mut expected = [family[0], family[1], 0x13, 0x88, 10, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(emit(&addr)[..], expected);
        assert_eq!(parse(&expected), Ok(Some(addr)));
        expected[15] = 7;
        assert_eq!(parse(&expected), Ok(Some(addr)), "padding means nothing");
    }

    #[test]
    fn both_families_there_and_back() {
        for text in ["0.0.0.0:0", "255.255.255.255:65535", "[::1]:53", "[fe80::1%3]:1"] {
            let addr: SocketAddr = text.parse().unwrap();
            assert_eq!(parse(&emit(&addr)), Ok(Some(addr)));
        }
    }

    #[test]
    fn what_is_too_short_or_foreign_is_refused() {
        let inet = emit(&"1.2.3.4:5".parse().unwrap());
        for len in 2..INET_LEN {
            assert_eq!(parse(&inet[..len]), Err(SockError::Invalid), "{len} bytes");
        }
        assert_eq!(parse(&[]), Err(SockError::Invalid));
        assert_eq!(parse(&[0, 0]), Ok(None));
        assert_eq!(parse(&1_u16.to_ne_bytes()), Err(SockError::NoFamily));
    }

    extern crate std;
}

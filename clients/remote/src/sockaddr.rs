//! IPv4 socket addresses as system calls have them.
//!
//! Locking: none. Sources: Linux ip(7).

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::numbers::AF_INET;

/// Bytes of an address.
pub(crate) const LEN: usize = 16;

/// An address as bytes; one of IPv6 as one that nobody has, which the kernel refuses.
pub(crate) fn to_bytes(addr: SocketAddr) -> [u8; LEN] {
    let mut raw = [0; LEN];
    let SocketAddr::V4(addr) = addr else { return raw };
    let ([f0, f1], [p0, p1]) = (AF_INET.to_le_bytes(), addr.port().to_be_bytes());
    let [a, b, c, d] = addr.ip().octets();
    raw.iter_mut().zip([f0, f1, p0, p1, a, b, c, d]).for_each(|(to, from)| *to = from);
    raw
}

/// The address in `raw`, if it is one of IPv4.
pub(crate) fn parse(raw: &[u8; LEN]) -> Option<SocketAddr> {
    let [f0, f1, p0, p1, a, b, c, d, ..] = *raw;
    let addr = SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([p0, p1]));
    (u16::from_le_bytes([f0, f1]) == AF_INET).then_some(addr.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back() {
        let addr = SocketAddr::from(([10, 0, 0, 1], 0x1234));
        let raw = to_bytes(addr);
        assert_eq!(raw[..8], [2, 0, 0x12, 0x34, 10, 0, 0, 1]);
        assert_eq!(parse(&raw), Some(addr));
        assert_eq!(parse(&[0; LEN]), None);
    }
}

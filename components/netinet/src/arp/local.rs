//! An address of an interface, and what it says about others.
//!
//! * [`Local::is_on_link`] and [`Local::is_broadcast`] answer for its network;
//! * [`is_unicast`] answers without one.
//!
//! Locking: none; values only.
//! Sources: RFC 1122 §3.2.1.3; RFC 3021.

use core::net::{IpAddr, Ipv4Addr};

use net::ifnet::IfAddr;

/// An address of our interface and the network that it is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Local {
    /// The address.
    pub addr: Ipv4Addr,
    /// Length of the network's prefix.
    pub prefix_len: u8,
}

impl Local {
    fn host_mask(&self) -> u32 {
        u32::MAX.checked_shr(u32::from(self.prefix_len)).unwrap_or(0)
    }

    /// Whether this is an address of the same network.
    pub fn is_on_link(&self, ip: Ipv4Addr) -> bool {
        (ip.to_bits() ^ self.addr.to_bits()) & !self.host_mask() == 0
    }

    /// Whether it is the network's broadcast address, new style or old (RFC 1122 §3.2.1.3).
    /// Networks of one or two addresses have none (RFC 3021).
    pub fn is_broadcast(&self, ip: Ipv4Addr) -> bool {
        let (mask, host) = (self.host_mask(), ip.to_bits() & self.host_mask());
        mask > 1 && self.is_on_link(ip) && (host == 0 || host == mask)
    }
}

/// The address, if it is an IPv4 address.
pub(crate) fn of(addr: &IfAddr) -> Option<Local> {
    match addr.addr {
        IpAddr::V4(a) => Some(Local { addr: a, prefix_len: addr.prefix }),
        IpAddr::V6(_) => None,
    }
}

/// RFC 1122 §3.2.1.3: what can be the address of one host on a link.
pub fn is_unicast(ip: Ipv4Addr) -> bool {
    !matches!(ip.octets()[0], 0 | 127 | 224..=255)
}

#[cfg(test)]
mod tests {
    use super::*;

    const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    #[test]
    fn rfc1122_3_2_1_3_broadcast_addresses() {
        let local = Local { addr: US, prefix_len: 16 };
        for (ip, broadcast) in
            [([10, 0, 255, 255], true), ([10, 0, 0, 0], true), ([10, 0, 0, 255], false)]
        {
            assert_eq!(local.is_broadcast(ip.into()), broadcast, "{ip:?}");
        }
        assert!(!local.is_broadcast(Ipv4Addr::new(10, 1, 255, 255)));
        assert!(is_unicast(US) && !is_unicast(Ipv4Addr::LOCALHOST));
    }

    #[test]
    fn rfc3021_a_network_of_two_has_no_broadcast_address() {
        let pair = Local { addr: Ipv4Addr::new(10, 0, 0, 0), prefix_len: 31 };
        assert!(!pair.is_broadcast(Ipv4Addr::new(10, 0, 0, 1)));
    }

    #[test]
    fn prefixes_of_odd_length() {
        let all = Local { addr: US, prefix_len: 0 };
        assert!(all.is_on_link(PEER) && !all.is_broadcast(PEER));
        let too_long = Local { addr: US, prefix_len: 200 };
        assert!(too_long.is_on_link(US) && !too_long.is_on_link(PEER));
    }
}

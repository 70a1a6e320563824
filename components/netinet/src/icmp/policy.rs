//! When an ICMP error may be sent, and how much of the offending packet it quotes.
//!
//! * [`may_report`] first, then the [rate limit](super::limit), then [`quote_len`] bytes of the
//!   offender after the eight of the ICMP header.
//!
//! Locking: none.
//! Sources: RFC 1122 §3.2.2; RFC 1812 §4.3.2.3, §4.3.2.7; RFC 5927 (attacks with errors).

use crate::wire::icmp::{self, kind};
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN, protocol};
use core::net::Ipv4Addr;

/// An error is no longer than what every host can take (RFC 1812 §4.3.2.3).
pub const MAX_ERROR_LEN: usize = 576;

/// The packet that an error would be about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offender {
    /// Its source.
    pub src: Ipv4Addr,
    /// Its destination.
    pub dst: Ipv4Addr,
    /// Its protocol.
    pub protocol: u8,
    /// It is a fragment, and not the first.
    pub later_fragment: bool,
    /// The first byte of its payload, if it is there.
    pub first_byte: Option<u8>,
    /// The link brought it to more than one station.
    pub link_broadcast: bool,
    /// Its source or destination is the broadcast address of a network that we are on.
    pub directed_broadcast: bool,
    /// It came over the loopback interface, where loopback addresses are right.
    pub loopback: bool,
}

impl Offender {
    /// What the header says; the rest is for the caller to fill in.
    pub fn new(header: &Ipv4Header, payload: &[u8]) -> Self {
        Self {
            src: header.src(),
            dst: header.dst(),
            protocol: header.protocol,
            later_fragment: header.fragment_offset() != 0,
            first_byte: payload.first().copied(),
            link_broadcast: false,
            directed_broadcast: false,
            loopback: false,
        }
    }
}

/// Why no error is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Silence {
    /// It would be about an ICMP error, or about an ICMP message that we cannot tell from one.
    Error,
    /// It would be about a fragment that is not the first.
    Fragment,
    /// It would be about a broadcast or multicast, of the link or of IP.
    Broadcast,
    /// It would go to what is not a single host.
    Source,
}

/// Whether an ICMP error may be sent about this packet (RFC 1122 §3.2.2; RFC 1812 §4.3.2.7).
pub fn may_report(packet: &Offender) -> Result<(), Silence> {
    if packet.protocol == protocol::ICMP
        && !packet.later_fragment
        && !packet.first_byte.is_some_and(is_query)
    {
        return Err(Silence::Error);
    }
    if packet.later_fragment {
        return Err(Silence::Fragment);
    }
    let group = packet.dst.is_broadcast() || packet.dst.is_multicast();
    if packet.link_broadcast || packet.directed_broadcast || group {
        return Err(Silence::Broadcast);
    }
    if !is_single_host(packet.src) || (packet.src.is_loopback() && !packet.loopback) {
        return Err(Silence::Source);
    }
    Ok(())
}

/// Whether an ICMP message of this type may be answered with an error. Types that nobody has
/// heard of may be errors of the future, and count as errors.
fn is_query(message: u8) -> bool {
    matches!(
        message,
        kind::ECHO_REPLY
            | kind::ECHO
            | kind::ROUTER_ADVERTISEMENT
            | kind::ROUTER_SOLICITATION
            | kind::TIMESTAMP
            | kind::TIMESTAMP_REPLY
            | kind::INFORMATION
            | kind::INFORMATION_REPLY
            | kind::MASK
            | kind::MASK_REPLY
            | kind::EXTENDED_ECHO
            | kind::EXTENDED_ECHO_REPLY
    )
}

/// RFC 1122 §3.2.2: not zero, not a group, not broadcast, not of class E.
fn is_single_host(addr: Ipv4Addr) -> bool {
    !matches!(addr.octets()[0], 0 | 224..=255)
}

/// How many bytes an error quotes of an offender of this length, counted from its IP header:
/// as much as fits (RFC 1812 §4.3.2.3), when its own IP header is `header_len` long.
pub fn quote_len(offender_len: usize, header_len: usize) -> usize {
    let room = MAX_ERROR_LEN - icmp::HEADER_LEN;
    offender_len.min(room.saturating_sub(header_len.max(MIN_HEADER_LEN)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn honest() -> Offender {
        let (src, dst) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 9, 1));
        Offender::new(&Ipv4Header::new(src, dst, protocol::UDP, 1, 28), &[0; 8])
    }

    #[test]
    fn rfc1122_3_2_2_an_honest_packet_is_reported() {
        assert_eq!(may_report(&honest()), Ok(()));
    }

    #[test]
    fn rfc1122_3_2_2_never_about_an_icmp_error() {
        let icmp = |first_byte| Offender { protocol: protocol::ICMP, first_byte, ..honest() };
        for error in [3, 4, 5, 11, 12] {
            assert_eq!(may_report(&icmp(Some(error))), Err(Silence::Error), "type {error}");
        }
        for query in [0, 8, 9, 10, 13, 14, 15, 16, 17, 18, 42, 43] {
            assert_eq!(may_report(&icmp(Some(query))), Ok(()), "type {query}");
        }
        for unknown in [Some(1), Some(44), Some(255), None] {
            assert_eq!(may_report(&icmp(unknown)), Err(Silence::Error));
        }
    }

    #[test]
    fn rfc1122_3_2_2_never_about_a_later_fragment() {
        let mut header = Ipv4Header::new(honest().src, honest().dst, protocol::UDP, 1, 28);
        header.set_fragment(8, false);
        assert_eq!(may_report(&Offender::new(&header, &[])), Err(Silence::Fragment));
        header.set_fragment(0, true);
        assert_eq!(may_report(&Offender::new(&header, &[])), Ok(()));
    }

    #[test]
    fn rfc1122_3_2_2_never_about_a_broadcast() {
        let to = |dst| Offender { dst, ..honest() };
        for packet in [
            to(Ipv4Addr::BROADCAST),
            to(Ipv4Addr::new(224, 0, 0, 1)),
            Offender { link_broadcast: true, ..honest() },
            Offender { directed_broadcast: true, ..honest() },
        ] {
            assert_eq!(may_report(&packet), Err(Silence::Broadcast), "{packet:?}");
        }
    }

    #[test]
    fn rfc1122_3_2_2_never_to_what_is_not_a_single_host() {
        for src in ["0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"]
        {
            let packet = Offender { src: src.parse().unwrap(), ..honest() };
            assert_eq!(may_report(&packet), Err(Silence::Source), "{src}");
        }
        let own = Offender { src: Ipv4Addr::LOCALHOST, loopback: true, ..honest() };
        assert_eq!(may_report(&own), Ok(()));
    }

    #[test]
    fn rfc1812_4_3_2_3_as_much_as_fits_in_576() {
        assert_eq!(quote_len(28, 20), 28);
        assert_eq!(quote_len(1500, 20), 548);
        assert_eq!(20 + icmp::HEADER_LEN + quote_len(1500, 20), MAX_ERROR_LEN);
        // RFC 792: at least the header and eight bytes, even with all options.
        assert!(quote_len(1500, 60) >= 60 + 8);
    }
}

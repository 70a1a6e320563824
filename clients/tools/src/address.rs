//! Addresses, masks and networks as people write them.
//!
//! * Addresses have four numbers.  * Networks may leave zeros at their end away before a slash:
//!   `10.1/16`.  * Masks are `255.255.255.0`, `0xffffff00` or `24`.
//!
//! Locking: none. Sources: RFC 4632; ifconfig(8), route(8) (hexadecimal masks).

use std::net::Ipv4Addr;

use crate::failure::Failure;

/// An address.
pub(crate) fn address(text: &str) -> Result<Ipv4Addr, Failure> {
    parse(text).ok_or_else(|| {
        Failure::misuse(format!(
            "\"{text}\" is no IPv4 address, as 10.0.0.1 is; names are not looked up, since a \
             kernel has no name service"
        ))
    })
}

/// An address, or nothing.
pub(crate) fn parse(text: &str) -> Option<Ipv4Addr> {
    text.parse().ok()
}

/// How long the prefix is that a mask means.
pub(crate) fn mask(text: &str) -> Result<u8, Failure> {
    let bits = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => match text.parse::<u8>() {
            Ok(len @ 0..=32) => return Ok(len),
            _ => parse(text).map(Ipv4Addr::to_bits),
        },
    };
    let len = bits.and_then(|bits| {
        let len = bits.leading_ones();
        (bits.count_ones() == len).then_some(len)
    });
    let len = len.and_then(|len| u8::try_from(len).ok());
    len.ok_or_else(|| {
        Failure::misuse(format!(
            "\"{text}\" is no mask, as 0xffffff00, 255.255.255.0 and 24 are: ones, then zeros"
        ))
    })
}

/// The number behind a slash.
pub(crate) fn prefix(text: &str) -> Result<u8, Failure> {
    let len = text.parse().ok().filter(|len| *len <= 32);
    len.ok_or_else(|| {
        Failure::misuse(format!("\"/{text}\" is no length of a prefix: a number from 0 to 32"))
    })
}

/// `ADDRESS`, or `ADDRESS/LENGTH`.
pub(crate) fn with_prefix(text: &str) -> Result<(Ipv4Addr, Option<u8>), Failure> {
    match text.split_once('/') {
        Some((addr, len)) => Ok((address(addr)?, Some(prefix(len)?))),
        None => Ok((address(text)?, None)),
    }
}

/// A network: as `with_prefix`, where zeros at the end may be left away if there is a length.
pub(crate) fn network(text: &str) -> Result<(Ipv4Addr, Option<u8>), Failure> {
    let Some((addr, len)) = text.split_once('/') else { return with_prefix(text) };
    let dots = addr.matches('.').count();
    let whole = format!("{addr}{}", ".0".repeat(3_usize.saturating_sub(dots)));
    Ok((address(&whole)?, Some(prefix(len)?)))
}

/// The mask of so many bits.
pub(crate) fn mask_of(len: u8) -> Ipv4Addr {
    Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(len.min(32))).unwrap_or(0))
}

/// The prefix of an address whose mask nobody says.
pub(crate) fn class_of(addr: Ipv4Addr) -> u8 {
    match addr.octets()[0] {
        0..128 => 8,
        128..192 => 16,
        _ => 24,
    }
}

/// Whether bits are set behind the prefix.
pub(crate) fn has_host_bits(addr: Ipv4Addr, len: u8) -> bool {
    addr.to_bits() & !mask_of(len).to_bits() != 0
}

/// A link address: six numbers in hexadecimal.
pub(crate) fn link(text: &str) -> Result<[u8; 6], Failure> {
    let parse = || {
        let mut link = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut link {
            let part = parts.next().filter(|part| (1..=2).contains(&part.len()))?;
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(link)
    };
    parse().ok_or_else(|| {
        Failure::misuse(format!("\"{text}\" is no link address, as b2:a0:00:00:00:01 is"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn masks() {
        for (text, len) in [
            ("0xffffff00", 24),
            ("0XFFFF0000", 16),
            ("255.255.255.0", 24),
            ("255.255.255.255", 32),
            ("0.0.0.0", 0),
            ("24", 24),
            ("0", 0),
        ] {
            assert_eq!(mask(text).unwrap(), len, "{text}");
        }
        for text in ["0xff00ff00", "255.0.255.0", "33", "0x", "x", "", "0x1ffffffff", "-1"] {
            assert!(mask(text).unwrap_err().to_string().contains("no mask"), "{text}");
        }
    }

    #[test]
    fn networks() {
        let of = |text: &str| network(text).ok().map(|(addr, len)| (addr.to_string(), len));
        assert_eq!(of("10/8"), Some(("10.0.0.0".into(), Some(8))));
        assert_eq!(of("10.1.2/24"), Some(("10.1.2.0".into(), Some(24))));
        assert_eq!(of("10.1.2.0"), Some(("10.1.2.0".into(), None)));
        for text in ["10.1", "10/33", "10./8", "/8", "1.2.3.4.5/8", "10/", "10/8/8"] {
            assert_eq!(of(text), None, "{text}");
        }
        assert!(has_host_bits([10, 0, 0, 1].into(), 24));
        assert!(!has_host_bits([10, 0, 0, 0].into(), 24));
        assert!(!has_host_bits([10, 0, 0, 1].into(), 32));
    }

    #[test]
    fn link_addresses() {
        assert_eq!(link("b2:a0:0:0:00:1").unwrap(), [0xb2, 0xa0, 0, 0, 0, 1]);
        for text in
            ["", "b2:a0", "b2:a0:0:0:0:1:2", "b2:a0:0:0:0:100", "b2:a0:0:0:0:", "x:1:2:3:4:5"]
        {
            assert!(link(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_prefix_has_a_mask(len in 0_u8..=32) {
            let made = mask_of(len);
            prop_assert_eq!(mask(&made.to_string()).unwrap(), len);
            prop_assert_eq!(mask(&format!("{:#010x}", made.to_bits())).unwrap(), len);
        }

        #[test]
        fn anything_is_read_or_refused(text: String) {
            let _ = (address(&text), mask(&text), network(&text), link(&text));
        }
    }
}

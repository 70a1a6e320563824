//! Addresses and prefixes in files: what may be written, and what is wrong with the rest.
//!
//! * [`interface_address`]: `10.0.0.1/24`, an address that an interface can have.
//! * [`loopback_address`]: the same, or `127.0.0.1/8`.
//! * [`destination`]: `10.0.0.0/24` or `default`, what a route leads to.
//! * [`host`]: `10.0.0.1`, an address of some node.
//!
//! Each gives a sentence without a place; the caller knows the place.
//!
//! Locking: none. Sources: RFC 4632 (prefixes), RFC 1122 section 3.2.1.3 (special addresses),
//! RFC 1812 section 5.3.7 (what never leaves a router).

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The prefix that everything matches.
pub(crate) const DEFAULT: &str = "default";

/// The address and prefix length of an interface: a unicast address that is neither its
/// network's own nor its broadcast address.
pub(crate) fn interface_address(text: &str) -> Result<Ipv4Net, String> {
    let net = prefix(text)?;
    unicast(net.addr())?;
    on_network(net)
}

/// The same for a loopback interface, which may have 127.0.0.1/8.
pub(crate) fn loopback_address(text: &str) -> Result<Ipv4Net, String> {
    let net = prefix(text)?;
    if !net.addr().is_loopback() {
        unicast(net.addr())?;
    }
    on_network(net)
}

fn on_network(net: Ipv4Net) -> Result<Ipv4Net, String> {
    if !(8..=30).contains(&net.prefix_len()) {
        return Err(format!("the prefix length of {net} must be between 8 and 30"));
    }
    if net.addr() == net.network() {
        return Err(format!("{} is the address of the network {net} itself", net.addr()));
    }
    if net.addr() == net.broadcast() {
        return Err(format!("{} is the broadcast address of {}", net.addr(), net.trunc()));
    }
    Ok(net)
}

/// What a route leads to: a prefix with no bits past its length.
pub(crate) fn destination(text: &str) -> Result<Ipv4Net, String> {
    if text == DEFAULT {
        return Ok(Ipv4Net::default());
    }
    let net = prefix(text)
        .map_err(|_| format!("{text:?} is not \"default\" or a prefix such as 10.0.0.0/24"))?;
    if net.trunc() != net {
        return Err(format!("{net} has bits past its length; the prefix is {}", net.trunc()));
    }
    if net.prefix_len() != 0 {
        unicast(net.network())?;
    }
    Ok(net)
}

/// An address that some node may have.
pub(crate) fn host(text: &str) -> Result<Ipv4Addr, String> {
    let address = address(text)?;
    unicast(address)?;
    Ok(address)
}

fn prefix(text: &str) -> Result<Ipv4Net, String> {
    let example = || format!("{text:?} is not an address and a length, such as 10.0.0.1/24");
    let (address, length) = text.split_once('/').ok_or_else(example)?;
    // `parse` of a number takes a sign and leading zeros; a prefix length has neither.
    let digits = matches!(length.len(), 1 | 2) && length.bytes().all(|b| b.is_ascii_digit());
    let length: u8 = length.parse().ok().filter(|_| digits).ok_or_else(example)?;
    Ipv4Net::new(address.parse().map_err(|_| example())?, length).map_err(|_| example())
}

fn address(text: &str) -> Result<Ipv4Addr, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address such as 10.0.0.1"))
}

fn unicast(address: Ipv4Addr) -> Result<(), String> {
    let is = match address.octets() {
        [0, ..] => "of \"this network\"",
        [127, ..] => "a loopback address",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved or broadcast address",
        _ => return Ok(()),
    };
    Err(format!("{address} is {is}, not one that can be reached over a link"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_interfaces() {
        assert_eq!(interface_address("1.2.3.1/24").map(|net| net.prefix_len()), Ok(24));
        assert!(loopback_address("127.0.0.1/8").is_ok());
        let wrong = [
            ("1.2.3.1", "\"1.2.3.1\" is not an address and a length, such as 10.0.0.1/24"),
            ("1.2.3.1/+8", "\"1.2.3.1/+8\" is not an address and a length, such as 10.0.0.1/24"),
            ("1.2.3.1/99", "\"1.2.3.1/99\" is not an address and a length, such as 10.0.0.1/24"),
            ("1.2.3.1/31", "the prefix length of 1.2.3.1/31 must be between 8 and 30"),
            ("1.2.3.0/24", "1.2.3.0 is the address of the network 1.2.3.0/24 itself"),
            ("1.2.3.255/24", "1.2.3.255 is the broadcast address of 1.2.3.0/24"),
            (
                "127.0.0.1/8",
                "127.0.0.1 is a loopback address, not one that can be reached over a link",
            ),
        ];
        for (text, message) in wrong {
            assert_eq!(interface_address(text).unwrap_err(), message);
        }
    }

    #[test]
    fn destinations() {
        assert_eq!(destination("default").unwrap().to_string(), "0.0.0.0/0");
        assert_eq!(destination("0.0.0.0/0"), destination("default"));
        assert_eq!(destination("1.2.3.4/32").unwrap().to_string(), "1.2.3.4/32");
        assert_eq!(
            destination("1.2.3.4/24").unwrap_err(),
            "1.2.3.4/24 has bits past its length; the prefix is 1.2.3.0/24"
        );
        assert!(destination("224.0.0.0/8").is_err());
    }

    #[test]
    fn hosts() {
        assert_eq!(host("1.2.3.4"), Ok(Ipv4Addr::new(1, 2, 3, 4)));
        assert!(host("1.2.3.256").is_err());
        assert!(host("255.255.255.255").is_err());
    }
}

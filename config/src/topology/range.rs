//! Links by number: the /24 of each, and the fewest prefixes that cover a run of them.
//!
//! * [`near`], [`far`]: the two addresses of a link, as in figure 3.31: `.1` belongs to the
//!   node of the link's own number, `.2` to the neighbour.
//! * [`prefixes`]: a run of links, of which neighbouring ones share prefixes.
//!
//! Link `k` is the /24 at `1.2.0.0 + 256·k`. The last one below the loopback network, and with
//! it the most links that there can be, is [`MAX_LINK`].
//!
//! Locking: none. Sources: RFC 4632 section 3.1 (blocks of powers of two).

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use ipnet::{Ipv4Net, Ipv4Subnets};

const BASE: u32 = u32::from_be_bytes([1, 2, 0, 0]);
const LOOPBACK: u32 = u32::from_be_bytes([127, 0, 0, 0]);
const LENGTH: u8 = 24;

/// The greatest link number whose /24 lies below 127.0.0.0.
pub(super) const MAX_LINK: u32 = (LOOPBACK - BASE) / 256 - 1;

/// The number is at most [`MAX_LINK`]: `generate` refuses more nodes than that.
fn network(link: u32) -> u32 {
    debug_assert!(link <= MAX_LINK, "link {link} is outside the address plan");
    BASE.wrapping_add(link.wrapping_mul(256))
}

/// The address of the node that the link is named after, `1.2.k.1`.
pub(super) fn near(link: u32) -> Ipv4Addr {
    Ipv4Addr::from(network(link) | 1)
}

/// The address of its neighbour, `1.2.k.2`.
pub(super) fn far(link: u32) -> Ipv4Addr {
    Ipv4Addr::from(network(link) | 2)
}

/// With the link's prefix length, for an interface.
pub(super) fn on_link(address: Ipv4Addr) -> Ipv4Net {
    Ipv4Net::new_assert(address, LENGTH)
}

/// The prefix of one link.
pub(super) fn prefix(link: u32) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from(network(link)), LENGTH)
}

/// The fewest prefixes that cover these links and no other; none for an empty run.
pub(super) fn prefixes(links: RangeInclusive<u32>) -> impl Iterator<Item = Ipv4Net> {
    let run = (!links.is_empty()).then(|| {
        let (first, last) = links.into_inner();
        Ipv4Subnets::new(Ipv4Addr::from(network(first)), Ipv4Addr::from(network(last) | 255), 0)
    });
    run.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(links: RangeInclusive<u32>) -> Vec<String> {
        prefixes(links).map(|net| net.to_string()).collect()
    }

    #[test]
    fn links_have_the_addresses_of_the_figure_and_go_on_past_255() {
        assert_eq!(near(1).to_string(), "1.2.1.1");
        assert_eq!(far(255).to_string(), "1.2.255.2");
        assert_eq!(near(256).to_string(), "1.3.0.1");
        assert_eq!(near(100_000).to_string(), "2.136.160.1");
        assert_eq!(prefix(MAX_LINK).to_string(), "126.255.255.0/24");
    }

    #[test]
    fn runs_are_covered_by_the_fewest_prefixes() {
        assert_eq!(cover(4..=4), ["1.2.4.0/24"]);
        assert_eq!(cover(4..=7), ["1.2.4.0/22"]);
        assert_eq!(cover(1..=5), ["1.2.1.0/24", "1.2.2.0/23", "1.2.4.0/23"]);
        #[expect(clippy::reversed_empty_ranges, reason = "an empty run is what is tested")]
        let none = 5..=4;
        assert_eq!(cover(none), [""; 0]);
    }
}

//! A member as others see it: one word with its address and what it takes.
//!
//! Locking: none; pure. Sources: none.

use net::MacAddr;

/// The slot has a member.
const PRESENT: u64 = 1 << 48;
/// It takes frames that are for others.
const PROMISCUOUS: u64 = 1 << 49;

/// A member's address and flags. The default is nobody.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Station(u64);

impl Station {
    /// A member.
    pub fn new(mac: MacAddr, promiscuous: bool) -> Station {
        Station(number(mac) | PRESENT | if promiscuous { PROMISCUOUS } else { 0 })
    }

    /// From the word in the file.
    pub fn from_word(word: u64) -> Station {
        Station(word)
    }

    /// The word for the file.
    pub fn word(self) -> u64 {
        self.0
    }

    /// Whether there is a member.
    pub fn is_present(self) -> bool {
        self.0 & PRESENT != 0
    }

    /// Its address.
    pub fn mac(self) -> MacAddr {
        let [_, _, mac @ ..] = self.0.to_be_bytes();
        MacAddr(mac)
    }

    /// Whether a frame to `dst` is for it.
    #[inline]
    pub fn wants(self, dst: MacAddr) -> bool {
        self.is_present()
            && (dst.is_multicast()
                || self.0 & PROMISCUOUS != 0
                || (self.0 ^ number(dst)) << 16 == 0)
    }
}

#[inline]
fn number(mac: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_what() {
        let (mine, other) = (MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2]));
        let all = MacAddr::BROADCAST;
        let wants = |station: Station| [mine, other, all].map(|dst| station.wants(dst));
        assert_eq!(wants(Station::new(mine, false)), [true, false, true]);
        assert_eq!(wants(Station::new(mine, true)), [true, true, true]);
        assert_eq!(wants(Station::default()), [false; 3]);
        assert_eq!(Station::from_word(Station::new(other, true).word()).mac(), other);
    }
}

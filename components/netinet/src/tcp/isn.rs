//! Where a connection's numbers begin, and other numbers that only this kernel can tell.
//!
//! * [`Secret::iss`]: RFC 6528: a clock, and a hash of who talks to whom.
//! * [`Secret::clock_offset`]: where the clock in timestamps begins, for each pair of hosts.
//! * [`Secret::hash`]: SipHash-2-4, for these, for SYN cookies and for the table of connections.
//!
//! Locking: none. Sources: RFC 6528 §3; RFC 7323 §5.4, §7.1; Aumasson and Bernstein, "SipHash".

use core::net::SocketAddrV4;

use super::seq::Seq;

/// Who talks to whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Pair {
    /// This side.
    pub local: SocketAddrV4,
    /// The other.
    pub peer: SocketAddrV4,
}

impl Pair {
    fn words(&self) -> [u64; 2] {
        let word = |a: &SocketAddrV4| u64::from(a.ip().to_bits()) << 16 | u64::from(a.port());
        [word(&self.local), word(&self.peer)]
    }
}

/// A key that nobody outside knows.
#[derive(Clone, Copy)]
pub struct Secret(pub [u64; 2]);

impl Secret {
    /// The first number of a new connection.
    pub fn iss(&self, pair: &Pair, now: u64) -> Seq {
        let [a, b] = pair.words();
        // RFC 9293 §3.4.1: a step every four microseconds.
        Seq((self.hash(&[1, a, b]) as u32).wrapping_add((now / 4000) as u32))
    }

    /// Where timestamps between these two begin.
    pub fn clock_offset(&self, pair: &Pair) -> u32 {
        let [a, b] = pair.words();
        // The same for all connections of two hosts, so that RFC 6191 may compare them.
        self.hash(&[2, a >> 16, b >> 16]) as u32
    }

    /// Of a pair and something else.
    pub fn of_pair(&self, pair: &Pair, salt: u64) -> u64 {
        let [a, b] = pair.words();
        self.hash(&[3, a, b, salt])
    }

    /// SipHash-2-4 of words.
    pub fn hash(&self, words: &[u64]) -> u64 {
        let [k0, k1] = self.0;
        let mut v = [
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        ];
        let last = (words.len() as u64 * 8) << 56;
        for word in words.iter().copied().chain([last]) {
            v[3] ^= word;
            round(&mut v);
            round(&mut v);
            v[0] ^= word;
        }
        v[2] ^= 0xff;
        (0..4).for_each(|_| round(&mut v));
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

fn round(v: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *v;
    a = a.wrapping_add(b);
    b = b.rotate_left(13) ^ a;
    a = a.rotate_left(32);
    c = c.wrapping_add(d);
    d = d.rotate_left(16) ^ c;
    a = a.wrapping_add(d);
    d = d.rotate_left(21) ^ a;
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    *v = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::hash::Hasher;

    #[test]
    fn siphash_agrees_with_another_implementation() {
        for words in [&[][..], &[1], &[1, 2, 3], &[u64::MAX, 0, 0x0123_4567_89ab_cdef]] {
            #[allow(deprecated)]
            let mut other = core::hash::SipHasher::new_with_keys(5, 7);
            words.iter().for_each(|w| other.write(&w.to_le_bytes()));
            assert_eq!(Secret([5, 7]).hash(words), other.finish());
        }
    }

    #[test]
    fn rfc6528_3_another_pair_begins_elsewhere_and_the_clock_goes_on() {
        let secret = Secret([1, 2]);
        let pair = |port| Pair {
            local: SocketAddrV4::new([10, 0, 0, 1].into(), port),
            peer: SocketAddrV4::new([10, 0, 0, 2].into(), 80),
        };
        assert_ne!(secret.iss(&pair(1), 0), secret.iss(&pair(2), 0));
        assert_ne!(secret.iss(&pair(1), 0), Secret([1, 3]).iss(&pair(1), 0));
        assert_eq!(secret.iss(&pair(1), 4_000_000), secret.iss(&pair(1), 0) + 1000);
        assert_eq!(secret.clock_offset(&pair(1)), secret.clock_offset(&pair(2)));
    }
}

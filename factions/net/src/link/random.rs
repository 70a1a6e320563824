//! The random numbers of one link: small, fast, and the same again from the same seed.
//!
//! Nobody needs to be kept from guessing which packet is lost, so this is no cipher; the seed comes
//! from the kernel's generator, so that every link has a stream of its own.
//!
//! Locking: none. Sources: Steele, Lea, Flood 2014 (SplitMix); Lemire 2019 (a number below another).

/// A generator.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    /// One below `n`, or 0. (Of 2^64 the bias is far below what anybody could count.)
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.number()) * u128::from(n)) >> 64) as u64
    }

    /// About normal, with mean 0 and this standard deviation: the sum of twelve uniform numbers,
    /// which never is more than six deviations away.
    pub(super) fn normal(&mut self, deviation: u64) -> i64 {
        let sum: i64 = (0..12).map(|_| (self.number() >> 32) as i64).sum();
        let centred = i128::from(sum - (6_i64 << 32));
        ((centred * i128::from(deviation)) >> 32) as i64
    }
}

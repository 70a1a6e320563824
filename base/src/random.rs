//! Random numbers.
//!
//! A ChaCha generator per kernel, seeded from the host's entropy at the first use, so that a
//! kernel that needs none pays for none.
//!
//! Locking: `Rank::Random`. Sources: NetBSD cprng(9).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::Cx;

/// A kernel's generator.
#[derive(Default)]
pub(crate) struct Generator(Option<alloc::boxed::Box<ChaCha8Rng>>);

impl Generator {
    pub(crate) fn new() -> Self {
        Self(None)
    }
}

/// Fills `out` with bytes that nobody outside can guess.
#[allow(clippy::disallowed_methods)] // one fixed object per kernel
pub fn fill(cx: &Cx<'_>, out: &mut [u8]) {
    let mut generator = cx.body().random.lock(cx);
    let rng = generator.0.get_or_insert_with(|| {
        let mut seed = [0; 32];
        cx.host().entropy(&mut seed);
        alloc::boxed::Box::new(ChaCha8Rng::from_seed(seed))
    });
    rng.fill_bytes(out);
}

/// A random number.
pub fn u32(cx: &Cx<'_>) -> u32 {
    let mut bytes = [0; 4];
    fill(cx, &mut bytes);
    u32::from_ne_bytes(bytes)
}

/// A random number.
pub fn u64(cx: &Cx<'_>) -> u64 {
    let mut bytes = [0; 8];
    fill(cx, &mut bytes);
    u64::from_ne_bytes(bytes)
}

/// A random number below `limit` (0 if that is 0), without bias.
pub fn below(cx: &Cx<'_>, limit: u32) -> u32 {
    if limit == 0 {
        return 0;
    }
    // Lemire's method: reject the few products that would favour small results.
    loop {
        let product = u64::from(u32(cx)) * u64::from(limit);
        if product as u32 >= limit.wrapping_neg() % limit {
            return (product >> 32) as u32;
        }
    }
}

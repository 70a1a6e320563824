//! Entropy: a ChaCha generator per host, keyed by getrandom(2) at its first use.
//!
//! * [`Pool::fill`] gives bytes that nobody can guess, four of them for some ten nanoseconds.
//! * The key is replaced from the system after every 64 KiB, which bounds what a leak of this
//!   process's memory tells about the past. A forked child would repeat its parent's bytes: a host
//!   does not survive fork.
//!
//! Locking: `entropy` guards the pool. Sources: getrandom(2); RFC 8439, section 2.3.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Bytes between two keys.
const KEY_LASTS: usize = 64 * 1024;

#[derive(Default)]
pub struct Pool {
    generator: Option<ChaCha12Rng>,
    left: usize,
}

impl Pool {
    pub fn fill(&mut self, out: &mut [u8]) {
        if self.left < out.len() {
            self.generator = None;
        }
        let generator = self.generator.get_or_insert_with(|| {
            self.left = KEY_LASTS;
            ChaCha12Rng::from_seed(key())
        });
        generator.fill_bytes(out);
        self.left = self.left.saturating_sub(out.len());
    }
}

fn key() -> [u8; 32] {
    let mut key = [0; 32];
    loop {
        match getrandom(&mut key, GetRandomFlags::empty()) {
            // Up to 256 bytes come whole.
            Ok(n) if n == key.len() => return key,
            Ok(_) | Err(Errno::INTR) => {}
            // Only a Linux before 3.17 or a filter on system calls says so, and nothing that
            // follows would be safe to do.
            Err(e) => panic!("the system gives no entropy: {e}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_do_not_repeat() {
        let (mut a, mut b) = (Pool::default(), Pool::default());
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..2 * KEY_LASTS / 16 {
            for pool in [&mut a, &mut b] {
                let mut bytes = [0; 16];
                pool.fill(&mut bytes);
                assert!(seen.insert(bytes));
            }
        }
    }

    #[test]
    fn any_length_will_do() {
        let mut pool = Pool::default();
        pool.fill(&mut []);
        let mut large = vec![0; 3 * KEY_LASTS];
        pool.fill(&mut large);
        assert!(large.chunks(4096).all(|c| c.iter().any(|b| *b != 0)));
    }
}

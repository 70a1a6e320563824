//! Looking at a word for a moment before sleeping on it.
//!
//! A thread that sleeps costs its waker a system call, and itself the time until a processor has
//! woken up and found it: tens of microseconds on many machines. Who answers from another processor
//! is often back sooner. So a thread spins first, but only as long as that has paid lately: each
//! thread keeps its own account. On one processor, or with a partner that takes long, the first few
//! waits find that out, and later ones ask again from time to time.
//!
//! * [`Patience`]: how long; pure.  * [`until_changed`]: the spinning.
//!
//! Locking: none; a thread's own. Sources: Karlin et al., "Competitive randomized algorithms for
//! nonuniform problems" (1990): spin as long as a sleep costs; glibc's adaptive mutex.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use hypercall::Instant;

use crate::clock::now;

/// The longest, in nanoseconds: about what it costs to sleep and be woken.
const LONGEST: u32 = 20_000;
/// Less is not worth a look at the clock.
const SHORTEST: u32 = 1_000;
/// What a thread begins with, and how long it asks again.
const TRIAL: u32 = 5_000;
/// Every how many waits, where it did not pay.
const TRIAL_EVERY: u8 = 64;
/// Looks between two looks at the clock.
const LOOKS: u32 = 16;

/// How long a thread's waits are worth spinning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    nanos: u32,
    /// Waits since it last tried.
    untried: u8,
}

impl Patience {
    /// Of a new thread.
    pub const NEW: Patience = Patience { nanos: TRIAL, untried: 0 };

    /// How long to spin now.
    pub fn next(&mut self) -> u32 {
        if self.nanos >= SHORTEST {
            return self.nanos;
        }
        self.untried += 1;
        if self.untried < TRIAL_EVERY {
            return 0;
        }
        self.untried = 0;
        TRIAL
    }

    /// It paid after so long.
    pub fn paid(&mut self, nanos: u32) {
        self.nanos = nanos.saturating_mul(4).clamp(self.nanos.max(TRIAL), LONGEST);
    }

    /// It did not.
    pub fn failed(&mut self) {
        self.nanos /= 2;
    }
}

thread_local! {
    static PATIENCE: Cell<Patience> = const { Cell::new(Patience::NEW) };
}

/// Spins for a moment, if that has paid lately; whether the word has changed from `old`.
pub fn until_changed(word: &AtomicU32, old: u32) -> bool {
    let mut patience = PATIENCE.get();
    let nanos = patience.next();
    let changed = nanos > 0 && {
        let start = now();
        let (changed, took) = spin(word, old, start, nanos);
        if changed {
            patience.paid(took)
        } else {
            patience.failed()
        }
        changed
    };
    PATIENCE.set(patience);
    changed
}

fn spin(word: &AtomicU32, old: u32, start: Instant, nanos: u32) -> (bool, u32) {
    loop {
        for _ in 0..LOOKS {
            if word.load(Ordering::Relaxed) != old {
                return (true, since(start));
            }
            core::hint::spin_loop();
        }
        let took = since(start);
        if took >= nanos {
            return (false, took);
        }
    }
}

fn since(start: Instant) -> u32 {
    u32::try_from(now().nanos().saturating_sub(start.nanos())).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_pay_is_given_up_and_asked_again_rarely() {
        let mut patience = Patience::NEW;
        let mut spent = 0;
        let waits = 64 * 100;
        for _ in 0..waits {
            match patience.next() {
                0 => {}
                nanos => {
                    spent += nanos;
                    patience.failed();
                }
            }
        }
        assert!(spent / waits < 100, "{} ns for each wait", spent / waits);
    }

    #[test]
    fn what_pays_goes_on() {
        let mut patience = Patience::NEW;
        while patience.next() > 0 {
            patience.failed();
        }
        // Asked again within so many waits, and found out.
        let tried = (0..TRIAL_EVERY).find(|_| patience.next() > 0);
        assert!(tried.is_some());
        patience.paid(3_000);
        assert_eq!(patience.next(), 12_000);
        patience.paid(9_000);
        assert_eq!(patience.next(), LONGEST);
        // One that takes long now and then changes little.
        patience.failed();
        patience.paid(100);
        assert_eq!(patience.next(), LONGEST / 2);
    }

    #[test]
    fn a_change_is_seen() {
        let word = AtomicU32::new(1);
        assert!(until_changed(&word, 0));
        assert!(!spin(&word, 1, now(), 2_000).0);
    }
}

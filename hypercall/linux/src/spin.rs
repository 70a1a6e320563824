//! Looking at a word for a moment before sleeping on it.
//!
//! A thread that sleeps costs its waker a system call, and itself the time until a processor has
//! woken up and found it: fifty microseconds on a virtual machine. Who answers from another processor
//! is often back sooner. So a thread spins first, but only as long as that has paid lately: each
//! thread keeps its own account. On one processor, or with a partner that takes long, the first few
//! waits find that out, and later ones ask again, ever more rarely.
//!
//! Two threads that sleep while each waits for the other never see how quick they could be. One that
//! asks again, for as long as a wake-up takes, does see it; then the other one, too.
//!
//! * [`Patience`]: how long; pure.  * [`until_changed`]: the spinning.
//!
//! Locking: none; a thread's own. Sources: Karlin et al., "Competitive randomized algorithms for
//! nonuniform problems" (1990): spin as long as a sleep costs; glibc's adaptive mutex.

use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use hypercall::Instant;

use crate::clock::now;

/// The longest, in nanoseconds: more than it takes to be woken.
const LONGEST: u32 = 100_000;
/// Less is not worth a look at the clock.
const SHORTEST: u32 = 2_000;
/// What a thread begins with, and how long it asks again.
const TRIAL: u32 = 60_000;
/// After how many waits it asks again at first, and at last, where it does not pay.
const TRIAL_EVERY: (u16, u16) = (16, 1024);
/// Looks between two looks at the clock.
const LOOKS: u32 = 16;

/// How long a thread's waits are worth spinning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience {
    nanos: u32,
    /// Waits since it last asked.
    waits: u16,
    /// After how many it asks again.
    every: u16,
}

impl Patience {
    /// Of a new thread.
    pub const NEW: Patience = Patience { nanos: TRIAL, waits: 0, every: TRIAL_EVERY.0 };

    /// How long to spin now.
    pub fn next(&mut self) -> u32 {
        if self.nanos >= SHORTEST {
            return self.nanos;
        }
        self.waits += 1;
        if self.waits < self.every {
            return 0;
        }
        (self.waits, self.every) = (0, (2 * self.every).min(TRIAL_EVERY.1));
        TRIAL
    }

    /// It paid after so long.
    pub fn paid(&mut self, nanos: u32) {
        self.nanos = nanos.saturating_mul(4).clamp(self.nanos.max(SHORTEST), LONGEST);
        self.every = TRIAL_EVERY.0;
    }

    /// It did not.
    pub fn failed(&mut self) {
        self.nanos /= 2;
    }
}

thread_local! {
    static PATIENCE: Cell<Patience> = const { Cell::new(Patience::NEW) };
}

/// Spins for a moment, if that has paid lately, and not beyond the deadline; whether the word has
/// changed from `old`.
pub fn until_changed(word: &AtomicU32, old: u32, deadline: Option<Instant>) -> bool {
    let mut patience = PATIENCE.get();
    let nanos = patience.next();
    let changed = nanos > 0 && {
        let start = now();
        let left = deadline.map_or(u64::MAX, |d| d.nanos().saturating_sub(start.nanos()));
        let nanos = nanos.min(u32::try_from(left).unwrap_or(u32::MAX));
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
        let waits = 100_000;
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
        let tried = (0..TRIAL_EVERY.0).find(|_| patience.next() > 0);
        assert!(tried.is_some());
        patience.paid(3_000);
        assert_eq!(patience.next(), 12_000);
        patience.paid(30_000);
        assert_eq!(patience.next(), LONGEST);
        // One that takes long now and then changes little.
        patience.failed();
        patience.paid(100);
        assert_eq!(patience.next(), LONGEST / 2);
    }

    #[test]
    fn of_two_that_sleep_for_each_other_one_finds_out_and_then_the_other() {
        // What a wait takes, by who spins: a wake-up costs 50 µs, an answer 2.
        let answer = |other_spins: bool| if other_spins { 2_000 } else { 52_000 };
        let mut both = [Patience { nanos: 0, ..Patience::NEW }; 2];
        let mut spins = [false; 2];
        for turn in 0..2000 {
            let me = turn % 2;
            let took = answer(spins[1 - me]);
            let patience = &mut both[me];
            let nanos = patience.next();
            spins[me] = nanos >= took;
            match nanos {
                0 => {}
                _ if spins[me] => patience.paid(took),
                _ => patience.failed(),
            }
        }
        assert_eq!(spins, [true; 2]);
    }

    #[test]
    fn a_change_is_seen() {
        let word = AtomicU32::new(1);
        assert!(until_changed(&word, 0, None));
        assert!(!until_changed(&word, 1, Some(Instant::default())));
        assert!(!spin(&word, 1, now(), 2_000).0);
    }
}

//! Wait and wake.
//!
//! A wait whose word has changed already still gives way, so that a thread that tries again and
//! again lets others get on.
//!
//! Locking: the word is read under `Sim::state`, which `wake` takes too: no wake is lost.
//! Sources: `hypercall::Parking`.

use hypercall::atomic::{AtomicU32, Ordering};
use hypercall::{Instant, Offcpu, Parking, Wakeup};

use crate::state::{Key, Verdict};
use crate::{Sim, report};

fn key(word: &AtomicU32) -> Key {
    Key::Word(std::ptr::from_ref(word) as usize)
}

impl Parking for Sim {
    fn wait(
        &self,
        _proof: &Offcpu,
        word: &AtomicU32,
        expected: u32,
        deadline: Option<Instant>,
    ) -> Wakeup {
        let me = self.me("wait");
        let early = self.faults.wakes_early();
        let mut state = self.lock();
        report::refuse_in_visit(&state, "wait");
        let verdict;
        if early || word.load(Ordering::Acquire) != expected {
            state.ready(me, Verdict::Woken);
            state = self.reschedule(state, me);
            verdict = state.verdict(me);
        } else {
            let deadline = deadline.map(Instant::nanos);
            (state, verdict) = self.block(state, me, key(word), expected, deadline);
        }
        drop(state);
        match verdict {
            Verdict::Woken => Wakeup::Woken,
            Verdict::TimedOut => Wakeup::TimedOut,
            Verdict::Doomed(text) => {
                let holds = word.load(Ordering::Acquire);
                panic!("sim: {text}\n  (thread {me}: its word holds {holds})")
            }
        }
    }

    fn wake(&self, word: &AtomicU32, count: u32) {
        self.lock().wake(key(word), count);
    }
}

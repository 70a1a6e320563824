//! The watch: a thread that sees to it that nobody is stuck behind a visit that never returns.
//!
//! It looks at all lanes every 10 ms while something is under way. It is turned on when a guest
//! waits behind another, so a process with one kernel seldom has this thread. Guests that have been waiting
//! in a lane whose owner made no progress since the last look are moved to the pool; a pool that
//! makes none gets another worker, beyond their number in the end. It visits no guest itself, so
//! it cannot get stuck. The more was going on, the longer it stays awake, up to a second; then it
//! sleeps until [`Watch::on`], which costs a load while it is awake.
//!
//! Locking: `lanes` and `pool`, one after the other. Sources: the Go runtime's monitor thread, for
//! the idea.

use core::sync::atomic::{AtomicU32, Ordering, fence};
use core::time::Duration;
use std::sync::Arc;
use std::thread;

use crate::clock::now;
use crate::lock;
use crate::parking::{block, unblock};
use crate::pool::Call;
use crate::shared::Shared;

const TICK: Duration = Duration::from_millis(10);
/// The most ticks that the watch goes on without a visit.
const PATIENCE: u64 = 100;
/// Ticks without progress after which workers are taken to be stuck, not merely short of CPU.
const STUCK: u32 = 10;

const ABSENT: u32 = 0;
const ASLEEP: u32 = 1;
const AWAKE: u32 = 2;
const ENDED: u32 = 3;

/// Whether somebody watches.
#[derive(Default)]
pub struct Watch(AtomicU32);

impl Watch {
    /// Makes sure that the watch is on. Never blocks.
    ///
    /// The caller marked its lane (by a guest in it, or as carrying) and put a sequentially
    /// consistent fence behind that: then either it sees here that the watch went off, or the
    /// watcher's last look sees the mark.
    #[inline]
    pub fn on(&self, shared: &Arc<Shared>) {
        if self.0.load(Ordering::Relaxed) != AWAKE {
            self.wake(shared);
        }
    }

    #[cold]
    fn wake(&self, shared: &Arc<Shared>) {
        if self.turn(ASLEEP, AWAKE) {
            unblock(&self.0, 1);
        } else if self.turn(ABSENT, AWAKE) {
            let shared = shared.clone();
            let run = move || run(&shared);
            if thread::Builder::new().name("watch".into()).spawn(run).is_err() {
                // The next one to come tries again.
                self.turn(AWAKE, ABSENT);
            }
        }
    }

    /// The host is gone.
    pub fn end(&self) {
        if self.0.swap(ENDED, Ordering::SeqCst) != ABSENT {
            unblock(&self.0, 1);
        }
    }

    fn turn(&self, from: u32, to: u32) -> bool {
        self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }
}

fn run(shared: &Arc<Shared>) {
    let state = &shared.watch.0;
    let mut look = Look::default();
    let mut patience = 0u64;
    loop {
        block(state, AWAKE, Some(now() + TICK));
        if state.load(Ordering::Relaxed) == ENDED {
            return;
        }
        let seen = look.round(shared);
        patience = patience.saturating_add(seen.visits).min(PATIENCE);
        if seen.busy || patience > 0 {
            patience = patience.saturating_sub(1);
            continue;
        }
        if !shared.watch.turn(AWAKE, ASLEEP) {
            continue;
        }
        fence(Ordering::SeqCst);
        if under_way(shared) {
            shared.watch.turn(ASLEEP, AWAKE);
            continue;
        }
        while state.load(Ordering::Relaxed) == ASLEEP {
            block(state, ASLEEP, None);
        }
    }
}

fn under_way(shared: &Shared) -> bool {
    lock(&shared.lanes).iter().any(|track| track.busy()) || !lock(&shared.pool).queue.is_empty()
}

/// What the watcher remembers from one look to the next.
#[derive(Default)]
struct Look {
    /// The pool's count of guests taken.
    taken: u64,
    /// Looks in a row at which the pool had work and made no progress.
    stalled: u32,
}

struct Seen {
    busy: bool,
    visits: u64,
}

impl Look {
    fn round(&mut self, shared: &Arc<Shared>) -> Seen {
        let mut seen = Seen { busy: false, visits: 0 };
        let mut robbed = Vec::new();
        for track in lock(&shared.lanes).iter() {
            let (visits, waiting) = (track.visits(), track.waiting());
            let before = track.seen.0.swap(visits, Ordering::Relaxed);
            let waited = track.seen.1.swap(waiting, Ordering::Relaxed);
            if waiting && waited && before == visits {
                track.rob(&mut robbed);
            }
            seen.busy |= track.busy();
            seen.visits = seen.visits.saturating_add(visits.wrapping_sub(before));
        }
        if !robbed.is_empty() {
            seen.busy = true;
            shared.raise(robbed);
        }
        seen.busy |= self.pool(shared);
        seen
    }

    /// Looks after the pool; whether it has work waiting.
    fn pool(&mut self, shared: &Arc<Shared>) -> bool {
        let limit = shared.limit();
        let late = now();
        shared.with_pool(|pool| {
            let overdue = pool.earliest().is_some_and(|at| at + TICK <= late);
            let waiting = overdue || !pool.queue.is_empty();
            let progress = core::mem::replace(&mut self.taken, pool.taken) != pool.taken;
            self.stalled = if waiting && !progress { self.stalled.saturating_add(1) } else { 0 };
            let call = match self.stalled {
                0 => Call::Nobody,
                1..STUCK => pool.call(limit),
                // Whoever is too many leaves when it has nothing to do.
                _ => pool.call(limit.saturating_mul(2).saturating_add(2)),
            };
            (waiting, call)
        })
    }
}

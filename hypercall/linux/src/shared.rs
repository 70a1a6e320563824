//! What the threads of one host share: the pool behind its lock, the register of lanes, the watch.
//!
//! * [`Shared::raise`] queues guests for the workers; [`Shared::drain`] carries a lane's guests on
//!   the calling thread; [`Shared::hand_over`] gives the rest of a lane away.
//! * Worker and watcher threads hold this, not the host: the host's last reference ends them.
//!
//! Locking: `pool` and `lanes`, never both at once; a guest is never visited or dropped under one.
//! Sources: none.

use core::sync::atomic::{AtomicBool, Ordering, fence};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock};

use hypercall::{Carried, Guest};

use crate::lane::{Lane, Track};
use crate::pool::{Call, Pool};
use crate::watcher::Watch;
use crate::{environment, lock, worker};

/// A lane with so many guests has work for another thread.
pub const CROWD: usize = 16;

pub struct Shared {
    pub pool: Mutex<Pool>,
    pub lanes: Mutex<Vec<Arc<Track>>>,
    pub watch: Watch,
    /// A hint, written under `pool`: somebody would come if called.
    can_call: AtomicBool,
    limit: OnceLock<usize>,
}

/// Whether a thread has carried enough.
#[derive(PartialEq, Eq)]
pub enum Enough {
    Yes,
    No,
}

impl Shared {
    pub fn new(workers: Option<usize>) -> Arc<Shared> {
        Arc::new(Shared {
            pool: Mutex::default(),
            lanes: Mutex::default(),
            watch: Watch::default(),
            can_call: AtomicBool::new(true),
            limit: workers.map_or_else(OnceLock::new, OnceLock::from),
        })
    }

    /// The most workers there may be while none is stuck.
    pub fn limit(&self) -> usize {
        *self.limit.get_or_init(environment::cpus)
    }

    /// Decides under the pool's lock, then does what was decided.
    pub fn with_pool<R>(self: &Arc<Self>, decide: impl FnOnce(&mut Pool) -> (R, Call)) -> R {
        let limit = self.limit();
        let mut pool = lock(&self.pool);
        let (result, call) = decide(&mut pool);
        // Only the hint's transitions are written, so that its cache line stays shared.
        let can_call = pool.can_call(limit);
        if self.can_call.load(Ordering::Relaxed) != can_call {
            self.can_call.store(can_call, Ordering::Relaxed);
        }
        drop(pool);
        match call {
            Call::Nobody => {}
            Call::Wake(nap) => nap.wake(),
            Call::Spawn => {
                if !worker::spawn(self) {
                    lock(&self.pool).spawn_failed();
                    // It tries again as long as something waits.
                    self.watch.on(self);
                }
            }
        }
        result
    }

    /// Queues guests for the workers and calls one, if none is on its way.
    pub fn raise(self: &Arc<Self>, guests: impl IntoIterator<Item = Arc<dyn Guest>>) {
        let limit = self.limit();
        let refused = self.with_pool(|pool| {
            if pool.stopped {
                return (Some(guests), Call::Nobody);
            }
            pool.queue.extend(guests);
            let call = if pool.queue.is_empty() { Call::Nobody } else { pool.call(limit) };
            (None, call)
        });
        drop(refused);
    }

    /// Queues a guest that a worker will come to itself: nobody is called.
    pub fn requeue(&self, guest: Arc<dyn Guest>) {
        let mut pool = lock(&self.pool);
        if !pool.stopped {
            pool.queue.push_back(guest);
            return;
        }
        drop(pool);
        drop(guest);
    }

    /// Gives what is left in the calling thread's lane to the workers.
    pub fn hand_over(self: &Arc<Self>, lane: &Lane) {
        let waiting = lane.len();
        if waiting != 0 {
            lane.give(waiting);
            self.raise(core::iter::from_fn(|| lane.pop()));
        }
    }

    /// Takes back as many guests as the calling thread gave away, if no worker was quicker; `true`
    /// if there were any. What a system call raised is so carried by the wait that follows it,
    /// while the worker is still on its way.
    pub fn take_back(self: &Arc<Self>, lane: &Lane) -> bool {
        let count = lane.given();
        if count == 0 {
            return false;
        }
        self.with_pool(|pool| (pool.take(lane, count), Call::Nobody));
        !lane.is_empty()
    }

    /// If another thread is free, gives it half of a crowded lane.
    #[inline]
    pub fn relieve(self: &Arc<Self>, lane: &Lane) {
        let waiting = lane.len();
        if waiting >= CROWD && self.can_call.load(Ordering::Relaxed) {
            self.raise(core::iter::from_fn(|| lane.pop()).take(waiting / 2));
        }
    }

    /// The calling thread carries, and somebody waits behind the guest that it visits: from now on
    /// its progress is watched. While nobody does, a visit that never returns is in nobody's way.
    #[inline]
    pub fn watch_over(self: &Arc<Self>, lane: &Lane) {
        if lane.needs_watch() {
            // The watcher looks at the lanes after it went off watch, we look at the watch after
            // we marked the lane: one of the two sees the other.
            fence(Ordering::SeqCst);
            self.watch.on(self);
        }
    }

    /// Visits the guests in the calling thread's lane, and those raised meanwhile, until it is
    /// empty or `enough` says so; then gives the rest away. `enough` is asked after a visit, if
    /// another is to follow.
    #[inline]
    pub fn drain(self: &Arc<Self>, lane: &Lane, mut enough: impl FnMut(Carried) -> Enough) {
        let outer = lane.carrying();
        if !outer {
            lane.set_carrying(true);
        }
        // Those that are raised meanwhile see to it themselves.
        if lane.len() > 1 {
            self.watch_over(lane);
        }
        while let Some(guest) = lane.pop() {
            lane.count();
            let again = visit(guest, |guest| guest.interrupt());
            lane.wake_deferred();
            let carried = match again {
                None => Carried::Done,
                Some(guest) => {
                    // Behind the others; to call a worker for it costs more than a visit.
                    lane.push(guest);
                    Carried::Again
                }
            };
            if !lane.is_empty() && enough(carried) == Enough::Yes {
                self.hand_over(lane);
                break;
            }
        }
        lane.set_carrying(outer);
    }

    pub fn register(&self, track: &Arc<Track>) {
        lock(&self.lanes).push(track.clone());
    }

    pub fn unregister(&self, track: &Arc<Track>) {
        let mut lanes = lock(&self.lanes);
        if let Some(at) = lanes.iter().position(|other| Arc::ptr_eq(other, track)) {
            lanes.swap_remove(at);
        }
    }

    /// The host is gone: ends its threads, without waiting for them, and drops what was queued.
    pub fn stop(&self) {
        let (mut guests, naps) = lock(&self.pool).stop();
        for nap in naps {
            nap.wake();
        }
        self.watch.end();
        for track in lock(&self.lanes).iter() {
            track.rob(&mut guests);
        }
        drop(guests);
    }
}

/// Makes an up-call. A panic that comes out of it (a guest should stop its own) ends here. Gives
/// the guest back if it is to be visited again.
#[inline]
pub fn visit(
    guest: Arc<dyn Guest>,
    up: impl FnOnce(&dyn Guest) -> Carried,
) -> Option<Arc<dyn Guest>> {
    // The guest is dropped inside: that may be the end of a kernel, foreign code as well.
    let visited = catch_unwind(AssertUnwindSafe(move || match up(&*guest) {
        Carried::Again => Some(guest),
        Carried::Done => None,
    }));
    visited.unwrap_or_else(|payload| {
        // Its destructor is foreign, too, and might panic again.
        core::mem::forget(payload);
        None
    })
}

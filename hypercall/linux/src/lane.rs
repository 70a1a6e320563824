//! Lanes: the guests that a thread raised and promised to carry itself.
//!
//! A thread has one lane per host that it raised something with. Only the owner puts guests in;
//! it takes them out in order, and whoever finds it stuck takes the rest.
//! * [`with`] runs a function on the calling thread's lane; the few nanoseconds of a hop between
//!   two kernels are spent here.
//! * [`if_any`] is the lane if there is something to do; [`of`] is the lane, made if need be.
//! * [`defer`] keeps a wake-up until the visit during which it was asked for is over.
//! * [`Track`] is the side that the watcher sees: progress, and the way to rob.
//!
//! A thread that ends hands what is left to the pool.
//!
//! Locking: none of its own; `lanes` of [`Shared`] for the register of all tracks.
//! Sources: Chase and Lev, "Dynamic circular work-stealing deque", 2005 (as in crossbeam).

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use crossbeam_deque::{Steal, Stealer, Worker};
use hypercall::Guest;

use crate::parking::unblock_at;
use crate::shared::Shared;

/// A thread's lane with one host.
pub struct Lane {
    guests: Worker<Arc<dyn Guest>>,
    pub track: Arc<Track>,
    /// Guests that the owner gave to the pool since it last waited: it may take as many back.
    given: Cell<usize>,
    /// Since the owner carries it has seen to it that the watch is on; it stays on for so long.
    watched: Cell<bool>,
    /// Whom the guest that is being visited woke: see [`Lane::defer`].
    wakes: RefCell<Vec<(*const AtomicU32, u32)>>,
    shared: Weak<Shared>,
}

/// What others may see of a lane.
pub struct Track {
    stealer: Stealer<Arc<dyn Guest>>,
    /// Visits made by the owner, who alone writes it.
    visits: AtomicU64,
    /// The owner is visiting guests. If the watch is on it stays so. The owner alone writes it.
    carrying: AtomicBool,
    /// The watcher's note: `visits` at its last look, in `seen.0`; in `seen.1`, whether guests
    /// were waiting then.
    pub seen: (AtomicU64, AtomicBool),
}

impl Lane {
    fn new(shared: &Arc<Shared>) -> Rc<Lane> {
        let guests = Worker::new_fifo();
        let track = Arc::new(Track {
            stealer: guests.stealer(),
            visits: AtomicU64::new(0),
            carrying: AtomicBool::new(false),
            seen: (AtomicU64::new(0), AtomicBool::new(false)),
        });
        shared.register(&track);
        let (given, watched, wakes) = (Cell::new(0), Cell::new(false), RefCell::default());
        Rc::new(Lane { guests, track, given, watched, wakes, shared: Arc::downgrade(shared) })
    }

    #[inline]
    fn is_of(&self, shared: &Arc<Shared>) -> bool {
        // The weak reference keeps the address from being used again.
        core::ptr::eq(self.shared.as_ptr(), Arc::as_ptr(shared))
    }

    #[inline]
    pub fn push(&self, guest: Arc<dyn Guest>) {
        self.guests.push(guest);
    }

    #[inline]
    pub fn pop(&self) -> Option<Arc<dyn Guest>> {
        self.guests.pop()
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.guests.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    /// Notes that `count` guests were given to the pool.
    pub fn give(&self, count: usize) {
        self.given.set(self.given.get().saturating_add(count));
    }

    /// How many guests it gave; asked once.
    #[inline]
    pub fn given(&self) -> usize {
        self.given.take()
    }

    /// Whether the owner has anything to do before it sleeps.
    #[inline]
    fn is_idle(&self) -> bool {
        self.is_empty() && self.given.get() == 0 && self.wakes.borrow().is_empty()
    }

    /// Puts a wake-up off until the visit is over, if the owner is on one; `false` if it is not.
    /// The guest still has its virtual CPU: a thread that was woken now would run into that, and
    /// sleep again.
    pub fn defer(&self, word: &AtomicU32, count: u32) -> bool {
        if !self.carrying() {
            return false;
        }
        let mut wakes = self.wakes.borrow_mut();
        match wakes.iter_mut().find(|(other, _)| core::ptr::eq(*other, word)) {
            Some((_, more)) => *more = more.saturating_add(count),
            None => wakes.push((word, count)),
        }
        true
    }

    /// Does what was put off: after a visit, and before the owner waits for anybody during one.
    #[inline]
    pub fn wake_deferred(&self) {
        if !self.wakes.borrow().is_empty() {
            self.wake_all();
        }
    }

    #[cold]
    fn wake_all(&self) {
        // Kept for the next visit: a few words.
        for (word, count) in self.wakes.borrow_mut().drain(..) {
            unblock_at(word, count);
        }
    }

    #[inline]
    pub fn carrying(&self) -> bool {
        self.track.carrying.load(Ordering::Relaxed)
    }

    #[inline]
    pub fn set_carrying(&self, carrying: bool) {
        self.track.carrying.store(carrying, Ordering::Release);
        if !carrying {
            self.watched.set(false);
        }
    }

    /// Whether the owner must see to it that the watch is on; asked once while it carries.
    #[inline]
    pub fn needs_watch(&self) -> bool {
        let needs = !self.watched.get();
        if needs {
            self.watched.set(true);
        }
        needs
    }

    /// Notes progress: one more visit begins.
    #[inline]
    pub fn count(&self) {
        // No read-modify-write is needed: only the owner counts.
        let visits = self.track.visits.load(Ordering::Relaxed);
        self.track.visits.store(visits.wrapping_add(1), Ordering::Relaxed);
    }
}

impl Track {
    pub fn visits(&self) -> u64 {
        self.visits.load(Ordering::Relaxed)
    }

    pub fn waiting(&self) -> bool {
        !self.stealer.is_empty()
    }

    pub fn busy(&self) -> bool {
        self.waiting() || self.carrying.load(Ordering::Relaxed)
    }

    /// Takes every guest out.
    pub fn rob(&self, into: &mut Vec<Arc<dyn Guest>>) {
        loop {
            match self.stealer.steal() {
                Steal::Success(guest) => into.push(guest),
                Steal::Retry => core::hint::spin_loop(),
                Steal::Empty => return,
            }
        }
    }
}

/// The lanes of one thread, the last used one first.
struct Lanes {
    lanes: Vec<Rc<Lane>>,
    sweep_at: usize,
}

thread_local! {
    static LANES: RefCell<Lanes> = const { RefCell::new(Lanes { lanes: Vec::new(), sweep_at: 8 }) };
}

impl Lanes {
    #[inline]
    fn first(&self, shared: &Arc<Shared>) -> Option<&Rc<Lane>> {
        self.lanes.first().filter(|lane| lane.is_of(shared))
    }

    fn find(&mut self, shared: &Arc<Shared>) -> Option<&Rc<Lane>> {
        let at = self.lanes.iter().position(|lane| lane.is_of(shared))?;
        self.lanes.swap(0, at);
        self.lanes.first()
    }

    /// The lanes of hosts that are gone, at most once per doubling. The caller drops them where
    /// no borrow is in the way.
    fn sweep(&mut self) -> Vec<Rc<Lane>> {
        if self.lanes.len() < self.sweep_at {
            return Vec::new();
        }
        let dead = self.lanes.extract_if(.., |lane| lane.shared.strong_count() == 0).collect();
        self.sweep_at = self.lanes.len().saturating_mul(2).max(8);
        dead
    }
}

/// Runs `f` on the calling thread's lane. `Err(f)` when the thread is past its end, or inside
/// `with` already.
#[inline]
pub fn with<R, F: FnOnce(&Lane) -> R>(shared: &Arc<Shared>, f: F) -> Result<R, F> {
    let mut f = Some(f);
    let quick = LANES.try_with(|lanes| {
        let lanes = lanes.try_borrow().ok()?;
        let lane = lanes.first(shared)?;
        Some(f.take()?(lane))
    });
    if let Ok(Some(r)) = quick {
        return Ok(r);
    }
    match (of(shared), f) {
        (Some(lane), Some(f)) => Ok(f(&lane)),
        (_, Some(f)) => Err(f),
        (_, None) => unreachable!("a function that ran has given its result"),
    }
}

/// The calling thread's lane; `None` when the thread is past its end.
#[cold]
pub fn of(shared: &Arc<Shared>) -> Option<Rc<Lane>> {
    let found = LANES
        .try_with(|lanes| Some(lanes.try_borrow_mut().ok()?.find(shared).cloned()))
        .ok()
        .flatten()?;
    if found.is_some() {
        return found;
    }
    let lane = Lane::new(shared);
    let dead = LANES.try_with(|lanes| {
        let mut lanes = lanes.borrow_mut();
        let dead = lanes.sweep();
        let last = lanes.lanes.len();
        lanes.lanes.push(lane.clone());
        lanes.lanes.swap(0, last);
        dead
    });
    drop(dead);
    Some(lane)
}

/// Puts a wake-up off if the calling thread is visiting a guest; see [`Lane::defer`].
pub fn defer(shared: &Arc<Shared>, word: &AtomicU32, count: u32) -> bool {
    let deferred = LANES.try_with(|lanes| {
        let lanes = lanes.try_borrow().ok()?;
        let lane = lanes.lanes.iter().find(|lane| lane.is_of(shared))?;
        Some(lane.defer(word, count))
    });
    deferred.ok().flatten().unwrap_or(false)
}

/// The calling thread's lane, if something is in it or was given to the pool, or a wake-up is owed.
#[inline]
pub fn if_any(shared: &Arc<Shared>) -> Option<Rc<Lane>> {
    let quick = LANES.try_with(|lanes| {
        let lanes = lanes.try_borrow().ok()?;
        if let Some(lane) = lanes.first(shared) {
            return (!lane.is_idle()).then(|| lane.clone());
        }
        lanes.lanes.iter().find(|lane| lane.is_of(shared) && !lane.is_idle()).cloned()
    });
    quick.ok().flatten()
}

impl Drop for Lanes {
    fn drop(&mut self) {
        for lane in self.lanes.drain(..) {
            if let Some(shared) = lane.shared.upgrade() {
                shared.hand_over(&lane);
                shared.unregister(&lane.track);
            }
        }
    }
}

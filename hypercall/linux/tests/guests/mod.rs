//! Guests for the tests: a kernel as its host sees it, made of a few counters.
//!
//! Locking: none. Sources: none.
#![allow(dead_code)] // each test program uses some of it

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant as StdInstant;

use hypercall::{Carried, Guest, Offcpu};

/// A guest that counts, keeps the contract's promise about raising (`pending`), and does what it
/// was told on a visit.
pub struct Fake {
    pending: AtomicBool,
    pub visits: AtomicU32,
    pub timers: AtomicU32,
    act: Box<dyn Fn(&Fake) -> Carried + Send + Sync>,
}

impl Fake {
    pub fn new() -> Arc<Fake> {
        Self::doing(|_| Carried::Done)
    }

    pub fn doing(act: impl Fn(&Fake) -> Carried + Send + Sync + 'static) -> Arc<Fake> {
        Arc::new(Fake {
            pending: AtomicBool::new(false),
            visits: AtomicU32::new(0),
            timers: AtomicU32::new(0),
            act: Box::new(act),
        })
    }

    /// Marks it pending; `true` if it must be raised.
    pub fn mark(&self) -> bool {
        !self.pending.swap(true, Ordering::SeqCst)
    }

    pub fn pending(&self) -> bool {
        self.pending.load(Ordering::SeqCst)
    }

    pub fn visits(&self) -> u32 {
        self.visits.load(Ordering::SeqCst)
    }

    pub fn timers(&self) -> u32 {
        self.timers.load(Ordering::SeqCst)
    }
}

impl Guest for Fake {
    fn interrupt(&self) -> Carried {
        self.pending.store(false, Ordering::SeqCst);
        self.visits.fetch_add(1, Ordering::SeqCst);
        (self.act)(self)
    }

    fn timer(&self) -> Carried {
        self.timers.fetch_add(1, Ordering::SeqCst);
        (self.act)(self)
    }
}

/// A gate that a visit can be held up at: a kernel that does not return for a while.
#[derive(Default)]
pub struct Gate {
    open: Mutex<bool>,
    changed: std::sync::Condvar,
    pub held: AtomicU32,
}

impl Gate {
    pub fn pass(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
        let mut open = self.open.lock().unwrap();
        while !*open {
            open = self.changed.wait(open).unwrap();
        }
    }

    pub fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

pub fn proof() -> Offcpu {
    Offcpu::scheduler_only()
}

/// Lets time pass: for showing that nothing happens meanwhile, which no event tells.
#[allow(clippy::disallowed_methods)]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until `what` holds; panics after ten seconds.
pub fn eventually(name: &str, mut what: impl FnMut() -> bool) {
    let start = StdInstant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(10), "not in ten seconds: {name}");
        pause(Duration::from_micros(200));
    }
}

/// The threads of this process.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// A place to keep something that is made later.
pub type Later<T> = Arc<OnceLock<T>>;

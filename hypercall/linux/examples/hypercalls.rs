//! What the hypercalls of the Linux host cost, in nanoseconds.
//!
//! * `cargo run --release -p anykernel-hypercall-linux --example hypercalls`
//!
//! Every figure is the median of eleven rounds; each is printed with what it is per. The last
//! lines are baselines of the machine.
//!
//! Locking: none. Sources: none.

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::any::Any;
use std::hint::black_box;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Instant as StdInstant;

use hypercall::{
    Carried, Catch, Clock, Environment, Guest, Instant, Interrupts, Names, Offcpu, Parking,
    Threads, Timers,
};
use linux::Linux;

/// A router of a chain: a visit raises the next; the last one wakes whoever waits.
struct Hop {
    host: Weak<Linux>,
    next: OnceLock<Arc<Hop>>,
    done: Arc<AtomicU32>,
}

impl Guest for Hop {
    fn interrupt(&self) -> Carried {
        if let Some(host) = self.host.upgrade() {
            self.pass(&host);
        }
        Carried::Done
    }
    fn timer(&self) -> Carried {
        self.interrupt()
    }
}

impl Hop {
    fn pass(&self, host: &Linux) {
        match self.next.get() {
            Some(next) => host.raise_local(next.clone()),
            None => {
                self.done.store(1, Ordering::Release);
                host.wake(&self.done, 1);
            }
        }
    }
}

/// A router that holds its host strongly, as a kernel does: no reference counting but the queue's.
struct Strong(Arc<Linux>, OnceLock<Arc<Strong>>, Arc<AtomicU32>);

impl Guest for Strong {
    fn interrupt(&self) -> Carried {
        match self.1.get() {
            Some(next) => self.0.raise_local(next.clone()),
            None => {
                self.2.store(1, Ordering::Release);
                self.0.wake(&self.2, 1);
            }
        }
        Carried::Done
    }
    fn timer(&self) -> Carried {
        self.interrupt()
    }
}

struct Idle(AtomicBool, AtomicU32);

impl Guest for Idle {
    fn interrupt(&self) -> Carried {
        self.0.store(true, Ordering::Release);
        self.1.fetch_add(1, Ordering::Relaxed);
        Carried::Done
    }
    fn timer(&self) -> Carried {
        self.interrupt()
    }
}

fn measure(what: &str, per: u32, mut round: impl FnMut()) {
    round();
    let mut times: Vec<f64> = (0..11)
        .map(|_| {
            let start = StdInstant::now();
            round();
            start.elapsed().as_nanos() as f64 / f64::from(per)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    println!("{what:<58} {:>10.1} ns (best {:.1})", times[times.len() / 2], times[0]);
}

fn repeat<R>(what: &str, count: u32, mut f: impl FnMut() -> R) {
    measure(what, count, || (0..count).for_each(|_| drop_result(f())));
}

/// Keeps the compiler from leaving out what nobody looks at.
fn drop_result<R>(result: R) {
    let _ = black_box(result);
}

fn main() {
    let proof = Offcpu::scheduler_only();
    repeat("a host made and dropped", 10_000, Linux::new);

    let host = Linux::new();
    repeat("now", 100_000, || host.now());
    repeat("coarse_now", 100_000, || host.coarse_now());
    repeat("current (thread)", 100_000, || host.current());
    repeat("catch, no panic", 100_000, || host.catch(&mut || drop_result(1)));
    repeat("catch of abandon", 1_000, || host.catch(&mut || host.abandon()));
    let mut four = [0; 4];
    repeat("entropy, 4 bytes", 100_000, || host.entropy(black_box(&mut four)));
    let word = AtomicU32::new(0);
    repeat("wake, nobody sleeps", 100_000, || host.wake(black_box(&word), 1));
    repeat("wait, the word has changed", 100_000, || host.wait(&proof, &word, 1, None));
    repeat("carry, nothing raised", 100_000, || host.carry(&proof));

    for hops in [254, 10_000] {
        let done = Arc::new(AtomicU32::new(0));
        let mut first: Option<Arc<Hop>> = None;
        for _ in 0..hops {
            let next = first.take().map_or_else(OnceLock::new, OnceLock::from);
            let hop = Hop { host: Arc::downgrade(&host), next, done: done.clone() };
            first = Some(Arc::new(hop));
        }
        let first = first.expect("a chain has a first hop");
        measure(&format!("a hop of a chain of {hops}, weak reference to the host"), hops, || {
            done.store(0, Ordering::Relaxed);
            host.raise_local(first.clone());
            while done.load(Ordering::Acquire) == 0 {
                host.wait(&proof, &done, 0, None);
            }
        });
        let mut first: Option<Arc<Strong>> = None;
        for _ in 0..hops {
            let next = first.take().map_or_else(OnceLock::new, OnceLock::from);
            first = Some(Arc::new(Strong(host.clone(), next, done.clone())));
        }
        let first = first.expect("a chain has a first hop");
        let what = format!("a hop of a chain of {hops}, host held, deadline");
        measure(&what, hops, || {
            done.store(0, Ordering::Relaxed);
            host.raise_local(first.clone());
            while done.load(Ordering::Acquire) == 0 {
                host.wait(&proof, &done, 0, Some(host.now() + Duration::from_secs(1)));
            }
        });
        if hops == 254 {
            measure("the same in two: carry on the way out, then wait", hops, || {
                done.store(0, Ordering::Relaxed);
                host.raise_local(first.clone());
                host.carry(&proof);
                while done.load(Ordering::Acquire) == 0 {
                    host.wait(&proof, &done, 0, None);
                }
            });
        }
        core::mem::forget(first); // a chain this long would be dropped recursively
    }

    let idle: Vec<Arc<dyn Guest>> = (0..64)
        .map(|_| Arc::new(Idle(AtomicBool::new(false), AtomicU32::new(0))) as Arc<dyn Guest>)
        .collect();
    let one = &idle[0];
    repeat("raise_local and carry, one guest", 100_000, || {
        host.raise_local(one.clone());
        host.carry(&proof);
    });
    measure("raise_local and carry, 12 guests, each", 12 * 1000, || {
        for _ in 0..1000 {
            idle.iter().take(12).for_each(|g| host.raise_local(g.clone()));
            host.carry(&proof);
        }
    });

    let far = Arc::new(Idle(AtomicBool::new(false), AtomicU32::new(0)));
    let far_guest: Arc<dyn Guest> = far.clone();
    repeat("raise to visit by a worker, we spin", 2_000, || {
        far.0.store(false, Ordering::Relaxed);
        host.raise(far_guest.clone());
        while !far.0.load(Ordering::Acquire) {
            core::hint::spin_loop();
        }
    });
    measure("raise, worker busy with a thousand, each", 1_000, || {
        let before = far.1.load(Ordering::Relaxed);
        (0..1_000).for_each(|_| host.raise(far_guest.clone()));
        while far.1.load(Ordering::Relaxed).wrapping_sub(before) < 1_000 {
            core::hint::spin_loop();
        }
    });
    let mut old: Option<Instant> = None;
    repeat("rearm, later each time", 10_000, || {
        let new = host.now() + Duration::from_secs(100);
        host.rearm(one, old, Some(new));
        old = Some(new);
    });
    host.rearm(one, old, None);
    let names: Vec<String> = (0..10_000).map(|n| format!("link{n}")).collect();
    measure("a name of ten thousand made", 10_000, || {
        let host = Linux::new();
        let make = &mut || Arc::new(1u32) as Arc<dyn Any + Send + Sync>;
        let held: Vec<_> = names.iter().map(|name| host.rendezvous(name, make)).collect();
        drop(black_box(held));
    });

    let turn = Arc::new(AtomicU32::new(0));
    let other = {
        let (host, turn) = (host.clone(), turn.clone());
        std::thread::spawn(move || {
            let proof = Offcpu::scheduler_only();
            loop {
                match turn.load(Ordering::Acquire) {
                    1 => {
                        turn.store(0, Ordering::Release);
                        host.wake(&turn, 1);
                    }
                    2 => return,
                    other => drop_result(host.wait(&proof, &turn, other, None)),
                }
            }
        })
    };
    repeat("there and back between two sleeping threads", 2_000, || {
        turn.store(1, Ordering::Release);
        host.wake(&turn, 1);
        while turn.load(Ordering::Acquire) == 1 {
            host.wait(&proof, &turn, 1, None);
        }
    });
    turn.store(2, Ordering::Release);
    host.wake(&turn, 1);
    let _ = other.join();

    let lock = AtomicU32::new(0);
    repeat("baseline: compare-and-swap and swap", 100_000, || {
        let _ = lock.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
        lock.swap(0, Ordering::Release)
    });
    repeat("baseline: getppid of the system", 100_000, rustix::process::getppid);
    measure("baseline: a thread made and joined", 100, || {
        (0..100).for_each(|_| drop_result(std::thread::spawn(|| ()).join()));
    });
}

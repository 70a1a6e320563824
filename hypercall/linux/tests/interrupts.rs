//! Interrupts reach their guests, on whichever thread, whoever is stuck.
//!
//! Locking: none. Sources: none.

mod guests;

use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::thread;

use guests::{Fake, Gate, Later, eventually, proof};
use hypercall::{Carried, Clock, Interrupts, Parking, Threads, Timers, Wakeup};
use linux::Linux;

#[test]
fn every_raise_is_followed_by_a_visit() {
    let host = Linux::new();
    let fakes: Arc<Vec<_>> = Arc::new((0..1000).map(|_| Fake::new()).collect());
    thread::scope(|s| {
        for seed in 1..=8u32 {
            let (host, fakes) = (host.clone(), fakes.clone());
            s.spawn(move || {
                let mut x = seed;
                for n in 0..5_000u32 {
                    x ^= x << 13;
                    x ^= x >> 17;
                    x ^= x << 5;
                    let fake = &fakes[x as usize % fakes.len()];
                    if fake.mark() {
                        if x & 0x1000 == 0 {
                            host.raise(fake.clone());
                        } else {
                            host.raise_local(fake.clone());
                        }
                    }
                    if n.is_multiple_of(7) {
                        host.carry(&proof());
                    }
                }
                // Not every thread keeps its promise: what it raised last goes with its end.
            });
        }
    });
    eventually("every pending guest is visited", || fakes.iter().all(|f| !f.pending()));
}

#[test]
fn what_is_raised_locally_is_carried_by_the_same_thread_in_order() {
    let host = Linux::new();
    let order = Arc::new(Mutex::new(Vec::new()));
    let me = thread::current().id();
    for n in 0..10 {
        let order = order.clone();
        host.raise_local(Fake::doing(move |_| {
            order.lock().unwrap().push((n, thread::current().id()));
            Carried::Done
        }));
    }
    host.carry(&proof());
    let expected: Vec<_> = (0..10).map(|n| (n, me)).collect();
    assert_eq!(*order.lock().unwrap(), expected);
}

#[test]
fn a_chain_is_carried_by_the_thread_that_waits_for_its_end() {
    let host = Linux::new();
    let word = Arc::new(AtomicU32::new(0));
    let me = thread::current().id();
    let elsewhere = Arc::new(AtomicU32::new(0));
    let (end, waker) = (word.clone(), host.clone());
    let mut next = Fake::doing(move |_| {
        end.store(1, Ordering::Release);
        waker.wake(&end, 1);
        Carried::Done
    });
    for _ in 0..500 {
        let (host, elsewhere) = (host.clone(), elsewhere.clone());
        next = Fake::doing(move |_| {
            if thread::current().id() != me {
                elsewhere.fetch_add(1, Ordering::Relaxed);
            }
            host.raise_local(next.clone());
            Carried::Done
        });
    }
    host.raise_local(next);
    while word.load(Ordering::Acquire) == 0 {
        assert_eq!(host.wait(&proof(), &word, 0, None), Wakeup::Woken);
    }
    // A thread that the system stops for long may be taken for stuck, and the chain goes on
    // elsewhere; that is no error.
    assert!(elsewhere.load(Ordering::Relaxed) <= 500);
}

#[test]
fn a_thread_carries_up_to_a_budget_and_workers_get_the_rest() {
    let host = Linux::builder().workers(1).build();
    let gate = Arc::new(Gate::default());
    let held = gate.clone();
    host.raise(Fake::doing(move |_| {
        held.pass();
        Carried::Done
    }));
    eventually("the only worker is busy", || gate.held.load(Ordering::SeqCst) == 1);
    let me = thread::current().id();
    let (mine, others) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    for _ in 0..1000 {
        let (mine, others) = (mine.clone(), others.clone());
        host.raise_local(Fake::doing(move |_| {
            let by = if thread::current().id() == me { &mine } else { &others };
            by.fetch_add(1, Ordering::SeqCst);
            Carried::Done
        }));
    }
    host.carry(&proof());
    assert!(mine.load(Ordering::SeqCst) <= 64);
    gate.open();
    eventually("the rest", || mine.load(Ordering::SeqCst) + others.load(Ordering::SeqCst) == 1000);
}

#[test]
fn a_wait_takes_back_what_no_worker_has_taken_yet() {
    let host = Linux::builder().workers(1).build();
    let gate = Arc::new(Gate::default());
    let held = gate.clone();
    host.raise(Fake::doing(move |_| {
        held.pass();
        Carried::Done
    }));
    eventually("the only worker is busy", || gate.held.load(Ordering::SeqCst) == 1);
    let start = host.now();
    let fakes: Vec<_> = (0..100).map(|_| Fake::new()).collect();
    fakes.iter().for_each(|f| host.raise_local(f.clone()));
    host.carry(&proof());
    assert!(fakes.iter().any(|f| f.visits() == 0));
    host.wait(&proof(), &AtomicU32::new(0), 0, Some(start + Duration::from_millis(1)));
    let done = fakes.iter().filter(|f| f.visits() == 1).count();
    // After a tenth of a second another worker would come for the stuck one.
    assert!(done == 100 || host.now() - start > Duration::from_millis(50), "{done}");
    eventually("all", || fakes.iter().all(|f| f.visits() == 1));
    gate.open();
}

#[test]
fn a_wait_whose_word_changes_leaves_nothing_behind() {
    let host = Linux::new();
    let word = Arc::new(AtomicU32::new(0));
    let end = word.clone();
    host.raise_local(Fake::doing(move |_| {
        end.store(1, Ordering::Release);
        Carried::Done
    }));
    let rest: Vec<_> = (0..8).map(|_| Fake::new()).collect();
    rest.iter().for_each(|f| host.raise_local(f.clone()));
    assert_eq!(host.wait(&proof(), &word, 0, None), Wakeup::Woken);
    // This thread computes from here on.
    eventually("somebody else visits the rest", || rest.iter().all(|f| f.visits() == 1));
}

#[test]
fn a_wait_keeps_its_deadline_in_a_flood() {
    let host = Linux::builder().workers(1).build();
    let me: Later<Arc<Fake>> = Later::default();
    let (host2, again) = (host.clone(), me.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let ended = stop.clone();
    let fake = Fake::doing(move |_| {
        if !ended.load(Ordering::SeqCst) {
            host2.raise_local(again.get().unwrap().clone());
            // Somebody else always waits as well.
            host2.raise_local(Fake::new());
        }
        Carried::Done
    });
    assert!(me.set(fake.clone()).is_ok());
    host.raise_local(fake);
    let word = AtomicU32::new(0);
    let deadline = host.now() + Duration::from_millis(20);
    while host.wait(&proof(), &word, 0, Some(deadline)) != Wakeup::TimedOut {}
    assert!(host.now() - deadline < Duration::from_secs(2));
    stop.store(true, Ordering::SeqCst);
}

#[test]
fn again_means_behind_the_others() {
    let host = Linux::builder().workers(1).build();
    let (n, mine) = (AtomicU32::new(0), Arc::new(AtomicU32::new(0)));
    let (by_me, me) = (mine.clone(), thread::current().id());
    let greedy = Fake::doing(move |_| {
        if thread::current().id() == me {
            by_me.fetch_add(1, Ordering::SeqCst);
        }
        if n.fetch_add(1, Ordering::SeqCst) < 10_000 { Carried::Again } else { Carried::Done }
    });
    host.raise_local(greedy.clone());
    host.carry(&proof());
    // Not for longer than a thread carries: a worker has the rest.
    assert!((1..=64).contains(&mine.load(Ordering::SeqCst)));
    let polite = Fake::new();
    host.raise(polite.clone());
    eventually("the polite one gets its turn", || polite.visits() == 1);
    eventually("the greedy one finishes", || greedy.visits() == 10_001);
}

#[test]
fn a_visit_that_never_returns_blocks_nobody_else() {
    let host = Linux::builder().workers(2).build();
    let gate = Arc::new(Gate::default());
    let stuck = |gate: &Arc<Gate>| {
        let gate = gate.clone();
        Fake::doing(move |_| {
            gate.pass();
            Carried::Done
        })
    };
    let behind: Vec<_> = (0..10).map(|_| Fake::new()).collect();
    // On a thread that carries.
    let carrier = {
        let (host, stuck, behind) = (host.clone(), stuck(&gate), behind.clone());
        thread::spawn(move || {
            host.raise_local(stuck);
            behind.iter().for_each(|f| host.raise_local(f.clone()));
            host.carry(&proof());
        })
    };
    eventually("guests behind a stuck carrier", || behind.iter().all(|f| f.visits() == 1));
    // On every worker there may be, and on most of those that take their place.
    for _ in 0..5 {
        host.raise(stuck(&gate));
    }
    let late = Fake::new();
    host.raise(late.clone());
    eventually("guests behind stuck workers", || late.visits() == 1);
    let timed: Arc<dyn hypercall::Guest> = late.clone();
    host.rearm(&timed, None, Some(host.now() + Duration::from_millis(1)));
    eventually("timers beside stuck workers", || late.timers() == 1);
    gate.open();
    carrier.join().unwrap();
}

#[test]
fn a_thread_that_never_leaves_its_kernel_delays_nobody() {
    let host = Linux::new();
    let fake = Fake::new();
    for n in 1..=12 {
        // The promise to carry is not kept: as if the thread looped in its kernel.
        host.raise_local(fake.clone());
        eventually("robbed", || fake.visits() == n);
        // By and by the watch goes to sleep.
        guests::pause(Duration::from_millis(u64::from(n) * 4));
    }
}

#[test]
fn a_panic_out_of_a_visit_stops_there() {
    let host = Linux::builder().workers(1).build();
    for _ in 0..3 {
        host.raise(Fake::doing(|_| panic!("expected in this test")));
        host.raise_local(Fake::doing(|_| panic!("expected in this test")));
        host.carry(&proof());
    }
    let fake = Fake::new();
    host.raise(fake.clone());
    eventually("the worker goes on", || fake.visits() == 1);
}

#[test]
fn a_crowd_is_shared_with_a_free_worker() {
    let host = Linux::builder().workers(1).build();
    let fakes: Vec<_> = (0..100).map(|_| Fake::new()).collect();
    fakes.iter().for_each(|f| host.raise_local(f.clone()));
    eventually("a worker takes some", || fakes.iter().filter(|f| f.visits() == 1).count() > 8);
    host.carry(&proof());
    eventually("all", || fakes.iter().all(|f| f.visits() == 1));
}

#[test]
fn joining_hands_over_what_was_raised() {
    let host = Linux::new();
    let word = Arc::new(AtomicU32::new(0));
    let (end, waker) = (word.clone(), host.clone());
    let fake = Fake::doing(move |_| {
        end.store(1, Ordering::Release);
        waker.wake(&end, 1);
        Carried::Done
    });
    let (host2, start) = (host.clone(), word.clone());
    let main = move || while host2.wait(&proof(), &start, 0, None) != Wakeup::Woken {};
    let thread = host.spawn("waits", Box::new(main)).unwrap();
    host.raise_local(fake);
    thread.join(&proof());
}

/// A thread that says so when its word has changed.
fn sleeper(
    host: &Arc<Linux>,
    word: &Arc<AtomicU32>,
    awake: &Arc<AtomicU32>,
) -> thread::JoinHandle<()> {
    let (host, word, awake) = (host.clone(), word.clone(), awake.clone());
    thread::spawn(move || {
        while word.load(Ordering::Acquire) == 0 {
            host.wait(&proof(), &word, 0, None);
        }
        awake.store(1, Ordering::Release);
        host.wake(&awake, 1);
    })
}

#[test]
fn who_is_woken_by_a_visit_wakes_when_it_is_over() {
    for raise in [<Linux as Interrupts>::raise, <Linux as Interrupts>::raise_local] {
        let host = Linux::new();
        let (word, awake) = (Arc::new(AtomicU32::new(0)), Arc::default());
        let thread = sleeper(&host, &word, &awake);
        let theirs = Arc::downgrade(&host);
        let guest = Fake::doing(move |_| {
            word.store(1, Ordering::Release);
            // Several times: once is enough.
            (0..3).for_each(|_| theirs.upgrade().unwrap().wake(&word, 1));
            Carried::Done
        });
        raise(&host, guest);
        host.carry(&proof());
        thread.join().unwrap();
    }
}

#[test]
fn a_visit_may_wait_for_whom_it_woke() {
    for raise in [<Linux as Interrupts>::raise, <Linux as Interrupts>::raise_local] {
        let host = Linux::new();
        let (word, awake) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let thread = sleeper(&host, &word, &awake);
        let theirs = Arc::downgrade(&host);
        // As the end of a kernel from inside its own visit does.
        let guest = Fake::doing(move |_| {
            let host = theirs.upgrade().unwrap();
            word.store(1, Ordering::Release);
            host.wake(&word, 1);
            while awake.load(Ordering::Acquire) == 0 {
                host.wait(&proof(), &awake, 0, None);
            }
            Carried::Done
        });
        raise(&host, guest);
        host.carry(&proof());
        thread.join().unwrap();
    }
}

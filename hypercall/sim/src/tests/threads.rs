//! Waits, deadlines, deadlocks, ends of threads.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hypercall::atomic::{AtomicU32, Ordering};
use hypercall::{Catch, Clock, Environment, Panicked, Parking, Threads, Wakeup};

use super::{OFF, at_ms, message_of, ms};
use crate::{Config, Sim};

#[test]
fn deadlines_end_waits_in_order() {
    for seed in 0..20 {
        let sim = Sim::seeded(seed);
        let order = Arc::new(Mutex::new(Vec::new()));
        sim.run(|| {
            for at in [30, 10, 20] {
                let (s, order) = (sim.clone(), order.clone());
                drop(sim.spawn("sleeper", move || {
                    let word = AtomicU32::new(0);
                    let why = s.wait(&OFF(), &word, 0, at_ms(at));
                    order.lock().unwrap().push((why, s.now().nanos() / 1_000_000));
                }));
            }
        });
        let expected = [10, 20, 30].map(|at| (Wakeup::TimedOut, at));
        assert_eq!(*order.lock().unwrap(), expected);
    }
}

#[test]
fn a_wake_comes_before_its_deadline_and_takes_it_back() {
    let sim = Sim::seeded(1);
    let word = Arc::new(AtomicU32::new(0));
    sim.run(|| {
        let (s, w) = (sim.clone(), word.clone());
        let waiter = sim.spawn("waiter", move || s.wait(&OFF(), &w, 0, at_ms(1000)));
        sim.sleep(ms(5));
        sim.wake(&word, 1);
        assert_eq!(waiter.join(), Wakeup::Woken);
        assert_eq!(sim.now().nanos(), 5_000_000);
    });
    assert_eq!(sim.now().nanos(), 5_000_000);
}

#[test]
fn a_changed_word_and_a_past_deadline_do_not_wait() {
    let sim = Sim::seeded(1);
    sim.run(|| {
        let word = AtomicU32::new(1);
        assert_eq!(sim.wait(&OFF(), &word, 0, None), Wakeup::Woken);
        assert_eq!(sim.wait(&OFF(), &word, 1, at_ms(0)), Wakeup::TimedOut);
    });
}

#[test]
fn wake_frees_as_many_as_it_says() {
    for seed in 0..20 {
        let sim = Sim::seeded(seed);
        let word = Arc::new(AtomicU32::new(0));
        let done = Arc::new(Mutex::new(0));
        sim.run(|| {
            for _ in 0..5 {
                let (s, word, done) = (sim.clone(), word.clone(), done.clone());
                drop(sim.spawn("waiter", move || {
                    s.wait(&OFF(), &word, 0, None);
                    *done.lock().unwrap() += 1;
                }));
            }
            for (count, freed) in [(2, 2), (0, 2), (1, 3), (u32::MAX, 5)] {
                sim.settle();
                sim.wake(&word, count);
                sim.settle();
                assert_eq!(*done.lock().unwrap(), freed);
            }
        });
        assert_eq!(sim.now().nanos(), 0);
    }
}

#[test]
fn a_deadlock_is_told_to_every_waiter() {
    let sim = Sim::seeded(1);
    let word = Arc::new(AtomicU32::new(7));
    let told = Arc::new(Mutex::new(Vec::new()));
    let text = message_of(|| {
        sim.run(|| {
            sim.sleep(ms(2));
            for name in ["left", "right"] {
                let (s, word, told) = (sim.clone(), word.clone(), told.clone());
                drop(sim.spawn(name, move || {
                    let text = message_of(|| {
                        s.wait(&OFF(), &word, 7, None);
                    });
                    told.lock().unwrap().push(text);
                }));
            }
            sim.wait(&OFF(), &word, 7, None);
        });
    });
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 2);
    for text in told.iter().chain([&text]) {
        for part in ["deadlock at 2ms", "`main`", "`left`", "`right`", "it is 7", "word holds 7"] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
    }
}

#[test]
fn a_deadlock_that_is_caught_still_fails_the_run() {
    let sim = Sim::seeded(1);
    let text = message_of(|| {
        sim.run(|| {
            let word = AtomicU32::new(0);
            let caught = sim.catch(&mut || {
                sim.wait(&OFF(), &word, 0, None);
            });
            assert_eq!(caught, Err(Panicked));
        });
    });
    assert!(text.contains("deadlock"), "{text}");
}

#[test]
fn threads_that_outlive_main_are_reported() {
    let sim = Sim::new(Config { grace: Duration::from_secs(1), ..Config::default() });
    let text = message_of(|| {
        sim.run(|| {
            let s = sim.clone();
            drop(sim.spawn("ticker", move || {
                loop {
                    s.sleep(ms(100));
                }
            }));
        });
    });
    assert!(text.contains("still live after main ended") && text.contains("`ticker`"), "{text}");
    assert!(sim.now().nanos() < 5_000_000_000);
}

#[test]
fn a_panic_is_given_to_who_joins_and_else_to_the_run() {
    let sim = Sim::seeded(1);
    sim.run(|| {
        let failing = sim.spawn("failing", || panic!("first"));
        assert_eq!(message_of(|| failing.join()), "first");
    });
    let text = message_of(|| sim.run(|| drop(sim.spawn("failing", || panic!("second")))));
    assert!(text.contains("second") && text.contains("`failing`"), "{text}");
    let text = message_of(|| {
        sim.run(|| {
            let thread = Threads::spawn(&*sim, "kernel's", Box::new(|| panic!("third"))).unwrap();
            thread.join(&OFF());
        });
    });
    assert!(text.contains("third"), "{text}");
    assert_eq!(message_of(|| sim.run(|| panic!("fourth"))), "fourth");
    assert_eq!(sim.run(|| sim.spawn("fine", || 5).join()), 5);
}

#[test]
fn catch_stops_panics_and_abandon() {
    let sim = Sim::seeded(1);
    assert_eq!(sim.catch(&mut || ()), Ok(()));
    assert_eq!(sim.catch(&mut || panic!("caught")), Err(Panicked));
    assert_eq!(sim.catch(&mut || sim.abandon()), Err(Panicked));
    assert!(message_of(|| sim.exit(3)).contains("status 3"));
}

#[test]
fn threads_have_numbers_of_their_own() {
    let sim = Sim::seeded(1);
    let outside = sim.current();
    assert_ne!(outside, 0);
    sim.run(|| {
        let s = sim.clone();
        let other = sim.spawn("other", move || s.current()).join();
        assert_ne!(other, sim.current());
        assert_ne!(other, outside);
    });
}

#[test]
fn a_stranger_may_not_block() {
    let sim = Sim::seeded(1);
    let word = AtomicU32::new(0);
    sim.wake(&word, 1);
    let text = message_of(|| {
        sim.wait(&OFF(), &word, 0, None);
    });
    assert!(text.contains("not part of the simulation"), "{text}");
}

#[test]
fn a_spinner_lets_the_others_run_and_is_told_when_there_is_none() {
    let sim = Sim::seeded(1);
    let word = Arc::new(AtomicU32::new(0));
    sim.run(|| {
        let (s, w) = (sim.clone(), word.clone());
        drop(sim.spawn("setter", move || {
            w.store(1, Ordering::Release);
            s.sleep(ms(1));
        }));
        while word.load(Ordering::Acquire) == 0 {
            Threads::yield_now(&*sim);
        }
    });
    let text = message_of(|| {
        sim.run(|| {
            loop {
                Threads::yield_now(&*sim);
            }
        });
    });
    assert!(text.contains("no other thread can run"), "{text}");
    Threads::yield_now(&*sim);
}

#[test]
fn many_threads_and_deadlines() {
    let sim = Sim::seeded(9);
    sim.run(|| {
        let threads: Vec<_> = (0..50_u64)
            .map(|n| {
                let s = sim.clone();
                sim.spawn("sleeper", move || {
                    for _ in 0..20 {
                        s.sleep(ms(1 + n % 7));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join());
    });
    assert_eq!(sim.now().nanos(), 140_000_000);
}

//! Interrupts and timers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use hypercall::atomic::AtomicU32;
use hypercall::{Carried, Clock, Guest, Host, Instant, Interrupts, Parking, Timers, Wakeup};

use super::{OFF, Scripted, at_ms, counting, message_of, ms, traced};
use crate::{Config, Event, Sim};

#[test]
fn raised_guests_are_visited_at_the_next_scheduling_point() {
    let sim = Sim::seeded(1);
    let (count, guest) = counting();
    sim.run(|| {
        sim.raise(guest.clone());
        sim.raise_local(guest.clone());
        assert_eq!(count.interrupts.load(Ordering::Relaxed), 0);
        sim.settle();
        assert_eq!(count.interrupts.load(Ordering::Relaxed), 2);
        sim.raise(guest.clone());
    });
    // The last one is carried when the run ends.
    assert_eq!(count.interrupts.load(Ordering::Relaxed), 3);
    assert_eq!(Arc::strong_count(&guest), 2);
}

#[test]
fn the_order_of_visits_follows_the_seed() {
    let order = |seed| {
        let sim = traced(seed);
        let guests: Vec<_> = (0..4).map(|_| counting().1).collect();
        sim.run(|| {
            guests.iter().for_each(|g| sim.raise(g.clone()));
            sim.settle();
        });
        let visits =
            |e: &Event| if let Event::Interrupt { guest } = e { Some(*guest) } else { None };
        sim.events().iter().filter_map(visits).collect::<Vec<_>>()
    };
    assert_eq!(order(5), order(5));
    assert!((0..50).map(order).collect::<BTreeSet<_>>().len() > 10);
}

#[test]
fn a_visit_may_wake_raise_and_rearm() {
    for seed in 0..20 {
        let sim = Sim::seeded(seed);
        let word = Arc::new(AtomicU32::new(0));
        let (count, second) = counting();
        let first = {
            let (s, word, second) = (Arc::downgrade(&sim), word.clone(), second.clone());
            Arc::new(Scripted {
                interrupt: move || {
                    let sim = s.upgrade().unwrap();
                    word.store(1, hypercall::atomic::Ordering::Release);
                    sim.wake(&word, 1);
                    sim.raise(second.clone());
                    sim.rearm(&second, None, Some(sim.now() + ms(3)));
                    sim.carry(&OFF());
                    Carried::Done
                },
                timer: || Carried::Done,
            })
        };
        sim.run(|| {
            sim.raise(first.clone());
            assert_eq!(sim.wait(&OFF(), &word, 0, None), Wakeup::Woken);
            sim.settle();
            assert_eq!(count.interrupts.load(Ordering::Relaxed), 1);
            sim.sleep(ms(4));
            assert_eq!(count.timers.load(Ordering::Relaxed), 1);
        });
    }
}

#[test]
fn again_means_again() {
    let sim = traced(1);
    let left = AtomicU64::new(5);
    let guest = Arc::new(Scripted {
        interrupt: move || match left.fetch_sub(1, Ordering::Relaxed) {
            1 => Carried::Done,
            _ => Carried::Again,
        },
        timer: || Carried::Done,
    });
    sim.run(|| sim.raise(guest));
    let visits = sim.events().iter().filter(|e| matches!(e, Event::Interrupt { .. })).count();
    assert_eq!(visits, 5);
}

#[test]
fn a_guest_may_not_block() {
    let sim = Sim::seeded(1);
    let s = Arc::downgrade(&sim);
    let guest = Arc::new(Scripted {
        interrupt: move || {
            let word = AtomicU32::new(0);
            s.upgrade().unwrap().wait(&OFF(), &word, 0, None);
            Carried::Done
        },
        timer: || Carried::Done,
    });
    let text = message_of(|| sim.run(|| sim.raise(guest)));
    assert!(text.contains("guest 1 panicked") && text.contains("may not block"), "{text}");
    // The panic of a guest leaves the host in order.
    sim.run(|| sim.sleep(ms(1)));
}

#[test]
fn timers_come_in_order_and_once() {
    let sim = traced(1);
    let guests: Vec<_> = (0..3).map(|_| counting()).collect();
    sim.run(|| {
        for ((_, guest), at) in guests.iter().zip([30, 10, 20]) {
            sim.rearm(guest, None, at_ms(at));
        }
        sim.sleep(ms(100));
    });
    let came: Vec<_> =
        sim.events().into_iter().filter(|e| matches!(e, Event::Timer { .. })).collect();
    assert_eq!(came, [2, 3, 1].map(|guest| Event::Timer { guest }));
    assert!(guests.iter().all(|(count, _)| count.timers.load(Ordering::Relaxed) == 1));
}

#[test]
fn a_new_deadline_replaces_the_old_one() {
    let sim = Sim::seeded(1);
    let came = Arc::new(Mutex::new(Vec::new()));
    let guest: Arc<dyn Guest> = {
        let (s, came) = (Arc::downgrade(&sim), came.clone());
        Arc::new(Scripted {
            interrupt: || Carried::Done,
            timer: move || {
                came.lock().unwrap().push(s.upgrade().unwrap().now());
                Carried::Done
            },
        })
    };
    sim.run(|| {
        sim.rearm(&guest, None, at_ms(10));
        sim.rearm(&guest, at_ms(10), at_ms(50));
        sim.rearm(&guest, at_ms(50), at_ms(20));
        sim.sleep(ms(100));
        assert_eq!(*came.lock().unwrap(), [at_ms(20).unwrap()]);
        // The old one has passed: naming it does no harm.
        sim.rearm(&guest, at_ms(20), at_ms(120));
        sim.rearm(&guest, at_ms(120), None);
        sim.sleep(ms(100));
        assert_eq!(came.lock().unwrap().len(), 1);
        assert_eq!(sim.wrong_rearms(), 0);
        sim.rearm(&guest, None, at_ms(500));
        sim.rearm(&guest, None, None);
        assert_eq!(sim.wrong_rearms(), 1);
    });
}

#[test]
fn a_deadline_in_the_past_comes_at_once() {
    let sim = Sim::seeded(1);
    let (count, guest) = counting();
    sim.run(|| {
        sim.sleep(ms(10));
        sim.rearm(&guest, None, at_ms(5));
        sim.settle();
        assert_eq!(count.timers.load(Ordering::Relaxed), 1);
        assert_eq!(sim.now(), at_ms(10).unwrap());
    });
}

#[test]
fn a_guest_is_kept_only_while_it_has_a_deadline() {
    let sim = Sim::seeded(1);
    let (count, guest) = counting();
    drop(count);
    let weak: Weak<dyn Guest> = Arc::downgrade(&guest);
    sim.run(|| {
        sim.rearm(&guest, None, at_ms(10));
        drop(guest);
        assert!(weak.upgrade().is_some());
        sim.sleep(ms(20));
        assert!(weak.upgrade().is_none());
    });

    let (count, guest) = counting();
    drop(count);
    sim.rearm(&guest, None, at_ms(100));
    sim.rearm(&guest, at_ms(100), None);
    assert_eq!(Arc::strong_count(&guest), 1);
}

/// A guest with a timer that goes off for ever.
fn periodic(sim: &Arc<Sim>, every: Duration) -> Arc<dyn Guest> {
    let me: Arc<OnceLock<Weak<dyn Guest>>> = Arc::default();
    let (s, myself) = (Arc::downgrade(sim), me.clone());
    let guest: Arc<dyn Guest> = Arc::new(Scripted {
        interrupt: || Carried::Done,
        timer: move || {
            let sim = s.upgrade().unwrap();
            if let Some(guest) = myself.get().and_then(Weak::upgrade) {
                sim.rearm(&guest, None, Some(sim.now() + every));
            }
            Carried::Done
        },
    });
    let _ = me.set(Arc::downgrade(&guest));
    sim.rearm(&guest, None, Some(Instant::from_nanos(0) + every));
    guest
}

#[test]
fn timers_of_guests_do_not_hide_a_deadlock() {
    let sim = Sim::new(Config { patience: Duration::from_secs(10), ..Config::default() });
    let guest = periodic(&sim, ms(10));
    let text = message_of(|| {
        sim.run(|| {
            let word = AtomicU32::new(0);
            sim.wait(&OFF(), &word, 0, None);
        });
    });
    assert!(text.contains("guests go on"), "{text}");
    assert!(sim.now().nanos() <= 10_000_000_000);
    // Nor does a patient wait of a thread count as one.
    sim.run(|| sim.sleep(Duration::from_secs(100)));
    drop(guest);
}

#[test]
fn a_kernel_sees_it_as_any_host() {
    let sim = Sim::seeded(1);
    let host: Arc<dyn Host> = sim.clone();
    assert_eq!(host.version(), hypercall::VERSION);
    assert!(host.faults().is_some());
    let layout = std::alloc::Layout::from_size_align(4096, 4096).unwrap();
    let page = host.allocate(layout).unwrap();
    assert_eq!(page.as_ptr() as usize % 4096, 0);
    assert_eq!((sim.held().blocks, sim.held().bytes), (1, 4096));
    // SAFETY: it came from `allocate` with this layout.
    unsafe { host.free(page, layout) };
    assert_eq!(sim.held(), crate::Held::default());
}

#[test]
fn a_visit_is_cheap_with_one_thread() {
    let sim = Sim::seeded(1);
    let guests: Vec<_> = (0..255).map(|_| counting().1).collect();
    let start = std::time::Instant::now();
    const ROUNDS: u32 = 400;
    sim.run(|| {
        for _ in 0..ROUNDS {
            guests.iter().for_each(|g| sim.raise(g.clone()));
            sim.settle();
        }
    });
    let each = start.elapsed() / (ROUNDS * 255);
    println!("{each:?} a visit");
    // A switch of threads costs several microseconds; debug builds and busy machines get slack.
    assert!(each < Duration::from_micros(20), "{each:?} a visit");
}

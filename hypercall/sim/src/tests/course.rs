//! The course follows from the seed and from nothing else.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use hypercall::atomic::{AtomicU32, Ordering};
use hypercall::{Clock, Environment, Host, Interrupts, Parking};

use super::{OFF, counting, ms, traced};
use crate::{Config, Event, Sim};

/// Three threads hand a lock around; two guests are raised now and then.
fn scenario(sim: &Arc<Sim>) -> Vec<u32> {
    let lock = Arc::new(AtomicU32::new(0));
    let order = Arc::new(Mutex::new(Vec::new()));
    let (_a, a) = counting();
    let (_b, b) = counting();
    sim.run(|| {
        for name in 0..3_u32 {
            let (s, lock, order, a, b) =
                (sim.clone(), lock.clone(), order.clone(), a.clone(), b.clone());
            drop(sim.spawn(&format!("worker {name}"), move || {
                for turn in 0..10 {
                    while lock.swap(1, Ordering::Acquire) != 0 {
                        s.wait(&OFF(), &lock, 1, None);
                    }
                    order.lock().unwrap().push(name);
                    s.raise(if turn % 2 == 0 { a.clone() } else { b.clone() });
                    // Held across a scheduling point, so that others find it taken.
                    s.yield_now();
                    lock.store(0, Ordering::Release);
                    s.wake(&lock, 1);
                    s.carry(&OFF());
                }
            }));
        }
    });
    Arc::try_unwrap(order).unwrap().into_inner().unwrap()
}

#[test]
fn a_lock_goes_around_and_everybody_gets_it() {
    let order = scenario(&Sim::seeded(1));
    assert_eq!(order.len(), 30);
    for name in 0..3 {
        assert_eq!(order.iter().filter(|n| **n == name).count(), 10);
    }
}

#[test]
fn same_seed_same_course() {
    for seed in 0..20 {
        let (first, second) = (traced(seed), traced(seed));
        assert_eq!(scenario(&first), scenario(&second));
        assert_eq!(first.events(), second.events());
        assert_eq!(first.trace_hash(), second.trace_hash());
    }
}

#[test]
fn other_seeds_take_other_courses() {
    let hashes: BTreeSet<u64> = (0..20)
        .map(|seed| {
            let sim = Sim::seeded(seed);
            scenario(&sim);
            sim.trace_hash()
        })
        .collect();
    assert_eq!(hashes.len(), 20);
}

#[test]
fn guests_are_visited_between_threads() {
    let sim = traced(4);
    scenario(&sim);
    let events = sim.events();
    let visits = events.iter().filter(|e| matches!(e, Event::Interrupt { .. })).count();
    assert_eq!(visits, 30);
    let last_run = events.iter().rposition(|e| matches!(e, Event::Run { .. })).unwrap();
    let early = events[..last_run].iter().filter(|e| matches!(e, Event::Interrupt { .. })).count();
    assert!(early > 10, "{early} visits before the last thread ran");
}

#[test]
fn entropy_follows_from_the_seed() {
    let draw = |seed| {
        let mut out = [0; 16];
        Sim::seeded(seed).entropy(&mut out);
        out
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    assert_eq!(Sim::seeded(7).shuffle_seed(), Sim::seeded(7).shuffle_seed());
    assert_ne!(Sim::seeded(7).shuffle_seed(), Sim::seeded(8).shuffle_seed());
}

#[test]
fn entropy_does_not_shift_the_order() {
    let (plain, thirsty) = (Sim::seeded(3), Sim::seeded(3));
    thirsty.entropy(&mut [0; 1000]);
    assert_eq!(scenario(&plain), scenario(&thirsty));
}

#[test]
fn a_step_moves_a_loop_that_polls_the_clock() {
    let sim = Sim::new(Config { step: ms(1), ..Config::default() });
    sim.run(|| {
        while sim.now().nanos() < 50_000_000 {
            sim.yield_now();
        }
    });
    assert_eq!(sim.now().nanos(), 50_000_000);
}

#[test]
fn the_time_of_day_moves_with_the_clock() {
    let wall = hypercall::WallTime { seconds: 100, nanoseconds: 900_000_000 };
    let sim = Sim::new(Config { wall, ..Config::default() });
    sim.run(|| sim.sleep(ms(1200)));
    assert_eq!(sim.wall(), hypercall::WallTime { seconds: 102, nanoseconds: 100_000_000 });
}

#[test]
fn a_hundred_simulations_side_by_side_share_nothing() {
    let alone: Vec<u64> = (0..100)
        .map(|seed| {
            let sim = Sim::seeded(seed);
            scenario(&sim);
            sim.trace_hash()
        })
        .collect();
    let together: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100)
            .map(|seed| {
                scope.spawn(move || {
                    let sim = Sim::seeded(seed);
                    scenario(&sim);
                    sim.trace_hash()
                })
            })
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

#[test]
fn one_simulation_inside_another() {
    let (outer, inner) = (Sim::seeded(1), Sim::seeded(2));
    outer.run(|| {
        inner.run(|| inner.sleep(ms(5)));
        outer.sleep(ms(3));
    });
    assert_eq!((outer.now().nanos(), inner.now().nanos()), (3_000_000, 5_000_000));
}

#[test]
fn nothing_keeps_a_simulation_alive_after_its_run() {
    let sim = Sim::seeded(1);
    scenario(&sim);
    assert_eq!(Arc::strong_count(&sim), 1);
}

#[test]
fn names_last_as_long_as_their_holders() {
    use hypercall::Names;
    let (one, other) = (Sim::seeded(1), Sim::seeded(1));
    let find =
        |sim: &Sim, n: u32| sim.rendezvous("bus0", &mut || Arc::new(n)).downcast::<u32>().unwrap();
    let held = find(&one, 1);
    assert_eq!((*find(&one, 2), *find(&other, 3)), (1, 3));
    drop(held);
    assert_eq!(*find(&one, 4), 4);
}

#[test]
fn console_and_parameters() {
    let sim = Sim::seeded(1);
    sim.console("a");
    sim.console("b\n");
    assert_eq!((sim.console_text().as_str(), sim.take_console().as_str()), ("ab\n", "ab\n"));
    assert_eq!(sim.console_text(), "");
    assert_eq!(sim.param("hostname").as_deref(), Some("rump-1.sim.rumpdomain"));
    sim.set_param("ncpu", "4");
    assert_eq!(sim.param("ncpu").as_deref(), Some("4"));
    assert_eq!(sim.param("colour"), None);
}

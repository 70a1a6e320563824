//! Timers: order, stopping, rescheduling, and how little the host hears of them.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use base::callout::{Callout, Handler};
use base::vm::kmem;
use base::{Cx, Kernel};
use sim::{Config, Event, Sim};
use support::{boot, end, on_sim, on_sims};

base::kernel!(EMPTY = []);

const MS: Duration = Duration::from_millis(1);

/// Which timers ran, and when, in milliseconds.
type Log = Arc<Mutex<Vec<(u32, u64)>>>;

struct Note(u32, Log);

impl Handler for Note {
    fn expired(&self, cx: &Cx<'_>) {
        self.1.lock().unwrap().push((self.0, cx.now().nanos() / 1_000_000));
    }
}

fn timer(kernel: &Kernel, number: u32, log: &Log) -> Callout {
    let make = |cx: &Cx<'_>| Callout::new(cx, kmem::arc(cx, Note(number, log.clone()))?);
    kernel.enter(|l| make(l)).unwrap().unwrap()
}

fn after(kernel: &Kernel, timer: &Callout, ms: u32) {
    kernel.enter(|l| timer.schedule(l, ms * MS)).unwrap();
}

fn seen(log: &Log) -> Vec<(u32, u64)> {
    std::mem::take(&mut *log.lock().unwrap())
}

#[test]
fn timers_run_at_their_time_and_in_order() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let kernel = boot(sim, &EMPTY, ncpu);
            let start = kernel.host().now().nanos() / 1_000_000;
            let log = Log::default();
            let timers: Vec<_> = (0..5).map(|i| timer(&kernel, i, &log)).collect();
            for (timer, ms) in timers.iter().zip([30, 10, 50, 20, 40]) {
                after(&kernel, timer, ms);
            }
            sim.sleep(35 * MS);
            let expected = [(1, 10), (3, 20), (0, 30)].map(|(i, ms)| (i, start + ms));
            assert_eq!(seen(&log), expected);
            sim.sleep(35 * MS);
            assert_eq!(seen(&log), [(4, start + 40), (2, start + 50)]);
            sim.sleep(100 * MS);
            assert_eq!(seen(&log), [], "once each");
            end(kernel);
        }
    });
}

#[test]
fn a_stopped_timer_does_not_run() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let log = Log::default();
        let t = timer(&kernel, 0, &log);
        let stop = || kernel.enter(|l| t.stop(l)).unwrap();
        assert!(!stop(), "it was not scheduled");
        after(&kernel, &t, 5);
        assert!(kernel.enter(|l| t.due(l).is_some()).unwrap());
        assert!(stop());
        assert!(!stop());
        assert!(kernel.enter(|l| t.due(l).is_none()).unwrap());
        sim.sleep(20 * MS);
        assert_eq!(seen(&log), []);
        after(&kernel, &t, 5);
        sim.sleep(20 * MS);
        assert_eq!(seen(&log), [(0, 25)]);
        assert!(!stop(), "it has run");
        end(kernel);
    });
}

#[test]
fn a_timer_is_moved_to_earlier_and_to_later() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let log = Log::default();
        let t = timer(&kernel, 0, &log);
        for (first, second) in [(10, 5), (5, 10), (7, 7)] {
            let now = kernel.host().now().nanos() / 1_000_000;
            after(&kernel, &t, first);
            after(&kernel, &t, second);
            sim.sleep(20 * MS);
            assert_eq!(seen(&log), [(0, now + u64::from(second))], "{first} then {second}");
        }
        end(kernel);
    });
}

#[test]
fn a_timer_that_is_wanted_by_two_runs_for_the_earlier_one() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let start = kernel.host().now();
        let log = Log::default();
        let timer = timer(&kernel, 7, &log);
        for ms in [20, 10, 30] {
            kernel.enter(|l| timer.schedule_by(l, start + ms * MS)).unwrap();
        }
        sim.sleep(50 * MS);
        assert_eq!(seen(&log), [(7, start.nanos() / 1_000_000 + 10)], "once, and at the earliest");
        end(kernel);
    });
}

#[test]
fn the_host_hears_of_earlier_deadlines_only() {
    let config = Config { trace: true, ..Config::default() };
    on_sim(config, |sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let log = Log::default();
        let t = timer(&kernel, 0, &log);
        // A timer that is put off again and again, as a retransmission's is.
        for put_off in 0..1000 {
            after(&kernel, &t, 10 + put_off);
        }
        sim.sleep(2000 * MS);
        assert_eq!(seen(&log), [(0, 1009)]);
        let visits = sim.events().iter().filter(|e| matches!(e, Event::Timer { .. })).count();
        assert_eq!(visits, 2, "once for nothing, once for the timer");
        end(kernel);
    });
}

#[test]
fn a_kernel_without_timers_is_never_visited() {
    let config = Config { trace: true, ..Config::default() };
    on_sim(config, |sim| {
        let kernels: Vec<_> = (0..100).map(|_| boot(sim, &EMPTY, 1)).collect();
        sim.sleep(Duration::from_secs(1000));
        let visit = |e: &&Event| matches!(e, Event::Timer { .. } | Event::Interrupt { .. });
        assert_eq!(sim.events().iter().find(visit), None);
        kernels.into_iter().for_each(end);
    });
}

/// Reschedules itself at once.
struct Restless(OnceLock<Callout>, AtomicU32, Duration);

impl Handler for Restless {
    fn expired(&self, cx: &Cx<'_>) {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.get().unwrap().schedule(cx, self.2);
    }
}

#[test]
fn a_timer_that_is_always_due_holds_up_nobody() {
    on_sims(|sim| {
        for delay in [Duration::ZERO, Duration::from_nanos(1)] {
            let kernel = boot(sim, &EMPTY, 1);
            let handler = kernel
                .enter(|l| kmem::arc(l, Restless(OnceLock::new(), AtomicU32::new(0), delay)))
                .unwrap()
                .unwrap();
            let timer = kernel.enter(|l| Callout::new(l, handler.clone())).unwrap().unwrap();
            kernel.enter(|l| timer.schedule(l, Duration::ZERO)).unwrap();
            assert!(handler.0.set(timer).is_ok());
            // Everything else goes on meanwhile. Time does not pass while something is due.
            for _ in 0..100 {
                kernel.enter(|_| ()).unwrap();
                if delay.is_zero() { sim.yield_now() } else { sim.sleep(delay) }
            }
            let ran = handler.1.load(Ordering::Relaxed);
            assert!(ran > 10, "it ran {ran} times");
            kernel.enter(|l| assert!(handler.0.get().unwrap().stop(l))).unwrap();
            drop(handler);
            // The timer is held by its own handler: nothing of the kernel's, for it is weak.
            drop(kernel);
        }
    });
}

struct Dropped(Arc<AtomicU32>);

impl Handler for Dropped {
    fn expired(&self, _: &Cx<'_>) {
        panic!("ran after its end");
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn timers_go_with_their_kernel() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let dropped = Arc::new(AtomicU32::new(0));
        let make = || {
            let d = Dropped(dropped.clone());
            kernel.enter(|l| Callout::new(l, kmem::arc(l, d)?)).unwrap().unwrap()
        };
        let timers: Vec<_> = (0..3).map(|_| make()).collect();
        timers.iter().for_each(|t| after(&kernel, t, 5));
        let bound = kernel.bind().unwrap();
        let ended = make();
        after(&kernel, &ended, 5);
        kernel.enter(|l| ended.destroy(l)).unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
        end(kernel);
        assert_eq!(dropped.load(Ordering::Relaxed), 4);
        sim.sleep(50 * MS);
        drop(bound);
    });
}

#[test]
fn a_timer_refuses_the_context_of_another_kernel() {
    let sim = Sim::seeded(1);
    sim.run(|| {
        let log = Log::default();
        let (home, abroad) = (boot(&sim, &EMPTY, 1), boot(&sim, &EMPTY, 1));
        let (ours, theirs) = (timer(&home, 0, &log), timer(&abroad, 1, &log));
        after(&home, &ours, 5);
        after(&abroad, &theirs, 5);
        assert!(abroad.enter(|l| ours.stop(l)).is_err());
        assert!(abroad.is_dead());
        sim.sleep(10 * MS);
        assert_eq!(seen(&log), [(0, 5)]);
        end(home);
    });
}

#[test]
fn timers_do_what_a_naive_list_does() {
    // A generator of our own, so that the course follows from the seed.
    fn next(state: &mut u64) -> u64 {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *state >> 33
    }
    for seed in 0..50 {
        on_sim(Config { seed, ..Config::default() }, |sim| {
            let mut random = seed;
            let kernel = boot(sim, &EMPTY, 1 + (seed % 3) as u32);
            let log = Log::default();
            let timers: Vec<_> = (0..8).map(|i| timer(&kernel, i, &log)).collect();
            let mut model: [Option<u64>; 8] = [None; 8];
            for _ in 0..200 {
                let i = next(&mut random) as usize % 8;
                let now = kernel.host().now().nanos() / 1_000_000;
                match next(&mut random) % 4 {
                    0 | 1 => {
                        let ms = 1 + next(&mut random) as u32 % 50;
                        after(&kernel, &timers[i], ms);
                        model[i] = Some(now + u64::from(ms));
                    }
                    2 => {
                        let was = kernel.enter(|l| timers[i].stop(l)).unwrap();
                        assert_eq!(was, model[i].take().is_some());
                    }
                    _ => {
                        let ms = next(&mut random) % 20;
                        sim.sleep(ms as u32 * MS);
                        // So that what is due at this very moment has run too.
                        sim.settle();
                        let expected: BTreeSet<_> = (0..8)
                            .zip(&mut model)
                            .filter_map(|(i, at)| Some((i, at.take_if(|at| *at <= now + ms)?)))
                            .collect();
                        let ran = seen(&log);
                        assert!(ran.is_sorted_by_key(|(_, at)| *at), "in order: {ran:?}");
                        assert_eq!(ran.len(), expected.len());
                        assert_eq!(ran.into_iter().collect::<BTreeSet<_>>(), expected);
                    }
                }
            }
            end(kernel);
        });
    }
}

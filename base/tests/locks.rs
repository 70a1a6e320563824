//! Locks and waiting: exclusion, order, interruption, deadlines, foreign contexts.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use base::lock::{Condvar, IntrMutex, Mutex, Rank, RwLock};
use base::wait::{Events, Unslept, WaitQueue};
use base::{Errno, Gone, Kernel, Lwp, Rfork};
use sim::{Sim, Thread};
use support::{boot, end, on_sims};

base::kernel!(EMPTY = []);

const MS: Duration = Duration::from_millis(1);

/// A thread of the simulation that visits the kernel.
fn visitor<T: Send + 'static>(
    sim: &Arc<Sim>,
    kernel: &Kernel,
    f: impl FnOnce(&mut Lwp<'_>) -> T + Send + 'static,
) -> Thread<T> {
    let handle = kernel.handle();
    sim.spawn("visitor", move || handle.enter(|l| f(l)).unwrap())
}

/// Gives the CPU away for a moment, if the seed says so.
fn give_way(l: &mut Lwp<'_>, sim: &Sim) {
    l.offcpu(|_| sim.yield_now()).1.unwrap();
}

#[test]
fn a_mutex_excludes_across_sleeps() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let kernel = boot(sim, &EMPTY, ncpu);
            let m = Arc::new(kernel.enter(|l| Mutex::new(l, Rank::SleepLeaf, 0)).unwrap());
            let threads: Vec<_> = (0..6)
                .map(|_| {
                    let (m, sim2) = (m.clone(), sim.clone());
                    visitor(sim, &kernel, move |l| {
                        for _ in 0..10 {
                            m.with(l, |l, n| {
                                let before = *n;
                                give_way(l, &sim2);
                                *n = before + 1;
                            })
                            .unwrap();
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(Thread::join);
            assert_eq!(kernel.enter(|l| m.with(l, |_, n| *n)).unwrap(), Ok(60));
            drop(m); // its queue has memory of the kernel
            end(kernel);
        }
    });
}

#[test]
fn a_mutex_works_when_there_is_no_memory_to_wait_with() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let m = Arc::new(kernel.enter(|l| Mutex::new(l, Rank::SleepLeaf, 0)).unwrap());
        sim.faults().refuse_from(1);
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (m, sim2) = (m.clone(), sim.clone());
                visitor(sim, &kernel, move |l| {
                    m.with(l, |l, n| {
                        give_way(l, &sim2);
                        *n += 1;
                    })
                    .unwrap();
                })
            })
            .collect();
        threads.into_iter().for_each(Thread::join);
        sim.faults().clear();
        assert_eq!(kernel.enter(|l| m.with(l, |_, n| *n)).unwrap(), Ok(3));
        drop(m); // its queue has memory of the kernel
        end(kernel);
    });
}

#[test]
fn a_spinning_mutex_excludes_between_cpus() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 4);
        let m = Arc::new(kernel.enter(|l| IntrMutex::new(l, Rank::Proto, 0)).unwrap());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (m, sim2) = (m.clone(), sim.clone());
                visitor(sim, &kernel, move |l| {
                    for _ in 0..10 {
                        let mut n = m.lock(l);
                        let before = *n;
                        sim2.yield_now(); // with the CPU and the lock: others spin
                        *n = before + 1;
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(Thread::join);
        assert_eq!(kernel.enter(|l| *m.lock(l)), Ok(40));
        assert!(kernel.enter(|l| m.try_lock(l).is_some()).unwrap());
        drop(m); // its queue has memory of the kernel
        end(kernel);
    });
}

#[test]
fn a_lock_refuses_the_context_of_another_kernel() {
    let sim = Sim::seeded(1);
    let home = boot(&sim, &EMPTY, 1);
    let spin = home.enter(|l| IntrMutex::new(l, Rank::Proto, 0)).unwrap();
    let mutex = home.enter(|l| Mutex::new(l, Rank::SleepLeaf, 0)).unwrap();
    let rw = home.enter(|l| RwLock::new(l, Rank::SleepLeaf, 0)).unwrap();
    let queue = home.enter(|l| WaitQueue::new(l)).unwrap();
    let refused = |f: &dyn Fn(&mut Lwp<'_>)| {
        let abroad = boot(&sim, &EMPTY, 1);
        assert_eq!(abroad.enter(|l| f(l)), Err(Gone));
        assert!(abroad.is_dead());
        home.enter(|l| f(l)).expect("at home it works");
    };
    refused(&|l| assert_eq!(*spin.lock(l), 0));
    refused(&|l| assert!(spin.try_lock(l).is_some()));
    refused(&|l| mutex.with(l, |_, n| assert_eq!(*n, 0)).unwrap());
    refused(&|l| rw.read(l, |_, n| assert_eq!(*n, 0)).unwrap());
    refused(&|l| rw.write(l, |_, n| assert_eq!(*n, 0)).unwrap());
    refused(&|l| queue.wake(l, Events::IN));
    end(home);
}

#[test]
fn taking_a_spinning_mutex_twice_is_a_bug_that_is_found() {
    let kernel = boot(&Sim::seeded(1), &EMPTY, 1);
    let m = kernel.enter(|l| IntrMutex::new(l, Rank::Proto, ())).unwrap();
    let twice = kernel.enter(|l| {
        let _first = m.lock(l);
        let _second = m.lock(l);
    });
    assert_eq!(twice, Err(Gone));
}

#[cfg(debug_assertions)]
#[test]
fn locks_are_taken_in_the_order_of_their_ranks() {
    let sim = Sim::seeded(1);
    let in_order = |first, second| {
        let kernel = boot(&sim, &EMPTY, 1);
        let locks = kernel.enter(|l| [first, second].map(|r| IntrMutex::new(l, r, ()))).unwrap();
        kernel
            .enter(|l| {
                let _first = locks[0].lock(l);
                let _second = locks[1].lock(l);
            })
            .is_ok()
    };
    assert!(in_order(Rank::Socket, Rank::Route));
    assert!(!in_order(Rank::Route, Rank::Socket));
    assert!(!in_order(Rank::Route, Rank::Route));
}

#[test]
fn readers_share_and_writers_do_not() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let kernel = boot(sim, &EMPTY, ncpu);
            let rw = Arc::new(kernel.enter(|l| RwLock::new(l, Rank::SleepLeaf, 0)).unwrap());
            let inside = Arc::new([const { AtomicU32::new(0) }; 3]); // readers, writers, most readers
            let threads: Vec<_> = (0..8)
                .map(|i| {
                    let (rw, inside, sim2) = (rw.clone(), inside.clone(), sim.clone());
                    visitor(sim, &kernel, move |l| {
                        let [readers, writers, most] = &*inside;
                        for _ in 0..5 {
                            if i < 6 {
                                rw.read(l, |l, n| {
                                    let now = readers.fetch_add(1, Ordering::Relaxed) + 1;
                                    most.fetch_max(now, Ordering::Relaxed);
                                    let before = *n;
                                    give_way(l, &sim2);
                                    assert_eq!((*n, writers.load(Ordering::Relaxed)), (before, 0));
                                    readers.fetch_sub(1, Ordering::Relaxed);
                                })
                                .unwrap();
                            } else {
                                rw.write(l, |l, n| {
                                    assert_eq!(writers.fetch_add(1, Ordering::Relaxed), 0);
                                    let before = *n;
                                    give_way(l, &sim2);
                                    assert_eq!(readers.load(Ordering::Relaxed), 0);
                                    *n = before + 1;
                                    writers.fetch_sub(1, Ordering::Relaxed);
                                })
                                .unwrap();
                            }
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(Thread::join);
            assert_eq!(kernel.enter(|l| rw.read(l, |_, n| *n)).unwrap(), Ok(10));
            assert!(inside[2].load(Ordering::Relaxed) > 1, "readers were inside together");
            drop(rw); // its queue has memory of the kernel
            end(kernel);
        }
    });
}

#[test]
fn a_reader_waits_behind_a_writer_that_waits() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let rw = Arc::new(kernel.enter(|l| RwLock::new(l, Rank::SleepLeaf, 0)).unwrap());
        let first = {
            let rw = rw.clone();
            visitor(sim, &kernel, move |l| {
                rw.read(l, |l, _| assert_eq!(l.sleep_until(l.now() + MS), Unslept::TimedOut))
                    .unwrap();
            })
        };
        sim.settle();
        let writer = {
            let rw = rw.clone();
            visitor(sim, &kernel, move |l| rw.write(l, |_, n| *n = 1).unwrap())
        };
        sim.settle();
        let second = visitor(sim, &kernel, move |l| rw.read(l, |_, n| *n).unwrap());
        assert_eq!(second.join(), 1, "the writer came first");
        first.join();
        writer.join();
        end(kernel);
    });
}

type Queue = (IntrMutex<VecDeque<u32>>, Condvar);

fn queue(kernel: &Kernel) -> Arc<Queue> {
    let make = |l: &mut Lwp<'_>| (IntrMutex::new(l, Rank::Proto, VecDeque::new()), Condvar::new(l));
    Arc::new(kernel.enter(|l| make(l)).unwrap())
}

#[test]
fn every_signal_reaches_somebody_although_consumers_are_interrupted() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let kernel = boot(sim, &EMPTY, ncpu);
            let q = queue(&kernel);
            let taken = Arc::new(AtomicU32::new(0));
            let mut interrupters = Vec::new();
            let consumers: Vec<_> = (0..4)
                .map(|_| {
                    let (q, taken) = (q.clone(), taken.clone());
                    let mut bound = kernel.rfork(Rfork::ClearFds).unwrap();
                    interrupters.push(bound.interrupter().unwrap());
                    sim.spawn("consumer", move || {
                        loop {
                            let got =
                                bound.enter(|l| q.1.wait_until(l, &q.0, None, |q| q.pop_front()));
                            match got.unwrap() {
                                Ok(0) => return, // the end
                                Ok(_) => _ = taken.fetch_add(1, Ordering::Relaxed),
                                Err(Unslept::Interrupted) => {}
                                Err(e) => panic!("{e:?}"),
                            }
                        }
                    })
                })
                .collect();
            let producer = {
                let (q, sim2) = (q.clone(), sim.clone());
                visitor(sim, &kernel, move |l| {
                    for n in 0..24 {
                        let item = if n < 20 { 1 } else { 0 };
                        q.0.lock(l).push_back(item);
                        q.1.signal(l);
                        if n % 3 == 0 {
                            interrupters[n % 4].interrupt();
                        }
                        give_way(l, &sim2);
                    }
                })
            };
            // A lost signal shows as a deadlock, which the simulation reports.
            producer.join();
            consumers.into_iter().for_each(Thread::join);
            assert_eq!(taken.load(Ordering::Relaxed), 20);
            drop(q); // its queue has memory of the kernel
            end(kernel);
        }
    });
}

#[test]
fn a_broadcast_wakes_all() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let q = queue(&kernel);
        let threads: Vec<_> = (0..5)
            .map(|_| {
                let q = q.clone();
                visitor(sim, &kernel, move |l| {
                    q.1.wait_until(l, &q.0, None, |q| q.front().copied()).unwrap()
                })
            })
            .collect();
        sim.settle();
        kernel
            .enter(|l| {
                assert!(q.1.has_waiters(l));
                q.0.lock(l).push_back(9);
                q.1.broadcast(l);
            })
            .unwrap();
        assert!(threads.into_iter().all(|t| t.join() == 9));
        assert!(!kernel.enter(|l| q.1.has_waiters(l)).unwrap());
        drop(q); // its queue has memory of the kernel
        end(kernel);
    });
}

#[test]
fn a_condition_may_be_guarded_by_a_mutex_of_threads() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let make = |l: &mut Lwp<'_>| (Mutex::new(l, Rank::SleepLeaf, 0), Condvar::new(l));
        let q = Arc::new(kernel.enter(|l| make(l)).unwrap());
        let waiter = {
            let q = q.clone();
            visitor(sim, &kernel, move |l| {
                q.1.wait_until(l, &q.0, None, |n| (*n > 2).then_some(*n)).unwrap()
            })
        };
        for _ in 0..3 {
            kernel
                .enter(|l| {
                    q.0.with(l, |_, n| *n += 1).unwrap();
                    q.1.signal(l);
                })
                .unwrap();
            sim.yield_now();
        }
        assert_eq!(waiter.join(), 3);
        drop(q); // its queue has memory of the kernel
        end(kernel);
    });
}

#[test]
fn a_deadline_ends_a_wait_then_and_not_before() {
    on_sims(|sim| {
        sim.faults().wake_early(300_000);
        let kernel = boot(sim, &EMPTY, 1);
        let q = queue(&kernel);
        kernel
            .enter(|l| {
                let deadline = l.now() + MS;
                let got = q.1.wait_until(l, &q.0, Some(deadline), |q| q.pop_front());
                assert_eq!(got, Err(Unslept::TimedOut));
                assert_eq!(l.now(), deadline);
                // One that has passed does not sleep at all.
                let got = q.1.wait_until(l, &q.0, Some(deadline), |q| q.pop_front());
                assert_eq!((got, l.now()), (Err(Unslept::TimedOut), deadline));
                assert_eq!(l.sleep_until(deadline + MS), Unslept::TimedOut);
                assert_eq!(l.now(), deadline + MS);
            })
            .unwrap();
        drop(q); // its queue has memory of the kernel
        end(kernel);
    });
}

#[test]
fn an_interruption_ends_the_present_sleep() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let mut bound = kernel.bind().unwrap();
        let interrupter = bound.interrupter().unwrap();
        let sleeper = sim.spawn("sleeper", move || {
            let slept = bound.enter(|l| l.sleep_until(l.now() + 1000 * MS)).unwrap();
            let again = bound.enter(|l| l.sleep_until(l.now() + MS)).unwrap();
            (slept, again)
        });
        sim.settle();
        interrupter.interrupt();
        assert_eq!(sleeper.join(), (Unslept::Interrupted, Unslept::TimedOut), "once, and no more");
        end(kernel);
    });
}

#[test]
fn an_interruption_outside_of_a_sleep_ends_the_next_one() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let mut bound = kernel.bind().unwrap();
        let interrupter = bound.interrupter().unwrap();
        interrupter.interrupt();
        let before = kernel.host().now();
        assert_eq!(bound.enter(|l| l.sleep_until(l.now() + MS)), Ok(Unslept::Interrupted));
        assert_eq!(kernel.host().now(), before);
        drop(bound);
        end(kernel);
    });
}

#[test]
fn an_interruption_while_a_lock_is_waited_for_is_put_off() {
    on_sims(|sim| {
        for same_visit in [true, false] {
            let kernel = boot(sim, &EMPTY, 1);
            let m = Arc::new(kernel.enter(|l| Mutex::new(l, Rank::SleepLeaf, 0)).unwrap());
            let holder = {
                let m = m.clone();
                visitor(sim, &kernel, move |l| {
                    m.with(l, |l, _| assert_eq!(l.sleep_until(l.now() + MS), Unslept::TimedOut))
                        .unwrap();
                })
            };
            sim.settle();
            let mut bound = kernel.bind().unwrap();
            let interrupter = bound.interrupter().unwrap();
            let waiter = sim.spawn("waiter", move || {
                let sleep = |l: &mut Lwp<'_>| l.sleep_until(l.now() + MS);
                let slept = bound
                    .enter(|l| {
                        m.with(l, |_, n| *n += 1).unwrap();
                        if same_visit { Some(sleep(l)) } else { None }
                    })
                    .unwrap();
                slept.unwrap_or_else(|| bound.enter(sleep).unwrap())
            });
            sim.settle();
            interrupter.interrupt();
            assert_eq!(waiter.join(), Unslept::Interrupted);
            holder.join();
            end(kernel);
        }
    });
}

#[test]
fn an_interruption_does_not_take_what_has_arrived() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let q = queue(&kernel);
        let log = Arc::new(StdMutex::new(Vec::new()));
        let mut interrupters = Vec::new();
        let threads: Vec<_> = (0..2)
            .map(|i| {
                let (q, log) = (q.clone(), log.clone());
                let mut bound = kernel.bind().unwrap();
                interrupters.push(bound.interrupter().unwrap());
                sim.spawn("consumer", move || {
                    let got = bound.enter(|l| q.1.wait_until(l, &q.0, None, |q| q.pop_front()));
                    log.lock().unwrap().push((i, got.unwrap()));
                })
            })
            .collect();
        sim.settle();
        // One of them is signalled, and both are interrupted before either runs.
        kernel
            .enter(|l| {
                q.0.lock(l).push_back(5);
                q.1.signal(l);
                interrupters.iter().for_each(|i| i.interrupt());
            })
            .unwrap();
        threads.into_iter().for_each(Thread::join);
        let mut results: Vec<_> = log.lock().unwrap().iter().map(|(_, r)| *r).collect();
        results.sort_by_key(|r| r.is_err());
        assert_eq!(results, [Ok(5), Err(Unslept::Interrupted)]);
        drop(q); // its queue has memory of the kernel
        end(kernel);
    });
}

#[test]
fn a_wait_says_when_there_is_no_memory_for_it() {
    let sim = Sim::seeded(1);
    sim.run(|| {
        let kernel = boot(&sim, &EMPTY, 1);
        let q = queue(&kernel);
        sim.faults().refuse_from(1);
        let got = kernel.enter(|l| q.1.wait_until(l, &q.0, None, |q| q.pop_front()));
        assert_eq!(got, Ok(Err(Unslept::NoMemory)));
        sim.faults().clear();
        assert_eq!(Errno::from(Unslept::NoMemory), Errno::NoMemory);
        drop(q); // its queue has memory of the kernel
        end(kernel);
    });
}

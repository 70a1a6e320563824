//! The end of a kernel: dropped while threads sleep and run in it, from inside, or by a panic.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::lock::{Condvar, IntrMutex, Rank};
use base::sched::line::{Handler, Line};
use base::vm::kmem;
use base::wait::Unslept;
use base::{Cx, Errno, Gone, Instant, Kernel, Rfork};
use sim::{Sim, Thread};
use support::{Closed, Pipe, boot, end, on_sims, read};

base::kernel!(EMPTY = []);

const MS: Duration = Duration::from_millis(1);
const NEVER: Instant = Instant::from_nanos(u64::MAX);

/// A test that leaves a dead kernel behind: its memory is leaked, with its host.
fn on_sims_that_leak(test: impl Fn(&Arc<Sim>)) {
    for seed in 0..20 {
        let sim = Sim::seeded(seed);
        sim.run(|| test(&sim));
    }
}

#[test]
fn sleepers_are_woken_and_answer_gone() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let kernel = boot(sim, &EMPTY, ncpu);
            let left = Arc::new(AtomicU32::new(0));
            let threads: Vec<Thread<()>> = (0..4)
                .map(|i| {
                    let (handle, left) = (kernel.handle(), left.clone());
                    sim.spawn("sleeper", move || {
                        let slept = handle.enter(|l| match i {
                            0 => l.sleep_until(NEVER),
                            1 => {
                                let cv = Condvar::new(l);
                                let lock = IntrMutex::new(l, Rank::Proto, ());
                                cv.wait_until(l, &lock, None, |()| None::<()>).unwrap_err()
                            }
                            2 => {
                                let fd = Pipe::open(l, 1, &Closed::default()).unwrap();
                                assert_eq!(read(l, fd), Err(Errno::NoDevice));
                                Unslept::Gone
                            }
                            _ => {
                                // One that does not take the first no for an answer.
                                assert_eq!(l.sleep_until(NEVER), Unslept::Gone);
                                l.sleep_until(NEVER)
                            }
                        });
                        assert_eq!(slept, Ok(Unslept::Gone));
                        left.fetch_add(1, Ordering::Relaxed);
                    })
                })
                .collect();
            sim.settle();
            assert_eq!(left.load(Ordering::Relaxed), 0, "they sleep");
            end(kernel);
            threads.into_iter().for_each(Thread::join);
            assert_eq!(left.load(Ordering::Relaxed), 4);
        }
    });
}

#[test]
fn threads_that_come_while_the_kernel_goes_get_in_or_answer_gone() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let (handle, sim2) = (kernel.handle(), sim.clone());
                sim.spawn("visitor", move || {
                    let mut visits = 0;
                    loop {
                        let visit = handle.enter(|l| l.sleep_until(l.now() + MS));
                        match visit {
                            Ok(Unslept::TimedOut) => visits += 1,
                            Ok(Unslept::Gone) | Err(Gone) => return visits,
                            other => panic!("{other:?}"),
                        }
                        sim2.yield_now();
                    }
                })
            })
            .collect();
        sim.sleep(5 * MS);
        end(kernel);
        let visits: u32 = threads.into_iter().map(Thread::join).sum();
        assert!(visits > 6, "they were there");
    });
}

#[test]
fn drop_waits_for_who_runs_inside() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let done = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (handle, done, sim2) = (kernel.handle(), done.clone(), sim.clone());
                sim.spawn("slow", move || {
                    handle.enter(|l| {
                        // With the CPU: a long computation.
                        sim2.sleep(MS);
                        assert!(l.account().used() > 0, "the kernel is still there");
                        done.store(true, Ordering::Relaxed);
                    })
                })
            })
            .collect();
        sim.settle();
        end(kernel);
        assert!(done.load(Ordering::Relaxed), "drop returned before they had left");
        threads.into_iter().for_each(|t| t.join().unwrap());
    });
}

#[test]
fn drop_from_inside_is_deferred_to_the_end_of_the_visit() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let (handle, account) = (kernel.handle(), kernel.account().clone());
        let sleeper = {
            let handle = kernel.handle();
            sim.spawn("sleeper", move || handle.enter(|l| l.sleep_until(NEVER)))
        };
        sim.settle();
        handle
            .enter(|l| {
                drop(kernel);
                assert_ne!(l.account().used(), 0, "the visit goes on in a kernel that is there");
                assert_eq!(l.proc().fds().count(l), 0);
                assert_eq!(l.sleep_until(NEVER), Unslept::Gone, "but it does not sleep any more");
            })
            .unwrap();
        sleeper.join().map(|slept| assert_eq!(slept, Unslept::Gone)).unwrap();
        assert_eq!(account.used(), 0);
        assert_eq!(handle.enter(|_| ()), Err(Gone));
    });
}

#[test]
fn drop_from_a_visit_inside_a_visit_is_deferred_to_the_end_of_the_outer_one() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let (handle, account) = (kernel.handle(), kernel.account().clone());
        let outer = handle.enter(|l| {
            assert_eq!(handle.enter(|_| drop(kernel)), Ok(()));
            assert_ne!(l.account().used(), 0, "this visit goes on in a kernel that is there");
        });
        assert_eq!(outer, Ok(()));
        assert_eq!(account.used(), 0);
    });
}

#[test]
fn a_panic_without_the_cpu_that_is_stopped_inside_leaves_the_visit_with_a_cpu() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let handle = kernel.handle();
        let left = Arc::new(AtomicBool::new(false));
        let other = kernel
            .enter(|l| {
                let stopped = catch_unwind(AssertUnwindSafe(|| {
                    let _ = l.offcpu(|_| panic!("expected in this test"));
                }));
                assert!(stopped.is_err());
                let seen = left.clone();
                let other = sim.spawn("other", move || {
                    handle.enter(|_| assert!(seen.load(Ordering::Relaxed), "two on one CPU"))
                });
                sim.yield_now();
                left.store(true, Ordering::Relaxed);
                other
            })
            .unwrap();
        other.join().unwrap();
        end(kernel);
    });
}

#[test]
fn drop_of_a_neighbour_from_inside_is_at_once() {
    on_sims(|sim| {
        let (a, b) = (boot(sim, &EMPTY, 1), boot(sim, &EMPTY, 1));
        a.enter(|_| end(b)).unwrap();
        end(a);
    });
}

#[test]
fn handles_answer_after_the_end() {
    struct Nothing;
    impl Handler for Nothing {
        fn interrupt(&self, _: &Cx<'_>) {
            panic!("interrupted after the end");
        }
    }
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let neighbour = boot(sim, &EMPTY, 1);
        let (handle, mut bound) = (kernel.handle(), kernel.rfork(Rfork::ClearFds).unwrap());
        let interrupter = bound.interrupter().unwrap();
        let line = kernel.enter(|l| Line::establish(l, kmem::arc(l, Nothing)?)).unwrap().unwrap();
        end(kernel);
        assert_eq!(handle.enter(|_| ()), Err(Gone));
        assert_eq!(handle.bind().err(), Some(Errno::NoDevice));
        assert_eq!(bound.enter(|_| ()), Err(Gone));
        assert_eq!(bound.rfork(Rfork::ShareFds).err(), Some(Errno::NoDevice));
        let getpid = bound.syscall(39, &[0; 6], &mut base::syscall::NoSysMemory);
        assert_eq!(getpid, Err(Errno::NoDevice));
        assert_eq!(bound.interrupter().err(), Some(Gone));
        interrupter.interrupt();
        line.raise();
        neighbour.enter(|l| line.raise_from(l)).unwrap();
        sim.settle();
        drop(bound);
        end(neighbour);
    });
}

#[test]
fn a_panic_ends_its_kernel_and_no_other() {
    on_sims_that_leak(|sim| {
        let kernels: Vec<Kernel> = (0..4).map(|_| boot(sim, &EMPTY, 2)).collect();
        let sleepers: Vec<_> = kernels
            .iter()
            .map(|k| {
                let handle = k.handle();
                sim.spawn("sleeper", move || handle.enter(|l| l.sleep_until(l.now() + MS)))
            })
            .collect();
        let mut bound = kernels[1].bind().unwrap();
        sim.settle();
        let died = kernels[1].enter(|_| panic!("expected in this test"));
        assert_eq!(died, Err::<(), _>(Gone));

        let slept: Vec<_> = sleepers.into_iter().map(Thread::join).collect();
        let in_time = Ok(Unslept::TimedOut);
        assert_eq!(slept, [in_time, Err(Gone), in_time, in_time], "its threads are released");
        assert_eq!(bound.enter(|_| ()), Err(Gone));
        assert_eq!(kernels[1].enter(|_| ()), Err(Gone));
        assert_eq!(kernels[1].bind().err(), Some(Errno::NoDevice));
        assert_ne!(kernels[1].account().used(), 0, "its memory is leaked, and counted");
        for (i, k) in kernels.into_iter().enumerate() {
            assert_eq!(k.is_dead(), i == 1);
            if i == 1 { drop(k) } else { end(k) }
        }
    });
}

#[test]
fn a_panic_ends_the_wait_of_those_at_the_door() {
    on_sims_that_leak(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let holder = {
            let (handle, sim2) = (kernel.handle(), sim.clone());
            sim.spawn("holder", move || {
                handle.enter(|_| {
                    sim2.sleep(MS);
                    panic!("expected in this test")
                })
            })
        };
        sim.settle();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let handle = kernel.handle();
                sim.spawn("waiter", move || handle.enter(|_| ()))
            })
            .collect();
        assert_eq!(holder.join(), Err::<(), _>(Gone));
        waiters.into_iter().for_each(|w| assert_eq!(w.join(), Err(Gone)));
        assert!(kernel.is_dead());
    });
}

#[test]
fn a_panic_while_somebody_waits_for_the_end_lets_the_wait_end() {
    on_sims_that_leak(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let sleeper = {
            let (handle, sim2) = (kernel.handle(), sim.clone());
            // Sleeps in a call of the host, where the end does not reach it.
            sim.spawn("sleeper", move || handle.enter(|l| l.offcpu(|_| sim2.sleep(10 * MS)).1))
        };
        let holder = {
            let (handle, sim2) = (kernel.handle(), sim.clone());
            sim.spawn("holder", move || {
                handle.enter(|_| {
                    sim2.sleep(MS);
                    panic!("expected in this test")
                })
            })
        };
        sim.settle();
        drop(kernel);
        assert_eq!(holder.join(), Err::<(), _>(Gone));
        assert_eq!(sleeper.join(), Err(Gone));
    });
}

#[test]
fn the_end_waits_for_who_sleeps_where_it_does_not_reach() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let sleeper = {
            let (handle, sim2) = (kernel.handle(), sim.clone());
            sim.spawn("sleeper", move || handle.enter(|l| l.offcpu(|_| sim2.sleep(10 * MS)).1))
        };
        sim.settle();
        let before = kernel.host().now();
        let host = kernel.host().clone();
        end(kernel);
        assert!(host.now() >= before + 10 * MS);
        assert_eq!(sleeper.join(), Ok(Err(Gone)));
    });
}

#[test]
fn a_panic_in_an_interrupt_ends_its_kernel() {
    struct Bomb;
    impl Handler for Bomb {
        fn interrupt(&self, _: &Cx<'_>) {
            panic!("expected in this test");
        }
    }
    on_sims_that_leak(|sim| {
        let (kernel, neighbour) = (boot(sim, &EMPTY, 1), boot(sim, &EMPTY, 1));
        let line = kernel.enter(|l| Line::establish(l, kmem::arc(l, Bomb)?)).unwrap().unwrap();
        neighbour.enter(|l| line.raise_from(l)).unwrap();
        sim.settle();
        assert!(kernel.is_dead());
        assert_eq!(kernel.enter(|_| ()), Err(Gone));
        end(neighbour);
    });
}

#[test]
fn who_is_inside_already_does_not_wait_for_itself() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let bound = kernel.rfork(Rfork::ClearFds).unwrap();
        kernel
            .enter(|_| {
                assert_eq!(kernel.enter(|_| ()), Err(Gone));
                drop(bound); // its release is refused: the process stays until the kernel's end
            })
            .unwrap();
        assert_eq!(kernel.enter(|l| l.lid()), Ok(0), "nothing has happened to the kernel");
        end(kernel);
    });
}

#[test]
fn files_are_closed_at_the_end_and_may_still_use_the_kernel() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let count = Closed::default();
        let mut bound: Vec<_> = (0..3).map(|_| kernel.rfork(Rfork::ClearFds).unwrap()).collect();
        for l in &mut bound {
            l.enter(|l| Pipe::open(l, 1, &count)).unwrap().unwrap();
        }
        end(kernel);
        assert_eq!(count.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn a_kernel_is_dropped_by_another_thread_than_booted_it() {
    on_sims(|sim| {
        let place = Arc::new(Mutex::new(Some(boot(sim, &EMPTY, 1))));
        let theirs = place.clone();
        sim.spawn("other", move || end(theirs.lock().unwrap().take().unwrap())).join();
        assert!(place.lock().unwrap().is_none());
    });
}

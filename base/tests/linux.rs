//! Real threads: what only shows when several run at the same time.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base::callout::{self, Callout};
use base::evcnt::Counter;
use base::lock::{Condvar, IntrMutex, Mutex, Rank, RwLock};
use base::sched::line::{Handler, Line};
use base::syscall::{NoSysMemory, number};
use base::vm::kmem;
use base::wait::Unslept;
use base::{Cx, Gone, Kernel, Lwp, Options, Rfork};
use linux::Linux;

base::kernel!(EMPTY = []);

/// Far longer than anything here takes; shorter than a patience.
const LONG: Duration = Duration::from_secs(20);

fn boot(host: &Arc<Linux>, ncpu: u32) -> Kernel {
    let options = Options { ncpu, ..Default::default() };
    Kernel::boot_with(host.clone(), &EMPTY, &options).unwrap()
}

/// Waits until `done`, within reason.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::yield_now();
    }
}

/// Runs `f` on so many threads at once, each with its number.
fn threads(count: u32, f: impl Fn(u32) + Sync) {
    std::thread::scope(|s| {
        for i in 0..count {
            let f = &f;
            s.spawn(move || f(i));
        }
    });
}

struct Count(Arc<AtomicU32>);

impl Handler for Count {
    fn interrupt(&self, cx: &Cx<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        cx.spend();
    }
}

impl callout::Handler for Count {
    fn expired(&self, _: &Cx<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted(kernel: &Kernel) -> (Line, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let handler = Count(count.clone());
    let line = kernel.enter(|l| Line::establish(l, kmem::arc(l, handler)?)).unwrap().unwrap();
    (line, count)
}

fn end(kernel: Kernel) {
    let account = kernel.account().clone();
    drop(kernel);
    assert_eq!(account.used(), 0);
}

#[test]
fn locks_exclude_threads_on_one_cpu_and_on_several() {
    let host = Linux::new();
    for ncpu in [1, 4] {
        let kernel = boot(&host, ncpu);
        let make = |l: &mut Lwp<'_>| {
            let spin = IntrMutex::new(l, Rank::Proto, 0_u32);
            let (mutex, rw) =
                (Mutex::new(l, Rank::Config, 0_u32), RwLock::new(l, Rank::SleepLeaf, 0_u32));
            (spin, mutex, rw, Counter::new())
        };
        let locks = kernel.enter(|l| make(l)).unwrap();
        let (spin, mutex, rw, counter) = &locks;
        let handle = kernel.handle();
        threads(4, |i| {
            for round in 0..2000 {
                let visit = |l: &mut Lwp<'_>| -> Result<(), Gone> {
                    *spin.lock(l) += 1;
                    counter.inc(l);
                    mutex.with(l, |_, n| *n += 1)?;
                    if (round + i) % 4 == 0 {
                        rw.write(l, |_, n| *n += 1)
                    } else {
                        rw.read(l, |_, n| assert!(*n <= 8000))
                    }
                };
                handle.enter(|l| visit(l)).unwrap().unwrap();
            }
        });
        let sums = kernel.enter(|l| {
            let (m, r) = (mutex.with(l, |_, n| *n).unwrap(), rw.read(l, |_, n| *n).unwrap());
            (*spin.lock(l), m, r, counter.get())
        });
        assert_eq!(sums, Ok((8000, 8000, 2000, 8000)), "with {ncpu} CPUs");
        drop(locks);
        end(kernel);
    }
}

#[test]
fn a_mutex_held_across_sleeps_loses_no_wakeup() {
    let host = Linux::new();
    for ncpu in [1, 4] {
        let kernel = boot(&host, ncpu);
        let mutex = kernel.enter(|l| Mutex::new(l, Rank::SleepLeaf, 0_u32)).unwrap();
        let handle = kernel.handle();
        threads(4, |_| {
            for _ in 0..200 {
                let work = |l: &mut Lwp<'_>, n: &mut u32| {
                    let before = *n;
                    l.offcpu(|_| std::thread::yield_now()).1.unwrap();
                    *n = before + 1;
                };
                handle.enter(|l| mutex.with(l, work)).unwrap().unwrap();
            }
        });
        assert_eq!(kernel.enter(|l| mutex.with(l, |_, n| *n)).unwrap(), Ok(800));
        drop(mutex);
        end(kernel);
    }
}

#[test]
fn signals_reach_consumers() {
    let host = Linux::new();
    for ncpu in [1, 4] {
        let kernel = boot(&host, ncpu);
        let make =
            |l: &mut Lwp<'_>| (IntrMutex::new(l, Rank::Proto, VecDeque::new()), Condvar::new(l));
        let queue = kernel.enter(|l| make(l)).unwrap();
        let (handle, taken) = (kernel.handle(), AtomicU32::new(0));
        threads(4, |i| {
            for n in 0..1000 {
                if i < 2 {
                    handle
                        .enter(|l| {
                            queue.0.lock(l).push_back(n);
                            queue.1.signal(l);
                        })
                        .unwrap();
                } else {
                    let deadline = |l: &Lwp<'_>| Some(l.now() + LONG);
                    let got = handle.enter(|l| {
                        let deadline = deadline(l);
                        queue.1.wait_until(l, &queue.0, deadline, |q| q.pop_front())
                    });
                    got.unwrap().expect("a signal was lost");
                    taken.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        assert_eq!(taken.into_inner(), 2000);
        drop(queue);
        end(kernel);
    }
}

#[test]
fn no_interrupt_is_lost_between_threads_that_come_and_go() {
    let host = Linux::new();
    for ncpu in [1, 4] {
        let kernel = boot(&host, ncpu);
        let (line, count) = counted(&kernel);
        let (handle, stop) = (kernel.handle(), AtomicBool::new(false));
        std::thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        handle.enter(|_| ()).unwrap();
                    }
                });
            }
            for n in 0..2000 {
                line.raise();
                wait_until("an interrupt was lost", || count.load(Ordering::Relaxed) > n);
                // Not more often than it was raised either.
                assert_eq!(count.load(Ordering::Relaxed), n + 1);
            }
            stop.store(true, Ordering::Relaxed);
        });
        end(kernel);
    }
}

#[test]
fn a_flood_of_interrupts_does_not_keep_a_system_call() {
    let host = Linux::new();
    let kernel = boot(&host, 1);
    let (line, count) = counted(&kernel);
    let mut l = kernel.rfork(Rfork::ClearFds).unwrap();
    let stop = AtomicBool::new(false);
    let mut longest = Duration::ZERO;
    std::thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                line.raise();
            }
        });
        wait_until("the flood begins", || count.load(Ordering::Relaxed) > 100);
        for _ in 0..20_000 {
            let start = Instant::now();
            assert_eq!(l.syscall(number::GETPID, &[0; 6], &mut NoSysMemory), Ok(2));
            longest = longest.max(start.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(longest < Duration::from_secs(2), "a getpid took {longest:?}");
    drop(l);
    end(kernel);
}

#[test]
fn a_kernel_that_loops_with_its_cpu_hinders_nobody_else() {
    let host = Linux::builder().workers(2).build();
    let looping = boot(&host, 1);
    let (its_line, its_count) = counted(&looping);
    let (entered, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|s| {
        s.spawn(|| {
            let looped = looping.handle().enter(|_| {
                entered.store(true, Ordering::Relaxed);
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
            looped.unwrap();
        });
        wait_until("it loops", || entered.load(Ordering::Relaxed));
        let neighbours: Vec<_> = (0..100).map(|_| boot(&host, 1)).collect();
        let lines: Vec<_> = neighbours.iter().map(counted).collect();
        for round in 1..=5 {
            its_line.raise();
            for (kernel, (line, _)) in neighbours.iter().zip(&lines) {
                line.raise();
                kernel.enter(|l| its_line.raise_from(l)).unwrap();
            }
            wait_until("neighbours are interrupted", || {
                lines.iter().all(|(_, c)| c.load(Ordering::Relaxed) >= round)
            });
        }
        assert_eq!(its_count.load(Ordering::Relaxed), 0);
        neighbours.into_iter().for_each(end);
        stop.store(true, Ordering::Relaxed);
    });
    wait_until("then its own line runs", || its_count.load(Ordering::Relaxed) == 1);
    end(looping);
}

#[test]
fn a_thread_carries_what_it_raised_before_it_comes_out() {
    let host = Linux::new();
    let (kernel, neighbour) = (boot(&host, 1), boot(&host, 1));
    let (line, count) = counted(&neighbour);
    for n in 0..100 {
        kernel
            .enter(|l| {
                line.raise_from(l);
                if n % 2 == 1 {
                    // It gives the CPU back in between, but does not wait.
                    l.offcpu(|_| ()).1.unwrap();
                }
            })
            .unwrap();
        assert_eq!(count.load(Ordering::Relaxed), n + 1, "nobody else need wake up for it");
    }
    end(neighbour);
    end(kernel);
}

#[test]
fn kernels_end_under_traffic() {
    let host = Linux::new();
    for round in 0..20 {
        let kernel = boot(&host, 1 + round % 3);
        let (line, _) = counted(&kernel);
        let (handle, started) = (kernel.handle(), Arc::new(AtomicU32::new(0)));
        let visitors: Vec<_> = (0..4)
            .map(|i| {
                let (handle, line, started) = (handle.clone(), line.clone(), started.clone());
                std::thread::spawn(move || {
                    loop {
                        started.fetch_add(1, Ordering::Relaxed);
                        let visit = handle.enter(|l| match i {
                            0 => l.sleep_until(l.now() + Duration::from_micros(50)),
                            1 => l.sleep_until(l.now() + LONG),
                            2 => {
                                line.raise();
                                Unslept::TimedOut
                            }
                            _ => {
                                line.raise_from(l);
                                Unslept::TimedOut
                            }
                        });
                        match visit {
                            Ok(Unslept::TimedOut) => {}
                            Ok(Unslept::Gone) | Err(Gone) => return,
                            other => panic!("{other:?}"),
                        }
                    }
                })
            })
            .collect();
        wait_until("they are at it", || started.load(Ordering::Relaxed) > 50);
        end(kernel);
        visitors.into_iter().for_each(|v| v.join().unwrap());
    }
}

#[test]
fn a_panic_on_one_thread_releases_the_others() {
    let host = Linux::new();
    for ncpu in [1, 2] {
        let (kernel, neighbour) = (boot(&host, ncpu), boot(&host, ncpu));
        let asleep = Arc::new(AtomicU32::new(0));
        let sleepers: Vec<_> = (0..3)
            .map(|_| {
                let (handle, asleep) = (kernel.handle(), asleep.clone());
                std::thread::spawn(move || {
                    handle.enter(|l| {
                        asleep.fetch_add(1, Ordering::Relaxed);
                        l.sleep_until(l.now() + LONG)
                    })
                })
            })
            .collect();
        wait_until("they sleep", || asleep.load(Ordering::Relaxed) == 3);
        let start = Instant::now();
        assert_eq!(kernel.enter(|_| panic!("expected in this test")), Err::<(), _>(Gone));
        for s in sleepers {
            assert_eq!(s.join().unwrap(), Err(Gone));
        }
        assert!(start.elapsed() < LONG / 2, "they were woken, and did not just wake up");
        assert_eq!(neighbour.enter(|l| l.ncpu()), Ok(ncpu));
        end(neighbour);
    }
}

#[test]
fn timers_run_without_a_thread_in_the_kernel() {
    let host = Linux::new();
    let kernel = boot(&host, 1);
    let count = Arc::new(AtomicU32::new(0));
    let timers: Vec<_> = (0..100)
        .map(|_| {
            let handler = Count(count.clone());
            kernel.enter(|l| Callout::new(l, kmem::arc(l, handler)?)).unwrap().unwrap()
        })
        .collect();
    for round in 1..=3 {
        let start = Instant::now();
        kernel
            .enter(|l| {
                for (i, t) in timers.iter().enumerate() {
                    t.schedule(l, Duration::from_micros(100 * i as u64 % 1700));
                }
            })
            .unwrap();
        wait_until("all timers run", || count.load(Ordering::Relaxed) == 100 * round);
        assert!(start.elapsed() >= Duration::from_micros(1600), "not before their time");
    }
    end(kernel);
}

#[test]
fn interruptions_reach_sleepers() {
    let host = Linux::new();
    let kernel = boot(&host, 2);
    let mut l = kernel.bind().unwrap();
    let interrupter = l.interrupter().unwrap();
    std::thread::scope(|s| {
        let sleeper = s.spawn(|| {
            for _ in 0..200 {
                assert_eq!(l.enter(|l| l.sleep_until(l.now() + LONG)), Ok(Unslept::Interrupted));
            }
        });
        while !sleeper.is_finished() {
            interrupter.interrupt();
            std::thread::yield_now();
        }
    });
    drop(l);
    end(kernel);
}

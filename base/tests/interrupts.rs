//! Interrupt lines and soft interrupts: the properties that drivers rely on.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::lock::{IntrMutex, Rank};
use base::sched::line::{Handler, Line};
use base::sched::softint::{self, Level, Softint};
use base::vm::kmem;
use base::{Cx, Errno, Kernel, Lwp};
use sim::{Sim, Thread};
use support::{boot, end, on_sims};

/// What ran, in order, on which CPU.
type Log = IntrMutex<Vec<(&'static str, u32)>>;

mod logging {
    use super::*;

    base::slot! { pub static LOG: Log; }

    fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
        LOG.set(l, kmem::boxed(l, IntrMutex::new(l, Rank::Proto, Vec::new()))?)
    }

    base::component! { "logging", needs [], hooks { Kern => attach } }
}

base::kernel!(LOGGING = [logging]);

fn note(cx: &Cx<'_>, what: &'static str) {
    cx.get(&logging::LOG).lock(cx).push((what, cx.cpu_index()));
}

fn noted(kernel: &Kernel) -> Vec<&'static str> {
    let take = |l: &mut Lwp<'_>| std::mem::take(&mut *l.get(&logging::LOG).lock(l));
    kernel.enter(|l| take(l)).unwrap().into_iter().map(|(what, _)| what).collect()
}

base::softint! { static OUTER = Softint { name: "outer", level: Level::Clock, run: outer }; }
base::softint! { static SERIAL = Softint { name: "serial", level: Level::Serial, run: |cx| note(cx, "serial") }; }
base::softint! { static NET = Softint { name: "net", level: Level::Net, run: |cx| note(cx, "net") }; }
base::softint! { static BIO = Softint { name: "bio", level: Level::Bio, run: |cx| note(cx, "bio") }; }
base::softint! { static AGAIN = Softint { name: "again", level: Level::Net, run: again }; }

/// Schedules one of a lower level than most, which must wait for this one's end.
fn outer(cx: &Cx<'_>) {
    note(cx, "outer begins");
    softint::schedule(cx, &NET);
    note(cx, "outer ends");
}

/// Never has enough.
fn again(cx: &Cx<'_>) {
    note(cx, "again");
    softint::schedule(cx, &AGAIN);
}

/// A line's handler made of a function.
struct Run<F>(F);

impl<F: Fn(&Cx<'_>) + Send + Sync> Handler for Run<F> {
    fn interrupt(&self, cx: &Cx<'_>) {
        (self.0)(cx);
    }
}

fn line(l: &mut Lwp<'_>, f: impl Fn(&Cx<'_>) + Send + Sync + 'static) -> Line {
    Line::establish(l, kmem::arc(l, Run(f)).unwrap()).unwrap()
}

/// A line, and how often its handler ran.
fn counted(kernel: &Kernel) -> (Line, Arc<AtomicU32>) {
    let count = Arc::new(AtomicU32::new(0));
    let theirs = count.clone();
    let count_one = move |_: &Cx<'_>| _ = theirs.fetch_add(1, Ordering::Relaxed);
    (kernel.enter(|l| line(l, count_one)).unwrap(), count)
}

fn get(count: &AtomicU32) -> u32 {
    count.load(Ordering::Relaxed)
}

#[test]
fn property_1_one_soft_interrupt_at_a_time_to_its_end() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        kernel.enter(|l| softint::schedule(l, &OUTER)).unwrap();
        assert_eq!(noted(&kernel), ["outer begins", "outer ends", "net"]);
        end(kernel);
    });
}

/// That it cannot sleep is a matter of types; `base::sched::softint` shows it. To see at run time:
/// it may take an interrupt mutex (`note` does), also when its thread is about to sleep.
#[test]
fn property_2_it_may_take_an_interrupt_mutex_and_does_not_sleep() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        let sleeper = {
            let handle = kernel.handle();
            sim.spawn("sleeper", move || {
                handle.enter(|l| {
                    softint::schedule(l, &NET);
                    note(l, "before");
                    // It runs when the CPU is given back for the sleep, on this thread.
                    l.sleep_until(l.now() + Duration::from_millis(1));
                    note(l, "after");
                })
            })
        };
        sleeper.join().unwrap();
        assert_eq!(noted(&kernel), ["before", "net", "after"]);
        end(kernel);
    });
}

#[test]
fn property_3_it_runs_where_it_was_scheduled() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 4);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (handle, sim2) = (kernel.handle(), sim.clone());
                sim.spawn("scheduler", move || {
                    for _ in 0..5 {
                        handle
                            .enter(|l| {
                                note(l, "scheduled");
                                softint::schedule(l, &NET);
                                sim2.yield_now(); // others are on other CPUs meanwhile
                            })
                            .unwrap();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(Thread::join);
        let log = kernel.enter(|l| l.get(&logging::LOG).lock(l).clone()).unwrap();
        let cpus: Vec<_> = (0..4).filter(|c| log.iter().any(|(_, at)| at == c)).collect();
        assert!(cpus.len() > 1, "several CPUs were used");
        for cpu in cpus {
            let here: Vec<_> = log.iter().filter(|(_, at)| *at == cpu).map(|(w, _)| *w).collect();
            for pair in here.chunks(2) {
                assert_eq!(pair, ["scheduled", "net"], "CPU {cpu}");
            }
        }
        end(kernel);
    });
}

#[test]
fn property_4_only_after_the_interrupt_that_scheduled_it() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        let line = kernel
            .enter(|l| {
                line(l, |cx| {
                    note(cx, "interrupt begins");
                    softint::schedule(cx, &NET);
                    note(cx, "interrupt ends");
                })
            })
            .unwrap();
        let expected = ["interrupt begins", "interrupt ends", "net"];
        // On a CPU that is free, and on one that is not.
        line.raise();
        sim.settle();
        assert_eq!(noted(&kernel), expected);
        kernel.enter(|l| line.raise_from(l)).unwrap();
        assert_eq!(noted(&kernel), expected);
        end(kernel);
    });
}

#[test]
fn soft_interrupts_run_once_and_by_level() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        kernel
            .enter(|l| {
                for s in [&SERIAL, &NET, &BIO, &NET, &SERIAL] {
                    softint::schedule(l, s);
                }
                assert!(
                    l.get(&logging::LOG).lock(l).is_empty(),
                    "not before the CPU is given back"
                );
            })
            .unwrap();
        assert_eq!(noted(&kernel), ["bio", "net", "serial"]);
        end(kernel);
    });
}

#[test]
fn a_soft_interrupt_that_never_has_enough_holds_up_nobody() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        kernel.enter(|l| softint::schedule(l, &AGAIN)).unwrap();
        // It comes back, and the kernel can be entered.
        assert!(!noted(&kernel).is_empty());
        assert!(!noted(&kernel).is_empty());
        end(kernel);
    });
}

#[test]
fn a_soft_interrupt_that_is_not_registered_is_refused() {
    static STRANGER: Softint = Softint { name: "stranger", level: Level::Net, run: |_| () };
    let kernel = boot(&Sim::seeded(1), &LOGGING, 1);
    assert!(kernel.enter(|l| softint::schedule(l, &STRANGER)).is_err());
    assert!(kernel.is_dead());
}

#[test]
fn a_line_that_is_raised_twice_runs_once() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let kernel = boot(sim, &LOGGING, ncpu);
            let (line, count) = counted(&kernel);
            line.raise();
            line.raise();
            assert_eq!(get(&count), 0, "raising only marks");
            sim.settle();
            assert_eq!(get(&count), 1);
            line.raise();
            sim.settle();
            assert_eq!(get(&count), 2);
            end(kernel);
        }
    });
}

#[test]
fn a_line_that_is_raised_while_it_runs_runs_again() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        let (left, ran) = (AtomicU32::new(3), Arc::new(AtomicU32::new(0)));
        let (own, theirs) = (Arc::new(OnceLock::<Line>::new()), ran.clone());
        let again = own.clone();
        let line = kernel
            .enter(|l| {
                line(l, move |cx| {
                    theirs.fetch_add(1, Ordering::Relaxed);
                    if left.fetch_sub(1, Ordering::Relaxed) > 1
                        && let Some(line) = again.get()
                    {
                        line.raise_from(cx);
                        line.raise();
                    }
                })
            })
            .unwrap();
        assert!(own.set(line.clone()).is_ok());
        line.raise();
        sim.settle();
        assert_eq!(get(&ran), 3);
        end(kernel);
    });
}

#[test]
fn a_line_raised_on_a_busy_kernel_runs_when_the_cpu_is_given_back() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        let (line, count) = counted(&kernel);
        kernel
            .enter(|_| {
                line.raise();
                sim.settle(); // with the CPU: the host could come, and finds it taken
                assert_eq!(get(&count), 0);
            })
            .unwrap();
        assert_eq!(get(&count), 1, "by the thread itself, on its way out");
        end(kernel);
    });
}

#[test]
fn lines_are_raised_by_any_thread_and_from_any_kernel() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let (kernel, neighbour) = (boot(sim, &LOGGING, ncpu), boot(sim, &LOGGING, 1));
            let (line, count) = counted(&kernel);
            let theirs = line.clone();
            std::thread::spawn(move || theirs.raise()).join().unwrap();
            sim.settle();
            assert_eq!(get(&count), 1);
            neighbour.enter(|l| line.raise_from(l)).unwrap();
            sim.settle();
            assert_eq!(get(&count), 2);
            kernel.enter(|l| line.raise_from(l)).unwrap();
            sim.settle();
            assert_eq!(get(&count), 3);
            end(neighbour);
            end(kernel);
        }
    });
}

#[test]
fn there_may_be_more_lines_than_bits() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let kernel = boot(sim, &LOGGING, ncpu);
            let lines: Vec<_> = (0..300).map(|_| counted(&kernel)).collect();
            for (i, (line, count)) in lines.iter().enumerate() {
                let others: u32 = lines.iter().map(|(_, c)| get(c)).sum::<u32>() - get(count);
                let before = get(count);
                line.raise();
                sim.settle();
                assert_eq!(get(count), before + 1, "line {i}");
                let more = lines.iter().map(|(_, c)| get(c)).sum::<u32>() - get(count) - others;
                assert!(more <= 4, "line {i} took {more} others along");
            }
            end(kernel);
        }
    });
}

#[test]
fn a_handler_may_take_its_own_line_away() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        let lines: Vec<_> = (0..5)
            .map(|_| {
                let (own, count) = (Arc::new(OnceLock::<Line>::new()), Arc::new(AtomicU32::new(0)));
                let (mine, theirs) = (own.clone(), count.clone());
                let line = kernel
                    .enter(|l| {
                        line(l, move |cx| {
                            theirs.fetch_add(1, Ordering::Relaxed);
                            mine.get().unwrap().disestablish(cx);
                        })
                    })
                    .unwrap();
                assert!(own.set(line.clone()).is_ok());
                (line, count)
            })
            .collect();
        for _ in 0..2 {
            // All of them in one visit.
            kernel.enter(|l| lines.iter().for_each(|(line, _)| line.raise_from(l))).unwrap();
            sim.settle();
            assert!(lines.iter().all(|(_, c)| get(c) == 1), "each ran, and never again");
        }
        end(kernel);
    });
}

#[test]
fn a_line_is_not_taken_away_by_another_kernel() {
    let sim = Sim::seeded(1);
    let (kernel, neighbour) = (boot(&sim, &LOGGING, 1), boot(&sim, &LOGGING, 1));
    let (line, _) = counted(&kernel);
    assert!(neighbour.enter(|l| line.disestablish(l)).is_err());
    assert!(neighbour.is_dead());
    kernel.enter(|l| line.disestablish(l)).unwrap();
    end(kernel);
}

#[test]
fn a_line_with_much_to_do_lets_threads_in_between() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        let (left, most) = (Arc::new(AtomicU32::new(1000)), Arc::new(AtomicU32::new(0)));
        let own = Arc::new(OnceLock::<Line>::new());
        let (mine, todo, longest) = (own.clone(), left.clone(), most.clone());
        let line = kernel
            .enter(|l| {
                line(l, move |cx| {
                    let mut here = 0;
                    while todo.load(Ordering::Relaxed) != 0 {
                        todo.fetch_sub(1, Ordering::Relaxed);
                        here += 1;
                        if !cx.spend() {
                            mine.get().unwrap().raise_from(cx);
                            break;
                        }
                    }
                    longest.fetch_max(here, Ordering::Relaxed);
                })
            })
            .unwrap();
        assert!(own.set(line.clone()).is_ok());
        kernel.enter(|l| line.raise_from(l)).unwrap();
        assert!(get(&left) > 0, "the thread that raised it is not kept until all is done");
        sim.settle();
        assert_eq!((get(&left), get(&most)), (0, 64));
        end(kernel);
    });
}

#[test]
fn nothing_runs_after_the_end() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 1);
        let (line, count) = counted(&kernel);
        let bound = kernel.bind().unwrap(); // keeps the shell
        line.raise();
        end(kernel);
        line.raise();
        sim.settle();
        assert_eq!(get(&count), 0);
        drop(bound);
    });
}

#[test]
fn what_a_handler_raises_elsewhere_arrives() {
    on_sims(|sim| {
        // A ring of kernels hands one interrupt on, a thousand hops.
        let kernels: Vec<_> = (0..5).map(|_| boot(sim, &LOGGING, 1)).collect();
        let hops = Arc::new(AtomicU32::new(0));
        let nexts: Vec<_> = (0..5).map(|_| Arc::new(OnceLock::<Line>::new())).collect();
        let lines: Vec<_> = kernels
            .iter()
            .zip(&nexts)
            .map(|(kernel, next)| {
                let (next, hops) = (next.clone(), hops.clone());
                kernel
                    .enter(|l| {
                        line(l, move |cx| {
                            if hops.fetch_add(1, Ordering::Relaxed) < 999 {
                                next.get().unwrap().raise_from(cx);
                            }
                        })
                    })
                    .unwrap()
            })
            .collect();
        for (i, next) in nexts.iter().enumerate() {
            assert!(next.set(lines[(i + 1) % 5].clone()).is_ok());
        }
        lines[0].raise();
        sim.settle();
        assert_eq!(get(&hops), 1000);
        kernels.into_iter().for_each(end);
    });
}

#[test]
fn interrupts_of_one_cpu_do_not_overlap() {
    on_sims(|sim| {
        let kernel = boot(sim, &LOGGING, 2);
        let busy = Arc::new([const { AtomicBool::new(false) }; 2]);
        let lines: Vec<_> = (0..6)
            .map(|_| {
                let busy = busy.clone();
                let check = move |cx: &Cx<'_>| {
                    let busy = &busy[cx.cpu_index() as usize];
                    assert!(!busy.swap(true, Ordering::Relaxed));
                    cx.host().yield_now();
                    busy.store(false, Ordering::Relaxed);
                };
                kernel.enter(|l| line(l, check)).unwrap()
            })
            .collect();
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (lines, handle, sim2) = (lines.clone(), kernel.handle(), sim.clone());
                sim.spawn("raiser", move || {
                    for _ in 0..5 {
                        lines.iter().for_each(Line::raise);
                        handle.enter(|l| lines.iter().for_each(|line| line.raise_from(l))).unwrap();
                        sim2.yield_now();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(Thread::join);
        sim.settle();
        assert!(!kernel.is_dead());
        end(kernel);
    });
}

//! Implicit and bound threads, processes, and what rfork gives a new one.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::sync::atomic::Ordering;

use base::file::MAX_FDS;
use base::{Cred, Errno, Kernel, Rfork};
use sim::Sim;
use support::{Closed, Pipe, boot, end, on_sim, on_sims, read, write};

base::kernel!(EMPTY = []);

fn closed(count: &Closed) -> u32 {
    count.load(Ordering::Relaxed)
}

#[test]
fn implicit_threads_are_inits_and_nobody_in_particular() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let (pid, parent, lid) =
            kernel.enter(|l| (l.proc().pid(), l.proc().parent(), l.lid())).unwrap();
        assert_eq!((pid, parent, lid), (1, 1, 0));
        end(kernel);
    });
}

#[test]
fn the_threads_of_a_process_are_limited() {
    on_sim(sim::Config::default(), |sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let child = kernel.rfork(Rfork::ClearFds).unwrap();
        let mut threads = vec![];
        let refused = loop {
            match kernel.newlwp(child.pid()) {
                Ok(thread) => threads.push(thread),
                Err(e) => break e,
            }
        };
        assert_eq!((threads.len() + 1, refused), (1 << 16, Errno::WouldBlock));
        threads.pop();
        assert!(kernel.newlwp(child.pid()).is_ok(), "one has gone");
        drop((threads, child));
        end(kernel);
    });
}

#[test]
fn bound_threads_have_numbers_and_processes() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 2);
        let (mut a, b) = (kernel.bind().unwrap(), kernel.bind().unwrap());
        assert_eq!((a.pid(), b.pid()), (1, 1));
        assert_ne!(a.lid(), b.lid());
        assert_eq!(a.enter(|l| (l.proc().pid(), l.lid())), Ok((1, a.lid())));

        let mut child = kernel.rfork(Rfork::ClearFds).unwrap();
        let mut grandchild = child.rfork(Rfork::ClearFds).unwrap();
        let parents =
            [&mut child, &mut grandchild].map(|l| l.enter(|l| l.proc().parent()).unwrap());
        assert_eq!(parents, [1, child.pid()]);
        assert_eq!((child.pid(), grandchild.pid()), (2, 3));

        let thread = kernel.newlwp(child.pid()).unwrap();
        assert_eq!(thread.pid(), child.pid());
        assert_eq!(kernel.newlwp(99).err(), Some(Errno::NoProcess));
        drop((a, b, child, grandchild, thread));
        end(kernel);
    });
}

#[test]
fn descriptors_outlast_an_implicit_visit() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let count = Closed::default();
        let fd = kernel.enter(|l| Pipe::open(l, 10, &count)).unwrap().unwrap();
        assert_eq!(kernel.enter(|l| write(l, fd, b"kept")).unwrap(), Ok(4));
        assert_eq!(kernel.enter(|l| read(l, fd)).unwrap().unwrap(), b"kept");
        assert_eq!(closed(&count), 0);
        end(kernel);
        assert_eq!(closed(&count), 1, "the end of a kernel closes its files");
    });
}

#[test]
fn a_shared_table_is_one_table_and_closes_with_its_last_process() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let count = Closed::default();
        let mut parent = kernel.rfork(Rfork::ClearFds).unwrap();
        let mut child = parent.rfork(Rfork::ShareFds).unwrap();
        let fd = parent.enter(|l| Pipe::open(l, 10, &count)).unwrap().unwrap();
        let other = child.enter(|l| Pipe::open(l, 10, &count)).unwrap().unwrap();
        assert_eq!((fd, other), (0, 1));
        child.enter(|l| l.proc().fds().close(l, fd)).unwrap().unwrap();
        assert_eq!(parent.enter(|l| read(l, fd)).unwrap(), Err(Errno::BadFile));
        assert_eq!(closed(&count), 1);
        drop(parent);
        assert_eq!(closed(&count), 1, "the child still has the table");
        drop(child);
        assert_eq!(closed(&count), 2);
        end(kernel);
    });
}

#[test]
fn a_copied_table_has_the_same_files_and_numbers_of_its_own() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let count = Closed::default();
        let mut parent = kernel.rfork(Rfork::ClearFds).unwrap();
        let fd = parent.enter(|l| Pipe::open(l, 10, &count)).unwrap().unwrap();
        parent.enter(|l| l.proc().fds().set_close_on_exec(l, fd, true)).unwrap().unwrap();
        let mut child = parent.rfork(Rfork::CopyFds).unwrap();
        assert_eq!(child.enter(|l| l.proc().fds().close_on_exec(l, fd)).unwrap(), Ok(true));
        assert_eq!(parent.enter(|l| write(l, fd, b"hello")).unwrap(), Ok(5));
        parent.enter(|l| l.proc().fds().close(l, fd)).unwrap().unwrap();
        assert_eq!(closed(&count), 0, "the child still has it");
        assert_eq!(child.enter(|l| read(l, fd)).unwrap().unwrap(), b"hello");
        drop(child);
        assert_eq!(closed(&count), 1);
        drop(parent);
        end(kernel);
        assert_eq!(closed(&count), 1, "no file is closed twice");
    });
}

#[test]
fn a_cleared_table_is_empty() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let count = Closed::default();
        let mut parent = kernel.rfork(Rfork::ClearFds).unwrap();
        let fd = parent.enter(|l| Pipe::open(l, 10, &count)).unwrap().unwrap();
        let mut child = parent.rfork(Rfork::ClearFds).unwrap();
        assert_eq!(child.enter(|l| l.proc().fds().count(l)), Ok(0));
        assert_eq!(child.enter(|l| read(l, fd)).unwrap(), Err(Errno::BadFile));
        drop((parent, child));
        end(kernel);
    });
}

#[test]
fn credentials_are_inherited_and_a_processs_own() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let mut parent = kernel.rfork(Rfork::ClearFds).unwrap();
        let user = Cred { uid: 7, ..Cred::root() };
        parent.enter(|l| l.proc().set_cred(l, user)).unwrap();
        let mut child = parent.rfork(Rfork::ClearFds).unwrap();
        assert_eq!(child.enter(|l| l.proc().cred(l).uid), Ok(7));
        child.enter(|l| l.proc().set_cred(l, Cred::root())).unwrap();
        assert_eq!(parent.enter(|l| l.proc().is_root(l)), Ok(false));
        assert_eq!(kernel.enter(|l| l.proc().is_root(l)), Ok(true));
        drop((parent, child));
        end(kernel);
    });
}

#[test]
fn the_last_thread_takes_its_process_along() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        drop(kernel.rfork(Rfork::ClearFds).unwrap()); // so that tables have grown
        let used = kernel.account().used();
        let first = kernel.rfork(Rfork::ClearFds).unwrap();
        assert!(kernel.account().used() > used);
        let pid = first.pid();
        let second = kernel.newlwp(pid).unwrap();
        drop(first);
        assert_eq!(kernel.newlwp(pid).map(|l| l.pid()), Ok(pid), "one thread is left");
        drop(second);
        assert_eq!(kernel.newlwp(pid).err(), Some(Errno::NoProcess));
        assert_eq!(kernel.account().used(), used);
        end(kernel);
    });
}

#[test]
fn a_fork_that_is_refused_memory_leaves_files_as_they_were() {
    for n in 1.. {
        let sim = Sim::seeded(n);
        sim.run(|| {
            let kernel = boot(&sim, &EMPTY, 1);
            let count = Closed::default();
            let mut parent = kernel.rfork(Rfork::ClearFds).unwrap();
            let fd = parent.enter(|l| Pipe::open(l, 10, &count)).unwrap().unwrap();
            let used = kernel.account().used();
            sim.faults().refuse_nth_charge(n);
            match parent.rfork(Rfork::CopyFds) {
                Ok(child) => drop(child),
                Err(e) => {
                    assert_eq!(e, Errno::NoMemory, "charge {n}");
                    let grown = kernel.account().used() - used;
                    assert!(grown <= 256, "charge {n}: a leak of {grown} bytes");
                }
            }
            assert_eq!(closed(&count), 0);
            parent.enter(|l| l.proc().fds().close(l, fd)).unwrap().unwrap();
            assert_eq!(closed(&count), 1, "charge {n}: the file has a reference too many");
            drop(parent);
            end(kernel);
        });
        if sim.faults().refused() == 0 {
            assert!(n > 3, "a fork charges more than {n} times");
            return;
        }
    }
}

#[test]
fn two_that_share_a_table_and_end_at_once_close_it() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 4);
        let count = Closed::default();
        let mut parent = kernel.rfork(Rfork::ClearFds).unwrap();
        parent.enter(|l| Pipe::open(l, 10, &count)).unwrap().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let child = parent.rfork(Rfork::ShareFds).unwrap();
                let sim2 = sim.clone();
                sim.spawn("child", move || {
                    sim2.yield_now();
                    drop(child);
                })
            })
            .collect();
        drop(parent);
        threads.into_iter().for_each(|t| t.join());
        assert_eq!(closed(&count), 1);
        end(kernel);
    });
}

#[test]
fn many_processes_come_and_go() {
    let sim = Sim::seeded(1);
    let kernel: Kernel = boot(&sim, &EMPTY, 1);
    let mut all: Vec<_> = (0..500).map(|_| kernel.rfork(Rfork::ClearFds).unwrap()).collect();
    let used = kernel.account().used();
    for _ in 0..500 {
        all.remove(0);
        all.push(kernel.rfork(Rfork::CopyFds).unwrap());
    }
    assert_eq!(kernel.account().used(), used);
    let pids: std::collections::BTreeSet<_> = all.iter().map(|l| l.pid()).collect();
    assert_eq!(pids.len(), 500);
    drop(all);
    end(kernel);
}

#[test]
fn a_descriptor_past_the_limit_is_refused() {
    let kernel = boot(&Sim::seeded(1), &EMPTY, 1);
    kernel
        .enter(|l| {
            let file = Pipe::file(l, 1, &Closed::default()).unwrap();
            let fds = l.proc().fds();
            assert_eq!(fds.install(l, file.clone(), MAX_FDS, false), Err(Errno::TooManyFiles));
            assert_eq!(fds.install_at(l, file.clone(), MAX_FDS, false), Err(Errno::BadFile));
            assert_eq!(fds.install_at(l, file, 1000, false), Ok(1000));
            assert_eq!(fds.count(l), 1);
        })
        .unwrap();
    end(kernel);
}

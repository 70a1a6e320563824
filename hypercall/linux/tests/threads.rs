//! Threads come when they are needed and go with their host. One test, since it counts the
//! threads of the process.
//!
//! Locking: none. Sources: none.

mod guests;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::Arc;
use std::thread;

use guests::{Fake, Gate, Later, eventually, proof, threads};
use hypercall::{Carried, Clock, Environment, Guest, Interrupts, Names, Parking, Timers};
use linux::Linux;

#[test]
fn threads_come_when_needed_and_go_with_their_host() {
    let before = threads();
    nothing_needs_no_thread(before);
    the_number_of_threads_is_bounded(before);
    an_idle_host_costs_nothing(before);
    a_worker_may_drop_the_last_reference(before);
    work_in_flight_goes_with_the_host(before);
    a_hundred_hosts_share_nothing(before);
    a_stuck_guest_does_not_hold_up_the_end(before);
}

fn nothing_needs_no_thread(before: usize) {
    let host = Linux::new();
    let mut bytes = [0; 8];
    host.entropy(&mut bytes);
    host.rendezvous("name", &mut || Arc::new(()));
    host.wait(&proof(), &AtomicU32::new(0), 0, Some(host.now() + Duration::from_millis(1)));
    host.carry(&proof());
    let guest: Arc<dyn Guest> = Fake::new();
    host.rearm(&guest, None, None);
    assert_eq!(threads(), before);
}

fn the_number_of_threads_is_bounded(before: usize) {
    let host = Linux::builder().workers(2).build();
    let fakes: Vec<_> = (0..2000).map(|_| Fake::new()).collect();
    for fake in &fakes {
        if fake.visits() & 1 == 0 {
            host.raise(fake.clone());
        }
        host.raise_local(fake.clone());
        let guest: Arc<dyn Guest> = fake.clone();
        host.rearm(&guest, None, Some(host.now()));
    }
    host.carry(&proof());
    eventually("all visits", || fakes.iter().all(|f| f.visits() == 2 && f.timers() == 1));
    // Two workers and the watch.
    assert!(threads() <= before + 3, "{} threads", threads());
    drop(host);
    eventually("the threads are gone", || threads() == before);
}

fn an_idle_host_costs_nothing(before: usize) {
    let host = Linux::builder().workers(2).build();
    let fake = Fake::new();
    host.raise(fake.clone());
    eventually("a visit", || fake.visits() == 1);
    eventually("everybody sleeps", || {
        let switches = context_switches();
        guests::pause(Duration::from_millis(100));
        // The thread that looks sleeps, too: it is not counted.
        context_switches() == switches
    });
    drop(host);
    eventually("the threads are gone", || threads() == before);
}

/// Context switches of all threads of the process but the calling one.
fn context_switches() -> u64 {
    let me = rustix::thread::gettid().as_raw_nonzero().to_string();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let others = tasks.filter(|t| t.file_name().to_str() != Some(&me));
    // The test harness's main thread sleeps all the time.
    let status = others.filter_map(|t| std::fs::read_to_string(t.path().join("status")).ok());
    let count = |s: String| -> u64 {
        s.lines()
            .filter(|l| l.contains("ctxt_switches"))
            .filter_map(|l| l.split_whitespace().last()?.parse::<u64>().ok())
            .sum()
    };
    status.map(count).sum()
}

fn a_worker_may_drop_the_last_reference(before: usize) {
    for _ in 0..20 {
        let host = Linux::new();
        let own: Later<Arc<Linux>> = Later::default();
        assert!(own.set(host.clone()).is_ok());
        let fake = Fake::doing({
            let own = own.clone();
            move |_| {
                let _ = &own;
                Carried::Done
            }
        });
        drop(own);
        let (local, weak) = (Fake::new(), Arc::downgrade(&host));
        host.raise_local(local);
        host.raise(fake);
        // Whichever worker drops the guest last drops the host.
        drop(host);
        eventually("the host is gone", || weak.strong_count() == 0);
    }
    eventually("the threads are gone", || threads() == before);
}

fn work_in_flight_goes_with_the_host(before: usize) {
    for round in 0..50 {
        let host = Linux::new();
        let fakes: Vec<_> = (0..100).map(|_| Fake::new()).collect();
        for (n, fake) in fakes.iter().enumerate() {
            let guest: Arc<dyn Guest> = fake.clone();
            match (n + round) % 3 {
                0 => host.raise(guest),
                1 => host.raise_local(guest),
                _ => host.rearm(&guest, None, Some(host.now() + Duration::from_micros(50))),
            }
        }
        drop(host);
        eventually("nothing is kept", || fakes.iter().all(|f| Arc::strong_count(f) == 1));
    }
    eventually("the threads are gone", || threads() == before);
}

fn a_hundred_hosts_share_nothing(before: usize) {
    let hosts: Vec<_> = (0..100u32).map(|_| Linux::builder().workers(1).build()).collect();
    thread::scope(|s| {
        for part in hosts.chunks(25) {
            s.spawn(move || {
                for round in 0..20 {
                    let fakes: Vec<_> = part.iter().map(|_| Fake::new()).collect();
                    for (host, fake) in part.iter().zip(&fakes) {
                        host.raise_local(fake.clone());
                        if round == 0 {
                            host.raise(fake.clone());
                        }
                    }
                    for host in part {
                        host.carry(&proof());
                    }
                    eventually("visits", || {
                        fakes.iter().all(|f| f.visits() == if round == 0 { 2 } else { 1 })
                    });
                }
            });
        }
    });
    drop(hosts);
    eventually("the threads are gone", || threads() == before);
}

fn a_stuck_guest_does_not_hold_up_the_end(before: usize) {
    let host = Linux::new();
    let gate = Arc::new(Gate::default());
    let held = gate.clone();
    host.raise(Fake::doing(move |_| {
        held.pass();
        Carried::Done
    }));
    eventually("stuck", || gate.held.load(Ordering::SeqCst) == 1);
    drop(host);
    gate.open();
    eventually("the threads are gone", || threads() == before);
}

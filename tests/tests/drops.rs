//! Kernels dropped while packets are in flight and threads sleep in them.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::JoinHandle;

use base::wait::{Events, WaitQueue, wait_for};
use base::{Errno, Gone, Handle};
use net::Packet;
use netinet::ip::output::{Send, send};
use netinet::ip::way::Out;
use sim::Sim;
use tests::line::{addr, line};
use tests::random::Random;
use tests::{Lab, Node};

/// Threads of the test, on either host.
enum Threads {
    Sim(Arc<Sim>),
    Linux,
}

enum Running {
    Sim(sim::Thread<()>),
    Linux(JoinHandle<()>),
}

impl Threads {
    fn spawn(&self, main: impl FnOnce() + std::marker::Send + 'static) -> Running {
        match self {
            Threads::Sim(sim) => Running::Sim(sim.spawn("thread", main)),
            Threads::Linux => Running::Linux(std::thread::spawn(main)),
        }
    }

    /// A place where others may run.
    fn give_way(&self) {
        match self {
            Threads::Sim(sim) => sim.yield_now(),
            Threads::Linux => std::thread::yield_now(),
        }
    }

    fn again(&self) -> Threads {
        match self {
            Threads::Sim(sim) => Threads::Sim(sim.clone()),
            Threads::Linux => Threads::Linux,
        }
    }
}

impl Running {
    fn join(self) {
        match self {
            Running::Sim(thread) => thread.join(),
            Running::Linux(thread) => thread.join().unwrap(),
        }
    }
}

/// Sleeps in a kernel until it goes.
fn sleep_in(kernel: &Handle) {
    let slept = kernel.enter(|l| {
        let queue = WaitQueue::new(l);
        wait_for(l, &queue, Events::IN, None, |_| Err::<(), _>(Errno::WouldBlock))
    });
    assert!(matches!(slept, Err(Gone) | Ok(Err(Errno::NoDevice))), "{slept:?}");
}

/// Sends echo requests of several fragments from a kernel until it goes.
fn send_from(kernel: &Handle, dst: Ipv4Addr, threads: &Threads) {
    let message = tests::wire::Icmp::echo(1, 1, &[7; 3000]).bytes();
    let how = Send {
        src: None,
        dst,
        protocol: tests::wire::ICMP,
        ttl: 255,
        tos: 0,
        dont_fragment: false,
        broadcast_ok: true,
        out: Out::default(),
    };
    let once = || kernel.enter(|l| _ = Packet::from_slice(l, &message).map(|p| send(l, p, &how)));
    while once().is_ok() {
        threads.give_way();
    }
}

/// Six kernels in a row, traffic through all of them and sleepers in each, dropped in an order of
/// the seed by two threads.
fn storm(lab: &Lab, threads: &Threads, seed: u64) {
    let mut random = Random::new(seed);
    let mut nodes = line(lab, 6);
    let mut running = Vec::new();
    for (node, i) in nodes.iter().zip(0..) {
        let kernel = node.handle();
        running.push(threads.spawn(move || sleep_in(&kernel)));
        if i % 2 == 1 {
            let (kernel, theirs) = (node.handle(), threads.again());
            let dst = if i == 5 { addr(1, 1) } else { addr(6, 1) };
            running.push(threads.spawn(move || send_from(&kernel, dst, &theirs)));
        }
    }
    let wait = |random: &mut Random| (0..random.below(30)).for_each(|_| threads.give_way());
    wait(&mut random);
    let mut other: Vec<Node> = (0..3).map(|_| nodes.remove(random.below(nodes.len()))).collect();
    let (theirs, mut seeds) = (threads.again(), random.clone());
    running.push(threads.spawn(move || {
        while let Some(node) = other.pop() {
            drop(node);
            (0..seeds.below(10)).for_each(|_| theirs.give_way());
        }
    }));
    while !nodes.is_empty() {
        wait(&mut random);
        drop(nodes.remove(random.below(nodes.len())));
    }
    running.into_iter().for_each(Running::join);
}

#[test]
fn on_the_simulation_host_with_many_seeds() {
    for seed in 0..300 {
        Lab::run(seed, |lab| storm(lab, &Threads::Sim(lab.sim().clone()), seed));
    }
}

#[test]
fn on_the_simulation_host_with_packets_under_way_for_a_while() {
    for seed in 0..50 {
        Lab::run(seed, |lab| {
            let ms = std::time::Duration::from_millis(1);
            lab.sim().faults().delay(500_000, ms..5 * ms);
            lab.sim().faults().double(100_000);
            lab.sim().faults().refuse(10_000);
            // Configuration has all it needs; what comes later has not.
            lab.sim().faults().refuse(0);
            storm(lab, &Threads::Sim(lab.sim().clone()), seed);
        });
    }
}

#[test]
fn on_the_linux_host_many_rounds() {
    for seed in 0..300 {
        storm(&Lab::linux(), &Threads::Linux, seed);
    }
}

#[test]
fn while_packets_wait_for_a_neighbour_and_for_their_other_pieces() {
    Lab::run(1, |lab| {
        for _ in 0..10 {
            let nodes = line(lab, 3);
            let how = Send {
                src: None,
                dst: addr(2, 77),
                protocol: 1,
                ttl: 9,
                tos: 0,
                dont_fragment: false,
                broadcast_ok: false,
                out: Out::default(),
            };
            nodes[0]
                .enter(|l| {
                    for _ in 0..4 {
                        send(l, Packet::from_slice(l, &[1; 3000]).unwrap(), &how).unwrap();
                    }
                })
                .unwrap();
            lab.settle();
        }
        tests::Crossing::new(lab).across();
    });
}

#[test]
fn from_inside_one_of_its_own_visits() {
    let lab = Lab::linux();
    for _ in 0..100 {
        let node = lab.router("node");
        node.plug("shmif0", "bus", ([10, 0, 0, 1], 24)).unwrap();
        let handle = node.handle();
        let account = node.account().clone();
        // The end comes when the visit does.
        let mut kernel = Some(node.into_kernel());
        let used = handle.enter(|l| {
            drop(kernel.take());
            l.account().used()
        });
        assert!(used.is_ok_and(|used| used > 0));
        assert_eq!(account.used(), 0);
        assert_eq!(handle.enter(|_| ()), Err(Gone));
    }
}

#[test]
fn bound_threads_and_handles_outlive_their_kernel() {
    Lab::run(1, |lab| {
        let node = lab.router("node");
        let (handle, mut bound) = (node.handle(), node.bind().unwrap());
        let line = node.enter(|l| {
            struct Nothing;
            impl base::sched::line::Handler for Nothing {
                fn interrupt(&self, _: &base::Cx<'_>) {}
            }
            let handler = base::vm::kmem::arc(l, Nothing).unwrap();
            base::sched::line::Line::establish(l, handler).unwrap()
        });
        drop(node);
        line.unwrap().raise();
        assert_eq!(bound.enter(|_| ()), Err(Gone));
        assert_eq!(handle.bind().err(), Some(Errno::NoDevice));
    });
}

//! A hundred tests at the same time, each with kernels of its own: on one host, and on many.

use std::thread;

use tests::line::{addr, line};
use tests::{Lab, Node};

fn in_a_hundred_threads(test: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for i in 0..100 {
            let test = &test;
            scope.spawn(move || test(i));
        }
    });
}

#[test]
fn on_one_host() {
    let lab = Lab::linux();
    in_a_hundred_threads(|i| {
        for round in 0..5 {
            // Names are the host's, so each test has a bus of its own name.
            let bus = format!("bus{i}");
            let (a, b) = (lab.router("a"), lab.router("b"));
            a.plug("shmif0", &bus, ([10, 0, 0, 1], 24)).unwrap();
            b.plug("shmif0", &bus, ([10, 0, 0, 2], 24)).unwrap();
            assert_eq!(a.ping([10, 0, 0, 2]).unwrap().kind, 0, "test {i}, round {round}");
            drop(a);
            assert_eq!(b.ping([127, 0, 0, 1]).unwrap().kind, 0);
        }
    });
}

#[test]
fn on_a_host_each() {
    in_a_hundred_threads(|i| {
        // The same names everywhere: hosts share nothing.
        let test = |lab: &Lab| {
            let nodes = line(lab, 5);
            assert_eq!(nodes[4].ping(addr(1, 1)).unwrap().from, addr(1, 1), "test {i}");
        };
        if i % 2 == 0 { Lab::run(i as u64, test) } else { test(&Lab::linux()) }
    });
}

#[test]
fn two_hosts_with_the_same_bus_do_not_hear_each_other() {
    let (here, there) = (Lab::linux(), Lab::linux());
    let [a, b]: [Node; 2] = [(&here, 1), (&there, 2)].map(|(lab, n)| {
        let node = lab.router("node");
        node.plug("shmif0", "bus", ([10, 0, 0, n], 24)).unwrap();
        node
    });
    assert!(a.ping_patiently([10, 0, 0, 2], 1).is_err());
    assert_eq!(b.counter("arp", "received"), 0);
}

#[test]
fn a_thousand_kernels_on_one_host_boot_and_drop_in_any_order() {
    let lab = Lab::linux();
    let mut random = tests::random::Random::new(1);
    let mut nodes: Vec<Node> = (0..1000).map(|i| lab.router(&format!("node{i}"))).collect();
    while !nodes.is_empty() {
        drop(nodes.swap_remove(random.below(nodes.len())));
    }
}

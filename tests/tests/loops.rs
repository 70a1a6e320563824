//! Kernels that never give their CPU back, while a thousand neighbours ping each other.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base::Cx;
use base::sched::line::{self, Line};
use base::vm::kmem;
use tests::node::Ping;
use tests::{Lab, Node};

const NEIGHBOURS: u32 = 1000;
const A_BUS: u32 = 50;
const DEADLINE: Duration = Duration::from_secs(60);

/// Loops while told to.
#[derive(Clone, Default)]
struct Loop {
    entered: Arc<AtomicU32>,
    end: Arc<AtomicBool>,
}

impl Loop {
    fn run(&self) {
        self.entered.fetch_add(1, Ordering::SeqCst);
        while !self.end.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }

    fn await_entered(&self, n: u32) {
        let start = Instant::now();
        while self.entered.load(Ordering::SeqCst) < n {
            assert!(start.elapsed() < DEADLINE, "{n} loops have not begun");
            std::thread::yield_now();
        }
    }
}

/// Ends the loops, also when the test fails.
struct AtTheEnd(Loop);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        self.0.end.store(true, Ordering::SeqCst);
    }
}

impl line::Handler for Loop {
    fn interrupt(&self, _: &Cx<'_>) {
        self.run();
    }
}

fn addr(bus: u32, n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 + (bus << 8) + n)
}

/// A kernel on all buses: it hears every broadcast, and would answer.
fn hub(lab: &Lab, n: u32) -> Node {
    let hub = lab.router("hub");
    for bus in 0..NEIGHBOURS / A_BUS {
        hub.plug(&format!("shmif{bus}"), &format!("bus{bus}"), (addr(bus, 200 + n), 24)).unwrap();
    }
    hub
}

fn neighbours(lab: &Lab) -> Vec<Node> {
    let neighbour = |i| {
        let (bus, n) = (i / A_BUS, i % A_BUS + 1);
        let node = lab.router(&format!("node{i}"));
        node.plug("shmif0", &format!("bus{bus}"), (addr(bus, n), 24)).unwrap();
        node
    };
    (0..NEIGHBOURS).map(neighbour).collect()
}

/// Everybody pings the next one on the bus, from two threads.
fn all_ping(nodes: &[Node]) {
    let start = Instant::now();
    std::thread::scope(|scope| {
        let half = nodes.len() / 2;
        for (from, part) in [(0, &nodes[..half]), (half, &nodes[half..])] {
            scope.spawn(move || {
                for (node, i) in part.iter().zip(from as u32..) {
                    let (bus, n) = (i / A_BUS, i % A_BUS + 1);
                    let answer = node.ping(addr(bus, n % A_BUS + 1));
                    assert_eq!(answer.map(|a| a.kind), Ok(0), "node {i}");
                    assert!(start.elapsed() < DEADLINE, "stuck behind a loop");
                }
            });
        }
    });
}

fn a_looper_does_not_answer_but_is_not_waited_for(nodes: &[Node], hub: Ipv4Addr) {
    let short = Ping { wait: Duration::from_millis(50), ..Ping::new(hub) };
    assert_eq!(nodes[0].ping_with(short).unwrap_err(), base::Errno::TimedOut);
}

#[test]
fn in_a_thread_and_in_interrupts() {
    let lab = Lab::linux();
    let hubs: Vec<Node> = (0..4).map(|n| hub(&lab, n)).collect();
    let nodes = neighbours(&lab);
    all_ping(&nodes);
    assert_eq!(nodes[0].ping(addr(0, 200)).unwrap().kind, 0);

    let looping = Loop::default();
    std::thread::scope(|scope| {
        let _end = AtTheEnd(looping.clone());
        scope.spawn(|| hubs[0].enter(|_| looping.run()).unwrap());
        // More of them than the host has workers, in interrupts.
        for hub in &hubs[1..] {
            let line = hub.enter(|l| Line::establish(l, kmem::arc(l, looping.clone()).unwrap()));
            line.unwrap().unwrap().raise();
        }
        looping.await_entered(4);
        all_ping(&nodes);
        a_looper_does_not_answer_but_is_not_waited_for(&nodes, addr(0, 200));
        a_looper_does_not_answer_but_is_not_waited_for(&nodes, addr(0, 201));
        // Nor do new kernels wait, nor the ends of others.
        let mut new = hub(&lab, 9);
        assert_eq!(new.ping(addr(3, 7)).unwrap().kind, 0);
        new = hub(&lab, 8);
        drop(new);
    });
    // Once the loops have ended, all is as before.
    let again = (0..50).any(|_| nodes[0].ping_patiently(addr(0, 200), 1).is_ok());
    assert!(again);
    drop(hubs);
    all_ping(&nodes);
}

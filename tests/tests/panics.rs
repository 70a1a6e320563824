//! A kernel that panics dies alone: in a thread, an interrupt, a timer or a soft interrupt.

use std::sync::Arc;
use std::time::Duration;

use base::callout::{self, Callout};
use base::sched::line::{self, Line};
use base::vm::kmem;
use base::wait::{Events, WaitQueue, wait_for};
use base::{Cx, Errno, Gone};
use net::Packet;
use net::ifnet::tap::{self, Tap};
use net::ifnet::{Ifnet, config};
use tests::line::{addr, line};
use tests::node::Ping;
use tests::{Lab, Node};

struct Bomb;

impl line::Handler for Bomb {
    fn interrupt(&self, _: &Cx<'_>) {
        panic!("on purpose, in an interrupt");
    }
}

impl callout::Handler for Bomb {
    fn expired(&self, _: &Cx<'_>) {
        panic!("on purpose, in a timer");
    }
}

impl Tap for Bomb {
    fn packet(&self, _: &Cx<'_>, _: &Ifnet, _: &Packet) {
        panic!("on purpose, in the receive path");
    }
}

/// Kills the second of six nodes in a row with `kill`, while the others ping each other, past it
/// and over it, before and after.
fn its_neighbours_go_on(lab: &Lab, kill: impl FnOnce(&Node)) {
    let mut nodes = line(lab, 6);
    assert_eq!(nodes[5].ping(addr(1, 1)).unwrap().kind, 0);
    nodes[1].expect_death();
    kill(&nodes[1]);
    for _ in 0..200 {
        if nodes[1].is_dead() {
            break;
        }
        // Nobody is there, so this takes its time. What comes to the interface is a question.
        let nobody = Ping { wait: Duration::from_millis(5), ..Ping::new(addr(3, 77)) };
        assert_eq!(nodes[2].ping_with(nobody).unwrap_err(), Errno::TimedOut);
    }
    assert!(nodes[1].is_dead());
    assert_eq!(nodes[1].enter(|_| ()), Err(Gone));
    assert_eq!(nodes[1].bind().err(), Some(Errno::NoDevice));
    for _ in 0..3 {
        for (from, to) in [(5, addr(6, 2)), (3, addr(5, 1)), (2, addr(4, 1)), (0, addr(1, 1))] {
            assert_eq!(nodes[from].ping(to).unwrap().kind, 0);
        }
        // Into the dead one: nothing comes back, and nobody waits for ever.
        let lost = nodes[5].ping_patiently(addr(1, 1), 2);
        assert!(lost.is_err() || lost.is_ok_and(|a| a.kind == 3), "{lost:?}");
    }
    // Another one takes its place on the same buses.
    drop(nodes.remove(1));
    let new = lab.router("new");
    tests::line::configure(&new, 2, 6).unwrap();
    let answered =
        (0..10).any(|_| nodes[4].ping_patiently(addr(1, 1), 2).is_ok_and(|a| a.kind == 0));
    assert!(answered, "its neighbours learn the new link address from its announcement");
}

fn on_both_hosts(kill: impl Fn(&Node)) {
    for seed in 0..5 {
        Lab::run(seed, |lab| its_neighbours_go_on(lab, &kill));
    }
    its_neighbours_go_on(&Lab::linux(), &kill);
}

#[test]
fn in_a_thread() {
    on_both_hosts(|node| {
        assert_eq!(node.enter(|_| panic!("on purpose, in a thread")), Err::<(), _>(Gone));
    });
}

#[test]
fn in_an_interrupt() {
    on_both_hosts(|node| {
        let line = node.enter(|l| Line::establish(l, kmem::arc(l, Bomb).unwrap()).unwrap());
        line.unwrap().raise();
    });
}

#[test]
fn in_a_timer() {
    on_both_hosts(|node| {
        let done = node.enter(|l| {
            let timer = Callout::new(l, kmem::arc(l, Bomb).unwrap()).unwrap();
            timer.schedule(l, Duration::from_millis(5));
        });
        done.unwrap();
    });
}

#[test]
fn in_the_receive_path() {
    on_both_hosts(|node| {
        let done = node.enter(|l| {
            let ifp = config::find(l, "shmif1").unwrap();
            tap::add(l, &ifp, kmem::arc(l, Bomb).unwrap()).unwrap();
        });
        done.unwrap();
    });
}

#[test]
fn its_sleepers_are_released() {
    let lab = Lab::linux();
    let node = Arc::new(lab.router("node"));
    node.expect_death();
    let (tell, told) = std::sync::mpsc::channel();
    let sleepers: Vec<_> = (0..4)
        .map(|_| {
            let (node, tell) = (node.clone(), tell.clone());
            std::thread::spawn(move || {
                node.enter(|l| {
                    let queue = WaitQueue::new(l);
                    tell.send(()).unwrap();
                    wait_for(l, &queue, Events::IN, None, |_| Err::<(), _>(Errno::WouldBlock))
                })
            })
        })
        .collect();
    sleepers.iter().for_each(|_| told.recv().unwrap());
    assert_eq!(node.enter(|_| panic!("on purpose, beside sleepers")), Err::<(), _>(Gone));
    for sleeper in sleepers {
        // Their destructors did not run in the dead kernel; the threads themselves go on.
        assert_eq!(sleeper.join().unwrap(), Err(Gone));
    }
}

#[test]
fn of_many_on_one_host_every_second() {
    let lab = Lab::linux();
    let nodes: Vec<Node> = (0..100).map(|i| lab.router(&format!("node{i}"))).collect();
    for (node, i) in nodes.iter().zip(0..) {
        let dead = i % 2 == 0 && node.enter(|_| panic!("on purpose")) == Err::<(), _>(Gone);
        assert_eq!(node.is_dead(), dead);
        if dead {
            node.expect_death();
        }
    }
    for node in nodes.iter().filter(|n| !n.is_dead()) {
        assert_eq!(node.ping([127, 0, 0, 1]).unwrap().kind, 0);
    }
}

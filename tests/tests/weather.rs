//! Links that lose, delay, double and reorder: retries get through, and nothing leaks.

use std::time::Duration;

use tests::line::{addr, line};
use tests::node::Ping;
use tests::{Lab, Node};

const MS: Duration = Duration::from_millis(1);

fn try_hard(nodes: &[Node], size: usize) -> u32 {
    let (last, dst) = (&nodes[nodes.len() - 1], addr(1, 1));
    let ping = Ping { size, wait: Duration::from_secs(2), ..Ping::new(dst) };
    let tries = (1..200).find(|_| last.ping_with(ping).is_ok_and(|a| a.kind == 0));
    tries.expect("a reply after 200 tries")
}

/// Runs `test` with eight nodes in a line, for many seeds.
fn for_seeds(seeds: u64, test: impl Fn(&Lab, &[Node])) {
    for seed in 0..seeds {
        Lab::run(seed, |lab| {
            let nodes = line(lab, 8);
            test(lab, &nodes);
            lab.sim().faults().clear();
            // Stragglers arrive, questions are given up; then all is as it was.
            lab.pass(Duration::from_secs(20));
            assert_eq!(nodes[7].ping(addr(1, 1)).unwrap().kind, 0);
        });
    }
}

#[test]
fn packets_are_lost() {
    for_seeds(40, |lab, nodes| {
        lab.sim().faults().lose(100_000);
        let tries: u32 = (0..3).map(|_| try_hard(nodes, 56)).sum();
        let counts = lab.sim().faults().packets();
        assert!(counts.lost > 0 || tries == 3, "{counts:?}");
    });
}

#[test]
fn packets_are_doubled() {
    for_seeds(40, |lab, nodes| {
        lab.sim().faults().double(300_000);
        for _ in 0..5 {
            assert_eq!(try_hard(nodes, 56), 1, "twice is often enough");
        }
        assert!(lab.sim().faults().packets().doubled > 0);
    });
}

#[test]
fn packets_are_late() {
    for_seeds(40, |lab, nodes| {
        lab.sim().faults().delay(500_000, 10 * MS..30 * MS);
        let before = lab.host().now();
        assert_eq!(try_hard(nodes, 56), 1);
        let took = lab.host().now() - before;
        // 14 links, and a question with its answer before each of 7.
        assert!(took < 30 * 30 * MS && lab.sim().faults().packets().delayed > 0, "{took:?}");
    });
}

#[test]
fn fragments_overtake_each_other() {
    for_seeds(40, |lab, nodes| {
        try_hard(nodes, 56);
        lab.sim().faults().reorder(800_000, 20 * MS);
        for _ in 0..5 {
            assert_eq!(try_hard(nodes, 6000), 1, "any order will do");
        }
        assert!(nodes[0].counter("ip", "reassembled") >= 5);
    });
}

#[test]
fn all_at_once_while_memory_is_short() {
    for_seeds(60, |lab, nodes| {
        let faults = lab.sim().faults();
        faults.lose(30_000);
        faults.double(50_000);
        faults.delay(100_000, MS..20 * MS);
        faults.reorder(100_000, 5 * MS);
        faults.refuse(5_000);
        faults.wake_early(200_000);
        try_hard(nodes, 56);
        try_hard(nodes, 3000);
    });
}

#[test]
fn a_flood_is_dropped_and_counted_where_the_queue_is_full_and_charged_nowhere_else() {
    Lab::run(1, |lab| {
        let nodes = line(lab, 2);
        assert_eq!(nodes[1].ping(addr(1, 1)).unwrap().kind, 0);
        let used = nodes[0].account().used();
        let received = nodes[0].counter("ip", "received");
        nodes[1]
            .enter(|l| {
                for _ in 0..5000 {
                    let packet = net::Packet::from_slice(l, &[0; 100]).unwrap();
                    let how = netinet::ip::output::Send {
                        src: None,
                        dst: addr(2, 2),
                        protocol: 253,
                        ttl: 9,
                        tos: 0,
                        dont_fragment: false,
                        broadcast_ok: false,
                        out: netinet::ip::way::Out::default(),
                    };
                    netinet::ip::output::send(l, packet, &how).unwrap();
                }
                assert!(nodes[0].account().used() < used + 1024 * 1024, "the queue has a limit");
            })
            .unwrap();
        lab.settle();
        assert!(nodes[0].account().used() < used + 64 * 1024);
        let dropped = nodes[0].on("shmif1", |_, ifp| ifp.counters.iqdrops.get()).unwrap();
        let received = nodes[0].counter("ip", "received") - received;
        assert_eq!((dropped + received, dropped > 4000), (5000, true));
        assert_eq!(nodes[1].ping(addr(1, 1)).unwrap().kind, 0);
    });
}

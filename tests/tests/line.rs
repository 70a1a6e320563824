//! Figure 3.31 of the book: a line of 255 kernels routes an echo from end to end.

use tests::Lab;
use tests::line::{addr, line};
use tests::node::Ping;

#[test]
fn two_hundred_and_fifty_five_nodes_with_two_hundred_seeds() {
    for seed in 0..200 {
        Lab::run(seed, |lab| {
            let nodes = line(lab, 255);
            let answer = nodes[254].ping(addr(1, 1)).unwrap();
            // Replies leave with 255 hops too, and 254 links lie between: 253 routers pass it on.
            let is = (answer.from, answer.kind, answer.code, answer.ttl);
            assert_eq!(is, (addr(1, 1), 0, 0, 255 - 253), "seed {seed}");
            for node in &nodes[1..254] {
                assert_eq!(node.counter("ip", "forwarded"), 2, "there and back, seed {seed}");
            }
        });
    }
}

fn course(seed: u64) -> u64 {
    Lab::run(seed, |lab| {
        let nodes = line(lab, 50);
        lab.sim().faults().reorder(500_000, std::time::Duration::from_millis(3));
        nodes[49].ping(addr(1, 1)).unwrap();
        let back = Ping { src: Some(addr(1, 1)), ..Ping::new(addr(50, 1)) };
        nodes[0].ping_with(back).unwrap();
        lab.sim().trace_hash()
    })
}

#[test]
fn the_same_seed_takes_the_same_course() {
    assert_eq!(course(1), course(1));
    assert_eq!(course(77), course(77));
    assert_ne!(course(1), course(2));
}

#[test]
fn a_line_on_the_linux_host() {
    let lab = Lab::linux();
    let nodes = line(&lab, 255);
    for _ in 0..20 {
        assert_eq!(nodes[254].ping(addr(1, 1)).unwrap().ttl, 2);
    }
    // The last one knows no way back to any address of the first but this.
    let back = Ping { src: Some(addr(1, 1)), ..Ping::new(addr(255, 1)) };
    assert_eq!(nodes[0].ping_with(back).unwrap().from, addr(255, 1));
}

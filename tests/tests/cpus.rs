//! Kernels with several virtual CPUs: traffic, configuration and drops at the same time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use base::Options;
use net::ifnet::config;
use net::route::config::{Prefix4, add, delete};
use tests::node::Ping;
use tests::{Lab, Node};

fn smp(lab: &Lab, name: &str) -> Node {
    lab.boot(&Options { name, ncpu: 4, ..Options::default() }).unwrap()
}

/// a - router - b, each with four virtual CPUs.
fn three(lab: &Lab) -> [Node; 3] {
    let [a, router, b] = ["a", "router", "b"].map(|name| smp(lab, name));
    a.plug("shmif0", "left", ([10, 0, 1, 2], 24)).unwrap();
    b.plug("shmif0", "right", ([10, 0, 2, 2], 24)).unwrap();
    router.plug("shmif0", "left", ([10, 0, 1, 1], 24)).unwrap();
    router.plug("shmif1", "right", ([10, 0, 2, 1], 24)).unwrap();
    a.route([0, 0, 0, 0], 0, [10, 0, 1, 1]).unwrap();
    b.route([0, 0, 0, 0], 0, [10, 0, 2, 1]).unwrap();
    [a, router, b]
}

/// What comes and goes beside them disturbs no ping: none is sent again.
#[test]
fn pings_from_many_threads_while_the_router_is_reconfigured() {
    let lab = Lab::linux();
    let [a, router, b] = three(&lab);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let changes = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) {
                // Each address is announced on its bus. On a bus with others not faster than they
                // listen, or a queue fills, and it is the pings that find no room.
                let crowded = rounds % 8 == 0;
                let bus = if crowded { "left" } else { "spare" };
                router.plug("shmif2", bus, ([10, 0, 3, 1], 24)).unwrap();
                let changed = router.enter(|l| {
                    let far = Prefix4::of([10, 9, 0, 0].into(), 16);
                    add(l, far, [10, 0, 3, 9].into()).unwrap();
                    delete(l, far).unwrap();
                    config::set_mtu(l, "shmif2", 600).unwrap();
                    config::destroy(l, "shmif2").unwrap();
                });
                changed.unwrap();
                if crowded {
                    assert_eq!(router.ping([10, 0, 1, 2]).map(|a| a.kind), Ok(0));
                }
                rounds += 1;
            }
            rounds
        });
        let pings: Vec<_> = [(&a, [10, 0, 2, 2]), (&b, [10, 0, 1, 2])]
            .into_iter()
            .flat_map(|(node, dst)| {
                (0..2).map(move |_| {
                    scope.spawn(move || {
                        for i in 0..300 {
                            let ping = Ping { size: 56 + i * 10, ..Ping::new(dst) };
                            let answered = node.ping_with(ping);
                            assert_eq!(answered.map(|a| a.kind), Ok(0), "ping {i}");
                        }
                    })
                })
            })
            .collect();
        let failed = pings.into_iter().any(|p| p.join().is_err());
        done.store(true, Ordering::Relaxed);
        assert!(changes.join().unwrap() > 0 && !failed);
    });
    assert!(router.counter("ip", "forwarded") >= 2 * 4 * 300);
}

#[test]
fn drops_while_others_are_inside() {
    let wait = std::time::Duration::from_millis(20);
    let ping = Ping { wait, ..Ping::new([10, 0, 2, 2]) };
    for _ in 0..50 {
        let lab = Lab::linux();
        let [a, router, b] = three(&lab);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..5).for_each(|_| _ = a.ping_with(ping)));
            }
            scope.spawn(|| drop(router));
            scope.spawn(|| drop(b));
        });
    }
}

#[test]
fn on_the_simulation_host() {
    for seed in 0..50 {
        Lab::run(seed, |lab| {
            let [a, _router, b] = three(lab);
            lab.sim().faults().wake_early(100_000);
            assert_eq!(a.ping([10, 0, 2, 2]).unwrap().kind, 0);
            assert_eq!(
                b.ping_with(Ping { size: 4000, ..Ping::new([10, 0, 1, 2]) }).unwrap().kind,
                0
            );
        });
    }
}

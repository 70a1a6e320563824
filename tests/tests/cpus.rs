//! Kernels with several virtual CPUs: traffic, configuration and drops at the same time.

use std::thread;

use base::Options;
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

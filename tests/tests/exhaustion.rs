//! Memory exhaustion: the host refuses the n-th charge, or that and all later ones, for every n
//! that there is.
//!
//! Whatever is refused, the outcome is an error or a lost packet; nothing leaks (the laboratory
//! looks at the accounts and at the host's memory in the end), nothing panics, and the same thing
//! tried again with memory at hand works.

use std::time::Duration;

use base::{BootError, Errno, Options};
use net::ifnet::config;
use tests::crossing::{LEFT_ROUTER, RIGHT_ROUTER};
use tests::dhcp_server::DhcpServer;
use tests::node::Ping;
use tests::{Crossing, HOSTED, Lab, Node, Station};

/// Runs `attempt` for n = 1, 2, … with the n-th charge refused, until it gets by with fewer than
/// n charges; then once more with all later ones refused too. Says how many there were.
fn for_every_charge(attempt: impl Fn(&Lab, Refusal)) -> u64 {
    let count = |to_the_end| {
        for n in 1..2000 {
            let refused = Lab::run(n % 3, |lab| {
                attempt(lab, Refusal { n, to_the_end });
                lab.sim().faults().refused()
            });
            if refused == 0 {
                return n - 1;
            }
        }
        panic!("is there no end to the charges?");
    };
    let charges = count(false);
    assert!(count(true) <= charges, "a refusal leads to no more charges");
    charges
}

/// A refusal to come.
#[derive(Clone, Copy)]
struct Refusal {
    n: u64,
    to_the_end: bool,
}

impl Refusal {
    /// Runs `f` under it, and what `f` leaves to do.
    fn during<R>(self, lab: &Lab, f: impl FnOnce() -> R) -> R {
        let faults = lab.sim().faults();
        if self.to_the_end {
            faults.refuse_from(self.n)
        } else {
            faults.refuse_nth_charge(self.n)
        }
        let r = f();
        lab.settle();
        faults.clear();
        r
    }
}

const SETS: [&[&str]; 5] =
    [&[], &["net"], &["net", "netinet"], &["net", "shmif"], &["net", "netinet", "shmif"]];

#[test]
fn boot() {
    for components in SETS {
        let options = Options { components: Some(components), ..Options::default() };
        let charges = for_every_charge(|lab, refusal| {
            // Without memory for the banner there is none; all else is needed.
            match refusal.during(lab, || lab.boot(&options)) {
                Ok(node) if node.dmesg().is_empty() => {}
                Ok(_) => assert_eq!(lab.sim().faults().refused(), 0),
                Err(e) => assert_eq!(e, BootError::NoMemory),
            }
            assert_eq!(lab.sim().held(), sim::Held::default());
            lab.boot(&options).unwrap();
        });
        assert!(charges > 3, "{components:?}: {charges}");
    }
}

#[test]
fn boot_with_all_kinds_of_interface() {
    let options = Options::default();
    for_every_charge(|lab, refusal| {
        match refusal.during(lab, || lab.boot_of(&HOSTED, &options)) {
            Ok(node) if node.dmesg().is_empty() => {}
            Ok(_) => assert_eq!(lab.sim().faults().refused(), 0),
            Err(e) => assert_eq!(e, BootError::NoMemory),
        }
        assert_eq!(lab.sim().held(), sim::Held::default());
    });
}

#[test]
fn boot_with_ever_smaller_limits() {
    Lab::run(1, |lab| {
        let whole = lab.router("whole").account().used();
        let limit = |memlimit| lab.boot(&Options { memlimit, ..Options::default() });
        let mut booted = 0;
        for memlimit in (1..whole + 200).step_by(61) {
            match limit(memlimit) {
                Ok(node) => {
                    assert!(node.account().used() <= memlimit);
                    booted += 1;
                }
                Err(e) => assert_eq!(e, BootError::NoMemory, "{memlimit} bytes"),
            }
        }
        assert!(booted > 0);
    });
}

fn is_exhaustion(e: Errno) -> bool {
    matches!(e, Errno::NoMemory | Errno::NoBuffers)
}

#[test]
fn configuration() {
    let set_up = |node: &Node| -> Result<(), Errno> {
        node.plug("shmif0", "a", ([10, 0, 0, 1], 24))?;
        node.plug("shmif1", "b", ([10, 0, 1, 1], 24))?;
        Ok(node.route([10, 9, 0, 0], 16, [10, 0, 1, 2])?)
    };
    let charges = for_every_charge(|lab, refusal| {
        let (node, peer) = (lab.router("node"), lab.router("peer"));
        peer.plug("shmif0", "a", ([10, 0, 0, 2], 24)).unwrap();
        lab.settle();
        if let Err(e) = refusal.during(lab, || set_up(&node)) {
            assert!(is_exhaustion(e), "{e:?}");
        }
        // What was made halfway is taken away, and then all is made again.
        for name in ["shmif0", "shmif1"] {
            let _ = node.enter(|l| config::destroy(l, name)).unwrap();
        }
        set_up(&node).unwrap();
        assert_eq!(node.ping([10, 0, 0, 2]).unwrap().kind, 0);
    });
    assert!(charges > 10, "{charges}");
}

#[test]
fn bridges_and_virtual_networks() {
    let set_up = |node: &Node| -> Result<(), Errno> {
        node.enter(|l| {
            for (name, bus) in [("shmif0", "a"), ("shmif1", "b")] {
                config::create(l, name)?;
                config::set_linkstr(l, name, bus)?;
                config::set_up(l, name, true)?;
            }
            config::create(l, "vlan0")?;
            vlan::set(l, "vlan0", "shmif0", 7)?;
            config::set_up(l, "vlan0", true)?;
            config::create(l, "bridge0")?;
            bridge::add(l, "bridge0", "vlan0")?;
            bridge::add(l, "bridge0", "shmif1")?;
            Ok(config::set_up(l, "bridge0", true)?)
        })?
    };
    let charges = for_every_charge(|lab, refusal| {
        let (node, peer, other) = (lab.hosted("node"), lab.hosted("peer"), lab.router("other"));
        other.plug("shmif0", "b", ([10, 0, 0, 1], 24)).unwrap();
        peer.plug("shmif0", "a", ([10, 9, 0, 2], 24)).unwrap();
        peer.enter(|l| {
            config::create(l, "vlan0").unwrap();
            vlan::set(l, "vlan0", "shmif0", 7).unwrap();
            config::add_addr(l, "vlan0", [10, 0, 0, 2].into(), 24).unwrap();
        })
        .unwrap();
        lab.settle();
        let failed = refusal.during(lab, || {
            let made = set_up(&node);
            let ping = Ping { wait: Duration::from_millis(500), ..Ping::new([10, 0, 0, 2]) };
            let _ = other.ping_with(ping);
            made.err()
        });
        assert!(failed.is_none_or(is_exhaustion), "{failed:?}");
        for name in ["bridge0", "vlan0", "shmif0", "shmif1"] {
            let _ = node.enter(|l| config::destroy(l, name)).unwrap();
        }
        set_up(&node).unwrap();
        assert_eq!(other.ping_patiently([10, 0, 0, 2], 60).unwrap().kind, 0);
    });
    assert!(charges > 20, "{charges}");
}

#[test]
fn leases() {
    let charges = for_every_charge(|lab, refusal| {
        let node = lab.hosted("node");
        let station = Station::new(lab, "bus", [10, 5, 0, 1]);
        let mut server = DhcpServer::new([10, 5, 0, 1], [10, 5, 0, 100], 3600);
        node.enter(|l| {
            config::create(l, "shmif0").unwrap();
            config::set_linkstr(l, "shmif0", "bus").unwrap();
        })
        .unwrap();
        let mut pass = |seconds: u64| {
            for _ in 0..seconds * 4 {
                lab.pass(Duration::from_millis(250));
                while server.serve(&station) > 0 {
                    lab.settle();
                }
            }
        };
        let started = refusal.during(lab, || {
            let started = node.enter(|l| dhcp::start(l, "shmif0")).unwrap();
            pass(3);
            started
        });
        if let Err(e) = started {
            assert!(is_exhaustion(e), "{e:?}");
            node.enter(|l| dhcp::start(l, "shmif0")).unwrap().unwrap();
        }
        // It asks again by itself.
        pass(200);
        assert_eq!(node.on("shmif0", |l, ifp| ifp.addrs(l).len()), Ok(1));
    });
    assert!(charges > 10, "{charges}");
}

/// A packet's whole path: near, router, far, and back; link addresses are not known yet.
fn path(name: &str, ping: Ping, prepare: impl Fn(&Node, &Node, &Node)) {
    let charges = for_every_charge(|lab, refusal| {
        let (near, router, far) = (lab.router("near"), lab.router("router"), lab.router("far"));
        near.plug("shmif0", "left", ([10, 0, 1, 9], 24)).unwrap();
        far.plug("shmif0", "right", ([10, 0, 2, 9], 24)).unwrap();
        router.plug("shmif0", "left", (LEFT_ROUTER, 24)).unwrap();
        router.plug("shmif1", "right", (RIGHT_ROUTER, 24)).unwrap();
        near.route([0, 0, 0, 0], 0, LEFT_ROUTER).unwrap();
        far.route([0, 0, 0, 0], 0, RIGHT_ROUTER).unwrap();
        prepare(&near, &router, &far);
        lab.settle();
        match refusal.during(lab, || near.ping_with(ping)) {
            Ok(_) => {}
            Err(Errno::TimedOut) => assert_ne!(lab.sim().faults().refused(), 0),
            Err(e) => assert!(is_exhaustion(e), "{e:?}"),
        }
        // What waited for a neighbour that was never asked is given up by and by.
        let again = (0..8).find_map(|_| near.ping_with(ping).ok());
        assert!(again.is_some(), "{name}: works again with memory at hand");
    });
    assert!(charges > 5, "{name}: {charges}");
}

fn far() -> Ping {
    Ping { wait: std::time::Duration::from_secs(3), ..Ping::new([10, 0, 2, 9]) }
}

#[test]
fn an_echo_across_a_router_with_address_resolution() {
    path("echo", far(), |_, _, _| {});
}

#[test]
fn fragments_across_a_router() {
    let ping = Ping { size: 3000, ..far() };
    path("fragments", ping, |_, router, _| {
        router.enter(|l| config::set_mtu(l, "shmif1", 600)).unwrap().unwrap();
    });
}

#[test]
fn errors_about_packets() {
    path("time exceeded", Ping { ttl: 1, ..far() }, |_, _, _| {});
    path("unreachable", Ping { dst: [192, 168, 1, 1].into(), ..far() }, |_, _, _| {});
    let too_big = Ping { size: 1000, dont_fragment: true, ..far() };
    path("too big", too_big, |_, router, _| {
        router.enter(|l| config::set_mtu(l, "shmif1", 600)).unwrap().unwrap();
    });
}

#[test]
fn loopback() {
    path("loopback", Ping { dst: [127, 0, 0, 1].into(), size: 2000, ..far() }, |_, _, _| {});
}

#[test]
fn nothing_is_to_be_had_for_a_while() {
    Crossing::run(|c| {
        let (near, faults) = (c.lab.router("near"), c.lab.sim().faults());
        near.plug("shmif0", "left", ([10, 0, 1, 9], 24)).unwrap();
        near.route([0, 0, 0, 0], 0, LEFT_ROUTER).unwrap();
        c.lab.settle();
        for round in 0..20 {
            faults.refuse_from(1 + round);
            for _ in 0..5 {
                assert!(near.ping_with(Ping { size: 2000, ..far() }).is_err());
                c.left.node().enter(|_| ()).unwrap();
            }
            faults.clear();
            let router = Ping { dst: LEFT_ROUTER, ..far() };
            let again = (0..8).find_map(|_| near.ping_with(router).ok());
            assert!(again.is_some_and(|a| a.kind == 0), "round {round}: it recovers");
        }
    });
}

#[test]
fn refusals_at_random_for_many_seeds() {
    for seed in 0..60 {
        Lab::run(seed, |lab| {
            let nodes = tests::line::line(lab, 5);
            lab.sim().faults().refuse(30_000);
            for size in [10, 1000, 4000] {
                for _ in 0..5 {
                    let dst = tests::line::addr(1, 1);
                    let _ = nodes[4].ping_with(Ping { size, dst, ..far() });
                }
            }
            lab.sim().faults().clear();
            nodes[4].ping_patiently(tests::line::addr(1, 1), 20).unwrap();
        });
    }
}

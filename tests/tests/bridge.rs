//! Bridges between buses.

use std::time::Duration;

use base::{Errno, Lwp};
use net::MacAddr;
use net::ifnet::{IfError, IfFlags, config};
use tests::wire::{ethernet, split_ethernet};
use tests::{Lab, Node, Station};

const TYPE: u16 = 0x88b5; // for experiments (IEEE 802)

/// A bridge between three buses, with a station on each.
struct Bridged<'a> {
    lab: &'a Lab,
    node: Node,
    stations: Vec<Station>,
}

fn plug(node: &Node, name: &str, bus: &str) {
    let plugged = node.enter(|l| {
        config::create(l, name)?;
        config::set_linkstr(l, name, bus)?;
        config::set_up(l, name, true)
    });
    plugged.unwrap().unwrap();
}

fn run(test: impl FnOnce(&Bridged<'_>)) {
    Lab::run(3, |lab| {
        let node = lab.hosted("bridge");
        let buses = ["a", "b", "c"];
        let done = |r: Result<Result<(), Errno>, base::Gone>| r.unwrap().unwrap();
        done(node.enter(|l| Ok(config::create(l, "bridge0").map(|_| ())?)));
        for (n, bus) in buses.iter().enumerate() {
            let name = format!("shmif{n}");
            plug(&node, &name, bus);
            done(node.enter(|l| bridge::add(l, "bridge0", &name)));
        }
        done(node.enter(|l| Ok(config::set_up(l, "bridge0", true)?)));
        let stations = buses.iter().zip(1..).map(|(bus, n)| Station::new(lab, bus, [10, 0, 0, n]));
        let stations = stations.collect();
        lab.settle();
        let bridged = Bridged { lab, node, stations };
        bridged.heard();
        test(&bridged);
    });
}

impl Bridged<'_> {
    /// Sends a frame from the station `from`.
    fn send(&self, from: usize, dst: MacAddr, text: &str) {
        let station = &self.stations[from];
        station.send(&ethernet(dst, station.mac, TYPE, text.as_bytes()));
        self.lab.settle();
    }

    /// What each station has heard since the last look.
    fn heard(&self) -> Vec<Vec<String>> {
        let text = |frame: &Vec<u8>| {
            let (_, _, kind, data) = split_ethernet(frame)?;
            (kind == TYPE).then(|| String::from_utf8_lossy(data).into_owned())
        };
        let of = |s: &Station| s.frames().iter().filter_map(text).collect();
        self.stations.iter().map(of).collect()
    }

    fn mac(&self, station: usize) -> MacAddr {
        self.stations[station].mac
    }

    fn bridge<R>(&self, f: impl FnOnce(&mut Lwp<'_>) -> R) -> R {
        self.node.enter(f).unwrap()
    }

    fn counter(&self, name: &str) -> u64 {
        self.node.counter("bridge", name)
    }
}

fn all(a: &[&str], b: &[&str], c: &[&str]) -> Vec<Vec<String>> {
    [a, b, c].map(|texts| texts.iter().map(|t| (*t).to_owned()).collect()).into()
}

#[test]
fn ieee802_1d_section_7_8_stations_are_learnt_from_what_they_send() {
    run(|b| {
        b.send(0, b.mac(1), "who?");
        assert_eq!(b.heard(), all(&[], &["who?"], &["who?"]), "nobody knows where: flooded");
        b.send(1, b.mac(0), "me");
        assert_eq!(b.heard(), all(&["me"], &[], &[]), "the first one was heard");
        b.send(0, b.mac(1), "good");
        assert_eq!(b.heard(), all(&[], &["good"], &[]));
        let counts = ["flooded", "forwarded", "learnt"].map(|name| b.counter(name));
        assert_eq!(counts, [1, 2, 2]);
    });
}

#[test]
fn groups_and_everybody_are_flooded_and_heard_by_the_kernel() {
    run(|b| {
        b.send(0, MacAddr::BROADCAST, "all");
        b.send(1, MacAddr([1, 0, 0x5e, 1, 2, 3]), "group");
        assert_eq!(b.heard(), all(&["group"], &["all"], &["all", "group"]));
        let multicasts = |name: &str| b.node.on(name, |_, i| i.counters.imcasts.get()).unwrap();
        assert_eq!(multicasts("bridge0"), 2);
        assert_eq!((multicasts("shmif0"), multicasts("shmif1")), (1, 1));
    });
}

#[test]
fn ieee802_1d_section_7_12_6_reserved_groups_stay_on_their_link() {
    run(|b| {
        for last in [0, 1, 0x0e, 0x0f] {
            b.send(0, MacAddr([0x01, 0x80, 0xc2, 0, 0, last]), "reserved");
        }
        assert_eq!(b.heard(), all(&[], &[], &[]));
        b.send(0, MacAddr([0x01, 0x80, 0xc2, 0, 0, 0x10]), "not");
        assert_eq!(b.heard(), all(&[], &["not"], &["not"]));
    });
}

#[test]
fn what_is_for_the_same_link_is_filtered() {
    run(|b| {
        // A second station on the first bus, known to be there.
        let second = MacAddr::local(77);
        b.stations[0].send(&ethernet(MacAddr::BROADCAST, second, TYPE, b"here"));
        b.lab.settle();
        b.heard();
        b.send(0, second, "neighbours");
        assert_eq!(b.heard(), all(&[], &[], &[]));
        assert_eq!(b.counter("filtered"), 1);
        // It moves to another bus.
        b.stations[2].send(&ethernet(MacAddr::BROADCAST, second, TYPE, b"moved"));
        b.lab.settle();
        b.heard();
        b.send(0, second, "there?");
        assert_eq!(b.heard(), all(&[], &[], &["there?"]));
    });
}

#[test]
fn a_sender_that_cannot_be_is_dropped() {
    run(|b| {
        for bad in [MacAddr::BROADCAST, MacAddr::ZERO, MacAddr([1, 2, 3, 4, 5, 6])] {
            b.stations[0].send(&ethernet(MacAddr::BROADCAST, bad, TYPE, b"x"));
        }
        b.stations[0].send(&[0xff; 13]);
        b.lab.settle();
        assert_eq!(b.heard(), all(&[], &[], &[]));
        assert_eq!(b.counter("bad_source"), 3);
    });
}

#[test]
fn ieee802_1d_section_7_9_stations_are_forgotten() {
    run(|b| {
        let known = |b: &Bridged<'_>| {
            let table = b.bridge(|l| {
                let mut out = base::sysctl::Listing::new(l, usize::MAX);
                let table = base::sysctl::TABLES.iter().find(|t| t.name == "net.bridge.addresses");
                (table.unwrap().write)(l, &mut out).unwrap();
                String::from_utf8(out.end().0.to_vec()).unwrap()
            });
            table.lines().count()
        };
        b.send(0, MacAddr::BROADCAST, "here");
        b.heard();
        assert_eq!(known(b), 1);
        b.lab.pass(Duration::from_secs(1199));
        b.send(1, b.mac(0), "still");
        assert_eq!(b.heard(), all(&["still"], &[], &[]));
        b.lab.pass(Duration::from_secs(2));
        b.send(1, b.mac(0), "flood");
        assert_eq!(b.heard(), all(&["flood"], &[], &["flood"]));
        assert_eq!(known(b), 1, "the second one");
    });
}

#[test]
fn the_kernel_is_a_station_of_its_own_and_behind_its_members() {
    Lab::run(4, |lab| {
        let node = lab.hosted("bridge");
        let hosts = ["a", "b"].map(|bus| lab.router(bus));
        for (host, (bus, n)) in hosts.iter().zip([("a", 1), ("b", 2)]) {
            host.plug("shmif0", bus, ([10, 0, 0, n], 24)).unwrap();
        }
        plug(&node, "shmif0", "a");
        plug(&node, "shmif1", "b");
        let set_up = node.enter(|l| {
            config::create(l, "bridge0")?;
            bridge::add(l, "bridge0", "shmif0")?;
            bridge::add(l, "bridge0", "shmif1")?;
            config::add_addr(l, "bridge0", [10, 0, 0, 3].into(), 24)?;
            Ok::<_, Errno>(())
        });
        set_up.unwrap().unwrap();
        let [a, b] = &hosts;
        assert_eq!(a.ping([10, 0, 0, 2]).unwrap().ttl, 255, "through the bridge, without a hop");
        assert_eq!(a.ping([10, 0, 0, 3]).unwrap().kind, 0, "the bridge's own address");
        assert_eq!(node.ping([10, 0, 0, 2]).unwrap().kind, 0);
        assert_eq!(node.ping([10, 0, 0, 1]).unwrap().kind, 0);

        // An address on a member, which others reach through another one.
        node.enter(|l| config::remove_addr(l, "bridge0", [10, 0, 0, 3].into())).unwrap().unwrap();
        node.enter(|l| config::add_addr(l, "shmif0", [10, 0, 0, 4].into(), 24)).unwrap().unwrap();
        assert_eq!(node.ping([10, 0, 0, 2]).unwrap().kind, 0, "out by another member");
        assert_eq!(b.ping([10, 0, 0, 4]).unwrap().kind, 0, "in by another member");
        assert_eq!(a.ping([10, 0, 0, 4]).unwrap().kind, 0);

        // The bridge is down: each link is by itself.
        node.enter(|l| config::set_up(l, "bridge0", false)).unwrap().unwrap();
        assert!(a.ping_patiently([10, 0, 0, 2], 1).is_err());
        assert_eq!(a.ping([10, 0, 0, 4]).unwrap().kind, 0);
    });
}

#[test]
fn members_take_all_frames_while_they_are_members() {
    run(|b| {
        let promiscuous =
            |name: &str| b.node.on(name, |_, i| i.flags().contains(IfFlags::PROMISC)).unwrap();
        assert!(promiscuous("shmif0") && promiscuous("shmif1"));
        b.bridge(|l| bridge::remove(l, "bridge0", "shmif1")).unwrap();
        assert!(promiscuous("shmif0") && !promiscuous("shmif1"));
        b.send(0, MacAddr::BROADCAST, "without b");
        assert_eq!(b.heard(), all(&[], &[], &["without b"]));
        b.send(1, MacAddr::BROADCAST, "not from b");
        assert_eq!(b.heard(), all(&[], &[], &[]));
        let gone = b.bridge(|l| bridge::remove(l, "bridge0", "shmif1"));
        assert_eq!(gone, Err(Errno::AddrNotAvailable));
        // Another one who wants all frames keeps them.
        b.node.on("shmif0", |l, ifp| net::ifnet::promiscuous(l, ifp, true)).unwrap();
        b.bridge(|l| config::destroy(l, "bridge0")).unwrap();
        assert!(promiscuous("shmif0") && !promiscuous("shmif2"));
    });
}

#[test]
fn members_and_bridges_are_destroyed_in_any_order() {
    run(|b| {
        let before = b.node.account().used();
        for round in 0..20 {
            b.bridge(|l| {
                config::create(l, "bridge1").unwrap();
                config::set_up(l, "bridge1", true).unwrap();
                for name in ["shmif7", "shmif8"] {
                    config::create(l, name).unwrap();
                    config::set_linkstr(l, name, "d").unwrap();
                    config::set_up(l, name, true).unwrap();
                    config::set_linkstr(l, name, "").unwrap();
                    config::set_linkstr(l, name, name).unwrap();
                    bridge::add(l, "bridge1", name).unwrap();
                }
                let order = match round % 3 {
                    0 => ["shmif7", "bridge1", "shmif8"],
                    1 => ["bridge1", "shmif8", "shmif7"],
                    _ => ["shmif8", "shmif7", "bridge1"],
                };
                order.iter().for_each(|name| config::destroy(l, name).unwrap());
            });
        }
        b.lab.settle();
        let after = b.node.account().used();
        assert!(after <= before + 4096, "{before} bytes before, {after} after");
        b.send(0, MacAddr::BROADCAST, "still there");
        assert_eq!(b.heard(), all(&[], &["still there"], &["still there"]));
        // The kernel ends with its bridge on, which the laboratory looks at.
    });
}

#[test]
fn who_may_be_a_member() {
    run(|b| {
        b.bridge(|l| {
            config::create(l, "bridge1").unwrap();
            let mut add = |bridge: &str, member: &str| bridge::add(l, bridge, member);
            assert_eq!(add("bridge0", "shmif0"), Err(Errno::Busy), "twice");
            assert_eq!(add("bridge1", "shmif0"), Err(Errno::Busy), "of two");
            assert_eq!(add("bridge1", "lo0"), Err(Errno::Invalid));
            assert_eq!(add("bridge1", "bridge0"), Err(Errno::Invalid));
            assert_eq!(add("bridge1", "bridge1"), Err(Errno::Invalid));
            assert_eq!(add("bridge1", "shmif9"), Err(Errno::NotSuchDevice));
            assert_eq!(add("bridge9", "shmif0"), Err(Errno::NotSuchDevice));
            assert_eq!(add("shmif0", "shmif1"), Err(Errno::NotTerminal), "is no bridge");
            // A network by tags over the bridge itself would go round and round.
            config::create(l, "vlan0").unwrap();
            vlan::set(l, "vlan0", "bridge0", 7).unwrap();
            assert_eq!(bridge::add(l, "bridge0", "vlan0"), Err(Errno::Invalid));
            config::create(l, "vlan1").unwrap();
            config::set_mtu(l, "vlan1", 1500).unwrap();
            bridge::add(l, "bridge0", "vlan1").unwrap();
            assert_eq!(vlan::set(l, "vlan1", "bridge0", 8), Err(Errno::Busy));
        });
    });
}

#[test]
fn all_members_have_one_mtu() {
    run(|b| {
        b.bridge(|l| {
            let mtu = |l: &mut Lwp<'_>, name: &str, mtu: u32| config::set_mtu(l, name, mtu);
            assert_eq!(mtu(l, "shmif0", 9000), Err(IfError::Busy));
            assert_eq!(mtu(l, "bridge0", 9000), Err(IfError::Busy));
            assert_eq!(mtu(l, "shmif0", 1500), Ok(()), "as it is");
            config::create(l, "shmif3").unwrap();
            mtu(l, "shmif3", 9000).unwrap();
            assert_eq!(bridge::add(l, "bridge0", "shmif3"), Err(Errno::Invalid));
            // The first one says.
            config::create(l, "bridge1").unwrap();
            bridge::add(l, "bridge1", "shmif3").unwrap();
            assert_eq!(config::find(l, "bridge1").unwrap().mtu(), 9000);
        });
    });
}

#[test]
fn a_copy_without_memory_is_lost_alone() {
    run(|b| {
        let used = b.node.account().used();
        b.node.account().set_limit(used + 700);
        for _ in 0..20 {
            b.send(0, MacAddr::BROADCAST, "tight");
        }
        assert!(!b.node.is_dead());
        b.node.account().set_limit(u64::MAX);
        b.heard();
        b.send(0, MacAddr::BROADCAST, "again");
        assert_eq!(b.heard(), all(&[], &["again"], &["again"]));
    });
}

//! Virtual networks by tags, over a bus on which the tags are seen.

use base::{Errno, Lwp};
use net::ifnet::{IfError, IfFlags, config};
use tests::wire::{Ip, TYPE_IP, ethernet, split_ethernet};
use tests::{Lab, Node, Station};

const TAGGED: u16 = 0x8100;

/// A kernel with `vlan0` on `shmif0`, network 7, address 10.7.0.`n`.
fn boot(lab: &Lab, n: u8) -> Node {
    let node = lab.hosted("node");
    node.plug("shmif0", "bus", ([10, 0, 0, n], 24)).unwrap();
    let made = node.enter(|l| {
        config::create(l, "vlan0")?;
        vlan::set(l, "vlan0", "shmif0", 7)?;
        config::add_addr(l, "vlan0", [10, 7, 0, n].into(), 24)?;
        Ok::<_, Errno>(())
    });
    made.unwrap().unwrap();
    node
}

#[test]
fn networks_share_a_link_and_nothing_else() {
    Lab::run(1, |lab| {
        let station = Station::new(lab, "bus", [10, 0, 0, 99]);
        let (a, b) = (boot(lab, 1), boot(lab, 2));
        lab.settle();
        station.frames();
        assert_eq!(a.ping([10, 7, 0, 2]).unwrap().kind, 0);
        lab.settle();
        let frames = station.frames();
        assert!(!frames.is_empty());
        for frame in &frames {
            let (.., kind, rest) = split_ethernet(frame).unwrap();
            assert_eq!((kind, &rest[..2]), (TAGGED, &[0, 7][..]), "every frame has the tag");
        }
        assert_eq!(a.ping([10, 0, 0, 2]).unwrap().kind, 0, "the link itself, too");
        lab.settle();
        let kinds = station.frames();
        assert!(kinds.iter().all(|f| split_ethernet(f).unwrap().2 != TAGGED));

        // Another number is another network.
        b.enter(|l| {
            vlan::unset(l, "vlan0").unwrap();
            vlan::set(l, "vlan0", "shmif0", 8).unwrap();
        })
        .unwrap();
        assert!(a.ping_patiently([10, 7, 0, 2], 1).is_err());
        let noproto = |node: &Node| node.on("shmif0", |_, i| i.counters.noproto.get()).unwrap();
        assert!(noproto(&b) > 0, "tags of nobody's are counted");
    });
}

#[test]
fn long_packets_fit_with_their_tags() {
    Lab::run(2, |lab| {
        let (a, _b) = (boot(lab, 1), boot(lab, 2));
        let whole = tests::node::Ping {
            size: 1472,
            dont_fragment: true,
            ..tests::node::Ping::new([10, 7, 0, 2])
        };
        assert_eq!(a.ping_with(whole).unwrap().kind, 0, "1500 bytes, and the tag");
        let cut = tests::node::Ping { size: 5000, ..tests::node::Ping::new([10, 7, 0, 2]) };
        assert_eq!(a.ping_with(cut).unwrap().kind, 0);
    });
}

#[test]
fn ieee802_1q_section_9_6_number_zero_is_a_priority_only() {
    Lab::run(3, |lab| {
        let station = Station::new(lab, "bus", [10, 0, 0, 99]);
        let node = boot(lab, 1);
        let to = station.greet(lab, [10, 0, 0, 1]);
        station.frames();
        let echo = Ip::echo([10, 0, 0, 99].into(), [10, 0, 0, 1].into(), 1, b"data");
        let tagged = |number: u16, kind: u16, data: &[u8]| {
            let tag = [number.to_be_bytes(), kind.to_be_bytes()].concat();
            ethernet(to, station.mac, TAGGED, &[&tag, data].concat())
        };
        station.send(&tagged(0, TYPE_IP, &echo.bytes()));
        lab.settle();
        assert_eq!(station.ips().len(), 1, "answered as if it had none");
        station.send(&tagged(5 << 13, TYPE_IP, &echo.bytes()));
        lab.settle();
        assert_eq!(station.ips().len(), 1, "whichever priority");
        // The answer to one with a number would have it, too: there is no network 9.
        station.send(&tagged(9, TYPE_IP, &echo.bytes()));
        lab.settle();
        assert_eq!(station.frames().len(), 0);
        // Less than a tag, and a tag with nothing behind it.
        for len in 14..18 {
            station.send(&tagged(7, TYPE_IP, b"")[..len]);
        }
        station.send(&tagged(7, TYPE_IP, b""));
        station.send(&tagged(7, TAGGED, b""));
        lab.settle();
        assert!(!node.is_dead());
        assert_eq!(station.frames().len(), 0);
    });
}

#[test]
fn what_cannot_be_is_refused() {
    Lab::run(4, |lab| {
        let node = boot(lab, 1);
        node.enter(|l| {
            config::create(l, "vlan1").unwrap();
            let set = |l: &mut Lwp<'_>, below: &str, number| vlan::set(l, "vlan1", below, number);
            for number in [0, 4095, 4096, u16::MAX] {
                assert_eq!(set(l, "shmif0", number), Err(Errno::Invalid), "{number}");
            }
            assert_eq!(set(l, "shmif0", 7), Err(Errno::Exists), "vlan0 has it");
            assert_eq!(set(l, "lo0", 8), Err(Errno::Invalid));
            assert_eq!(set(l, "vlan0", 8), Err(Errno::Invalid), "tags within tags");
            assert_eq!(set(l, "vlan1", 8), Err(Errno::Invalid));
            assert_eq!(set(l, "shmif9", 8), Err(Errno::NotSuchDevice));
            assert_eq!(vlan::set(l, "shmif0", "shmif0", 8), Err(Errno::NotTerminal));
            assert_eq!(vlan::unset(l, "vlan1"), Ok(()), "it was not connected");
            set(l, "shmif0", 8).unwrap();
            assert_eq!(set(l, "shmif0", 9), Err(Errno::Busy), "it is connected");
            let vlan1 = config::find(l, "vlan1").unwrap();
            let shmif0 = config::find(l, "shmif0").unwrap();
            assert_eq!(vlan1.lladdr(), shmif0.lladdr());
            assert!(vlan1.flags().contains(IfFlags::RUNNING));
        })
        .unwrap();
    });
}

#[test]
fn no_network_has_longer_packets_than_its_link() {
    Lab::run(5, |lab| {
        let node = boot(lab, 1);
        node.enter(|l| {
            let mtu = |l: &mut Lwp<'_>, name: &str| config::find(l, name).unwrap().mtu();
            assert_eq!(config::set_mtu(l, "vlan0", 1501), Err(IfError::Invalid));
            config::set_mtu(l, "vlan0", 1400).unwrap();
            config::set_mtu(l, "shmif0", 1450).unwrap();
            assert_eq!(mtu(l, "vlan0"), 1400, "it fits");
            config::set_mtu(l, "shmif0", 1300).unwrap();
            assert_eq!(mtu(l, "vlan0"), 1300, "it does not any more");
            config::set_mtu(l, "shmif0", 9000).unwrap();
            assert_eq!(mtu(l, "vlan0"), 1300, "nobody asked for more");
            config::set_mtu(l, "vlan0", 9000).unwrap();
        })
        .unwrap();
    });
}

#[test]
fn links_and_networks_go_in_any_order() {
    Lab::run(6, |lab| {
        let (a, b) = (boot(lab, 1), boot(lab, 2));
        let before = b.account().used();
        for round in 0..20 {
            b.enter(|l| {
                config::create(l, "shmif1").unwrap();
                for (name, number) in [("vlan1", 1), ("vlan2", 2)] {
                    config::create(l, name).unwrap();
                    vlan::set(l, name, "shmif1", number).unwrap();
                    config::set_up(l, name, true).unwrap();
                }
                let order = match round % 3 {
                    0 => ["shmif1", "vlan1", "vlan2"],
                    1 => ["vlan2", "shmif1", "vlan1"],
                    _ => ["vlan1", "vlan2", "shmif1"],
                };
                for name in order {
                    config::destroy(l, name).unwrap();
                    if name == "shmif1"
                        && let Ok(left) = config::find(l, "vlan1")
                    {
                        assert!(!left.flags().contains(IfFlags::RUNNING));
                    }
                }
            })
            .unwrap();
        }
        lab.settle();
        let after = b.account().used();
        assert!(after <= before + 4096, "{before} bytes before, {after} after");
        assert_eq!(a.ping([10, 7, 0, 2]).unwrap().kind, 0);
        // The link goes, the network stays, and can be connected again.
        b.enter(|l| config::destroy(l, "shmif0")).unwrap().unwrap();
        assert!(b.ping_patiently([10, 7, 0, 1], 1).is_err());
        b.plug("shmif0", "bus", ([10, 0, 0, 2], 24)).unwrap();
        b.enter(|l| vlan::set(l, "vlan0", "shmif0", 7)).unwrap().unwrap();
        assert_eq!(a.ping_patiently([10, 7, 0, 2], 50).unwrap().kind, 0);
    });
}

#[test]
fn a_bridge_joins_a_network_with_a_link() {
    Lab::run(7, |lab| {
        // The network 7 of one bus, and another bus without tags.
        let node = lab.hosted("bridge");
        let a = boot(lab, 1);
        let c = lab.router("c");
        c.plug("shmif0", "other", ([10, 7, 0, 3], 24)).unwrap();
        node.enter(|l| {
            for (name, bus) in [("shmif0", "bus"), ("shmif1", "other")] {
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
            config::set_up(l, "bridge0", true)?;
            let below = config::find(l, "shmif0")?;
            assert!(below.flags().contains(IfFlags::PROMISC), "the link below takes all, too");
            Ok::<_, Errno>(())
        })
        .unwrap()
        .unwrap();
        assert_eq!(a.ping([10, 7, 0, 3]).unwrap().kind, 0);
        assert_eq!(c.ping([10, 7, 0, 1]).unwrap().kind, 0);
        assert!(a.ping_patiently([10, 0, 0, 3], 1).is_err());
        node.enter(|l| {
            config::destroy(l, "bridge0").unwrap();
            let below = config::find(l, "shmif0").unwrap();
            assert!(!below.flags().contains(IfFlags::PROMISC));
        })
        .unwrap();
    });
}

//! Interfaces and routes as their users configure them.

use std::net::{IpAddr, Ipv4Addr};

use net::ifnet::{IfError, IfFlags, config};
use net::route::config as route;
use net::route::config::{Prefix4, RouteError};
use net::route::{RouteKind, lookup4};
use tests::random::Random;
use tests::{Lab, Node};

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn net(text: &str) -> Prefix4 {
    let (addr, len) = text.split_once('/').unwrap();
    Prefix4 { addr: ip(addr), len: len.parse().unwrap() }
}

/// Runs `test` with a kernel that has 10.0.0.1/24 on `shmif0` and 10.1.0.1/16 on `shmif1`.
fn with_node(test: impl FnOnce(&Lab, &Node)) {
    Lab::run(1, |lab| {
        let node = lab.router("node");
        node.plug("shmif0", "a", (ip("10.0.0.1"), 24)).unwrap();
        node.plug("shmif1", "b", (ip("10.1.0.1"), 16)).unwrap();
        test(lab, &node);
    });
}

#[test]
fn names_are_checked() {
    with_node(|_, node| {
        node.enter(|l| {
            let create = |l: &mut base::Lwp<'_>, name: &str| config::create(l, name).err();
            assert_eq!(create(l, "shmif0"), Some(IfError::Exists));
            for kind in ["vioif0", "shmi0", "lo1"] {
                assert_eq!(create(l, kind), Some(IfError::NoKind), "{kind}");
            }
            let long = "shmif1234567890123";
            for bad in
                ["", "0", "shmif", "shmif00", "shmif 0", "shmif-1x", "shmif99999999999", long]
            {
                assert_eq!(create(l, bad), Some(IfError::Invalid), "{bad:?}");
            }
            assert_eq!(create(l, "shmif7"), None);
            let names: Vec<String> = config::list(l).map(|i| i.name().to_owned()).collect();
            assert_eq!(names, ["lo0", "shmif0", "shmif1", "shmif7"]);
        })
        .unwrap();
    });
}

#[test]
fn an_interface_is_destroyed_and_its_name_is_free_again() {
    with_node(|lab, node| {
        let before = node.account().used();
        for round in 0..100 {
            node.plug("shmif2", "c", (ip("10.2.0.1"), 24)).unwrap();
            let index = node.on("shmif2", |_, ifp| ifp.index()).unwrap();
            assert_eq!(index, 4 + round, "an index is never used twice");
            node.enter(|l| config::destroy(l, "shmif2")).unwrap().unwrap();
            assert_eq!(node.enter(|l| lookup4(l, ip("10.2.0.9")).is_none()), Ok(true));
        }
        lab.settle();
        let after = node.account().used();
        assert!(after <= before + 4096, "{before} bytes before, {after} after a hundred rounds");
        let gone = node.enter(|l| config::destroy(l, "shmif2")).unwrap();
        assert_eq!(gone, Err(IfError::NoInterface));
        let lo0 = node.enter(|l| config::destroy(l, "lo0")).unwrap();
        assert_eq!(lo0, Err(IfError::Busy), "others lean on it");
    });
}

#[test]
fn what_still_holds_a_destroyed_interface_gets_errors() {
    with_node(|_, node| {
        node.enter(|l| {
            let ifp = config::find(l, "shmif0").unwrap();
            config::destroy(l, "shmif0").unwrap();
            assert!(ifp.is_gone());
            assert!(!ifp.flags().intersects(IfFlags::UP | IfFlags::RUNNING));
            let packet = net::Packet::from_slice(l, &[0xff; 60]).unwrap();
            let sent = net::ifnet::transmit(l, &ifp, packet);
            assert_eq!(sent, Err(IfError::NotConnected));
        })
        .unwrap();
    });
}

#[test]
fn a_linkstr_is_set_once_until_it_is_taken_away() {
    with_node(|_, node| {
        node.enter(|l| {
            let set = |l: &mut base::Lwp<'_>, text: &str| config::set_linkstr(l, "shmif0", text);
            assert_eq!(set(l, "other"), Err(IfError::Busy));
            let ifp = config::find(l, "shmif0").unwrap();
            assert_eq!(config::linkstr(l, &ifp), "a");
            set(l, "").unwrap();
            assert_eq!(config::linkstr(l, &ifp), "");
            assert!(!ifp.flags().contains(IfFlags::RUNNING));
            set(l, "").unwrap();
            assert_eq!(set(l, "nul\0"), Err(IfError::Invalid));
            assert_eq!(set(l, &"x".repeat(256)), Err(IfError::Invalid));
            assert!(set(l, "/a/file").is_err(), "files come with the next backend");
            set(l, &"x".repeat(255)).unwrap();
            assert!(ifp.flags().contains(IfFlags::RUNNING));
            assert_eq!(config::set_linkstr(l, "lo0", "a"), Err(IfError::NotSupported));
            assert_eq!(config::set_linkstr(l, "shmif9", "a"), Err(IfError::NoInterface));
        })
        .unwrap();
    });
}

#[test]
fn an_interface_changes_from_one_bus_to_another() {
    with_node(|lab, node| {
        let (here, there) = (lab.router("here"), lab.router("there"));
        here.plug("shmif0", "a", (ip("10.0.0.2"), 24)).unwrap();
        there.plug("shmif0", "elsewhere", (ip("10.0.0.3"), 24)).unwrap();
        assert_eq!(node.ping(ip("10.0.0.2")).unwrap().kind, 0);
        assert_ne!(node.ping(ip("10.0.0.3")).unwrap().kind, 0);
        for bus in ["", "elsewhere"] {
            node.enter(|l| config::set_linkstr(l, "shmif0", bus)).unwrap().unwrap();
        }
        lab.pass(std::time::Duration::from_secs(10));
        assert_eq!(node.ping(ip("10.0.0.3")).unwrap().kind, 0);
    });
}

#[test]
fn an_interface_that_is_down_neither_sends_nor_receives() {
    with_node(|lab, node| {
        let peer = lab.router("peer");
        peer.plug("shmif0", "a", (ip("10.0.0.2"), 24)).unwrap();
        assert_eq!(node.ping(ip("10.0.0.2")).unwrap().kind, 0);
        node.enter(|l| config::set_up(l, "shmif0", false)).unwrap().unwrap();
        assert!(node.ping(ip("10.0.0.2")).is_err());
        let silent = peer.ping_patiently(ip("10.0.0.1"), 1);
        assert_eq!(silent.unwrap_err(), base::Errno::TimedOut);
        node.enter(|l| config::set_up(l, "shmif0", true)).unwrap().unwrap();
        assert_eq!(node.ping(ip("10.0.0.2")).unwrap().kind, 0);
    });
}

#[test]
fn rfc791_the_mtu_has_bounds() {
    with_node(|_, node| {
        node.enter(|l| {
            let ifp = config::find(l, "shmif0").unwrap();
            let most = ifp.driver().max_mtu();
            for (mtu, ok) in [(0, false), (67, false), (68, true), (most, true)] {
                assert_eq!(config::set_mtu(l, "shmif0", mtu).is_ok(), ok, "{mtu}");
            }
            assert_eq!(config::set_mtu(l, "shmif0", u32::MAX), Err(IfError::Invalid));
            assert_eq!(ifp.mtu(), most);
        })
        .unwrap();
    });
}

#[test]
fn rfc1122_3_2_1_3_addresses_are_checked() {
    with_node(|_, node| {
        node.enter(|l| {
            let mut add = |a: &str, len| config::add_addr(l, "shmif0", a.parse().unwrap(), len);
            for (bad, len) in [
                ("0.0.0.0", 8),
                ("0.1.2.3", 8),
                ("224.0.0.1", 24),
                ("240.0.0.1", 24),
                ("255.255.255.255", 32),
                ("10.9.0.0", 24),
                ("10.9.0.255", 24),
                ("10.9.0.1", 0),
                ("10.9.0.1", 33),
                ("10.9.0.1", 255),
            ] {
                assert_eq!(add(bad, len), Err(IfError::Invalid), "{bad}/{len}");
            }
            assert_eq!(add("10.1.0.1", 24), Err(IfError::Exists), "it is shmif1's");
            assert_eq!(add("::1", 64), Err(IfError::NotSupported));
            // RFC 3021: two hosts on a link need no broadcast address.
            assert_eq!(add("10.9.0.0", 31), Ok(()));
            assert_eq!(add("10.9.1.7", 32), Ok(()));
        })
        .unwrap();
    });
}

#[test]
fn an_address_goes_with_its_routes_and_leaves_the_others() {
    with_node(|_, node| {
        node.enter(|l| {
            let second: IpAddr = ip("10.0.0.7").into();
            config::add_addr(l, "shmif0", second, 24).unwrap();
            route::add(l, net("172.16.0.0/12"), ip("10.0.0.9")).unwrap();
            route::add(l, net("192.168.0.0/16"), ip("10.1.0.9")).unwrap();
            config::remove_addr(l, "shmif0", second).unwrap();
            let kind = |to: &str| lookup4(l, ip(to)).map(|r| r.kind);
            assert_eq!(kind("10.0.0.9"), Some(RouteKind::Connected), "the first one's");
            assert_eq!(kind("10.0.0.255"), Some(RouteKind::Broadcast));
            assert_eq!(kind("10.0.0.7"), Some(RouteKind::Connected), "not ours any more");
            let static_one = Some(RouteKind::Gateway(ip("10.0.0.9")));
            assert_eq!(kind("172.16.0.1"), static_one, "its gateway is still a neighbour");
            config::remove_addr(l, "shmif0", ip("10.0.0.1").into()).unwrap();
            let kind = |to: &str| lookup4(l, ip(to)).map(|r| r.kind);
            assert_eq!(kind("10.0.0.9"), None);
            assert_eq!(kind("172.16.0.1"), None, "its gateway cannot be reached");
            assert_eq!(kind("192.168.0.1"), Some(RouteKind::Gateway(ip("10.1.0.9"))));
            let gone = config::remove_addr(l, "shmif0", ip("10.0.0.1").into());
            assert_eq!(gone, Err(IfError::Invalid));
        })
        .unwrap();
    });
}

#[test]
fn an_address_that_cannot_be_had_changes_nothing() {
    with_node(|lab, node| {
        let add = |node: &Node, addr: &str| {
            node.enter(|l| config::add_addr(l, "shmif0", ip(addr).into(), 24)).unwrap()
        };
        let routes = |node: &Node| {
            let text = |(to, r): &(Prefix4, net::route::Route)| format!("{to} {:?}", r.kind);
            node.enter(|l| route::list(l).unwrap().iter().map(text).collect::<Vec<_>>()).unwrap()
        };
        // A user's route has the address: packets for it would go there.
        node.enter(|l| route::add(l, net("10.0.0.7/32"), ip("10.0.0.9")).unwrap()).unwrap();
        let before = routes(node);
        assert_eq!(add(node, "10.0.0.7"), Err(IfError::Exists));
        assert_eq!(routes(node), before);
        // No memory for a second address in a network: the first one keeps its routes.
        for n in 1.. {
            lab.sim().faults().refuse_nth_charge(n);
            let added = add(node, "10.0.0.8");
            lab.sim().faults().clear();
            if added.is_ok() {
                assert!(n > 1, "nothing was refused");
                break;
            }
            assert_eq!((added, routes(node)), (Err(IfError::NoMemory), before.clone()));
        }
    });
}

#[test]
fn routes_go_on_with_the_address_that_is_left() {
    with_node(|_, node| {
        node.enter(|l| {
            config::add_addr(l, "shmif0", ip("10.0.0.7").into(), 24).unwrap();
            route::add(l, net("172.16.0.0/12"), ip("10.0.0.9")).unwrap();
            config::remove_addr(l, "shmif0", ip("10.0.0.1").into()).unwrap();
            for to in ["10.0.0.9", "172.16.0.1"] {
                let source = lookup4(l, ip(to)).map(|r| (r.source, r.ifp.name().to_owned()));
                assert_eq!(source, Some((ip("10.0.0.7"), "shmif0".to_owned())), "{to}");
            }
        })
        .unwrap();
    });
}

#[test]
fn a_network_that_two_interfaces_share_stays_with_the_other() {
    with_node(|lab, node| {
        let peer = lab.router("peer");
        peer.plug("shmif0", "c", (ip("10.0.0.9"), 24)).unwrap();
        node.plug("shmif2", "c", (ip("10.0.0.7"), 24)).unwrap();
        let network = |node: &Node| {
            let look = |l: &mut base::Lwp<'_>| {
                let route =
                    |to: &str| lookup4(l, ip(to)).map(|r| (r.kind, r.ifp.name().to_owned()));
                (route("10.0.0.9"), route("10.0.0.255"))
            };
            node.enter(look).unwrap()
        };
        let all_by = |name: &str| {
            let by = |kind| Some((kind, name.to_owned()));
            (by(RouteKind::Connected), by(RouteKind::Broadcast))
        };
        assert_eq!(network(node), all_by("shmif0"), "the first one's");
        node.enter(|l| config::destroy(l, "shmif0")).unwrap().unwrap();
        assert_eq!(network(node), all_by("shmif2"));
        assert_eq!(node.ping(ip("10.0.0.9")).unwrap().kind, 0);
    });
}

#[test]
fn rfc1812_5_2_4_3_the_longest_prefix_wins() {
    with_node(|_, node| {
        node.enter(|l| {
            let gateways = ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"].map(ip);
            let nets = ["0.0.0.0/0", "172.0.0.0/8", "172.16.0.0/16", "172.16.5.5/32"].map(net);
            for (to, gateway) in nets.into_iter().zip(gateways) {
                route::add(l, to, gateway).unwrap();
            }
            let via = |to: &str| lookup4(l, ip(to)).map(|r| r.kind);
            let expected = ["9.9.9.9", "172.17.0.1", "172.16.5.4", "172.16.5.5"];
            for (to, gateway) in expected.into_iter().zip(gateways) {
                assert_eq!(via(to), Some(RouteKind::Gateway(gateway)), "{to}");
            }
            route::delete(l, nets[2]).unwrap();
            assert_eq!(via("172.16.5.4"), Some(RouteKind::Gateway(gateways[1])));
        })
        .unwrap();
    });
}

#[test]
fn routes_are_added_deleted_and_flushed() {
    with_node(|_, node| {
        node.enter(|l| {
            let (far, gateway) = (net("172.16.0.0/16"), ip("10.0.0.2"));
            assert_eq!(route::delete(l, far), Err(RouteError::NotFound));
            route::add(l, far, gateway).unwrap();
            assert_eq!(route::add(l, far, ip("10.0.0.3")), Err(RouteError::Exists));
            for bad in ["172.16.0.1/16", "0.0.0.1/0", "10.9.9.9/31"] {
                assert_eq!(route::add(l, net(bad), gateway), Err(RouteError::BadPrefix), "{bad}");
            }
            let long = Prefix4 { addr: ip("1.2.3.4"), len: 33 };
            assert_eq!(route::add(l, long, gateway), Err(RouteError::BadPrefix));
            for nowhere in ["10.0.1.1", "172.16.0.9", "10.0.0.255", "224.0.0.1"] {
                let added = route::add(l, net("9.0.0.0/8"), ip(nowhere));
                assert_eq!(added, Err(RouteError::UnreachableGateway), "{nowhere}");
            }
            // An interface's own routes are not users'.
            for own in ["10.0.0.0/24", "10.0.0.1/32", "127.0.0.0/8"] {
                assert_eq!(route::delete(l, net(own)), Err(RouteError::Connected), "{own}");
            }
            let before = route::list(l).unwrap().len();
            route::add(l, Prefix4::DEFAULT, gateway).unwrap();
            assert_eq!(route::list(l).unwrap().len(), before + 1);
            assert_eq!(route::get(l, ip("8.8.8.8")).unwrap().0, Prefix4::DEFAULT);
            assert_eq!(route::flush(l), 2);
            assert_eq!(route::list(l).unwrap().len(), before - 1);
            assert_eq!(route::get(l, ip("8.8.8.8")).err(), Some(RouteError::NotFound));
            assert!(route::get(l, ip("10.0.0.5")).is_ok());
        })
        .unwrap();
    });
}

#[test]
fn a_thousand_routes_come_and_go_without_a_leak() {
    with_node(|_, node| {
        let used = node.account().used();
        node.enter(|l| {
            for i in 0..1000 {
                let to = Prefix4 { addr: Ipv4Addr::from_bits(0xac10_0000 + (i << 8)), len: 24 };
                route::add(l, to, ip("10.0.0.2")).unwrap();
            }
            assert_eq!(route::flush(l), 1000);
        })
        .unwrap();
        let grown = node.account().used() - used;
        assert!(grown < 256 * 1024, "{grown} bytes");
    });
}

#[test]
fn what_was_asked_lately_is_what_the_table_says_now() {
    with_node(|_, node| {
        node.enter(|l| {
            let mut random = Random::new(7);
            // Few places, so that all of them collide and change often.
            let places: Vec<_> = (0..40).map(|n| Ipv4Addr::new(172, 16, n / 8, n % 8)).collect();
            let gateways = [ip("10.0.0.2"), ip("10.0.0.3")];
            for _ in 0..5_000 {
                let place = places[random.below(places.len())];
                let to = Prefix4::of(place, 24 + random.below(9) as u8);
                let gateway = gateways[random.below(2)];
                let _ = match random.below(3) {
                    0 => route::add(l, to, gateway),
                    1 => route::delete(l, to),
                    _ => Ok(()),
                };
                let asked = places[random.below(places.len())];
                let said = lookup4(l, asked).map(|r| r.kind);
                assert_eq!(said, route::get(l, asked).ok().map(|(_, r)| r.kind), "{asked}");
            }
        })
        .unwrap();
    });
}

#[test]
fn what_a_kernel_sends_to_itself_arrives_where_the_address_is() {
    with_node(|_, node| {
        let socket = local::UdpSocket::bind(node, "0.0.0.0:7").unwrap();
        for (to, name) in [("10.0.0.1", "shmif0"), ("10.1.0.1", "shmif1"), ("127.0.0.1", "lo0")] {
            socket.send_to(b"x", (ip(to), 7)).unwrap();
            let index = node.enter(|l| config::find(l, name).map(|ifp| ifp.index())).unwrap();
            let fd = socket.fd();
            let got = node.enter(|l| {
                let mut buf = [0; 8];
                net::socket::api::recv_from(l, fd, &mut [&mut buf], net::socket::MsgFlags::empty())
            });
            assert_eq!(got.unwrap().map(|got| got.ifindex), Ok(index.unwrap()), "{to}");
        }
    });
}

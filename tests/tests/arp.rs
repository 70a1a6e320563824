//! Address resolution through the whole stack, as seen from the link.

use std::net::Ipv4Addr;
use std::time::Duration;

use base::Errno;
use net::MacAddr;
use net::ifnet::config;
use tests::crossing::{LEFT, LEFT_ROUTER, RIGHT, RIGHT_ROUTER};
use tests::wire::{Arp, Ip, TYPE_ARP, ethernet};
use tests::{Crossing, Lab, Station};

const SECOND: Duration = Duration::from_secs(1);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 77);

/// An answer from the right station that it is `ip`.
fn answer(c: &Crossing<'_>, ip: Ipv4Addr) {
    let mac = c.router.mac("shmif1");
    let arp = Arp { op: 2, sender: (c.right.mac, ip), target: (mac, RIGHT_ROUTER) };
    c.right.send_arp(mac, &arp);
}

#[test]
fn rfc826_a_request_is_answered_to_the_one_who_asked() {
    Crossing::run(|c| {
        let sender = (c.left.mac, LEFT);
        let ask = Arp { op: 1, sender, target: (MacAddr::ZERO, LEFT_ROUTER) };
        c.left.send_arp(MacAddr::BROADCAST, &ask);
        c.lab.settle();
        let reply = Arp { op: 2, sender: (c.mac, LEFT_ROUTER), target: sender };
        assert_eq!(c.left.frames(), [ethernet(c.left.mac, c.mac, TYPE_ARP, &reply.bytes())]);
    });
}

#[test]
fn rfc826_requests_for_others_and_nonsense_are_not_answered() {
    Crossing::run(|c| {
        let sender = (c.left.mac, LEFT);
        for target in [LEFT, NOBODY, RIGHT_ROUTER] {
            c.left.send_arp(
                MacAddr::BROADCAST,
                &Arp { op: 1, sender, target: (MacAddr::ZERO, target) },
            );
        }
        let good = Arp { op: 1, sender, target: (MacAddr::ZERO, LEFT_ROUTER) }.bytes();
        // Hardware type, protocol type, lengths; then the whole cut short.
        for at in [1, 2, 4, 5] {
            let mut bad = good.clone();
            bad[at] ^= 3;
            c.left.send(&ethernet(MacAddr::BROADCAST, c.left.mac, TYPE_ARP, &bad));
        }
        c.left.send(&ethernet(MacAddr::BROADCAST, c.left.mac, TYPE_ARP, &good[..27]));
        c.lab.settle();
        assert_eq!(c.left.frames(), Vec::<Vec<u8>>::new());
        assert_eq!(c.counter("arp", "bad"), 5);
    });
}

#[test]
fn rfc5227_2_1_1_a_probe_for_our_address_is_answered() {
    Crossing::run(|c| {
        let sender = (c.left.mac, Ipv4Addr::UNSPECIFIED);
        let probe = Arp { op: 1, sender, target: (MacAddr::ZERO, LEFT_ROUTER) };
        c.left.send_arp(MacAddr::BROADCAST, &probe);
        c.lab.settle();
        let [reply] = c.left.arps()[..] else { panic!("one reply") };
        assert_eq!((reply.op, reply.sender), (2, (c.mac, LEFT_ROUTER)));
    });
}

#[test]
fn rfc5227_2_3_an_address_is_announced_when_it_is_set() {
    Lab::run(3, |lab| {
        let station = Station::new(lab, "bus", [10, 0, 0, 2]);
        let node = lab.router("node");
        node.plug("shmif0", "bus", ([10, 0, 0, 1], 24)).unwrap();
        lab.settle();
        let [arp] = station.arps()[..] else { panic!("one announcement") };
        let us = Ipv4Addr::new(10, 0, 0, 1);
        assert_eq!(arp.sender, (node.mac("shmif0"), us));
        assert_eq!((arp.op, arp.target.1), (1, us));
    });
}

#[test]
fn rfc5227_2_3_addresses_are_announced_when_their_interface_is_there_again() {
    Lab::run(3, |lab| {
        let station = Station::new(lab, "bus", [10, 0, 0, 9]);
        let other = Station::new(lab, "other", [10, 0, 0, 9]);
        let node = lab.router("node");
        let addrs = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 1, 0, 1)];
        node.plug("shmif0", "bus", (addrs[0].octets(), 24)).unwrap();
        let configure = |f: &dyn Fn(&mut base::Lwp<'_>) -> Result<(), net::ifnet::IfError>| {
            lab.settle();
            for station in [&station, &other] {
                station.frames();
            }
            node.on("shmif0", |l, _| f(l)).unwrap().unwrap();
            lab.settle();
            let told = |station: &Station| {
                let arps = station.arps().into_iter();
                arps.map(|arp| {
                    assert_eq!((arp.op, arp.sender.0), (1, node.mac("shmif0")));
                    assert_eq!(arp.sender.1, arp.target.1);
                    arp.sender.1
                })
                .collect::<Vec<_>>()
            };
            (told(&station), told(&other))
        };
        let none = vec![];
        let second = configure(&|l| config::add_addr(l, "shmif0", addrs[1].into(), 24));
        assert_eq!(second, (vec![addrs[1]], none.clone()), "the first one has been");
        assert_eq!(configure(&|l| config::set_up(l, "shmif0", true)), (none.clone(), none.clone()));
        assert_eq!(
            configure(&|l| config::set_up(l, "shmif0", false)),
            (none.clone(), none.clone())
        );
        let again = configure(&|l| config::set_up(l, "shmif0", true));
        assert_eq!(again, (addrs.to_vec(), none.clone()));
        // On another link, to other neighbours.
        let gone = configure(&|l| config::set_linkstr(l, "shmif0", ""));
        assert_eq!(gone, (none.clone(), none.clone()));
        let moved = configure(&|l| config::set_linkstr(l, "shmif0", "other"));
        assert_eq!(moved, (none, addrs.to_vec()));
    });
}

#[test]
fn rfc5227_2_4_an_address_is_defended_once_in_ten_seconds() {
    Crossing::run(|c| {
        let thief = (c.left.mac, LEFT_ROUTER);
        let claim = Arp { op: 1, sender: thief, target: (MacAddr::ZERO, LEFT_ROUTER) };
        let defences = |c: &Crossing<'_>| {
            c.left.send_arp(MacAddr::BROADCAST, &claim);
            c.lab.settle();
            c.left.arps().iter().filter(|a| a.sender == (c.mac, LEFT_ROUTER)).count()
        };
        assert_eq!(defences(c), 1);
        c.lab.pass(9 * SECOND);
        assert_eq!(defences(c), 0, "two hosts that defend would go on for ever");
        c.lab.pass(2 * SECOND);
        assert_eq!(defences(c), 1);
        assert_eq!(c.counter("arp", "conflicts"), 3);
        assert!(c.router.dmesg().contains("10.0.1.1 is used by"), "{}", c.router.dmesg());
    });
}

#[test]
fn rfc1122_2_3_2_2_packets_wait_for_the_answer() {
    Crossing::run(|c| {
        for seq in 0..3 {
            c.left.send_ip(c.mac, &Ip::echo(LEFT, NOBODY, seq, b""));
        }
        c.lab.settle();
        let [ask] = c.right.arps()[..] else { panic!("one request for three packets") };
        assert_eq!((ask.op, ask.sender.1, ask.target.1), (1, RIGHT_ROUTER, NOBODY));
        answer(c, NOBODY);
        c.lab.settle();
        let seqs: Vec<_> = c.right.ips().iter().map(|p| p.icmp().unwrap().seq()).collect();
        assert_eq!(seqs, [Some(0), Some(1), Some(2)], "all of them, in order");
    });
}

#[test]
fn rfc1122_2_3_2_2_of_many_that_wait_the_latest_are_kept() {
    Crossing::run(|c| {
        for seq in 0..20 {
            c.left.send_ip(c.mac, &Ip::echo(LEFT, NOBODY, seq, b""));
        }
        c.lab.settle();
        c.forget();
        answer(c, NOBODY);
        c.lab.settle();
        let seqs: Vec<_> = c.right.ips().iter().filter_map(|p| p.icmp()?.seq()).collect();
        assert_eq!(seqs, [12, 13, 14, 15, 16, 17, 18, 19]);
        assert_eq!(c.counter("arp", "dropped"), 12);
    });
}

#[test]
fn rfc1122_2_3_2_1_one_question_a_second_then_host_unreachable() {
    Crossing::run(|c| {
        for seq in 0..3 {
            c.left.send_ip(c.mac, &Ip::echo(LEFT, NOBODY, seq, b"1234"));
        }
        let mut asked = 0;
        for _ in 0..5 {
            c.lab.settle();
            let questions = c.right.arps();
            assert!(questions.iter().all(|a| a.op == 1 && a.target.1 == NOBODY));
            assert_eq!(questions.len(), 1, "no more than one a second");
            assert_eq!(c.left.ips(), [], "not given up yet");
            asked += 1;
            c.lab.sim().sleep(SECOND);
        }
        assert_eq!(asked, 5);
        let (errors, _) = c.outcome();
        assert_eq!(errors.len(), 3, "one for each packet that waited");
        for (error, seq) in errors.iter().zip(0..) {
            let icmp = error.icmp().unwrap();
            // RFC 1812 §5.2.7.1: code 1, host unreachable.
            assert_eq!((icmp.kind, icmp.code, icmp.seq()), (3, 1, Some(seq)));
            assert_eq!(error.src, LEFT_ROUTER);
        }
        // RFC 1122 §2.3.2.1: for a while the host is not asked again, and errors come at once.
        let (errors, right) = c.cross(&Ip::echo(LEFT, NOBODY, 9, b"1234"));
        assert_eq!((errors.len(), right.len()), (1, 0));
        c.lab.pass(6 * SECOND);
        c.left.send_ip(c.mac, &Ip::echo(LEFT, NOBODY, 10, b""));
        c.lab.settle();
        assert_eq!(c.right.arps().len(), 1, "then it is");
    });
}

#[test]
fn a_host_of_ours_hears_that_a_neighbour_does_not_answer() {
    Lab::run(1, |lab| {
        let node = lab.router("node");
        node.plug("shmif0", "bus", ([10, 0, 0, 1], 24)).unwrap();
        let before = lab.host().now();
        // Its own error comes back through the loopback interface.
        let answer = node.ping([10, 0, 0, 9]).unwrap();
        assert_eq!((answer.kind, answer.code), (3, 1));
        assert_eq!(answer.at - before, 5 * SECOND);
        assert_eq!(node.ping([10, 0, 0, 9]).unwrap_err(), Errno::HostUnreachable);
    });
}

#[test]
fn rfc1122_2_3_2_1_an_entry_expires() {
    Crossing::run(|c| {
        assert_eq!(c.cross(&c.across()).1.len(), 1);
        c.lab.pass(Duration::from_secs(20 * 60 + 1));
        c.forget();
        c.left.send_ip(c.mac, &c.across());
        c.lab.settle();
        let [ask] = c.right.arps()[..] else { panic!("it asks again") };
        assert_eq!(ask.target.1, RIGHT);
        answer(c, RIGHT);
        c.lab.settle();
        assert_eq!(c.right.ips().len(), 1);
    });
}

#[test]
fn an_entry_in_use_is_renewed_before_it_expires() {
    Crossing::run(|c| {
        c.lab.pass(Duration::from_secs(20 * 60 - 10));
        c.left.send_ip(c.mac, &c.across());
        c.lab.settle();
        let frames = c.right.frames();
        assert_eq!(frames.len(), 2, "the packet, and a question to its owner alone");
        assert!(frames.iter().all(|f| f[..6] == c.right.mac.0), "nothing is broadcast");
    });
}

#[test]
fn rfc826_a_neighbour_that_moves_is_followed() {
    Crossing::run(|c| {
        let other = Station::new(c.lab, "right", RIGHT);
        other.greet(c.lab, RIGHT_ROUTER);
        let (_, right) = c.cross(&c.across());
        assert_eq!(right.len(), 1, "the first one hears it too, for it listens to all");
        let frames = other.frames();
        assert!(frames.iter().any(|f| f[..6] == other.mac.0), "sent to the new link address");
        assert!(c.router.dmesg().contains("10.0.2.2 moved"), "{}", c.router.dmesg());
    });
}

#[test]
fn a_flood_of_strangers_leaves_the_known_ones_and_the_memory_bounded() {
    Crossing::run(|c| {
        c.cross(&c.across());
        let before = c.router.account().used();
        for i in 0..3000_u32 {
            let ip = Ipv4Addr::from_bits(0x0a00_0100 + i % 250 + 3);
            let [_, a, b, ..] = i.to_be_bytes();
            let mac = MacAddr([2, 0, a, b, (i >> 8) as u8, i as u8]);
            let arp = Arp { op: 1, sender: (mac, ip), target: (MacAddr::ZERO, LEFT_ROUTER) };
            c.left.send_arp(MacAddr::BROADCAST, &arp);
            if i % 100 == 0 {
                c.forget();
            }
        }
        c.forget();
        assert!(c.router.account().used() - before < 64 * 1024, "the cache has a limit");
        assert_eq!(c.cross(&c.across()).1.len(), 1);
    });
}

#[test]
fn what_waits_goes_with_its_interface() {
    Crossing::run(|c| {
        c.left.send_ip(c.mac, &Ip::echo(LEFT, NOBODY, 1, &[0; 1000]));
        c.lab.settle();
        let before = c.router.account().used();
        c.router.enter(|l| config::destroy(l, "shmif1")).unwrap().unwrap();
        assert!(c.router.account().used() < before - 1000);
        c.lab.pass(10 * SECOND);
        assert_eq!(c.outcome(), (vec![], vec![]));
    });
}

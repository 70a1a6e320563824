//! ICMP through the whole stack: what is answered, what is reported, and what is never said.

use std::net::Ipv4Addr;
use std::time::Duration;

use net::MacAddr;
use tests::crossing::{LEFT, LEFT_ROUTER, RIGHT, RIGHT_ROUTER};
use tests::node::Ping;
use tests::wire::{ICMP, Icmp, Ip, TYPE_IP, UDP, ethernet};
use tests::{Crossing, Lab};

const FAR: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 7);

#[test]
fn rfc1122_3_2_2_6_an_echo_is_answered_with_the_same_data_from_the_same_address() {
    Crossing::run(|c| {
        for dst in [LEFT_ROUTER, RIGHT_ROUTER] {
            for size in [0, 1, 56, 1000, 1472] {
                let data: Vec<u8> = (0..size).map(|i| (i * 5) as u8).collect();
                let (left, right) = c.cross(&Ip::echo(LEFT, dst, 77, &data));
                let [reply] = &left[..] else { panic!("one reply") };
                let icmp = reply.icmp().unwrap();
                assert_eq!((reply.src, reply.dst, reply.ttl), (dst, LEFT, 255));
                assert_eq!((icmp.kind, icmp.code, icmp.seq()), (0, 0, Some(77)));
                assert_eq!((icmp.data, right), (data, vec![]));
            }
        }
    });
}

#[test]
fn rfc1624_3_a_reply_of_nothing_but_zeros_has_a_good_checksum() {
    Crossing::run(|c| {
        for size in [0, 1, 40] {
            let message = Icmp { kind: 8, code: 0, word: [0; 4], data: vec![0; size] };
            let (left, _) = c.cross(&Ip::new(LEFT, LEFT_ROUTER, ICMP, message.bytes()));
            assert_eq!(left[0].icmp().map(|m| m.kind), Some(0), "{size} bytes");
        }
    });
}

#[test]
fn rfc1122_3_2_2_6_recorded_routes_come_back() {
    Crossing::run(|c| {
        let options = vec![7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let (left, _) = c.cross(&Ip { options, ..Ip::echo(LEFT, RIGHT_ROUTER, 1, b"") });
        assert_eq!(left[0].options[..7], [7, 11, 8, 10, 0, 2, 1]);
    });
}

#[test]
fn rfc1122_3_2_2_6_echoes_to_everybody_are_not_answered() {
    Crossing::run(|c| {
        for dst in ["10.0.1.255", "10.0.1.0", "255.255.255.255", "224.0.0.1"] {
            c.silence(&Ip::echo(LEFT, dst.parse().unwrap(), 1, b"amplify"));
        }
        let echo = Ip::echo(LEFT, LEFT_ROUTER, 1, b"").bytes();
        let sent = ethernet(MacAddr::BROADCAST, c.left.mac, TYPE_IP, &echo);
        // RFC 1122 §3.3.6: to one host, but brought by the link to all: not even looked at.
        let (delivered, refused) = (c.counter("ip", "delivered"), c.counter("ip", "bad_address"));
        assert_eq!(c.cross_frame(&sent), (vec![], vec![]));
        assert_eq!(c.counter("ip", "delivered"), delivered);
        assert_eq!(c.counter("ip", "bad_address"), refused + 1);
        assert_eq!(c.counter("icmp", "echoed"), 0);
    });
}

#[test]
fn rfc1122_3_2_1_3_nothing_is_sent_to_network_zero() {
    Crossing::run(|c| {
        // A default route would take it.
        c.router.route([0, 0, 0, 0], 0, RIGHT).unwrap();
        for src in ["0.0.0.0", "0.1.2.3"] {
            c.silence(&Ip { src: src.parse().unwrap(), ..Ip::echo(LEFT, LEFT_ROUTER, 1, b"who?") });
        }
        let ping = c.router.ping([0, 1, 2, 3]);
        assert!(ping.is_err(), "{ping:?}");
    });
}

#[test]
fn rfc1122_3_2_2_bad_checksums_and_short_messages_are_dropped() {
    Crossing::run(|c| {
        let mut sent = Ip::echo(LEFT, LEFT_ROUTER, 1, b"data");
        sent.payload[9] ^= 1;
        c.silence(&sent);
        c.silence(&Ip { payload: sent.payload[..7].to_vec(), ..sent.clone() });
        c.silence(&Ip { payload: vec![], ..sent });
        assert_eq!(c.counter("icmp", "bad"), 3);
    });
}

#[test]
fn rfc1122_3_2_2_replies_and_unknown_types_are_not_answered() {
    Crossing::run(|c| {
        for kind in (0..=255).filter(|kind| *kind != 8) {
            let message = Icmp { kind, code: 0, word: [0; 4], data: vec![0; 40] }.bytes();
            let (left, right) = c.cross(&Ip::new(LEFT, LEFT_ROUTER, ICMP, message));
            assert_eq!((left, right), (vec![], vec![]), "type {kind}");
        }
    });
}

#[test]
fn rfc1122_3_2_2_never_about_an_icmp_error() {
    Crossing::run(|c| {
        for kind in [3, 4, 5, 11, 12] {
            let message = Icmp { kind, code: 0, word: [0; 4], data: vec![0; 28] }.bytes();
            let about = Ip { ttl: 1, ..Ip::new(LEFT, RIGHT, ICMP, message) };
            c.silence(&about);
            c.silence(&Ip { ttl: 64, dst: FAR, ..about });
        }
        assert_eq!(c.counter("icmp", "errors_silent"), 10);
    });
}

#[test]
fn rfc1122_3_2_2_never_about_a_later_fragment() {
    Crossing::run(|c| {
        let first = Ip { more: true, ttl: 1, ..Ip::new(LEFT, RIGHT, UDP, vec![0; 16]) };
        let later = Ip { offset: 16, more: false, ..first.clone() };
        c.silence(&later);
        assert_eq!(c.error(&first).1.kind, 11, "about the first one it is");
    });
}

#[test]
fn rfc1122_3_2_2_never_about_a_broadcast() {
    Crossing::run(|c| {
        let unknown = Ip::new(LEFT, LEFT_ROUTER, 253, vec![0; 20]);
        for dst in ["10.0.1.255", "255.255.255.255", "224.0.0.1"] {
            c.silence(&Ip { dst: dst.parse().unwrap(), ..unknown.clone() });
        }
        let datagram = Ip::new(LEFT, [10, 0, 1, 255].into(), UDP, vec![3, 232, 0, 9, 0, 8, 0, 0]);
        c.silence(&datagram);
        let frame = ethernet(MacAddr::BROADCAST, c.left.mac, TYPE_IP, &unknown.bytes());
        assert_eq!(c.cross_frame(&frame), (vec![], vec![]));
    });
}

#[test]
fn rfc1122_3_2_2_never_to_what_is_not_a_single_host() {
    Crossing::run(|c| {
        for src in ["0.0.0.0", "10.0.1.255", "10.0.2.255", "127.0.0.1"] {
            c.silence(&Ip { src: src.parse().unwrap(), ttl: 1, ..c.across() });
        }
    });
}

#[test]
fn rfc1812_4_3_2_3_an_error_quotes_as_much_as_fits_in_576_bytes() {
    Crossing::run(|c| {
        for (size, quoted) in [(0, 28), (100, 128), (520, 548), (521, 548), (1400, 548)] {
            let sent = Ip { ttl: 1, ..Ip::echo(LEFT, RIGHT, 1, &vec![9; size]) };
            let (_, icmp) = c.error(&sent);
            assert_eq!(icmp.data.len(), quoted);
            // RFC 1122 §3.2.2: as it was received.
            assert_eq!(icmp.data, sent.bytes()[..quoted]);
        }
    });
}

#[test]
fn rfc1122_3_2_2_port_unreachable_quotes_the_datagram_as_it_was_received() {
    Crossing::run(|c| {
        let datagram = vec![3, 232, 0, 9, 0, 12, 0, 0, 1, 2, 3, 4];
        let plain = Ip::new(LEFT, LEFT_ROUTER, UDP, datagram);
        let options = vec![7, 7, 4, 0, 0, 0, 0, 0];
        for sent in [
            Ip { tos: 8, id: 0x1234, dont_fragment: true, ..plain.clone() },
            Ip { options, ..plain.clone() },
            plain,
        ] {
            let (_, icmp) = c.error(&sent);
            assert_eq!((icmp.kind, icmp.code, icmp.data), (3, 3, sent.bytes()));
        }
    });
}

#[test]
fn rfc1812_4_3_2_8_errors_are_limited_in_rate() {
    Crossing::run(|c| {
        c.lab.pass(Duration::from_secs(10));
        let burst = |n: u16| {
            for seq in 0..n {
                c.left.send_ip(c.mac, &Ip { ttl: 1, ..Ip::echo(LEFT, RIGHT, seq, b"") });
                c.lab.settle();
            }
            c.outcome().0.len()
        };
        assert_eq!(burst(200), 50, "a burst");
        c.lab.pass(Duration::from_millis(100));
        assert_eq!(burst(100), 10, "then a hundred a second");
        assert_eq!(c.counter("icmp", "errors_limited"), 240);
        // Echo replies are not errors, and not limited.
        for seq in 0..300 {
            assert_eq!(c.cross(&Ip::echo(LEFT, LEFT_ROUTER, seq, b"")).0.len(), 1);
        }
        c.router.sysctl("net.inet.icmp.errppslimit", -1).unwrap();
        assert_eq!(burst(200), 200, "no limit");
        c.router.sysctl("net.inet.icmp.errppslimit", 0).unwrap();
        assert_eq!(burst(10), 0, "none at all");
    });
}

#[test]
fn errors_about_our_own_packets_are_counted_and_nonsense_in_them_is_not_believed() {
    Crossing::run(|c| {
        let ours = Ip::new(LEFT_ROUTER, LEFT, UDP, vec![0; 8]).bytes();
        for (quote, bad) in [(&ours[..], 0), (&ours[..19], 1), (&[0xff; 60][..], 2), (&[][..], 3)] {
            let message = Icmp { kind: 3, code: 3, word: [0; 4], data: quote.to_vec() };
            c.silence(&Ip::new(LEFT, LEFT_ROUTER, ICMP, message.bytes()));
            assert_eq!(c.counter("icmp", "bad"), bad);
        }
        assert_eq!(c.counter("icmp", "errors_received"), 4);
    });
}

#[test]
fn rfc1122_3_2_1_3_a_kernel_pings_itself() {
    Lab::run(1, |lab| {
        let node = lab.router("alone");
        node.plug("shmif0", "bus", ([10, 0, 0, 1], 24)).unwrap();
        for dst in ["127.0.0.1", "127.1.2.3", "10.0.0.1"] {
            let dst: Ipv4Addr = dst.parse().unwrap();
            let answer = node.ping(dst).unwrap();
            assert_eq!((answer.from, answer.kind, answer.ttl), (dst, 0, 255));
            // Longer than any Ethernet frame; lo0 carries it whole.
            let long = Ping { size: 60_000, ..Ping::new(dst) };
            assert_eq!(node.ping_with(long).unwrap().kind, 0, "{dst}");
        }
        assert_eq!(node.counter("ip", "fragments_made"), 0);
    });
}

#[test]
fn rfc791_3_2_a_long_ping_is_cut_by_the_sender_and_by_the_router_and_joined() {
    Crossing::run(|c| {
        let far = c.lab.router("far");
        far.plug("shmif0", "right", ([10, 0, 2, 9], 24)).unwrap();
        far.route([0, 0, 0, 0], 0, RIGHT_ROUTER).unwrap();
        let near = c.lab.router("near");
        near.plug("shmif0", "left", ([10, 0, 1, 9], 24)).unwrap();
        near.route([0, 0, 0, 0], 0, LEFT_ROUTER).unwrap();
        c.router.enter(|l| net::ifnet::config::set_mtu(l, "shmif1", 1000)).unwrap().unwrap();
        for size in [10, 1000, 5000, 65_507] {
            let answer = near.ping_with(Ping { size, ..Ping::new([10, 0, 2, 9]) });
            assert_eq!(answer.map(|a| a.kind), Ok(0), "{size} bytes");
            c.lab.settle();
        }
        assert_eq!((far.counter("ip", "reassembled"), near.counter("ip", "reassembled")), (3, 2));
        assert!(c.counter("ip", "fragments_made") > 90);
        // RFC 1191 §3: what must not be cut is reported to the sender.
        let whole = Ping { size: 1400, dont_fragment: true, ..Ping::new([10, 0, 2, 9]) };
        let answer = near.ping_with(whole).unwrap();
        assert_eq!((answer.from, answer.kind, answer.code), (LEFT_ROUTER, 3, 4));
    });
}

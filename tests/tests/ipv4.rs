//! IPv4 through the whole stack: what a router does with packets of all kinds.

use std::net::Ipv4Addr;

use base::Errno;
use net::MacAddr;
use net::ifnet::config;
use tests::Crossing;
use tests::crossing::{LEFT, LEFT_ROUTER, RIGHT, RIGHT_ROUTER};
use tests::wire::{ICMP, Ip, TYPE_IP, UDP, ethernet, fix_checksum};

const FAR: Ipv4Addr = Ipv4Addr::new(192, 168, 7, 7);

#[test]
fn rfc1812_5_3_1_forwarding_takes_one_hop_off_and_keeps_the_rest() {
    Crossing::run(|c| {
        let mut sent = c.across();
        (sent.tos, sent.id, sent.dont_fragment) = (0x28, 0xbeef, true);
        let (left, right) = c.cross(&sent);
        assert_eq!((left, right), (vec![], vec![Ip { ttl: 63, ..sent }]));
        assert_eq!(c.counter("ip", "forwarded"), 1);
    });
}

/// A frame with the packet `bytes` for the router.
fn frame(c: &Crossing<'_>, bytes: &[u8]) -> Vec<u8> {
    ethernet(c.mac, c.left.mac, TYPE_IP, bytes)
}

#[test]
fn rfc1122_3_2_1_1_and_2_bad_headers_are_dropped_and_counted() {
    Crossing::run(|c| {
        let good = c.across().bytes();
        let spoil = |at: usize, with: u8| {
            let mut bad = good.clone();
            bad[at] = with;
            fix_checksum(&mut bad[..20], 10);
            bad
        };
        let mut wrong_sum = good.clone();
        wrong_sum[10] ^= 1;
        let bad = [
            wrong_sum,
            spoil(0, 0x55),                 // version 5
            spoil(0, 0x05),                 // version 0
            spoil(0, 0x44),                 // a header of 16 bytes
            spoil(0, 0x4f),                 // of 60, past the end of the packet
            spoil(3, 19),                   // shorter than its header
            spoil(3, good.len() as u8 + 1), // longer than what arrived
            spoil(2, 0xff),                 // much longer
            good[..19].to_vec(),
            good[..1].to_vec(),
            vec![],
        ];
        for (bytes, n) in bad.iter().zip(1..) {
            assert_eq!(c.cross_frame(&frame(c, bytes)), (vec![], vec![]), "case {n}");
            assert_eq!(c.counter("ip", "bad_header"), n, "case {n}");
        }
    });
}

#[test]
fn rfc894_padding_of_the_link_is_cut_off() {
    Crossing::run(|c| {
        let sent = Ip::echo(LEFT, RIGHT, 1, b"");
        let padded = [sent.bytes(), vec![0; 18]].concat();
        let (_, right) = c.cross_frame(&frame(c, &padded));
        assert_eq!(right, [Ip { ttl: 63, ..sent }]);
        // The station reads what the header says; so look at the frame itself too.
        c.left.send(&frame(c, &padded));
        c.lab.settle();
        assert_eq!(c.right.frames()[0].len(), 14 + 28);
    });
}

#[test]
fn rfc1812_5_3_1_time_exceeded_in_transit() {
    Crossing::run(|c| {
        for ttl in [0, 1] {
            let (error, icmp) = c.error(&Ip { ttl, ..c.across() });
            assert_eq!((icmp.kind, icmp.code), (11, 0));
            // RFC 1812 §4.3.2.4: from the interface that it leaves by; §4.3.2.5: precedence 6.
            assert_eq!((error.src, error.ttl, error.tos), (LEFT_ROUTER, 255, 0xc0));
        }
        assert_eq!(c.cross(&Ip { ttl: 2, ..c.across() }).1.len(), 1);
        // A packet for the router itself may arrive with its last hop (RFC 1122 §3.2.1.7).
        let last = Ip { ttl: 1, ..Ip::echo(LEFT, LEFT_ROUTER, 1, b"") };
        assert_eq!(c.cross(&last).0[0].icmp().unwrap().kind, 0);
    });
}

#[test]
fn rfc1812_5_2_7_1_network_unreachable_without_a_route() {
    Crossing::run(|c| {
        let (_, icmp) = c.error(&Ip { dst: FAR, ..c.across() });
        assert_eq!((icmp.kind, icmp.code), (3, 0));
        assert_eq!(c.counter("ip", "no_route"), 1);
        assert_eq!(c.router.ping(FAR).unwrap_err(), Errno::NetUnreachable);
    });
}

#[test]
fn rfc1812_5_2_7_1_unreachable_when_the_way_is_down() {
    Crossing::run(|c| {
        c.router.route([192, 168, 0, 0], 16, RIGHT).unwrap();
        c.router.enter(|l| config::set_up(l, "shmif1", false)).unwrap().unwrap();
        // Code 1 for a host on the link itself, code 0 for a network behind it.
        for (dst, code) in [(RIGHT, 1), (FAR, 0)] {
            let (error, icmp) = c.error(&Ip { dst, ..c.across() });
            assert_eq!((icmp.kind, icmp.code, error.src), (3, code, LEFT_ROUTER));
        }
        assert_eq!(c.counter("ip", "forwarded"), 0);
        c.router.enter(|l| config::set_up(l, "shmif1", true)).unwrap().unwrap();
        c.right.greet(c.lab, RIGHT_ROUTER);
        c.forget();
        assert_eq!(c.cross(&c.across()).1.len(), 1);
    });
}

#[test]
fn rfc1122_3_3_4_2_a_host_does_not_forward() {
    Crossing::run(|c| {
        c.router.sysctl("net.inet.ip.forwarding", 0).unwrap();
        c.silence(&c.across());
        c.silence(&Ip { dst: FAR, ..c.across() });
        c.silence(&Ip { ttl: 1, ..c.across() });
        assert_eq!(c.counter("ip", "cant_forward"), 3);
        // For itself it still answers, at either address (the weak model of RFC 1122 §3.3.4.2).
        for dst in [LEFT_ROUTER, RIGHT_ROUTER] {
            let (left, _) = c.cross(&Ip::echo(LEFT, dst, 1, b""));
            assert_eq!((left[0].src, left[0].icmp().unwrap().kind), (dst, 0));
        }
        c.router.sysctl("net.inet.ip.forwarding", 1).unwrap();
        assert_eq!(c.cross(&c.across()).1.len(), 1);
        assert_eq!(c.router.sysctl("net.inet.ip.forwarding", 2).unwrap_err(), Errno::Invalid);
        assert_eq!(c.router.sysctl("net.inet.ip.forwarded", 1).unwrap_err(), Errno::NoEntry);
    });
}

#[test]
fn rfc1812_5_3_13_5_record_route_is_recorded() {
    Crossing::run(|c| {
        let options = vec![7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let (_, right) = c.cross(&Ip { options, ..c.across() });
        // RFC 791 p. 20: the address of the interface that it leaves by; the pointer moves on.
        assert_eq!(right[0].options, [7, 11, 8, 10, 0, 2, 1, 0, 0, 0, 0, 0]);
        let full = vec![7, 7, 8, 9, 9, 9, 9, 0];
        let (_, right) = c.cross(&Ip { options: full.clone(), ..c.across() });
        assert_eq!(right[0].options, full, "a full one is passed on as it is");
    });
}

#[test]
fn rfc791_p22_the_time_is_stamped() {
    Crossing::run(|c| {
        let options = vec![68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let (_, right) = c.cross(&Ip { options, ..c.across() });
        assert_eq!(right[0].options[..8], [68, 12, 13, 1, 10, 0, 2, 1]);
        let stamp = u32::from_be_bytes(right[0].options[8..].try_into().unwrap());
        assert!(stamp < 86_400_000);
        // RFC 791 p. 23: without room, whoever cannot is counted.
        let full = vec![68, 8, 9, 0, 0, 0, 0, 1];
        let (_, right) = c.cross(&Ip { options: full, ..c.across() });
        assert_eq!(right[0].options, [68, 8, 9, 0x10, 0, 0, 0, 1]);
    });
}

#[test]
fn rfc7126_4_3_source_routes_are_refused() {
    Crossing::run(|c| {
        for kind in [131, 137] {
            for dst in [RIGHT, LEFT_ROUTER] {
                let options = vec![kind, 7, 4, 10, 0, 2, 2, 0];
                let (_, icmp) = c.error(&Ip { options, dst, ..c.across() });
                assert_eq!((icmp.kind, icmp.code), (3, 5), "source route failed");
            }
        }
        assert_eq!(c.counter("ip", "bad_options"), 4);
    });
}

#[test]
fn rfc1812_4_3_3_5_a_bad_option_is_pointed_at() {
    Crossing::run(|c| {
        // A record route whose pointer is before its data: byte 22 of the header.
        let options = vec![7, 7, 3, 0, 0, 0, 0, 0];
        let (_, icmp) = c.error(&Ip { options, ..c.across() });
        assert_eq!((icmp.kind, icmp.code, icmp.word[0]), (12, 0, 22));
        // An option that is longer than the header: its length, byte 22, after a no-operation.
        let options = vec![1, 7, 40, 4];
        let (_, icmp) = c.error(&Ip { options, ..c.across() });
        assert_eq!((icmp.kind, icmp.word[0]), (12, 22));
    });
}

#[test]
fn rfc1122_3_2_1_8_unknown_options_pass() {
    Crossing::run(|c| {
        let options = vec![148, 4, 0, 0, 1, 1, 25, 2];
        let (left, right) = c.cross(&Ip { options: options.clone(), ..c.across() });
        assert_eq!((left, right[0].options.clone()), (vec![], options));
    });
}

/// The payload that pieces come to, having checked that they fit together.
fn join(pieces: &[Ip]) -> Vec<u8> {
    let mut whole = Vec::new();
    for (i, piece) in pieces.iter().enumerate() {
        assert_eq!(piece.offset, whole.len());
        assert_eq!(piece.more, i + 1 != pieces.len());
        assert!(!piece.more || piece.payload.len().is_multiple_of(8));
        whole.extend(&piece.payload);
    }
    whole
}

fn long(size: usize) -> Ip {
    let data: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
    Ip { id: 99, ..Ip::echo(LEFT, RIGHT, 1, &data) }
}

#[test]
fn rfc791_3_2_a_packet_too_long_for_the_next_link_is_cut() {
    Crossing::run(|c| {
        for (mtu, size) in [(576, 1000), (68, 1000), (68, 41), (1499, 1472), (1280, 1400)] {
            c.router.enter(|l| config::set_mtu(l, "shmif1", mtu)).unwrap().unwrap();
            let sent = long(size);
            let (left, right) = c.cross(&sent);
            assert_eq!(left, []);
            assert!(right.len() > 1 && right.iter().all(|p| p.bytes().len() <= mtu as usize));
            assert!(right.iter().all(|p| p.id == 99 && p.ttl == 63));
            assert_eq!(join(&right), sent.payload, "mtu {mtu}, {size} bytes");
            // RFC 791 p. 25: as large as fits.
            assert!(right[0].payload.len() + 8 > mtu as usize - 20);
        }
    });
}

#[test]
fn rfc791_p16_options_are_copied_into_fragments_as_their_flag_says() {
    Crossing::run(|c| {
        c.router.enter(|l| config::set_mtu(l, "shmif1", 576)).unwrap().unwrap();
        // Stream identifier (copied), then a record route (not copied).
        let options = vec![136, 4, 0, 5, 7, 7, 8, 1, 2, 3, 4, 0];
        let (_, right) = c.cross(&Ip { options: options.clone(), ..long(1000) });
        assert_eq!(right[0].options, options);
        for later in &right[1..] {
            assert_eq!(later.options, [136, 4, 0, 5]);
        }
        assert_eq!(join(&right), long(1000).payload);
    });
}

#[test]
fn rfc1191_4_what_must_not_be_cut_is_refused_with_the_mtu() {
    Crossing::run(|c| {
        c.router.enter(|l| config::set_mtu(l, "shmif1", 1000)).unwrap().unwrap();
        let (_, icmp) = c.error(&Ip { dont_fragment: true, ..long(1200) });
        assert_eq!((icmp.kind, icmp.code, icmp.mtu()), (3, 4, 1000));
        let fits = Ip { dont_fragment: true, ..long(972) };
        assert_eq!(c.cross(&fits).1.len(), 1);
    });
}

/// `whole` in pieces of `size` bytes each.
fn cut(whole: &Ip, size: usize) -> Vec<Ip> {
    let n = whole.payload.len().div_ceil(size);
    let piece = |(i, p): (usize, &[u8])| Ip {
        offset: i * size,
        more: i + 1 != n,
        payload: p.to_vec(),
        ..whole.clone()
    };
    whole.payload.chunks(size).enumerate().map(piece).collect()
}

#[test]
fn rfc791_3_2_fragments_for_us_are_put_together_in_any_order() {
    Crossing::run(|c| {
        let whole = Ip { dst: LEFT_ROUTER, ..long(1400) };
        let mut random = tests::random::Random::new(5);
        for round in 0..50 {
            let mut pieces = cut(&Ip { id: round, ..whole.clone() }, 8 * (1 + random.below(40)));
            for i in (1..pieces.len()).rev() {
                pieces.swap(i, random.below(i + 1));
            }
            let last = pieces.pop().unwrap();
            for piece in &pieces {
                assert_eq!(c.cross(piece), (vec![], vec![]));
            }
            let (left, _) = c.cross(&last);
            let reply = left[0].icmp().unwrap();
            assert_eq!((reply.kind, &reply.data[..]), (0, &whole.payload[8..]));
        }
        assert_eq!(c.counter("ip", "reassembled"), 50);
    });
}

#[test]
fn rfc1812_5_2_fragments_for_others_are_passed_on_as_they_are() {
    Crossing::run(|c| {
        for piece in cut(&long(100), 48) {
            assert_eq!(c.cross(&piece).1, [Ip { ttl: 63, ..piece }]);
        }
        assert_eq!(c.counter("ip", "fragments"), 0);
    });
}

#[test]
fn rfc1122_3_3_2_reassembly_that_takes_too_long_is_given_up_and_reported() {
    Crossing::run(|c| {
        let minute = std::time::Duration::from_secs(60);
        let pieces = cut(&Ip { dst: LEFT_ROUTER, ..long(100) }, 48);
        let used = c.router.account().used();
        c.cross(&pieces[0]);
        assert!(c.router.account().used() > used);
        c.lab.pass(minute);
        let (left, _) = c.outcome();
        let icmp = left[0].icmp().unwrap();
        assert_eq!((left.len(), icmp.kind, icmp.code), (1, 11, 1));
        // Without the first fragment nothing is said (RFC 792 p. 6).
        c.cross(&pieces[1]);
        c.lab.pass(minute);
        assert_eq!(c.outcome(), (vec![], vec![]));
        assert_eq!(c.counter("ip", "reassembly_timeouts"), 2);
    });
}

#[test]
fn rfc5722_3_overlapping_fragments_condemn_the_datagram() {
    Crossing::run(|c| {
        let mut pieces = cut(&Ip { dst: LEFT_ROUTER, ..long(100) }, 48);
        pieces[1].offset -= 8;
        pieces.push(cut(&Ip { dst: LEFT_ROUTER, ..long(100) }, 48)[1].clone());
        for piece in &pieces {
            assert_eq!(c.cross(piece), (vec![], vec![]));
        }
        assert_eq!(c.counter("ip", "reassembled"), 0);
        assert!(c.counter("ip", "fragments_dropped") > 0);
    });
}

#[test]
fn a_flood_of_fragments_takes_a_bounded_amount_of_memory() {
    Crossing::run(|c| {
        let used = c.router.account().used();
        for id in 0..2000 {
            let piece = Ip { dst: LEFT_ROUTER, id, more: true, ..long(1000) };
            let piece = Ip { payload: piece.payload[..1000].to_vec(), ..piece };
            c.left.send_ip(c.mac, &piece);
            if id % 100 == 0 {
                c.forget();
            }
        }
        c.forget();
        assert!(c.router.account().used() - used < 1024 * 1024);
        assert_eq!(c.cross(&c.across()).1.len(), 1);
        c.lab.pass(std::time::Duration::from_secs(31));
        assert!(c.router.account().used() - used < 64 * 1024, "and gives it back");
    });
}

#[test]
fn rfc1812_5_3_5_2_directed_broadcasts_are_not_passed_on() {
    Crossing::run(|c| {
        for last in [255, 0] {
            c.silence(&Ip { dst: [10, 0, 2, last].into(), ..c.across() });
        }
        assert_eq!(c.counter("ip", "cant_forward"), 2);
    });
}

#[test]
fn rfc1812_5_3_7_martians_are_dropped() {
    Crossing::run(|c| {
        for src in ["127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "0.0.0.0"] {
            c.silence(&Ip { src: src.parse().unwrap(), ..c.across() });
        }
        for dst in ["127.0.0.1", "0.0.0.0", "0.1.2.3", "240.0.0.1"] {
            c.silence(&Ip { dst: dst.parse().unwrap(), ..c.across() });
        }
        assert_eq!(c.counter("ip", "bad_address"), 9);
        assert_eq!(c.counter("ip", "forwarded"), 0);
    });
}

#[test]
fn rfc1122_3_2_1_3_nothing_is_taken_from_a_broadcast_address() {
    Crossing::run(|c| {
        let taken = c.counter("ip", "delivered");
        for (src, n) in [("10.0.1.255", 1), ("10.0.1.0", 3), ("10.0.2.255", 5)] {
            let src = src.parse().unwrap();
            c.silence(&Ip { src, ..Ip::echo(LEFT, LEFT_ROUTER, 1, b"") });
            c.silence(&Ip { src, more: true, ..Ip::new(LEFT, LEFT_ROUTER, UDP, vec![0; 16]) });
            assert_eq!(c.counter("ip", "bad_address"), n + 1, "from {src}");
        }
        assert_eq!((c.counter("ip", "delivered"), c.counter("ip", "fragments")), (taken, 0));
    });
}

#[test]
fn rfc1812_5_3_7_nothing_is_passed_on_from_a_broadcast_address() {
    Crossing::run(|c| {
        // A narrow network beside, whose edges look like hosts from afar.
        c.router.plug("shmif2", "narrow", ([10, 0, 3, 5], 30)).unwrap();
        let edges = ["10.0.1.255", "10.0.1.0", "10.0.2.255", "10.0.2.0", "10.0.3.7", "10.0.3.4"];
        for (src, n) in edges.iter().zip(1..) {
            c.silence(&Ip { src: src.parse().unwrap(), ..c.across() });
            assert_eq!(c.counter("ip", "bad_address"), n, "from {src}");
        }
        assert_eq!(c.counter("ip", "forwarded"), 0);
        // The same numbers elsewhere are hosts.
        for (src, n) in ["10.0.4.255", "10.0.4.0", "10.0.3.3", "10.0.1.3"].iter().zip(1..) {
            let (_, right) = c.cross(&Ip { src: src.parse().unwrap(), ..c.across() });
            assert_eq!((right.len(), c.counter("ip", "forwarded")), (1, n), "from {src}");
        }
    });
}

#[test]
fn rfc1812_5_3_4_what_the_link_broadcasts_is_not_passed_on() {
    Crossing::run(|c| {
        for mac in [MacAddr::BROADCAST, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
            let sent = ethernet(mac, c.left.mac, TYPE_IP, &c.across().bytes());
            assert_eq!(c.cross_frame(&sent), (vec![], vec![]));
            let far = Ip { dst: FAR, ..c.across() };
            let sent = ethernet(mac, c.left.mac, TYPE_IP, &far.bytes());
            assert_eq!(c.cross_frame(&sent), (vec![], vec![]), "and no error about it");
        }
    });
}

#[test]
fn rfc1812_5_3_4_groups_and_limited_broadcasts_stay_on_the_link() {
    Crossing::run(|c| {
        for dst in [Ipv4Addr::BROADCAST, [224, 0, 0, 1].into(), [239, 1, 2, 3].into()] {
            c.silence(&Ip { dst, ..c.across() });
        }
    });
}

#[test]
fn frames_for_other_stations_are_not_looked_at() {
    Crossing::run(|c| {
        let other = MacAddr([0x02, 9, 9, 9, 9, 9]);
        c.router
            .on("shmif0", |l, ifp| {
                ifp.change_flags(net::ifnet::IfFlags::PROMISC, net::ifnet::IfFlags::empty());
                ifp.driver().flags_changed(l, ifp);
            })
            .unwrap();
        let sent = ethernet(other, c.left.mac, TYPE_IP, &c.across().bytes());
        assert_eq!(c.cross_frame(&sent), (vec![], vec![]), "a capture does not change that");
    });
}

#[test]
fn rfc1122_3_2_2_1_an_unknown_protocol_is_unreachable() {
    Crossing::run(|c| {
        let sent = Ip::new(LEFT, LEFT_ROUTER, 253, vec![0; 20]);
        let (error, icmp) = c.error(&sent);
        assert_eq!((icmp.kind, icmp.code, error.src), (3, 2, LEFT_ROUTER));
        // A router passes on what it does not know.
        let (_, right) = c.cross(&Ip { dst: RIGHT, ..sent });
        assert_eq!(right.len(), 1);
    });
}

#[test]
fn rfc1122_4_1_3_1_a_udp_port_that_nobody_has_is_unreachable() {
    Crossing::run(|c| {
        // Ports 1000 and 9, length 8, no checksum.
        let datagram = vec![3, 232, 0, 9, 0, 8, 0, 0];
        let (error, icmp) = c.error(&Ip::new(LEFT, LEFT_ROUTER, UDP, datagram));
        assert_eq!((icmp.kind, icmp.code, error.src), (3, 3, LEFT_ROUTER));
    });
}

#[test]
fn rfc1122_3_2_1_3_no_packet_of_ours_leaves_with_a_foreign_address() {
    Crossing::run(|c| {
        let sent = c.router.enter(|l| {
            let packet = net::Packet::from_slice(l, &[0; 8]).unwrap();
            let how = netinet::ip::output::Send {
                src: Some(FAR),
                dst: LEFT,
                protocol: ICMP,
                ttl: 1,
                tos: 0,
                dont_fragment: false,
                broadcast_ok: false,
                out: netinet::ip::way::Out::default(),
            };
            netinet::ip::output::send(l, packet, &how)
        });
        assert_eq!(sent.unwrap(), Err(netinet::ip::output::SendError::BadSource));
    });
}

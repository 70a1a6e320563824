//! Groups on a link with Linux: datagrams to them both ways, and IGMP as Linux sees and speaks it.
//!
//! Each test runs in a network namespace of its own.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto};
use tests::namespace::ip;
use tests::patience::{PATIENCE, within};
use tests::uplink::{HOST, KERNEL, with_link};
use tests::wire::{Ip, checksum, fix_checksum};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
const ALL_HOSTS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
const V3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);

const IGMP: u8 = 2;
/// RFC 2113.
const ROUTER_ALERT: [u8; 4] = [0x94, 4, 0, 0];

#[test]
fn datagrams_to_a_group_both_ways() {
    with_link("datagrams_to_a_group_both_ways", |_, node| {
        let here = UdpSocket::bind("0.0.0.0:7000").unwrap();
        here.set_read_timeout(Some(PATIENCE)).unwrap();
        here.set_multicast_loop_v4(false).unwrap();
        sockopt::set_ip_multicast_if(&here, &HOST.into()).unwrap();
        let there = local::UdpSocket::bind(node, "0.0.0.0:7000").unwrap();
        there.set_read_timeout(Some(PATIENCE)).unwrap();
        there.set_multicast_loop_v4(false).unwrap();
        there.set_multicast_if_v4(&KERNEL.into()).unwrap();
        here.join_multicast_v4(&GROUP, &HOST.into()).unwrap();
        there.join_multicast_v4(&GROUP, &KERNEL.into()).unwrap();
        // Linux drops what it sends before it knows that the device is in use.
        assert_eq!(node.ping(HOST).unwrap().kind, 0);
        let mut buf = vec![0; 70_000];
        for size in [0, 1, 1472, 1473, 9000, 60_000] {
            let data: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            here.send_to(&data, (GROUP, 7000)).unwrap();
            let (n, from) = there.recv_from(&mut buf).unwrap();
            assert_eq!((from, &buf[..n]), (SocketAddr::from((HOST, 7000)), &data[..]), "{size}");
            there.send_to(&data, (GROUP, 7000)).unwrap();
            let (n, from) = here.recv_from(&mut buf).unwrap();
            assert_eq!((from, &buf[..n]), (SocketAddr::from((KERNEL, 7000)), &data[..]), "{size}");
        }
        // Who has left hears no more: what is sent to the socket itself comes first.
        there.leave_multicast_v4(&GROUP, &KERNEL.into()).unwrap();
        let before = node.counter("ip", "not_member");
        here.send_to(b"to the group", (GROUP, 7000)).unwrap();
        here.send_to(b"to the socket", SocketAddr::from((KERNEL, 7000))).unwrap();
        assert_eq!(there.recv(&mut buf).unwrap(), b"to the socket".len());
        assert!(node.counter("ip", "not_member") > before);
        here.leave_multicast_v4(&GROUP, &HOST.into()).unwrap();
        there.send_to(b"to the group", (GROUP, 7000)).unwrap();
        there.send_to(b"to the socket", SocketAddr::from((HOST, 7000))).unwrap();
        assert_eq!(here.recv(&mut buf).unwrap(), b"to the socket".len());
        here.set_nonblocking(true).unwrap();
        assert_eq!(here.recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

/// Linux's view of IGMP on the link: a raw socket that is where routers are, and asks as they do.
struct Router {
    ears: OwnedFd,
    mouth: OwnedFd,
}

impl Router {
    fn new() -> Router {
        // Linux's own answers would only be in the way of those that are waited for.
        ip("route add 224.0.0.0/4 dev tap0");
        let raw = |protocol| {
            rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(protocol)).unwrap()
        };
        let (ears, mouth) = (raw(ipproto::IGMP), raw(ipproto::RAW));
        sockopt::set_socket_timeout(&ears, Timeout::Recv, Some(PATIENCE)).unwrap();
        for group in [V3_ROUTERS, ALL_ROUTERS] {
            sockopt::set_ip_add_membership(&ears, &group, &HOST.into()).unwrap();
        }
        sockopt::set_ip_multicast_loop(&mouth, false).unwrap();
        Router { ears, mouth }
    }

    /// The next message of our kernel.
    fn hear(&self) -> Ip {
        loop {
            let mut buf = [MaybeUninit::uninit(); 2048];
            let ((got, _), _) =
                rustix::net::recv(&self.ears, &mut buf, RecvFlags::empty()).unwrap();
            let packet = Ip::parse(got).expect("a whole packet");
            if packet.src == Ipv4Addr::from(KERNEL) {
                // RFC 3376 §4: TTL 1, and routers are told to look.
                assert_eq!((packet.protocol, packet.ttl, packet.tos), (IGMP, 1, 0xc0));
                assert_eq!(packet.options, ROUTER_ALERT);
                assert_eq!(checksum(&packet.payload), 0);
                return packet;
            }
        }
    }

    /// The type of the only record of the next report, which is about [`GROUP`].
    fn hear_record(&self) -> u8 {
        let Ip { dst, payload, .. } = self.hear();
        assert_eq!((dst, payload[0], payload.len()), (V3_ROUTERS, 0x22, 16));
        assert_eq!((payload[7], &payload[12..]), (1, &GROUP.octets()[..]));
        payload[8]
    }

    /// Asks; a message without its checksum.
    fn ask(&self, to: Ipv4Addr, message: &[u8]) {
        let mut message = message.to_vec();
        fix_checksum(&mut message, 2);
        let query = Ip {
            ttl: 1,
            tos: 0xc0,
            options: ROUTER_ALERT.to_vec(),
            ..Ip::new(HOST.into(), to, IGMP, message)
        };
        let to = SocketAddr::from((to, 0));
        rustix::net::sendto(&self.mouth, &query.bytes(), SendFlags::empty(), &to).unwrap();
    }
}

/// Types of records (RFC 3376 §4.2.12).
const IS_EXCLUDE: u8 = 2;
const TO_INCLUDE: u8 = 3;
const TO_EXCLUDE: u8 = 4;

#[test]
fn linux_hears_of_our_groups_and_is_answered() {
    with_link("linux_hears_of_our_groups_and_is_answered", |_, node| {
        let router = Router::new();
        let socket = local::UdpSocket::bind(node, "0.0.0.0:7000").unwrap();
        socket.join_multicast_v4(&GROUP, &KERNEL.into()).unwrap();
        // Twice, for one may be lost.
        assert_eq!([router.hear_record(), router.hear_record()], [TO_EXCLUDE; 2]);
        // For all groups, then for this one; an answer within 0.1 s.
        let [a, b, c, d] = GROUP.octets();
        router.ask(ALL_HOSTS, &[0x11, 1, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0]);
        assert_eq!(router.hear_record(), IS_EXCLUDE);
        router.ask(GROUP, &[0x11, 1, 0, 0, a, b, c, d, 2, 125, 0, 0]);
        assert_eq!(router.hear_record(), IS_EXCLUDE);
        socket.leave_multicast_v4(&GROUP, &KERNEL.into()).unwrap();
        assert_eq!([router.hear_record(), router.hear_record()], [TO_INCLUDE; 2]);
        assert_eq!(node.counter("igmp", "queries"), 2);
        assert_eq!(node.counter("igmp", "bad"), 0);
    });
}

#[test]
fn a_router_of_version_2_is_spoken_to_in_its_language() {
    with_link("a_router_of_version_2_is_spoken_to_in_its_language", |_, node| {
        let router = Router::new();
        let socket = local::UdpSocket::bind(node, "0.0.0.0:7000").unwrap();
        socket.join_multicast_v4(&GROUP, &KERNEL.into()).unwrap();
        assert_eq!([router.hear_record(), router.hear_record()], [TO_EXCLUDE; 2]);
        sockopt::set_ip_add_membership(&router.ears, &GROUP, &HOST.into()).unwrap();
        router.ask(ALL_HOSTS, &[0x11, 1, 0, 0, 0, 0, 0, 0]);
        let Ip { dst, payload, .. } = router.hear();
        assert_eq!((dst, payload[0], &payload[4..]), (GROUP, 0x16, &GROUP.octets()[..]));
        socket.leave_multicast_v4(&GROUP, &KERNEL.into()).unwrap();
        let Ip { dst, payload, .. } = router.hear();
        assert_eq!((dst, payload[0], &payload[4..]), (ALL_ROUTERS, 0x17, &GROUP.octets()[..]));
        assert_eq!(node.counter("igmp", "bad"), 0);
    });
}

/// What Linux says of groups of its own is nothing that is wrong with us.
#[test]
fn linux_s_own_reports_are_taken() {
    with_link("linux_s_own_reports_are_taken", |_, node| {
        let ours = local::UdpSocket::bind(node, "0.0.0.0:7000").unwrap();
        ours.join_multicast_v4(&GROUP, &KERNEL.into()).unwrap();
        let packets = |name| node.counter("ip", name);
        let theirs = UdpSocket::bind("0.0.0.0:7000").unwrap();
        // Version 3 goes to routers, of which we are none.
        let before = packets("not_member");
        theirs.join_multicast_v4(&GROUP, &HOST.into()).unwrap();
        within("a report of version 3", || packets("not_member") > before);
        let before = packets("not_member");
        theirs.leave_multicast_v4(&GROUP, &HOST.into()).unwrap();
        within("its end", || packets("not_member") > before);
        // Those of the versions before go to the group.
        for version in [2, 1] {
            let file = "/proc/sys/net/ipv4/conf/tap0/force_igmp_version";
            std::fs::write(file, version.to_string()).unwrap();
            let heard = node.counter("igmp", "reports_heard");
            theirs.join_multicast_v4(&GROUP, &HOST.into()).unwrap();
            within("a report to the group", || node.counter("igmp", "reports_heard") > heard);
            theirs.leave_multicast_v4(&GROUP, &HOST.into()).unwrap();
        }
        assert_eq!(node.counter("igmp", "bad"), 0);
        let bad = ["bad_header", "bad_address", "bad_options"].map(packets);
        assert_eq!(bad, [0; 3]);
        assert_eq!(node.on("virt0", |_, ifp| ifp.counters.ierrors.get()).unwrap(), 0);
    });
}

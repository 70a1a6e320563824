//! Groups: who hears them, how packets for them leave, and what routers are told.

mod support;

use std::net::Ipv4Addr;
use std::time::Duration;

use base::Errno;
use local::{RawSocket, TcpListener, UdpSocket, ifconfig};
use support::*;

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 1, 1);
const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const V3_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 22);

fn shared(kernel: &base::Kernel) -> UdpSocket {
    let socket = UdpSocket::bind_shared(kernel, "0.0.0.0:5000").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    socket
}

#[test]
fn rfc1112_7_1_a_socket_hears_the_groups_that_it_is_in() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let sender = socket(&a, "10.0.0.1:0");
        let [x, y] = [shared(&b), shared(&b)];
        let send =
            |data: &[u8]| assert_eq!(sender.send_to(data, (GROUP, 5000)).unwrap(), data.len());
        // A marker behind what must not arrive.
        let sync = || {
            sender.send_to(b"sync", (B, 7)).unwrap();
        };
        let marks = socket(&b, "10.0.0.2:7");
        send(b"nobody");
        sync();
        assert_eq!(text(&marks), "sync");
        assert_eq!(counter(&b, "ip", "not_member"), 1);
        x.join_multicast_v4(&GROUP, &B).unwrap();
        send(b"one");
        assert_eq!(text(&x), "one");
        silent(&y);
        // All who share the port and are in the group have a copy.
        y.join_multicast_v4(&GROUP, &ANY).unwrap();
        send(b"both");
        assert_eq!((text(&x), text(&y)), ("both".into(), "both".into()));
        x.leave_multicast_v4(&GROUP, &ANY).unwrap();
        send(b"other");
        assert_eq!(text(&y), "other");
        silent(&x);
        // A membership ends with its socket.
        drop(y);
        send(b"nobody");
        sync();
        assert_eq!(text(&marks), "sync");
        assert_eq!(counter(&b, "ip", "not_member"), 2);
        // The group of all hosts is everybody's.
        sender.send_to(b"all", "224.0.0.1:5000").unwrap();
        assert_eq!(text(&x), "all");
        drop((sender, x, marks));
        end(a);
        end(b);
    });
}

#[test]
fn a_membership_ends_with_the_interface_or_its_address() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let [sender, marks] = [socket(&a, "10.0.0.1:0"), socket(&b, "0.0.0.0:7")];
        let x = shared(&b);
        x.join_multicast_v4(&GROUP, &B).unwrap();
        ifconfig::delete(&b, "shmif0", B).unwrap();
        ifconfig::inet(&b, "shmif0", B, 24).unwrap();
        sender.send_to(b"nobody", (GROUP, 5000)).unwrap();
        sender.send_to(b"sync", (B, 7)).unwrap();
        assert_eq!(text(&marks), "sync");
        assert_eq!(counter(&b, "ip", "not_member"), 1);
        fails_with(x.leave_multicast_v4(&GROUP, &B), Errno::AddrNotAvailable);
        x.join_multicast_v4(&GROUP, &B).unwrap();
        ifconfig::destroy(&b, "shmif0").unwrap();
        fails_with(x.leave_multicast_v4(&GROUP, &ANY), Errno::AddrNotAvailable);
        fails_with(x.join_multicast_v4(&GROUP, &ANY), Errno::NotSuchDevice);
        drop((sender, marks, x));
        end(a);
        end(b);
    });
}

#[test]
fn rfc1112_6_1_copies_for_this_kernel_and_the_interface_to_leave_by() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let [x, y] = [shared(&a), shared(&b)];
        x.join_multicast_v4(&GROUP, &A).unwrap();
        y.join_multicast_v4(&GROUP, &B).unwrap();
        let sender = socket(&a, "0.0.0.0:0");
        assert!(sender.multicast_loop_v4().unwrap());
        sender.send_to(b"both", (GROUP, 5000)).unwrap();
        assert_eq!((text(&x), text(&y)), ("both".into(), "both".into()));
        sender.set_multicast_loop_v4(false).unwrap();
        sender.send_to(b"theirs", (GROUP, 5000)).unwrap();
        assert_eq!(text(&y), "theirs");
        silent(&x);
        // By lo0, from its address: nobody else hears it, and here who joined there.
        sender.set_multicast_loop_v4(true).unwrap();
        sender.set_multicast_if_v4(&Ipv4Addr::LOCALHOST).unwrap();
        x.join_multicast_v4(&GROUP, &Ipv4Addr::LOCALHOST).unwrap();
        sender.send_to(b"here", (GROUP, 5000)).unwrap();
        let mut buf = [0; 8];
        let (n, from) = x.recv_from(&mut buf).unwrap();
        assert_eq!((&buf[..n], from.ip()), (b"here".as_slice(), Ipv4Addr::LOCALHOST.into()));
        silent(&y);
        fails_with(sender.set_multicast_if_v4(&B), Errno::AddrNotAvailable);
        sender.set_multicast_if_v4(&ANY).unwrap();
        sender.send_to(b"both", (GROUP, 5000)).unwrap();
        assert_eq!((text(&x), text(&y)), ("both".into(), "both".into()));
    });
}

#[test]
fn rfc1112_6_1_a_datagram_to_a_group_is_cut_like_any_other() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let [x, y] = [shared(&a), shared(&b)];
        x.join_multicast_v4(&GROUP, &A).unwrap();
        y.join_multicast_v4(&GROUP, &B).unwrap();
        let sender = socket(&a, "0.0.0.0:0");
        for size in [1472, 1473, 20_000, 65_507] {
            let data: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            assert_eq!(sender.send_to(&data, (GROUP, 5000)).unwrap(), size);
            for receiver in [&x, &y] {
                let mut buf = vec![0; 70_000];
                let n = receiver.recv(&mut buf).unwrap();
                assert!(buf[..n] == data, "{n} of {size}");
            }
        }
        assert_eq!(counter(&b, "ip", "reassembled"), 3);
        // What is for everybody is not.
        sender.set_broadcast(true).unwrap();
        fails_with(sender.send_to(&[0; 1473], "10.0.0.255:5000"), Errno::MessageSize);
    });
}

#[test]
fn what_cannot_be_joined_or_left() {
    everywhere(|host| {
        let (_a, b) = pair(host);
        let x = shared(&b);
        fails_with(x.join_multicast_v4(&A, &ANY), Errno::Invalid);
        fails_with(x.join_multicast_v4(&GROUP, &Ipv4Addr::new(9, 9, 9, 9)), Errno::NotSuchDevice);
        fails_with(x.leave_multicast_v4(&GROUP, &ANY), Errno::AddrNotAvailable);
        x.join_multicast_v4(&GROUP, &B).unwrap();
        fails_with(x.join_multicast_v4(&GROUP, &ANY), Errno::AddrInUse);
        for n in 2..21 {
            x.join_multicast_v4(&Ipv4Addr::new(239, 1, 1, n), &B).unwrap();
        }
        fails_with(x.join_multicast_v4(&Ipv4Addr::new(239, 1, 1, 99), &B), Errno::NoBuffers);
        x.leave_multicast_v4(&GROUP, &B).unwrap();
        x.join_multicast_v4(&Ipv4Addr::new(239, 1, 1, 99), &B).unwrap();
        let stream = TcpListener::bind(&b, "0.0.0.0:80").unwrap();
        let fd = stream.fd();
        let joined =
            b.enter(|l| net::socket::api::set_option(l, fd, 0, 35, &[239, 1, 1, 1, 0, 0, 0, 0]));
        assert_eq!(joined.unwrap(), Err(Errno::NoProtocolOption));
        // An ip_mreqn names the interface by its index.
        let set = |name: i32, value: &[u8]| {
            b.enter(|l| net::socket::api::set_option(l, x.fd(), 0, name, value)).unwrap()
        };
        let index = b.enter(|l| net::ifnet::config::find(l, "shmif0").unwrap().index()).unwrap();
        let mreqn = |index: u32| [[239, 1, 1, 1], [0; 4], index.to_ne_bytes()].concat();
        assert_eq!(set(35, &mreqn(99)), Err(Errno::NotSuchDevice));
        assert_eq!(set(36, &mreqn(index)), Err(Errno::AddrNotAvailable));
        x.leave_multicast_v4(&Ipv4Addr::new(239, 1, 1, 99), &B).unwrap();
        assert_eq!(set(35, &mreqn(index)), Ok(()));
        assert_eq!(set(35, &mreqn(index)), Err(Errno::AddrInUse));
        assert_eq!(set(35, &[239, 1, 1]), Err(Errno::Invalid));
    });
}

/// The next IGMP message: its source, receiver, and bytes.
fn message(router: &RawSocket) -> (Ipv4Addr, Vec<u8>) {
    let mut buf = [0; 512];
    let (n, _) = router.recv_from(&mut buf).unwrap();
    let dst = Ipv4Addr::new(buf[16], buf[17], buf[18], buf[19]);
    // RFC 3376 §4: TTL 1, precedence 6, and a router alert (RFC 2113).
    assert_eq!((buf[0], buf[1], buf[8]), (0x46, 0xc0, 1));
    assert_eq!(buf[20..24], [0x94, 4, 0, 0]);
    (dst, buf[24..n].to_vec())
}

fn checked(mut query: Vec<u8>) -> Vec<u8> {
    let sum = query.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum::<u32>();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    query[2..4].copy_from_slice(&sum.to_be_bytes());
    query
}

#[test]
fn rfc3376_routers_are_told_and_asked_for() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let router = RawSocket::new(&a, 2).unwrap();
        router.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        router.set_multicast_loop_v4(false).unwrap();
        for group in [V3_ROUTERS, GROUP, Ipv4Addr::new(224, 0, 0, 2)] {
            router.join_multicast_v4(&group, &A).unwrap();
        }
        let of_group = |change: u8| vec![change, 0, 0, 0, 239, 1, 1, 1];
        let x = shared(&b);
        x.join_multicast_v4(&GROUP, &B).unwrap();
        // Our own reports are not looped; so whatever comes is B's, as often as the robustness says.
        for _ in 0..2 {
            let (dst, said) = message(&router);
            assert_eq!((dst, said[0], &said[8..]), (V3_ROUTERS, 0x22, &of_group(4)[..]));
        }
        // A query for the group, to be answered within 0.1 s.
        let ask = |query: &[u8], to: Ipv4Addr| {
            router.send_to(&checked(query.to_vec()), to).unwrap();
        };
        ask(&[0x11, 1, 0, 0, 239, 1, 1, 1, 2, 125, 0, 0], GROUP);
        let (dst, said) = message(&router);
        assert_eq!((dst, &said[8..]), (V3_ROUTERS, &of_group(2)[..]));
        // One for all groups, of version 2: so is the answer.
        ask(&[0x11, 1, 0, 0, 0, 0, 0, 0], Ipv4Addr::new(224, 0, 0, 1));
        let (dst, said) = message(&router);
        assert_eq!((dst, said[0], &said[4..]), (GROUP, 0x16, &[239, 1, 1, 1][..]));
        drop(x);
        let (dst, said) = message(&router);
        assert_eq!((dst, said[0]), (Ipv4Addr::new(224, 0, 0, 2), 0x17));
        assert_eq!(counter(&b, "igmp", "queries"), 2);
        assert_eq!(counter(&b, "igmp", "bad"), 0);
        // From beyond the link, or damaged: not heeded.
        router.set_multicast_ttl_v4(2).unwrap();
        ask(&[0x11, 1, 0, 0, 0, 0, 0, 0], Ipv4Addr::new(224, 0, 0, 1));
        router.set_multicast_ttl_v4(1).unwrap();
        router.send_to(&[0x11, 1, 0, 0, 0, 0, 0, 0], Ipv4Addr::new(224, 0, 0, 1)).unwrap();
        let [mark, marks] = [socket(&a, "0.0.0.0:0"), socket(&b, "0.0.0.0:7")];
        mark.send_to(b"sync", (B, 7)).unwrap();
        assert_eq!(text(&marks), "sync");
        assert_eq!(counter(&b, "igmp", "bad"), 2);
    });
}

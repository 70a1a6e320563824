//! Raw sockets and ping sockets; malformed datagrams made with them.

mod support;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use base::Errno;
use local::{Ping, Pinger, RawSocket, ifconfig, ping, route};
use netinet::checksum::{Sum, pseudo};
use netinet::wire::ipv4::Ipv4Header;
use support::*;

const UDP: u8 = 17;
const ICMP: u8 = 1;
const SECOND: Option<Duration> = Some(Duration::from_secs(1));

#[test]
fn echo_is_answered_here_and_on_the_link() {
    everywhere(|host| {
        let (a, b) = pair(host);
        for dst in [Ipv4Addr::LOCALHOST, A, B] {
            let time = ping(&a, dst, Ping::default()).unwrap_or_else(|e| panic!("{dst}: {e}"));
            assert!(time < Duration::from_secs(1));
        }
        let mut pinger = Pinger::new(&a, B, Ping { size: 4000, ..Ping::default() }).unwrap();
        for _ in 0..3 {
            pinger.ping().unwrap();
        }
        drop(pinger);
        end(a);
        end(b);
    });
}

#[test]
fn nobody_answers_and_nobody_knows_the_way() {
    everywhere(|host| {
        let (a, _b) = pair(host);
        let how = Ping { timeout: Duration::from_millis(50), ..Ping::default() };
        let silent = ping(&a, Ipv4Addr::new(10, 0, 0, 9), how).unwrap_err();
        assert_eq!(silent.kind(), ErrorKind::TimedOut);
        fails_with(ping(&a, Ipv4Addr::new(192, 0, 2, 1), how), Errno::NetUnreachable);
    });
}

/// RFC 792: a router out of hops says so, and the ping ends with that, not with a timeout.
#[test]
fn rfc792_time_exceeded_ends_a_ping() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let c = boot(host);
        for (kernel, name, addr) in [(&b, "shmif1", [10, 0, 1, 1]), (&c, "shmif0", [10, 0, 1, 2])] {
            ifconfig::create(kernel, name).unwrap();
            ifconfig::linkstr(kernel, name, "second").unwrap();
            ifconfig::inet(kernel, name, addr, 24).unwrap();
        }
        route::add_default(&a, B).unwrap();
        route::add(&c, [10, 0, 0, 0], 24, [10, 0, 1, 1]).unwrap();
        let far = Ipv4Addr::new(10, 0, 1, 2);
        ping(&a, far, Ping::default()).unwrap();
        let short = Ping { ttl: 1, ..Ping::default() };
        fails_with(ping(&a, far, short), Errno::HostUnreachable);
        assert_eq!(route::get(&a, far).unwrap().interface, "shmif0");
        assert_eq!(route::flush(&a).unwrap(), 1);
        assert!(ifconfig::list(&b).unwrap().iter().any(|i| i.name == "shmif1" && i.packets.0 > 0));
    });
}

#[test]
fn a_raw_socket_sees_packets_with_their_header() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let raw = RawSocket::new(&b, ICMP).unwrap();
        raw.set_read_timeout(SECOND).unwrap();
        ping(&a, B, Ping::default()).unwrap();
        let mut buf = [0; 256];
        let (n, from) = raw.recv_from(&mut buf).unwrap();
        assert_eq!((n, from), (84, IpAddr::V4(A)));
        let view = Ipv4Header::parse(&buf[..n], n).unwrap();
        assert_eq!((view.header.src(), view.header.dst(), view.header.ttl), (A, B, 255));
        assert_eq!(buf[20], 8, "an echo request");
        // Of what it does not want, it sees nothing.
        let other = RawSocket::new(&b, 89).unwrap();
        other.set_nonblocking(true).unwrap();
        raw.connect(Ipv4Addr::new(10, 0, 0, 77)).unwrap();
        raw.set_nonblocking(true).unwrap();
        ping(&a, B, Ping::default()).unwrap();
        fails_with(other.recv(&mut buf), Errno::WouldBlock);
        fails_with(raw.recv(&mut buf), Errno::WouldBlock);
    });
}

#[test]
fn two_raw_sockets_of_a_protocol_of_one_s_own() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let (x, y) = (RawSocket::new(&a, 253).unwrap(), RawSocket::new(&b, 253).unwrap());
        y.set_read_timeout(SECOND).unwrap();
        x.send_to(b"protocol 253", B).unwrap();
        let mut buf = [0; 64];
        let n = y.recv(&mut buf).unwrap();
        assert_eq!(&buf[20..n], b"protocol 253");
        fails_with(x.send(b"to whom?"), Errno::DestinationRequired);
        fails_with(RawSocket::new(&a, 0), Errno::NoProtocol);
    });
}

#[test]
fn a_header_of_one_s_own_is_completed() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let (x, y) = (RawSocket::new(&a, 255).unwrap(), RawSocket::new(&b, 253).unwrap());
        x.set_header_included(true).unwrap();
        y.set_read_timeout(SECOND).unwrap();
        let header = Ipv4Header::new(Ipv4Addr::UNSPECIFIED, B, 253, 17, 0);
        let mut packet = zerocopy_bytes(&header);
        packet.extend_from_slice(b"mine");
        x.send_to(&packet, B).unwrap();
        let mut buf = [0; 64];
        let n = y.recv(&mut buf).unwrap();
        let view = Ipv4Header::parse(&buf[..n], n).unwrap();
        assert_eq!((view.header.src(), view.header.ttl, n), (A, 17, 24));
        assert_ne!(view.header.id(), 0);
        for bad in [&packet[..0], &packet[..19], &[0x65; 24][..], &[0x44; 24][..], &[0x4f; 24][..]]
        {
            fails_with(x.send_to(bad, B), Errno::Invalid);
        }
    });
}

fn zerocopy_bytes(header: &Ipv4Header) -> Vec<u8> {
    let mut out = vec![0x45, header.tos, 0, 0, 0, 0, 0, 0, header.ttl, header.protocol, 0, 0];
    out.extend_from_slice(&header.src().octets());
    out.extend_from_slice(&header.dst().octets());
    out
}

/// A datagram from port 1000 of [`A`] to port 7 of [`B`], with the length that it claims.
fn datagram(len: u16, data: &[u8]) -> Vec<u8> {
    let mut out = [1000_u16.to_be_bytes(), 7_u16.to_be_bytes(), len.to_be_bytes(), [0; 2]].concat();
    out.extend_from_slice(data);
    let mut sum = pseudo(A, B, UDP, len);
    sum.append(Sum::of(&out[..out.len().min(len.into())]));
    out[6..8].copy_from_slice(&sum.checksum().to_be_bytes());
    out
}

#[test]
fn rfc768_and_rfc1122_4_1_3_4_malformed_datagrams_are_counted_and_dropped() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let server = socket(&b, "10.0.0.2:7");
        let raw = RawSocket::new(&a, UDP).unwrap();
        let send = |datagram: &[u8]| raw.send_to(datagram, B).unwrap();
        send(&datagram(12, b"good"));
        assert_eq!(text(&server), "good");
        // What the length does not cover is no part of it.
        send(&datagram(12, b"goodbye"));
        assert_eq!(text(&server), "good");
        let mut damaged = datagram(12, b"good");
        damaged[9] ^= 1;
        send(&damaged);
        let mut no_checksum = datagram(12, b"fine");
        no_checksum[6..8].fill(0);
        send(&datagram(13, b"good")); // longer than the packet
        send(&datagram(7, b"good")); // shorter than the header
        send(&datagram(12, b"good")[..7]); // not even a header
        send(&no_checksum);
        assert_eq!(text(&server), "fine");
        assert_eq!(counter(&b, "udp", "bad_checksum"), 1);
        assert_eq!(counter(&b, "udp", "bad_length"), 3);
        assert_eq!(counter(&b, "udp", "received"), 7);
        assert_eq!(counter(&b, "udp", "delivered"), 3);
        silent(&server);
    });
}

/// Memory that runs out at any charge of an echo's way, in either kernel, is an error or a loss;
/// the next echo is answered, and nothing leaks.
#[test]
fn the_nth_charge_refused() {
    for nth in 1.. {
        let sim = sim::Sim::seeded(nth);
        let refused = sim.run(|| {
            let host: std::sync::Arc<dyn base::Host> = sim.clone();
            let (a, b) = pair(&host);
            let how = Ping { size: 2000, timeout: Duration::from_secs(5), ..Ping::default() };
            sim.faults().refuse_nth_charge(nth);
            let _ = ping(&a, B, how);
            let refused = sim.faults().refused();
            sim.faults().clear();
            ping(&a, B, how).unwrap_or_else(|e| panic!("after refusal {nth}: {e}"));
            end(a);
            end(b);
            refused
        });
        if refused == 0 {
            assert!(nth > 15, "only {nth} charges");
            return;
        }
    }
}

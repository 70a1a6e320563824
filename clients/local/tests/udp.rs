//! UDP sockets: addresses, ports, peers, broadcasts, errors, limits.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base::{Errno, Kernel};
use local::{Events, Poll, RawSocket, UdpSocket, poll};
use support::*;

#[test]
fn a_datagram_goes_round_in_one_kernel_and_between_two() {
    everywhere(|host| {
        let (a, b) = pair(host);
        for (from, to, at) in [(&a, &a, "127.0.0.1"), (&a, &a, "10.0.0.1"), (&a, &b, "10.0.0.2")] {
            let server = socket(to, &format!("{at}:7"));
            let client = socket(from, "0.0.0.0:0");
            assert_eq!(client.send_to(b"hello", (at, 7)).unwrap(), 5);
            let mut buf = [0; 16];
            let (n, peer) = server.recv_from(&mut buf).unwrap();
            assert_eq!(&buf[..n], b"hello");
            assert_eq!(peer.port(), client.local_addr().unwrap().port());
            server.send_to(b"there", peer).unwrap();
            assert_eq!(text(&client), "there");
        }
        end(a);
        end(b);
    });
}

#[test]
fn connected_sockets_read_and_write_as_std_s() {
    everywhere(|host| {
        let kernel = boot(host);
        let mut server = socket(&kernel, "127.0.0.1:7");
        let mut client = socket(&kernel, "127.0.0.1:0");
        client.connect("127.0.0.1:7").unwrap();
        server.connect(client.local_addr().unwrap()).unwrap();
        client.write_all(b"ping").unwrap();
        let mut buf = [0; 4];
        server.read_exact(&mut buf).unwrap();
        (&server).write_all(&buf).unwrap();
        assert_eq!((&client).read(&mut buf).unwrap(), 4);
        assert_eq!(client.peer_addr().unwrap(), "127.0.0.1:7".parse().unwrap());
    });
}

/// Every length from nothing to the most that IPv4 carries; past one link's MTU in pieces.
#[test]
fn rfc768_every_length_arrives_whole() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let server = socket(&b, "10.0.0.2:7");
        let client = socket(&a, "0.0.0.0:0");
        client.connect("10.0.0.2:7").unwrap();
        let mut buf = vec![0; 70_000];
        for len in [0, 1, 168, 169, 1472, 1473, 9000, 65_507] {
            let data: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            assert_eq!(client.send(&data).unwrap(), len);
            let got = server.recv(&mut buf).unwrap_or_else(|e| panic!("{len} bytes: {e}"));
            assert_eq!(got, len);
            assert_eq!(buf[..len], data, "{len}");
        }
        fails_with(client.send(&vec![0; 65_508]), Errno::MessageSize);
    });
}

#[test]
fn what_does_not_fit_the_reader_is_lost_and_peeking_leaves_it() {
    on_sims(|sim| {
        let host: std::sync::Arc<dyn base::Host> = sim.clone();
        let kernel = boot(&host);
        let s = socket(&kernel, "127.0.0.1:7");
        s.send_to(b"abcdef", "127.0.0.1:7").unwrap();
        s.send_to(b"xy", "127.0.0.1:7").unwrap();
        let mut buf = [0; 3];
        assert_eq!(s.peek(&mut buf).unwrap(), 3);
        assert_eq!(s.peek_from(&mut buf).unwrap().1, "127.0.0.1:7".parse().unwrap());
        assert_eq!(s.recv(&mut buf).unwrap(), 3);
        assert_eq!(&buf, b"abc");
        assert_eq!(text(&s), "xy");
    });
}

#[test]
fn rfc1122_4_1_3_3_port_unreachable_comes_back_to_who_is_connected() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let client = socket(&a, "0.0.0.0:0");
        client.connect("10.0.0.2:9").unwrap();
        client.send(b"anybody?").unwrap();
        fails_with(client.recv(&mut [0; 8]), Errno::ConnectionRefused);
        assert_eq!(counter(&b, "udp", "no_port"), 1);
        // One error, reported once.
        silent(&client);
        // Who is not connected talks to many, and does not hear.
        let other = UdpSocket::bind(&a, "0.0.0.0:0").unwrap();
        other.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        other.send_to(b"anybody?", "10.0.0.2:9").unwrap();
        fails_with(other.recv(&mut [0; 8]), Errno::WouldBlock);
        assert!(other.take_error().unwrap().is_none());
    });
}

#[test]
fn rfc1122_4_1_3_5_a_peer_an_address_and_a_wildcard() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let any = UdpSocket::bind_shared(&b, "0.0.0.0:7").unwrap();
        let exact = UdpSocket::bind_shared(&b, "10.0.0.2:7").unwrap();
        let peer = UdpSocket::bind_shared(&b, "0.0.0.0:7").unwrap();
        let client = socket(&a, "10.0.0.1:1000");
        let other = socket(&a, "10.0.0.1:1001");
        peer.connect("10.0.0.1:1000").unwrap();
        for s in [&any, &exact, &peer] {
            s.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        }
        client.send_to(b"from the peer", "10.0.0.2:7").unwrap();
        other.send_to(b"from another", "10.0.0.2:7").unwrap();
        socket(&b, "0.0.0.0:0").send_to(b"from here", "127.0.0.1:7").unwrap();
        assert_eq!(text(&peer), "from the peer");
        assert_eq!(text(&exact), "from another");
        assert_eq!(text(&any), "from here");
        [any, exact, peer].iter().for_each(silent);
    });
}

#[test]
fn addresses_and_ports_that_cannot_be_had() {
    everywhere(|host| {
        let kernel = boot(host);
        fails_with(UdpSocket::bind(&kernel, "10.9.9.9:7"), Errno::AddrNotAvailable);
        fails_with(UdpSocket::bind(&kernel, "[::1]:7"), Errno::NoFamily);
        let s = socket(&kernel, "127.0.0.1:7");
        fails_with(UdpSocket::bind(&kernel, "127.0.0.1:7"), Errno::AddrInUse);
        fails_with(UdpSocket::bind(&kernel, "0.0.0.0:7"), Errno::AddrInUse);
        fails_with(s.send(b"x"), Errno::DestinationRequired);
        fails_with(s.send_to(b"x", "127.0.0.1:0"), Errno::Invalid);
        fails_with(s.send_to(b"x", "192.0.2.1:7"), Errno::NetUnreachable);
        fails_with(s.connect("192.0.2.1:7"), Errno::NetUnreachable);
        fails_with(s.peer_addr(), Errno::NotConnected);
        let port = s.local_addr().unwrap();
        drop(s);
        assert_eq!(socket(&kernel, "127.0.0.1:7").local_addr().unwrap(), port);
    });
}

#[test]
fn rfc6056_ports_are_chosen_in_the_range_and_run_out() {
    everywhere(|host| {
        let kernel = boot(host);
        sysctl(&kernel, "net.inet.ip.anonportmin", 50_000).unwrap();
        sysctl(&kernel, "net.inet.ip.anonportmax", 50_009).unwrap();
        let all: Vec<UdpSocket> =
            (0..10).map(|_| UdpSocket::bind(&kernel, "0.0.0.0:0").unwrap()).collect();
        let mut ports: Vec<u16> = all.iter().map(|s| s.local_addr().unwrap().port()).collect();
        let in_order = ports.is_sorted();
        ports.sort_unstable();
        assert!(ports.iter().copied().eq(50_000..50_010), "{ports:?}");
        assert!(!in_order, "ten random ports in order are one chance in 3,628,800");
        fails_with(UdpSocket::bind(&kernel, "0.0.0.0:0"), Errno::AddrInUse);
        assert_eq!(sysctl(&kernel, "net.inet.ip.anonportmin", 80), Err(Errno::Invalid));
    });
}

#[test]
fn rfc1122_4_1_3_6_and_3_2_2_broadcasts_reach_everybody_and_cause_no_errors() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let first = UdpSocket::bind_shared(&b, "0.0.0.0:7").unwrap();
        let second = UdpSocket::bind_shared(&b, "0.0.0.0:7").unwrap();
        let exact = UdpSocket::bind_shared(&b, "10.0.0.2:7").unwrap();
        for s in [&first, &second, &exact] {
            s.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        }
        let client = socket(&a, "0.0.0.0:0");
        fails_with(client.send_to(b"all", "10.0.0.255:7"), Errno::AccessDenied);
        fails_with(client.send_to(b"all", "255.255.255.255:7"), Errno::AccessDenied);
        client.set_broadcast(true).unwrap();
        for to in ["10.0.0.255:7", "255.255.255.255:7"] {
            client.send_to(b"all", to).unwrap();
            assert_eq!((text(&first), text(&second)), ("all".into(), "all".into()), "{to}");
        }
        silent(&exact);
        // Nobody has this port: no error comes back.
        client.send_to(b"all", "10.0.0.255:9").unwrap();
        client.send_to(b"done", "10.0.0.2:7").unwrap();
        assert_eq!(text(&exact), "done");
        assert_eq!(counter(&b, "udp", "no_port_broadcast"), 1);
        assert_eq!(counter(&b, "udp", "no_port"), 0);
    });
}

#[test]
fn a_full_socket_drops_and_counts_and_others_are_not_hurt() {
    everywhere(|host| {
        let kernel = boot(host);
        let (full, other) = (socket(&kernel, "127.0.0.1:7"), socket(&kernel, "127.0.0.1:8"));
        full.set_receive_buffer(4096).unwrap();
        let client = socket(&kernel, "127.0.0.1:0");
        for _ in 0..20 {
            client.send_to(&[7; 1000], "127.0.0.1:7").unwrap();
        }
        client.send_to(b"alive", "127.0.0.1:8").unwrap();
        assert_eq!(text(&other), "alive");
        let dropped = counter(&kernel, "udp", "full");
        let mut got = 0;
        full.set_nonblocking(true).unwrap();
        while full.recv(&mut [0; 2000]).is_ok() {
            got += 1;
        }
        assert!((1..=4).contains(&got), "{got} of 1000 bytes in 4096");
        assert_eq!(got + dropped, 20);
    });
}

#[test]
fn reads_time_out_and_nonblocking_ones_do_not_wait() {
    everywhere(|host| {
        let kernel = boot(host);
        let s = UdpSocket::bind(&kernel, "127.0.0.1:7").unwrap();
        let timeout = Duration::from_millis(30);
        s.set_read_timeout(Some(timeout)).unwrap();
        assert_eq!(s.read_timeout().unwrap(), Some(timeout));
        assert!(s.set_read_timeout(Some(Duration::ZERO)).is_err());
        let start = host.now();
        assert_eq!(s.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        assert!(host.now().saturating_since(start) >= timeout);
        s.set_nonblocking(true).unwrap();
        assert_eq!(s.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn poll_waits_for_any_of_several() {
    everywhere(|host| {
        let kernel = boot(host);
        let (a, b) = (socket(&kernel, "127.0.0.1:7"), socket(&kernel, "127.0.0.1:8"));
        let mut these = [Poll::new(a.fd(), Events::IN), Poll::new(b.fd(), Events::IN)];
        let brief = Some(Duration::from_millis(10));
        assert_eq!(poll(&kernel, &mut these, brief).unwrap(), 0);
        a.send_to(b"x", "127.0.0.1:8").unwrap();
        assert_eq!(poll(&kernel, &mut these, Some(Duration::from_secs(1))).unwrap(), 1);
        assert_eq!((these[0].ready, these[1].ready), (Events::empty(), Events::IN));
        let mut these = [Poll::new(a.fd(), Events::OUT)];
        assert_eq!(poll(&kernel, &mut these, None).unwrap(), 1);
    });
}

#[test]
fn a_blocked_read_hears_of_what_another_thread_sends() {
    on_sims(|sim| {
        let host: std::sync::Arc<dyn base::Host> = sim.clone();
        let kernel = boot(&host);
        let server = socket(&kernel, "127.0.0.1:7");
        let client = socket(&kernel, "127.0.0.1:0");
        let sender = sim.spawn("sender", move || {
            client.send_to(b"late", "127.0.0.1:7").unwrap();
        });
        assert_eq!(text(&server), "late");
        sender.join();
    });
}

#[test]
fn sockets_outlive_their_kernel_without_harm() {
    everywhere(|host| {
        let kernel = boot(host);
        let s = socket(&kernel, "127.0.0.1:7");
        s.send_to(b"never read", "127.0.0.1:7").unwrap();
        let copy = s.try_clone().unwrap();
        drop(s);
        end(kernel);
        fails_with(copy.send_to(b"x", "127.0.0.1:7"), Errno::NoDevice);
        fails_with(copy.recv(&mut [0; 8]), Errno::NoDevice);
    });
}

#[test]
fn rfc1122_4_1_3_4_without_checksums_datagrams_are_taken() {
    everywhere(|host| {
        let (a, b) = pair(host);
        sysctl(&a, "net.inet.udp.checksum", 0).unwrap();
        let server = socket(&b, "0.0.0.0:7");
        socket(&a, "0.0.0.0:0").send_to(b"plain", "10.0.0.2:7").unwrap();
        assert_eq!(text(&server), "plain");
        assert_eq!(counter(&b, "udp", "no_checksum"), 1);
    });
}

/// RFC 1122 §4.1.4: the program may say TTL and TOS; the kernel tells the peer's address.
#[test]
fn rfc1122_4_1_4_ttl_is_the_program_s_to_say() {
    everywhere(|host| {
        let kernel = boot(host);
        let s = socket(&kernel, "127.0.0.1:7");
        assert_eq!(s.ttl().unwrap(), 64);
        s.set_ttl(3).unwrap();
        assert_eq!(s.ttl().unwrap(), 3);
        fails_with(s.set_ttl(0), Errno::Invalid);
        fails_with(s.set_ttl(256), Errno::Invalid);
    });
}

/// RFC 1112 §6.1: hops of what is for a group are another number, 1 unless the program says more.
#[test]
fn rfc1112_6_1_what_is_for_a_group_stays_on_the_link() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let (from, to) = (socket(&a, "0.0.0.0:0"), socket(&b, "0.0.0.0:7"));
        let raw = RawSocket::new(&b, 17).unwrap();
        raw.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        from.set_ttl(9).unwrap();
        assert_eq!(from.multicast_ttl_v4().unwrap(), 1);
        let ttl = |more: Option<u32>| {
            more.map(|ttl| from.set_multicast_ttl_v4(ttl)).transpose().unwrap();
            from.send_to(b"all hosts", "224.0.0.1:7").unwrap();
            let mut buf = [0; 64];
            raw.recv_from(&mut buf).map(|_| buf[8])
        };
        assert_eq!(ttl(None).unwrap(), 1);
        assert_eq!(text(&to), "all hosts");
        assert_eq!(ttl(Some(255)).unwrap(), 255);
        assert_eq!(text(&to), "all hosts");
        assert!(ttl(Some(0)).is_err(), "it does not leave the kernel");
        fails_with(from.set_multicast_ttl_v4(256), Errno::Invalid);
        end(a);
        end(b);
    });
}

#[test]
fn a_thousand_sockets_cost_what_is_charged_and_give_it_back() {
    everywhere(|host| {
        let kernel = boot(host);
        drop(UdpSocket::bind(&kernel, "0.0.0.0:0").unwrap());
        let before = kernel.account().used();
        let all: Vec<UdpSocket> =
            (0..1000).map(|_| UdpSocket::bind(&kernel, "0.0.0.0:0").unwrap()).collect();
        let each = (kernel.account().used() - before) / 1000;
        assert!((200..3000).contains(&each), "{each} bytes a socket");
        drop(all);
        // The descriptor table keeps its memory.
        let left = kernel.account().used() - before;
        assert!(left < 64 << 10, "{left} bytes are left");
        end(kernel);
    });
}

/// Memory that runs out at any charge of a datagram's way is an error or a loss, and no leak.
#[test]
fn the_nth_charge_refused() {
    for nth in 1.. {
        let sim = sim::Sim::seeded(nth);
        let refused = sim.run(|| {
            let host: std::sync::Arc<dyn base::Host> = sim.clone();
            let kernel = boot(&host);
            sim.faults().refuse_nth_charge(nth);
            let _ = exchange(&kernel);
            let refused = sim.faults().refused();
            sim.faults().clear();
            exchange(&kernel).unwrap_or_else(|e| panic!("after refusal {nth}: {e}"));
            end(kernel);
            refused
        });
        if refused == 0 {
            assert!(nth > 10, "only {nth} charges");
            return;
        }
    }
}

fn exchange(kernel: &Kernel) -> std::io::Result<()> {
    let server = UdpSocket::bind(kernel, (Ipv4Addr::LOCALHOST, 7))?;
    let client = UdpSocket::bind(kernel, (Ipv4Addr::LOCALHOST, 0))?;
    client.connect(server.local_addr()?)?;
    server.set_read_timeout(Some(Duration::from_secs(1)))?;
    client.send(&[7; 1000])?;
    let (n, from): (usize, SocketAddr) = server.recv_from(&mut [0; 2000])?;
    assert_eq!((n, from), (1000, client.local_addr()?));
    Ok(())
}

/// A thread that sleeps on a descriptor which another thread closes does not sleep for ever.
#[test]
fn closing_ends_a_blocked_read() {
    on_sims(|sim| {
        let host: std::sync::Arc<dyn base::Host> = sim.clone();
        let kernel = boot(&host);
        let s = UdpSocket::bind(&kernel, "127.0.0.1:7").unwrap();
        let (handle, fd) = (kernel.handle(), s.fd());
        let closer = sim.spawn("closer", move || {
            handle.enter(|l| l.proc().fds().close(l, fd).unwrap()).unwrap();
        });
        fails_with(s.recv(&mut [0; 8]), Errno::BadFile);
        closer.join();
        UdpSocket::bind(&kernel, "127.0.0.1:7").unwrap();
    });
}

#[test]
fn a_dropped_kernel_wakes_who_waits_in_it() {
    on_sims(|sim| {
        let host: std::sync::Arc<dyn base::Host> = sim.clone();
        let kernel = boot(&host);
        let s = UdpSocket::bind(&kernel, "127.0.0.1:7").unwrap();
        let ender = sim.spawn("ender", move || end(kernel));
        fails_with(s.recv(&mut [0; 8]), Errno::NoDevice);
        ender.join();
    });
}

#[test]
fn sockets_may_be_used_by_several_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<UdpSocket>();
    shared::<local::RawSocket>();
}

/// Several threads on several virtual CPUs, each with a socket of its own.
#[test]
fn threads_on_two_virtual_cpus_do_not_disturb_each_other() {
    let host: std::sync::Arc<dyn base::Host> = linux::Linux::new();
    let options = base::Options { ncpu: 2, ..Default::default() };
    let kernel = Kernel::boot_with(host, &ROUTER, &options).unwrap();
    std::thread::scope(|scope| {
        for n in 0..4_u16 {
            let kernel = &kernel;
            scope.spawn(move || {
                let s = socket(kernel, &format!("127.0.0.1:{}", 2000 + n));
                for i in 0..500 {
                    let sent = format!("{n} {i}");
                    s.send_to(sent.as_bytes(), ("127.0.0.1", 2000 + n)).unwrap();
                    assert_eq!(text(&s), sent);
                }
            });
        }
    });
    assert_eq!(counter(&kernel, "udp", "delivered"), 2000);
    end(kernel);
}

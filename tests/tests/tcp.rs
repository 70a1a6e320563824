//! TCP where things run short: memory, in every way; and where several CPUs have it at once.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::time::Duration;

use base::Options;
use local::{TcpListener, TcpStream};
use tests::wire::{Ip, checksum};
use tests::{Lab, Node};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn pair(lab: &Lab) -> (Node, Node) {
    let (a, b) = (lab.router("a"), lab.router("b"));
    a.plug("shmif0", "bus", (A, 24)).unwrap();
    b.plug("shmif0", "bus", (B, 24)).unwrap();
    (a, b)
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ i >> 8 ^ i >> 16) as u8).collect()
}

/// Connects, says something both ways, and ends; none of it may take for ever.
fn talk(a: &Node, b: &Node) -> std::io::Result<()> {
    let listener = TcpListener::bind(b, (B, 7))?;
    listener.set_read_timeout(Some(Duration::from_secs(20)))?;
    let to = listener.local_addr()?;
    let mut client = TcpStream::connect_timeout(a, &to, Duration::from_secs(20))?;
    let (mut server, _) = listener.accept()?;
    for stream in [&client, &server] {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    }
    let data = pattern(5000);
    client.write_all(&data)?;
    client.shutdown(Shutdown::Write)?;
    let mut got = Vec::new();
    server.read_to_end(&mut got)?;
    assert!(got == data, "what was read is not what was written");
    server.write_all(b"bye")?;
    drop(server);
    got.clear();
    client.read_to_end(&mut got)?;
    assert_eq!(got, b"bye");
    Ok(())
}

/// The host refuses the n-th charge, or that and all later ones, for every n that there is.
#[test]
fn every_charge_refused_in_turn() {
    for to_the_end in [false, true] {
        let (mut done, mut count) = (false, 0);
        for n in 1..3000 {
            count = n;
            done = Lab::run(n % 3, |lab| {
                let (a, b) = pair(lab);
                let faults = lab.sim().faults();
                if to_the_end {
                    faults.refuse_from(n)
                } else {
                    faults.refuse_nth_charge(n)
                }
                let outcome = talk(&a, &b);
                let refused = faults.refused();
                faults.clear();
                assert!(refused > 0 || outcome.is_ok(), "{outcome:?} without a reason");
                // What is left over is given up, and all works as if nothing had been.
                lab.pass(Duration::from_secs(400));
                talk(&a, &b).unwrap();
                refused == 0
            });
            if done {
                break;
            }
        }
        assert!(done && count > 50, "{count} charges");
    }
}

/// A kernel that may hold little more than it does: data is late, and none is lost.
#[test]
fn at_the_memory_limit_peers_slow_down() {
    for seed in 0..4 {
        Lab::run(seed, |lab| {
            let (a, b) = pair(lab);
            let listener = TcpListener::bind(&b, (B, 7)).unwrap();
            let mut client = TcpStream::connect(&a, (B, 7)).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            b.account().set_limit(b.account().used() + 60_000);
            client.set_nonblocking(true).unwrap();
            let data = pattern(1 << 20);
            let (mut written, mut got, mut buf) = (0, Vec::new(), vec![0; 4096]);
            server.set_nonblocking(true).unwrap();
            while got.len() < data.len() {
                match client.write(&data[written..]) {
                    Ok(n) => written += n,
                    Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::WouldBlock),
                }
                match server.read(&mut buf) {
                    Ok(n) => got.extend_from_slice(&buf[..n]),
                    Err(e) => {
                        assert_eq!(e.kind(), std::io::ErrorKind::WouldBlock);
                        lab.pass(Duration::from_millis(50));
                    }
                }
                assert!(lab.host().now().nanos() < 3_600_000_000_000, "{} bytes so far", got.len());
            }
            assert!(got == data);
            b.account().set_limit(u64::MAX);
        });
    }
}

/// A day of idle and not so idle connections.
#[test]
fn a_day_with_a_hundred_connections() {
    Lab::run(1, |lab| {
        let (a, b) = pair(lab);
        let listener = TcpListener::bind(&b, (B, 7)).unwrap();
        let mut all: Vec<_> = (0..100)
            .map(|_| (TcpStream::connect(&a, (B, 7)).unwrap(), listener.accept().unwrap().0))
            .collect();
        for hour in 0..24_usize {
            lab.pass(Duration::from_secs(3600));
            for (i, (client, server)) in all.iter_mut().enumerate() {
                let data = pattern(100 + 13 * hour + i);
                client.write_all(&data).unwrap();
                let mut got = vec![0; data.len()];
                server.read_exact(&mut got).unwrap();
                assert!(got == data);
            }
        }
    });
}

#[test]
fn two_cpus_and_many_threads() {
    let lab = Lab::linux();
    let boot = |name| lab.boot(&Options { name, ncpu: 2, ..Options::default() }).unwrap();
    let (a, b) = (boot("a"), boot("b"));
    a.plug("shmif0", "bus", (A, 24)).unwrap();
    b.plug("shmif0", "bus", (B, 24)).unwrap();
    std::thread::scope(|scope| {
        for n in 0..4_u16 {
            let (a, b) = (&a, &b);
            scope.spawn(move || {
                let listener = TcpListener::bind(b, (B, 100 + n)).unwrap();
                for round in 0..10 {
                    let data = pattern(20_000 + 1000 * round);
                    let mut client = TcpStream::connect(a, (B, 100 + n)).unwrap();
                    let (mut server, _) = listener.accept().unwrap();
                    client.write_all(&data).unwrap();
                    client.shutdown(Shutdown::Write).unwrap();
                    let mut got = Vec::new();
                    server.read_to_end(&mut got).unwrap();
                    assert!(got == data, "thread {n}, round {round}");
                }
            });
        }
    });
}

/// A SYN from somebody who is not there.
fn syn(from: Ipv4Addr, port: u16) -> Vec<u8> {
    let mut tcp = [0; 20];
    tcp[..2].copy_from_slice(&port.to_be_bytes());
    tcp[3] = 7;
    (tcp[12], tcp[13], tcp[14]) = (0x50, 2, 0xff);
    let mut pseudo = [from.octets(), B.octets()].concat();
    pseudo.extend([0, 6, 0, 20]);
    pseudo.extend(tcp);
    tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    Ip::new(from, B, 6, tcp.to_vec()).bytes()
}

#[test]
fn rfc4987_a_flood_of_syns_costs_little_and_keeps_nobody_out() {
    for seed in 0..3 {
        Lab::run(seed, |lab| {
            let (a, b) = pair(lab);
            let listener = TcpListener::bind(&b, (B, 7)).unwrap();
            let raw = local::RawSocket::new(&a, 6).unwrap();
            raw.set_header_included(true).unwrap();
            let before = b.account().used();
            for i in 0..3000_u32 {
                let from = Ipv4Addr::from_bits(0x0a00_0003 + i % 200);
                raw.send_to(&syn(from, 1000 + i as u16), B).unwrap();
                if i % 16 == 0 {
                    lab.settle();
                }
            }
            lab.settle();
            assert!(b.counter("tcp", "cookies_sent") > 2000);
            let more = b.account().used() - before;
            // What waits for the link addresses of those who are not there is ARP's, and bounded.
            assert!(more < 1 << 20, "{more} bytes for a flood");
            let mut client = TcpStream::connect(&a, (B, 7)).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            client.write_all(b"here").unwrap();
            let mut got = [0; 4];
            server.read_exact(&mut got).unwrap();
            drop((client, server));
            lab.pass(Duration::from_secs(200));
            assert_eq!(b.counter("tcp", "accepts"), 1);
            talk(&a, &b).unwrap_err();
            drop(listener);
            talk(&a, &b).unwrap();
        });
    }
}

#[test]
fn rfc1191_6_a_narrow_way_is_found() {
    Lab::run(1, |lab| {
        let [a, r, b] = ["a", "r", "b"].map(|name| lab.router(name));
        let far = Ipv4Addr::new(10, 0, 1, 2);
        a.plug("shmif0", "left", (A, 24)).unwrap();
        r.plug("shmif0", "left", (B, 24)).unwrap();
        r.plug("shmif1", "right", ([10, 0, 1, 1], 24)).unwrap();
        b.plug("shmif0", "right", (far, 24)).unwrap();
        a.route([10, 0, 1, 0], 24, B).unwrap();
        b.route([10, 0, 0, 0], 24, [10, 0, 1, 1]).unwrap();
        r.on("shmif1", |l, ifp| net::ifnet::config::set_mtu(l, ifp.name(), 600)).unwrap().unwrap();
        let listener = TcpListener::bind(&b, (far, 7)).unwrap();
        let mut client = TcpStream::connect(&a, (far, 7)).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(client.max_segment().unwrap(), 1460);
        let data = pattern(50_000);
        client.write_all(&data).unwrap();
        let mut got = vec![0; data.len()];
        server.read_exact(&mut got).unwrap();
        assert!(got == data);
        assert_eq!(client.max_segment().unwrap(), 560);
    });
}

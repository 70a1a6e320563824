//! Links with character between whole kernels: what is asked for happens, the same seed is the same
//! run, and nothing stays behind.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::time::Duration;

use base::Options;
use local::ifconfig::{self, Character, Distribution, Probability, Status};
use local::{TcpListener, TcpStream, UdpSocket};
use tests::node::Ping;
use tests::random::Random;
use tests::{Lab, Node};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const MS: Duration = Duration::from_millis(1);

/// Two kernels on a bus that know each other.
fn pair(lab: &Lab) -> (Node, Node) {
    let (a, b) = (lab.router("a"), lab.router("b"));
    meet(&a, &b);
    (a, b)
}

fn meet(a: &Node, b: &Node) {
    a.plug("shmif0", "bus", (A, 24)).unwrap();
    b.plug("shmif0", "bus", (B, 24)).unwrap();
    assert_eq!(a.ping(B).unwrap().kind, 0);
    assert_eq!(b.ping(A).unwrap().kind, 0);
}

fn shape(node: &Node, character: Character) {
    ifconfig::character(node, "shmif0", character).unwrap();
}

fn status(node: &Node, name: &str) -> Status {
    let all = ifconfig::list(node).unwrap();
    all.into_iter().find(|interface| interface.name == name).unwrap().status
}

/// Everything at once.
fn rough() -> Character {
    Character {
        delay: 20 * MS,
        jitter: 5 * MS,
        rate: 50_000_000,
        loss: Probability::percent(2),
        reorder: Probability::percent(5),
        duplicate: Probability::percent(2),
        corrupt: Probability::percent(2),
        ..Character::default()
    }
}

#[test]
fn a_delay_is_that_of_each_way() {
    Lab::run(1, |lab| {
        let (a, b) = pair(lab);
        shape(&a, Character { delay: 20 * MS, ..Character::default() });
        shape(&b, Character { delay: 7 * MS, ..Character::default() });
        let start = lab.host().now();
        assert_eq!(a.ping(B).unwrap().at - start, 27 * MS);
        // A rate: 98 bytes at 98 kbit/s are 8 ms.
        shape(&b, Character { rate: 98_000, ..Character::default() });
        let start = lab.host().now();
        assert_eq!(a.ping(B).unwrap().at - start, 28 * MS);
        // A plain wire again.
        shape(&a, Character::default());
        shape(&b, Character::default());
        let start = lab.host().now();
        assert_eq!(a.ping(B).unwrap().at, start);
        assert_eq!(status(&a, "shmif0"), Status::default());
    });
}

#[test]
fn a_fragmented_ping_arrives_in_any_order_and_any_number() {
    Lab::run(3, |lab| {
        let (a, b) = pair(lab);
        let character = Character {
            delay: 10 * MS,
            reorder: Probability::percent(50),
            duplicate: Probability::percent(20),
            ..Character::default()
        };
        shape(&a, character);
        for _ in 0..50 {
            assert_eq!(a.ping_with(Ping { size: 6000, ..Ping::new(B) }).unwrap().kind, 0);
        }
        let counts = status(&a, "shmif0").counts;
        assert!(counts.reordered > 50 && counts.duplicated > 20, "{counts:?}");
        assert_eq!(b.counter("ip", "reassembled"), 50);
    });
}

#[test]
fn lo0_has_a_link_too_and_what_it_spoils_is_found_out() {
    Lab::run(1, |lab| {
        let a = lab.router("a");
        ifconfig::character(&a, "lo0", Character { delay: 3 * MS, ..Character::default() })
            .unwrap();
        let start = lab.host().now();
        // The answer is seen when it goes into the link.
        assert_eq!(a.ping(Ipv4Addr::LOCALHOST).unwrap().at - start, 3 * MS);
        let corrupt = Character { corrupt: Probability::ALWAYS, ..Character::default() };
        ifconfig::character(&a, "lo0", corrupt).unwrap();
        let receiver = UdpSocket::bind(&a, (Ipv4Addr::LOCALHOST, 7)).unwrap();
        let sender = UdpSocket::bind(&a, (Ipv4Addr::LOCALHOST, 0)).unwrap();
        for _ in 0..200 {
            sender.send_to(&[0x55; 1000], (Ipv4Addr::LOCALHOST, 7)).unwrap();
            lab.settle();
        }
        let error =
            receiver.set_nonblocking(true).and_then(|()| receiver.recv_from(&mut [0; 2000]));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::WouldBlock);
        let found = a.counter("udp", "bad_checksum");
        // Some hit the IP header, the port, the length.
        assert!(found > 150, "{found} of 200");
        assert_eq!(status(&a, "lo0").counts.corrupted, 200);
    });
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    Lab::run(1, |lab| {
        let (a, _b) = pair(lab);
        let good = Character { delay: MS, ..Character::default() };
        shape(&a, good);
        let bad = Character { reorder: Probability::percent(1), ..Character::default() };
        assert_eq!(
            ifconfig::character(&a, "shmif0", bad).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert!(ifconfig::character(&a, "shmif9", good).is_err());
        assert_eq!(status(&a, "shmif0").character, good);
    });
}

/// What happens on a rough link, as precisely as can be: when answers come, and the host's own hash.
fn course(seed: u64) -> (Vec<Option<u64>>, [Status; 2], u64) {
    Lab::run(seed, |lab| {
        let (a, b) = pair(lab);
        shape(&a, rough());
        shape(&b, Character { distribution: Distribution::Normal, burst: 3, ..rough() });
        let pings = (0..300).map(|_| {
            let answer = a.ping_with(Ping { wait: 200 * MS, ..Ping::new(B) });
            answer.ok().map(|answer| answer.at.nanos())
        });
        let pings = pings.collect();
        let listener = TcpListener::bind(&b, (B, 7)).unwrap();
        transfer(lab, &a, &listener, 50_000);
        (pings, [status(&a, "shmif0"), status(&b, "shmif0")], lab.sim().trace_hash())
    })
}

#[test]
fn the_same_seed_is_the_same_run() {
    let first = course(1);
    assert_eq!(first, course(1));
    let other = course(2);
    assert_ne!(first.0, other.0);
    assert_ne!(first.2, other.2);
    let lost = first.0.iter().filter(|answer| answer.is_none()).count();
    assert!((1..60).contains(&lost), "{lost} of 300");
}

/// Sends `len` bytes each way at once, over a new connection.
fn transfer(lab: &Lab, from: &Node, listener: &TcpListener, len: usize) {
    let mut client = TcpStream::connect(from, listener.local_addr().unwrap()).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let ends = [&mut client, &mut server];
    let mut random = Random::new(len as u64);
    let data: Vec<u8> = (0..len).map(|_| random.byte()).collect();
    let mut done = [(0, Vec::new(), false), (0, Vec::new(), false)];
    ends.iter().for_each(|end| end.set_nonblocking(true).unwrap());
    let mut buf = vec![0; 16_384];
    let deadline = lab.host().now() + Duration::from_secs(3600);
    while !done.iter().all(|(_, _, ended)| *ended) {
        let mut moved = false;
        for (end, (written, got, ended)) in [&mut client, &mut server].into_iter().zip(&mut done) {
            match end.write(&data[*written..]) {
                Ok(0) => {}
                Ok(n) => {
                    (*written, moved) = (*written + n, true);
                    if *written == len {
                        end.shutdown(Shutdown::Write).unwrap();
                    }
                }
                Err(e) => assert!(*written == len || e.kind() == ErrorKind::WouldBlock, "{e}"),
            }
            match end.read(&mut buf) {
                Ok(0) => *ended = true,
                Ok(n) => {
                    got.extend_from_slice(&buf[..n]);
                    moved = true;
                }
                Err(e) => assert_eq!(e.kind(), ErrorKind::WouldBlock),
            }
        }
        if !moved {
            lab.pass(MS);
        }
        assert!(lab.host().now() < deadline, "{} and {}", done[0].1.len(), done[1].1.len());
    }
    for (_, got, _) in &done {
        assert_eq!((got.len(), hash(got)), (len, hash(&data)));
        assert!(*got == data, "what was read is not what was written");
    }
}

fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn tcp_gets_through_everything_at_once() {
    for seed in 0..8 {
        Lab::run(seed, |lab| {
            let (a, b) = pair(lab);
            shape(&a, rough());
            shape(&b, Character { burst: 4, loss: Probability::percent(4), ..rough() });
            let listener = TcpListener::bind(&b, (B, 7)).unwrap();
            for len in [1, 300_000] {
                transfer(lab, &a, &listener, len);
            }
            for node in [&a, &b] {
                let counts = status(node, "shmif0").counts;
                let all = [counts.lost, counts.reordered, counts.duplicated, counts.corrupted];
                assert!(all.iter().all(|n| *n > 0), "{counts:?}");
            }
            let found = a.counter("tcp", "bad_checksum") + b.counter("tcp", "bad_checksum");
            assert!(found > 0, "what was spoilt was seen");
        });
    }
}

#[test]
fn tcp_fills_a_narrow_link_and_no_more() {
    Lab::run(1, |lab| {
        let (a, b) = pair(lab);
        // A megabyte of data takes a second, with headers a little more.
        let narrow =
            Character { delay: 10 * MS, rate: 8_000_000, limit: 100, ..Character::default() };
        shape(&a, narrow);
        shape(&b, narrow);
        let listener = TcpListener::bind(&b, (B, 7)).unwrap();
        let start = lab.host().now();
        transfer(lab, &a, &listener, 1_000_000);
        let took = lab.host().now() - start;
        assert!((1000 * MS..1600 * MS).contains(&took), "{took:?}");
        lab.pass(Duration::from_secs(1));
        assert_eq!(status(&a, "shmif0").queued, 0);
    });
}

/// A day with a hundred connections, none of whose packets goes a straight way.
#[test]
fn a_day_with_a_hundred_connections() {
    Lab::run(1, |lab| {
        let (a, b) = pair(lab);
        shape(&a, rough());
        shape(&b, rough());
        let listener = TcpListener::bind(&b, (B, 7)).unwrap();
        let mut all: Vec<_> = (0..100)
            .map(|_| (TcpStream::connect(&a, (B, 7)).unwrap(), listener.accept().unwrap().0))
            .collect();
        for hour in 0..24_usize {
            lab.pass(Duration::from_secs(3600));
            for (i, (client, server)) in all.iter_mut().enumerate() {
                let data: Vec<_> = (0..100 + 130 * hour + i).map(|n| (n ^ i) as u8).collect();
                let (from, to) = if i % 2 == 0 { (client, server) } else { (server, client) };
                from.write_all(&data).unwrap();
                let mut got = vec![0; data.len()];
                to.read_exact(&mut got).unwrap();
                assert!(got == data, "connection {i}, hour {hour}");
            }
        }
    });
}

#[test]
fn what_is_on_its_way_is_charged_and_goes_with_its_interface_or_its_kernel() {
    Lab::run(1, |lab| {
        let (a, b) = pair(lab);
        let far = Character { delay: Duration::from_secs(3600), ..Character::default() };
        let socket = UdpSocket::bind(&a, (A, 0)).unwrap();
        let send = |count| {
            for _ in 0..count {
                socket.send_to(&[1; 1000], (B, 9)).unwrap();
            }
            lab.settle();
        };
        shape(&a, far);
        let before = a.account().used();
        send(10);
        assert_eq!(status(&a, "shmif0").queued, 10);
        assert!(a.account().used() > before + 10_000);
        // Down: nothing is on its way any more.
        ifconfig::down(&a, "shmif0").unwrap();
        assert_eq!((status(&a, "shmif0").queued, a.account().used()), (0, before));
        assert_eq!(a.on("shmif0", |_, ifp| ifp.counters.oerrors.get()).unwrap(), 10);
        // A plain wire: it comes out.
        ifconfig::up(&a, "shmif0").unwrap();
        shape(&a, Character::default());
        assert_eq!(a.ping(B).unwrap().kind, 0);
        shape(&a, far);
        let received = b.counter("udp", "received");
        send(10);
        shape(&a, Character::default());
        lab.settle();
        assert_eq!(b.counter("udp", "received"), received + 10);
        // Destroyed with something in it; the lab looks whether anything is left.
        shape(&a, far);
        send(10);
        ifconfig::destroy(&a, "shmif0").unwrap();
        lab.pass(Duration::from_secs(7200));
        // And a kernel that ends so.
        a.plug("shmif0", "bus", (A, 24)).unwrap();
        assert_eq!(a.ping(B).unwrap().kind, 0);
        shape(&a, far);
        send(10);
        drop(socket);
        drop(a);
        lab.pass(Duration::from_secs(7200));
    });
}

#[test]
fn a_full_link_tells_its_sender() {
    Lab::run(1, |lab| {
        let (a, b) = pair(lab);
        shape(&a, Character { rate: 8000, limit: 3, ..Character::default() });
        let socket = UdpSocket::bind(&a, (A, 0)).unwrap();
        let sent = (0..10).filter(|_| socket.send_to(&[1; 958], (B, 9)).is_ok()).count();
        assert_eq!((sent, status(&a, "shmif0").counts.full), (3, 7));
        assert_eq!(a.on("shmif0", |_, ifp| ifp.counters.oqdrops.get()).unwrap(), 7);
        let received = b.counter("udp", "received");
        lab.pass(Duration::from_secs(2));
        assert_eq!(b.counter("udp", "received"), received + 2, "a thousand bytes a second");
    });
}

/// The host refuses the n-th charge, for every n that there is.
#[test]
fn every_charge_refused_in_turn() {
    let (mut done, mut count) = (false, 0);
    for n in 1..500 {
        count = n;
        done = Lab::run(n, |lab| {
            let (a, b) = pair(lab);
            let faults = lab.sim().faults();
            faults.refuse_nth_charge(n);
            let set = ifconfig::character(&a, "shmif0", rough());
            let refused_set = faults.refused();
            assert_eq!(set.is_err(), refused_set > 0);
            let is_there = status(&a, "shmif0").character == rough();
            assert_eq!(is_there, set.is_ok());
            for _ in 0..20 {
                let _ = a.ping_with(Ping { size: 3000, wait: 100 * MS, ..Ping::new(B) });
            }
            let refused = faults.refused();
            faults.clear();
            shape(&a, Character::default());
            assert_eq!(a.ping(B).unwrap().kind, 0);
            drop(b);
            refused == 0
        });
        if done {
            break;
        }
    }
    assert!(done && count > 30, "{count} charges");
}

#[test]
fn an_empty_link_sets_no_timer() {
    let config = sim::Config { seed: 1, trace: true, ..sim::Config::default() };
    Lab::run_with(config, |lab| {
        let (a, b) = pair(lab);
        shape(&a, rough());
        shape(&b, rough());
        assert_eq!(a.ping_patiently(B, 20).unwrap().kind, 0);
        // What ARP and doubles have to do.
        lab.pass(Duration::from_secs(7200));
        let timers = || {
            let events = lab.sim().events();
            events.iter().filter(|event| matches!(event, sim::Event::Timer { .. })).count()
        };
        let before = timers();
        lab.pass(Duration::from_secs(24 * 3600));
        assert_eq!(timers(), before);
    });
}

/// Links that change all the time, on two CPUs at once: everything arrives, nothing stays.
#[test]
fn links_that_change_while_they_are_used() {
    let lab = Lab::linux();
    let boot = |name| lab.boot(&Options { name, ncpu: 2, ..Options::default() }).unwrap();
    let (a, b) = (boot("a"), boot("b"));
    meet(&a, &b);
    let done = std::sync::atomic::AtomicU32::new(0);
    let order = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        for n in 0..2_u16 {
            let (a, b, done) = (&a, &b, &done);
            scope.spawn(move || {
                let listener = TcpListener::bind(b, (B, 100 + n)).unwrap();
                for round in 0..200_u32 {
                    let mut client = TcpStream::connect(a, (B, 100 + n)).unwrap();
                    let (mut server, _) = listener.accept().unwrap();
                    let data: Vec<u8> = (0..30_000_u32).map(|i| (i ^ round) as u8).collect();
                    client.write_all(&data).unwrap();
                    client.shutdown(Shutdown::Write).unwrap();
                    let mut got = Vec::new();
                    server.read_to_end(&mut got).unwrap();
                    assert!(got == data, "thread {n}, round {round}");
                }
                done.fetch_add(1, order);
            });
        }
        let mut random = Random::new(1);
        while done.load(order) < 2 {
            let delay = random.below(2000) as u32 * MS / 1000;
            let duplicate = Probability::percent(10);
            let character = match random.below(3) {
                0 => Character::default(),
                1 => Character { duplicate, ..Character::default() },
                _ => Character {
                    delay,
                    jitter: delay / 2,
                    rate: 100_000_000,
                    ..Character::default()
                },
            };
            shape(random.pick(&[&a, &b]), character);
            std::thread::yield_now();
        }
    });
}

#[test]
fn on_the_linux_host_with_two_cpus_too() {
    let lab = Lab::linux();
    let boot = |name| lab.boot(&Options { name, ncpu: 2, ..Options::default() }).unwrap();
    let (a, b) = (boot("a"), boot("b"));
    meet(&a, &b);
    shape(&a, Character { delay: 20 * MS, ..Character::default() });
    let start = std::time::Instant::now();
    assert_eq!(a.ping(B).unwrap().kind, 0);
    assert!(start.elapsed() >= 20 * MS);
    let rough = Character { delay: 2 * MS, jitter: MS, rate: 0, ..rough() };
    shape(&a, rough);
    shape(&b, rough);
    std::thread::scope(|scope| {
        for n in 0..3_u16 {
            let (a, b) = (&a, &b);
            scope.spawn(move || {
                let listener = TcpListener::bind(b, (B, 100 + n)).unwrap();
                let mut client = TcpStream::connect(a, (B, 100 + n)).unwrap();
                let (mut server, _) = listener.accept().unwrap();
                let data: Vec<u8> = (0..60_000_u32).map(|i| (i ^ i >> 8) as u8).collect();
                client.write_all(&data).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
                let mut got = Vec::new();
                server.read_to_end(&mut got).unwrap();
                assert!(got == data, "thread {n}");
            });
        }
    });
}

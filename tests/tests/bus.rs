//! The bus in a file, between kernels of two hosts: frames, errors, a file that is cut.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Errno, Host};
use linux::Linux;
use local::{TcpListener, TcpStream};
use net::MacAddr;
use net::ifnet::{IfError, config};
use shmif_linux::dump::{Dump, Frame};
use tests::node::Ping;
use tests::streams::between;
use tests::wire::ethernet;
use tests::{Lab, Node, Scratch, Station};

const PATIENCE: Duration = Duration::from_secs(20);

fn host() -> Arc<dyn Host> {
    Linux::builder().io("shmif", shmif_linux::files()).build()
}

fn lab() -> Lab {
    Lab::on(host())
}

fn join(node: &Node, path: &str) -> Result<(), IfError> {
    let joined = node.enter(|l| {
        if config::find(l, "shmif0").is_err() {
            config::create(l, "shmif0")?;
        }
        config::set_linkstr(l, "shmif0", path)
    });
    joined.unwrap()
}

/// Sends a frame to nobody in particular.
fn send(node: &Node) -> Result<(), IfError> {
    let frame = ethernet(MacAddr::BROADCAST, node.mac("shmif0"), 0x88b5, &[0; 50]);
    let sent = node.on("shmif0", |l, ifp| {
        let packet = net::Packet::from_slice(l, &frame)?;
        ifp.driver().transmit(l, ifp, packet)
    });
    sent.unwrap()
}

/// Waits for what no other thread announces.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn two_hosts_ping_each_other() {
    let (scratch, one, two) = (Scratch::new(), lab(), lab());
    let (a, b) = (one.router("a"), two.router("b"));
    a.plug("shmif0", &scratch.text("bus"), ([10, 0, 0, 1], 24)).unwrap();
    b.plug("shmif0", &scratch.text("bus"), ([10, 0, 0, 2], 24)).unwrap();
    for _ in 0..100 {
        assert_eq!(a.ping([10, 0, 0, 2]).unwrap().kind, 0);
        assert_eq!(b.ping([10, 0, 0, 1]).unwrap().kind, 0);
    }
    for size in [0, 1, 1472, 1473, 9000, 60_000] {
        let how = Ping { size, ..Ping::new([10, 0, 0, 2]) };
        assert_eq!(a.ping_with(how).unwrap().kind, 0, "{size} bytes");
    }
}

#[test]
fn a_file_and_a_name_are_two_buses_of_one_driver() {
    let (scratch, lab) = (Scratch::new(), lab());
    let (a, b, c) = (lab.router("a"), lab.router("b"), lab.router("c"));
    a.plug("shmif0", &scratch.text("bus"), ([10, 0, 1, 1], 24)).unwrap();
    b.plug("shmif0", &scratch.text("bus"), ([10, 0, 1, 2], 24)).unwrap();
    b.plug("shmif1", "bus", ([10, 0, 2, 1], 24)).unwrap();
    c.plug("shmif0", "bus", ([10, 0, 2, 2], 24)).unwrap();
    a.route([10, 0, 2, 0], 24, [10, 0, 1, 2]).unwrap();
    c.route([10, 0, 1, 0], 24, [10, 0, 2, 1]).unwrap();
    for _ in 0..20 {
        assert_eq!(a.ping([10, 0, 2, 2]).unwrap().kind, 0);
    }
}

#[test]
fn a_router_between_two_files_passes_long_segments_on() {
    const LEN: usize = 8 << 20;
    let (scratch, lab) = (Scratch::new(), lab());
    let (a, b, c) = (lab.router("a"), lab.router("b"), lab.router("c"));
    a.plug("shmif0", &scratch.text("left"), ([10, 0, 1, 1], 24)).unwrap();
    b.plug("shmif0", &scratch.text("left"), ([10, 0, 1, 2], 24)).unwrap();
    b.plug("shmif1", &scratch.text("right"), ([10, 0, 2, 1], 24)).unwrap();
    c.plug("shmif0", &scratch.text("right"), ([10, 0, 2, 2], 24)).unwrap();
    a.route([10, 0, 2, 0], 24, [10, 0, 1, 2]).unwrap();
    c.route([10, 0, 1, 0], 24, [10, 0, 2, 1]).unwrap();
    let listener = TcpListener::bind(&c, "10.0.2.2:7").unwrap();
    between(LEN, || Ok(listener.accept()?.0), || TcpStream::connect(&a, "10.0.2.2:7"));
    // The link's MTU counts for what they will be cut into.
    assert_eq!(b.counter("ip", "cant_fragment"), 0);
    let (packets, bytes) =
        b.on("shmif1", |_, i| (i.counters.opackets.get(), i.counters.obytes.get())).unwrap();
    assert!(bytes / packets > 2000, "{bytes} bytes in {packets} packets");
}

#[test]
fn frames_of_every_length_arrive_as_they_were() {
    let (scratch, one, two) = (Scratch::new(), lab(), lab());
    let path = scratch.text("bus");
    let a = Station::new(&one, &path, [10, 0, 0, 1]);
    let b = Station::new(&two, &path, [10, 0, 0, 2]);
    let (mut got, mut sent) = (Vec::new(), Vec::new());
    for len in (0..300).chain([1500, 1514, 9000, 65_535]) {
        let payload: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
        for dst in [b.mac, MacAddr::BROADCAST, MacAddr([2, 9, 9, 9, 9, 9])] {
            let frame = ethernet(dst, a.mac, 0x88b5, &payload);
            a.send(&frame);
            sent.push(frame);
            // The ring has no room for two of the longest.
            until("the frame's arrival", || {
                got.extend(b.frames());
                got.len() == sent.len()
            });
        }
    }
    assert!(got == sent);
    assert_eq!(a.frames(), Vec::<Vec<u8>>::new());
    assert_eq!(a.node().on("shmif0", |_, ifp| ifp.counters.iqdrops.get()).unwrap(), 0);
}

#[test]
fn a_host_without_the_half_says_so() {
    let scratch = Scratch::new();
    let without = Lab::linux();
    assert_eq!(join(&without.router("a"), &scratch.text("bus")), Err(IfError::NotSupported));
    assert!(!scratch.path("bus").exists());
    Lab::run(1, |lab| {
        assert_eq!(join(&lab.router("a"), "/nowhere/bus"), Err(IfError::NotSupported));
    });
}

#[test]
fn what_cannot_be_joined_is_an_error_of_its_own() {
    let (scratch, lab) = (Scratch::new(), lab());
    let node = lab.router("a");
    let write = |name: &str, bytes: &[u8]| fs::write(scratch.path(name), bytes).unwrap();
    assert_eq!(join(&node, &scratch.text("no/bus")), Err(IfError::NoPath));
    assert_eq!(Errno::from(IfError::NoPath), Errno::NoEntry);
    write("text", b"this is no bus");
    assert_eq!(join(&node, &scratch.text("text")), Err(IfError::NotALink));
    assert_eq!(fs::read(scratch.path("text")).unwrap(), b"this is no bus");
    write("zeros", &[0; 100_000]);
    assert_eq!(join(&node, &scratch.text("zeros")), Err(IfError::NotALink));
    assert_eq!(join(&node, scratch.folder().to_str().unwrap()), Err(IfError::NotALink));
    assert_eq!(join(&node, "/dev/null"), Err(IfError::NotALink));
    assert_eq!(join(&node, &scratch.text(&"x".repeat(250))), Err(IfError::Invalid));
    // Another version, and another layout.
    join(&node, &scratch.text("bus")).unwrap();
    join(&node, "").unwrap();
    let good = fs::read(scratch.path("bus")).unwrap();
    for field in [0, 8, 16, 24] {
        let mut other = good.clone();
        other[field] ^= 2;
        write("bus", &other);
        assert_eq!(join(&node, &scratch.text("bus")), Err(IfError::NotALink), "{field}");
        assert_eq!(fs::read(scratch.path("bus")).unwrap(), other);
    }
    write("bus", &good);
    join(&node, &scratch.text("bus")).unwrap();
    assert_eq!(join(&node, &scratch.text("bus")), Err(IfError::Busy));
}

#[test]
fn a_creator_that_died_midway_is_followed_by_another() {
    let (scratch, lab) = (Scratch::new(), lab());
    let node = lab.router("a");
    join(&node, &scratch.text("bus")).unwrap();
    join(&node, "").unwrap();
    let mut header = fs::read(scratch.path("bus")).unwrap();
    header.truncate(8192);
    header[..8].fill(0);
    for len in [0, 1, 4096, 8192] {
        let mut left = header.clone();
        left.truncate(len);
        fs::write(scratch.path("bus"), left).unwrap();
        join(&node, &scratch.text("bus")).unwrap();
        join(&node, "").unwrap();
    }
}

#[test]
fn a_bus_has_sixty_four_places() {
    let (scratch, lab) = (Scratch::new(), lab());
    let path = scratch.text("bus");
    let nodes: Vec<_> = (0..64).map(|n| lab.router(&format!("n{n}"))).collect();
    for (n, node) in nodes.iter().enumerate() {
        node.plug("shmif0", &path, ([10, 0, 0, n as u8 + 1], 24)).unwrap();
    }
    let late = lab.router("late");
    assert_eq!(join(&late, &path), Err(IfError::LinkFull));
    assert_eq!(nodes[0].ping([10, 0, 0, 64]).unwrap().kind, 0);
    assert_eq!(nodes[63].ping([10, 0, 0, 1]).unwrap().kind, 0);
    // One leaves, by its end; its place is free as soon as the waiting thread has let go of it.
    let mut nodes = nodes;
    drop(nodes.pop());
    until("a free place", || join(&late, &path).is_ok());
    let address = std::net::Ipv4Addr::from([10, 0, 0, 65]).into();
    late.enter(|l| config::add_addr(l, "shmif0", address, 24)).unwrap().unwrap();
    assert_eq!(late.ping([10, 0, 0, 1]).unwrap().kind, 0);
}

#[test]
fn leaving_and_joining_under_way() {
    let (scratch, one, two) = (Scratch::new(), lab(), lab());
    let path = scratch.text("bus");
    let (a, b) = (one.router("a"), two.router("b"));
    a.plug("shmif0", &path, ([10, 0, 0, 1], 24)).unwrap();
    b.plug("shmif0", &path, ([10, 0, 0, 2], 24)).unwrap();
    for _ in 0..50 {
        assert_eq!(a.ping_patiently([10, 0, 0, 2], 20).unwrap().kind, 0);
        join(&b, "").unwrap();
        join(&b, &path).unwrap();
    }
    for round in 0..20 {
        let c = two.router("c");
        c.plug("shmif0", &path, ([10, 0, 0, 3 + round], 24)).unwrap();
        assert_eq!(c.ping_patiently([10, 0, 0, 1], 20).unwrap().kind, 0);
    }
}

#[test]
fn a_file_that_is_cut_is_an_error() {
    for len in [0, 100, 4096, 8192, 10_000, 100_000] {
        let (scratch, one, two) = (Scratch::new(), lab(), lab());
        let path = scratch.text("bus");
        let (a, b) = (one.router("a"), two.router("b"));
        a.plug("shmif0", &path, ([10, 0, 0, 1], 24)).unwrap();
        b.plug("shmif0", &path, ([10, 0, 0, 2], 24)).unwrap();
        assert_eq!(a.ping([10, 0, 0, 2]).unwrap().kind, 0);
        cut(&scratch.path("bus"), len);
        // What is beyond the cut may not be needed for some time.
        until("an error", || send(&a) == Err(IfError::Broken));
        assert_eq!(Errno::from(IfError::Broken), Errno::Io);
        // A new one in its place works.
        fs::remove_file(&path).unwrap();
        for node in [&a, &b] {
            join(node, "").unwrap();
            join(node, &path).unwrap();
        }
        assert_eq!(a.ping_patiently([10, 0, 0, 2], 20).unwrap().kind, 0);
    }
}

fn cut(path: &Path, len: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

#[test]
fn a_file_that_is_made_anew_under_us_is_an_error() {
    let (scratch, lab) = (Scratch::new(), lab());
    let path = scratch.text("bus");
    let (a, b) = (lab.router("a"), lab.router("b"));
    a.plug("shmif0", &path, ([10, 0, 0, 1], 24)).unwrap();
    cut(&scratch.path("bus"), 0);
    b.plug("shmif0", &path, ([10, 0, 0, 2], 24)).unwrap();
    assert_eq!(send(&a), Err(IfError::Broken));
    join(&a, "").unwrap();
    join(&a, &path).unwrap();
    assert_eq!(a.ping_patiently([10, 0, 0, 2], 20).unwrap().kind, 0);
}

#[test]
fn a_flood_leaves_nothing_uncounted() {
    let (scratch, one, two) = (Scratch::new(), lab(), lab());
    let path = scratch.text("bus");
    let a = Station::new(&one, &path, [10, 0, 0, 1]);
    let b = Station::new(&two, &path, [10, 0, 0, 2]);
    const FRAMES: u64 = 50_000;
    let frame = ethernet(b.mac, a.mac, 0x88b5, &[1; 200]);
    for _ in 0..FRAMES {
        a.send(&frame);
    }
    let mut taken = 0;
    until("all frames", || {
        taken += b.frames().len() as u64;
        let lost = b.node().on("shmif0", |_, ifp| ifp.counters.iqdrops.get()).unwrap();
        taken + lost == FRAMES
    });
}

#[test]
fn a_dump_shows_what_was_sent_after_all_have_gone() {
    let (scratch, lab) = (Scratch::new(), lab());
    let path = scratch.text("bus");
    {
        let (a, b) = (lab.router("a"), lab.router("b"));
        a.plug("shmif0", &path, ([10, 0, 0, 1], 24)).unwrap();
        b.plug("shmif0", &path, ([10, 0, 0, 2], 24)).unwrap();
        assert_eq!(a.ping([10, 0, 0, 2]).unwrap().kind, 0);
    }
    let dump = Dump::read(&scratch.path("bus")).unwrap();
    let echo = |kind: u8| move |f: &Frame| f.bytes[12..14] == [8, 0] && f.bytes[34] == kind;
    let asked = dump.frames.iter().position(echo(8)).expect("the ping");
    let answered = dump.frames.iter().position(echo(0)).expect("its answer");
    assert!(asked < answered);
    assert_eq!((dump.frames[asked].slot, dump.frames[answered].slot), (0, 1));
    assert!(dump.members.iter().all(|member| member.mac.is_none()), "all have left");
    let mut capture = Vec::new();
    dump.capture(&mut capture).unwrap();
    assert_eq!(capture[..4], 0xa1b2_3c4d_u32.to_le_bytes());
}

//! Linux's TCP through a link of ours that is bad: loss, delay, other orders, doubles, turned bits, and
//! too little room. What is written arrives, whoever speaks and whoever began.
//!
//! ```text
//! Linux -- tap0 -- virt0 [bridge] shmif0 -- bus -- shmif0 [peer]
//! Linux -- tap0 -- virt0 [bridge] virt1 -- tap1 -- Linux, in another namespace
//! ```
//! The bridge is a kernel of ours; the links are on what it sends, one for each direction.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use local::ifconfig::{self, Character, Distribution, Probability};
use net::link::Counts;
use tests::Node;
use tests::namespace::{self, ip};
use tests::streams::between;
use tests::uplink::{self, FAR, HOST};

const MS: Duration = Duration::from_millis(1);

/// What the link of `name` did.
fn counts(node: &Node, name: &str) -> Counts {
    let all = ifconfig::list(node).unwrap();
    all.into_iter().find(|interface| interface.name == name).unwrap().status.counts
}

/// What was asked for has happened, and nothing else.
#[track_caller]
fn check_link(node: &Node, name: &str, asked: &Character) {
    let did = counts(node, name);
    for (asked, did, what) in [
        (asked.loss, did.lost, "lost"),
        (asked.reorder, did.reordered, "reordered"),
        (asked.duplicate, did.duplicated, "duplicated"),
        (asked.corrupt, did.corrupted, "corrupted"),
    ] {
        assert_eq!(asked > Probability::NEVER, did > 0, "{name}: {did} {what}");
    }
    assert!(asked.limit == 0 || did.full > 0, "{name} was never full");
    // They are packets as on a wire that it happened to, whatever the interface takes.
    let (packets, bytes) =
        node.on(name, |_, i| (i.counters.opackets.get(), i.counters.obytes.get())).unwrap();
    assert!(bytes <= 1514 * packets, "{name}: {bytes} bytes in {packets} packets");
}

/// Both stacks have seen bad checksums if there were bits turned over, and none otherwise.
#[track_caller]
fn check_sums(ours: &[&Node], linux: &[u64], asked: &Character) {
    let is_bad = asked.corrupt > Probability::NEVER;
    for node in ours {
        let found = node.counter("tcp", "bad_checksum");
        assert_eq!(found > 0, is_bad, "{found} bad checksums at {}", node.name());
        if !is_bad {
            let all = [("tcp", "bad_header"), ("ip", "bad_header"), ("ip", "bad_address")];
            assert_eq!(all.map(|(group, name)| node.counter(group, name)), [0; 3]);
        }
    }
    for found in linux {
        assert_eq!(*found > 0, is_bad, "{found} bad checksums at Linux");
    }
}

/// Streams of `len` bytes between Linux and a kernel of ours, through a link of this character in each
/// direction: two connections at once, of which each side opens one, full in both directions.
fn linux_to_ours(test: &str, len: usize, asked: Character) {
    namespace::run(test, || {
        uplink::tap();
        let lab = uplink::lab();
        let (bridge, peer) = (lab.hosted("bridge"), lab.hosted("peer"));
        uplink::bridge(&bridge, "shmif0", "bus");
        peer.plug("shmif0", "bus", (FAR, 24)).unwrap();
        // Addresses of neighbours have no checksum: those are found before the weather turns bad.
        let mac = peer.mac("shmif0");
        ip(&format!("neigh replace 10.77.0.2 lladdr {mac} dev tap0 nud permanent"));
        assert_eq!(peer.ping(HOST).unwrap().kind, 0);
        for name in ["virt0", "shmif0"] {
            ifconfig::character(&bridge, name, asked).unwrap();
        }
        let chances = [asked.loss, asked.corrupt, asked.reorder];
        if chances == [Probability::NEVER; 3] {
            let before = Instant::now();
            assert_eq!(peer.ping(HOST).unwrap().kind, 0);
            assert!(before.elapsed() >= 2 * (asked.delay - asked.jitter));
        }

        let theirs = TcpListener::bind((Ipv4Addr::from(HOST), 80)).unwrap();
        let ours = local::TcpListener::bind(&peer, (Ipv4Addr::from(FAR), 81)).unwrap();
        let connect = || local::TcpStream::connect(&peer, (Ipv4Addr::from(HOST), 80));
        std::thread::scope(|scope| {
            scope.spawn(|| between(len, || Ok(theirs.accept()?.0), connect));
            let connect = || TcpStream::connect((Ipv4Addr::from(FAR), 81));
            between(len, || Ok(ours.accept()?.0), connect);
        });
        for name in ["virt0", "shmif0"] {
            check_link(&bridge, name, &asked);
        }
        check_sums(&[&peer], &[uplink::spoilt()], &asked);
    });
}

#[test]
fn loss() {
    let loss = Probability::percent(2);
    linux_to_ours("loss", 4 << 20, Character { loss, ..Character::default() });
}

#[test]
fn delay_that_varies() {
    let character = Character { delay: 10 * MS, jitter: 4 * MS, ..Character::default() };
    linux_to_ours("delay_that_varies", 4 << 20, character);
}

#[test]
fn other_orders() {
    let reorder = Probability::percent(5);
    linux_to_ours(
        "other_orders",
        4 << 20,
        Character { delay: 2 * MS, reorder, ..Character::default() },
    );
}

#[test]
fn doubles() {
    let duplicate = Probability::percent(5);
    linux_to_ours("doubles", 4 << 20, Character { duplicate, ..Character::default() });
}

#[test]
fn turned_bits() {
    let corrupt = Probability::percent(2);
    linux_to_ours("turned_bits", 4 << 20, Character { corrupt, ..Character::default() });
}

#[test]
fn a_narrow_link_with_little_room() {
    // So slow that any stack fills it, on any machine.
    let narrow = Character { rate: 20_000_000, limit: 20, ..Character::default() };
    linux_to_ours("a_narrow_link_with_little_room", 1 << 20, narrow);
}

/// All of it.
fn storm() -> Character {
    Character {
        delay: 4 * MS,
        jitter: 2 * MS,
        distribution: Distribution::Normal,
        rate: 100_000_000,
        loss: Probability::percent(1),
        reorder: Probability::percent(2),
        duplicate: Probability::percent(2),
        corrupt: Probability::percent(1),
        ..Character::default()
    }
}

#[test]
fn all_at_once() {
    linux_to_ours("all_at_once", 1 << 20, storm());
}

#[test]
fn linux_to_linux_through_all_at_once() {
    namespace::run("linux_to_linux_through_all_at_once", || {
        uplink::tap();
        let lab = uplink::lab();
        let bridge = lab.hosted("bridge");
        uplink::bridge(&bridge, "virt1", "tap1");
        ip("link set tap0 address 02:77:00:00:00:01");
        ip("link set tap1 address 02:77:00:00:00:02");
        let far = uplink::far_side("10.77.0.2/24");
        far.enter(|| ip("neigh replace 10.77.0.1 lladdr 02:77:00:00:00:01 dev tap1 nud permanent"));
        ip("neigh replace 10.77.0.2 lladdr 02:77:00:00:00:02 dev tap0 nud permanent");
        for name in ["virt0", "virt1"] {
            ifconfig::character(&bridge, name, storm()).unwrap();
        }
        let near = TcpListener::bind((Ipv4Addr::from(HOST), 80)).unwrap();
        let there = far.enter(|| TcpListener::bind((Ipv4Addr::from(FAR), 81)).unwrap());
        let connect = || far.enter(|| TcpStream::connect((Ipv4Addr::from(HOST), 80)));
        std::thread::scope(|scope| {
            scope.spawn(|| between(1 << 20, || Ok(near.accept()?.0), connect));
            let connect = || TcpStream::connect((Ipv4Addr::from(FAR), 81));
            between(1 << 20, || Ok(there.accept()?.0), connect);
        });
        for name in ["virt0", "virt1"] {
            check_link(&bridge, name, &storm());
        }
        check_sums(&[], &[uplink::spoilt(), far.enter(uplink::spoilt)], &storm());
    });
}

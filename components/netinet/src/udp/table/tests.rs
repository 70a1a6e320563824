//! Who gets a datagram, and who gets a port.

use super::*;

const ANY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn peer(n: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, n), 1000)
}

fn bound(table: &mut Table<&'static str>, name: &'static str, local: Ipv4Addr) -> Key {
    let key = table.insert(name);
    assert_eq!(table.bind(key, local, 53, true), Ok(()), "{name}");
    key
}

#[test]
fn rfc1122_4_1_3_5_the_most_exact_endpoint_hears() {
    let mut t = Table::new();
    bound(&mut t, "any", ANY);
    bound(&mut t, "a", A);
    let k = bound(&mut t, "any from 1", ANY);
    t.connect(k, A, peer(1)).unwrap();
    assert_eq!(t.lookup(A, 53, peer(1), 1), Some(&"any from 1"));
    assert_eq!(t.lookup(A, 53, peer(2), 1), Some(&"a"), "a peer that is not its own is not heard");
    assert_eq!(t.lookup(B, 53, peer(1), 1), Some(&"any"));
    assert_eq!(t.lookup(B, 54, peer(1), 1), None);
    assert!(t.matches(A, 53, peer(1), 1).eq(&["any", "a", "any from 1"]));
}

#[test]
fn a_peer_counts_more_than_an_address() {
    let mut t = Table::new();
    bound(&mut t, "a", A);
    let k = bound(&mut t, "any", ANY);
    t.connect(k, ANY, peer(1)).unwrap();
    assert_eq!(t.lookup(A, 53, peer(1), 1), Some(&"any"));
}

#[test]
fn of_equals_the_latest_hears() {
    let mut t = Table::new();
    bound(&mut t, "first", A);
    bound(&mut t, "second", A);
    assert_eq!(t.lookup(A, 53, peer(1), 1), Some(&"second"));
}

#[test]
fn the_address_that_connect_chose_goes_with_the_peer() {
    let mut t = Table::new();
    let k = bound(&mut t, "x", ANY);
    t.connect(k, A, peer(1)).unwrap();
    assert_eq!(t.endpoint(k), Endpoint { local: A, port: 53, peer: Some(peer(1)) });
    assert_eq!(t.connected(A, 53, peer(1), 1), Some(&"x"));
    t.connect(k, B, peer(2)).unwrap();
    assert_eq!(t.endpoint(k).local, B, "another peer, another way");
    assert!(t.disconnect(k));
    assert_eq!(t.endpoint(k), Endpoint { local: ANY, port: 53, peer: None });
    assert!(!t.disconnect(k));
    let k = bound(&mut t, "y", A);
    t.connect(k, B, peer(1)).unwrap();
    t.disconnect(k);
    assert_eq!(t.endpoint(k).local, A, "one that bind chose stays");
}

#[test]
fn addresses_are_shared_only_if_all_say_so() {
    let mut t = Table::new();
    let try_bind = |t: &mut Table<u8>, local, reuse| {
        let k = t.insert(0);
        t.bind(k, local, 7, reuse).is_ok() || t.remove(k).is_none()
    };
    assert!(try_bind(&mut t, A, false));
    assert!(try_bind(&mut t, B, false), "another address is no conflict");
    assert!(!try_bind(&mut t, A, true));
    assert!(!try_bind(&mut t, ANY, true), "all addresses include that one");
    let mut t = Table::new();
    assert!(try_bind(&mut t, ANY, true) && try_bind(&mut t, A, true) && try_bind(&mut t, A, true));
    assert!(!try_bind(&mut t, A, false));
    assert_eq!(t.len(), 3);
}

#[test]
fn who_is_bound_to_an_interface_hears_it_alone_and_first() {
    let mut t = Table::new();
    let on = |t: &mut Table<&'static str>, name, local, device| {
        let key = t.insert(name);
        let share = Share { device, ..Share::default() };
        t.bind(key, local, 53, share).map(|()| key)
    };
    // Its port is another one's, too, if that is bound to another interface.
    on(&mut t, "1", ANY, 1).unwrap();
    let two = on(&mut t, "2", ANY, 2).unwrap();
    assert_eq!(on(&mut t, "1 again", A, 1), Err(TableError::InUse));
    assert_eq!(on(&mut t, "any", ANY, 0), Err(TableError::InUse), "that is all of them");
    for (ifindex, heard) in [(1, Some(&"1")), (2, Some(&"2")), (3, None)] {
        assert_eq!(t.lookup(A, 53, peer(1), ifindex), heard);
        assert!(t.matches(A, 53, peer(1), ifindex).eq(heard));
    }
    assert_eq!(t.choose_port(ANY, 3, 53..=53, 0), Some(53));
    assert_eq!(t.choose_port(ANY, 2, 53..=53, 0), None);
    // To be bound later, or to another one, does not take the port away.
    t.set_device(two, 1);
    t.set_device(two, 0);
    assert_eq!(t.lookup(A, 53, peer(1), 2), Some(&"2"));
    assert_eq!(t.lookup(A, 53, peer(1), 1), Some(&"1"), "it is bound there");
    // An address counts more than an interface.
    on(&mut t, "3", ANY, 3).unwrap_err();
    t.set_device(two, 2);
    on(&mut t, "3 at b", B, 3).unwrap();
    t.set_device(two, 3);
    assert_eq!(t.lookup(B, 53, peer(1), 3), Some(&"3 at b"));
    assert_eq!(t.lookup(A, 53, peer(1), 3), Some(&"2"));
}

#[test]
fn the_same_peer_by_two_interfaces() {
    let mut t = Table::new();
    let keys = [1, 2].map(|device| {
        let key = t.insert(device);
        t.bind(key, ANY, 53, Share { device, ..Share::default() }).unwrap();
        t.connect(key, A, peer(1)).unwrap();
        key
    });
    assert_eq!(t.connected(A, 53, peer(1), 1), Some(&1));
    assert_eq!(t.connected(A, 53, peer(1), 2), Some(&2));
    assert_eq!(t.connected(A, 53, peer(1), 3), None);
    t.disconnect(keys[0]);
    t.set_device(keys[0], 0);
    assert_eq!(t.connect(keys[0], A, peer(1)), Err(TableError::InUse));
}

#[test]
fn one_port_and_one_place_for_each() {
    let mut t = Table::new();
    let k = bound(&mut t, "x", A);
    assert_eq!(t.bind(k, A, 54, false), Err(TableError::Bound));
    assert_eq!(t.bind(99, A, 54, false), Err(TableError::Bound));
    t.connect(k, A, peer(1)).unwrap();
    let other = bound(&mut t, "y", A);
    assert_eq!(t.connect(other, A, peer(1)), Err(TableError::InUse));
    assert_eq!(t.remove(k), Some("x"));
    assert_eq!(t.remove(k), None);
    assert_eq!(t.connect(other, A, peer(1)), Ok(()));
}

#[test]
fn rfc6056_3_3_1_a_port_is_chosen_at_random_and_free() {
    let mut t: Table<u8> = Table::new();
    let range = || 50_000..=50_003;
    assert_eq!(t.choose_port(ANY, 0, range(), 2), Some(50_002));
    assert_eq!(t.choose_port(ANY, 0, range(), u32::MAX), Some(50_003));
    for n in 0..4 {
        let port = t.choose_port(ANY, 0, range(), 3).unwrap();
        assert_eq!(port, 50_000 + (3 + n) % 4, "the next one where that is taken");
        let k = t.insert(0);
        t.bind(k, ANY, port, false).unwrap();
    }
    assert_eq!(t.choose_port(A, 0, range(), 0), None, "all are taken");
    assert_eq!(t.choose_port(A, 0, 65_535..=65_535, 9), Some(65_535));
    #[allow(clippy::reversed_empty_ranges)]
    let nothing = 9..=8;
    assert_eq!(t.choose_port(A, 0, nothing, 9), None);
}

#[test]
fn an_empty_table_holds_no_memory() {
    let mut t = Table::new();
    let keys: SmallVec<[Key; 8]> = (0..100).map(|_| bound(&mut t, "x", A)).collect();
    keys.iter().for_each(|k| assert!(t.remove(*k).is_some()));
    assert_eq!((t.entries.capacity(), t.ports.capacity(), t.len()), (0, 0, 0));
    assert_eq!(Table::<u8>::cost(0), 0);
    assert!(Table::<u8>::cost(5) >= 8 * size_of::<Entry<u8>>());
}

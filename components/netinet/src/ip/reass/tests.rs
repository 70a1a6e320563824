//! Order, duplicates, conflicts, limits, time.

use super::*;
use proptest::prelude::*;
use std::vec;

extern crate std;

const UDP: u8 = 17;
const SECOND: u64 = 1_000_000_000;

fn key(id: u16) -> Key {
    Key { src: Ipv4Addr::new(10, 0, 0, 1), dst: Ipv4Addr::new(10, 0, 0, 2), id, protocol: UDP }
}

fn fragment(id: u16, offset: usize, len: usize, more: bool) -> Fragment {
    Fragment { key: key(id), offset, len, header_len: 20, more, cost: len }
}

fn refusal<P>(outcome: Outcome<P>) -> Option<Refusal> {
    match outcome {
        Outcome::Refused(_, why) => Some(why),
        _ => None,
    }
}

/// INVARIANT checks.
fn check<P>(table: &Reassembly<P>) {
    let cost: usize = table.partials.iter().map(|p| p.cost).sum();
    assert_eq!(cost, table.bytes);
    assert!(table.partials.is_sorted_by_key(|p| p.deadline_ns));
    for partial in &table.partials {
        assert!(partial.held.windows(2).all(|w| w[0].end <= w[1].start));
        // The tests' pieces cost what they are long.
        assert_eq!(partial.held.iter().map(|h| h.end - h.start).sum::<usize>(), partial.cost);
        assert!(!partial.condemned || partial.held.is_empty());
    }
}

#[test]
fn rfc791_3_2_two_halves_make_a_datagram() {
    let mut table = Reassembly::new(Limits::default());
    assert_eq!(table.footprint(), 0);
    assert_eq!(table.input(fragment(1, 8, 5, false), 'b', 0), Outcome::Held);
    let Outcome::Complete(done) = table.input(fragment(1, 0, 8, true), 'a', 0) else { panic!() };
    assert_eq!((done.pieces, done.payload_len, done.cost), (vec!['a', 'b'], 13, 13));
    assert_eq!((table.held_bytes(), table.len(), table.footprint()), (0, 0, 0));
}

#[test]
fn rfc791_p28_every_part_of_the_key_counts() {
    let base = fragment(1, 0, 8, true);
    let others = [
        Key { src: Ipv4Addr::new(9, 9, 9, 9), ..base.key },
        Key { dst: Ipv4Addr::new(9, 9, 9, 9), ..base.key },
        Key { id: 2, ..base.key },
        Key { protocol: 1, ..base.key },
    ];
    let mut table = Reassembly::new(Limits::default());
    table.input(base, (), 0);
    for (n, key) in others.into_iter().enumerate() {
        let last = Fragment { key, ..fragment(1, 8, 8, false) };
        assert_eq!(table.input(last, (), 0), Outcome::Held);
        assert_eq!(table.len(), n + 2);
    }
}

#[test]
fn exact_duplicates_are_passed_over() {
    let mut table = Reassembly::new(Limits::default());
    table.input(fragment(1, 0, 8, true), 1, 0);
    assert_eq!(refusal(table.input(fragment(1, 0, 8, true), 2, 0)), Some(Refusal::Duplicate));
    table.input(fragment(1, 16, 8, false), 3, 0);
    assert_eq!(refusal(table.input(fragment(1, 16, 8, false), 4, 0)), Some(Refusal::Duplicate));
    let Outcome::Complete(done) = table.input(fragment(1, 8, 8, true), 5, 0) else { panic!() };
    assert_eq!(done.pieces, [1, 5, 3]);
    assert_eq!(table.counts().duplicates, 2);
}

/// The second fragment condemns the datagram, and what comes after is dropped silently.
fn conflict(a: (usize, usize, bool), b: (usize, usize, bool)) {
    let mut table = Reassembly::new(Limits::default());
    table.input(fragment(1, a.0, a.1, a.2), (), 0);
    assert_eq!(
        refusal(table.input(fragment(1, b.0, b.1, b.2), (), 0)),
        Some(Refusal::Conflict),
        "{a:?} {b:?}"
    );
    check(&table);
    assert_eq!((table.held_bytes(), table.len()), (0, 1));
    for rest in [fragment(1, 0, 8, true), fragment(1, 800, 8, false)] {
        assert_eq!(refusal(table.input(rest, (), 0)), Some(Refusal::Condemned));
    }
    let expired = table.expire(30 * SECOND).unwrap();
    assert_eq!((expired.key, expired.first), (key(1), None));
    assert_eq!((table.counts().condemned, table.counts().timed_out), (1, 0));
}

#[test]
fn rfc5722_3_an_overlap_condemns_the_datagram() {
    conflict((0, 16, true), (8, 16, true));
    conflict((8, 16, true), (0, 16, true));
    conflict((0, 32, true), (8, 8, true)); // Inside.
    conflict((8, 8, true), (0, 32, true)); // Around.
    conflict((0, 16, true), (0, 8, true)); // The same start.
    conflict((0, 8, true), (0, 16, true));
    conflict((8, 16, true), (16, 8, true)); // The same end.
}

#[test]
fn contradicting_ends_condemn_the_datagram() {
    conflict((16, 8, false), (24, 8, true)); // Past the end.
    conflict((16, 8, false), (8, 4, false)); // A second end, before,
    conflict((16, 8, false), (32, 8, false)); // and behind.
    conflict((16, 8, true), (8, 8, false)); // An end before what is there.
    conflict((16, 8, true), (16, 8, false)); // The same piece with another "more".
    conflict((16, 8, false), (16, 8, true));
}

#[test]
fn rfc791_3_2_impossible_fragments_are_refused() {
    let mut table = Reassembly::new(Limits::default());
    for bad in [
        fragment(1, 0, 0, true),
        fragment(1, 8, 0, false),
        fragment(1, 0, 9, true),
        fragment(1, 4, 8, true),
        fragment(1, 65528, 8, false),
        fragment(1, usize::MAX - 7, 8, false),
    ] {
        assert_eq!(refusal(table.input(bad, (), 0)), Some(Refusal::Malformed), "{bad:?}");
    }
    assert!(table.is_empty());
}

#[test]
fn the_first_header_counts_towards_65535() {
    // The last fragment has no options and reaches the limit; the first has 40 bytes of them.
    let mut table = Reassembly::new(Limits::default());
    assert_eq!(table.input(fragment(1, 65504, 11, false), (), 0), Outcome::Held);
    let first = Fragment { header_len: 60, ..fragment(1, 0, 8, true) };
    assert_eq!(refusal(table.input(first, (), 0)), Some(Refusal::Conflict));
}

#[test]
fn rfc1858_3_2_1_and_rfc3128_4_tiny_fragments_of_tcp_are_refused() {
    let tcp = |f: Fragment| Fragment { key: Key { protocol: PROTOCOL_TCP, ..f.key }, ..f };
    let mut table = Reassembly::new(Limits::default());
    for bad in [fragment(1, 0, 8, true), fragment(1, 8, 64, true), fragment(1, 8, 8, false)] {
        assert_eq!(refusal(table.input(tcp(bad), (), 0)), Some(Refusal::Tiny));
        assert_eq!(refusal(table.input(bad, (), 0)), None);
        table = Reassembly::new(Limits::default());
    }
    assert_eq!(table.input(tcp(fragment(1, 0, 16, true)), (), 0), Outcome::Held);
}

#[test]
fn rfc1122_3_3_2_the_timeout_runs_from_the_first_arrival() {
    let mut table = Reassembly::new(Limits::default());
    assert_eq!(table.next_deadline(), None);
    table.input(fragment(1, 8, 8, true), 'b', SECOND);
    table.input(fragment(1, 0, 8, true), 'a', 20 * SECOND);
    table.input(fragment(2, 8, 8, true), 'c', 21 * SECOND);
    assert_eq!(table.next_deadline(), Some(31 * SECOND));
    assert_eq!(table.expire(31 * SECOND - 1), None);
    // RFC 792 p. 6: the first fragment is there, so an error can be sent about it.
    let expired = Expired { key: key(1), first: Some('a') };
    assert_eq!(table.expire(31 * SECOND), Some(expired));
    assert_eq!(table.expire(31 * SECOND), None);
    // Here it is not.
    assert_eq!(table.expire(u64::MAX), Some(Expired { key: key(2), first: None }));
    assert_eq!((table.counts().timed_out, table.held_bytes(), table.footprint()), (2, 0, 0));
}

#[test]
fn too_many_datagrams_evict_the_oldest() {
    let mut table = Reassembly::new(Limits { datagrams: 3, ..Limits::default() });
    for id in 0..5 {
        table.input(fragment(id, 8, 8, true), id, u64::from(id));
    }
    assert_eq!((table.len(), table.counts().evicted), (3, 2));
    assert_eq!(table.expire(u64::MAX).map(|e| e.key.id), Some(2));
}

#[test]
fn too_many_bytes_evict_the_oldest_but_not_the_one_that_grows() {
    let mut table = Reassembly::new(Limits { bytes: 100, ..Limits::default() });
    table.input(fragment(1, 0, 40, true), (), 0);
    table.input(fragment(2, 0, 40, true), (), 1);
    assert_eq!(table.input(fragment(1, 40, 40, true), (), 2), Outcome::Held);
    check(&table);
    assert_eq!((table.len(), table.held_bytes(), table.counts().evicted), (1, 80, 1));
    // More than the limit allows in one datagram.
    assert_eq!(refusal(table.input(fragment(1, 80, 40, true), (), 2)), Some(Refusal::Limit));
    assert_eq!((table.held_bytes(), table.counts().condemned), (0, 1));
    assert_eq!(refusal(table.input(fragment(3, 0, 104, true), (), 2)), Some(Refusal::Limit));
}

#[test]
fn too_many_fragments_condemn_the_datagram() {
    let mut table = Reassembly::new(Limits { fragments: 4, ..Limits::default() });
    for n in 0..4 {
        assert_eq!(table.input(fragment(1, n * 8, 8, true), (), 0), Outcome::Held);
    }
    assert_eq!(refusal(table.input(fragment(1, 32, 8, true), (), 0)), Some(Refusal::Limit));
    assert_eq!(table.held_bytes(), 0);
}

/// A datagram whose bytes tell where they belong, cut at the given places.
fn cut(tag: u8, len: usize, cuts: &[usize]) -> std::vec::Vec<(usize, std::vec::Vec<u8>, bool)> {
    let data: std::vec::Vec<u8> = (0..len).map(|n| (n as u8).wrapping_mul(31) ^ tag).collect();
    let mut cuts: std::vec::Vec<usize> =
        cuts.iter().map(|c| c * 8).filter(|c| *c > 0 && *c < len).collect();
    cuts.extend([0, len]);
    cuts.sort_unstable();
    cuts.dedup();
    cuts.windows(2).map(|w| (w[0], data[w[0]..w[1]].to_vec(), w[1] < len)).collect()
}

proptest! {
    #[test]
    fn any_order_with_duplicates_gives_the_original(
        len in 1..2000usize, cuts in prop::collection::vec(0..250usize, 0..30),
        keys in prop::collection::vec(any::<u32>(), 62), twice in prop::collection::vec(any::<bool>(), 31),
    ) {
        let pieces = cut(0, len, &cuts);
        let mut arrivals: std::vec::Vec<_> = pieces.iter().enumerate().map(|(n, p)| (keys[n], p)).collect();
        arrivals.extend(
            pieces.iter().enumerate().filter(|(n, _)| twice[*n]).map(|(n, p)| (keys[31 + n], p)),
        );
        arrivals.sort_by_key(|a| a.0);
        let mut table = Reassembly::new(Limits::default());
        let mut whole = 0;
        for (n, (_, (offset, bytes, more))) in arrivals.iter().enumerate() {
            let new = fragment(1, *offset, bytes.len(), *more);
            let allowed = table.footprint() + table.input_cost(&new.key);
            match table.input(new, bytes.clone(), n as u64) {
                Outcome::Complete(done) => {
                    whole += 1;
                    let expected: std::vec::Vec<u8> =
                        pieces.iter().flat_map(|p| p.1.clone()).collect();
                    prop_assert_eq!(done.pieces.concat(), expected);
                    prop_assert_eq!(done.payload_len, len);
                }
                Outcome::Refused(_, why) => prop_assert_eq!(why, Refusal::Duplicate),
                Outcome::Held => {}
            }
            prop_assert!(table.footprint() <= allowed);
            check(&table);
        }
        // Late copies may start the datagram anew; a set of them may even complete it again.
        prop_assert!(whole >= 1);
    }

    #[test]
    fn rfc5722_two_cuttings_are_never_mixed(
        len in 9..800usize, other in 9..800usize,
        a in prop::collection::vec(0..100usize, 1..8), b in prop::collection::vec(0..100usize, 1..8),
        order in prop::collection::vec(any::<u32>(), 32),
    ) {
        // Two datagrams under one key. A piece of one can only be taken for a piece of the other
        // if they are cut at the same place, and then no receiver could tell; so the second is
        // never cut, nor ends, where the first is or does.
        let places = |cuts: &[usize], len| cuts.iter().map(|c| c * 8).chain([len]).collect::<Vec<_>>();
        let taken = places(&a, len);
        let b: Vec<usize> = b.into_iter().filter(|c| !taken.contains(&(c * 8))).collect();
        prop_assume!(!taken.contains(&other) && !places(&b, other).contains(&len));
        let (a, b) = (cut(0x00, len, &a), cut(0xff, other, &b));
        let mut all: std::vec::Vec<_> = a.iter().chain(&b).zip(&order).collect();
        all.sort_by_key(|x| *x.1);
        let mut table = Reassembly::new(Limits::default());
        let whole = |p: &[(usize, std::vec::Vec<u8>, bool)]| -> std::vec::Vec<u8> {
            p.iter().flat_map(|p| p.1.clone()).collect()
        };
        for ((offset, bytes, more), _) in all {
            let new = fragment(1, *offset, bytes.len(), *more);
            if let Outcome::Complete(done) = table.input(new, bytes.clone(), 0) {
                let got = done.pieces.concat();
                prop_assert!(got == whole(&a) || got == whole(&b));
            }
            check(&table);
        }
    }

    #[test]
    fn limits_hold_whatever_comes(
        input in prop::collection::vec((0..6u16, 0..40usize, 0..80usize, any::<bool>()), 0..200),
    ) {
        let limits = Limits { datagrams: 3, fragments: 5, bytes: 400, timeout_ns: 50 };
        let mut table = Reassembly::new(limits);
        for (now, (id, units, len, more)) in input.into_iter().enumerate() {
            let now = now as u64;
            let allowed = table.footprint() + table.input_cost(&key(id));
            table.input(fragment(id, units * 8, len, more), (), now);
            check(&table);
            prop_assert!(table.len() <= 3 && table.held_bytes() <= 400);
            prop_assert!(table.footprint() <= allowed);
            prop_assert!(table.partials.iter().all(|p| p.held.len() <= 5));
            while table.expire(now).is_some() {}
            prop_assert!(table.next_deadline().is_none_or(|at| at > now));
        }
    }
}

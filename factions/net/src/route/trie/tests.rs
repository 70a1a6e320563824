//! Against a list that is searched from end to end, and against the crate `prefix-trie`.

use super::*;
use prefix_trie::PrefixMap;
use proptest::prelude::*;
use std::vec::Vec;

extern crate std;

fn ip(a: u8, b: u8, c: u8, d: u8) -> u32 {
    u32::from_be_bytes([a, b, c, d])
}

/// INVARIANT checks: keys masked, children below their parent on the right side, glue with two
/// children, every node either reachable or free.
fn check<K: Key, V>(trie: &Trie<K, V>) {
    let mut reachable = 0;
    let mut entries = 0;
    let mut todo: Vec<u32> = [trie.root].into_iter().filter(|at| *at != NIL).collect();
    while let Some(at) = todo.pop() {
        let node = &trie.nodes[at as usize];
        reachable += 1;
        entries += u32::from(node.value.is_some());
        assert!(node.key == node.key.masked(node.len));
        if node.value.is_none() {
            assert!(!node.child.contains(&NIL));
        }
        for (side, &child) in node.child.iter().enumerate().filter(|(_, at)| **at != NIL) {
            let below = &trie.nodes[child as usize];
            assert!(below.len > node.len && node.covers(below.key, below.len));
            assert_eq!(below.key.bit(node.len), side);
            todo.push(child);
        }
    }
    assert_eq!(entries, trie.entries);
    assert_eq!(reachable + trie.spare as usize, trie.nodes.len());
    assert!(reachable < 2 * trie.len().max(1));
}

#[derive(Default)]
struct Naive<K>(Vec<(K, u8, u16)>);

impl<K: Key> Naive<K> {
    fn remove(&mut self, key: K, len: u8) -> Option<u16> {
        let at = self.0.iter().position(|e| e.0 == key.masked(len) && e.1 == len)?;
        Some(self.0.remove(at).2)
    }

    fn insert(&mut self, key: K, len: u8, value: u16) -> Option<u16> {
        let old = self.remove(key, len);
        self.0.push((key.masked(len), len, value));
        self.0.sort();
        old
    }

    fn lookup(&self, addr: K) -> Option<(K, u8, u16)> {
        self.0.iter().filter(|e| addr.masked(e.1) == e.0).max_by_key(|e| e.1).copied()
    }
}

fn owned<K, V: Copy>(found: Option<(K, u8, &V)>) -> Option<(K, u8, V)> {
    found.map(|(key, len, value)| (key, len, *value))
}

/// Runs the operations on the trie and on the list; `K` is narrowed by the callers' strategies
/// so that prefixes meet.
fn agree<K: Key + core::fmt::Debug>(ops: &[(bool, K, u8, u16)], probes: &[K]) {
    let mut trie = Trie::new();
    let mut naive = Naive(Vec::new());
    for &(add, key, len, value) in ops {
        if add {
            let allowed = trie.footprint() + trie.insert_cost();
            assert_eq!(trie.insert(key, len, value), naive.insert(key, len, value));
            assert!(trie.footprint() <= allowed);
        } else {
            assert_eq!(trie.remove(key, len), naive.remove(key, len));
        }
        check(&trie);
        let next = naive.0.iter().find(|e| (e.0, e.1) > (key.masked(len), len)).copied();
        assert_eq!(owned(trie.next_after(Some((key, len)))), next);
    }
    let all: Vec<_> = trie.iter().map(|(key, len, value)| (key, len, *value)).collect();
    assert_eq!(all, naive.0);
    for &addr in probes.iter().chain(ops.iter().map(|op| &op.1)) {
        assert_eq!(owned(trie.lookup(addr)), naive.lookup(addr));
    }
    for &(_, key, len, _) in ops {
        assert_eq!(
            trie.get(key, len).copied(),
            naive.0.iter().find(|e| e.0 == key.masked(len) && e.1 == len).map(|e| e.2)
        );
    }
}

/// Addresses that share long prefixes: few distinct bytes.
fn close_u32() -> impl Strategy<Value = u32> {
    prop_oneof![any::<u32>(), any::<u32>().prop_map(|x| x & 0x8103_0107)]
}

fn close_u128() -> impl Strategy<Value = u128> {
    prop_oneof![any::<u128>(), any::<u128>().prop_map(|x| x & (0x8103_u128 << 112 | 0x0107))]
}

proptest! {
    #[test]
    fn agrees_with_a_list_u32(
        ops in prop::collection::vec((prop::bool::weighted(0.7), close_u32(), 0..=32u8, any::<u16>()), 0..80),
        probes in prop::collection::vec(close_u32(), 20),
    ) {
        agree(&ops, &probes);
    }

    #[test]
    fn agrees_with_a_list_u128(
        ops in prop::collection::vec((prop::bool::weighted(0.7), close_u128(), 0..=128u8, any::<u16>()), 0..80),
        probes in prop::collection::vec(close_u128(), 20),
    ) {
        agree(&ops, &probes);
    }

    #[test]
    fn agrees_with_prefix_trie(
        adds in prop::collection::vec((close_u32(), 0..=32u8, any::<u16>()), 0..120),
        drops in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        probes in prop::collection::vec(close_u32(), 40),
    ) {
        let mut ours = Trie::new();
        let mut theirs = PrefixMap::<(u32, u8), u16>::new();
        for &(key, len, value) in &adds {
            let key = key.masked(len);
            prop_assert_eq!(ours.insert(key, len, value), theirs.insert((key, len), value));
        }
        for pick in drops.iter().filter(|_| !adds.is_empty()) {
            let (key, len, _) = adds[pick.index(adds.len())];
            let key = key.masked(len);
            prop_assert_eq!(ours.remove(key, len), theirs.remove(&(key, len)));
        }
        check(&ours);
        for addr in probes {
            let expected = theirs.get_lpm(&(addr, 32)).map(|(p, v)| (p.0, p.1, *v));
            prop_assert_eq!(owned(ours.lookup(addr)), expected);
        }
        prop_assert_eq!(ours.len(), theirs.len());
    }
}

#[test]
fn an_empty_trie_holds_no_memory() {
    let mut trie = Trie::<u32, u64>::new();
    assert_eq!(trie.footprint(), 0);
    assert!(size_of::<Trie<u32, u64>>() <= 40);
    assert_eq!(owned(trie.lookup(0)), None);
    trie.insert(ip(10, 0, 0, 0), 8, 1);
    assert!(trie.footprint() > 0);
    trie.remove(ip(10, 0, 0, 0), 8);
    assert_eq!((trie.footprint(), trie.len()), (0, 0));
}

#[test]
fn rfc1812_5_2_4_3_the_longest_match_wins() {
    let mut trie = Trie::new();
    for (net, len, name) in [
        (ip(0, 0, 0, 0), 0, "default"),
        (ip(10, 0, 0, 0), 8, "ten"),
        (ip(10, 1, 0, 0), 16, "ten-one"),
        (ip(10, 1, 2, 3), 32, "host"),
    ] {
        assert_eq!(trie.insert(net, len, name), None);
    }
    let way = |a| trie.lookup(a).map(|f| *f.2);
    assert_eq!(way(ip(10, 1, 2, 3)), Some("host"));
    assert_eq!(way(ip(10, 1, 2, 4)), Some("ten-one"));
    assert_eq!(way(ip(10, 2, 2, 4)), Some("ten"));
    assert_eq!(way(ip(11, 0, 0, 1)), Some("default"));
}

#[test]
fn host_bits_are_ignored_and_length_is_bounded() {
    let mut trie = Trie::new();
    trie.insert(ip(10, 1, 2, 3), 8, 'a');
    assert_eq!(trie.get(ip(10, 9, 9, 9), 8), Some(&'a'));
    assert_eq!(trie.insert(ip(1, 1, 1, 1), 200, 'b'), None);
    assert_eq!(trie.get(ip(1, 1, 1, 1), 32), Some(&'b'));
    assert_eq!(trie.get(ip(1, 1, 1, 1), 200), None);
}

#[test]
fn retain_takes_out_what_is_refused() {
    let mut trie: Trie<u32, u32> = Trie::new();
    for n in 0..100 {
        trie.insert(n << 8, 24, n);
    }
    assert_eq!(trie.retain(|_, _, v| v % 3 == 0), 66);
    check(&trie);
    assert_eq!(trie.len(), 34);
    assert_eq!(trie.retain(|_, _, _| false), 34);
    assert_eq!(trie.footprint(), 0);
}

#[test]
fn of_those_that_do_not_count_a_shorter_one_is_found() {
    let mut trie: Trie<u32, u32> = Trie::new();
    for (key, len, value) in [(0, 0, 1), (ip(10, 0, 0, 0), 8, 2), (ip(10, 1, 0, 0), 16, 1)] {
        trie.insert(key, len, value);
    }
    trie.insert(ip(10, 1, 2, 0), 24, 2);
    let of = |value, addr| trie.lookup_where(addr, |v| *v == value).map(|(_, len, _)| len);
    let addr = ip(10, 1, 2, 3);
    assert_eq!((of(1, addr), of(2, addr), of(3, addr)), (Some(16), Some(24), None));
    assert_eq!((of(1, ip(10, 2, 0, 0)), of(2, ip(11, 0, 0, 0))), (Some(0), None));
}

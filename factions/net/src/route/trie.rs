//! Longest-prefix match: a path-compressed binary trie in an arena.
//!
//! A node stands for a prefix. It holds a value, or it is *glue*: the point where two prefixes
//! part, which always has two children. Chains of single bits are skipped, so that `n` prefixes
//! take fewer than `2n` nodes, and a lookup visits at most one node per bit that matters. Nodes
//! live in one `Vec` and refer to each other by index; freed ones form a list.
//! * [`Trie::lookup`] is the hot path: no recursion, no allocation; [`Trie::place_of`] and
//!   [`Trie::at`] are its halves, for those who remember answers;
//! * [`Trie::insert_cost`] says what the next [`Trie::insert`] may allocate, so that the caller
//!   can charge it first; [`Trie::footprint`] says what is held now;
//! * [`Trie::iter`] and [`Trie::next_after`] go through the entries in order. The latter names
//!   its place by a prefix, so that a walk may let go of the table between two steps.
//!
//! Locking: none; the owner guards the whole trie.
//! Sources: Morrison 1968 (PATRICIA); RFC 1812 §5.2.4.3 (next-hop address: longest match).

use alloc::vec::Vec;
use core::mem::size_of;

/// "No node": past the end of every arena, so that one bounds check answers both questions.
const NIL: u32 = u32::MAX;

/// Nodes in the first allocation.
const FIRST_NODES: usize = 4;

/// An address: a fixed number of bits, the most significant first.
pub trait Key: Copy + Ord {
    /// Number of bits.
    const BITS: u8;

    /// How many leading bits `self` and `other` have in common.
    fn common(self, other: Self) -> u8;

    /// Bit `index` (0 is the most significant), as 0 or 1; `index` is below [`Key::BITS`].
    fn bit(self, index: u8) -> usize;

    /// The first `len` bits, the rest zero.
    fn masked(self, len: u8) -> Self;
}

macro_rules! impl_key {
    ($int:ty) => {
        impl Key for $int {
            const BITS: u8 = <$int>::BITS as u8;

            #[inline]
            fn common(self, other: Self) -> u8 {
                (self ^ other).leading_zeros() as u8
            }

            #[inline]
            fn bit(self, index: u8) -> usize {
                (self.wrapping_shl(u32::from(index)) >> (<$int>::BITS - 1)) as usize
            }

            #[inline]
            fn masked(self, len: u8) -> Self {
                let host = <$int>::BITS.saturating_sub(u32::from(len));
                self & <$int>::MAX.checked_shl(host).unwrap_or(0)
            }
        }
    };
}
impl_key!(u32);
impl_key!(u128);

#[derive(Clone, Debug)]
struct Node<K, V> {
    /// INVARIANT: masked to `len`.
    key: K,
    /// By the next bit of the address; a free node keeps the next free one in `child[0]`.
    child: [u32; 2],
    len: u8,
    /// `None`: glue (then both children exist), or free.
    value: Option<V>,
}

impl<K: Key, V> Node<K, V> {
    fn covers(&self, key: K, len: u8) -> bool {
        self.len <= len && self.key.common(key) >= self.len
    }
}

/// A table of prefixes, each with a value.
#[derive(Clone, Debug)]
pub struct Trie<K, V> {
    nodes: Vec<Node<K, V>>,
    root: u32,
    /// Head of the list of free nodes.
    free: u32,
    /// Number of nodes in that list.
    spare: u32,
    /// Number of values.
    entries: u32,
}

impl<K: Key, V> Default for Trie<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Key, V> Trie<K, V> {
    /// An empty table; allocates nothing.
    pub const fn new() -> Self {
        Self { nodes: Vec::new(), root: NIL, free: NIL, spare: 0, entries: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries as usize
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// Bytes that the table holds now.
    pub fn footprint(&self) -> usize {
        self.nodes.capacity() * size_of::<Node<K, V>>()
    }

    /// The most by which [`Trie::footprint`] can grow in the next [`Trie::insert`].
    pub fn insert_cost(&self) -> usize {
        // An insert takes a leaf and perhaps a piece of glue.
        if self.spare as usize + self.nodes.capacity() - self.nodes.len() >= 2 {
            return 0;
        }
        (self.grown() - self.nodes.capacity()) * size_of::<Node<K, V>>()
    }

    /// The capacity after the next growth. By half: routing tables grow slowly, and idle kernels
    /// should not hold what they never use.
    fn grown(&self) -> usize {
        let now = self.nodes.capacity();
        (now + now / 2 + 1).max(FIRST_NODES)
    }

    /// The entry with the longest prefix that matches `addr`: prefix, its length, its value.
    #[inline]
    pub fn lookup(&self, addr: K) -> Option<(K, u8, &V)> {
        let node = self.nodes.get(self.place_of(addr)? as usize)?;
        Some((node.key, node.len, node.value.as_ref()?))
    }

    /// The same among those whose value `counts`.
    pub fn lookup_where(&self, addr: K, counts: impl Fn(&V) -> bool) -> Option<(K, u8, &V)> {
        let node = self.nodes.get(self.place_where(addr, counts)? as usize)?;
        Some((node.key, node.len, node.value.as_ref()?))
    }

    /// Where that entry is: [`Trie::at`] finds it there until something changes.
    #[inline]
    pub fn place_of(&self, addr: K) -> Option<u32> {
        self.place_where(addr, |_| true)
    }

    #[inline]
    fn place_where(&self, addr: K, counts: impl Fn(&V) -> bool) -> Option<u32> {
        let mut best = NIL;
        let mut at = self.root;
        while let Some(node) = self.nodes.get(at as usize) {
            if node.key.common(addr) < node.len {
                break;
            }
            if node.value.as_ref().is_some_and(&counts) {
                best = at;
            }
            if node.len >= K::BITS {
                break;
            }
            at = node.child[addr.bit(node.len)];
        }
        (best != NIL).then_some(best)
    }

    /// The value of the entry at that place, if there is one.
    #[inline]
    pub fn at(&self, place: u32) -> Option<&V> {
        self.nodes.get(place as usize)?.value.as_ref()
    }

    /// The value of exactly this prefix. Bits of `key` past `len` are ignored here and below;
    /// no prefix is longer than [`Key::BITS`].
    pub fn get(&self, key: K, len: u8) -> Option<&V> {
        self.nodes.get(self.find(key, len)? as usize)?.value.as_ref()
    }

    /// The value of exactly this prefix, to be changed.
    pub fn get_mut(&mut self, key: K, len: u8) -> Option<&mut V> {
        let at = self.find(key, len)?;
        self.nodes.get_mut(at as usize)?.value.as_mut()
    }

    fn find(&self, key: K, len: u8) -> Option<u32> {
        let mut at = self.root;
        loop {
            let node = self.nodes.get(at as usize)?;
            if !node.covers(key, len) {
                return None;
            }
            if node.len == len {
                return Some(at);
            }
            at = node.child[key.bit(node.len)];
        }
    }

    /// Sets the value of a prefix and gives back the one it replaces. A `len` past [`Key::BITS`]
    /// counts as [`Key::BITS`].
    pub fn insert(&mut self, key: K, len: u8, value: V) -> Option<V> {
        let len = len.min(K::BITS);
        let key = key.masked(len);
        // The link that will point to the new node: a child of `parent`, or the root.
        let mut parent = NIL;
        let mut side = 0;
        let mut at = self.root;
        while let Some(node) = self.nodes.get_mut(at as usize) {
            let common = node.key.common(key).min(node.len).min(len);
            if common == node.len {
                if node.len == len {
                    let old = node.value.replace(value);
                    self.entries += u32::from(old.is_none());
                    return old;
                }
                parent = at;
                side = key.bit(node.len);
                at = node.child[side];
                continue;
            }
            // The new prefix is above this node, or beside it: then glue goes above both.
            let below = node.key;
            let leaf = self.allocate(key, len, Some(value));
            let top = if common == len { leaf } else { self.allocate(key, common, None) };
            self.set_child(top, below.bit(common), at);
            if top != leaf {
                self.set_child(top, key.bit(common), leaf);
            }
            self.set_child(parent, side, top);
            self.entries += 1;
            return None;
        }
        let leaf = self.allocate(key, len, Some(value));
        self.set_child(parent, side, leaf);
        self.entries += 1;
        None
    }

    /// Takes out exactly this prefix.
    pub fn remove(&mut self, key: K, len: u8) -> Option<V> {
        // The node, and the two above it with the sides taken.
        let mut grand = (NIL, 0);
        let mut parent = (NIL, 0);
        let mut at = self.root;
        let value = loop {
            let node = self.nodes.get_mut(at as usize)?;
            if !node.covers(key, len) {
                return None;
            }
            if node.len == len {
                break node.value.take()?;
            }
            let side = key.bit(node.len);
            grand = parent;
            parent = (at, side);
            at = node.child[side];
        };
        self.entries -= 1;
        match self.children(at) {
            [NIL, NIL] => {
                self.set_child(parent.0, parent.1, NIL);
                self.release(at);
                self.splice_glue(parent.0, grand);
            }
            [only, NIL] | [NIL, only] => {
                self.set_child(parent.0, parent.1, only);
                self.release(at);
            }
            _ => {} // It stays as glue.
        }
        if self.entries == 0 {
            *self = Self::new();
        }
        Some(value)
    }

    /// Takes out every entry for which `keep` says no; returns how many.
    pub fn retain(&mut self, mut keep: impl FnMut(K, u8, &V) -> bool) -> usize {
        let before = self.entries;
        let mut last = None;
        while let Some((key, len, value)) = self.next_after(last) {
            last = Some((key, len));
            if !keep(key, len, value) {
                self.remove(key, len);
            }
        }
        (before - self.entries) as usize
    }

    /// The entries in order: by address, the shorter prefix first.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter { trie: self, last: None }
    }

    /// The first entry after the given prefix (which need not be in the table) in the order of
    /// [`Trie::iter`]; the first of all after `None`.
    pub fn next_after(&self, last: Option<(K, u8)>) -> Option<(K, u8, &V)> {
        let Some((key, len)) = last else { return self.first_below(self.root) };
        let key = key.masked(len);
        // Everything below `pending` comes after the given prefix.
        let mut pending = NIL;
        let mut at = self.root;
        while let Some(node) = self.nodes.get(at as usize) {
            if (node.key, node.len) > (key, len) {
                pending = at;
                break;
            }
            if !node.covers(key, len) {
                break; // All of this subtree comes before.
            }
            if node.len == len {
                let [zero, one] = node.child;
                pending = if zero != NIL {
                    zero
                } else if one != NIL {
                    one
                } else {
                    pending
                };
                break;
            }
            let side = key.bit(node.len);
            if side == 0 && node.child[1] != NIL {
                pending = node.child[1];
            }
            at = node.child[side];
        }
        self.first_below(pending)
    }

    fn first_below(&self, mut at: u32) -> Option<(K, u8, &V)> {
        loop {
            let node = self.nodes.get(at as usize)?;
            if let Some(value) = &node.value {
                return Some((node.key, node.len, value));
            }
            at = node.child[0]; // Glue has two children.
        }
    }

    fn children(&self, at: u32) -> [u32; 2] {
        self.nodes.get(at as usize).map_or([NIL, NIL], |node| node.child)
    }

    /// Sets a link; `NIL` stands for the place of the root.
    fn set_child(&mut self, parent: u32, side: usize, child: u32) {
        match self.nodes.get_mut(parent as usize) {
            Some(node) => node.child[side] = child,
            None => self.root = child,
        }
    }

    /// Takes `at` out if it is glue that has lost a child.
    fn splice_glue(&mut self, at: u32, above: (u32, usize)) {
        let Some(node) = self.nodes.get(at as usize) else { return };
        if node.value.is_some() {
            return;
        }
        let [zero, one] = node.child;
        self.set_child(above.0, above.1, if zero == NIL { one } else { zero });
        self.release(at);
    }

    fn allocate(&mut self, key: K, len: u8, value: Option<V>) -> u32 {
        let fresh = Node { key: key.masked(len), child: [NIL, NIL], len, value };
        if let Some(node) = self.nodes.get_mut(self.free as usize) {
            let at = self.free;
            self.free = node.child[0];
            self.spare -= 1;
            *node = fresh;
            return at;
        }
        if self.nodes.len() == self.nodes.capacity() {
            self.nodes.reserve_exact(self.grown() - self.nodes.len());
        }
        // 2^32 nodes would be over 64 GiB: the account refuses long before.
        let at = self.nodes.len() as u32;
        self.nodes.push(fresh);
        at
    }

    fn release(&mut self, at: u32) {
        if let Some(node) = self.nodes.get_mut(at as usize) {
            node.value = None;
            node.child = [self.free, NIL];
            self.free = at;
            self.spare += 1;
        }
    }
}

/// See [`Trie::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a, K, V> {
    trie: &'a Trie<K, V>,
    last: Option<(K, u8)>,
}

impl<'a, K: Key, V> Iterator for Iter<'a, K, V> {
    type Item = (K, u8, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.trie.next_after(self.last)?;
        self.last = Some((found.0, found.1));
        Some(found)
    }
}

impl<'a, K: Key, V> IntoIterator for &'a Trie<K, V> {
    type Item = (K, u8, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;

//! A map from IPv4 addresses that is fastest when it is small.
//!
//! Rows lie in one `Vec`. Up to eight of them are searched one by one, which for the two or three
//! neighbours of a router takes less time than a hash; past that, a hash table of row numbers
//! stands beside them. An empty map holds no memory.
//! * [`Table::find`] gives a row number, valid until the next insertion or removal;
//! * [`Table::insert_cost`] says what the next [`Table::insert`] may allocate.
//!
//! Locking: none; the owner guards it.
//! Sources: Dietzfelbinger et al. 1997 (multiply-shift hashing: nobody outside can make
//! addresses collide without the seed).

use alloc::vec::Vec;
use core::mem::size_of;
use core::net::Ipv4Addr;
use hashbrown::HashTable;

/// Most rows that are searched one by one.
const SMALL: usize = 8;
/// Rows in the first allocation.
const FIRST: usize = 2;

/// A map from addresses to `T`.
#[derive(Clone, Debug)]
pub struct Table<T> {
    rows: Vec<(u32, T)>,
    /// Row numbers by address; empty while the rows are few.
    index: HashTable<u32>,
    /// Odd, secret.
    multiplier: u64,
}

impl<T> Table<T> {
    /// An empty map; `seed` is random.
    pub const fn new(seed: u64) -> Self {
        Self { rows: Vec::new(), index: HashTable::new(), multiplier: seed | 1 }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of an address.
    #[inline]
    pub fn find(&self, ip: Ipv4Addr) -> Option<usize> {
        let ip = ip.to_bits();
        if self.rows.len() <= SMALL && self.index.is_empty() {
            return self.rows.iter().position(|row| row.0 == ip);
        }
        self.find_hashed(ip)
    }

    #[cold]
    fn find_hashed(&self, ip: u32) -> Option<usize> {
        let same = |at: &u32| self.rows.get(*at as usize).is_some_and(|row| row.0 == ip);
        self.index.find(hash(self.multiplier, ip), same).map(|at| *at as usize)
    }

    /// The contents of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<(Ipv4Addr, &T)> {
        self.rows.get(row).map(|(ip, value)| (Ipv4Addr::from_bits(*ip), value))
    }

    /// The contents of a row, to be changed.
    #[inline]
    pub fn get_mut(&mut self, row: usize) -> Option<&mut T> {
        self.rows.get_mut(row).map(|(_, value)| value)
    }

    /// All rows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, &T)> {
        self.rows.iter().map(|(ip, value)| (Ipv4Addr::from_bits(*ip), value))
    }

    /// Adds an address that is not in the map; gives its row.
    pub fn insert(&mut self, ip: Ipv4Addr, value: T) -> usize {
        debug_assert!(self.find(ip).is_none());
        let by = self.growth();
        self.rows.reserve_exact(by);
        let row = self.rows.len();
        self.rows.push((ip.to_bits(), value));
        if !self.index.is_empty() && by == 0 {
            let (rows, multiplier) = (&self.rows, self.multiplier);
            let rehash = |at: &u32| hash_of_row(rows, multiplier, *at);
            self.index.insert_unique(hash(multiplier, ip.to_bits()), row as u32, rehash);
        } else if self.rows.len() > SMALL {
            self.build_index();
        }
        row
    }

    /// Takes a row out; another may move into its place.
    pub fn remove(&mut self, row: usize) -> Option<T> {
        let (ip, _) = self.rows.get(row)?;
        if !self.index.is_empty() {
            let hash = hash(self.multiplier, *ip);
            if let Ok(found) = self.index.find_entry(hash, |at| *at as usize == row) {
                found.remove();
            }
        }
        let (_, value) = self.rows.swap_remove(row);
        if let Some((moved, _)) = self.rows.get(row) {
            let from = self.rows.len() as u32;
            let hash = hash(self.multiplier, *moved);
            if let Some(at) = self.index.find_mut(hash, |at| *at == from) {
                *at = row as u32;
            }
        }
        if self.rows.len() <= SMALL / 2 {
            self.index = HashTable::new();
        }
        if self.rows.is_empty() {
            self.rows = Vec::new();
        }
        Some(value)
    }

    /// Bytes that the map holds now.
    pub fn footprint(&self) -> usize {
        self.rows.capacity() * size_of::<(u32, T)>() + self.index.allocation_size()
    }

    /// The most by which [`Table::footprint`] can grow in the next [`Table::insert`].
    pub fn insert_cost(&self) -> usize {
        let by = self.growth();
        let rows = self.rows.capacity() + by;
        let index = if self.rows.len() >= SMALL && (by > 0 || self.index.is_empty()) {
            // At most 2 buckets a row, of a number and a control byte, and a group at the end.
            10 * rows.next_power_of_two() + 32
        } else {
            0
        };
        by * size_of::<(u32, T)>() + index
    }

    /// By how many rows the next insertion makes the list grow: none, or to twice as many.
    fn growth(&self) -> usize {
        if self.rows.len() < self.rows.capacity() { 0 } else { self.rows.capacity().max(FIRST) }
    }

    /// A new index with room for as many as the rows, so that it grows only when they do.
    fn build_index(&mut self) {
        self.index = HashTable::new();
        let (rows, multiplier) = (&self.rows, self.multiplier);
        let rehash = |at: &u32| hash_of_row(rows, multiplier, *at);
        self.index.reserve(rows.capacity(), rehash);
        for (at, row) in rows.iter().enumerate() {
            self.index.insert_unique(hash(multiplier, row.0), at as u32, rehash);
        }
    }
}

fn hash(multiplier: u64, ip: u32) -> u64 {
    let mixed = (u64::from(ip) + 1).wrapping_mul(multiplier);
    // The high bits are the good ones; the table takes its buckets from the low ones.
    mixed.rotate_left(32)
}

fn hash_of_row<T>(rows: &[(u32, T)], multiplier: u64, at: u32) -> u64 {
    rows.get(at as usize).map_or(0, |row| hash(multiplier, row.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    extern crate std;

    #[test]
    fn an_empty_table_holds_no_memory() {
        let mut table = Table::new(1);
        assert_eq!(table.footprint(), 0);
        table.insert(Ipv4Addr::LOCALHOST, 'a');
        assert!(table.footprint() > 0);
        assert_eq!(table.remove(0), Some('a'));
        assert_eq!((table.footprint(), table.remove(0)), (0, None));
    }

    proptest! {
        #[test]
        fn agrees_with_a_map(
            seed in any::<u64>(),
            ops in prop::collection::vec((prop::bool::weighted(0.6), 0..40u32), 0..300),
        ) {
            let mut table = Table::new(seed);
            let mut map = BTreeMap::new();
            for (n, (add, ip)) in ops.into_iter().enumerate() {
                let ip = Ipv4Addr::from_bits(ip << 8);
                let row = table.find(ip);
                prop_assert_eq!(row.is_some(), map.contains_key(&ip));
                match row {
                    None if add => {
                        let allowed = table.footprint() + table.insert_cost();
                        let row = table.insert(ip, n);
                        prop_assert_eq!(table.get(row), Some((ip, &n)));
                        prop_assert!(table.footprint() <= allowed);
                        map.insert(ip, n);
                    }
                    Some(row) if !add => prop_assert_eq!(table.remove(row), map.remove(&ip)),
                    _ => {}
                }
                prop_assert_eq!(table.len(), map.len());
                for (ip, value) in &map {
                    let row = table.find(*ip).unwrap();
                    prop_assert_eq!(table.get(row), Some((*ip, value)));
                }
            }
        }
    }
}

//! Names: where kernels of one host find what they share.
//!
//! * [`Names::rendezvous`] of [`Linux`]: weak entries in an ordered map, which needs no hash key
//!   from the system and no memory while it is empty.
//! * Dead entries are swept out when the map has doubled since the last sweep: amortised over the
//!   insertions, a constant each.
//!
//! Locking: `names` guards the map; it is not held while an object is made or dropped.
//! Sources: none.

use core::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use hypercall::Names;

use crate::{Linux, lock};

type Object = dyn Any + Send + Sync;

/// Below this size a sweep is not worth its while.
const SMALL: usize = 64;

#[derive(Default)]
pub struct NameSpace(Mutex<Map>);

#[derive(Default)]
struct Map {
    entries: BTreeMap<Box<str>, Weak<Object>>,
    sweep_at: usize,
}

impl Map {
    fn get(&self, name: &str) -> Option<Arc<Object>> {
        self.entries.get(name)?.upgrade()
    }

    fn insert(&mut self, name: &str, object: &Arc<Object>) {
        if self.entries.len() >= self.sweep_at {
            self.entries.retain(|_, object| object.strong_count() != 0);
            self.sweep_at = self.entries.len().saturating_mul(2).max(SMALL);
        }
        self.entries.insert(name.into(), Arc::downgrade(object));
    }
}

impl Names for Linux {
    /// Two threads that meet at a new name may both call `make`; one of the objects is then
    /// dropped again, and both get the other.
    fn rendezvous(&self, name: &str, make: &mut dyn FnMut() -> Arc<Object>) -> Arc<Object> {
        if let Some(found) = lock(&self.names.0).get(name) {
            return found;
        }
        // Made without the lock: making an object may look up another name.
        let made = make();
        let mut map = lock(&self.names.0);
        let winner = map.get(name);
        if winner.is_none() {
            map.insert(name, &made);
        }
        drop(map);
        winner.unwrap_or(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(host: &Linux, name: &str, value: u32) -> Arc<u32> {
        host.rendezvous(name, &mut || Arc::new(value)).downcast().unwrap()
    }

    #[test]
    fn a_name_lives_as_long_as_its_object() {
        let host = Linux::new();
        let a = number(&host, "bus", 1);
        assert_eq!(*number(&host, "bus", 2), 1);
        assert_eq!(*number(&host, "other", 3), 3);
        drop(a);
        assert_eq!(*number(&host, "bus", 4), 4);
        let other = Linux::new();
        assert_eq!(*number(&other, "bus", 5), 5);
    }

    #[test]
    fn dead_names_take_no_room() {
        let host = Linux::new();
        let held: Vec<_> = (0..100).map(|n| number(&host, &format!("held{n}"), n)).collect();
        for n in 0..10_000 {
            drop(number(&host, &format!("gone{n}"), n));
        }
        assert!(lock(&host.names.0).entries.len() <= 4 * held.len());
        for (n, object) in held.iter().enumerate() {
            assert!(Arc::ptr_eq(object, &number(&host, &format!("held{n}"), 9999)));
        }
    }

    #[test]
    fn threads_that_meet_agree() {
        let host = Linux::new();
        let found: Vec<_> = std::thread::scope(|s| {
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    s.spawn({
                        let h = &host;
                        move || number(h, "bus", n)
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(found.iter().all(|f| Arc::ptr_eq(f, &found[0])));
    }

    #[test]
    fn making_may_look_up_another_name() {
        let host = Linux::new();
        let mut make = || -> Arc<Object> { number(&host, "inner", 7) };
        let outer: Arc<u32> = host.rendezvous("outer", &mut make).downcast().unwrap();
        assert_eq!(*outer, 7);
    }
}

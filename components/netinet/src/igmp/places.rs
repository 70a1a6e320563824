//! A list that is the kernel's, and whose places are paid for by whoever has them.
//!
//! What a socket has in a list of the kernel's is charged to the account that its other memory is
//! charged to: so those who share a part of the kernel's memory cannot have more of it by way of such
//! lists. A place is paid for twice over, since there are up to twice as many as are taken.
//!
//! * [`Places::insert`], [`Places::pay`]: a place is paid for.  * [`Places::remove`],
//!   [`Places::retain`]: no longer.
//!
//! Locking: none; the owner guards it. Sources: none.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::{Deref, DerefMut};

use base::vm::Account;
use base::{Charge, NoMemory};

/// A value, and what its place costs.
pub struct Place<T> {
    value: T,
    /// Given back when it is dropped.
    charge: Charge,
}

impl<T> Deref for Place<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Place<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// See the module's text.
pub struct Places<T>(Vec<Place<T>>);

impl<T> Default for Places<T> {
    /// None; it holds no memory.
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Places<T> {
    /// What a place costs.
    const fn cost() -> usize {
        2 * size_of::<Place<T>>()
    }

    fn charge(account: &Arc<Account>) -> Result<Charge, NoMemory> {
        Charge::new(account, Self::cost())
    }

    /// Puts `value` before position `at`, which must be at most the length, at the cost of `account`.
    pub fn insert(&mut self, at: usize, value: T, account: &Arc<Account>) -> Result<(), NoMemory> {
        let charge = Self::charge(account)?;
        let len = self.0.len();
        if len == self.0.capacity() {
            self.0.try_reserve_exact(len / 2 + 1).map_err(|_| NoMemory)?;
        }
        self.0.insert(at, Place { value, charge });
        Ok(())
    }

    /// The place at `at`, if there is one, is paid for by `account` from now on.
    pub fn pay(&mut self, at: usize, account: &Arc<Account>) -> Result<(), NoMemory> {
        let charge = Self::charge(account)?;
        if let Some(place) = self.0.get_mut(at) {
            place.charge = charge;
        }
        Ok(())
    }

    /// Removes the value at `at`, which must exist.
    pub fn remove(&mut self, at: usize) -> T {
        let gone = self.0.remove(at);
        self.settle();
        gone.value
    }

    /// Keeps the values for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.0.retain(|place| keep(&place.value));
        self.settle();
    }

    /// INVARIANT: no more places than are paid for.
    fn settle(&mut self) {
        let len = self.0.len();
        if self.0.capacity() > 2 * len {
            self.0.shrink_to(len + len / 2);
        }
    }
}

impl<T> Deref for Places<T> {
    type Target = [Place<T>];
    fn deref(&self) -> &[Place<T>] {
        &self.0
    }
}

impl<T> DerefMut for Places<T> {
    fn deref_mut(&mut self) -> &mut [Place<T>] {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn there_are_never_more_places_than_are_paid_for(
            steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..200)
        ) {
            let accounts = [Account::standalone(), Account::standalone()];
            let (mut places, mut twin) = (Places::default(), Vec::new());
            for (n, (adds, at)) in steps.into_iter().enumerate() {
                if adds || twin.is_empty() {
                    let at = at.index(twin.len() + 1);
                    places.insert(at, n, &accounts[n % 2]).unwrap();
                    twin.insert(at, n);
                } else {
                    let at = at.index(twin.len());
                    prop_assert_eq!(places.remove(at), twin.remove(at));
                }
                let held: Vec<usize> = places.iter().map(|place| **place).collect();
                prop_assert_eq!(&held, &twin);
                let paid: u64 = accounts.iter().map(|a| a.used()).sum();
                prop_assert!(places.0.capacity() * size_of::<Place<usize>>() <= paid as usize);
                let odd = twin.iter().filter(|n| **n % 2 == 1).count();
                prop_assert_eq!(accounts[1].used() as usize, odd * Places::<usize>::cost());
            }
            places.retain(|_| false);
            prop_assert_eq!((places.0.capacity(), accounts[0].used(), accounts[1].used()), (0, 0, 0));
        }
    }

    #[test]
    fn somebody_else_pays() {
        let [first, second] = [(); 2].map(|()| Account::standalone());
        let mut places = Places::default();
        places.insert(0, 'x', &first).unwrap();
        let cost = first.used();
        places.pay(0, &second).unwrap();
        assert_eq!((first.used(), second.used()), (0, cost));
        second.set_limit(cost);
        assert_eq!(places.insert(0, 'y', &second), Err(NoMemory));
        assert_eq!((places.len(), second.used()), (1, cost));
    }
}

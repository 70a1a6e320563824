//! Small objects: constructors that charge the kernel's account and then make an ordinary `Box`,
//! `Arc` or `Vec`.
//!
//! * [`boxed`], [`arc`]: one object.  * [`room`]: for one to come.  * [`KVec`]: a vector whose growth is
//!   charged.
//!
//! A `KArc<T>` is an `Arc<Charged<T>>`, so it coerces to `KArc<dyn Trait>` as any `Arc` does.
//! The plain constructors are banned in kernel crates (clippy's disallowed-methods): this is the
//! one place that calls them.
//!
//! Locking: none. Sources: NetBSD kmem(9).
#![allow(clippy::disallowed_methods)]

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

use super::{Account, Charge, NoMemory};
use crate::Cx;

/// What a heap object costs beside its own size (the allocator's header and rounding).
const OVERHEAD: usize = 16;

/// A value with the charge for its memory.
pub struct Charged<T: ?Sized> {
    charge: Charge,
    value: T,
}

/// A charged `Box`.
pub type KBox<T> = Box<Charged<T>>;
/// A charged `Arc`.
pub type KArc<T> = Arc<Charged<T>>;

impl<T: ?Sized> Charged<T> {
    /// The charge for this object.
    pub fn charge(&self) -> &Charge {
        &self.charge
    }
}

impl<T: ?Sized> Deref for Charged<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: ?Sized> DerefMut for Charged<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

fn charged<T>(cx: &Cx<'_>, value: T) -> Result<Charged<T>, NoMemory> {
    let charge = cx.charge(size_of::<Charged<T>>() + OVERHEAD)?;
    Ok(Charged { charge, value })
}

/// A `Box`, charged.
pub fn boxed<T>(cx: &Cx<'_>, value: T) -> Result<KBox<T>, NoMemory> {
    charged(cx, value).map(Box::new)
}

/// An `Arc`, charged.
pub fn arc<T>(cx: &Cx<'_>, value: T) -> Result<KArc<T>, NoMemory> {
    charged(cx, value).map(Arc::new)
}

/// Memory for an object to come, which is charged already: where it is too late for a refusal when the
/// object can be made.
pub struct Room<T> {
    charge: Charge,
    of: PhantomData<fn(T)>,
}

/// Charges the memory of a `KArc<T>`.
pub fn room<T>(cx: &Cx<'_>) -> Result<Room<T>, NoMemory> {
    let charge = cx.charge(size_of::<Charged<T>>() + OVERHEAD)?;
    Ok(Room { charge, of: PhantomData })
}

impl<T> Room<T> {
    /// Makes the object.
    pub fn arc(self, value: T) -> KArc<T> {
        Arc::new(Charged { charge: self.charge, value })
    }
}

/// What the memory of `capacity` elements costs.
fn bytes_for<T>(capacity: usize) -> Result<usize, NoMemory> {
    let bytes = capacity.checked_mul(size_of::<T>()).ok_or(NoMemory)?;
    bytes.checked_add(OVERHEAD).ok_or(NoMemory)
}

/// A vector whose memory is charged before it grows. An empty one holds none.
pub struct KVec<T> {
    vec: Vec<T>,
    charge: Charge,
}

impl<T> KVec<T> {
    /// An empty vector of `cx`'s kernel.
    pub fn new(cx: &Cx<'_>) -> Self {
        Self::in_account(cx.account())
    }

    /// The account that it is charged to.
    pub fn account(&self) -> &Arc<Account> {
        self.charge.account()
    }

    /// An empty vector charged to `account`.
    pub fn in_account(account: &Arc<Account>) -> Self {
        Self { vec: Vec::new(), charge: Charge::empty(account) }
    }

    /// Appends `value`.
    pub fn push(&mut self, value: T) -> Result<(), NoMemory> {
        self.reserve(1)?;
        self.vec.push(value);
        Ok(())
    }

    /// Puts `value` before position `at`, which must be at most the length.
    pub fn insert(&mut self, at: usize, value: T) -> Result<(), NoMemory> {
        self.reserve(1)?;
        self.vec.insert(at, value);
        Ok(())
    }

    /// Makes room for `more` elements.
    pub fn reserve(&mut self, more: usize) -> Result<(), NoMemory> {
        let want = self.vec.len().checked_add(more).ok_or(NoMemory)?;
        if want <= self.vec.capacity() {
            return Ok(());
        }
        let capacity = want.max(self.vec.capacity() * 2).max(4);
        let before = self.charge.bytes();
        self.charge.resize(bytes_for::<T>(capacity)?)?;
        self.vec.try_reserve_exact(capacity - self.vec.len()).map_err(|_| {
            // The host's allocator has no more, whatever the account says.
            let _ = self.charge.resize(before);
            NoMemory
        })
    }

    /// Makes the vector `len` long, with copies of `value` where it grows.
    pub fn resize(&mut self, len: usize, value: T) -> Result<(), NoMemory>
    where
        T: Clone,
    {
        self.reserve(len.saturating_sub(self.vec.len()))?;
        self.vec.resize(len, value);
        Ok(())
    }

    /// Appends copies of `values`.
    pub fn extend_from_slice(&mut self, values: &[T]) -> Result<(), NoMemory>
    where
        T: Clone,
    {
        self.reserve(values.len())?;
        self.vec.extend_from_slice(values);
        Ok(())
    }

    /// Removes the last element.
    pub fn pop(&mut self) -> Option<T> {
        self.vec.pop()
    }

    /// Removes the element at `at` (which must exist) and moves the last one there.
    pub fn swap_remove(&mut self, at: usize) -> T {
        self.vec.swap_remove(at)
    }

    /// Removes the element at `at` (which must exist), keeping the order.
    pub fn remove(&mut self, at: usize) -> T {
        self.vec.remove(at)
    }

    /// Keeps the elements for which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&mut T) -> bool) {
        self.vec.retain_mut(keep);
    }

    /// Removes the elements behind the first `len`; the memory stays.
    pub fn truncate(&mut self, len: usize) {
        self.vec.truncate(len);
    }

    /// How many elements there is memory for.
    pub fn capacity(&self) -> usize {
        self.vec.capacity()
    }

    /// Removes the elements of `range` (which must exist), keeping the order.
    pub fn drain(&mut self, range: core::ops::RangeTo<usize>) {
        self.vec.drain(range);
    }

    /// Removes all elements; the memory stays for the next ones.
    pub fn clear(&mut self) {
        self.vec.clear();
    }
}

impl<T> Deref for KVec<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.vec
    }
}

impl<T> DerefMut for KVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.vec
    }
}

/// A queue whose memory is charged before it grows. An empty one that never held anything has none.
pub struct KDeque<T> {
    deque: VecDeque<T>,
    charge: Charge,
}

impl<T> KDeque<T> {
    /// An empty queue charged to `account`.
    pub fn in_account(account: &Arc<Account>) -> Self {
        Self { deque: VecDeque::new(), charge: Charge::empty(account) }
    }

    /// An empty queue of `cx`'s kernel.
    pub fn new(cx: &Cx<'_>) -> Self {
        Self::in_account(cx.account())
    }

    /// The account that is charged for it.
    #[inline]
    pub fn account(&self) -> &Arc<Account> {
        self.charge.account()
    }

    /// Puts `value` at the end; without memory for it, gives it back.
    #[inline]
    pub fn push_back(&mut self, value: T) -> Result<(), T> {
        if self.deque.len() == self.deque.capacity() && self.grow().is_err() {
            return Err(value);
        }
        self.deque.push_back(value);
        Ok(())
    }

    /// Puts `value` before position `at`, which must be at most the length.
    pub fn insert(&mut self, at: usize, value: T) -> Result<(), T> {
        if self.deque.len() == self.deque.capacity() && self.grow().is_err() {
            return Err(value);
        }
        self.deque.insert(at, value);
        Ok(())
    }

    #[cold]
    fn grow(&mut self) -> Result<(), NoMemory> {
        let capacity = (self.deque.capacity() * 2).max(4);
        let before = self.charge.bytes();
        self.charge.resize(bytes_for::<T>(capacity)?)?;
        self.deque.try_reserve_exact(capacity - self.deque.len()).map_err(|_| {
            let _ = self.charge.resize(before);
            NoMemory
        })
    }

    /// Takes the first one.
    #[inline]
    pub fn pop_front(&mut self) -> Option<T> {
        self.deque.pop_front()
    }

    /// The first one.
    pub fn front(&self) -> Option<&T> {
        self.deque.front()
    }

    /// The first one.
    pub fn front_mut(&mut self) -> Option<&mut T> {
        self.deque.front_mut()
    }

    /// The last one.
    pub fn back(&self) -> Option<&T> {
        self.deque.back()
    }

    /// The last one.
    pub fn back_mut(&mut self) -> Option<&mut T> {
        self.deque.back_mut()
    }

    /// The one at position `at`.
    pub fn get(&self, at: usize) -> Option<&T> {
        self.deque.get(at)
    }

    /// The one at position `at`.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.deque.get_mut(at)
    }

    /// Takes the one at position `at`.
    pub fn remove(&mut self, at: usize) -> Option<T> {
        self.deque.remove(at)
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.deque.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.deque.is_empty()
    }

    /// All of them, first to last.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.deque.iter()
    }

    /// All of them, first to last.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.deque.iter_mut()
    }

    /// How many are before the first for which `is_before` is false; they lie in that order.
    pub fn partition_point(&self, is_before: impl FnMut(&T) -> bool) -> usize {
        self.deque.partition_point(is_before)
    }

    /// Gives the memory back, if nothing is in it.
    pub fn shrink_if_empty(&mut self) {
        if self.deque.is_empty() && self.deque.capacity() > 0 {
            self.deque = VecDeque::new();
            // A smaller charge is not refused.
            let _ = self.charge.resize(0);
        }
    }
}

//! Event counters.
//!
//! A [`Counter`] is a word in a component's state; a layer lists its counters under names with
//! [`CounterSet`] (`counters!`), which `netstat -s` and `sysctl` show.
//!
//! Locking: none. With one virtual CPU a count is a plain addition, otherwise an atomic one.
//! Sources: NetBSD evcnt(9).

use core::sync::atomic::{AtomicU64, Ordering};

use linkme::distributed_slice;

use crate::Cx;

/// Counts events of one kind. The count is exact.
#[derive(Default, Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts `n` events. `cx` must be of the counter's kernel: of another one, counts may be lost.
    #[inline]
    pub fn add(&self, cx: &Cx<'_>, n: u64) {
        if cx.is_alone() {
            self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
        } else {
            self.0.fetch_add(n, Ordering::Relaxed);
        }
    }

    /// Counts one event.
    #[inline]
    pub fn inc(&self, cx: &Cx<'_>) {
        self.add(cx, 1);
    }

    /// Counts from outside of a kernel (another kernel's thread delivers a packet, say).
    pub fn inc_shared(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declares the counters of a layer, which can be listed (`each`):
/// `base::counter_group! { NAME { received, dropped, } }`, with the documentation of each.
#[macro_export]
macro_rules! counter_group {
    ($(#[$m:meta])* $name:ident { $($(#[$fm:meta])* $field:ident,)* }) => {
        $(#[$m])*
        #[derive(Default)]
        pub(crate) struct $name { $($(#[$fm])* pub(crate) $field: $crate::evcnt::Counter,)* }

        impl $name {
            /// Calls `show` with each counter's name and value.
            pub(crate) fn each(&self, show: &mut dyn FnMut(&'static str, u64)) {
                $(show(stringify!($field), self.$field.get());)*
            }
        }
    };
}

/// A layer's counters.
pub struct CounterSet {
    /// The layer, as in `ip`.
    pub group: &'static str,
    /// Calls `show` with each counter's name and value; does nothing in a kernel without the layer.
    pub each: fn(cx: &Cx<'_>, show: &mut dyn FnMut(&'static str, u64)),
}

/// The counters of all components in this binary.
#[distributed_slice]
pub static COUNTER_SETS: [CounterSet];

/// Registers a [`CounterSet`]: `base::counters! { static NAME = CounterSet { … }; }`.
#[macro_export]
macro_rules! counters {
    ($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;) => {
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::evcnt::COUNTER_SETS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::evcnt::CounterSet = $value;
    };
}

/// All counters of a kernel: group, name, value.
pub fn each(cx: &Cx<'_>, show: &mut dyn FnMut(&'static str, &'static str, u64)) {
    for set in COUNTER_SETS.iter() {
        (set.each)(cx, &mut |name, value| show(set.group, name, value));
    }
}

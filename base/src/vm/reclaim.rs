//! Memory that can be had back: caches that give some up when the account is short.
//!
//! A layer that keeps a cache puts a [`Reclaimer`] into [`RECLAIMERS`] (`reclaimer!`). A charge
//! that is refused runs them in order of their stage, on the thread that hit the limit, and tries
//! again: the pagedaemon's work, without a thread.
//!
//! Locking: a reclaimer runs with whatever locks its caller holds, so it takes its own with
//! `try_lock` only, and passes when it cannot have them.
//! Sources: the book, section 3.4.3 (stages of the pagedaemon).

use linkme::distributed_slice;

use crate::Cx;

/// A cache that can give memory back.
pub struct Reclaimer {
    /// The cache's name, for statistics.
    pub name: &'static str,
    /// Lower stages run first: what costs least to make again.
    pub stage: u8,
    /// Frees about `goal` bytes if it can; says how many it freed.
    pub run: fn(cx: &Cx<'_>, goal: usize) -> usize,
}

/// The caches of all components in this binary.
#[distributed_slice]
pub static RECLAIMERS: [Reclaimer];

/// Registers a [`Reclaimer`]: `base::reclaimer! { static NAME = Reclaimer { … }; }`.
#[macro_export]
macro_rules! reclaimer {
    ($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;) => {
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::vm::reclaim::RECLAIMERS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::vm::reclaim::Reclaimer = $value;
    };
}

/// Frees about `goal` bytes; true if anything was freed.
pub(crate) fn reclaim(cx: &Cx<'_>, goal: usize) -> bool {
    let mut freed = 0;
    for stage in 0..=u8::MAX {
        for r in RECLAIMERS.iter().filter(|r| r.stage == stage) {
            freed = (r.run)(cx, goal - freed.min(goal)).saturating_add(freed);
            if freed >= goal {
                return true;
            }
        }
    }
    freed > 0
}

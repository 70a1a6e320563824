//! A kernel's routing table: the trie, its charge, and the answers that it gave lately.
//!
//! Most packets go where one went a moment ago. So a few answers are kept, by destination, each as its
//! place in the trie; any change forgets them all. They are few, and a hash that somebody else can
//! foresee costs whoever uses it no more than a walk through the trie.
//!
//! Locking: the owner's. Sources: NetBSD netinet/ip_flow.c, ip_input.c (ipforward_rt).

use core::net::Ipv4Addr;

use base::{Charge, Cx, NoMemory};

use super::Route;
use super::trie::Trie;

/// How many answers are kept: a cache line of them.
const RECENT: usize = 8;

/// A destination and the place of its route.
#[derive(Clone, Copy)]
struct Answer {
    dst: u32,
    place: u32,
}

/// No place of any trie.
const NONE: Answer = Answer { dst: 0, place: u32::MAX };

pub(super) struct Table {
    trie: Trie<u32, Route>,
    recent: [Answer; RECENT],
    charge: Charge,
}

impl Table {
    pub(super) fn new(cx: &Cx<'_>) -> Self {
        Self { trie: Trie::new(), recent: [NONE; RECENT], charge: Charge::empty(cx.account()) }
    }

    /// The route to `dst`.
    #[inline]
    pub(super) fn find(&mut self, dst: Ipv4Addr) -> Option<&Route> {
        let dst = dst.to_bits();
        // Neighbours differ in the last bits, networks of a line or a ring in those before.
        let at = (dst ^ dst >> 8 ^ dst >> 16) as usize % RECENT;
        let Answer { dst: last, place } = self.recent[at];
        let place = if last == dst && place != NONE.place { place } else { self.ask(dst, at)? };
        self.trie.at(place)
    }

    fn ask(&mut self, dst: u32, at: usize) -> Option<u32> {
        let place = self.trie.place_of(dst)?;
        self.recent[at] = Answer { dst, place };
        Some(place)
    }

    /// The trie, to look at.
    pub(super) fn trie(&self) -> &Trie<u32, Route> {
        &self.trie
    }

    /// Changes the trie.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut Trie<u32, Route>) -> R) -> R {
        self.recent = [NONE; RECENT];
        change(&mut self.trie)
    }

    /// Adds a route where there is none.
    pub(super) fn insert(&mut self, dst: u32, len: u8, route: Route) -> Result<(), NoMemory> {
        self.charge.resize(self.trie.footprint() + self.trie.insert_cost())?;
        self.change(|trie| trie.insert(dst, len, route));
        // A charge that shrinks is not refused.
        self.charge.resize(self.trie.footprint())
    }
}

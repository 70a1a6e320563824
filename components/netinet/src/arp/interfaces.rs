//! The caches of a kernel's interfaces.
//!
//! Locking: all of them by `Rank::Arp`.

use base::{Charge, Cx, KArc, KVec, NoMemory};
use net::{Ifnet, Packet};

use super::cache::{ArpCache, Config};
use crate::component::INET;

/// One interface's cache.
pub(crate) struct ArpInterface {
    pub(crate) ifp: KArc<Ifnet>,
    pub(crate) cache: ArpCache<Packet>,
    charge: Charge,
}

impl ArpInterface {
    /// Makes sure that the cache may grow by `cost` bytes.
    pub(crate) fn may_grow(&mut self, cost: usize) -> Result<(), NoMemory> {
        if cost == 0 {
            return Ok(());
        }
        self.charge.resize(self.cache.footprint() + cost)
    }
}

/// The interfaces that resolve addresses.
pub(crate) struct ArpInterfaces {
    /// In the order of their indices, which only grow.
    list: KVec<ArpInterface>,
}

impl ArpInterfaces {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        Self { list: KVec::new(cx) }
    }

    fn position(&self, index: u32) -> Result<usize, usize> {
        // Most kernels have one or two interfaces, a hub has thousands.
        if self.list.len() <= 4 {
            let at = self.list.iter().position(|a| a.ifp.index() >= index);
            let at = at.unwrap_or(self.list.len());
            let found = self.list.get(at).is_some_and(|a| a.ifp.index() == index);
            return if found { Ok(at) } else { Err(at) };
        }
        self.list.binary_search_by_key(&index, |a| a.ifp.index())
    }

    /// The cache of the interface with that index.
    #[inline]
    pub(crate) fn get(&mut self, index: u32) -> Option<&mut ArpInterface> {
        let at = self.position(index).ok()?;
        self.list.get_mut(at)
    }

    /// All of them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut ArpInterface> {
        self.list.iter_mut()
    }

    /// When something is due.
    pub(crate) fn next_deadline(&mut self) -> Option<u64> {
        self.list.iter_mut().filter_map(|a| a.cache.next_deadline()).min()
    }
}

/// Gives the interface a cache, if it has none.
pub(crate) fn attach(cx: &Cx<'_>, ifp: &KArc<Ifnet>) -> Result<(), NoMemory> {
    let seed = base::random::u64(cx);
    let mut arp = cx.get(&INET).arp.lock(cx);
    let Err(at) = arp.position(ifp.index()) else { return Ok(()) };
    let cache = ArpCache::new(Config::DEFAULT, seed);
    let charge = Charge::empty(cx.account());
    arp.list.insert(at, ArpInterface { ifp: ifp.clone(), cache, charge })
}

/// Forgets what was learnt on the interface, and drops what waits.
pub(crate) fn flush(cx: &Cx<'_>, ifp: &Ifnet) {
    if let Some(a) = cx.get(&INET).arp.lock(cx).get(ifp.index()) {
        a.cache.flush();
    }
}

/// Takes the interface's cache away, with what waits in it.
pub(crate) fn detach(cx: &Cx<'_>, ifp: &Ifnet) {
    let mut arp = cx.get(&INET).arp.lock(cx);
    let gone = arp.position(ifp.index()).ok().map(|at| arp.list.remove(at));
    drop(arp);
    drop(gone);
}

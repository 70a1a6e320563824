//! A kernel's interfaces.
//!
//! Locking: `Rank::Ifnets`, not held while anything of an interface runs.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};

use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::{Cx, KArc, KBox, KVec};

use super::{IfCounters, IfDriver, IfError, IfFlags, IfKind, IfName, Ifnet};
use crate::component::NET;

/// The interfaces, in the order in which they were attached.
pub struct Ifnets {
    list: IntrMutex<List>,
}

struct List {
    /// In the order of their indices, which only grow.
    ifnets: KVec<KArc<Ifnet>>,
    /// The same, in the order of their names: a hub has thousands.
    names: KVec<KArc<Ifnet>>,
    next_index: u32,
}

impl List {
    fn position(&self, name: &str) -> Result<usize, usize> {
        self.names.binary_search_by(|i| i.name().cmp(name))
    }
}

impl Ifnets {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        let list = List { ifnets: KVec::new(cx), names: KVec::new(cx), next_index: 1 };
        Self { list: IntrMutex::new(cx, Rank::Ifnets, list) }
    }

    /// The interface called `name`.
    pub fn by_name(&self, cx: &Cx<'_>, name: &str) -> Option<KArc<Ifnet>> {
        let list = self.list.lock(cx);
        list.names.get(list.position(name).ok()?).cloned()
    }

    /// The interface with that index.
    pub fn by_index(&self, cx: &Cx<'_>, index: u32) -> Option<KArc<Ifnet>> {
        let list = self.list.lock(cx);
        let at = list.ifnets.binary_search_by_key(&index, |i| i.index()).ok()?;
        list.ifnets.get(at).cloned()
    }

    /// The `n`th interface, from 0.
    pub fn nth(&self, cx: &Cx<'_>, n: usize) -> Option<KArc<Ifnet>> {
        self.list.lock(cx).ifnets.get(n).cloned()
    }

    /// The interface that was attached last.
    pub(crate) fn last(&self, cx: &Cx<'_>) -> Option<KArc<Ifnet>> {
        self.list.lock(cx).ifnets.last().cloned()
    }

    pub(super) fn remove(&self, cx: &Cx<'_>, ifp: &Ifnet) {
        let mut list = self.list.lock(cx);
        let at = list.ifnets.binary_search_by_key(&ifp.index(), |i| i.index()).ok();
        let named = list.position(ifp.name()).ok();
        let gone = (at.map(|i| list.ifnets.remove(i)), named.map(|i| list.names.remove(i)));
        drop(list);
        ifp.gone.store(true, Ordering::Relaxed);
        drop(gone);
    }
}

/// Attaches an interface.
pub(crate) fn attach(
    cx: &Cx<'_>,
    name: IfName,
    kind: IfKind,
    flags: IfFlags,
    mtu: u32,
    driver: KBox<dyn IfDriver>,
) -> Result<KArc<Ifnet>, IfError> {
    let ifnets = &cx.get(&NET).ifnets;
    let mut list = ifnets.list.lock(cx);
    let Err(place) = list.position(name.as_str()) else { return Err(IfError::Exists) };
    list.names.reserve(1)?;
    list.ifnets.reserve(1)?;
    let ifp = kmem::arc(
        cx,
        Ifnet {
            name,
            index: list.next_index,
            kind,
            driver,
            flags: AtomicU32::new(flags.bits()),
            mtu: AtomicU32::new(mtu),
            lladdr: AtomicU64::new(0),
            tapped: AtomicBool::new(false),
            unfinished_max: AtomicU32::new(0),
            shaped: AtomicBool::new(false),
            standing: AtomicU8::new(0),
            promiscuous: AtomicU32::new(0),
            gone: AtomicBool::new(false),
            counters: IfCounters::default(),
            addrs: IntrMutex::new(cx, Rank::Ifaddrs, KVec::new(cx)),
            taps: IntrMutex::new(cx, Rank::Tap, KVec::new(cx)),
            link: IntrMutex::new(cx, Rank::Link, None),
            uppers: IntrMutex::new(cx, Rank::Tap, [None, None, None]),
        },
    )?;
    list.names.insert(place, ifp.clone())?;
    list.ifnets.push(ifp.clone())?;
    list.next_index = list.next_index.wrapping_add(1).max(1);
    Ok(ifp)
}

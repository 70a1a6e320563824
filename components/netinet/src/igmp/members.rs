//! Which sockets are in which groups, on which interfaces.
//!
//! A socket is known by its place in memory, which it keeps as long as it is in a group: it leaves
//! all of them when it is closed.
//!
//! Locking: `Rank::Proto`. Memory: a membership is charged to its socket's account. Sources: RFC 1112 §7.1; RFC 3376 §2, §3.

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicUsize, Ordering};

use base::callout::{Callout, Handler};
use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::{Cx, Errno, KArc, KVec, Lwp, NoMemory};
use net::Ifnet;
use net::ifnet::IfKind;
use net::socket::{SockError, Socket};

use super::groups::Groups;
use super::places::Places;
use crate::component::IGMP;
use crate::wire::igmp::Report;

/// The most groups of a socket (Linux: igmp_max_memberships).
const MOST: usize = 20;

base::counter_group! {
    /// What IGMP did.
    IgmpCounters {
        /// Messages received.
        received,
        /// Malformed, or from beyond the link.
        bad,
        /// Queries.
        queries,
        /// Reports of other hosts.
        reports_heard,
        /// Reports sent.
        reports_sent,
        /// Reports that could not be sent.
        not_sent,
    }
}

/// A socket in a group on an interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Member {
    group: Ipv4Addr,
    index: u32,
    socket: usize,
}

/// An interface with groups that somebody must be told of.
struct Link {
    ifp: KArc<Ifnet>,
    groups: Groups,
}

struct Inner {
    /// Sorted.
    members: Places<Member>,
    links: KVec<Link>,
}

/// IGMP's state in a kernel.
pub(crate) struct Igmp {
    /// How many members there are: a look at it spares the lock.
    count: AtomicUsize,
    pub(crate) counters: IgmpCounters,
    inner: IntrMutex<Inner>,
    pub(crate) timer: Callout,
}

struct Timer;

impl Handler for Timer {
    fn expired(&self, cx: &Cx<'_>) {
        if cx.try_get(&IGMP).is_some() {
            super::run(cx);
        }
    }
}

/// At boot.
pub(crate) fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
    let inner = Inner { members: Places::default(), links: KVec::new(l) };
    let igmp = Igmp {
        count: AtomicUsize::new(0),
        counters: IgmpCounters::default(),
        inner: IntrMutex::new(l, Rank::Proto, inner),
        timer: Callout::new(l, kmem::arc(l, Timer)?)?,
    };
    IGMP.set(l, kmem::boxed(l, igmp)?)
}

/// At the end.
pub(crate) fn detach(l: &mut Lwp<'_>) {
    let Some(igmp) = l.try_get(&IGMP) else { return };
    igmp.timer.stop(l);
    let none = Inner { members: Places::default(), links: KVec::new(l) };
    drop(core::mem::replace(&mut *igmp.inner.lock(l), none));
}

fn id(so: &Socket) -> usize {
    core::ptr::from_ref(so).addr()
}

impl Inner {
    fn is_member(&self, index: u32, group: Ipv4Addr) -> bool {
        let at = self.members.partition_point(|m| (m.group, m.index) < (group, index));
        self.members.get(at).is_some_and(|m| (m.group, m.index) == (group, index))
    }

    fn link(&mut self, index: u32) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.ifp.index() == index)
    }

    /// The interface joins a group, if it is one with others, for `so`.
    fn join(
        &mut self,
        cx: &Cx<'_>,
        so: &KArc<Socket>,
        ifp: &KArc<Ifnet>,
        group: Ipv4Addr,
    ) -> Result<(), NoMemory> {
        if ifp.kind() != IfKind::Ethernet {
            return Ok(());
        }
        if self.link(ifp.index()).is_none() {
            self.links.push(Link { ifp: ifp.clone(), groups: Groups::default() })?;
        }
        let (now, account) = (cx.now().nanos(), so.charge().account());
        self.link(ifp.index()).map_or(Ok(()), |link| link.groups.join(group, now, account))
    }

    /// Takes members out; their interfaces leave the groups that nobody is left in.
    fn remove(&mut self, cx: &Cx<'_>, mut is_one: impl FnMut(&Member) -> bool) -> usize {
        let (now, mut at, before) = (cx.now().nanos(), 0, self.members.len());
        while let Some(member) = self.members.get(at).map(|m| **m) {
            if !is_one(&member) {
                at += 1;
                continue;
            }
            self.members.remove(at);
            if !self.is_member(member.index, member.group)
                && let Some(link) = self.link(member.index)
            {
                link.groups.leave(member.group, now);
            }
        }
        before - self.members.len()
    }
}

impl Igmp {
    /// Whether a socket is in `group` on the interface with that index.
    pub(crate) fn is_member(&self, cx: &Cx<'_>, index: u32, group: Ipv4Addr) -> bool {
        self.count.load(Ordering::Relaxed) > 0 && self.inner.lock(cx).is_member(index, group)
    }

    /// Whether this one is.
    pub(crate) fn has(&self, cx: &Cx<'_>, so: &Socket, index: u32, group: Ipv4Addr) -> bool {
        let member = Member { group, index, socket: id(so) };
        self.inner.lock(cx).members.binary_search_by(|m| (**m).cmp(&member)).is_ok()
    }

    /// A socket joins a group on an interface.
    pub(crate) fn join(
        &self,
        cx: &Cx<'_>,
        so: &KArc<Socket>,
        ifp: &KArc<Ifnet>,
        group: Ipv4Addr,
    ) -> Result<(), SockError> {
        if !ifp.addrs(cx).iter().any(|a| a.addr.is_ipv4()) {
            return Err(SockError::AddrNotAvailable);
        }
        let member = Member { group, index: ifp.index(), socket: id(so) };
        let mut inner = self.inner.lock(cx);
        let Err(at) = inner.members.binary_search_by(|m| (**m).cmp(&member)) else {
            return Err(SockError::AddrInUse);
        };
        if inner.members.iter().filter(|m| m.socket == member.socket).count() >= MOST {
            return Err(SockError::NoBuffers);
        }
        let is_first = !inner.is_member(member.index, group);
        inner.members.insert(at, member, so.charge().account())?;
        if is_first && let Err(e) = inner.join(cx, so, ifp, group) {
            inner.members.remove(at);
            return Err(e.into());
        }
        self.count.store(inner.members.len(), Ordering::Relaxed);
        drop(inner);
        super::run(cx);
        Ok(())
    }

    /// It leaves one; on any interface, if none is said. False if it was in none.
    pub(crate) fn leave(
        &self,
        cx: &Cx<'_>,
        so: &Socket,
        index: Option<u32>,
        group: Ipv4Addr,
    ) -> bool {
        let (socket, mut done) = (id(so), false);
        self.remove(cx, |m| {
            let is_it =
                m.socket == socket && m.group == group && index.is_none_or(|i| i == m.index);
            is_it && !core::mem::replace(&mut done, true)
        })
    }

    /// A socket ends.
    pub(crate) fn leave_all(&self, cx: &Cx<'_>, so: &Socket) {
        let socket = id(so);
        self.remove(cx, |m| m.socket == socket);
    }

    fn remove(&self, cx: &Cx<'_>, is_one: impl FnMut(&Member) -> bool) -> bool {
        let mut inner = self.inner.lock(cx);
        let removed = inner.remove(cx, is_one);
        self.count.store(inner.members.len(), Ordering::Relaxed);
        drop(inner);
        if removed > 0 {
            super::run(cx);
        }
        removed > 0
    }

    /// An interface ends: nobody can be told of that.
    pub(crate) fn remove_interface(&self, cx: &Cx<'_>, index: u32) {
        let mut inner = self.inner.lock(cx);
        inner.members.retain(|m| m.index != index);
        self.count.store(inner.members.len(), Ordering::Relaxed);
        let at = inner.links.iter().position(|link| link.ifp.index() == index);
        let link = at.map(|at| inner.links.swap_remove(at));
        drop(inner);
        drop(link);
    }

    /// Does something with the groups of an interface; false if it has none.
    pub(crate) fn with_groups(&self, cx: &Cx<'_>, index: u32, f: impl FnOnce(&mut Groups)) -> bool {
        let mut inner = self.inner.lock(cx);
        let link = inner.link(index);
        link.map(|link| f(&mut link.groups)).is_some()
    }

    /// A report that is due, and the interface that it leaves by.
    pub(crate) fn poll(&self, cx: &Cx<'_>, now: u64) -> Option<(KArc<Ifnet>, Report)> {
        let mut random = || base::random::u32(cx);
        let mut inner = self.inner.lock(cx);
        inner.links.iter_mut().find_map(|link| {
            let report = link.groups.poll(now, &mut random)?;
            Some((link.ifp.clone(), report))
        })
    }

    /// When the next one will be.
    pub(crate) fn deadline(&self, cx: &Cx<'_>) -> Option<u64> {
        self.inner.lock(cx).links.iter().filter_map(|link| link.groups.deadline()).min()
    }
}

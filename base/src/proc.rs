//! Processes: what lwps share (descriptors, credentials, a number, a name).
//!
//! Process 1 is init; implicit threads live there, and so do descriptors that outlast a visit.
//!
//! Locking: the table by `Rank::Procs`; a process's credentials and name by `Rank::Proc`; its descriptors
//! by their own lock. A process is freed when its last lwp is released.
//! Sources: the book, section 2.3; rump_lwproc(3).

use alloc::sync::Arc;
use core::fmt::{self, Display, Write};
use core::ptr::NonNull;

use hypercall::atomic::{AtomicU32, Ordering};

use crate::file::FdTable;
use crate::kernel::Core;
use crate::lock::{IntrMutex, Rank};
use crate::lwp::{BoundLwp, Ident, Rfork};
use crate::vm::{KArc, KBox, KVec, NoMemory, kmem};
use crate::{Cred, Cx, Errno, Lwp};

/// A process's number in its kernel.
pub type Pid = u32;

/// The process of implicit threads.
pub const INIT: Pid = 1;

/// The most lwps of a process. Those that their holders forgot (`mem::forget`) count too: the count
/// must never wrap around, or the process would be freed under those that are left.
const MAX_LWPS: u32 = 1 << 16;

/// A program's name, as far as a process keeps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Name([u8; NAME_LEN]);

/// Bytes of a name that are kept.
const NAME_LEN: usize = 24;

impl Name {
    /// The first bytes of a text, up to a whole character.
    pub fn new(text: &str) -> Name {
        let mut name = [0; NAME_LEN];
        let kept = text.get(..text.floor_char_boundary(NAME_LEN)).unwrap_or_default();
        name.iter_mut().zip(kept.bytes()).for_each(|(to, from)| *to = from);
        Name(name)
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(NAME_LEN);
        let chunks = self.0.get(..end).unwrap_or_default().utf8_chunks();
        chunks.flat_map(|chunk| chunk.valid().chars()).try_for_each(|c| f.write_char(c))
    }
}

/// What `Rank::Proc` guards.
#[derive(Clone)]
struct Who {
    cred: Cred,
    name: Name,
}

/// A process.
pub struct Proc {
    pid: Pid,
    parent: Pid,
    who: IntrMutex<Who>,
    fds: KArc<FdTable>,
    /// Released lwps take it down; the last one takes the process with it.
    lwps: AtomicU32,
}

impl Proc {
    /// The process's number.
    #[inline]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// The parent's number; init is its own.
    pub fn parent(&self) -> Pid {
        self.parent
    }

    /// The descriptors.
    pub fn fds(&self) -> &FdTable {
        &self.fds
    }

    /// The credentials, as they are now.
    pub fn cred(&self, cx: &Cx<'_>) -> Cred {
        self.who.lock(cx).cred.clone()
    }

    /// Replaces the credentials.
    pub fn set_cred(&self, cx: &Cx<'_>, cred: Cred) {
        self.who.lock(cx).cred = cred;
    }

    /// The program's name; of a child that has said nothing, its parent's.
    pub fn name(&self, cx: &Cx<'_>) -> Name {
        self.who.lock(cx).name
    }

    /// Sets it.
    pub fn set_name(&self, cx: &Cx<'_>, name: Name) {
        self.who.lock(cx).name = name;
    }

    /// Whether the process may do what only the superuser may.
    pub fn is_root(&self, cx: &Cx<'_>) -> bool {
        self.who.lock(cx).cred.is_root()
    }
}

/// A kernel's processes.
pub(crate) struct Procs {
    /// Boxed, so that an `Ident` can point to its process.
    table: KVec<KBox<Proc>>,
    next_pid: Pid,
    next_lid: u32,
}

impl Procs {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        Self { table: KVec::new(cx), next_pid: INIT, next_lid: 1 }
    }

    /// Adds a process that has one lwp; its number wraps around after 2³¹ processes and then
    /// passes those in use.
    fn add(
        &mut self,
        cx: &Cx<'_>,
        parent: Pid,
        who: Who,
        fds: KArc<FdTable>,
    ) -> Result<NonNull<Proc>, NoMemory> {
        let pid = loop {
            let pid = self.next_pid;
            self.next_pid = if pid >= i32::MAX as u32 { INIT + 1 } else { pid + 1 };
            if !self.table.iter().any(|p| p.pid == pid) {
                break pid;
            }
        };
        let who = IntrMutex::new(cx, Rank::Proc, who);
        let lwps = AtomicU32::new(1);
        let proc = kmem::boxed(cx, Proc { pid, parent, who, fds, lwps })?;
        let at = NonNull::from(&**proc);
        self.table.push(proc)?;
        Ok(at)
    }

    fn next_lid(&mut self) -> u32 {
        let lid = self.next_lid;
        self.next_lid = lid.checked_add(1).unwrap_or(1);
        lid
    }
}

/// Makes init. At boot, once.
pub(crate) fn make_init(cx: &Cx<'_>) -> Result<NonNull<Proc>, NoMemory> {
    let fds = kmem::arc(cx, FdTable::new(cx))?;
    let who = Who { cred: Cred::root(), name: Name::new("init") };
    cx.body().procs.lock(cx).add(cx, INIT, who, fds)
}

/// A new process, child of the caller's, with one bound lwp.
pub(crate) fn rfork(l: &mut Lwp<'_>, core: &Arc<Core>, how: Rfork) -> Result<BoundLwp, Errno> {
    let parent = l.proc();
    let fds = match how {
        Rfork::ShareFds => parent.fds.clone(),
        Rfork::CopyFds | Rfork::ClearFds => kmem::arc(l, FdTable::new(l))?,
    };
    if how == Rfork::CopyFds {
        parent.fds.copy_to(l, &fds)?;
    }
    let who = parent.who.lock(l).clone();
    let mut procs = l.body().procs.lock(l);
    let proc = match procs.add(l, parent.pid, who, fds.clone()) {
        Ok(proc) => proc,
        Err(NoMemory) => {
            drop(procs);
            if how == Rfork::CopyFds {
                fds.close_all(l);
            }
            return Err(Errno::NoMemory);
        }
    };
    let lid = procs.next_lid();
    // SAFETY: it was added a moment ago, and its one lwp is ours.
    let pid = unsafe { proc.as_ref() }.pid;
    Ok(BoundLwp::new(core.clone(), Ident::new(proc, lid, lid % l.ncpu()), pid))
}

/// A process as lists show it.
pub struct Entry {
    /// Its number.
    pub pid: Pid,
    /// The effective user.
    pub uid: u32,
    /// The program.
    pub name: Name,
    /// The descriptors.
    pub fds: KArc<FdTable>,
}

/// The process with the lowest number above `last`, of all if that is `None`: to go through them with
/// nothing held in between.
pub fn after(cx: &Cx<'_>, last: Option<Pid>) -> Option<Entry> {
    let procs = cx.body().procs.lock(cx);
    let next = procs.table.iter().filter(|p| last.is_none_or(|last| p.pid > last));
    let p = next.min_by_key(|p| p.pid)?;
    let who = p.who.lock(cx);
    Some(Entry { pid: p.pid, uid: who.cred.uid, name: who.name, fds: p.fds.clone() })
}

/// A new bound lwp in process `pid`.
pub(crate) fn newlwp(cx: &Cx<'_>, core: &Arc<Core>, pid: Pid) -> Result<BoundLwp, Errno> {
    let mut procs = cx.body().procs.lock(cx);
    let lid = procs.next_lid();
    let proc = procs.table.iter().find(|p| p.pid == pid).ok_or(Errno::NoProcess)?;
    if proc.lwps.load(Ordering::Relaxed) >= MAX_LWPS {
        return Err(Errno::WouldBlock); // EAGAIN, as of clone(2)
    }
    proc.lwps.fetch_add(1, Ordering::Relaxed);
    let at = NonNull::from(&***proc);
    Ok(BoundLwp::new(core.clone(), Ident::new(at, lid, lid % cx.ncpu()), pid))
}

/// The calling lwp ends; so does its process if it was the last one.
pub(crate) fn release_lwp(l: &mut Lwp<'_>) {
    let pid = l.proc().pid;
    let mut procs = l.body().procs.lock(l);
    if l.proc().lwps.fetch_sub(1, Ordering::Relaxed) > 1 {
        return;
    }
    let at = procs.table.iter().position(|p| p.pid == pid);
    let Some(proc) = at.map(|i| procs.table.swap_remove(i)) else { return };
    // Under the lock, so that of two that share a table and end at once, one is the last.
    let shared = procs.table.iter().any(|p| Arc::ptr_eq(&p.fds, &proc.fds));
    drop(procs);
    if !shared {
        proc.fds.close_all(l);
    }
}

/// Ends all processes; nobody else is in the kernel.
pub(crate) fn end_all(l: &mut Lwp<'_>) {
    // The table stays as it is (idents of bound lwps outside point into it); only descriptors go.
    let mut at = 0;
    loop {
        let fds = l.body().procs.lock(l).table.get(at).map(|p| p.fds.clone());
        let Some(fds) = fds else { return };
        fds.close_all(l);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_name_is_cut_at_a_character() {
        assert_eq!(Name::new("rump.ping").to_string(), "rump.ping");
        assert_eq!(Name::new(&"ä".repeat(13)).to_string(), "ä".repeat(12));
        assert_eq!(Name::new(&"xä".repeat(13)).to_string(), "xä".repeat(8));
        assert_eq!(Name::default().to_string(), "");
    }
}

//! A process's descriptors.
//!
//! * [`FdTable::install`]: a file gets a number.  * [`FdTable::reserve`], [`FdTable::fill`],
//!   [`FdTable::release`]: the number first, where it is too late to do without one when there is a file.
//!
//! Locking: `Rank::Fds`; a file is closed after the lock is let go.

use crate::file::File;
use crate::lock::{IntrMutex, Rank};
use crate::vm::{KArc, KVec};
use crate::{Cx, Errno, Lwp};

/// A descriptor's number.
pub type Fd = u32;

/// The most descriptors that a process may have.
pub const MAX_FDS: u32 = 1 << 16;

struct Entry {
    file: KArc<File>,
    close_on_exec: bool,
}

/// What is behind a number.
enum Place {
    Free,
    /// A file is about to come.
    Reserved,
    Open(Entry),
}

impl Place {
    fn open(&self) -> Option<&Entry> {
        match self {
            Place::Open(entry) => Some(entry),
            Place::Free | Place::Reserved => None,
        }
    }

    fn open_mut(&mut self) -> Option<&mut Entry> {
        match self {
            Place::Open(entry) => Some(entry),
            Place::Free | Place::Reserved => None,
        }
    }

    /// Takes the file out, if there is one.
    fn take(&mut self) -> Option<Entry> {
        self.open()?;
        match core::mem::replace(self, Place::Free) {
            Place::Open(entry) => Some(entry),
            Place::Free | Place::Reserved => None,
        }
    }
}

/// The lowest free number that is at least `min`, for which there then is a place.
fn free_place(places: &mut KVec<Place>, min: Fd) -> Result<usize, Errno> {
    let free = (min as usize..places.len()).find(|&i| matches!(places[i], Place::Free));
    let fd = free.unwrap_or(places.len().max(min as usize));
    if fd >= MAX_FDS as usize {
        return Err(Errno::TooManyFiles);
    }
    while places.len() <= fd {
        places.push(Place::Free)?;
    }
    Ok(fd)
}

/// A table of descriptors, of one process or shared by several.
pub struct FdTable {
    entries: IntrMutex<KVec<Place>>,
}

impl FdTable {
    /// An empty table.
    pub fn new(cx: &Cx<'_>) -> Self {
        Self { entries: IntrMutex::new(cx, Rank::Fds, KVec::new(cx)) }
    }

    /// Gives `to`, which is empty, the same files under the same numbers.
    pub fn copy_to(&self, cx: &Cx<'_>, to: &FdTable) -> Result<(), Errno> {
        let mut copy = KVec::new(cx);
        let from = self.entries.lock(cx);
        copy.reserve(from.len())?;
        for e in from.iter() {
            // Cannot fail: there is room. A file referred to from a copy that comes to nothing
            // would never be closed.
            copy.push(e.open().map_or(Place::Free, |e| {
                e.file.reference();
                Place::Open(Entry { file: e.file.clone(), close_on_exec: e.close_on_exec })
            }))?;
        }
        drop(from);
        *to.entries.lock(cx) = copy;
        Ok(())
    }

    /// Gives `file` the lowest free number that is at least `min`.
    pub fn install(
        &self,
        cx: &Cx<'_>,
        file: KArc<File>,
        min: Fd,
        close_on_exec: bool,
    ) -> Result<Fd, Errno> {
        let mut entries = self.entries.lock(cx);
        let fd = free_place(&mut entries, min)?;
        file.reference();
        entries[fd] = Place::Open(Entry { file, close_on_exec });
        Ok(fd as Fd)
    }

    /// Keeps the lowest free number for a file to come. Until that is there, nothing is open behind it.
    pub fn reserve(&self, cx: &Cx<'_>) -> Result<Fd, Errno> {
        let mut entries = self.entries.lock(cx);
        let fd = free_place(&mut entries, 0)?;
        entries[fd] = Place::Reserved;
        Ok(fd as Fd)
    }

    /// Gives `file` a number that was reserved. If the process has ended meanwhile, the file is closed.
    pub fn fill(
        &self,
        l: &mut Lwp<'_>,
        fd: Fd,
        file: KArc<File>,
        close_on_exec: bool,
    ) -> Result<(), Errno> {
        file.reference();
        let mut entries = self.entries.lock(l);
        if let Some(place @ Place::Reserved) = entries.get_mut(fd as usize) {
            *place = Place::Open(Entry { file, close_on_exec });
            return Ok(());
        }
        drop(entries);
        file.unreference(l);
        Err(Errno::BadFile)
    }

    /// A number that was reserved is free again.
    pub fn release(&self, cx: &Cx<'_>, fd: Fd) {
        let mut entries = self.entries.lock(cx);
        if let Some(place @ Place::Reserved) = entries.get_mut(fd as usize) {
            *place = Place::Free;
        }
    }

    /// Gives `file` the number `fd`, and closes what had it; `Busy` if it is reserved, as on Linux.
    pub fn install_at(
        &self,
        l: &mut Lwp<'_>,
        file: KArc<File>,
        fd: Fd,
        close_on_exec: bool,
    ) -> Result<Fd, Errno> {
        if fd >= MAX_FDS {
            return Err(Errno::BadFile);
        }
        let mut entries = self.entries.lock(l);
        while entries.len() <= fd as usize {
            entries.push(Place::Free)?;
        }
        let place = entries.get_mut(fd as usize).ok_or(Errno::BadFile)?;
        if matches!(place, Place::Reserved) {
            return Err(Errno::Busy);
        }
        file.reference();
        let old = core::mem::replace(place, Place::Open(Entry { file, close_on_exec }));
        drop(entries);
        if let Place::Open(old) = old {
            old.file.unreference(l);
        }
        Ok(fd)
    }

    /// The file behind a descriptor; `BadFile` if there is none.
    pub fn get(&self, cx: &Cx<'_>, fd: Fd) -> Result<KArc<File>, Errno> {
        let entries = self.entries.lock(cx);
        let entry = entries.get(fd as usize).and_then(Place::open);
        entry.map(|e| e.file.clone()).ok_or(Errno::BadFile)
    }

    /// Whether `fd` is closed when the process executes another program.
    pub fn close_on_exec(&self, cx: &Cx<'_>, fd: Fd) -> Result<bool, Errno> {
        let entries = self.entries.lock(cx);
        let entry = entries.get(fd as usize).and_then(Place::open);
        entry.map(|e| e.close_on_exec).ok_or(Errno::BadFile)
    }

    /// Sets it.
    pub fn set_close_on_exec(&self, cx: &Cx<'_>, fd: Fd, on: bool) -> Result<(), Errno> {
        let mut entries = self.entries.lock(cx);
        let entry = entries.get_mut(fd as usize).and_then(Place::open_mut);
        entry.ok_or(Errno::BadFile)?.close_on_exec = on;
        Ok(())
    }

    /// Closes a descriptor, and the file with its last one.
    pub fn close(&self, l: &mut Lwp<'_>, fd: Fd) -> Result<(), Errno> {
        let mut entries = self.entries.lock(l);
        let entry = entries.get_mut(fd as usize).and_then(Place::take);
        drop(entries);
        entry.ok_or(Errno::BadFile)?.file.unreference(l);
        Ok(())
    }

    /// Closes those that are to be closed when the process executes another program.
    pub fn exec(&self, l: &mut Lwp<'_>) {
        let mut at = 0;
        loop {
            let mut entries = self.entries.lock(l);
            let marked = |e: &Place| e.open().is_some_and(|e| e.close_on_exec);
            let Some(next) = entries.iter().skip(at).position(marked) else { return };
            at += next;
            let entry = entries.get_mut(at).and_then(Place::take);
            drop(entries);
            if let Some(e) = entry {
                e.file.unreference(l);
            }
        }
    }

    /// Closes all of them.
    pub fn close_all(&self, l: &mut Lwp<'_>) {
        loop {
            let entry = self.entries.lock(l).pop();
            match entry {
                Some(Place::Open(e)) => e.file.unreference(l),
                Some(Place::Free | Place::Reserved) => {}
                None => return,
            }
        }
    }

    /// The first open descriptor from `fd` on, and its file: to go through them with nothing held in
    /// between.
    pub fn from(&self, cx: &Cx<'_>, fd: Fd) -> Option<(Fd, KArc<File>)> {
        let entries = self.entries.lock(cx);
        let rest = entries.iter().enumerate().skip(fd as usize);
        let mut open = rest.filter_map(|(at, e)| Some((Fd::try_from(at).ok()?, e.open()?)));
        open.next().map(|(fd, e)| (fd, e.file.clone()))
    }

    /// The descriptors that are open.
    pub fn count(&self, cx: &Cx<'_>) -> usize {
        self.entries.lock(cx).iter().filter_map(Place::open).count()
    }
}

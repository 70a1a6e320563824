//! Opening a bus file, or making one, and taking a place in it.
//!
//! 1. The file is opened, or made.
//! 2. If it is empty, whoever gets the lock of its first byte makes it a bus. The magic number is
//!    written last; a creator that dies before leaves the lock to the next one, who begins again.
//! 3. The first slot whose lock is free is ours, until we die or give it back.
//! 4. Room for it and everything before it is allocated, so that a full disk is an error here and
//!    not a signal later. Where memory is the only limit, the file is only made as long: what
//!    nobody touches takes none then.
//!
//! A file that is something else is never written to.
//!
//! Locking: the file's own, see [`crate::lock`]. Sources: fallocate(2), statfs(2).

use core::sync::atomic::AtomicU64;
use core::time::Duration;
use std::os::fd::OwnedFd;

use rustix::fs::{FallocateFlags, FileType, Mode, OFlags, fallocate, fstat, fstatfs, open};
use rustix::io::{Errno, pread, pwrite, retry_on_intr};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::thread::futex::{self, Flags};
use shmif::bus::layout::{FILE_MAX, Found, Header, PAGE, SLOTS, SLOTS_AT, file_len};
use shmif::host::FileError;

use crate::lock;
use crate::mapping::Mapping;

/// The lock of who makes the file, and that of the first slot: bytes beyond every bus.
const MAKING: u64 = FILE_MAX as u64;
const SLOT: u64 = MAKING + 1;

/// TMPFS_MAGIC.
const TMPFS: i64 = 0x0102_1994;

/// How long another process may take to make the file.
const PATIENCE: Duration = Duration::from_secs(2);

/// A place on a bus. Its lock is released when the file is closed, by the drop of this or by death.
pub struct Place {
    pub mapping: Mapping,
    pub index: usize,
    file: OwnedFd,
}

impl Place {
    /// Ends the sleep of who waits for this place, on its doorbell. The system knows sleepers by the
    /// file's page: should that have been cut off, there must be one in its place.
    pub fn rouse(&self) {
        ring(&self.mapping, self.index);
        if self.mapping.is_broken()
            && allocate(&self.file, SLOTS_AT).is_ok()
            && let Ok(again) = Mapping::new(&self.file)
        {
            ring(&again, self.index);
        }
    }
}

fn ring(mapping: &Mapping, index: usize) {
    if let Some(slot) = mapping.map().slot(index) {
        slot.door().ring();
        let _ = futex::wake(slot.door().bell(), Flags::empty(), i32::MAX.cast_unsigned());
    }
}

/// Takes a place on the bus in the file `path`.
pub fn join(path: &str) -> Result<Place, FileError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = retry_on_intr(|| open(path, flags, Mode::RUSR | Mode::WUSR)).map_err(on_open)?;
    let mapping = match look(&file)? {
        Found::Bus => map(&file)?,
        // What seems to be something else may be a bus that was made while we read it: only who
        // has the maker's lock sees what is.
        Found::Nothing | Found::Other => make(&file)?,
    };
    for index in 0..SLOTS {
        if lock::try_lock(&file, SLOT + index as u64).map_err(on_lock)? {
            allocate(&file, file_len(index + 1))?;
            return Ok(Place { mapping, index, file });
        }
    }
    Err(FileError::Full)
}

fn map(file: &OwnedFd) -> Result<Mapping, FileError> {
    Mapping::new(file).map_err(|e| match e {
        Errno::NODEV | Errno::INVAL => FileError::Unsupported,
        Errno::ACCESS | Errno::PERM => FileError::Denied,
        _ => FileError::HostLimit,
    })
}

/// What the file is, without touching it.
fn look(file: &OwnedFd) -> Result<Found, FileError> {
    let stat = fstat(file).map_err(|_| FileError::Io)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(FileError::NotABus);
    }
    let mut bytes = [0; SLOTS_AT + 1];
    let there = read(file, &mut bytes).map_err(|_| FileError::Io)?;
    let bytes = bytes.get(..there).unwrap_or_default();
    // Before the magic number is there, the other fields may be: who writes them may die. And
    // members of a bus that was cut to nothing may have left something on the second page.
    let zero = |mut bytes: core::slice::Iter<'_, u8>| bytes.all(|byte| *byte == 0);
    let (magic, rest) = bytes.split_at(there.min(8));
    let rest = rest.get(size_of::<[u64; 8]>() - 8..).unwrap_or_default();
    let rest = rest.get(..PAGE - size_of::<[u64; 8]>()).unwrap_or(rest);
    if there <= SLOTS_AT && zero(magic.iter()) && zero(rest.iter()) {
        return Ok(Found::Nothing);
    }
    let word = |word: &[u8; 8]| AtomicU64::new(u64::from_ne_bytes(*word));
    let words: Vec<AtomicU64> = bytes.as_chunks::<8>().0.iter().take(8).map(word).collect();
    let found = Header::of(&words).map(|header| header.look());
    Ok(if there >= SLOTS_AT && found == Some(Found::Bus) { Found::Bus } else { Found::Other })
}

/// Reads the file's beginning; how much there was.
fn read(file: &OwnedFd, bytes: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match retry_on_intr(|| pread(file, &mut *rest, done as u64))? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}

/// Makes an empty file a bus, unless somebody else is quicker.
fn make(file: &OwnedFd) -> Result<Mapping, FileError> {
    if !lock::lock_soon(file, MAKING, PATIENCE).map_err(on_lock)? {
        return Err(FileError::Stuck);
    }
    let made = make_locked(file);
    lock::unlock(file, MAKING);
    made
}

fn make_locked(file: &OwnedFd) -> Result<Mapping, FileError> {
    match look(file)? {
        Found::Bus => return map(file),
        Found::Other => return Err(FileError::NotABus),
        Found::Nothing => {}
    }
    allocate(file, SLOTS_AT)?;
    let mapping = map(file)?;
    let mut id = [0; 8];
    // What has no random numbers has no strangers either.
    let _ = getrandom(&mut id, GetRandomFlags::empty());
    mapping.map().header().ok_or(FileError::Io)?.create(u64::from_ne_bytes(id));
    Ok(mapping)
}

/// Allocates the file's first `len` bytes; those that were there stay as they are.
fn allocate(file: &OwnedFd, len: usize) -> Result<(), FileError> {
    // The last page makes it so long. Never shorter, as ftruncate(2) might: others join, too.
    let from = if has_no_disk(file) { len.saturating_sub(PAGE) } else { 0 };
    let range = (from as u64, len.saturating_sub(from) as u64);
    let allocated = retry_on_intr(|| fallocate(file, FallocateFlags::empty(), range.0, range.1));
    match allocated {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => fill(file, len).map_err(on_space),
        Err(e) => Err(on_space(e)),
    }
}

/// Whether the file is in memory, on a file system without a limit of its own, as what
/// memfd_create(2) makes is: nothing can be full there but the machine's memory, which is as with
/// all other memory of the process.
fn has_no_disk(file: &OwnedFd) -> bool {
    fstatfs(file).is_ok_and(|system| system.f_type == TMPFS && system.f_blocks == 0)
}

/// The same for file systems that cannot: writes zeros behind the end.
fn fill(file: &OwnedFd, len: usize) -> Result<(), Errno> {
    loop {
        let end = usize::try_from(fstat(file)?.st_size).unwrap_or(0);
        if end >= len {
            return Ok(());
        }
        let zeros = [0; PAGE];
        let some = zeros.get(..(len - end).min(PAGE)).unwrap_or_default();
        if retry_on_intr(|| pwrite(file, some, end as u64))? == 0 {
            return Err(Errno::NOSPC);
        }
    }
}

fn on_open(e: Errno) -> FileError {
    match e {
        Errno::NOENT | Errno::NOTDIR => FileError::NoDirectory,
        Errno::ACCESS | Errno::PERM | Errno::ROFS => FileError::Denied,
        // A directory, a socket, a device without a driver, a program that runs.
        Errno::ISDIR | Errno::NXIO | Errno::NODEV | Errno::TXTBSY => FileError::NotABus,
        Errno::NOSPC | Errno::DQUOT => FileError::NoSpace,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => FileError::HostLimit,
        Errno::NAMETOOLONG | Errno::LOOP | Errno::INVAL => FileError::BadPath,
        _ => FileError::Io,
    }
}

fn on_lock(e: Errno) -> FileError {
    match e {
        Errno::NOLCK => FileError::HostLimit,
        _ => FileError::Unsupported,
    }
}

fn on_space(e: Errno) -> FileError {
    match e {
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => FileError::NoSpace,
        _ => FileError::Io,
    }
}

//! A bus file as words in memory.
//!
//! The whole range that a bus may ever take is mapped at once, beyond the file's present end too,
//! so that nothing need be mapped again when another member joins and the file grows. Nobody
//! touches a slot before the file has room for it; should the file be cut, see [`crate::fault`].
//!
//! Locking: none. Sources: mmap(2).

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU32, AtomicU64};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use shmif::bus::Map;
use shmif::bus::layout::{FILE_MAX, PAGE, SLOTS_AT};

use crate::fault::Guarded;

/// A mapped bus file.
pub struct Mapping {
    start: NonNull<u8>,
    /// Gone before the memory is.
    guarded: Option<Guarded>,
}

#[allow(unsafe_code)]
// SAFETY: the memory is shared words, reached through atomics only.
unsafe impl Send for Mapping {}
#[allow(unsafe_code)]
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the file.
    #[allow(unsafe_code)] // JUSTIFICATION: mapping memory
    pub fn new(file: &OwnedFd) -> Result<Mapping, Errno> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the system chooses a place where nothing is.
        let start = unsafe {
            mmap(core::ptr::null_mut(), FILE_MAX, protection, MapFlags::SHARED, file, 0)?
        };
        let start = NonNull::new(start.cast::<u8>()).ok_or(Errno::NOMEM)?;
        let guarded = Some(Guarded::new(start.as_ptr().addr(), FILE_MAX));
        Ok(Mapping { start, guarded })
    }

    /// The words.
    pub fn map(&self) -> Map<'_> {
        const HALF: usize = size_of::<AtomicU32>();
        const WORD: usize = size_of::<AtomicU64>();
        Map::new(
            self.slice::<AtomicU64>(0, PAGE / WORD),
            self.slice::<AtomicU32>(PAGE, PAGE / HALF),
            self.slice::<AtomicU64>(SLOTS_AT, (FILE_MAX - SLOTS_AT) / WORD),
        )
    }

    #[allow(unsafe_code)] // JUSTIFICATION: the memory is known by its address
    fn slice<T: Atomic>(&self, at: usize, count: usize) -> &[T] {
        assert!(at + count * size_of::<T>() <= FILE_MAX && at.is_multiple_of(align_of::<T>()));
        // SAFETY: the range is within the mapping, which lives as long as `self`; it begins at a
        // page, so all is aligned; any bits are a value of an atomic number, and all who write
        // them, in this process or another, do so by atomic operations on the same ranges. Pages
        // beyond the file's end are there as far as the language can tell: an access to one is a
        // fault, after which (see `fault`) there is a page of zeros.
        unsafe { core::slice::from_raw_parts(self.start.add(at).cast::<T>().as_ptr(), count) }
    }

    /// Whether the file was cut under us.
    pub fn is_broken(&self) -> bool {
        self.guarded.as_ref().is_some_and(Guarded::is_broken)
    }
}

/// What the mapping may be read as.
trait Atomic {}
impl Atomic for AtomicU32 {}
impl Atomic for AtomicU64 {}

impl Drop for Mapping {
    #[allow(unsafe_code)] // JUSTIFICATION: unmapping memory
    fn drop(&mut self) {
        // First: the addresses may belong to somebody else right after.
        self.guarded = None;
        // SAFETY: the range is that of `new`, and nobody borrows it any more.
        // An error would mean that it is not mapped.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), FILE_MAX) };
    }
}

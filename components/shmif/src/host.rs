//! What a bus in a file needs of its host: the I/O hypercalls of this driver.
//!
//! The half on the host gives a [`BusFiles`] to its host under the name [`NAME`]
//! (`Linux::builder().io("shmif", shmif_linux::files())`); a kernel finds it there, or answers
//! EOPNOTSUPP.
//!
//! * [`Files`] opens a bus file and takes a place in it: a [`Seat`].
//! * [`Seat`] gives the file's words, wakes other members, and says when the file broke.
//! * [`Bell`] is the up-call: something came.
//!
//! Locking: none here. A seat's methods do not block, but for [`Files::join`], which takes the
//! proof that the caller holds no CPU.

use alloc::boxed::Box;
use alloc::sync::Arc;

pub use base::Offcpu;

use crate::bus::layout::Map;

/// The name under which a host has this driver's half.
pub const NAME: &str = "shmif";

/// What the host is given, for the driver to find by downcast.
pub struct BusFiles(pub Arc<dyn Files>);

/// Bus files.
pub trait Files: Send + Sync {
    /// Opens the bus file `path`, makes it if there is none, and takes a place in it. The place is
    /// given back when the seat is dropped, and by the host's system when the process dies.
    /// `path` is relative to the process's working directory now.
    fn join(&self, path: &str, proof: &Offcpu) -> Result<Box<dyn Seat>, FileError>;
}

/// A place on a bus.
pub trait Seat: Send + Sync {
    /// Its number.
    fn index(&self) -> usize;

    /// The owning process, as the host numbers them: for people who look at the file.
    fn process(&self) -> u64;

    /// The file's words. Only slots that are in use, and this one, may be touched.
    fn map(&self) -> Map<'_>;

    /// Ends the sleep of the members with these numbers (a bit each) on their doorbells.
    fn wake(&self, members: u64);

    /// Has a thread of the host ring `bell` soon, once, and again whenever this seat's doorbell
    /// changes; until [`Seat::leave`].
    fn listen(&self, bell: Arc<dyn Bell>) -> Result<(), FileError>;

    /// `bell` is not rung for any change after this. It may be ringing now.
    fn leave(&self);

    /// Whether the file was cut under us. What is read then is zeros; what is written is lost.
    fn is_broken(&self) -> bool;
}

/// Told by a thread of the host, which is in no kernel, that something came.
pub trait Bell: Send + Sync {
    /// Rings. False: there is nobody any more who would hear it.
    fn ring(&self, proof: &Offcpu) -> bool;
}

/// Why a bus cannot be joined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileError {
    /// A directory on the way does not exist.
    NoDirectory,
    /// The file may not be read and written, or its directory not be searched.
    Denied,
    /// It is something else, or a bus of another version.
    NotABus,
    /// All places are taken.
    Full,
    /// The disk is full, or a limit on file sizes is reached.
    NoSpace,
    /// Somebody has begun to make the file and does not get on with it.
    Stuck,
    /// No more descriptors, memory maps or threads.
    HostLimit,
    /// The path cannot be one.
    BadPath,
    /// The system does not give files such as these: no locks, or no shared memory.
    Unsupported,
    /// The disk reports an error.
    Io,
}

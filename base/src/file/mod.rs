//! Open files and descriptors: what sockets, files and devices have in common.
//!
//! * [`FileOps`]: what an open file can do. Its calls are attempts: what cannot be done now
//!   answers `WouldBlock`, and [`FileOps::queue`] tells when to try again. Blocking, O_NONBLOCK,
//!   timeouts and poll are made of that here, once ([`blocking`]).
//! * [`FdTable`]: a process's descriptors.  * [`uio`]: scattered memory of a request.
//! * [`poll`]: waiting for several files.  * [`Request`]: a call that waits without a thread.
//! * [`mod@request`]: numbers of ioctl requests.
//!
//! Locking: `Rank::Fds` for a table, `Rank::File` for a file's flags; none is held while an
//! operation of a file runs. Sources: NetBSD kern_descrip.c, sys_select.c.

mod parked;
pub mod poll;
pub mod request;
mod table;
pub mod uio;

use core::any::Any;
use core::sync::atomic::{AtomicU32, Ordering};

use bitflags::bitflags;
use hypercall::Instant;

pub use parked::Request;
pub use table::{Fd, FdTable, MAX_FDS};
use uio::Uio;

use crate::vm::KArc;
use crate::vm::kmem;
use crate::wait::{Events, WaitQueue, wait_for};
use crate::{Cx, Errno, Lwp, NoMemory};

bitflags! {
    /// Flags of an open file, with Linux's values.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Flags: u32 {
        /// Open for writing only.
        const WRONLY = 0o1;
        /// Open for reading and writing.
        const RDWR = 0o2;
        /// Calls that would block fail instead.
        const NONBLOCK = 0o4000;
        /// Writes go to the end.
        const APPEND = 0o2000;
    }
}

/// What an open file can do. Every call is an attempt: it does not wait for data or room.
#[allow(unused_variables)]
pub trait FileOps: Send + Sync + Any {
    /// Moves data from the file into `uio`; says how many bytes. 0 is the end.
    fn read(&self, l: &mut Lwp<'_>, uio: &mut Uio<'_>) -> Result<usize, Errno> {
        Err(Errno::Invalid)
    }

    /// Moves data from `uio` into the file; says how many bytes.
    fn write(&self, l: &mut Lwp<'_>, uio: &mut Uio<'_>) -> Result<usize, Errno> {
        Err(Errno::Invalid)
    }

    /// Does what `request` says with `data`, which it may change.
    fn ioctl(&self, l: &mut Lwp<'_>, request: u32, data: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::NotTerminal)
    }

    /// Which of `events` hold now, and ERR and HUP in any case.
    fn poll(&self, cx: &Cx<'_>, events: Events) -> Events;

    /// Woken when what [`FileOps::poll`] says changes.
    fn queue(&self) -> &WaitQueue;

    /// When a blocked read gives up, if the file has an opinion (SO_RCVTIMEO).
    fn read_deadline(&self, cx: &Cx<'_>) -> Option<Instant> {
        None
    }

    /// When a blocked write gives up (SO_SNDTIMEO).
    fn write_deadline(&self, cx: &Cx<'_>) -> Option<Instant> {
        None
    }

    /// The last descriptor is about to be closed, by a call that would wait until [`FileOps::lingers`]
    /// says no more, or until the time that this answers; `None`: there is nothing to wait for
    /// (SO_LINGER). May be asked more than once.
    fn linger(&self, l: &mut Lwp<'_>) -> Option<Instant> {
        None
    }

    /// Whether such a call still waits. A change wakes the queue.
    fn lingers(&self, cx: &Cx<'_>) -> bool {
        false
    }

    /// The last descriptor is closed.
    fn close(&self, l: &mut Lwp<'_>) {}

    /// For layers that look for a file of their own kind.
    fn as_any(&self) -> &dyn Any;
}

/// An open file: operations, flags, and how many descriptors refer to it.
pub struct File {
    ops: KArc<dyn FileOps>,
    flags: AtomicU32,
    /// Descriptors, in all tables. The last one to go closes the file, whoever still uses it.
    descriptors: AtomicU32,
}

impl File {
    /// A file that no descriptor refers to yet.
    pub fn new(cx: &Cx<'_>, ops: KArc<dyn FileOps>, flags: Flags) -> Result<KArc<File>, NoMemory> {
        Ok(Self::new_in(Self::room(cx)?, ops, flags))
    }

    /// Memory for a file to come.
    pub fn room(cx: &Cx<'_>) -> Result<kmem::Room<File>, NoMemory> {
        kmem::room(cx)
    }

    /// The same file, where there is memory for it.
    pub fn new_in(room: kmem::Room<File>, ops: KArc<dyn FileOps>, flags: Flags) -> KArc<File> {
        let flags = AtomicU32::new(flags.bits());
        room.arc(File { ops, flags, descriptors: AtomicU32::new(0) })
    }

    /// The operations.
    pub fn ops(&self) -> &KArc<dyn FileOps> {
        &self.ops
    }

    /// The flags.
    pub fn flags(&self) -> Flags {
        Flags::from_bits_retain(self.flags.load(Ordering::Relaxed))
    }

    /// Sets those flags that can be changed on an open file.
    pub fn set_flags(&self, flags: Flags) {
        let can = Flags::NONBLOCK | Flags::APPEND;
        let new = (self.flags() - can) | (flags & can);
        self.flags.store(new.bits(), Ordering::Relaxed);
    }

    /// Whether calls that would block fail instead.
    pub fn is_nonblocking(&self) -> bool {
        self.flags().contains(Flags::NONBLOCK)
    }

    fn reference(&self) {
        self.descriptors.fetch_add(1, Ordering::Relaxed);
    }

    fn unreference(&self, l: &mut Lwp<'_>) {
        if self.descriptors.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ops.close(l);
        }
    }
}

/// Closes a descriptor. With the last one of a file that lingers it waits, unless the file is
/// non-blocking; however that ends, the descriptor is closed afterwards.
pub fn close(l: &mut Lwp<'_>, fd: Fd) -> Result<(), Errno> {
    let file = l.proc().fds().get(l, fd)?;
    if file.descriptors.load(Ordering::Relaxed) == 1
        && let deadline @ Some(_) = file.ops.linger(l)
    {
        let attempt = |l: &mut Lwp<'_>| match file.ops.lingers(l) {
            true => Err(Errno::WouldBlock),
            false => Ok(()),
        };
        if blocking(l, &file, Events::OUT, deadline, attempt) == Err(Errno::Restart) {
            return Err(Errno::Restart);
        }
    }
    l.proc().fds().close(l, fd)
}

/// Reads, waiting for data unless the file is non-blocking.
pub fn read(l: &mut Lwp<'_>, file: &KArc<File>, uio: &mut Uio<'_>) -> Result<usize, Errno> {
    let deadline = file.ops.read_deadline(l);
    blocking(l, file, Events::IN, deadline, |l| file.ops.read(l, uio))
}

/// Writes, waiting for room unless the file is non-blocking. A write that was cut short goes on;
/// what has been written counts even if the rest fails.
pub fn write(l: &mut Lwp<'_>, file: &KArc<File>, uio: &mut Uio<'_>) -> Result<usize, Errno> {
    let deadline = file.ops.write_deadline(l);
    let mut done = uio.skip(l.progress());
    loop {
        match blocking(l, file, Events::OUT, deadline, |l| file.ops.write(l, uio)) {
            Ok(0) => return Ok(done),
            Ok(n) => done += n,
            Err(Errno::Restart) => {
                l.set_progress(done);
                return Err(Errno::Restart);
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => return Ok(done),
        }
        if uio.remaining() == 0 || file.is_nonblocking() {
            return Ok(done);
        }
    }
}

/// Makes `attempt` on `file` until it does not answer `WouldBlock`: at once if the file is
/// non-blocking, otherwise sleeping in between, or, for a [`Request`], once now and again when there
/// is something new.
pub fn blocking<R>(
    l: &mut Lwp<'_>,
    file: &KArc<File>,
    events: Events,
    deadline: Option<Instant>,
    attempt: impl FnMut(&mut Lwp<'_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    attempted(l, file, events, deadline, attempt, |l, attempt| {
        parked::park(l, core::iter::once((file.clone(), events)), deadline, attempt)
    })
}

/// The same for an attempt that takes nothing while it answers `WouldBlock`, though there be something
/// that others would take: it hears of all that comes, and keeps it from nobody. For a [`Request`] only;
/// a thread waits as with [`blocking`].
pub fn blocking_beside<R>(
    l: &mut Lwp<'_>,
    file: &KArc<File>,
    events: Events,
    deadline: Option<Instant>,
    attempt: impl FnMut(&mut Lwp<'_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    attempted(l, file, events, deadline, attempt, |l, attempt| {
        parked::park_looking(l, core::iter::once((file.clone(), events)), deadline, attempt)
    })
}

/// Attempts; the request of one that has to wait is parked by `park`.
#[inline]
fn attempted<R, A: FnMut(&mut Lwp<'_>) -> Result<R, Errno>>(
    l: &mut Lwp<'_>,
    file: &KArc<File>,
    events: Events,
    deadline: Option<Instant>,
    mut attempt: A,
    park: impl FnOnce(&mut Lwp<'_>, A) -> Result<R, Errno>,
) -> Result<R, Errno> {
    if file.is_nonblocking() {
        return attempt(l);
    }
    if !l.makes_attempt() {
        return wait_for(l, file.ops.queue(), events, deadline, attempt);
    }
    match attempt(l) {
        Err(Errno::WouldBlock) => park(l, attempt),
        done => done,
    }
}

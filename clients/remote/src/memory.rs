//! Memory of this process that a call reads and writes. All of this crate's pointers are here.
//!
//! * [`Memory::lend`]: slices that the caller lends for a call; nothing outside of them is
//!   touched, whatever a server says.  * [`Memory::own`]: all of the process, for raw calls; the
//!   host checks each access, so that a bad pointer is [`Fault`] and not a crash.
//! * [`Message`]: pieces to be sent with one system call, without a copy.
//!
//! Locking: none. Sources: process_vm_readv(2), which a process may use on itself; sendmsg(2) and
//! recv(2), which answer EFAULT.

use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use crate::Argument;

/// An address without memory, or without the right to use it so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fault;

/// What a probe steps by; no machine has smaller pages.
const PAGE: usize = 4096;

/// A slice that was lent.
#[derive(Clone, Copy, Default)]
struct Piece {
    addr: usize,
    len: usize,
    read: bool,
    write: bool,
}

/// Memory that a call may use. Having one tells that its pieces, if it has any, are valid for
/// `'a` and used by nobody else, or that the caller of a raw call answers for the process.
pub(crate) struct Memory<'a> {
    pieces: [Piece; 6],
    own: bool,
    lent: PhantomData<&'a mut [u8]>,
}

impl<'a> Memory<'a> {
    /// What `arguments` lend, and the arguments as numbers.
    pub(crate) fn lend(arguments: &'a mut [Argument<'_>]) -> (Self, [u64; 6]) {
        let (mut pieces, mut values) = ([Piece::default(); 6], [0; 6]);
        for ((argument, piece), value) in arguments.iter_mut().zip(&mut pieces).zip(&mut values) {
            *piece = match argument {
                Argument::Value(number) => {
                    *value = *number;
                    continue;
                }
                Argument::Null => continue,
                Argument::In(data) => Piece {
                    addr: data.as_ptr().expose_provenance(),
                    len: data.len(),
                    read: true,
                    write: false,
                },
                Argument::Out(data) => Piece {
                    addr: data.as_mut_ptr().expose_provenance(),
                    len: data.len(),
                    read: false,
                    write: true,
                },
                Argument::InOut(data) => Piece {
                    addr: data.as_mut_ptr().expose_provenance(),
                    len: data.len(),
                    read: true,
                    write: true,
                },
            };
            *value = piece.addr as u64;
        }
        (Self { pieces, own: false, lent: PhantomData }, values)
    }

    /// All memory of the process.
    ///
    /// # Safety
    ///
    /// Whatever address is then named, by the caller or by the server of a call with an opaque
    /// argument, may be read and written for `'a`, as far as the host lets us.
    pub(crate) unsafe fn own() -> Self {
        Self { pieces: [Piece::default(); 6], own: true, lent: PhantomData }
    }

    /// The pieces that are lent.
    pub(crate) fn pieces(&self) -> [Option<wire::Memory>; 6] {
        self.pieces.map(|Piece { addr, len, read, write: written }| {
            (len > 0).then_some(wire::Memory { addr: addr as u64, len, read, written })
        })
    }

    /// Whether `len` bytes at `addr` may be used so; where they are.
    fn locate(&self, addr: u64, len: usize, write: bool) -> Result<*mut u8, Fault> {
        let addr = usize::try_from(addr).map_err(|_| Fault)?;
        let end = addr.checked_add(len).ok_or(Fault)?;
        let within = |piece: &Piece| {
            (if write { piece.write } else { piece.read })
                && addr >= piece.addr
                && end <= piece.addr + piece.len
        };
        if self.own || len == 0 || self.pieces.iter().any(within) {
            Ok(std::ptr::with_exposed_provenance_mut(addr))
        } else {
            Err(Fault)
        }
    }

    /// Whether a call may use this memory, before it is made.
    pub(crate) fn check(&self, what: &wire::Memory) -> Result<(), Fault> {
        if what.written {
            self.locate(what.addr, what.len, true)?;
        }
        if !what.read {
            return Ok(());
        }
        self.locate(what.addr, what.len, false)?;
        if self.own { self.probe(what.addr, what.len) } else { Ok(()) }
    }

    /// Reads.
    pub(crate) fn load(&self, addr: u64, to: &mut [u8]) -> Result<(), Fault> {
        let from = self.locate(addr, to.len(), false)?;
        if self.own {
            let to_iov = iovec(to.as_mut_ptr(), to.len());
            return vm(true, &to_iov, &[iovec(from, to.len())], to.len());
        }
        // SAFETY: `locate` found the bytes inside a slice that is lent for `'a` and read by us
        // alone; `to` is borrowed apart from it.
        unsafe { std::ptr::copy(from, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    /// Writes.
    pub(crate) fn store(&mut self, addr: u64, from: &[u8]) -> Result<(), Fault> {
        let to = self.locate(addr, from.len(), true)?;
        if self.own {
            let from_iov = iovec(from.as_ptr().cast_mut(), from.len());
            return vm(false, &from_iov, &[iovec(to, from.len())], from.len());
        }
        // SAFETY: as in `load`, and the slice is lent as one that is written.
        unsafe { std::ptr::copy(from.as_ptr(), to, from.len()) };
        Ok(())
    }

    /// Receives at most `len` bytes to `addr`.
    pub(crate) fn receive(
        &mut self,
        fd: BorrowedFd<'_>,
        addr: u64,
        len: usize,
    ) -> Result<usize, Errno> {
        let to = self.locate(addr, len, true).map_err(|Fault| Errno::FAULT)?;
        // SAFETY: `locate` says that these bytes are lent to be written, or, for raw calls, the
        // host refuses those that are not there.
        answer(unsafe { libc::recv(fd.as_raw_fd(), to.cast(), len, 0) })
    }

    /// Whether memory can be read: a byte of each page, in one call.
    fn probe(&self, addr: u64, len: usize) -> Result<(), Fault> {
        const PAGES: usize = wire::MAX_TRANSFER / PAGE + 2;
        let from = self.locate(addr, len, false)?;
        let mut bytes = [0_u8; PAGES];
        let mut pages = [iovec(std::ptr::null_mut(), 0); PAGES];
        let mut count = 0;
        let mut at = 0;
        for page in &mut pages {
            if at >= len {
                break;
            }
            *page = iovec(from.wrapping_add(at), 1);
            count += 1;
            // The last byte is on a page of its own, perhaps.
            at = if at + PAGE < len || at + 1 == len { at + PAGE } else { len - 1 };
        }
        let to = iovec(bytes.as_mut_ptr(), count);
        vm(true, &to, pages.get(..count).unwrap_or_default(), count)
    }
}

fn iovec(at: *mut u8, len: usize) -> libc::iovec {
    libc::iovec { iov_base: at.cast(), iov_len: len }
}

/// What a call of the C library answered.
fn answer(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| {
        let error = std::io::Error::last_os_error();
        Errno::from_io_error(&error).unwrap_or(Errno::IO)
    })
}

/// Copies between memory that is there (`ours`) and memory that may not be (`theirs`), all of it
/// in this process.
fn vm(read: bool, ours: &libc::iovec, theirs: &[libc::iovec], len: usize) -> Result<(), Fault> {
    let count = theirs.len() as libc::c_ulong;
    // SAFETY: `ours` describes a slice of the caller's, written if `read`; the host checks `theirs`
    // and the caller of a raw call has said that it may be used.
    let done = unsafe {
        let pid = libc::getpid();
        if read {
            libc::process_vm_readv(pid, ours, 1, theirs.as_ptr(), count, 0)
        } else {
            libc::process_vm_writev(pid, ours, 1, theirs.as_ptr(), count, 0)
        }
    };
    match answer(done) {
        Ok(done) if done == len => Ok(()),
        // Where the call is forbidden, pointers are believed, as everywhere else in a program.
        Err(Errno::NOSYS | Errno::PERM) => {
            let mut at = ours.iov_base.cast::<u8>();
            for piece in theirs {
                let their = piece.iov_base.cast::<u8>();
                let (from, to) = if read { (their, at) } else { (at, their) };
                // SAFETY: as above, but that the caller of the raw call answers for `theirs`
                // alone. The pieces together are as long as `ours`.
                unsafe { std::ptr::copy(from, to, piece.iov_len) };
                at = at.wrapping_add(piece.iov_len);
            }
            Ok(())
        }
        _ => Err(Fault),
    }
}

/// The most pieces of a message: header and call, then a head and memory for each argument.
const PIECES: usize = 13;

/// A message that is sent from where its pieces are.
pub(crate) struct Message<'m> {
    pieces: [libc::iovec; PIECES],
    first: usize,
    count: usize,
    from: PhantomData<&'m [u8]>,
}

impl<'m> Message<'m> {
    /// Nothing.
    pub(crate) fn new() -> Self {
        let pieces = [iovec(std::ptr::null_mut(), 0); PIECES];
        Self { pieces, first: 0, count: 0, from: PhantomData }
    }

    fn push(&mut self, piece: libc::iovec) {
        if let Some(room) = self.pieces.get_mut(self.count) {
            *room = piece;
            self.count += 1;
        }
        debug_assert!(self.count <= PIECES, "a call has six arguments");
    }

    /// Appends bytes.
    pub(crate) fn bytes(&mut self, bytes: &'m [u8]) {
        self.push(iovec(bytes.as_ptr().cast_mut(), bytes.len()));
    }

    /// Appends memory.
    pub(crate) fn memory(
        &mut self,
        memory: &'m Memory<'_>,
        addr: u64,
        len: usize,
    ) -> Result<(), Fault> {
        self.push(iovec(memory.locate(addr, len, false)?, len));
        Ok(())
    }

    fn left(&self) -> &[libc::iovec] {
        self.pieces.get(self.first..self.count).unwrap_or_default()
    }

    /// How many bytes are left to be sent.
    pub(crate) fn len(&self) -> usize {
        self.left().iter().map(|piece| piece.iov_len).sum()
    }

    /// Sends some; says how much. What was sent is not left.
    pub(crate) fn send(&mut self, fd: BorrowedFd<'_>) -> Result<usize, Errno> {
        // SAFETY: all zeros is a header without anything.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_iov = self.left().as_ptr().cast_mut();
        header.msg_iovlen = self.left().len() as _;
        // SAFETY: the pieces are borrowed for `'m` or, of raw calls, checked by the host; none is
        // written.
        let sent = answer(unsafe { libc::sendmsg(fd.as_raw_fd(), &header, libc::MSG_NOSIGNAL) })?;
        let mut over = sent;
        while let Some(piece) = self.pieces.get_mut(self.first).filter(|_| over > 0) {
            let step = over.min(piece.iov_len);
            piece.iov_base = piece.iov_base.wrapping_byte_add(step);
            piece.iov_len -= step;
            over -= step;
            if piece.iov_len == 0 {
                self.first += 1;
            }
        }
        Ok(sent)
    }

    /// Appends all of it to `to`: for a stream that cannot be sent from where it is.
    pub(crate) fn copy_to(&self, to: &mut Vec<u8>, own: bool) -> Result<(), Fault> {
        for piece in self.left() {
            let start = to.len();
            to.resize(start + piece.iov_len, 0);
            let room = to.get_mut(start..).unwrap_or_default();
            if own {
                let ours = iovec(room.as_mut_ptr(), room.len());
                vm(true, &ours, std::slice::from_ref(piece), piece.iov_len)?;
            } else {
                // SAFETY: the piece is borrowed for `'m`, and the room is our own.
                unsafe {
                    std::ptr::copy(piece.iov_base.cast(), room.as_mut_ptr(), piece.iov_len);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_lent_is_used() {
        let (data, mut out) = (*b"data", [0; 8]);
        let end = out.as_ptr() as u64 + 8;
        let mut arguments = [Argument::In(&data), Argument::Value(7), Argument::Out(&mut out)];
        let (mut memory, values) = Memory::lend(&mut arguments);
        assert_eq!(values[1], 7);
        let mut got = [0; 4];
        memory.load(values[0], &mut got).unwrap();
        assert_eq!(got, data);
        assert_eq!(memory.load(values[2], &mut got), Err(Fault), "not to be read");
        assert_eq!(memory.store(values[0], b"x"), Err(Fault), "not to be written");
        assert_eq!(memory.store(end - 2, b"xyz"), Err(Fault), "beyond the end");
        assert_eq!(memory.load(u64::MAX, &mut got), Err(Fault));
        memory.store(end - 3, b"xyz").unwrap();
        assert_eq!(&out[5..], b"xyz");
    }

    #[test]
    fn a_bad_pointer_is_an_error() {
        // SAFETY: the addresses below are ours, or nobody's.
        let mut memory = unsafe { Memory::own() };
        let (mut word, mut got) = (7_u32, [0; 4]);
        let at = (&raw mut word).expose_provenance() as u64;
        memory.store(at, &9_u32.to_ne_bytes()).unwrap();
        memory.load(at, &mut got).unwrap();
        assert_eq!(u32::from_ne_bytes(got), 9);
        assert_eq!(memory.load(1, &mut got), Err(Fault));
        assert_eq!(memory.store(1, &got), Err(Fault));
        let ask = |addr, len| wire::Memory { addr, len, read: true, written: false };
        let much = vec![1_u8; 100_000];
        let at = much.as_ptr().expose_provenance() as u64;
        for len in [1, 2, 4096, 4097, 8192, 100_000] {
            assert_eq!(memory.check(&ask(at, len)), Ok(()), "{len}");
        }
        assert_eq!(memory.check(&ask(1, wire::MAX_TRANSFER)), Err(Fault));
    }
}

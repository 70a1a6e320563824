//! A call's memory and its value: what the server may touch, and what it answered.
//!
//! * [`areas`]: the memory that a call uses, by its description.  * [`read_value`]: an answer, off
//!   the stream.  * [`value_of`]: one that another thread has taken off it.
//!
//! An answer is checked against the call: memory that it does not write, or lengths that do not
//! add up, make no sense.
//!
//! Locking: none.

use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use wire::{Arg, Description, Return, SEGMENT_HEAD_LEN, Segment};

use crate::memory::{Fault, Memory};
use crate::stream::{Ended, Reader};

/// Why a call has no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failed {
    /// The kernel says so, or the host.
    Errno(i32),
    /// The connection has ended before the call was under way.
    Unsent,
    /// The connection has ended, and the call may have been made.
    Lost,
}

impl From<Errno> for Failed {
    fn from(e: Errno) -> Self {
        Failed::Errno(e.raw_os_error())
    }
}

impl From<Fault> for Failed {
    fn from(_: Fault) -> Self {
        Errno::FAULT.into()
    }
}

/// The memory that a call uses: six arguments at most.
pub(crate) struct Areas {
    all: [Option<wire::Memory>; 6],
    /// Whether there is an argument that only the server understands.
    pub(crate) opaque: bool,
}

impl Areas {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &wire::Memory> {
        self.all.iter().flatten()
    }

    /// All that a caller lends: for a call that nobody has described yet.
    pub(crate) fn lent(memory: &Memory<'_>) -> Areas {
        Areas { all: memory.pieces(), opaque: false }
    }

    /// Whether the server may write these bytes.
    pub(crate) fn may_write(&self, addr: u64, len: usize) -> bool {
        let within = |area: &wire::Memory| {
            let at = addr.checked_sub(area.addr).and_then(|at| usize::try_from(at).ok());
            area.written && at.and_then(|at| at.checked_add(len)).is_some_and(|n| n <= area.len)
        };
        self.opaque || self.iter().any(within)
    }

    /// Whether much memory is to come.
    pub(crate) fn expects_much(&self) -> bool {
        self.iter().any(|area| area.written && area.len > 4096)
    }
}

/// The memory that a call uses, if the program has it.
pub(crate) fn areas(
    call: &Description,
    args: &[u64; 6],
    memory: &Memory<'_>,
) -> Result<Areas, Failed> {
    let fault = std::cell::Cell::new(false);
    let load = |at| {
        let mut raw = [0; 4];
        fault.set(fault.get() || memory.load(at, &mut raw).is_err());
        u32::from_le_bytes(raw)
    };
    let mut all = [None; 6];
    for (room, area) in all.iter_mut().zip(wire::memory(&call.args, args, load)) {
        memory.check(&area)?;
        *room = Some(area);
    }
    if fault.get() {
        return Err(Fault.into());
    }
    Ok(Areas { all, opaque: call.args.contains(&Arg::Opaque) })
}

/// What a word says: a value, or one of the last 4095, which are negated error numbers.
fn value(word: u64) -> Result<u64, Failed> {
    match (word as i64).checked_neg() {
        Some(error @ 1..4096) => Err(Failed::Errno(error as i32)),
        _ => Ok(word),
    }
}

/// Takes a `Return` that was put down.
pub(crate) fn value_of(
    body: &[u8],
    memory: &mut Memory<'_>,
    areas: &Areas,
) -> Result<Result<u64, Failed>, Ended> {
    let (Return { word }, segments) = Return::parse(body)?;
    let mut stored = Ok(());
    for Segment { addr, data } in segments {
        if !areas.may_write(addr, data.len()) {
            return Err(Ended::Malformed);
        }
        stored = stored.and(memory.store(addr, data));
    }
    Ok(stored.map_err(Failed::from).and_then(|()| value(word)))
}

/// Takes a `Return` off the stream, its memory to where it belongs.
pub(crate) fn read_value(
    reader: &mut Reader,
    fd: BorrowedFd<'_>,
    len: usize,
    memory: &mut Memory<'_>,
    areas: &Areas,
    signal: &mut dyn FnMut(),
) -> Result<Result<u64, Failed>, Ended> {
    let mut left = len.checked_sub(Return::LEN).ok_or(Ended::Malformed)?;
    let raw = reader.take::<{ Return::LEN }>(fd, areas.expects_much(), signal)?;
    let mut raw = wire::Reader::new(&raw);
    let (word, segments) = (raw.u64()?, raw.u32()?);
    if segments > wire::MAX_SEGMENTS {
        return Err(Ended::Malformed);
    }
    let mut stored = Ok(());
    for _ in 0..segments {
        let raw = reader.take::<SEGMENT_HEAD_LEN>(fd, areas.expects_much(), signal)?;
        let mut raw = wire::Reader::new(&raw);
        let (addr, len) = (raw.u64()?, usize::try_from(raw.u64()?).unwrap_or(usize::MAX));
        let rest = left.checked_sub(SEGMENT_HEAD_LEN).and_then(|left| left.checked_sub(len));
        left = rest.ok_or(Ended::Malformed)?;
        if !areas.may_write(addr, len) {
            return Err(Ended::Malformed);
        }
        stored = stored.and(reader.store(fd, memory, addr, len, signal)?);
    }
    if left != 0 {
        return Err(Ended::Malformed);
    }
    Ok(stored.map_err(Failed::from).and_then(|()| value(word)))
}

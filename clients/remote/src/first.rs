//! Calls that go out together with the greeting, so that a program that wants one thing of a kernel
//! waits once for it.
//!
//! The server has not said yet which memory calls use, so it is what the caller lends that travels.
//! What depends on the answer of a call before has to be guessed: the first descriptor of a new
//! process is 0.
//!
//! Locking: none. Sources: PROTOCOL.md of `wire` (requests overlap; Hello comes first).

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use wire::{HEADER_LEN, Header, Kind, SEGMENT_HEAD_LEN, Segment, Syscall};

use crate::Argument;
use crate::answer::{Areas, Failed, read_value};
use crate::memory::Memory;
use crate::stream::{Ended, Reader};

/// The request of the first of them; that of the greeting is 1.
const REQUEST: u64 = 2;

/// A call that is made as soon as the client is welcomed.
pub struct First<'a, 'b> {
    number: u32,
    arguments: &'a mut [Argument<'b>],
    done: Option<io::Result<u64>>,
}

impl<'a, 'b> First<'a, 'b> {
    /// System call `number`; memory as with [`Client::call`](crate::Client::call).
    pub fn new(number: u32, arguments: &'a mut [Argument<'b>]) -> Self {
        Self { number, arguments, done: None }
    }

    /// What the kernel answered; `None` if the call was not made, because the process of the kernel
    /// was there before the program.
    pub fn result(&mut self) -> Option<io::Result<u64>> {
        self.done.take()
    }
}

/// Appends the calls' messages to what leaves first.
pub(crate) fn send(first: &mut [First<'_, '_>], out: &mut Vec<u8>) {
    for (request, call) in (REQUEST..).zip(first) {
        let (memory, args) = Memory::lend(call.arguments);
        let areas = Areas::lent(&memory);
        let (mut segments, mut body) = (0, Vec::new());
        for area in areas.iter().filter(|area| area.read) {
            body.extend(Segment::head(area.addr, area.len));
            let start = body.len();
            body.resize(start + area.len, 0);
            // What was lent is there.
            let _ = memory.load(area.addr, body.get_mut(start..).unwrap_or_default());
            segments += 1;
        }
        debug_assert!(body.len() >= segments * SEGMENT_HEAD_LEN);
        let len = Syscall::LEN + body.len();
        out.extend(Header::new(Kind::Syscall, request, len).to_bytes());
        out.extend(Syscall { number: call.number, args }.to_bytes(segments as u32));
        out.append(&mut body);
    }
}

/// Takes the answers off the stream; they come in the order of the calls, none of which waits.
pub(crate) fn receive(
    first: &mut [First<'_, '_>],
    fd: &OwnedFd,
    reader: &mut Reader,
) -> Result<(), Ended> {
    let signal = &mut || {};
    for (request, call) in (REQUEST..).zip(first) {
        let (mut memory, _) = Memory::lend(call.arguments);
        let areas = Areas::lent(&memory);
        let header = Header::parse(&reader.take::<HEADER_LEN>(fd.as_fd(), false, signal)?)?;
        if header.kind != Kind::Return || header.request != request {
            return Err(Ended::Malformed);
        }
        let len = header.body_len();
        let value = read_value(reader, fd.as_fd(), len, &mut memory, &areas, signal)?;
        call.done = Some(value.map_err(|failed| match failed {
            Failed::Errno(number) => io::Error::from_raw_os_error(number),
            Failed::Unsent | Failed::Lost => Errno::NOTCONN.into(),
        }));
    }
    Ok(())
}

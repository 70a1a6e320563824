//! The client's memory during a call: what came along with the request, and what goes back with
//! the answer.
//!
//! What a description cannot say is missing at first: the call then stops, the client is asked, and
//! the call is made again with what it sent. So nothing waits for the client while a thread does.
//!
//! Locking: none; a session's.

use base::Errno;
use base::syscall::SysMemory;
use wire::{Copyin, MAX_MESSAGE, MAX_SEGMENTS, MAX_TRANSFER, Out, Segment, Segments};

use crate::output::{Begun, Output};

/// Segments that one attempt may look at in vain. A call that is made again asks in the order in
/// which it asked before, and finds each at once; a client that sends them in another order must
/// not keep the server searching.
const LOOKS: u32 = 8 * MAX_SEGMENTS;

pub(crate) struct Memory<'a> {
    /// What the client has sent.
    given: Segments<'a>,
    /// From where on it is searched: the last segment that was of use.
    next: Segments<'a>,
    /// How many more segments may be looked at in vain.
    looks: u32,
    /// Whether the client may be asked for more.
    may_ask: bool,
    /// What it must be asked for.
    wanted: Option<Copyin>,
    output: &'a mut Output,
    answer: Begun,
    /// How many segments the answer has.
    segments: u32,
}

impl<'a> Memory<'a> {
    pub(crate) fn new(
        given: Segments<'a>,
        may_ask: bool,
        output: &'a mut Output,
        answer: Begun,
    ) -> Self {
        Self {
            given,
            next: given,
            looks: LOOKS,
            may_ask,
            wanted: None,
            output,
            answer,
            segments: 0,
        }
    }

    /// What the client has sent of its memory at `addr`.
    fn find(&mut self, addr: u64, len: usize) -> Result<Option<&'a [u8]>, Errno> {
        for start in [self.next, self.given] {
            let (mut at, mut rest) = (start, start);
            while let Some(segment) = rest.next() {
                if let Some(data) = part(&segment, addr, len) {
                    self.next = at;
                    return Ok(Some(data));
                }
                self.looks = self.looks.checked_sub(1).ok_or(Errno::TooBig)?;
                at = rest;
            }
        }
        Ok(None)
    }

    /// What the client must be asked for before the call can be made, and how many segments the
    /// answer has got.
    pub(crate) fn into_parts(self) -> (Option<Copyin>, u32) {
        (self.wanted, self.segments)
    }
}

/// Pieces of an answer beside its data, and their bytes: addresses, lengths, control data.
const REMARKS: usize = 8;
const REMARK_BYTES: usize = 512;

/// What of `segment` is at `addr`.
fn part<'s>(segment: &Segment<'s>, addr: u64, len: usize) -> Option<&'s [u8]> {
    let start = usize::try_from(addr.checked_sub(segment.addr)?).ok()?;
    segment.data.get(start..start.checked_add(len)?)
}

impl SysMemory for Memory<'_> {
    fn copyin(&mut self, from: u64, to: &mut [u8]) -> Result<(), Errno> {
        if to.is_empty() {
            return Ok(());
        }
        if let Some(data) = self.find(from, to.len())? {
            to.copy_from_slice(data);
            return Ok(());
        }
        if from == 0 || !self.may_ask || to.len() > MAX_TRANSFER {
            return Err(Errno::BadAddress);
        }
        self.wanted = Some(Copyin { addr: from, len: to.len() });
        Err(Errno::Restart)
    }

    fn copyout(&mut self, from: &[u8], to: u64) -> Result<(), Errno> {
        if from.is_empty() {
            return Ok(());
        }
        if to == 0 {
            return Err(Errno::BadAddress);
        }
        let len = self.output.len_of(self.answer) + wire::SEGMENT_HEAD_LEN + from.len();
        if self.segments >= MAX_SEGMENTS || len > MAX_MESSAGE {
            return Err(Errno::TooBig);
        }
        self.output.put(&Segment::head(to, from.len()))?;
        self.output.put(from)?;
        self.segments += 1;
        Ok(())
    }

    fn reserve(&mut self, bytes: usize, pieces: usize) -> Result<(), Errno> {
        // And what says where from, and how it came.
        let heads = (pieces + REMARKS) * wire::SEGMENT_HEAD_LEN + REMARK_BYTES;
        Ok(self.output.reserve(bytes.saturating_add(heads))?)
    }
}

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

pub(crate) struct Memory<'a> {
    /// What the client has sent.
    given: Segments<'a>,
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
        Self { given, may_ask, wanted: None, output, answer, segments: 0 }
    }

    /// What the client must be asked for before the call can be made, and how many segments the
    /// answer has got.
    pub(crate) fn into_parts(self) -> (Option<Copyin>, u32) {
        (self.wanted, self.segments)
    }
}

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
        if let Some(data) = self.given.clone().find_map(|s| part(&s, from, to.len())) {
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
}

//! A system call under way: made, parked, asking for memory, answered.
//!
//! Locking: none; a session's.

use base::file::Request;
use base::syscall::{self, Arg};
use base::vm::kmem;
use base::{Cx, Errno, KArc, KBox, KVec, Lwp, NoMemory};
use wire::{Copyin, Kind, MAX_TRANSFER, Return, SEGMENT_HEAD_LEN, Segment, Segments, Syscall};

use crate::memory::Memory;
use crate::notice::Notice;
use crate::output::Output;

/// What a call waits in the name of, for as long as it waits. Used again by later calls.
pub(crate) struct Waiting {
    request: Option<KBox<Request>>,
    notice: KArc<Notice>,
}

impl Waiting {
    pub(crate) fn new(cx: &Cx<'_>, notice: KArc<Notice>) -> Result<Self, NoMemory> {
        Ok(Self { request: Some(Request::new(cx, notice.clone())?), notice })
    }

    /// As if it were new.
    pub(crate) fn renew(&mut self, cx: &Cx<'_>) {
        if let Some(r) = &mut self.request {
            r.renew(cx);
        }
        self.notice.take();
    }
}

/// A call that could not be answered at once.
pub(crate) struct Call {
    pub(crate) request: u64,
    call: Syscall,
    waiting: Waiting,
    /// What the client sent along, and what it sent when it was asked: segments.
    memory: KVec<u8>,
    segments: u32,
    /// What the client has been asked for.
    asked: Option<Copyin>,
    /// The client has none there: it is not asked again.
    refused: bool,
    /// It was told, when its session could not make it again.
    is_late: bool,
}

/// The most memory of the client's that one call may keep.
const MAX_KEPT: usize = MAX_TRANSFER + (64 << 10);

/// How an attempt went.
enum Attempt {
    Answered,
    Parked,
    Asks(Copyin),
}

/// Whether a call has an argument that no description fits.
fn may_ask(cx: &Cx<'_>, number: u32) -> bool {
    syscall::describe(cx, number).is_some_and(|s| s.args.contains(&Arg::Opaque))
}

/// One attempt; an answer goes to `output`.
fn attempt(
    l: &mut Lwp<'_>,
    request: u64,
    call: &Syscall,
    given: Segments<'_>,
    may_ask: bool,
    waiting: &mut Waiting,
    output: &mut Output,
) -> Result<Attempt, NoMemory> {
    let answer = output.begin(Return::LEN)?;
    let mut memory = Memory::new(given, may_ask, output, answer);
    let word = l.attempt(&mut waiting.request, call.number, &call.args, &mut memory);
    let (wanted, segments) = memory.into_parts();
    let Some(word) = word else {
        output.abandon(answer);
        return Ok(match wanted {
            Some(what) => Attempt::Asks(what),
            None => Attempt::Parked,
        });
    };
    output.end(answer, Kind::Return, request, &Return { word }.to_bytes(segments));
    Ok(Attempt::Answered)
}

/// Answers a call with an error.
pub(crate) fn fail(output: &mut Output, request: u64, error: Errno) -> Result<(), NoMemory> {
    let word = syscall::encode(Err(error));
    let answer = output.begin(Return::LEN)?;
    output.end(answer, Kind::Return, request, &Return { word }.to_bytes(0));
    Ok(())
}

fn ask(output: &mut Output, request: u64, what: Copyin) -> Result<(), NoMemory> {
    let begun = output.begin(Copyin::LEN)?;
    output.end(begun, Kind::Copyin, request, &what.to_bytes());
    Ok(())
}

/// Makes a call for the first time. One that could not be answered is given back, to be kept;
/// `spare` is taken for it.
pub(crate) fn make(
    l: &mut Lwp<'_>,
    request: u64,
    call: Syscall,
    given: Segments<'_>,
    spare: &mut Option<Waiting>,
    output: &mut Output,
) -> Result<Option<KBox<Call>>, NoMemory> {
    let Some(waiting) = spare else { return Err(NoMemory) };
    let asks = may_ask(l, call.number);
    let asked = match attempt(l, request, &call, given, asks, waiting, output)? {
        Attempt::Answered => {
            waiting.renew(l);
            return Ok(None);
        }
        Attempt::Parked => None,
        Attempt::Asks(what) => Some(what),
    };
    match keep(l, request, call, given, asked, spare) {
        Ok(kept) => {
            if let Some(what) = asked {
                ask(output, request, what)?;
            }
            Ok(Some(kept))
        }
        Err(NoMemory) => {
            if let Some(waiting) = spare {
                waiting.renew(l);
            }
            fail(output, request, Errno::NoMemory)?;
            Ok(None)
        }
    }
}

fn keep(
    cx: &Cx<'_>,
    request: u64,
    call: Syscall,
    given: Segments<'_>,
    asked: Option<Copyin>,
    spare: &mut Option<Waiting>,
) -> Result<KBox<Call>, NoMemory> {
    let mut memory = KVec::new(cx);
    memory.extend_from_slice(given.as_bytes())?;
    let Some(waiting) = spare else { return Err(NoMemory) };
    let segments = given.left();
    // What waits moves in last, so that it is not lost if there is no memory for the call.
    let place = Waiting { request: None, notice: waiting.notice.clone() };
    let call = Call {
        request,
        call,
        waiting: place,
        memory,
        segments,
        asked,
        refused: false,
        is_late: false,
    };
    let mut kept = kmem::boxed(cx, call)?;
    kept.waiting.request = waiting.request.take();
    *spare = None;
    Ok(kept)
}

impl Call {
    /// Whether it was told that it can be made again.
    pub(crate) fn is_due(&mut self) -> bool {
        let was_told = self.waiting.notice.take();
        core::mem::take(&mut self.is_late) || was_told
    }

    /// The session cannot make calls again now: what this one was told of may be another's.
    pub(crate) fn put_off(&mut self, cx: &Cx<'_>) {
        if self.waiting.notice.take() {
            self.is_late = true;
            if let Some(request) = &self.waiting.request {
                request.hand_on(cx);
            }
        }
    }

    /// Bytes of the client's that it keeps.
    pub(crate) fn kept(&self) -> usize {
        self.memory.len()
    }

    /// Makes the call again; whether it has been answered.
    pub(crate) fn again(&mut self, l: &mut Lwp<'_>, output: &mut Output) -> Result<bool, NoMemory> {
        let Ok(given) = Segments::new(self.segments, &self.memory) else {
            fail(output, self.request, Errno::Io)?;
            return Ok(true);
        };
        let asks = !self.refused && may_ask(l, self.call.number);
        let waiting = &mut self.waiting;
        match attempt(l, self.request, &self.call, given, asks, waiting, output)? {
            Attempt::Answered => Ok(true),
            Attempt::Parked => Ok(false),
            Attempt::Asks(what) => {
                self.asked = Some(what);
                ask(output, self.request, what)?;
                Ok(false)
            }
        }
    }

    /// The client's answer to a question; false if there was none, or it is not what was asked for.
    pub(crate) fn copied(&mut self, data: Result<&[u8], Errno>) -> Result<bool, NoMemory> {
        let Some(asked) = self.asked.take() else { return Ok(false) };
        let Ok(data) = data else {
            self.refused = true;
            return Ok(true);
        };
        if data.len() != asked.len {
            return Ok(false);
        }
        if self.memory.len() + SEGMENT_HEAD_LEN + data.len() > MAX_KEPT {
            return Err(NoMemory);
        }
        self.memory.extend_from_slice(&Segment::head(asked.addr, data.len()))?;
        self.memory.extend_from_slice(data)?;
        self.segments += 1;
        Ok(true)
    }

    /// Ends the call now: with what there is, or EINTR.
    pub(crate) fn cancel(&mut self, l: &mut Lwp<'_>, output: &mut Output) -> Result<(), NoMemory> {
        if let (Some(r), None) = (&mut self.waiting.request, self.asked) {
            r.interrupt();
            if self.again(l, output)? {
                return Ok(());
            }
        }
        fail(output, self.request, Errno::Interrupted)
    }

    /// Lets go of what it waits for.
    pub(crate) fn let_go(&mut self, cx: &Cx<'_>) -> Waiting {
        self.waiting.renew(cx);
        Waiting { request: self.waiting.request.take(), notice: self.waiting.notice.clone() }
    }
}

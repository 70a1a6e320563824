//! What a session has inside the kernel: bytes on their way in and out, and calls under way.
//!
//! A message that there is no memory for is passed over, and its call answered with ENOMEM: the client
//! goes on. Where there is no room for an answer, because the client does not read those that it has,
//! requests are kept until there is. So no more is read than could be kept ([`State::room`]), and what
//! cannot be read waits outside.
//!
//! Locking: one thread at a time drives a session; it takes the state out of the kernel's table and
//! puts it back ([`Sessions::with`]). `Rank::Proto` for the table.

use alloc::sync::Arc;

use base::lock::{IntrMutex, Rank};
use base::proc::Name;
use base::vm::kmem;
use base::{Cx, Errno, KBox, KVec, Lwp, NoMemory};
use wire::{
    Cookie, HEADER_LEN, Header, Hello, How, Kind, MAX_HELLO, MAX_REQUESTS, Malformed, Reader,
    Refused, Return, Syscall,
};

use crate::call::{self, Call, Waiting};
use crate::notice::{Notice, Wake};
use crate::output::{KEPT, Output, Transport};
use crate::session::{Ended, Trust};

/// The most memory of the client's that calls under way may keep, in bytes.
const MAX_KEPT: usize = 8 << 20;

/// Bytes of messages that a session can always keep: a call that sends little memory along, or any
/// message that is none.
const LEAST: usize = MAX_HELLO;

/// The most that is taken in at once.
const CHUNK: usize = 64 << 10;

/// Calls of somebody that may wait: what happens wakes all that wait for it.
const MAX_OF_NOBODY: usize = 128;

pub(crate) struct State {
    token: u64,
    /// Calls that may wait.
    most: usize,
    wake: Arc<dyn Wake>,
    /// The beginning of a message, or messages that were not looked at yet.
    input: KVec<u8>,
    output: Output,
    calls: KVec<KBox<Call>>,
    /// Calls are due that there was no room to answer for.
    is_behind: bool,
    /// Requests wait for room to answer them.
    is_stalled: bool,
    /// Bytes of a message that are still to be passed over.
    skip: usize,
    /// For the next call that waits.
    spare: Option<Waiting>,
}

/// What a session cannot do from inside: it needs another process than the one that is inside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outside {
    Prefork(u64),
    Unfork(Cookie),
    /// The request, and the new program.
    Exec(u64, Name),
}

impl State {
    pub(crate) fn new(
        cx: &Cx<'_>,
        token: u64,
        wake: Arc<dyn Wake>,
        trust: Trust,
    ) -> Result<Self, NoMemory> {
        let most = if trust == Trust::Owner { MAX_REQUESTS } else { MAX_OF_NOBODY };
        Ok(Self {
            token,
            most,
            wake,
            input: empty_input(cx)?,
            output: Output::new(cx)?,
            calls: KVec::new(cx),
            is_behind: false,
            is_stalled: false,
            skip: 0,
            spare: None,
        })
    }

    pub(crate) fn output(&mut self) -> &mut Output {
        &mut self.output
    }

    /// Whether answers wait to be sent, or requests for room for theirs.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty() || self.is_stalled
    }

    /// Whether requests are to be read.
    pub(crate) fn wants_input(&self) -> bool {
        !self.output.is_full() && !self.is_stalled
    }

    /// How many bytes of requests may be taken in: no more than can be kept if they cannot be answered. 0:
    /// none now.
    pub(crate) fn room(&mut self, l: &mut Lwp<'_>) -> Result<usize, Ended> {
        if !self.wants_input() {
            return Ok(0);
        }
        let left = self.input.account().left() / 8;
        let often = [CHUNK, KEPT].into_iter().find(|n| *n as u64 <= left);
        let mut room = often.unwrap_or(0).max(self.input.capacity() - self.input.len());
        if room == 0 {
            // The rest of a message that there is no memory for.
            if !self.output.has_room() {
                self.is_stalled = true;
                return Ok(0);
            }
            self.pass_over(l, &[])?;
            room = self.input.capacity();
        }
        Ok(room.saturating_add(self.skip).min(CHUNK))
    }

    /// Takes messages in, and answers them as far as they can be answered now.
    pub(crate) fn input(
        &mut self,
        l: &mut Lwp<'_>,
        bytes: &mut &[u8],
        transport: &mut dyn Transport,
    ) -> Result<Option<Outside>, Ended> {
        let outside = self.take_messages(l, bytes, transport);
        if self.input.is_empty() && self.input.capacity() > KEPT {
            // Later, if there is not even memory for less.
            if let Ok(less) = empty_input(l) {
                self.input = less;
            }
        }
        self.output.flush(l, transport);
        if core::mem::take(&mut self.is_behind) {
            self.resume(l, transport)?;
        }
        outside
    }

    fn take_messages(
        &mut self,
        l: &mut Lwp<'_>,
        bytes: &mut &[u8],
        transport: &mut dyn Transport,
    ) -> Result<Option<Outside>, Ended> {
        self.is_stalled = false;
        // Memory to keep them with is there before any of them is looked at.
        let mut spare = KVec::new(l);
        let most = bytes.len().saturating_sub(self.skip);
        if self.input.is_empty() && most > self.input.capacity() {
            let _ = spare.reserve(most);
        } else {
            let _ = self.input.reserve(most);
        }
        loop {
            let passed = self.skip.min(bytes.len());
            *bytes = bytes.get(passed..).unwrap_or_default();
            self.skip -= passed;
            if self.skip > 0 {
                return Ok(None);
            }
            if !self.make_room(l, transport)? {
                self.is_stalled = true;
                let (kept, bytes) = (self.input.len(), core::mem::take(bytes));
                if self.input.capacity() - kept < bytes.len()
                    && spare.capacity() >= kept + bytes.len()
                {
                    spare.extend_from_slice(&self.input)?;
                    self.input = spare;
                }
                self.input.extend_from_slice(bytes)?;
                return Ok(None);
            }
            let outside = if self.input.is_empty() {
                let Some(Message { header, body, rest }) = split(bytes)? else {
                    if self.input.extend_from_slice(bytes).is_err() {
                        self.pass_over(l, bytes)?;
                        continue;
                    }
                    *bytes = &[];
                    return Ok(None);
                };
                *bytes = rest;
                self.message(l, header, body)?
            } else {
                match self.complete(bytes) {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(Ended::NoMemory) => {
                        self.pass_over(l, bytes)?;
                        continue;
                    }
                    Err(ended) => return Err(ended),
                }
                let input = core::mem::replace(&mut self.input, KVec::new(l));
                let (outside, used) = match split(&input)? {
                    Some(m) => (self.message(l, m.header, m.body)?, m.header.len),
                    None => (None, 0),
                };
                self.input = input;
                self.input.drain(..used as usize);
                outside
            };
            if outside.is_some() {
                return Ok(outside);
            }
        }
    }

    /// Sees to it that an answer finds room; false if it has to wait until the client has read others.
    fn make_room(&mut self, cx: &Cx<'_>, transport: &mut dyn Transport) -> Result<bool, NoMemory> {
        if self.output.has_room() {
            return Ok(true);
        }
        self.output.flush(cx, transport);
        match self.output.has_room() {
            false if self.output.is_empty() => Err(NoMemory),
            has_room => Ok(has_room),
        }
    }

    /// Passes over the message whose beginning is in `input`, or else in `bytes`: there is no memory
    /// for the rest. What it asked for ends so.
    fn pass_over(&mut self, l: &mut Lwp<'_>, bytes: &[u8]) -> Result<(), Ended> {
        let raw = self.input.first_chunk().or(bytes.first_chunk()).ok_or(NoMemory)?;
        let header = Header::parse(raw)?;
        self.skip = (header.len as usize).saturating_sub(self.input.len());
        self.input.clear();
        match header.kind {
            Kind::Syscall => call::fail(&mut self.output, header.request, Errno::NoMemory)?,
            Kind::Copied => {
                if let Some(at) = self.find(header.request) {
                    call::fail(&mut self.output, header.request, Errno::NoMemory)?;
                    self.done(l, at);
                }
            }
            // The others fit into what a session always has.
            _ => return Err(Ended::NoMemory),
        }
        Ok(())
    }

    /// Adds to the message that was begun; whether it is whole.
    fn complete(&mut self, bytes: &mut &[u8]) -> Result<bool, Ended> {
        self.fill(HEADER_LEN, bytes)?;
        let Some(raw) = self.input.first_chunk() else { return Ok(false) };
        let whole = Header::parse(raw)?.len as usize;
        self.fill(whole, bytes)?;
        Ok(self.input.len() >= whole)
    }

    /// Moves as many of `bytes` as are missing to `len`.
    fn fill(&mut self, len: usize, bytes: &mut &[u8]) -> Result<(), NoMemory> {
        let missing = len.saturating_sub(self.input.len()).min(bytes.len());
        let (now, later) = bytes.split_at(missing);
        self.input.extend_from_slice(now)?;
        *bytes = later;
        Ok(())
    }

    fn message(
        &mut self,
        l: &mut Lwp<'_>,
        header: Header,
        body: &[u8],
    ) -> Result<Option<Outside>, Ended> {
        match header.kind {
            Kind::Syscall => self.syscall(l, header.request, body)?,
            Kind::Copied => self.copied(l, header.request, body)?,
            Kind::Cancel => {
                Reader::new(body).end()?;
                self.cancel(l, header.request)?;
            }
            Kind::Prefork => {
                Reader::new(body).end()?;
                return Ok(Some(Outside::Prefork(header.request)));
            }
            Kind::Unfork => {
                let mut r = Reader::new(body);
                let cookie = r.bytes()?;
                r.end()?;
                return Ok(Some(Outside::Unfork(cookie)));
            }
            Kind::Hello => {
                let hello = Hello::parse(body)?;
                match hello.how {
                    How::Exec => {
                        let name = Name::new(hello.name);
                        return Ok(Some(Outside::Exec(header.request, name)));
                    }
                    How::Guest | How::Fork(_) => return Err(Malformed.into()),
                }
            }
            Kind::Welcome | Kind::Refused | Kind::Return | Kind::Copyin | Kind::Cookie => {
                return Err(Malformed.into());
            }
        }
        Ok(None)
    }

    fn find(&self, request: u64) -> Option<usize> {
        self.calls.iter().position(|c| c.request == request)
    }

    /// Bytes of the client's that calls keep.
    fn kept(&self) -> usize {
        self.calls.iter().map(|c| c.kept()).sum()
    }

    fn syscall(&mut self, l: &mut Lwp<'_>, request: u64, body: &[u8]) -> Result<(), Ended> {
        let (call, given) = Syscall::parse(body)?;
        if self.find(request).is_some() || self.calls.len() >= MAX_REQUESTS {
            return Err(Malformed.into());
        }
        if self.kept() > MAX_KEPT {
            return Ok(call::fail(&mut self.output, request, Errno::NoBuffers)?);
        }
        if self.calls.len() >= self.most {
            return Ok(call::fail(&mut self.output, request, Errno::WouldBlock)?);
        }
        if self.prepare(l).is_err() {
            return Ok(call::fail(&mut self.output, request, Errno::NoMemory)?);
        }
        let made = call::make(l, request, call, given, &mut self.spare, &mut self.output)?;
        if let Some(kept) = made {
            // Cannot fail: `prepare` made room.
            self.calls.push(kept)?;
        }
        Ok(())
    }

    /// What a call needs if it is to wait.
    fn prepare(&mut self, cx: &Cx<'_>) -> Result<(), NoMemory> {
        self.calls.reserve(1)?;
        if self.spare.is_none() {
            let notice = kmem::arc(cx, Notice::new(self.wake.clone(), self.token))?;
            self.spare = Some(Waiting::new(cx, notice)?);
        }
        Ok(())
    }

    /// Call `at` has been answered.
    fn done(&mut self, cx: &Cx<'_>, at: usize) {
        let mut call = self.calls.swap_remove(at);
        let waiting = call.let_go(cx);
        self.spare.get_or_insert(waiting);
    }

    fn again(&mut self, l: &mut Lwp<'_>, at: usize) -> Result<(), Ended> {
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        if call.again(l, &mut self.output)? {
            self.done(l, at);
        }
        Ok(())
    }

    fn copied(&mut self, l: &mut Lwp<'_>, request: u64, body: &[u8]) -> Result<(), Ended> {
        let copied = wire::Copied::parse(body)?;
        let data = if copied.error == 0 { Ok(copied.data) } else { Err(Errno::BadAddress) };
        // The call may have been cancelled meanwhile.
        let Some(at) = self.find(request) else { return Ok(()) };
        if self.kept() > MAX_KEPT {
            call::fail(&mut self.output, request, Errno::NoBuffers)?;
            self.done(l, at);
            return Ok(());
        }
        let Some(call) = self.calls.get_mut(at) else { return Ok(()) };
        match call.copied(data) {
            Ok(true) => self.again(l, at),
            Ok(false) => Err(Malformed.into()),
            Err(NoMemory) => {
                call::fail(&mut self.output, request, Errno::NoMemory)?;
                self.done(l, at);
                Ok(())
            }
        }
    }

    fn cancel(&mut self, l: &mut Lwp<'_>, request: u64) -> Result<(), Ended> {
        // It may have been answered meanwhile.
        let Some(at) = self.find(request) else { return Ok(()) };
        if let Some(call) = self.calls.get_mut(at) {
            call.cancel(l, &mut self.output)?;
        }
        self.done(l, at);
        Ok(())
    }

    /// Makes those calls again that were told.
    pub(crate) fn resume(
        &mut self,
        l: &mut Lwp<'_>,
        transport: &mut dyn Transport,
    ) -> Result<(), Ended> {
        let mut at = 0;
        while at < self.calls.len() {
            if !self.make_room(l, transport)? {
                self.is_behind = true;
                self.calls.iter_mut().for_each(|call| call.put_off(l));
                return Ok(());
            }
            let before = self.calls.len();
            if self.calls.get_mut(at).is_some_and(|call| call.is_due()) {
                self.again(l, at)?;
            }
            // One that is done leaves its place to another.
            at += usize::from(self.calls.len() == before);
        }
        self.output.flush(l, transport);
        Ok(())
    }

    /// Another program takes the process over: its calls end, and so do the descriptors that are
    /// marked so. `welcome`: how long what it is told will be. Without memory for that nothing happens,
    /// and it is refused.
    pub(crate) fn exec(
        &mut self,
        l: &mut Lwp<'_>,
        request: u64,
        welcome: usize,
    ) -> Result<bool, NoMemory> {
        let answers = self.calls.len() * (HEADER_LEN + Return::LEN);
        if self.output.make_room(answers + HEADER_LEN + welcome).is_err() {
            self.refuse(request, Errno::NoMemory, NO_MEMORY)?;
            return Ok(false);
        }
        // Nobody is left who would take what they have found.
        while let Some(request) = self.calls.first().map(|c| c.request) {
            call::fail(&mut self.output, request, Errno::Interrupted)?;
            self.done(l, 0);
        }
        l.proc().fds().exec(l);
        Ok(true)
    }

    /// Refuses a request that is none of a call's.
    pub(crate) fn refuse(
        &mut self,
        request: u64,
        error: Errno,
        reason: &str,
    ) -> Result<(), NoMemory> {
        let refused = Refused { error: error.number().unsigned_abs(), reason };
        self.output.message(Kind::Refused, request, |out| refused.write(out))
    }

    /// Lets go of everything.
    pub(crate) fn end(&mut self, cx: &Cx<'_>) {
        while let Some(mut call) = self.calls.pop() {
            call.let_go(cx);
        }
    }
}

/// Why a program does not get the process.
const NO_MEMORY: &str = "the kernel has no memory for this client";

/// Room for messages that cannot be answered at once, which a session always has.
fn empty_input(cx: &Cx<'_>) -> Result<KVec<u8>, NoMemory> {
    let mut input = KVec::new(cx);
    input.reserve(LEAST)?;
    Ok(input)
}

struct Message<'a> {
    header: Header,
    body: &'a [u8],
    /// What follows it.
    rest: &'a [u8],
}

/// The first message of `bytes`, if it is whole.
fn split(bytes: &[u8]) -> Result<Option<Message<'_>>, Malformed> {
    let Some((raw, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else { return Ok(None) };
    let header = Header::parse(raw)?;
    let message = rest.split_at_checked(header.body_len());
    Ok(message.map(|(body, rest)| Message { header, body, rest }))
}

/// The states of a kernel's sessions.
pub(crate) struct Sessions(IntrMutex<KVec<Place>>);

enum Place {
    Free,
    /// Somebody drives it.
    Taken,
    Here(KBox<State>),
}

/// A session's place in its kernel's table.
pub(crate) type Key = usize;

impl Sessions {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        Self(IntrMutex::new(cx, Rank::Proto, KVec::new(cx)))
    }

    pub(crate) fn add(&self, cx: &Cx<'_>, state: State) -> Result<Key, NoMemory> {
        let state = kmem::boxed(cx, state)?;
        let mut places = self.0.lock(cx);
        if let Some(at) = places.iter().position(|p| matches!(p, Place::Free)) {
            places[at] = Place::Here(state);
            return Ok(at);
        }
        places.push(Place::Here(state))?;
        Ok(places.len() - 1)
    }

    fn swap(&self, cx: &Cx<'_>, key: Key, new: Place) -> Place {
        let mut places = self.0.lock(cx);
        places.get_mut(key).map_or(Place::Free, |place| core::mem::replace(place, new))
    }

    /// Runs `f` with a session's state; `None` if it has none any more.
    pub(crate) fn with<'k, R>(
        &self,
        l: &mut Lwp<'k>,
        key: Key,
        f: impl FnOnce(&mut Lwp<'k>, &mut State) -> R,
    ) -> Option<R> {
        let Place::Here(mut state) = self.swap(l, key, Place::Taken) else { return None };
        let result = f(l, &mut state);
        self.swap(l, key, Place::Here(state));
        Some(result)
    }

    /// Ends a session's state.
    pub(crate) fn remove(&self, cx: &Cx<'_>, key: Key) {
        if let Place::Here(mut state) = self.swap(cx, key, Place::Free) {
            state.end(cx);
        }
    }

    /// Ends all of them.
    pub(crate) fn clear(&self, cx: &Cx<'_>) {
        let count = self.0.lock(cx).len();
        (0..count).for_each(|key| self.remove(cx, key));
    }
}

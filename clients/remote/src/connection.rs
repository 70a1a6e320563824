//! A connection to a server, which is a process of its kernel: calls over it, from any thread.
//!
//! * [`Connection::open`]: the handshake.  * [`Connection::call`]: a system call, with the memory
//!   that its description names.  * [`Connection::ask`]: another request.
//!
//! A call of a thread that is alone is one `sendmsg` and one `recv`.
//!
//! What a server sends is checked against what was asked: an answer to nothing, memory that the
//! call does not write, or lengths that do not add up end the connection.
//!
//! Locking: `requests` for a few instructions; `writer` for a message; `reader` belongs to the
//! thread that leads. Whoever leads never waits for `writer`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex;
use wire::{
    Arg, Copied, Copyin, Description, HEADER_LEN, Header, Kind, MAX_MESSAGE, Return,
    SEGMENT_HEAD_LEN, Segment, Syscall,
};

use crate::fork;
use crate::memory::{Fault, Memory, Message};
use crate::requests::{NoTicket, Requests, Ticket, Turn};
use crate::stream::{Ended, Reader, Unsent, Writer, hang_up};

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

/// A connection.
pub(crate) struct Connection {
    fd: OwnedFd,
    /// Told apart from those before it.
    pub(crate) generation: u64,
    /// The process.
    pub(crate) pid: u32,
    /// The kernel's name.
    pub(crate) kernel: String,
    /// How often this process and its parents had forked.
    forks: u32,
    /// Whether it is authenticated.
    pub(crate) sealed: bool,
    calls: Vec<Description>,
    requests: Mutex<Requests>,
    writer: Mutex<Writer>,
    reader: Mutex<Reader>,
    /// Requests to cancel, when somebody has the writer; and whether there are any.
    cancels: Mutex<Vec<u64>>,
    cancels_wait: AtomicBool,
    /// A request has ended while new ones are refused.
    finished: Condvar,
}

/// How often requests that do not end are told to.
const AGAIN: Duration = Duration::from_millis(10);

/// A panic of ours leaves nothing half done that another thread could stumble over.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Parts of a connection that has been welcomed.
pub(crate) struct Welcomed {
    pub(crate) fd: OwnedFd,
    pub(crate) pid: u32,
    pub(crate) kernel: String,
    pub(crate) calls: Vec<Description>,
    pub(crate) writer: Writer,
    pub(crate) reader: Reader,
    pub(crate) sealed: bool,
}

/// The memory that a call uses: six arguments at most.
struct Areas {
    all: [Option<wire::Memory>; 6],
    opaque: bool,
}

impl Areas {
    fn iter(&self) -> impl Iterator<Item = &wire::Memory> {
        self.all.iter().flatten()
    }

    /// Whether the server may write these bytes.
    fn may_write(&self, addr: u64, len: usize) -> bool {
        let within = |area: &wire::Memory| {
            let at = addr.checked_sub(area.addr).and_then(|at| usize::try_from(at).ok());
            area.written && at.and_then(|at| at.checked_add(len)).is_some_and(|n| n <= area.len)
        };
        self.opaque || self.iter().any(within)
    }

    /// Whether much memory is to come.
    fn expects_much(&self) -> bool {
        self.iter().any(|area| area.written && area.len > 4096)
    }
}

/// What the leader brought home.
enum Led {
    Value(Result<u64, Failed>),
    Copyin(Copyin),
    Other(Kind, Vec<u8>),
}

impl Connection {
    pub(crate) fn new(welcomed: Welcomed, generation: u64) -> Self {
        Self {
            fd: welcomed.fd,
            generation,
            pid: welcomed.pid,
            kernel: welcomed.kernel,
            forks: fork::count(),
            sealed: welcomed.sealed,
            calls: welcomed.calls,
            requests: Mutex::default(),
            writer: Mutex::new(welcomed.writer),
            reader: Mutex::new(welcomed.reader),
            cancels: Mutex::default(),
            cancels_wait: AtomicBool::new(false),
            finished: Condvar::new(),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Whether it is of no use any more.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_parents() || lock(&self.requests).has_ended()
    }

    /// Whether this is a child that was forked without a word: the connection is its parent's, and
    /// is not touched.
    pub(crate) fn is_parents(&self) -> bool {
        self.forks != fork::count()
    }

    fn begin(&self) -> Result<Ticket, Failed> {
        if self.is_parents() {
            return Err(Failed::Unsent);
        }
        lock(&self.requests).begin(std::thread::current().id()).map_err(|none| match none {
            NoTicket::Ended => Failed::Unsent,
            NoTicket::Busy => Errno::AGAIN.into(),
        })
    }

    /// Makes a system call.
    pub(crate) fn call(
        &self,
        number: u32,
        args: [u64; 6],
        memory: &mut Memory<'_>,
        own: bool,
    ) -> Result<u64, Failed> {
        let at = self.calls.binary_search_by_key(&number, |call| call.number);
        let call = at.ok().and_then(|at| self.calls.get(at)).ok_or(Errno::NOSYS)?;
        let areas = areas(call, &args, memory)?;
        let ticket = self.begin()?;
        let done = self
            .send_call(&ticket, number, args, memory, &areas, own)
            .and_then(|()| self.wait_for_value(&ticket, memory, &areas, own));
        self.finish(&ticket);
        done
    }

    fn send_call(
        &self,
        ticket: &Ticket,
        number: u32,
        args: [u64; 6],
        memory: &Memory<'_>,
        areas: &Areas,
        own: bool,
    ) -> Result<(), Failed> {
        let (mut heads, mut segments, mut body) = ([[0; SEGMENT_HEAD_LEN]; 6], 0, Syscall::LEN);
        let read = || areas.iter().filter(|area| area.read);
        for (head, area) in heads.iter_mut().zip(read()) {
            *head = Segment::head(area.addr, area.len);
            segments += 1;
            body += SEGMENT_HEAD_LEN + area.len;
        }
        if HEADER_LEN + body > MAX_MESSAGE {
            return Err(Errno::MSGSIZE.into());
        }
        let mut start = [0; HEADER_LEN + Syscall::LEN];
        let (header, call) = start.split_at_mut(HEADER_LEN);
        header.copy_from_slice(&Header::new(Kind::Syscall, ticket.number, body).to_bytes());
        call.copy_from_slice(&Syscall { number, args }.to_bytes(segments));
        let mut message = Message::new();
        message.bytes(&start);
        for (head, area) in heads.iter().zip(read()) {
            message.bytes(head);
            message.memory(memory, area.addr, area.len)?;
        }
        self.send(&mut message, own)
    }

    /// Sends a message.
    fn send(&self, message: &mut Message<'_>, own: bool) -> Result<(), Failed> {
        let sent = lock(&self.writer).send(self.fd(), message, own);
        if self.cancels_wait.load(Ordering::SeqCst) {
            self.send_cancels();
        }
        sent.map_err(|unsent| match unsent {
            Unsent::Interrupted => Errno::INTR.into(),
            Unsent::Fault => Errno::FAULT.into(),
            Unsent::Ended => {
                self.end();
                Failed::Unsent
            }
        })
    }

    /// Ends requests: all that `numbers` has.
    pub(crate) fn cancel(&self, numbers: &[u64]) {
        if numbers.is_empty() {
            return;
        }
        lock(&self.cancels).extend_from_slice(numbers);
        self.cancels_wait.store(true, Ordering::SeqCst);
        self.send_cancels();
    }

    /// Sends what is to be cancelled, unless somebody has the writer, who then does it afterwards.
    fn send_cancels(&self) {
        while self.cancels_wait.load(Ordering::SeqCst) {
            let mut writer = match self.writer.try_lock() {
                Ok(writer) => writer,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            self.cancels_wait.store(false, Ordering::SeqCst);
            for number in std::mem::take(&mut *lock(&self.cancels)) {
                let header = Header::new(Kind::Cancel, number, 0).to_bytes();
                let unsent = || {
                    let mut message = Message::new();
                    message.bytes(&header);
                    writer.send(self.fd(), &mut message, false) == Err(Unsent::Interrupted)
                };
                retry_while(unsent);
            }
        }
    }

    /// The requests under way that `thread` waits for.
    pub(crate) fn under_way(&self, thread: Option<std::thread::ThreadId>) -> Vec<u64> {
        lock(&self.requests).of_thread(thread)
    }

    /// Refuses new requests, or takes them again.
    pub(crate) fn set_closing(&self, closing: bool) {
        lock(&self.requests).closing = closing;
    }

    /// Refuses new requests, ends those under way and waits until they have ended.
    pub(crate) fn finish_all(&self) {
        self.set_closing(true);
        loop {
            let numbers = self.under_way(None);
            if numbers.is_empty() {
                return;
            }
            self.cancel(&numbers);
            // One that was about to be sent was not reached: it is asked again.
            let requests = lock(&self.requests);
            drop(self.finished.wait_timeout(requests, AGAIN));
        }
    }

    fn finish(&self, ticket: &Ticket) {
        let mut requests = lock(&self.requests);
        requests.finish(ticket);
        if requests.closing {
            self.finished.notify_all();
        }
    }

    /// The connection has ended, and everybody who waits is told.
    fn end(&self) {
        hang_up(self.fd());
        lock(&self.requests).end();
    }

    /// Waits for something to happen to a request; `signal`: what to do when a signal came.
    fn turn(&self, ticket: &Ticket, cancelled: &mut bool) -> Turn {
        loop {
            let turn = lock(&self.requests).turn(ticket);
            let Turn::Wait(word) = turn else { return turn };
            if futex::wait(&ticket.word, futex::Flags::PRIVATE, word, None) == Err(Errno::INTR) {
                self.cancel_once(ticket, cancelled);
            }
        }
    }

    fn cancel_once(&self, ticket: &Ticket, cancelled: &mut bool) {
        if !std::mem::replace(cancelled, true) {
            self.cancel(&[ticket.number]);
        }
    }

    fn wait_for_value(
        &self,
        ticket: &Ticket,
        memory: &mut Memory<'_>,
        areas: &Areas,
        own: bool,
    ) -> Result<u64, Failed> {
        let mut cancelled = false;
        loop {
            let copyin = match self.turn(ticket, &mut cancelled) {
                Turn::Lead => {
                    let led = self.lead(ticket, &mut cancelled, Some((&mut *memory, areas)));
                    match led.map_err(|_| Failed::Lost)? {
                        Led::Value(value) => return value,
                        Led::Copyin(copyin) => copyin,
                        Led::Other(..) => return self.nonsense(),
                    }
                }
                Turn::Copyin(copyin) => copyin,
                Turn::Answer(Kind::Return, body) => {
                    let value = value_of(&body, memory, areas);
                    lock(&self.requests).recycle(ticket, body);
                    return value.or_else(|_| self.nonsense())?;
                }
                Turn::Answer(..) => return self.nonsense(),
                Turn::Ended | Turn::Wait(_) => return Err(Failed::Lost),
            };
            if !areas.opaque {
                return self.nonsense();
            }
            self.send_copied(ticket, copyin, memory, own)?;
        }
    }

    fn nonsense<T>(&self) -> Result<T, Failed> {
        self.end();
        Err(Failed::Lost)
    }

    fn send_copied(
        &self,
        ticket: &Ticket,
        copyin: Copyin,
        memory: &Memory<'_>,
        own: bool,
    ) -> Result<(), Failed> {
        let Copyin { addr, len } = copyin;
        let there = memory.check(&wire::Memory { addr, len, read: true, written: false });
        let (error, len) = match there {
            Ok(()) => (0, len),
            Err(Fault) => (Errno::FAULT.raw_os_error().unsigned_abs(), 0),
        };
        let mut start = Vec::with_capacity(HEADER_LEN + 8);
        start.extend(Header::new(Kind::Copied, ticket.number, 8 + len).to_bytes());
        let Ok(()) = Copied { error, data: &[] }.write(&mut start);
        loop {
            let mut message = Message::new();
            message.bytes(&start);
            message.memory(memory, addr, len)?;
            match self.send(&mut message, own) {
                // The call is under way: it has to be told.
                Err(Failed::Errno(e)) if e == Errno::INTR.raw_os_error() => {}
                // Another thread of the program took the memory away in between.
                Err(Failed::Errno(_)) => return self.nonsense(),
                Err(_) => return Err(Failed::Lost),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Reads for all until something for `ticket` has come, and lets another one lead.
    fn lead(
        &self,
        ticket: &Ticket,
        cancelled: &mut bool,
        call: Option<(&mut Memory<'_>, &Areas)>,
    ) -> Result<Led, Ended> {
        let mut reader = lock(&self.reader);
        let led = self.read_for_all(&mut reader, ticket, cancelled, call);
        drop(reader);
        match &led {
            Ok(_) => lock(&self.requests).step_down(),
            Err(_) => self.end(),
        }
        led
    }

    fn read_for_all(
        &self,
        reader: &mut Reader,
        ticket: &Ticket,
        cancelled: &mut bool,
        mut call: Option<(&mut Memory<'_>, &Areas)>,
    ) -> Result<Led, Ended> {
        let fd = self.fd();
        let signal = &mut || self.cancel_once(ticket, cancelled);
        let much = call.as_ref().is_some_and(|(_, areas)| areas.expects_much());
        loop {
            let header = Header::parse(&reader.take(fd, much, signal)?)?;
            let len = header.body_len();
            if header.request != ticket.number {
                let body = lock(&self.requests).expect(header.request);
                let mut body = body.ok_or(Ended::Malformed)?;
                reader.take_to(fd, len, &mut body, signal)?;
                lock(&self.requests).deliver(header.request, header.kind, body)?;
                continue;
            }
            return match (header.kind, &mut call) {
                (Kind::Return, Some((memory, areas))) => {
                    read_value(reader, fd, len, memory, areas, signal).map(Led::Value)
                }
                (Kind::Copyin, Some(_)) if len == Copyin::LEN => {
                    let body = reader.take::<{ Copyin::LEN }>(fd, false, signal)?;
                    Ok(Led::Copyin(Copyin::parse(&body)?))
                }
                (kind, None) => {
                    let mut body = Vec::new();
                    reader.take_to(fd, len, &mut body, signal)?;
                    Ok(Led::Other(kind, body))
                }
                _ => Err(Ended::Malformed),
            };
        }
    }

    /// Sends a request that is no system call, and waits for its answer.
    pub(crate) fn ask(&self, kind: Kind) -> Result<(Kind, Vec<u8>), Failed> {
        let ticket = self.begin()?;
        let done = self.ask_with(&ticket, kind);
        self.finish(&ticket);
        done
    }

    fn ask_with(&self, ticket: &Ticket, kind: Kind) -> Result<(Kind, Vec<u8>), Failed> {
        self.tell(kind, ticket.number, &[])?;
        // There is nothing to be interrupted in what is not a call.
        let mut cancelled = true;
        match self.turn(ticket, &mut cancelled) {
            Turn::Lead => match self.lead(ticket, &mut cancelled, None) {
                Ok(Led::Other(kind, body)) => Ok((kind, body)),
                Ok(_) => self.nonsense(),
                Err(_) => Err(Failed::Lost),
            },
            Turn::Answer(kind, body) => Ok((kind, body)),
            Turn::Copyin(_) => self.nonsense(),
            Turn::Ended | Turn::Wait(_) => Err(Failed::Lost),
        }
    }

    /// Sends a message; there may be no answer.
    pub(crate) fn tell(&self, kind: Kind, request: u64, body: &[u8]) -> Result<(), Failed> {
        if self.has_ended() {
            return Err(Failed::Unsent);
        }
        let header = Header::new(kind, request, body.len()).to_bytes();
        let mut message = Message::new();
        message.bytes(&header);
        message.bytes(body);
        self.send(&mut message, false)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("pid", &self.pid).finish_non_exhaustive()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn retry_while(mut f: impl FnMut() -> bool) {
    while f() {}
}

/// The memory that a call uses, if the program has it.
fn areas(call: &Description, args: &[u64; 6], memory: &Memory<'_>) -> Result<Areas, Failed> {
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
fn value_of(
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
fn read_value(
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

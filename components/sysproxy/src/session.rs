//! One client: a connection outside, a process inside.
//!
//! Locking: one thread at a time has a session. Sources: the book, section 3.12.

use alloc::sync::Arc;
use core::fmt;

use base::proc::Name;
use base::{BoundLwp, Cred, Errno, Gone, Lwp, NoMemory, Rfork, random};
use wire::{
    COOKIE_LEN, Descriptions, HEADER_LEN, Header, Hello, How, Kind, MAX_HELLO, Malformed, Refused,
    VERSION, Welcome,
};

use crate::component::SYSPROXY;
use crate::output::Transport;
use crate::service::{Service, describe_all};
use crate::state::{Key, Outside, State};

/// Who a client is to the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trust {
    /// The kernel's owner: its root.
    Owner,
    /// Somebody: its nobody.
    Nobody,
}

/// The user and the group of those who are nobody.
const NOBODY: u32 = 65534;

/// Why a session is over. The connection should be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// The client sent a message that makes no sense.
    Malformed,
    /// The client was refused; the reason has been sent.
    Refused,
    /// There is no memory to answer with.
    NoMemory,
    /// The kernel is gone.
    Gone,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ended::Malformed => "the client sent a message that makes no sense",
            Ended::Refused => "the client was refused",
            Ended::NoMemory => "the kernel's memory limit is reached",
            Ended::Gone => "the kernel is gone",
        })
    }
}

impl core::error::Error for Ended {}

impl From<Malformed> for Ended {
    fn from(_: Malformed) -> Self {
        Ended::Malformed
    }
}

impl From<NoMemory> for Ended {
    fn from(_: NoMemory) -> Self {
        Ended::NoMemory
    }
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Ended::Gone
    }
}

/// A client of a kernel. Dropped, its process ends: calls under way are over, descriptors closed.
pub struct Session {
    service: Arc<Service>,
    trust: Trust,
    token: u64,
    phase: Phase,
}

enum Phase {
    /// Its first message has not come yet: so much of it has.
    New {
        hello: [u8; MAX_HELLO],
        len: usize,
    },
    Open(Process),
    Over,
}

/// A session's process.
struct Process {
    lwp: BoundLwp,
    key: Key,
    trust: Trust,
}

impl Trust {
    /// Runs `f` so that the client is charged for the memory that it takes.
    fn charged<'k, R>(self, l: &mut Lwp<'k>, f: impl FnOnce(&mut Lwp<'k>) -> R) -> R {
        match self {
            Trust::Owner => f(l),
            Trust::Nobody => {
                let account = &l.get(&SYSPROXY).nobodies;
                l.charged_to(account, f)
            }
        }
    }
}

impl Session {
    /// A client that has connected. `token` is what [`Wake::wake`](crate::Wake::wake) calls it by.
    pub fn new(service: &Arc<Service>, trust: Trust, token: u64) -> Session {
        let phase = Phase::New { hello: [0; MAX_HELLO], len: 0 };
        Session { service: service.clone(), trust, token, phase }
    }

    /// Takes in what the client has sent, all of it: no more than [`Session::room`] said, or it may be too
    /// much to be kept. Answers go to `transport`.
    pub fn input(&mut self, mut bytes: &[u8], transport: &mut dyn Transport) -> Result<(), Ended> {
        let ended = self.take_in(&mut bytes, transport);
        if ended.is_err() {
            self.phase = Phase::Over;
        }
        ended
    }

    fn take_in(&mut self, bytes: &mut &[u8], transport: &mut dyn Transport) -> Result<(), Ended> {
        if let Phase::New { hello, len } = &mut self.phase {
            let Some((header, body)) = first(hello, len, bytes)? else { return Ok(()) };
            let process = self.service.welcome(header, body, self.trust, self.token, transport)?;
            self.phase = Phase::Open(process);
        }
        let Phase::Open(process) = &mut self.phase else { return Err(Ended::Gone) };
        while let Some(outside) = process.inside(|l, s| s.input(l, bytes, transport))? {
            match outside {
                Outside::Prefork(request) => {
                    self.service.prefork(process, request, self.token, self.trust)?;
                }
                Outside::Unfork(cookie) => self.service.forks.cancel(self.token, &cookie),
                Outside::Exec(request, name) => {
                    let pid = process.lwp.pid();
                    process.inside(|l, s| {
                        let mut welcome = Length(0);
                        write_welcome(l, pid, &mut welcome)?;
                        if s.exec(l, request, welcome.0)? {
                            l.proc().set_name(l, name);
                            greet(l, s, request, pid)?;
                        }
                        Ok(())
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Makes calls again that waited.
    pub fn resume(&mut self, transport: &mut dyn Transport) -> Result<(), Ended> {
        self.with_state(|l, s| s.resume(l, transport))
    }

    /// The transport takes bytes again: sends what waits, and goes on with requests that waited for
    /// that.
    pub fn flush(&mut self, transport: &mut dyn Transport) -> Result<(), Ended> {
        self.with_state(|l, s| {
            s.output().flush(l, transport);
            Ok(())
        })?;
        self.input(&[], transport)
    }

    /// How many bytes from the client [`Session::input`] is to be given at most: no more than the session
    /// could keep if there were no room for its answers. 0: none before the next [`Session::flush`].
    pub fn room(&mut self) -> Result<usize, Ended> {
        match &mut self.phase {
            Phase::New { len, .. } => Ok(MAX_HELLO - *len),
            Phase::Open(process) => process.inside(|l, s| s.room(l)),
            Phase::Over => Err(Ended::Gone),
        }
    }

    /// Whether the client has not been welcomed yet.
    pub fn is_new(&self) -> bool {
        matches!(self.phase, Phase::New { .. })
    }

    /// Whether more is to be read from the client: not while it does not read its answers.
    pub fn wants_input(&mut self) -> bool {
        let mut wants = true;
        let _ = self.with_state(|_, s| {
            wants = s.wants_input();
            Ok(())
        });
        wants
    }

    /// Whether answers wait to be sent: then [`Session::flush`] is due once they can be.
    pub fn has_output(&mut self) -> bool {
        let mut has = false;
        let _ = self.with_state(|_, s| {
            has = s.has_output();
            Ok(())
        });
        has
    }

    fn with_state(
        &mut self,
        f: impl FnOnce(&mut Lwp<'_>, &mut State) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        match &mut self.phase {
            Phase::Open(process) => process.inside(f),
            Phase::New { .. } => Ok(()),
            Phase::Over => Err(Ended::Gone),
        }
    }
}

/// The first message, put together from pieces; what comes behind it stays in `bytes`.
fn first<'a>(
    hello: &'a mut [u8; MAX_HELLO],
    len: &mut usize,
    bytes: &mut &[u8],
) -> Result<Option<(Header, &'a [u8])>, Ended> {
    let mut whole = HEADER_LEN;
    loop {
        let n = whole.saturating_sub(*len).min(bytes.len());
        let (now, later) = bytes.split_at(n);
        let place = hello.get_mut(*len..).unwrap_or_default();
        place.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
        *len += n;
        *bytes = later;
        if *len < whole {
            return Ok(None);
        }
        let header = Header::parse(hello.first_chunk().ok_or(Malformed)?)?;
        if header.kind != Kind::Hello || header.len as usize > MAX_HELLO {
            return Err(Ended::Malformed);
        }
        if whole == header.len as usize {
            return Ok(Some((header, hello.get(HEADER_LEN..whole).unwrap_or_default())));
        }
        whole = header.len as usize;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.service.forks.are_there()
            && let Ok(now) = self.service.kernel.enter(|l| l.now())
        {
            self.service.forks.orphan(self.token, now);
        }
    }
}

impl Process {
    fn inside<R>(
        &mut self,
        f: impl FnOnce(&mut Lwp<'_>, &mut State) -> Result<R, Ended>,
    ) -> Result<R, Ended> {
        let (key, trust) = (self.key, self.trust);
        let visit =
            self.lwp.enter(|l| trust.charged(l, |l| l.get(&SYSPROXY).sessions.with(l, key, f)));
        visit?.ok_or(Ended::Gone)?
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let key = self.key;
        // After the kernel's end there is nothing left to end.
        let _ = self.lwp.enter(|l| l.get(&SYSPROXY).sessions.remove(l, key));
    }
}

impl Service {
    /// Lets a client in, or tells it why not.
    fn welcome(
        &self,
        header: Header,
        body: &[u8],
        trust: Trust,
        token: u64,
        transport: &mut dyn Transport,
    ) -> Result<Process, Ended> {
        let hello = Hello::parse(body)?;
        let mut lwp = match self.process(&hello, trust) {
            Ok(mut lwp) => {
                lwp.enter(|l| l.proc().set_name(l, Name::new(hello.name)))?;
                lwp
            }
            Err((error, reason)) => {
                refuse(transport, header.request, error, reason);
                return Err(Ended::Refused);
            }
        };
        let pid = lwp.pid();
        let key = lwp.enter(|l| {
            trust.charged(l, |l| {
                let mut state = State::new(l, token, self.wake.clone(), trust)?;
                greet(l, &mut state, header.request, pid)?;
                l.get(&SYSPROXY).sessions.add(l, state)
            })
        });
        match key? {
            Ok(key) => Ok(Process { lwp, key, trust }),
            Err(NoMemory) => {
                let reason = "the kernel has no memory for this client";
                refuse(transport, header.request, Errno::NoMemory, reason);
                Err(Ended::Refused)
            }
        }
    }

    /// The process that a client is to be.
    fn process(&self, hello: &Hello<'_>, trust: Trust) -> Result<BoundLwp, (Errno, &'static str)> {
        if hello.version != VERSION {
            return Err((Errno::NoProtocol, "this server speaks version 1 of the protocol"));
        }
        let no_process = |e: Errno| (e, "the kernel has no process for this client");
        match hello.how {
            How::Guest => {
                let forked = self.kernel.enter(|l| trust.charged(l, |l| l.rfork(Rfork::ClearFds)));
                let forked = forked.map_err(|gone| no_process(gone.into()))?;
                let mut lwp = forked.map_err(no_process)?;
                if trust == Trust::Nobody {
                    let nobody = Cred { uid: NOBODY, gid: NOBODY, ..Cred::root() };
                    let set = lwp.enter(|l| l.proc().set_cred(l, nobody));
                    set.map_err(|gone| no_process(gone.into()))?;
                }
                Ok(lwp)
            }
            How::Fork(cookie) => {
                let now = self.kernel.enter(|l| l.now()).map_err(|g| no_process(g.into()))?;
                let forked = self.forks.take(&cookie, now);
                forked.ok_or((Errno::NoProcess, "no process waits under this cookie"))
            }
            How::Exec => Err((Errno::Invalid, "only a client that was welcomed can say exec")),
        }
    }

    /// Prepares a copy of a process for a child of the client's.
    fn prefork(
        &self,
        process: &mut Process,
        request: u64,
        token: u64,
        trust: Trust,
    ) -> Result<(), Ended> {
        let child = process.lwp.enter(|l| trust.charged(l, |l| l.rfork(Rfork::CopyFds)))?;
        let cookie = process.lwp.enter(|l| {
            let mut cookie = [0; COOKIE_LEN];
            random::fill(l, &mut cookie);
            (cookie, l.now())
        });
        let (cookie, now) = cookie?;
        let kept = child.and_then(|child| {
            let added = self.forks.add(token, trust, cookie, child, now);
            added.map_err(|_| Errno::WouldBlock)
        });
        process.inside(|_, s| {
            Ok(match kept {
                Ok(()) => {
                    s.output().message(Kind::Cookie, request, |out| wire::Out::put(out, &cookie))
                }
                Err(Errno::WouldBlock) => {
                    s.refuse(request, Errno::WouldBlock, "too many children are awaited already")
                }
                Err(e) => s.refuse(request, e, "the kernel has no process for a child"),
            }?)
        })
    }
}

fn greet(l: &Lwp<'_>, state: &mut State, request: u64, pid: u32) -> Result<(), NoMemory> {
    state.output().message(Kind::Welcome, request, |out| write_welcome(l, pid, out))
}

fn write_welcome(
    l: &Lwp<'_>,
    pid: u32,
    out: &mut impl wire::Out<Error = NoMemory>,
) -> Result<(), NoMemory> {
    let calls = Descriptions::default();
    let welcome = Welcome { version: VERSION, pid, kernel: l.kernel_name(), calls };
    welcome.write(out)?;
    describe_all(l, out)
}

/// How long a message would be.
struct Length(usize);

impl wire::Out for Length {
    type Error = NoMemory;

    fn put(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        self.0 += bytes.len();
        Ok(())
    }
}

/// Refuses a client that has no process: nothing of the kernel's is spent on it.
fn refuse(transport: &mut dyn Transport, request: u64, error: Errno, reason: &str) {
    let mut message = smallvec::SmallVec::<[u8; 128]>::from_slice(&[0; HEADER_LEN]);
    let refused = Refused { error: error.number().unsigned_abs(), reason };
    let Ok(()) = refused.write(&mut Small(&mut message));
    let body = message.len().saturating_sub(HEADER_LEN);
    let header = Header::new(Kind::Refused, request, body).to_bytes();
    message.iter_mut().zip(header).for_each(|(to, from)| *to = from);
    // A new connection has room for it, or its client does not care.
    transport.send(&message);
}

struct Small<'a>(&'a mut smallvec::SmallVec<[u8; 128]>);

impl wire::Out for Small<'_> {
    type Error = core::convert::Infallible;

    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

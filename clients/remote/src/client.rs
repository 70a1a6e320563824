//! A client: a process of a kernel that is elsewhere.
//!
//! * [`Client::connect`], [`Client::from_env`], or [`Client::builder`] for the rest.
//! * [`Client::call`]: a system call whose memory is lent.  * [`Client::syscall_raw`]: one with
//!   pointers, as C programs have them.
//!
//! Calls of several threads overlap. A signal that comes while a call waits cancels it: it then
//! answers what the kernel says, usually EINTR. Signals whose handlers were installed with
//! SA_RESTART cancel nothing. A server that has stopped says nothing, so that a cancelled call, too,
//! waits until it goes on or dies: nobody else knows whether the call was made.
//!
//! When the server is gone, the [`Retry`] policy says what happens. A call that may have been made
//! is never made again: it fails with ENOTCONN (or the program exits, with [`Retry::Die`]), and the
//! next one reconnects. After that the client is a new process; sockets of the old one fail with
//! ENOTCONN.
//!
//! Locking: `current` for a clone; `reconnecting` around the attempts of whoever noticed first.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec};
use rustix::io::Errno;
use transport::Url;
use wire::How;

use crate::answer::Failed;
use crate::connection::{Connection, Welcomed, lock};
use crate::memory::Memory;
use crate::retry::{Attempts, Step};
use crate::{Error, First, Retry, exec, fork, handshake};

/// An argument of a call.
#[derive(Debug)]
pub enum Argument<'a> {
    /// A number.
    Value(u64),
    /// Memory that the call reads.
    In(&'a [u8]),
    /// Memory that the call writes.
    Out(&'a mut [u8]),
    /// Memory that the call reads and writes.
    InOut(&'a mut [u8]),
    /// No memory.
    Null,
}

/// A process of a kernel that is elsewhere. Clones are the same process, and so are all threads.
/// It ends with its last clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) url: Url,
    pub(crate) name: String,
    pub(crate) retry: Mutex<Retry>,
    timeout: Duration,
    pub(crate) current: Mutex<Arc<Connection>>,
    pub(crate) reconnecting: Mutex<()>,
}

/// How to connect.
#[derive(Clone, Debug)]
pub struct Builder {
    name: Option<String>,
    retry: Retry,
    timeout: Duration,
}

impl Builder {
    /// The program's name, for the kernel. Without one, that of this program.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What to do when the server is gone later. [`Retry::Once`] if nothing is said.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// How long connecting may take, the handshake included: 10 seconds if nothing is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Connects.
    pub fn connect(self, url: &Url) -> Result<Client, Error> {
        let (name, deadline) = (self.program(), Instant::now() + self.timeout);
        let welcomed = handshake::connect(url, How::Guest, &name, deadline, &mut [])?;
        Ok(self.client(url.absolute(), name, welcomed))
    }

    /// The same, and makes calls in the same round trip, none of which may wait.
    pub fn connect_and_call(self, url: &Url, first: &mut [First<'_, '_>]) -> Result<Client, Error> {
        let (name, deadline) = (self.program(), Instant::now() + self.timeout);
        let welcomed = handshake::connect(url, How::Guest, &name, deadline, first)?;
        Ok(self.client(url.absolute(), name, welcomed))
    }

    /// Connects to the server that the environment names (`RUMP_SERVER`). In a program that a
    /// client has been replaced by (exec), the connection is taken over.
    pub fn from_env(self) -> Result<Client, Error> {
        let (name, deadline) = (self.program(), Instant::now() + self.timeout);
        match exec::inherited()? {
            Some((fd, url)) => {
                let welcomed = handshake::greet(fd, None, How::Exec, &name, deadline, &mut [])?;
                Ok(self.client(url, name, welcomed))
            }
            None => self.connect(&exec::url_of_environment()?),
        }
    }

    /// The same, and makes calls in the same round trip, none of which may wait. If a connection was
    /// taken over, they are not made.
    pub fn from_env_and_call(self, first: &mut [First<'_, '_>]) -> Result<Client, Error> {
        if exec::is_inherited() {
            return self.from_env();
        }
        self.connect_and_call(&exec::url_of_environment()?, first)
    }

    fn program(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let path = std::env::args_os().next().unwrap_or_default();
            let name = std::path::Path::new(&path).file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        })
    }

    fn client(self, url: Url, name: String, welcomed: Welcomed) -> Client {
        fork::watch();
        let current = Mutex::new(Arc::new(Connection::new(welcomed, 1)));
        let (retry, timeout) = (Mutex::new(self.retry), self.timeout);
        let reconnecting = Mutex::default();
        let shared = Shared { url, name, retry, timeout, current, reconnecting };
        Client { shared: Arc::new(shared) }
    }
}

impl Client {
    /// To connect in another way than [`Client::connect`] does.
    pub fn builder() -> Builder {
        Builder { name: None, retry: Retry::default(), timeout: Duration::from_secs(10) }
    }

    /// Connects to the server at `url`.
    pub fn connect(url: &str) -> Result<Client, Error> {
        Self::builder().connect(&Url::parse(url)?)
    }

    /// Connects to the server that the environment names (`RUMP_SERVER`).
    pub fn from_env() -> Result<Client, Error> {
        Self::builder().from_env()
    }

    /// The process in the kernel.
    pub fn pid(&self) -> u32 {
        self.connection().pid
    }

    /// The kernel's name.
    pub fn kernel(&self) -> String {
        self.connection().kernel.clone()
    }

    /// Where the server is; a path is absolute.
    pub fn url(&self) -> &Url {
        &self.shared.url
    }

    /// Changes what happens when the server is gone.
    pub fn set_retry(&self, retry: Retry) {
        *lock(&self.shared.retry) = retry;
    }

    /// Makes system call `number`. What it reads and writes has to lie within what the arguments
    /// lend; else it fails with EFAULT and is not made. Memory that the call does not write is
    /// left as it was.
    pub fn call(&self, number: u32, arguments: &mut [Argument<'_>]) -> io::Result<u64> {
        self.call_of(None, number, arguments)
    }

    /// The same, on descriptors of process number `generation`: fails if that is gone.
    pub(crate) fn call_of(
        &self,
        generation: Option<u64>,
        number: u32,
        arguments: &mut [Argument<'_>],
    ) -> io::Result<u64> {
        self.call_told(generation, number, arguments).map(|(value, _)| value)
    }

    /// The same, and says which process made the call.
    pub(crate) fn call_told(
        &self,
        generation: Option<u64>,
        number: u32,
        arguments: &mut [Argument<'_>],
    ) -> io::Result<(u64, u64)> {
        let (mut memory, values) = Memory::lend(arguments);
        self.with(generation, |to| {
            Ok((to.call(number, values, &mut memory, false)?, to.generation))
        })
    }

    /// Makes system call `number`, with pointers. A bad pointer is EFAULT.
    ///
    /// # Safety
    ///
    /// The memory that the arguments point to, by the kernel's description of the call, may be
    /// read and written while it lasts. Of a call with an opaque argument (a structure with
    /// pointers in it, as of sendmsg) the server names the memory: it has to be trusted with all
    /// of the program's.
    pub unsafe fn syscall_raw(&self, number: u32, args: [u64; 6]) -> io::Result<u64> {
        // SAFETY: the caller says what is needed.
        let mut memory = unsafe { Memory::own() };
        self.with(None, |to| to.call(number, args, &mut memory, true))
    }

    pub(crate) fn connection(&self) -> Arc<Connection> {
        lock(&self.shared.current).clone()
    }

    /// Asks the server something; reconnects first, if there is need and the policy says so.
    pub(crate) fn with<R>(
        &self,
        generation: Option<u64>,
        mut ask: impl FnMut(&Connection) -> Result<R, Failed>,
    ) -> io::Result<R> {
        let mut reconnected = false;
        loop {
            let connection = self.connection();
            if generation.is_some_and(|generation| generation != connection.generation) {
                return Err(Errno::NOTCONN.into());
            }
            match ask(&connection) {
                Ok(answer) => return Ok(answer),
                Err(Failed::Errno(e)) => return Err(io::Error::from_raw_os_error(e)),
                Err(Failed::Lost) if self.retry() == Retry::Die => std::process::exit(1),
                Err(Failed::Lost) => return Err(Errno::NOTCONN.into()),
                // A server that welcomes and dies, again and again, is given up too.
                Err(Failed::Unsent) if reconnected && self.retry() == Retry::Once => {
                    return Err(Errno::NOTCONN.into());
                }
                Err(Failed::Unsent) => self.reconnect(&connection)?,
            }
            reconnected = true;
        }
    }

    fn retry(&self) -> Retry {
        *lock(&self.shared.retry)
    }

    /// Replaces a connection that has ended, unless somebody has done so.
    fn reconnect(&self, ended: &Arc<Connection>) -> io::Result<()> {
        let shared = &self.shared;
        let _one = lock(&shared.reconnecting);
        if !Arc::ptr_eq(&self.connection(), ended) {
            return Ok(());
        }
        let mut attempts = Attempts::new(self.retry(), Instant::now());
        loop {
            let (line, step) = attempts.next(Instant::now());
            line.into_iter().for_each(tell);
            match step {
                Step::Try(pause) => wait(pause)?,
                Step::GiveUp => return Err(Errno::NOTCONN.into()),
                Step::Die => std::process::exit(1),
            }
            let deadline = attempts.deadline(Instant::now() + shared.timeout);
            let attempt = {
                let first = &mut [];
                handshake::connect(&shared.url, How::Guest, &shared.name, deadline, first)
            };
            if let Ok(welcomed) = attempt {
                attempts.succeeded().into_iter().for_each(tell);
                let before = self.replace(welcomed, false);
                return if before.is_parents() { fork::let_go(&before) } else { Ok(()) };
            }
        }
    }

    /// Goes on over another connection; answers the one before. `same`: as a copy of the process,
    /// whose descriptors mean what they meant.
    pub(crate) fn replace(&self, welcomed: Welcomed, same: bool) -> Arc<Connection> {
        let mut current = lock(&self.shared.current);
        let generation = current.generation + u64::from(!same);
        let new = Arc::new(Connection::new(welcomed, generation));
        std::mem::replace(&mut *current, new)
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.shared.timeout
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (url, pid) = (&self.shared.url, self.pid());
        f.debug_struct("Client").field("url", url).field("pid", &pid).finish_non_exhaustive()
    }
}

fn tell(line: &str) {
    eprintln!("{line}");
}

/// Waits; a signal ends it.
fn wait(pause: Duration) -> io::Result<()> {
    if pause.is_zero() {
        return Ok(());
    }
    let none: &mut [PollFd<'_>] = &mut [];
    let pause = Timespec { tv_sec: pause.as_secs() as _, tv_nsec: pause.subsec_nanos().into() };
    rustix::event::poll(none, Some(&pause))?;
    Ok(())
}

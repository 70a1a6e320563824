//! Fork: the child is a copy of the client's process, with its descriptors.
//!
//! The kernel copies the process first, under a cookie; the child then connects anew and says the
//! cookie. Parent and child never share a connection.
//!
//! A child that was forked without a word does not touch its parent's connection: it is a new client
//! from its first call on, if the policy lets it reconnect.
//!
//! * [`Client::fork`] does all of it.  * [`Client::prefork`], [`Client::fork_init`] and
//!   [`Client::fork_cancel`] are its parts, for programs that fork in ways of their own.
//!
//! Locking: the client's three locks are held across fork, so that the child has them free.
//! Sources: the book, section 3.12 (fork); PROTOCOL.md of `wire`.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use wire::{COOKIE_LEN, How, Kind, Refused};

use crate::connection::{Connection, lock};
use crate::{Client, Error, handshake};

/// What a child says to become the copy of its parent's process. It is good for a minute.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(wire::Cookie);

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cookie(..)")
    }
}

/// Which one a program is after [`Client::fork`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fork {
    /// The parent: the host's process number of the child.
    Parent(u32),
    /// The child, connected.
    Child,
}

/// Lets a parent's connection go. A thread of the parent's may have been using it, and will never
/// close it here: another socket takes its place, one without an other end.
pub(crate) fn let_go(parents: &Connection) -> io::Result<()> {
    let (dead, _) = UnixStream::pair()?;
    let (dead, parents) = (dead.as_raw_fd(), parents.as_fd().as_raw_fd());
    // SAFETY: the descriptor belongs to the connection and stays open, so nobody loses it; it is
    // another socket from now on, as if the server had hung up.
    match unsafe { libc::dup3(dead, parents, libc::O_CLOEXEC) } {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// How often this process and its parents have forked, as far as anybody wanted to know.
static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn forked() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// How often this process and its parents have forked.
pub(crate) fn count() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Begins to count.
pub(crate) fn watch() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // SAFETY: the handler adds to a number, which a child may do. If there is no memory for
        // it, forks without a word are not noticed.
        unsafe { libc::pthread_atfork(None, None, Some(forked)) };
    });
}

impl Client {
    /// Has the kernel copy the client's process, for a child to come.
    pub fn prefork(&self) -> io::Result<Cookie> {
        let (kind, body) = self.with(None, |to| to.ask(Kind::Prefork))?;
        let nonsense = || io::Error::from(Errno::PROTO);
        match kind {
            Kind::Cookie => {
                let cookie: [u8; COOKIE_LEN] = body.try_into().map_err(|_| nonsense())?;
                Ok(Cookie(cookie))
            }
            Kind::Refused => {
                let refused = Refused::parse(&body).map_err(|_| nonsense())?;
                let errno = i32::try_from(refused.error).map_err(|_| nonsense())?;
                Err(io::Error::from_raw_os_error(errno))
            }
            _ => Err(nonsense()),
        }
    }

    /// There is no child after all.
    pub fn fork_cancel(&self, cookie: &Cookie) -> io::Result<()> {
        self.with(None, |to| to.tell(Kind::Unfork, 0, &cookie.0))
    }

    /// In the child: becomes the copy. Descriptors stay as they are; the parent's connection is
    /// let go.
    pub fn fork_init(&self, cookie: &Cookie) -> Result<(), Error> {
        let shared = &self.shared;
        let how = How::Fork(cookie.0);
        let welcomed =
            handshake::connect(&shared.url, how, &shared.name, self.deadline(), &mut [])?;
        let parents = self.replace(welcomed, true);
        let_go(&parents).map_err(Error::Io)
    }

    /// Forks. If the child cannot become the copy, it says why and exits with status 1.
    ///
    /// # Safety
    ///
    /// As of fork(2): the child has one thread, and locks of others stay as they were. If the
    /// program has several, the child may only do what is safe in a signal handler.
    pub unsafe fn fork(&self) -> io::Result<Fork> {
        let cookie = self.prefork()?;
        let forked = {
            let _reconnecting = lock(&self.shared.reconnecting);
            let _current = lock(&self.shared.current);
            let _retry = lock(&self.shared.retry);
            // SAFETY: the caller says what is needed.
            let forked = unsafe { libc::fork() };
            u32::try_from(forked).map_err(|_| io::Error::last_os_error())
        };
        match forked {
            Ok(0) => {
                if let Err(e) = self.fork_init(&cookie) {
                    eprintln!("a child cannot become a process of the kernel: {e}");
                    // SAFETY: it ends the child at once; what the parent registered to be done at
                    // exit is the parent's.
                    unsafe { libc::_exit(1) };
                }
                Ok(Fork::Child)
            }
            Ok(child) => Ok(Fork::Parent(child)),
            Err(e) => {
                // The copy ends by itself, if this does not arrive.
                let _ = self.fork_cancel(&cookie);
                Err(e)
            }
        }
    }
}

//! The file of a unix socket: made, replaced when its server is dead, and taken away.
//!
//! What is at the path is looked at and changed under a lock on its *directory* (flock), which
//! leaves no file behind and ends with its holder. So of two servers that start at once one wins,
//! and nobody takes the file of a server away that has bound it and does not listen yet.
//!
//! A socket that refuses a connection has no server: a server that lives, however busy, either
//! accepts or lets the caller wait.
//!
//! Locking: the directory's, for a few system calls. Sources: unix(7), flock(2); Linux
//! net/unix/af_unix.c (the file's mode is that of the socket, less the umask).

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, Timespec};
use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::ListenError;

/// How long somebody may keep the directory's lock.
const PATIENCE: Duration = Duration::from_secs(2);

/// The file of a socket that listens.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl SocketFile {
    /// A socket that listens at `path`, and its file.
    pub(crate) fn listen(
        path: &Path,
        mode: u32,
        backlog: i32,
    ) -> Result<(OwnedFd, Self), ListenError> {
        let other = |source: io::Error| ListenError::Io {
            url: format!("unix://{}", path.display()),
            source,
        };
        let addr = SocketAddrUnix::new(path).map_err(|e| other(e.into()))?;
        let absolute = std::path::absolute(path).map_err(other)?;
        let _lock = Lock::take(&absolute)?;
        let fd = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).map_err(other)?;
        // Nobody gets at the file in between: it is made with the mode of the socket.
        rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode)).map_err(|e| other(e.into()))?;
        match rustix::net::bind(&fd, &addr) {
            Err(Errno::ADDRINUSE) => {
                remove_stale(path, &addr)?;
                rustix::net::bind(&fd, &addr)
            }
            done => done,
        }
        .map_err(|e| match e {
            Errno::ACCESS | Errno::PERM | Errno::ROFS => {
                ListenError::Denied { place: path.display().to_string() }
            }
            e => other(e.into()),
        })?;
        let made = fs::symlink_metadata(path).map_err(other)?;
        let file = Self { path: absolute, identity: (made.dev(), made.ino()) };
        // What the umask took away, if more was asked for.
        if made.permissions().mode() & 0o777 != mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(other)?;
        }
        rustix::net::listen(&fd, backlog).map_err(|e| other(e.into()))?;
        Ok((fd, file))
    }

    /// Takes the file away, unless it is another server's by now.
    pub(crate) fn remove(&self) {
        let Ok(_lock) = Lock::take(&self.path) else { return };
        let there = fs::symlink_metadata(&self.path).map(|there| (there.dev(), there.ino()));
        if there.is_ok_and(|there| there == self.identity) {
            // It may be gone between the two, and that is as good.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn socket(flags: SocketFlags) -> io::Result<OwnedFd> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    Ok(rustix::net::socket_with(family, kind, flags, None)?)
}

/// Takes away the file of a dead server, or says why it stays.
fn remove_stale(path: &Path, addr: &SocketAddrUnix) -> Result<(), ListenError> {
    let url = || format!("unix://{}", path.display());
    let other = |source: io::Error| ListenError::Io { url: url(), source };
    match fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => {
            return Err(ListenError::NotASocket { path: path.into() });
        }
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(other(e)),
    }
    let probe = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK).map_err(other)?;
    match rustix::net::connect(&probe, addr) {
        // EAGAIN: it listens, and many wait.
        Ok(()) | Err(Errno::AGAIN) => Err(ListenError::InUse { url: url() }),
        Err(Errno::CONNREFUSED) => match fs::remove_file(path) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                Err(ListenError::Denied { place: path.display().to_string() })
            }
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(other(e)),
            _ => Ok(()),
        },
        Err(Errno::NOENT) => Ok(()),
        // Another user's socket, or one of another type: not ours to take.
        Err(Errno::ACCESS | Errno::PERM | Errno::PROTOTYPE) => {
            Err(ListenError::Denied { place: path.display().to_string() })
        }
        Err(e) => Err(other(e.into())),
    }
}

/// The lock on the directory of a path; given back when dropped, or when its holder dies.
struct Lock {
    _directory: Option<OwnedFd>,
}

impl Lock {
    fn take(absolute: &Path) -> Result<Self, ListenError> {
        let directory = absolute.parent().unwrap_or(Path::new("/"));
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = match rustix::fs::open(directory, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR) => {
                return Err(ListenError::NoDirectory { directory: directory.into() });
            }
            Err(Errno::ACCESS | Errno::PERM) => {
                return Err(ListenError::Denied { place: directory.display().to_string() });
            }
            Err(e) => {
                let url = format!("unix://{}", absolute.display());
                return Err(ListenError::Io { url, source: e.into() });
            }
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { _directory: Some(fd) }),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => pause(),
                Err(Errno::WOULDBLOCK) => {
                    return Err(ListenError::Locked { directory: directory.into() });
                }
                // A file system without locks: one has to do without.
                Err(_) => return Ok(Self { _directory: None }),
            }
        }
    }
}

/// A millisecond: the lock is held for a few system calls.
fn pause() {
    let none: &mut [PollFd<'_>] = &mut [];
    // A signal makes it shorter.
    let _ = rustix::event::poll(none, Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 }));
}

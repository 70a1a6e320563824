//! Exec: the program is replaced, the process of the kernel stays.
//!
//! The connection is left open for the new program, and the environment says where it is:
//! `RUMPCLIENT__EXECFD=descriptor,inode`, and `RUMP__PARSEDSERVER=url`, whose path is absolute.
//! [`Client::exec`] does all of it. Whoever takes the connection over marks it close-on-exec, so that it is taken once.
//!
//! DIFFERS from NetBSD: `RUMP_SERVER` goes before `RUMP__PARSEDSERVER` unless there is a connection
//! to take over, so that a program may name another server to those that it starts.
//!
//! Locking: none of its own. Sources: the book, section 3.12 (exec); NetBSD
//! lib/librumpclient/rumpclient.c.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use rustix::fs::{FileType, fstat};
use rustix::io::{Errno, FdFlags, fcntl_getfd, fcntl_setfd};
use transport::Url;

use crate::connection::Connection;
use crate::{Client, Error};

/// Where the connection is.
pub(crate) const EXECFD: &str = "RUMPCLIENT__EXECFD";
/// Where the server is.
pub(crate) const PARSED: &str = "RUMP__PARSEDSERVER";
/// Where the server is, for people.
const SERVER: &str = "RUMP_SERVER";

/// The server that the environment names.
pub(crate) fn url_of_environment() -> Result<Url, Error> {
    let named = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
    let url = named(SERVER).or_else(|| named(PARSED)).ok_or(Error::NoUrl)?;
    Ok(Url::parse(&url)?)
}

/// Whether the environment tells of a connection to be taken over, be it there or not.
pub(crate) fn is_inherited() -> bool {
    std::env::var_os(EXECFD).is_some()
}

/// The connection that the program before this one left, and its server.
pub(crate) fn inherited() -> Result<Option<(OwnedFd, Url)>, Error> {
    let (Ok(text), Ok(url)) = (std::env::var(EXECFD), std::env::var(PARSED)) else {
        return Ok(None);
    };
    let Some((fd, inode)) = text.split_once(',') else { return Ok(None) };
    let (Ok(fd), Ok(inode)) = (fd.parse::<i32>(), inode.parse::<u64>()) else { return Ok(None) };
    if fd < 0 {
        return Ok(None);
    }
    let url = Url::parse(&url)?;
    // SAFETY: it is looked at and let go; if nobody has such a descriptor, fcntl says so.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    let ours = fcntl_getfd(borrowed).is_ok_and(|flags| !flags.contains(FdFlags::CLOEXEC))
        && fstat(borrowed).is_ok_and(|there| {
            FileType::from_raw_mode(there.st_mode) == FileType::Socket && there.st_ino == inode
        });
    if !ours || fcntl_setfd(borrowed, FdFlags::CLOEXEC).is_err() {
        return Ok(None);
    }
    // SAFETY: it is the socket that the program before this one left for us: nothing else in this
    // program knows of it, and now that it is marked nobody takes it again.
    Ok(Some((unsafe { OwnedFd::from_raw_fd(fd) }, url)))
}

/// A client whose connection is left open for another program. Until it is dropped, new calls fail
/// with EAGAIN.
#[derive(Debug)]
pub struct Exec {
    connection: Option<Arc<Connection>>,
    environment: Vec<(&'static str, String)>,
}

impl Exec {
    /// What the program that follows needs in its environment.
    pub fn environment(&self) -> &[(&'static str, String)] {
        &self.environment
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        let Some(connection) = &self.connection else { return };
        // It can only fail on a descriptor that is none.
        let _ = fcntl_setfd(connection.as_fd(), FdFlags::CLOEXEC);
        connection.set_closing(false);
    }
}

impl Client {
    /// Replaces this program by another one, which goes on as the same process of the kernel if
    /// it is a client too ([`Client::from_env`]). Answers only if that cannot be.
    pub fn exec(&self, command: &mut Command) -> io::Error {
        match self.prepare_exec() {
            Ok(exec) => {
                for (name, value) in exec.environment() {
                    command.env(name, value);
                }
                command.exec()
            }
            Err(e) => e,
        }
    }

    /// Makes the connection ready for exec(2): ends the calls of all threads, as exec ends the
    /// threads. A sealed connection cannot be left to another program (EOPNOTSUPP): its keys
    /// cannot be.
    pub fn prepare_exec(&self) -> io::Result<Exec> {
        let connection = self.connection();
        let environment = vec![(PARSED, self.url().to_string())];
        if connection.has_ended() {
            // The program that follows connects anew.
            return Ok(Exec { connection: None, environment });
        }
        if connection.sealed {
            return Err(Errno::OPNOTSUPP.into());
        }
        connection.finish_all();
        let mut exec = Exec { connection: Some(connection.clone()), environment };
        let inode = fstat(connection.as_fd())?.st_ino;
        fcntl_setfd(connection.as_fd(), FdFlags::empty())?;
        exec.environment.push((EXECFD, format!("{},{inode}", connection.as_fd().as_raw_fd())));
        Ok(exec)
    }
}

//! What a process asks its kernel about itself.
//!
//! Locking: none. Sources: uname(2).

use std::io;

use crate::numbers::call;
use crate::{Argument, Client};

/// Bytes of each text of uname.
const FIELD: usize = 65;

/// What the kernel is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Uname {
    /// The system's name.
    pub sysname: String,
    /// The host's.
    pub nodename: String,
    /// The release.
    pub release: String,
    /// The version.
    pub version: String,
    /// The machine.
    pub machine: String,
    /// The domain.
    pub domainname: String,
}

impl Client {
    /// Asks the kernel for the client's process. [`Client::pid`] knows it without asking.
    pub fn getpid(&self) -> io::Result<u32> {
        self.call(call::GETPID, &mut []).map(|pid| pid as u32)
    }

    /// The user that the client is in the kernel.
    pub fn getuid(&self) -> io::Result<u32> {
        self.call(call::GETUID, &mut []).map(|uid| uid as u32)
    }

    /// Says what the kernel is.
    pub fn uname(&self) -> io::Result<Uname> {
        let mut raw = [0; 6 * FIELD];
        self.call(call::UNAME, &mut [Argument::Out(&mut raw)])?;
        let mut fields = raw.chunks_exact(FIELD).map(|field| {
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(FIELD);
            String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned()
        });
        let mut next = || fields.next().unwrap_or_default();
        Ok(Uname {
            sysname: next(),
            nodename: next(),
            release: next(),
            version: next(),
            machine: next(),
            domainname: next(),
        })
    }

    /// Gives the kernel's host a name.
    pub fn set_hostname(&self, name: &str) -> io::Result<()> {
        let len = Argument::Value(name.len() as u64);
        self.call(call::SETHOSTNAME, &mut [Argument::In(name.as_bytes()), len]).map(drop)
    }
}

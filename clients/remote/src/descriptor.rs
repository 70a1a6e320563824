//! A descriptor in the client's process of the kernel, closed when dropped.
//!
//! It belongs to the process that made it: after a reconnect it fails with ENOTCONN and is not
//! mistaken for another of the same number.
//!
//! Locking: none.

use std::io;

use crate::numbers::{F_GETFD, F_GETFL, F_SETFD, F_SETFL, O_NONBLOCK, call};
use crate::{Argument, Client};

use Argument::{In, InOut, Out, Value};

/// A descriptor of the kernel.
pub struct Descriptor {
    client: Client,
    generation: u64,
    fd: u32,
}

impl Descriptor {
    /// The one that call `number` makes.
    pub fn open(
        client: &Client,
        number: u32,
        arguments: &mut [Argument<'_>],
    ) -> io::Result<Descriptor> {
        let (fd, generation) = client.call_told(None, number, arguments)?;
        let fd = u32::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Self { client: client.clone(), generation, fd })
    }

    /// Descriptor number `fd` of the process: one that the program before this one (exec), or C
    /// code, has opened. From now on it is closed when this is dropped.
    pub fn from_fd(client: &Client, fd: u32) -> io::Result<Descriptor> {
        let mut get = [Value(fd.into()), Value(F_GETFD), Value(0)];
        let (_, generation) = client.call_told(None, call::FCNTL, &mut get)?;
        Ok(Self { client: client.clone(), generation, fd })
    }

    /// Its number.
    pub fn fd(&self) -> u32 {
        self.fd
    }

    /// Whose it is.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Makes a call whose first argument is this descriptor, and whose others are `arguments`.
    pub fn call<const N: usize>(
        &self,
        number: u32,
        arguments: [Argument<'_>; N],
    ) -> io::Result<u64> {
        let mut all = [Value(self.fd.into()), Value(0), Value(0), Value(0), Value(0), Value(0)];
        for (room, argument) in all.iter_mut().skip(1).zip(arguments) {
            *room = argument;
        }
        self.client.call_of(Some(self.generation), number, &mut all)
    }

    /// Does `request`, whose number says whether `value` is read, written or both.
    pub fn ioctl(&self, request: u32, value: &mut [u8]) -> io::Result<u64> {
        self.call(call::IOCTL, [Value(request.into()), InOut(value)])
    }

    /// Another descriptor of the same file.
    pub fn try_clone(&self) -> io::Result<Descriptor> {
        self.derive(call::DUP, [])
    }

    /// The descriptor that a call on this one makes.
    pub fn derive<const N: usize>(
        &self,
        number: u32,
        arguments: [Argument<'_>; N],
    ) -> io::Result<Descriptor> {
        let fd = self.call(number, arguments)?;
        let fd = u32::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Ok(Self { client: self.client.clone(), generation: self.generation, fd })
    }

    /// Whether the process loses it when its program is replaced ([`Client::exec`]). It does not,
    /// unless this was said.
    pub fn set_close_on_exec(&self, on: bool) -> io::Result<()> {
        self.call(call::FCNTL, [Value(F_SETFD), Value(on.into())]).map(drop)
    }

    /// Whether calls that would wait fail with `WouldBlock` instead.
    pub fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        let flags = self.call(call::FCNTL, [Value(F_GETFL), Value(0)])?;
        let flags = if on { flags | O_NONBLOCK } else { flags & !O_NONBLOCK };
        self.call(call::FCNTL, [Value(F_SETFL), Value(flags)]).map(drop)
    }

    /// Reads.
    pub fn read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let len = buf.len();
        let n = self.call(call::READ, [Out(buf), Value(len as u64)])?;
        within(n, len)
    }

    /// Writes.
    pub fn write(&self, data: &[u8]) -> io::Result<usize> {
        let n = self.call(call::WRITE, [In(data), Value(data.len() as u64)])?;
        within(n, data.len())
    }
}

/// A length that a call answered: more than there is room for makes no sense.
pub(crate) fn within(n: u64, len: usize) -> io::Result<usize> {
    let n = usize::try_from(n).ok().filter(|n| *n <= len);
    n.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // Without the process there is nothing to close, and no reason to reconnect.
        let connection = self.client.connection();
        if connection.generation == self.generation && !connection.has_ended() {
            let _ = self.call(call::CLOSE, []);
        }
    }
}

impl std::fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Descriptor({})", self.fd)
    }
}

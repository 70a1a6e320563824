//! The handshake: who the client is, and what the kernel serves.
//!
//! Locking: none.

use crate::{Descriptions, Malformed, Out, Reader};

/// Begins every `Hello`, so that a stray program is told apart from an old client.
const MAGIC: [u8; 4] = *b"ANYK";

/// Bytes of a cookie.
pub const COOKIE_LEN: usize = 16;

/// What a child says to get the process that was prepared for it: random, used once.
pub type Cookie = [u8; COOKIE_LEN];

/// How a client becomes a process of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// As a new one, without descriptors.
    Guest,
    /// As the one that its parent had prepared (`Prefork`).
    Fork(Cookie),
    /// As the one that it is already, on the same connection: the program has been replaced.
    Exec,
}

/// The client's first message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello<'a> {
    /// What the client speaks.
    pub version: u16,
    /// How it becomes a process.
    pub how: How,
    /// The program's name.
    pub name: &'a str,
}

impl<'a> Hello<'a> {
    /// Out of a body. Of another version only the version is read: the rest means nothing here.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        if r.bytes()? != MAGIC {
            return Err(Malformed);
        }
        let version = r.u16()?;
        if version != crate::VERSION {
            return Ok(Self { version, how: How::Guest, name: "" });
        }
        let how = r.u16()?;
        let cookie = r.bytes()?;
        let how = match how {
            0 => How::Guest,
            1 => How::Fork(cookie),
            2 => How::Exec,
            _ => return Err(Malformed),
        };
        let name = r.text()?;
        r.end()?;
        Ok(Self { version, how, name })
    }

    /// As a body.
    pub fn write<O: Out>(&self, out: &mut O) -> Result<(), O::Error> {
        let (how, cookie) = match self.how {
            How::Guest => (0_u16, [0; COOKIE_LEN]),
            How::Fork(cookie) => (1, cookie),
            How::Exec => (2, [0; COOKIE_LEN]),
        };
        out.put(&MAGIC)?;
        out.put(&self.version.to_le_bytes())?;
        out.put(&how.to_le_bytes())?;
        out.put(&cookie)?;
        out.put_text(self.name)
    }
}

/// The answer to a client that may come in.
#[derive(Clone, Copy, Debug)]
pub struct Welcome<'a> {
    /// What the server speaks.
    pub version: u16,
    /// The client's process.
    pub pid: u32,
    /// The kernel's name.
    pub kernel: &'a str,
    /// The calls that the kernel serves.
    pub calls: Descriptions<'a>,
}

impl<'a> Welcome<'a> {
    /// Out of a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let version = r.u16()?;
        let _reserved = r.u16()?;
        let pid = r.u32()?;
        let kernel = r.text()?;
        let calls = Descriptions::parse(r.rest())?;
        Ok(Self { version, pid, kernel, calls })
    }

    /// As a body, but for the descriptions, which follow.
    pub fn write<O: Out>(&self, out: &mut O) -> Result<(), O::Error> {
        out.put(&self.version.to_le_bytes())?;
        out.put(&[0; 2])?;
        out.put(&self.pid.to_le_bytes())?;
        out.put_text(self.kernel)?;
        out.put(self.calls.as_bytes())
    }
}

/// The answer to a handshake or a prefork that cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refused<'a> {
    /// An error number, Linux's.
    pub error: u32,
    /// The reason, for people.
    pub reason: &'a str,
}

impl<'a> Refused<'a> {
    /// Out of a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let error = r.u32()?;
        let reason = r.text()?;
        r.end()?;
        Ok(Self { error, reason })
    }

    /// As a body.
    pub fn write<O: Out>(&self, out: &mut O) -> Result<(), O::Error> {
        out.put(&self.error.to_le_bytes())?;
        out.put_text(self.reason)
    }
}

//! Messages as bytes: little-endian, without padding.
//!
//! Locking: none.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;

/// A message that makes no sense; its sender is not worth talking to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other side sent a message that makes no sense")
    }
}

impl core::error::Error for Malformed {}

/// Takes a message apart, from the front.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// All of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, rest) = self.0.split_first_chunk().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_le_bytes)
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next `N` bytes.
    pub fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.array()
    }

    /// The next `len` bytes.
    pub fn slice(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (first, rest) = self.0.split_at_checked(len).ok_or(Malformed)?;
        self.0 = rest;
        Ok(first)
    }

    /// The next text: two bytes of length, then UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Malformed> {
        let len = self.u16()?;
        core::str::from_utf8(self.slice(len.into())?).map_err(|_| Malformed)
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.0)
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// Where a message is put together.
pub trait Out {
    /// Why it has no room.
    type Error;

    /// Appends bytes.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Appends a text, at most 65535 bytes of it.
    fn put_text(&mut self, text: &str) -> Result<(), Self::Error> {
        let cut = text.floor_char_boundary(text.len().min(u16::MAX.into()));
        let text = text.get(..cut).unwrap_or_default();
        self.put(&(text.len() as u16).to_le_bytes())?;
        self.put(text.as_bytes())
    }
}

impl Out for Vec<u8> {
    type Error = Infallible;

    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

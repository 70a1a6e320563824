//! What every message begins with.
//!
//! Locking: none.

use crate::{MAX_MESSAGE, Malformed, Reader};

/// Bytes of a header.
pub const HEADER_LEN: usize = 16;

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Kind {
    /// Client: the first message; its answer is `Welcome` or `Refused`.
    Hello = 1,
    /// Server: the handshake is done.
    Welcome = 2,
    /// Server: a handshake or a prefork has failed.
    Refused = 3,
    /// Client: a system call; its answer is `Return`.
    Syscall = 4,
    /// Server: a system call has ended.
    Return = 5,
    /// Server: the call needs memory that was not sent along; the answer is `Copied`.
    Copyin = 6,
    /// Client: that memory.
    Copied = 7,
    /// Client: a copy of the process for a child to come; the answer is `Cookie` or `Refused`.
    Prefork = 8,
    /// Server: what the child says to get it.
    Cookie = 9,
    /// Client: the copy is not needed after all. No answer.
    Unfork = 10,
    /// Client: the request of this number is to end now, with EINTR if it has nothing yet. No
    /// answer but the request's own.
    Cancel = 11,
}

impl Kind {
    fn from_number(n: u16) -> Option<Kind> {
        Some(match n {
            1 => Kind::Hello,
            2 => Kind::Welcome,
            3 => Kind::Refused,
            4 => Kind::Syscall,
            5 => Kind::Return,
            6 => Kind::Copyin,
            7 => Kind::Copied,
            8 => Kind::Prefork,
            9 => Kind::Cookie,
            10 => Kind::Unfork,
            11 => Kind::Cancel,
            _ => return None,
        })
    }
}

/// The header of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Bytes of the message, this header included.
    pub len: u32,
    /// What it is.
    pub kind: Kind,
    /// How many descriptors are passed beside it. None in this version: there must be 0.
    pub descriptors: u16,
    /// Chosen by whoever asks, and the same in the answer; of a client's requests under way no
    /// two have the same.
    pub request: u64,
}

impl Header {
    /// Of a message with `body` bytes behind the header.
    pub fn new(kind: Kind, request: u64, body: usize) -> Self {
        let len = u32::try_from(HEADER_LEN.saturating_add(body)).unwrap_or(u32::MAX);
        Self { len, kind, descriptors: 0, request }
    }

    /// As bytes.
    pub fn to_bytes(self) -> [u8; HEADER_LEN] {
        let mut raw = [0; HEADER_LEN];
        let [l0, l1, l2, l3] = self.len.to_le_bytes();
        let [k0, k1] = (self.kind as u16).to_le_bytes();
        let [d0, d1] = self.descriptors.to_le_bytes();
        let (front, back) = raw.split_at_mut(8);
        front.copy_from_slice(&[l0, l1, l2, l3, k0, k1, d0, d1]);
        back.copy_from_slice(&self.request.to_le_bytes());
        raw
    }

    /// Out of bytes.
    pub fn parse(raw: &[u8; HEADER_LEN]) -> Result<Header, Malformed> {
        let mut r = Reader::new(raw);
        let len = r.u32()?;
        let kind = Kind::from_number(r.u16()?).ok_or(Malformed)?;
        let descriptors = r.u16()?;
        let request = r.u64()?;
        if !(HEADER_LEN..=MAX_MESSAGE).contains(&(len as usize)) || descriptors != 0 {
            return Err(Malformed);
        }
        Ok(Header { len, kind, descriptors, request })
    }

    /// Bytes behind the header.
    pub fn body_len(self) -> usize {
        (self.len as usize).saturating_sub(HEADER_LEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_as_it_was() {
        let header = Header::new(Kind::Copied, 0x0123_4567_89ab_cdef, 500);
        assert_eq!(Header::parse(&header.to_bytes()), Ok(header));
        assert_eq!(header.body_len(), 500);
    }

    #[test]
    fn lengths_kinds_and_descriptors_are_checked() {
        let good = Header::new(Kind::Prefork, 1, 0).to_bytes();
        for (at, value) in [(0, 15), (3, 0x7f), (4, 0), (4, 12), (5, 1), (6, 1)] {
            let mut bad = good;
            bad[at] = value;
            assert_eq!(Header::parse(&bad), Err(Malformed), "byte {at} = {value}");
        }
    }
}

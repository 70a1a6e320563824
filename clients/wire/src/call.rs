//! System calls: the request, the answer, and memory that is asked for in between.
//!
//! Locking: none.

use crate::{HEADER_LEN, MAX_SEGMENTS, MAX_TRANSFER, Malformed, Out, Reader};

/// A piece of the client's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment<'a> {
    /// Where it is in the client.
    pub addr: u64,
    /// What it holds.
    pub data: &'a [u8],
}

/// Bytes of a segment in a message, beside its data.
pub const SEGMENT_HEAD_LEN: usize = 16;

impl<'a> Segment<'a> {
    /// What stands before the data.
    pub fn head(addr: u64, len: usize) -> [u8; SEGMENT_HEAD_LEN] {
        let mut raw = [0; SEGMENT_HEAD_LEN];
        let (front, back) = raw.split_at_mut(8);
        front.copy_from_slice(&addr.to_le_bytes());
        back.copy_from_slice(&(len as u64).to_le_bytes());
        raw
    }

    fn parse(r: &mut Reader<'a>) -> Result<Self, Malformed> {
        let addr = r.u64()?;
        let len = usize::try_from(r.u64()?).map_err(|_| Malformed)?;
        Ok(Self { addr, data: r.slice(len)? })
    }
}

/// The segments of a message.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    left: u32,
    rest: Reader<'a>,
}

impl<'a> Segments<'a> {
    /// So many segments, which are all of `bytes`.
    pub fn new(count: u32, bytes: &'a [u8]) -> Result<Self, Malformed> {
        if count > MAX_SEGMENTS {
            return Err(Malformed);
        }
        let mut rest = Reader::new(bytes);
        let all = Self { left: count, rest };
        for _ in 0..count {
            Segment::parse(&mut rest)?;
        }
        rest.end()?;
        Ok(all)
    }

    /// How many are left.
    pub fn left(&self) -> u32 {
        self.left
    }

    /// Those that are left, as they came.
    pub fn as_bytes(&self) -> &'a [u8] {
        let mut rest = self.rest;
        rest.rest()
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        self.left = self.left.checked_sub(1)?;
        Segment::parse(&mut self.rest).ok()
    }
}

/// A system call; segments with the memory that it reads follow it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Syscall {
    /// Its number: Linux's, x86-64, and the kernel's own from 500.
    pub number: u32,
    /// Its arguments; addresses are the client's.
    pub args: [u64; 6],
}

impl Syscall {
    /// Bytes before the segments.
    pub const LEN: usize = 56;

    /// Out of a body.
    pub fn parse(body: &[u8]) -> Result<(Self, Segments<'_>), Malformed> {
        let mut r = Reader::new(body);
        let number = r.u32()?;
        let segments = r.u32()?;
        let mut args = [0; 6];
        for arg in &mut args {
            *arg = r.u64()?;
        }
        Ok((Self { number, args }, Segments::new(segments, r.rest())?))
    }

    /// As a body, but for the segments, of which there are to be so many.
    pub fn to_bytes(&self, segments: u32) -> [u8; Self::LEN] {
        let mut raw = [0; Self::LEN];
        let (head, args) = raw.split_at_mut(8);
        let (number, count) = head.split_at_mut(4);
        number.copy_from_slice(&self.number.to_le_bytes());
        count.copy_from_slice(&segments.to_le_bytes());
        for (to, arg) in args.chunks_exact_mut(8).zip(self.args) {
            to.copy_from_slice(&arg.to_le_bytes());
        }
        raw
    }
}

/// How a system call ended; segments with the memory that it wrote follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Return {
    /// The value, or one of the last 4095, which are negated error numbers.
    pub word: u64,
}

impl Return {
    /// Bytes before the segments.
    pub const LEN: usize = 16;

    /// Out of a body.
    pub fn parse(body: &[u8]) -> Result<(Self, Segments<'_>), Malformed> {
        let mut r = Reader::new(body);
        let word = r.u64()?;
        let segments = r.u32()?;
        let _reserved = r.u32()?;
        Ok((Self { word }, Segments::new(segments, r.rest())?))
    }

    /// As a body, but for the segments, of which there are to be so many.
    pub fn to_bytes(self, segments: u32) -> [u8; Self::LEN] {
        let mut raw = [0; Self::LEN];
        let (word, rest) = raw.split_at_mut(8);
        word.copy_from_slice(&self.word.to_le_bytes());
        rest.iter_mut().zip(segments.to_le_bytes()).for_each(|(to, from)| *to = from);
        raw
    }
}

/// The kernel asks for memory of the client's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copyin {
    /// Where.
    pub addr: u64,
    /// How much.
    pub len: usize,
}

impl Copyin {
    /// Bytes of the body.
    pub const LEN: usize = 16;

    /// Out of a body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let addr = r.u64()?;
        let len = usize::try_from(r.u64()?).ok().filter(|len| *len <= MAX_TRANSFER);
        r.end()?;
        Ok(Self { addr, len: len.ok_or(Malformed)? })
    }

    /// As a body.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        Segment::head(self.addr, self.len)
    }
}

/// The client's answer: that memory, or an error if it has none there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Copied<'a> {
    /// 0, or an error number, Linux's (EFAULT).
    pub error: u32,
    /// As much as was asked for; nothing with an error.
    pub data: &'a [u8],
}

impl<'a> Copied<'a> {
    /// Out of a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let error = r.u32()?;
        let _reserved = r.u32()?;
        Ok(Self { error, data: r.rest() })
    }

    /// As a body.
    pub fn write<O: Out>(&self, out: &mut O) -> Result<(), O::Error> {
        out.put(&self.error.to_le_bytes())?;
        out.put(&[0; 4])?;
        out.put(self.data)
    }
}

const _: () = assert!(
    HEADER_LEN + Syscall::LEN + SEGMENT_HEAD_LEN * 6 + MAX_TRANSFER < crate::MAX_MESSAGE,
    "a call with as much memory as it may move fits into a message"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_and_its_memory_come_back() {
        let call = Syscall { number: 44, args: [3, 0x1000, 5, 0, 0x2000, 16] };
        let mut raw = call.to_bytes(2).to_vec();
        for (addr, data) in [(0x1000, &b"hello"[..]), (0x2000, &[2; 16])] {
            raw.extend(Segment::head(addr, data.len()));
            raw.extend(data);
        }
        let (back, segments) = Syscall::parse(&raw).unwrap();
        assert_eq!(back, call);
        let got: Vec<_> = segments.map(|s| (s.addr, s.data.len())).collect();
        assert_eq!(got, [(0x1000, 5), (0x2000, 16)]);
        for cut in 0..raw.len() {
            assert!(Syscall::parse(&raw[..cut]).is_err(), "cut at {cut}");
        }
        raw.push(0);
        assert!(Syscall::parse(&raw).is_err(), "one byte too many");
    }

    #[test]
    fn an_answer_comes_back() {
        let raw = Return { word: u64::MAX }.to_bytes(0);
        let (back, mut segments) = Return::parse(&raw).unwrap();
        assert_eq!((back.word, segments.next()), (u64::MAX, None));
        assert!(Return::parse(&Return { word: 0 }.to_bytes(1)).is_err());
    }

    #[test]
    fn memory_that_is_asked_for_has_a_limit() {
        let ask = Copyin { addr: 7, len: 100 };
        assert_eq!(Copyin::parse(&ask.to_bytes()), Ok(ask));
        let endless = Copyin { addr: 7, len: MAX_TRANSFER + 1 };
        assert_eq!(Copyin::parse(&endless.to_bytes()), Err(Malformed));
    }
}

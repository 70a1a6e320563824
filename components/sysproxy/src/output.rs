//! Messages on their way to the client.
//!
//! They are put together in place, one behind the other, and leave together.
//!
//! Locking: none; a session's.

use base::{Cx, KVec, NoMemory};
use wire::{HEADER_LEN, Header, Kind, Out};

/// Sends bytes to a client, without blocking.
pub trait Transport {
    /// Takes as many of `bytes` as it can, and says how many; it must be told when it can take
    /// more ([`Session::flush`](crate::Session::flush)).
    fn send(&mut self, bytes: &[u8]) -> usize;
}

/// A session reads no more requests while so much waits to be sent.
const FULL: usize = 256 << 10;

/// Memory that an idle session may keep.
pub(crate) const KEPT: usize = 4096;

/// The longest answer that says that there is no memory for another one; a session always has room
/// for it.
const LEAST: usize = 128;

pub(crate) struct Output {
    bytes: KVec<u8>,
    /// How many of them have left.
    sent: usize,
}

/// A message that is being put together: where it begins.
#[derive(Clone, Copy)]
pub(crate) struct Begun(usize);

impl Output {
    pub(crate) fn new(cx: &Cx<'_>) -> Result<Self, NoMemory> {
        let mut bytes = KVec::new(cx);
        bytes.reserve(LEAST)?;
        Ok(Self { bytes, sent: 0 })
    }

    /// Whether there is room for an answer, be it that there is no memory for a longer one.
    pub(crate) fn has_room(&mut self) -> bool {
        !self.is_full() && self.bytes.reserve(LEAST).is_ok()
    }

    /// Takes room for `more` bytes beforehand, if memory is short; where it is not, it will be there
    /// when it is needed.
    pub(crate) fn reserve(&mut self, more: usize) -> Result<(), NoMemory> {
        let most = (self.bytes.capacity() + more) as u64;
        if self.bytes.account().left() / 8 >= most { Ok(()) } else { self.bytes.reserve(more) }
    }

    /// Takes room for `more` bytes now.
    pub(crate) fn make_room(&mut self, more: usize) -> Result<(), NoMemory> {
        self.bytes.reserve(more)
    }

    /// Begins a message; `fixed` bytes behind the header are filled in at the end.
    pub(crate) fn begin(&mut self, fixed: usize) -> Result<Begun, NoMemory> {
        let begun = Begun(self.bytes.len());
        self.bytes.resize(begun.0 + HEADER_LEN + fixed, 0)?;
        Ok(begun)
    }

    /// The message never was.
    pub(crate) fn abandon(&mut self, begun: Begun) {
        self.bytes.truncate(begun.0);
    }

    /// The message is whole; `fixed` goes right behind the header.
    pub(crate) fn end(&mut self, begun: Begun, kind: Kind, request: u64, fixed: &[u8]) {
        let body = self.bytes.len().saturating_sub(begun.0 + HEADER_LEN);
        let header = Header::new(kind, request, body).to_bytes();
        let place = self.bytes.get_mut(begun.0..).unwrap_or_default();
        place.iter_mut().zip(header.iter().chain(fixed)).for_each(|(to, from)| *to = *from);
    }

    /// A whole message.
    pub(crate) fn message(
        &mut self,
        kind: Kind,
        request: u64,
        body: impl FnOnce(&mut Self) -> Result<(), NoMemory>,
    ) -> Result<(), NoMemory> {
        let begun = self.begin(0)?;
        if let Err(e) = body(self) {
            self.abandon(begun);
            return Err(e);
        }
        self.end(begun, kind, request, &[]);
        Ok(())
    }

    /// Bytes of the message that was begun.
    pub(crate) fn len_of(&self, begun: Begun) -> usize {
        self.bytes.len().saturating_sub(begun.0)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() - self.sent >= FULL
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.len() == self.sent
    }

    /// Sends what can be sent.
    pub(crate) fn flush(&mut self, cx: &Cx<'_>, transport: &mut dyn Transport) {
        while let Some(rest @ [_, ..]) = self.bytes.get(self.sent..) {
            match transport.send(rest) {
                0 => return,
                n => self.sent += n.min(rest.len()),
            }
        }
        // A session that moves much keeps its memory; one that moved much once does not, if there is
        // the little that it always has.
        if self.bytes.capacity() > KEPT && self.bytes.len() < self.bytes.capacity() / 8 {
            let mut less = KVec::new(cx);
            if less.reserve(LEAST).is_ok() {
                self.bytes = less;
            }
        }
        self.bytes.clear();
        self.sent = 0;
    }
}

impl Out for Output {
    type Error = NoMemory;

    fn put(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        self.bytes.extend_from_slice(bytes)
    }
}

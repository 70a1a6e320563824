//! A member's ring: frames in the order in which it sent them, the oldest overwritten by the newest.
//!
//! Only the slot's owner writes; everybody reads, each with a cursor of its own that nobody else
//! sees. There is no lock, so a writer or reader that stops anywhere holds up nobody.
//! * [`Writer::push`] overwrites the oldest frames if it needs their room, and publishes a whole
//!   frame by one store of the head.
//! * [`Cursor::next`] copies a frame out, and believes the copy only if the tail has not passed it
//!   meanwhile.
//!
//! Positions count words and never go back. INVARIANT: of a sane ring, `tail <= head`,
//! `head - tail` is at most the ring's size, and records follow each other without a gap from
//! tail to head. Nobody relies on it: what is read from the file is checked, and nonsense costs the
//! frames of its writer.
//!
//! Ordering, as in a sequence lock: the writer moves the tail before it overwrites (release store,
//! release fence), and the head after (release store). A reader takes the head (acquire), copies,
//! puts an acquire fence behind that and looks at the tail: had it read one overwritten word, it
//! would now see the tail beyond its cursor.
//!
//! Locking: none. Model-checked in `loom_tests.rs`.
//! Sources: H. Boehm, "Can seqlocks get along with programming language memory models?", 2012.

use base::atomic::{AtomicU64, Ordering, fence};

use super::record::{self, HEADER, Record};

/// A ring in a file.
#[derive(Clone, Copy)]
pub struct Ring<'a> {
    head: &'a AtomicU64,
    tail: &'a AtomicU64,
    written: &'a AtomicU64,
    /// Their number is a power of two.
    words: &'a [AtomicU64],
}

impl<'a> Ring<'a> {
    /// A ring of these words, whose number is a power of two.
    pub fn new(
        head: &'a AtomicU64,
        tail: &'a AtomicU64,
        written: &'a AtomicU64,
        words: &'a [AtomicU64],
    ) -> Ring<'a> {
        debug_assert!(words.len().is_power_of_two());
        Ring { head, tail, written, words }
    }

    /// Words that it holds.
    fn capacity(&self) -> u64 {
        self.words.len() as u64
    }

    #[inline]
    fn word(&self, position: u64) -> Option<&'a AtomicU64> {
        self.words.get(position as usize & self.words.len().wrapping_sub(1))
    }

    #[inline]
    fn load(&self, position: u64) -> u64 {
        self.word(position).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    #[inline]
    fn store(&self, position: u64, value: u64) {
        if let Some(word) = self.word(position) {
            word.store(value, Ordering::Relaxed);
        }
    }

    fn load_header(&self, position: u64) -> [u64; HEADER] {
        core::array::from_fn(|i| self.load(position.wrapping_add(i as u64)))
    }

    /// Copies words out, from `position` on, as bytes.
    fn load_bytes(&self, position: u64, out: &mut [u8]) {
        let mut at = position;
        let (words, rest) = out.as_chunks_mut::<8>();
        for word in words {
            *word = self.load(at).to_ne_bytes();
            at = at.wrapping_add(1);
        }
        if !rest.is_empty() {
            let last = self.load(at).to_ne_bytes();
            rest.iter_mut().zip(last).for_each(|(to, from)| *to = from);
        }
    }

    /// Stores the pieces, one after another, from `position` on.
    fn store_bytes<'b>(&self, position: u64, pieces: impl Iterator<Item = &'b [u8]>) {
        let (mut at, mut word, mut fill) = (position, [0u8; 8], 0);
        for mut piece in pieces {
            if fill != 0 {
                let part;
                (part, piece) = piece.split_at((8 - fill).min(piece.len()));
                word.iter_mut().skip(fill).zip(part).for_each(|(to, from)| *to = *from);
                fill += part.len();
                if fill < 8 {
                    continue;
                }
                self.store(at, u64::from_ne_bytes(word));
                at = at.wrapping_add(1);
            }
            let (whole, rest) = piece.as_chunks::<8>();
            for chunk in whole {
                self.store(at, u64::from_ne_bytes(*chunk));
                at = at.wrapping_add(1);
            }
            word = [0; 8];
            word.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            fill = rest.len();
        }
        if fill != 0 {
            self.store(at, u64::from_ne_bytes(word));
        }
    }
}

/// The owner's side. It keeps its own copy of the positions, so that nobody who scribbles over
/// the file's makes it write anywhere else.
#[derive(Debug)]
pub struct Writer {
    head: u64,
    tail: u64,
    written: u64,
}

impl Writer {
    /// Goes on where the last owner stopped, whatever it was doing when it died: readers keep
    /// their cursors, and what it had published stays readable.
    pub fn resume(ring: &Ring<'_>) -> Writer {
        let (head, tail) = (ring.head.load(Ordering::Acquire), ring.tail.load(Ordering::Relaxed));
        let written = ring.written.load(Ordering::Relaxed);
        let sane = head.wrapping_sub(tail) <= ring.capacity();
        let tail = if sane { tail } else { head };
        ring.tail.store(tail, Ordering::Release);
        Writer { head, tail, written }
    }

    /// Appends a frame, given in pieces of `record.len` bytes in all; `sequence` is filled in.
    /// False, and nothing written, if it is too short or too long.
    pub fn push<'b>(
        &mut self,
        ring: &Ring<'_>,
        record: Record,
        frame: impl Iterator<Item = &'b [u8]>,
    ) -> bool {
        let (size, capacity) = (record.words(), ring.capacity());
        if size > capacity || !(record::FRAME_MIN..=record::FRAME_MAX).contains(&record.len) {
            return false;
        }
        let end = self.head.wrapping_add(size);
        while end.wrapping_sub(self.tail) > capacity {
            let oldest = record::frame_len(self.tail, ring.load(self.tail)).map(record::words);
            let next = oldest.map(|size| self.tail.wrapping_add(size));
            // A record that makes no sense was not written by us: nothing before the head is
            // worth keeping then.
            let next = next.filter(|next| next.wrapping_sub(self.tail) <= self.used());
            self.tail = next.unwrap_or(self.head);
        }
        // Release: who sees this tail sees the head that it does not pass.
        ring.tail.store(self.tail, Ordering::Release);
        fence(Ordering::Release);
        let record = Record { sequence: self.written, ..record };
        for (i, word) in record.encode(self.head).into_iter().enumerate() {
            ring.store(self.head.wrapping_add(i as u64), word);
        }
        ring.store_bytes(self.head.wrapping_add(HEADER as u64), frame);
        self.head = end;
        self.written = self.written.wrapping_add(1);
        ring.written.store(self.written, Ordering::Relaxed);
        ring.head.store(end, Ordering::Release);
        true
    }

    fn used(&self) -> u64 {
        self.head.wrapping_sub(self.tail)
    }
}

/// What a reader found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// A frame, now in the buffer.
    Frame(Record),
    /// The buffer must be at least so long for the next frame; nothing was consumed.
    Longer(usize),
    /// Nothing, for now.
    Empty,
    /// The writer is quicker than this reader; there may be more.
    Later,
}

/// Looks at records in a row that a reader may find overwritten under its hands.
const TRIES: usize = 8;
/// Records for others that are passed over before a reader takes a rest.
const PASSES: usize = 256;

/// A reader's place in somebody's ring.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor(u64);

impl Cursor {
    /// Behind everything that was sent so far.
    pub fn at_head(ring: &Ring<'_>) -> Cursor {
        Cursor(ring.head.load(Ordering::Acquire))
    }

    /// Before the oldest frame that is whole.
    pub fn at_tail(ring: &Ring<'_>) -> Cursor {
        Cursor(ring.tail.load(Ordering::Acquire))
    }

    /// Takes the next frame that is for any of `who`, and puts it at the beginning of `buffer`.
    pub fn next(&mut self, ring: &Ring<'_>, who: u64, buffer: &mut [u8]) -> Next {
        self.next_if(ring, |record| record.targets & who != 0, buffer)
    }

    /// The same for frames that `wanted` says yes to.
    pub fn next_if(
        &mut self,
        ring: &Ring<'_>,
        wanted: impl Fn(&Record) -> bool,
        buffer: &mut [u8],
    ) -> Next {
        let (mut tries, mut passes) = (0, 0);
        while tries < TRIES && passes < PASSES {
            let head = ring.head.load(Ordering::Acquire);
            let there = head.wrapping_sub(self.0);
            if there == 0 {
                return Next::Empty;
            }
            if there > ring.capacity() {
                self.resync(ring);
                tries += 1;
                continue;
            }
            let header = ring.load_header(self.0);
            if self.was_passed(ring) {
                self.resync(ring);
                tries += 1;
                continue;
            }
            let record = Record::decode(self.0, &header).filter(|r| r.words() <= there);
            let Some(record) = record else {
                // Nonsense, and there is no telling where sense begins again.
                self.0 = head;
                tries += 1;
                continue;
            };
            if wanted(&record) {
                let Some(out) = buffer.get_mut(..record.len) else {
                    return Next::Longer(record.len);
                };
                ring.load_bytes(self.0.wrapping_add(HEADER as u64), out);
                if self.was_passed(ring) {
                    self.resync(ring);
                    tries += 1;
                    continue;
                }
            }
            self.0 = self.0.wrapping_add(record.words());
            if wanted(&record) {
                return Next::Frame(record);
            }
            passes += 1;
        }
        if tries == TRIES {
            // It is overtaken again and again: it gives up what is there now.
            self.0 = ring.head.load(Ordering::Acquire);
        }
        Next::Later
    }

    /// Passes over one record, unread.
    pub fn skip(&mut self, ring: &Ring<'_>) {
        let head = ring.head.load(Ordering::Acquire);
        let size = record::frame_len(self.0, ring.load(self.0)).map(record::words);
        let size = size.filter(|size| *size <= head.wrapping_sub(self.0));
        self.0 = size.map_or(head, |size| self.0.wrapping_add(size));
    }

    /// Whether what was just copied may have been overwritten.
    #[inline]
    fn was_passed(&self, ring: &Ring<'_>) -> bool {
        fence(Ordering::Acquire);
        let tail = ring.tail.load(Ordering::Relaxed);
        (tail.wrapping_sub(self.0)).cast_signed() > 0
    }

    /// Goes on at the oldest frame that is whole, or, in a ring that makes no sense, at its head.
    #[cold]
    fn resync(&mut self, ring: &Ring<'_>) {
        let tail = ring.tail.load(Ordering::Acquire);
        let head = ring.head.load(Ordering::Acquire);
        let sane = head.wrapping_sub(tail) <= ring.capacity();
        self.0 = if sane { tail } else { head };
    }
}

#[cfg(test)]
mod tests;

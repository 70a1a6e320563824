//! A member of a bus: what it does to the file when it joins, sends, receives and leaves.
//!
//! * [`take`] makes a slot, whose lock the caller has, a member's: a [`Sender`] and a [`Receiver`],
//!   which may be used by two threads.
//! * [`Sender::send`] puts a frame into the member's ring and tells those that want it.
//! * [`Receiver::look`] takes note of who has something, [`Receiver::next`] takes frames out.
//!
//! How the receiver is told is in [`super::door`]. Who takes a slot over rings where the last
//! owner's bits are left, since that one may have died before it did.
//!
//! Counting losses: each sender counts the frames that it sent to each member, in the member's
//! slot; the receiver counts what it took. Once it has taken all that there is, the difference is
//! what it lost.
//!
//! Locking: none; a sender and a receiver each have one user at a time.
//! Sources: none. DIFFERS from the original's bus, which has a lock in the file.

use base::WallTime;
use base::atomic::{Ordering, fence};
use net::MacAddr;

use super::layout::{Map, SLOTS, Slot};
use super::record::{Left, Record};
use super::ring::{Cursor, Next, Writer};
use super::station::Station;

/// The sending half of a member.
#[derive(Debug)]
pub struct Sender {
    me: usize,
    generation: u64,
    writer: Writer,
}

/// The receiving half.
#[derive(Debug)]
pub struct Receiver {
    me: usize,
    /// Writers that have something.
    todo: u64,
    /// The one looked at last.
    turn: u32,
    from: [From; SLOTS],
}

/// What a receiver knows of a writer.
#[derive(Clone, Copy, Debug, Default)]
struct From {
    cursor: Cursor,
    /// What the writer had sent us when we joined, and what we took since.
    accounted: u64,
}

/// What [`Sender::send`] must know of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing {
    /// Bytes in all pieces.
    pub len: usize,
    /// The time of day.
    pub at: WallTime,
    /// What is not as it would be on a wire.
    pub left: Left,
}

/// What [`Sender::send`] came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    /// The members whose sleep on their doorbells must be ended: a bit each.
    pub wake: u64,
}

/// The frame cannot be sent on a bus: it is shorter than an Ethernet header, or too long; or the
/// slot is not the sender's any more, because somebody cut the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// Too short or too long.
    Length,
    /// The file is not what it was.
    Broken,
}

/// Makes slot `me` of the map a member's; `None` if the map has no such slot. The caller has the
/// slot's lock, and the file has room for it. Nobody sends to it before [`announce`].
/// The caller wakes those members whose bits [`Sent`] has.
pub fn take(map: &Map<'_>, me: usize, process: u64) -> Option<(Sender, Receiver, Sent)> {
    let slot = map.slot(me)?;
    slot.station().store(Station::default().word(), Ordering::Relaxed);
    let generation = slot.generation().load(Ordering::Relaxed).wrapping_add(1);
    slot.generation().store(generation, Ordering::Relaxed);
    slot.process().store(process, Ordering::Relaxed);
    slot.door().reset();
    slot.lost().store(0, Ordering::Relaxed);
    let writer = Writer::resume(&slot.ring());
    map.header()?.use_slot(me);
    let mut from = [From::default(); SLOTS];
    for (n, other) in others(map, me) {
        if let Some(from) = from.get_mut(n) {
            from.cursor = Cursor::at_head(&other.ring());
            from.accounted = slot.sent_by(n).load(Ordering::Relaxed);
        }
    }
    // The last owner may have died between setting its bit and ringing.
    let mut wake = 0;
    for (n, other) in others(map, me) {
        if other.door().was_told(bit(me)) && other.door().ring() {
            wake |= bit(n);
        }
    }
    let receiver = Receiver { me, todo: 0, turn: 0, from };
    Some((Sender { me, generation, writer }, receiver, Sent { wake }))
}

/// Others see member `me` with this address and these flags from now on.
pub fn announce(map: &Map<'_>, me: usize, station: Station) {
    if let Some(slot) = map.slot(me) {
        slot.station().store(station.word(), Ordering::Release);
    }
}

#[inline]
fn bit(n: usize) -> u64 {
    1 << (n & (SLOTS - 1))
}

/// The slots that others have, or had.
#[inline]
fn others<'a>(map: &Map<'a>, me: usize) -> impl Iterator<Item = (usize, Slot<'a>)> {
    let map = *map;
    (0..map.used()).filter(move |n| *n != me).filter_map(move |n| Some((n, map.slot(n)?)))
}

impl Sender {
    /// Sends a frame to `dst`, given in pieces.
    pub fn send<'b>(
        &mut self,
        map: &Map<'_>,
        dst: MacAddr,
        what: &Outgoing,
        frame: impl Iterator<Item = &'b [u8]>,
    ) -> Result<Sent, SendError> {
        let mine = self.slot(map)?;
        let wants =
            |slot: &Slot<'_>| Station::from_word(slot.station().load(Ordering::Relaxed)).wants(dst);
        let takers = others(map, self.me).filter(|(_, slot)| wants(slot));
        let record = Record {
            len: what.len,
            left: what.left,
            sequence: 0,
            seconds: u64::try_from(what.at.seconds).unwrap_or(0),
            nanoseconds: what.at.nanoseconds,
            generation: self.generation as u32,
            targets: takers.fold(0, |bits, (n, _)| bits | bit(n)),
        };
        if !self.writer.push(&mine.ring(), record, frame) {
            return Err(SendError::Length);
        }
        let (mut sent, mut left) = (Sent::default(), record.targets);
        while left != 0 {
            let n = left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(slot) = map.slot(n) else { continue };
            // Only this sender writes the word.
            let count = slot.sent_by(self.me);
            // Release: a frame that is counted is in the ring.
            count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
            if slot.door().tell(bit(self.me)) {
                sent.wake |= bit(n);
            }
        }
        Ok(sent)
    }

    /// The member's slot, if it still is.
    fn slot<'a>(&self, map: &Map<'a>) -> Result<Slot<'a>, SendError> {
        let slot = map.slot(self.me).ok_or(SendError::Broken)?;
        match slot.generation().load(Ordering::Relaxed) == self.generation {
            true => Ok(slot),
            false => Err(SendError::Broken),
        }
    }

    /// Leaves: nobody sends to this member any more.
    pub fn leave(&self, map: &Map<'_>) {
        if let Ok(slot) = self.slot(map) {
            slot.station().store(Station::default().word(), Ordering::Relaxed);
        }
    }
}

impl Receiver {
    /// Takes note of who has something; false if nobody has.
    pub fn look(&mut self, map: &Map<'_>) -> bool {
        if let Some(slot) = map.slot(self.me) {
            self.todo |= slot.door().look();
        }
        self.todo != 0
    }

    /// Takes a frame of those that were noted, and puts it at the beginning of `buffer`. `Empty`:
    /// none is left. `lost` is told how many more were lost.
    pub fn next(&mut self, map: &Map<'_>, buffer: &mut [u8], mut lost: impl FnMut(u64)) -> Next {
        while self.todo != 0 {
            // In turn, so that one that sends without end does not keep the others waiting.
            let writer = next_bit(self.todo, self.turn);
            let n = writer as usize;
            let (Some(slot), Some(from)) = (other(map, self.me, n), self.from.get_mut(n)) else {
                self.todo &= !bit(n);
                continue;
            };
            let sent = map.slot(self.me).map(|mine| mine.sent_by(n).load(Ordering::Relaxed));
            // Between the two: a frame that is counted is in the ring that is then looked at.
            fence(Ordering::Acquire);
            match from.cursor.next(&slot.ring(), bit(self.me), buffer) {
                Next::Frame(record) => {
                    from.accounted = from.accounted.wrapping_add(1);
                    self.turn = writer.wrapping_add(1);
                    return Next::Frame(record);
                }
                Next::Longer(len) => return Next::Longer(len),
                Next::Later => {
                    self.turn = writer.wrapping_add(1);
                    return Next::Later;
                }
                Next::Empty => {
                    self.todo &= !bit(n);
                    let missing = sent.unwrap_or(0).wrapping_sub(from.accounted);
                    // Less than nothing: a frame came that its sender had not counted yet.
                    if missing.cast_signed() > 0 {
                        from.accounted = from.accounted.wrapping_add(missing);
                        lost(missing);
                    }
                }
            }
        }
        Next::Empty
    }

    /// Passes over the frame for which the buffer was not long enough.
    pub fn skip(&mut self, map: &Map<'_>) {
        let n = next_bit(self.todo, self.turn) as usize;
        if let (Some(slot), Some(from)) = (other(map, self.me, n), self.from.get_mut(n)) {
            from.cursor.skip(&slot.ring());
            from.accounted = from.accounted.wrapping_add(1);
        }
    }

    /// Whether something noted has not been taken.
    pub fn has_more(&self) -> bool {
        self.todo != 0
    }

    /// Writes the number of lost frames into the file, for who looks at it.
    pub fn show_lost(&self, map: &Map<'_>, lost: u64) {
        if let Some(slot) = map.slot(self.me) {
            slot.lost().store(lost, Ordering::Relaxed);
        }
    }
}

/// Slot `n`, if somebody else has or had it.
fn other<'a>(map: &Map<'a>, me: usize, n: usize) -> Option<Slot<'a>> {
    if n == me || n >= map.used() { None } else { map.slot(n) }
}

/// The first bit of `bits`, which are not all zero, from `from` on, going round.
fn next_bit(bits: u64, from: u32) -> u32 {
    let from = from % u64::BITS;
    (from + bits.rotate_right(from).trailing_zeros()) % u64::BITS
}

#[cfg(test)]
mod tests;

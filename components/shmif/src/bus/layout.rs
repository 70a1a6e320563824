//! Where everything is in a bus file.
//!
//! A page of header, a page of doorbells, then up to [`SLOTS`] slots. A slot is a page of control
//! words and a ring; the file is only as long as the slots that were ever taken.
//! * [`Map`] is the file in memory, as three slices that do not overlap; [`Slot`] one slot of it.
//! * [`Header`] is what a creator writes and a joiner checks.
//!
//! Words are in the machine's byte order, since a bus is on one machine. The table of fields, and
//! what each is for, is in `BUS.md`.
//!
//! Locking: none; the words are atomics. Sources: none.

use base::atomic::{AtomicU32, AtomicU64, Ordering};

/// "shmifbus", as bytes in the file on a little-endian machine.
pub const MAGIC: u64 = u64::from_le_bytes(*b"shmifbus");
/// The version of the format.
pub const VERSION: u64 = 3;

/// Members that a bus can have; a bit of a word is a member.
pub const SLOTS: usize = 64;
/// Bytes of a page of the file: header, doorbells, and the control words of a slot.
pub const PAGE: usize = 4096;
/// Bytes of a slot's ring: eight of the largest frames nearly, or 340 of Ethernet's. What is on its way
/// to a reader that has to be woken first must fit, or TCP finds its frames overwritten and slows down.
pub const RING: usize = 512 * 1024;
/// Bytes of a slot.
pub const SLOT: usize = PAGE + RING;
/// Bytes before the first slot.
pub const SLOTS_AT: usize = 2 * PAGE;
/// Bytes of a file all of whose slots are in use.
pub const FILE_MAX: usize = SLOTS_AT + SLOTS * SLOT;

/// Bytes of a file whose first `slots` slots are in use.
pub const fn file_len(slots: usize) -> usize {
    SLOTS_AT + slots * SLOT
}

const PAGE_WORDS: usize = PAGE / 8;
const SLOT_WORDS: usize = SLOT / 8;
/// Doorbells are a cache line apart.
const BELL_WORDS: usize = 16;

/// A bus file in memory.
#[derive(Clone, Copy)]
pub struct Map<'a> {
    header: &'a [AtomicU64],
    bells: &'a [AtomicU32],
    slots: &'a [AtomicU64],
}

impl<'a> Map<'a> {
    /// The first page as words, the second as halves of words, and the rest. What is missing (a
    /// file that was cut) is simply not there.
    pub fn new(header: &'a [AtomicU64], bells: &'a [AtomicU32], slots: &'a [AtomicU64]) -> Map<'a> {
        Map { header, bells, slots }
    }

    /// The header.
    pub fn header(&self) -> Option<Header<'a>> {
        Header::of(self.header)
    }

    /// Slot `n`, if the map has it. It may be touched only if it was taken: the file may end
    /// before it.
    #[inline]
    pub fn slot(&self, n: usize) -> Option<Slot<'a>> {
        let from = n.checked_mul(SLOT_WORDS)?;
        let words = self.slots.get(from..from.checked_add(SLOT_WORDS)?)?;
        let (control, ring) = words.split_first_chunk()?;
        let from = n.checked_mul(BELL_WORDS)?;
        let bell = self.bells.get(from..)?.first_chunk()?;
        Some(Slot { control, bell, ring })
    }

    /// How many slots were ever taken; at most [`SLOTS`], whatever the file says.
    #[inline]
    pub fn used(&self) -> usize {
        self.header().map_or(0, |header| header.used())
    }
}

/// The header page.
#[derive(Clone, Copy)]
pub struct Header<'a>(&'a [AtomicU64; 8]);

/// What a joiner finds at the beginning of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// A bus of this version.
    Bus,
    /// Nothing yet: to be initialised.
    Nothing,
    /// Something else, or another version.
    Other,
}

impl<'a> Header<'a> {
    const MAGIC: usize = 0;
    const VERSION: usize = 1;
    const SLOTS: usize = 2;
    const RING: usize = 3;
    const ID: usize = 4;
    const USED: usize = 5;

    /// The header at the beginning of these words.
    pub fn of(words: &'a [AtomicU64]) -> Option<Header<'a>> {
        words.first_chunk().map(Header)
    }

    /// What this is.
    pub fn look(&self) -> Found {
        match self.0[Self::MAGIC].load(Ordering::Acquire) {
            MAGIC => {}
            0 => return Found::Nothing,
            _ => return Found::Other,
        }
        let is = |field: usize, wanted| self.0[field].load(Ordering::Relaxed) == wanted;
        let same = is(Self::VERSION, VERSION)
            && is(Self::SLOTS, SLOTS as u64)
            && is(Self::RING, RING as u64);
        if same { Found::Bus } else { Found::Other }
    }

    /// Whether it begins as a bus of any version does.
    pub fn has_magic(&self) -> bool {
        self.0[Self::MAGIC].load(Ordering::Acquire) == MAGIC
    }

    /// The version that the file says it has.
    pub fn version(&self) -> u64 {
        self.0[Self::VERSION].load(Ordering::Relaxed)
    }

    /// Makes it a bus. The magic number comes last, so that a creator that dies before has made
    /// nothing, and the next one begins again.
    pub fn create(&self, id: u64) {
        let put = |field: usize, value| self.0[field].store(value, Ordering::Relaxed);
        put(Self::VERSION, VERSION);
        put(Self::SLOTS, SLOTS as u64);
        put(Self::RING, RING as u64);
        put(Self::ID, id);
        put(Self::USED, 0);
        self.0[Self::MAGIC].store(MAGIC, Ordering::Release);
    }

    /// The number that tells this bus from one that is made in its place.
    pub fn id(&self) -> u64 {
        self.0[Self::ID].load(Ordering::Relaxed)
    }

    /// Slots that were ever taken.
    #[inline]
    pub fn used(&self) -> usize {
        let used = self.0[Self::USED].load(Ordering::Acquire);
        usize::try_from(used).map_or(SLOTS, |n| n.min(SLOTS))
    }

    /// From now on others look at slot `n`, for which the file has room.
    pub fn use_slot(&self, n: usize) {
        self.0[Self::USED].fetch_max(n as u64 + 1, Ordering::Release);
    }
}

/// One slot.
#[derive(Clone, Copy)]
pub struct Slot<'a> {
    control: &'a [AtomicU64; PAGE_WORDS],
    bell: &'a [AtomicU32; BELL_WORDS],
    ring: &'a [AtomicU64],
}

impl<'a> Slot<'a> {
    /// Counts the owners.
    pub fn generation(&self) -> &'a AtomicU64 {
        &self.control[0]
    }

    /// The owner's address and flags; see [`super::station`].
    #[inline]
    pub fn station(&self) -> &'a AtomicU64 {
        &self.control[1]
    }

    /// The owner's process, for people who look at the file.
    pub fn process(&self) -> &'a AtomicU64 {
        &self.control[2]
    }

    /// How the owner is told that somebody has something for it.
    #[inline]
    pub fn door(&self) -> super::door::Door<'a> {
        let pending = &self.control[16];
        super::door::Door { pending, bell: &self.bell[0], asleep: &self.bell[1] }
    }

    /// Frames that the owner lost: others overwrote them before it came.
    pub fn lost(&self) -> &'a AtomicU64 {
        &self.control[24]
    }

    /// Frames that `writer`, who alone writes this word, has sent to this slot.
    #[inline]
    pub fn sent_by(&self, writer: usize) -> &'a AtomicU64 {
        &self.control[64 + (writer & (SLOTS - 1))]
    }

    /// The frames that the owner sent.
    #[inline]
    pub fn ring(&self) -> super::ring::Ring<'a> {
        super::ring::Ring::new(&self.control[8], &self.control[9], &self.control[10], self.ring)
    }
}

//! A record of a ring: a frame, and what is known of it.
//!
//! [`HEADER`] words, then the frame's bytes, filled up with zeros to a whole word. The first word
//! repeats the record's position, so that a reader that is led astray notices.
//!
//! Locking: none; pure. Sources: none.

use core::num::NonZeroU16;

/// Words of a record before the frame.
pub const HEADER: usize = 5;
/// The shortest frame: an Ethernet header.
pub const FRAME_MIN: usize = 14;
/// The longest frame: the largest MTU behind an Ethernet header with a tag.
pub const FRAME_MAX: usize = 65_535 + 18;

/// Mixed into the position, so that a page of zeros is no record.
const TAG: u32 = 0x6d66_6275;

/// The checksum inside of the frame's IP packet is not filled in: a bit of the first word.
const BLANK: u32 = 1 << 31;
/// Where the size of segments is in the word of seconds, which leaves room for nine million years.
const SIZE_SHIFT: u32 = 48;
/// The smallest segments that a frame may stand for: what it is cut into would be many.
const SIZE_LEAST: NonZeroU16 = NonZeroU16::new(64).unwrap();
/// The seconds.
const SECONDS: u64 = (1 << SIZE_SHIFT) - 1;

/// What is left to do before a frame is as it would be on a wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Left {
    /// Nothing.
    #[default]
    Nothing,
    /// The checksum of what is inside of the IP packet.
    Checksum,
    /// And to cut its TCP segment into some of so many bytes of data.
    Segments(NonZeroU16),
}

/// What a record says of its frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// Bytes of the frame.
    pub len: usize,
    /// What is not as on a wire.
    pub left: Left,
    /// How many frames the ring held before this one.
    pub sequence: u64,
    /// The time of day at which it was sent: seconds.
    pub seconds: u64,
    /// And nanoseconds.
    pub nanoseconds: u32,
    /// The low bits of the generation of the slot that sent it.
    pub generation: u32,
    /// One bit for each member that it is for.
    pub targets: u64,
}

impl Record {
    /// Words that the record takes.
    pub fn words(&self) -> u64 {
        words(self.len)
    }

    /// The header of the record at `position`.
    pub fn encode(&self, position: u64) -> [u64; HEADER] {
        let (blank, size) = match self.left {
            Left::Nothing => (0, 0),
            Left::Checksum => (BLANK, 0),
            Left::Segments(size) => (BLANK, size.get()),
        };
        let first = self.len as u32 | blank;
        [
            u64::from(position as u32 ^ TAG) << 32 | u64::from(first),
            self.sequence,
            u64::from(size) << SIZE_SHIFT | (self.seconds & SECONDS),
            u64::from(self.generation) << 32 | u64::from(self.nanoseconds),
            self.targets,
        ]
    }

    /// Reads the header of the record at `position`; `None` if there is none.
    pub fn decode(position: u64, header: &[u64; HEADER]) -> Option<Record> {
        let [first, sequence, seconds, nanos, targets] = *header;
        let size = (seconds >> SIZE_SHIFT) as u16;
        let left = match NonZeroU16::new(size) {
            _ if first as u32 & BLANK == 0 => Left::Nothing,
            None => Left::Checksum,
            Some(size) => Left::Segments(size.max(SIZE_LEAST)),
        };
        Some(Record {
            len: frame_len(position, first)?,
            left,
            sequence,
            seconds: seconds & SECONDS,
            nanoseconds: nanos as u32,
            generation: (nanos >> 32) as u32,
            targets,
        })
    }
}

/// Words of the record of a frame of `len` bytes.
pub fn words(len: usize) -> u64 {
    (HEADER + len.div_ceil(8)) as u64
}

/// The length of the frame whose record begins with `first` at `position`.
pub fn frame_len(position: u64, first: u64) -> Option<usize> {
    let (tag, len) = ((first >> 32) as u32, (first as u32 & !BLANK) as usize);
    let whole = tag == position as u32 ^ TAG && (FRAME_MIN..=FRAME_MAX).contains(&len);
    whole.then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_encoding_at_its_place_only() {
        let record = Record {
            len: 98,
            left: Left::Segments(NonZeroU16::new(1448).unwrap()),
            sequence: u64::MAX,
            seconds: 1 << 40,
            nanoseconds: 999_999_999,
            generation: 7,
            targets: 0b101,
        };
        let position = u64::from(u32::MAX) - 1;
        let words = record.encode(position);
        assert_eq!(Record::decode(position, &words), Some(record));
        for left in [Left::Nothing, Left::Checksum] {
            let record = Record { left, ..record };
            assert_eq!(Record::decode(position, &record.encode(position)), Some(record));
        }
        let tiny = Record { left: Left::Segments(NonZeroU16::MIN), ..record }.encode(position);
        let left = Record::decode(position, &tiny).unwrap().left;
        assert_eq!(left, Left::Segments(SIZE_LEAST), "what it is cut into would be many");
        assert_eq!(Record::decode(position + 1, &words), None);
        assert_eq!(Record::decode(position, &[0; HEADER]), None);
    }

    #[test]
    fn lengths_are_bounded() {
        for (len, good) in [(0, false), (13, false), (14, true), (65_553, true), (65_554, false)] {
            let words = Record { len, ..Record::default() }.encode(9);
            assert_eq!(Record::decode(9, &words).is_some(), good, "{len}");
        }
    }
}

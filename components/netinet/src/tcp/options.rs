//! Options of a segment.
//!
//! * [`Options::parse`] takes any bytes: what is malformed ends the list, what is unknown is
//!   skipped.  * [`Options::emit`] writes them, padded to words.
//!
//! Locking: none; bytes only.
//! Sources: RFC 9293 §3.2, §3.7.1 (MSS); RFC 7323 §2.2, §3.2; RFC 2018 §2, §3.

use super::header::MAX_OPTIONS;
use super::seq::Seq;

const END: u8 = 0;
const NOP: u8 = 1;
const MSS: u8 = 2;
const SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// Bytes of the timestamps option, with what aligns it (RFC 7323, appendix A).
pub const TIMESTAMPS_LEN: usize = 12;
/// The most blocks that fit (RFC 2018 §3).
pub const MAX_BLOCKS: usize = 4;

/// The largest window scale (RFC 7323 §2.3).
pub const MAX_SCALE: u8 = 14;

/// A block that has arrived: from, and up to but not including.
pub type Block = (Seq, Seq);

/// The blocks of a SACK option.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Blocks {
    blocks: [Block; MAX_BLOCKS],
    len: u8,
}

impl Blocks {
    /// Adds a block; false if there is no room.
    pub fn push(&mut self, block: Block) -> bool {
        let Some(slot) = self.blocks.get_mut(usize::from(self.len)) else { return false };
        *slot = block;
        self.len += 1;
        true
    }

    /// All of them, in the option's order.
    pub fn as_slice(&self) -> &[Block] {
        self.blocks.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// What a segment's options say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// The largest segment that the sender takes, without headers.
    pub mss: Option<u16>,
    /// The sender's window scale.
    pub scale: Option<u8>,
    /// The sender takes SACK options.
    pub sack_permitted: bool,
    /// The sender's clock, and the last one it saw of ours.
    pub timestamps: Option<(u32, u32)>,
    /// What has arrived beyond the acknowledgment number.
    pub sack: Blocks,
}

impl Options {
    /// Reads options. RFC 9293 §3.2, MUST-6 and MUST-7: unknown ones are skipped, and no length
    /// can do harm; here the list ends at the first that makes no sense.
    pub fn parse(mut bytes: &[u8]) -> Options {
        let mut options = Options::default();
        loop {
            let Some((&kind, after)) = bytes.split_first() else { return options };
            match kind {
                END => return options,
                NOP => {
                    bytes = after;
                    continue;
                }
                _ => {}
            }
            let len = after.first().map_or(0, |n| usize::from(*n));
            let (Some(value), Some(rest)) = (bytes.get(2..len), bytes.get(len..)) else {
                return options;
            };
            options.take(kind, value);
            bytes = rest;
        }
    }

    fn take(&mut self, kind: u8, value: &[u8]) {
        match (kind, value) {
            (MSS, &[a, b]) => self.mss = Some(u16::from_be_bytes([a, b])),
            // RFC 7323 §2.3: more than 14 means 14.
            (SCALE, &[scale]) => self.scale = Some(scale.min(MAX_SCALE)),
            (SACK_PERMITTED, []) => self.sack_permitted = true,
            (TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => {
                let value = u32::from_be_bytes([a, b, c, d]);
                self.timestamps = Some((value, u32::from_be_bytes([e, f, g, h])));
            }
            (SACK, blocks) => {
                let (blocks, _) = blocks.as_chunks::<8>();
                for &[a, b, c, d, e, f, g, h] in blocks {
                    let from = Seq(u32::from_be_bytes([a, b, c, d]));
                    self.sack.push((from, Seq(u32::from_be_bytes([e, f, g, h]))));
                }
            }
            _ => {}
        }
    }

    /// Writes the options into `out`; says how many bytes, a multiple of four.
    pub fn emit(&self, out: &mut [u8; MAX_OPTIONS]) -> usize {
        let mut to = Writer { out, len: 0 };
        if let Some(mss) = self.mss {
            let [a, b] = mss.to_be_bytes();
            to.put(&[MSS, 4, a, b]);
        }
        if let Some(scale) = self.scale {
            to.put(&[NOP, SCALE, 3, scale]);
        }
        if self.sack_permitted {
            to.put(&[NOP, NOP, SACK_PERMITTED, 2]);
        }
        if let Some((value, echo)) = self.timestamps {
            to.put(&[NOP, NOP, TIMESTAMPS, 10]);
            to.put(&value.to_be_bytes());
            to.put(&echo.to_be_bytes());
        }
        let room = (MAX_OPTIONS - to.len).saturating_sub(4) / 8;
        let blocks = self.sack.as_slice();
        let blocks = blocks.get(..blocks.len().min(room)).unwrap_or_default();
        if !blocks.is_empty() {
            to.put(&[NOP, NOP, SACK, 2 + 8 * blocks.len() as u8]);
            for (from, end) in blocks {
                to.put(&from.0.to_be_bytes());
                to.put(&end.0.to_be_bytes());
            }
        }
        to.len
    }

    /// Bytes that [`Options::emit`] writes.
    pub fn len(&self) -> usize {
        self.emit(&mut [0; MAX_OPTIONS])
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Options::default()
    }
}

struct Writer<'a> {
    out: &'a mut [u8; MAX_OPTIONS],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(to) = self.out.get_mut(self.len..self.len + bytes.len()) {
            to.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn emitted(options: &Options) -> ([u8; MAX_OPTIONS], usize) {
        let mut out = [0; MAX_OPTIONS];
        let len = options.emit(&mut out);
        (out, len)
    }

    #[test]
    fn a_syns_options_there_and_back() {
        let options = Options {
            mss: Some(1460),
            scale: Some(7),
            sack_permitted: true,
            timestamps: Some((0x0102_0304, 0)),
            ..Options::default()
        };
        let (bytes, len) = emitted(&options);
        assert_eq!(len, 24);
        assert_eq!(bytes[..8], [2, 4, 5, 0xb4, 1, 3, 3, 7]);
        assert_eq!(Options::parse(&bytes[..len]), options);
    }

    #[test]
    fn rfc2018_3_three_blocks_beside_timestamps_four_without() {
        let mut options = Options::default();
        for i in 0..4 {
            assert!(options.sack.push((Seq(i * 10), Seq(i * 10 + 5))));
        }
        assert!(!options.sack.push((Seq(90), Seq(95))));
        let (bytes, len) = emitted(&options);
        assert_eq!(len, 36);
        assert_eq!(Options::parse(&bytes[..len]), options);
        options.timestamps = Some((1, 2));
        let (bytes, len) = emitted(&options);
        assert_eq!(len, 40);
        assert_eq!(Options::parse(&bytes[..len]).sack.as_slice(), &options.sack.as_slice()[..3]);
    }

    #[test]
    fn rfc9293_3_2_unknown_options_are_skipped_and_bad_lengths_end_the_list() {
        let known = |o: Options| (o.mss, o.sack_permitted);
        assert_eq!(known(Options::parse(&[99, 3, 0, 2, 4, 1, 0])), (Some(256), false));
        assert_eq!(known(Options::parse(&[99, 0, 2, 4, 1, 0])), (None, false));
        assert_eq!(known(Options::parse(&[99, 1, 2, 4, 1, 0])), (None, false));
        assert_eq!(known(Options::parse(&[2, 4, 1])), (None, false));
        assert_eq!(known(Options::parse(&[0, 2, 4, 1, 0])), (None, false));
        assert_eq!(known(Options::parse(&[2, 3, 1, 4, 2])), (None, true));
        assert_eq!(Options::parse(&[3, 3, 200]).scale, Some(14), "RFC 7323 §2.3");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_and_what_was_read_is_written(
            bytes in prop::collection::vec(any::<u8>(), 0..44)
        ) {
            let options = Options::parse(&bytes);
            let (out, len) = emitted(&options);
            prop_assert!(len <= MAX_OPTIONS && len % 4 == 0 && len == options.len());
            let again = Options::parse(&out[..len]);
            prop_assert_eq!((again.mss, again.scale), (options.mss, options.scale));
            prop_assert_eq!(again.timestamps, options.timestamps);
        }
    }
}

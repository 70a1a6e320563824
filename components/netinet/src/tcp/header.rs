//! The TCP header, and what a segment says.
//!
//! * [`TcpHeader::parse`] splits header, options and data; [`TcpHeader::segment`] says what they
//!   mean; [`TcpHeader::new`] and [`TcpHeader::set_checksum`] are the way back.
//! * [`Segment`] is a segment without its data: what comes into the core, and goes out of it.
//!
//! Locking: none; bytes only. Sources: RFC 9293 §3.1.

use bitflags::bitflags;
use zerocopy::byteorder::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::options::Options;
use super::seq::Seq;
use crate::checksum::Sum;
use crate::wire::Malformed;

/// Length of the header without options.
pub const HEADER_LEN: usize = 20;
/// The most that options can take.
pub const MAX_OPTIONS: usize = 40;

bitflags! {
    /// Control bits.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Control: u8 {
        /// No more data from the sender.
        const FIN = 1;
        /// The numbers begin here.
        const SYN = 2;
        /// There is no such connection.
        const RST = 4;
        /// The end of what was written.
        const PSH = 8;
        /// The acknowledgment number counts.
        const ACK = 0x10;
        /// The urgent pointer counts.
        const URG = 0x20;
        /// Congestion was experienced (RFC 3168).
        const ECE = 0x40;
        /// The congestion window was reduced.
        const CWR = 0x80;
    }
}

/// The header as it is on the wire.
#[derive(
    Clone, Copy, PartialEq, Eq, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned,
)]
#[repr(C)]
pub struct TcpHeader {
    src_port: U16,
    dst_port: U16,
    seq: U32,
    ack: U32,
    offset: u8,
    control: u8,
    window: U16,
    checksum: U16,
    urgent: U16,
}

/// A segment, without its data and its ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Segment {
    /// The number of its first byte, or of its SYN.
    pub seq: Seq,
    /// The number that its sender waits for, with [`Control::ACK`].
    pub ack: Seq,
    /// Control bits.
    pub control: Control,
    /// The window, as it is in the header.
    pub window: u16,
    /// The urgent pointer, with [`Control::URG`].
    pub urgent: u16,
    /// Options.
    pub options: Options,
    /// Bytes of data.
    pub len: u32,
    /// On the way out: what of the data goes into each packet, if it is more than one; else 0.
    pub gso_size: u16,
    /// The congestion bits of its IP header (RFC 3168 §5).
    pub ecn: u8,
}

impl Segment {
    /// Whether a control bit is set.
    #[inline]
    pub fn has(&self, bit: Control) -> bool {
        self.control.contains(bit)
    }

    /// Numbers that it takes: data, SYN and FIN (SEG.LEN of RFC 9293).
    #[inline]
    pub fn span(&self) -> u32 {
        let bit = |b| u32::from(self.has(b));
        self.len + bit(Control::SYN) + bit(Control::FIN)
    }

    /// The number after its last.
    #[inline]
    pub fn end(&self) -> Seq {
        self.seq + self.span()
    }
}

impl TcpHeader {
    /// Where the checksum is.
    pub const CHECKSUM_AT: usize = core::mem::offset_of!(Self, checksum);

    /// Splits the header and its options off `head`, the contiguous beginning of a segment of
    /// `total` bytes. `Truncated` also if the options are not all in `head`.
    pub fn parse(head: &[u8], total: usize) -> Result<(&Self, &[u8]), Malformed> {
        let (header, rest) = Self::ref_from_prefix(head).map_err(|_| Malformed::Truncated)?;
        let len = header.header_len();
        if len < HEADER_LEN {
            return Err(Malformed::Length);
        }
        if len > total {
            return Err(Malformed::Truncated);
        }
        let options = rest.get(..len - HEADER_LEN).ok_or(Malformed::Truncated)?;
        Ok((header, options))
    }

    /// Length with options, by the header's own account.
    pub fn header_len(&self) -> usize {
        usize::from(self.offset >> 4) * 4
    }

    /// Where it comes from.
    pub fn src_port(&self) -> u16 {
        self.src_port.get()
    }

    /// Where it goes.
    pub fn dst_port(&self) -> u16 {
        self.dst_port.get()
    }

    /// What it says, with options and `len` bytes of data.
    pub fn segment(&self, options: &[u8], len: usize) -> Segment {
        Segment {
            seq: Seq(self.seq.get()),
            ack: Seq(self.ack.get()),
            control: Control::from_bits_retain(self.control),
            window: self.window.get(),
            urgent: self.urgent.get(),
            options: Options::parse(options),
            len: u32::try_from(len).unwrap_or(u32::MAX),
            gso_size: 0,
            ecn: 0,
        }
    }

    /// A header that says `seg`, with options of `options_len` bytes; checksum zero.
    pub fn new(src_port: u16, dst_port: u16, seg: &Segment, options_len: usize) -> Self {
        let words = (HEADER_LEN + options_len.min(MAX_OPTIONS)).div_ceil(4);
        Self {
            src_port: U16::new(src_port),
            dst_port: U16::new(dst_port),
            seq: U32::new(seg.seq.0),
            ack: U32::new(if seg.has(Control::ACK) { seg.ack.0 } else { 0 }),
            offset: (words as u8) << 4,
            control: seg.control.bits(),
            window: U16::new(seg.window),
            checksum: U16::ZERO,
            urgent: U16::new(if seg.has(Control::URG) { seg.urgent } else { 0 }),
        }
    }

    /// The same for data that begins `n` bytes later.
    pub fn advance(&mut self, n: u32) {
        self.seq = U32::new(self.seq.get().wrapping_add(n));
    }

    /// Whether these control bits are set.
    pub fn has(&self, bits: Control) -> bool {
        self.control & bits.bits() == bits.bits()
    }

    /// Clears control bits.
    pub fn clear(&mut self, bits: Control) {
        self.control &= !bits.bits();
    }

    /// Computes the checksum; `rest` is the sum of options and data, `pseudo` that of the pseudo
    /// header.
    pub fn set_checksum(&mut self, pseudo: Sum, rest: Sum) {
        self.checksum = U16::ZERO;
        let mut sum = pseudo;
        sum.add(self.as_bytes());
        sum.append(rest);
        self.checksum = U16::new(sum.checksum());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9293_3_1_there_and_back() {
        let seg = Segment {
            seq: Seq(0x0102_0304),
            ack: Seq(0x0506_0708),
            control: Control::ACK | Control::PSH,
            window: 0x090a,
            len: 3,
            ..Segment::default()
        };
        let header = TcpHeader::new(5, 7, &seg, 0);
        let expected = [0, 5, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 9, 10, 0, 0, 0, 0];
        assert_eq!(header.as_bytes(), expected);
        let (again, options) = TcpHeader::parse(&expected, 23).unwrap();
        assert_eq!(again.segment(options, 3), seg);
        assert_eq!((again.src_port(), again.dst_port()), (5, 7));
    }

    #[test]
    fn rfc9293_3_1_an_offset_that_cannot_be_is_refused() {
        let mut bytes = [0; 24];
        bytes[12] = 0x40;
        assert_eq!(TcpHeader::parse(&bytes, 24).err(), Some(Malformed::Length));
        bytes[12] = 0x70;
        assert_eq!(TcpHeader::parse(&bytes, 28).err(), Some(Malformed::Truncated));
        assert_eq!(TcpHeader::parse(&bytes[..19], 19).err(), Some(Malformed::Truncated));
        bytes[12] = 0x60;
        assert!(TcpHeader::parse(&bytes, 24).is_ok());
        assert_eq!(TcpHeader::parse(&bytes, 23).err(), Some(Malformed::Truncated));
    }

    #[test]
    fn rfc9293_3_4_syn_and_fin_take_a_number() {
        let control = Control::SYN | Control::FIN;
        let seg = Segment { seq: Seq(u32::MAX), control, len: 2, ..Segment::default() };
        assert_eq!((seg.span(), seg.end()), (4, Seq(3)));
    }
}

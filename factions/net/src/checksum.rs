//! The Internet checksum.
//!
//! * [`Sum`] adds up bytes from any number of slices, of even or odd length, in any order that
//!   the caller can name: partial sums of two halves are joined by [`Sum::append`];
//! * [`update`] corrects a checksum for one changed word, without the rest of the header;
//! * [`pseudo`] starts the sum of UDP and TCP.
//!
//! The sum is kept in the machine's byte order, which only swaps the result (RFC 1071 §2 (B)).
//!
//! Locking: none.
//! Sources: RFC 1071; RFC 1624 (corrects RFC 1141); RFC 768 and RFC 9293 §3.1 (pseudo header).

use core::net::Ipv4Addr;

/// A partial one's complement sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    /// Not folded; in machine byte order.
    acc: u64,
    /// An odd number of bytes was added, so that the next slice starts in the middle of a word.
    odd: bool,
}

impl Sum {
    /// Of no bytes.
    pub const fn new() -> Self {
        Self { acc: 0, odd: false }
    }

    /// Of these bytes.
    #[inline]
    pub fn of(bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<4>();
        let mut acc = 0u64;
        for word in words {
            // Halves of a 64-bit accumulator cannot overflow below 16 GiB.
            acc = acc.wrapping_add(u64::from(u32::from_ne_bytes(*word)));
        }
        let mut tail = [0; 4];
        for (to, from) in tail.iter_mut().zip(rest) {
            *to = *from;
        }
        acc = acc.wrapping_add(u64::from(u32::from_ne_bytes(tail)));
        Self { acc, odd: !bytes.len().is_multiple_of(2) }
    }

    /// Of at most `len` bytes of these, which follow each other, from `skip` on: a part of a packet.
    pub fn of_pieces<'a>(
        pieces: impl Iterator<Item = &'a [u8]>,
        mut skip: usize,
        mut len: usize,
    ) -> Self {
        let mut sum = Self::new();
        for piece in pieces {
            let from = skip.min(piece.len());
            let n = (piece.len() - from).min(len);
            sum.append(Self::of(piece.get(from..from + n).unwrap_or_default()));
            skip -= from;
            len -= n;
        }
        sum
    }

    /// Adds the bytes that follow those added so far.
    #[inline]
    pub fn add(&mut self, bytes: &[u8]) {
        self.append(Self::of(bytes));
    }

    /// Adds a 16-bit field; only where an even number of bytes came before.
    #[inline]
    pub fn add_u16(&mut self, field: u16) {
        debug_assert!(!self.odd);
        self.acc = fold32(self.acc).wrapping_add(u64::from(field.to_be()));
    }

    /// Joins the sum of the bytes that follow.
    #[inline]
    pub fn append(&mut self, next: Sum) {
        let mut right = fold32(next.acc);
        if self.odd {
            // Each byte of `next` is in the other half of its word: RFC 1071 §2 (B).
            right = u64::from(fold16(right).swap_bytes());
        }
        self.acc = fold32(self.acc).wrapping_add(right);
        self.odd ^= next.odd;
    }

    /// The checksum to write into a header whose checksum field was zero when summed.
    #[inline]
    pub fn checksum(self) -> u16 {
        !self.folded()
    }

    /// The sum itself: what to write into such a field, so that somebody else sums it with the rest.
    #[inline]
    pub fn folded(self) -> u16 {
        u16::from_be(fold16(self.acc))
    }

    /// Whether a sum that includes the checksum field is right.
    #[inline]
    pub fn is_valid(self) -> bool {
        // One's complement has two zeros; all ones is what remains, or nothing was summed.
        fold16(self.acc) == 0xffff
    }
}

/// To at most 33 bits.
const fn fold32(acc: u64) -> u64 {
    (acc & 0xffff_ffff) + (acc >> 32)
}

const fn fold16(acc: u64) -> u16 {
    let acc = fold32(fold32(acc)) as u32;
    let acc = (acc & 0xffff) + (acc >> 16);
    ((acc & 0xffff) + (acc >> 16)) as u16
}

/// The sum of the pseudo header of UDP and TCP; `len` is that of header and payload.
pub fn pseudo(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: u16) -> Sum {
    let mut sum = Sum::of(&src.octets());
    sum.append(Sum::of(&dst.octets()));
    sum.add_u16(u16::from(protocol));
    sum.add_u16(len);
    sum
}

/// The checksum after one aligned 16-bit word of what it covers went from `old` to `new`.
#[inline]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    // RFC 1624 §3, equation 3: ~(~HC + ~m + m'). Equation 4 would get -0 wrong.
    !fold16((!checksum) as u64 + (!old) as u64 + new as u64)
}

#[cfg(test)]
mod tests;

//! A packet's bytes, piece by piece.

use super::Piece;

/// Iterates over the pieces of a packet, front to back; none of them is empty.
#[derive(Clone)]
pub struct Segments<'a> {
    head: &'a [u8],
    tail: core::slice::Iter<'a, Piece>,
}

impl<'a> Segments<'a> {
    pub(super) fn new(head: &'a [u8], tail: &'a [Piece]) -> Self {
        Self { head, tail: tail.iter() }
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if !self.head.is_empty() {
            return Some(core::mem::take(&mut self.head));
        }
        self.tail.by_ref().map(Piece::bytes).find(|b| !b.is_empty())
    }
}

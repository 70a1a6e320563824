//! The memory of a request: where data comes from or goes to.
//!
//! One direction, several pieces, consumed from the front.
//!
//! Locking: none. Sources: NetBSD uiomove(9).

/// Memory of a request, in pieces.
pub enum Uio<'a> {
    /// The kernel writes into it (a read).
    Into(&'a mut [&'a mut [u8]], Position),
    /// The kernel reads from it (a write).
    From(&'a [&'a [u8]], Position),
}

/// How far a request has come.
#[derive(Clone, Copy, Default, Debug)]
pub struct Position {
    piece: usize,
    offset: usize,
}

impl<'a> Uio<'a> {
    /// For a read into `pieces`.
    pub fn into(pieces: &'a mut [&'a mut [u8]]) -> Self {
        Uio::Into(pieces, Position::default())
    }

    /// For a write from `pieces`.
    pub fn from(pieces: &'a [&'a [u8]]) -> Self {
        Uio::From(pieces, Position::default())
    }

    /// Bytes that are left.
    pub fn remaining(&self) -> usize {
        let (total, at): (usize, &Position) = match self {
            Uio::Into(p, at) => (p.iter().skip(at.piece).map(|p| p.len()).sum(), at),
            Uio::From(p, at) => (p.iter().skip(at.piece).map(|p| p.len()).sum(), at),
        };
        total.saturating_sub(at.offset)
    }

    /// Copies from `data` into the request, as much as fits; says how much. Nothing is copied into
    /// a request that is a write.
    pub fn copy_in(&mut self, data: &[u8]) -> usize {
        let Uio::Into(pieces, at) = self else { return 0 };
        let mut done = 0;
        while let Some(piece) = pieces.get_mut(at.piece) {
            let room = piece.get_mut(at.offset..).unwrap_or_default();
            let rest = data.get(done..).unwrap_or_default();
            let n = room.len().min(rest.len());
            if let (Some(to), Some(from)) = (room.get_mut(..n), rest.get(..n)) {
                to.copy_from_slice(from);
            }
            done += n;
            at.offset += n;
            if done == data.len() {
                return done;
            }
            *at = Position { piece: at.piece + 1, offset: 0 };
        }
        done
    }

    /// Copies from the request into `out`, as much as there is; says how much.
    pub fn copy_out(&mut self, out: &mut [u8]) -> usize {
        let Uio::From(pieces, at) = self else { return 0 };
        let mut done = 0;
        while let Some(piece) = pieces.get(at.piece) {
            let rest = piece.get(at.offset..).unwrap_or_default();
            let room = out.get_mut(done..).unwrap_or_default();
            let n = room.len().min(rest.len());
            if let (Some(to), Some(from)) = (room.get_mut(..n), rest.get(..n)) {
                to.copy_from_slice(from);
            }
            done += n;
            at.offset += n;
            if done == out.len() {
                return done;
            }
            *at = Position { piece: at.piece + 1, offset: 0 };
        }
        done
    }

    /// Goes over at most `len` bytes of a write, of one piece, and gives them; nothing only at the
    /// end.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let Uio::From(pieces, at) = self else { return &[] };
        while let Some(piece) = pieces.get(at.piece) {
            let rest = piece.get(at.offset..).unwrap_or_default();
            if rest.is_empty() {
                *at = Position { piece: at.piece + 1, offset: 0 };
                continue;
            }
            let part = rest.get(..len.min(rest.len())).unwrap_or_default();
            at.offset += part.len();
            return part;
        }
        &[]
    }

    /// Goes `len` bytes on; says how far that was.
    pub fn skip(&mut self, len: usize) -> usize {
        let len = len.min(self.remaining());
        let mut left = len;
        while left > 0 {
            let (size, at) = match self {
                Uio::Into(p, at) => (p.get(at.piece).map_or(0, |p| p.len()), at),
                Uio::From(p, at) => (p.get(at.piece).map_or(0, |p| p.len()), at),
            };
            let step = left.min(size.saturating_sub(at.offset));
            left -= step;
            at.offset += step;
            if left > 0 {
                *at = Position { piece: at.piece + 1, offset: 0 };
            }
        }
        len
    }

    /// Where the request has come to, to go back there with [`Uio::rewind`].
    pub fn position(&self) -> Position {
        match self {
            Uio::Into(_, at) | Uio::From(_, at) => *at,
        }
    }

    /// Goes back to a position of this request.
    pub fn rewind(&mut self, to: Position) {
        match self {
            Uio::Into(_, at) | Uio::From(_, at) => *at = to,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_filled_in_order() {
        let (mut a, mut b) = ([0; 3], [0; 4]);
        let mut pieces = [&mut a[..], &mut b[..]];
        let mut uio = Uio::into(&mut pieces);
        assert_eq!(uio.remaining(), 7);
        assert_eq!(uio.copy_in(&[1, 2]), 2);
        assert_eq!(uio.copy_in(&[3, 4, 5, 6, 7, 8]), 5);
        assert_eq!(uio.remaining(), 0);
        assert_eq!((a, b), ([1, 2, 3], [4, 5, 6, 7]));
    }

    #[test]
    fn pieces_are_read_in_order_and_again() {
        let pieces = [&[1, 2, 3][..], &[][..], &[4, 5][..]];
        let mut uio = Uio::from(&pieces);
        let start = uio.position();
        let mut out = [0; 4];
        assert_eq!(uio.copy_out(&mut out), 4);
        assert_eq!(out, [1, 2, 3, 4]);
        assert_eq!(uio.remaining(), 1);
        uio.rewind(start);
        assert_eq!(uio.remaining(), 5);
        assert_eq!(uio.copy_in(&[9]), 0, "a write request takes nothing in");
        assert_eq!((uio.skip(4), uio.remaining()), (4, 1));
        assert_eq!((uio.skip(4), uio.remaining()), (1, 0));
    }
}

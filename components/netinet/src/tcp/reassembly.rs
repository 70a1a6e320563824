//! What arrived out of order, until what is missing comes.
//!
//! * [`Reassembly::insert`] takes a segment's data; what is there already stays, so that bytes
//!   once acknowledged by SACK do not change.
//! * [`Reassembly::next`] gives what continues the stream.
//! * [`Reassembly::blocks`] says what to put into a SACK option.
//!
//! Locking: none. Memory: the data is charged by itself, the list here; how many pieces there can
//! be is limited, since each costs more than its data.
//! Sources: RFC 9293 §3.10.7.4; RFC 2018 §4.

use alloc::sync::Arc;

use base::{Account, KDeque};

use super::Payload;
use super::options::{Block, Blocks};
use super::seq::Seq;

/// The most pieces held.
const MAX_PIECES: usize = 1024;

struct Piece<P> {
    seq: Seq,
    end: Seq,
    data: P,
    /// It ends the stream.
    fin: bool,
}

/// Data beyond what continues the stream.
pub struct Reassembly<P> {
    /// INVARIANT: in order, apart from each other; none is empty but for a FIN.
    pieces: KDeque<Piece<P>>,
    /// Bytes of memory that the data holds.
    cost: usize,
    /// Where the last piece came in: its block is reported first.
    latest: Seq,
    /// What arrived twice, to be reported (RFC 2883).
    duplicate: Option<Block>,
}

impl<P: Payload> Reassembly<P> {
    /// Holds nothing.
    pub fn new(account: &Arc<Account>) -> Self {
        let pieces = KDeque::in_account(account);
        Self { pieces, cost: 0, latest: Seq(0), duplicate: None }
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        while self.pieces.pop_front().is_some() {}
        self.pieces.shrink_if_empty();
        (self.cost, self.duplicate) = (0, None);
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes of memory that the data holds.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// Takes data that begins at `seq`, beyond what continues the stream. Dropped are parts that
    /// are there, and all of it if there is no room: it will be sent again. More than `limit` bytes
    /// of memory are not held.
    pub fn insert(&mut self, mut seq: Seq, mut data: P, mut fin: bool, limit: usize) {
        let whole = (seq, seq + data.len() as u32);
        let end = whole.1;
        self.latest = seq;
        let mut at = self.pieces.partition_point(|p| p.seq.le(seq));
        // The piece before may reach into it.
        if let Some(before) = at.checked_sub(1).and_then(|i| self.pieces.get(i)) {
            if before.fin && before.end.lt(end) {
                // Nothing comes after the end.
                return;
            }
            fin &= !before.fin;
            let overlap = before.end.after(seq);
            if overlap as usize >= data.len() && !(fin && overlap == 0) {
                if !data.is_empty() {
                    self.duplicate = Some(whole);
                }
                return;
            }
            data.trim_front(overlap as usize);
            seq += overlap;
        }
        // It may reach over pieces behind: gaps are filled one by one.
        loop {
            let next = self.pieces.get(at).map(|p| (p.seq, p.end, p.fin));
            let Some((next_seq, next_end, next_fin)) = next.filter(|n| n.0.lt(end)) else { break };
            let gap = next_seq.after(seq) as usize;
            let rest_from = next_end.after(seq) as usize;
            if gap == 0 {
                if rest_from >= data.len() || next_fin {
                    return;
                }
                data.trim_front(rest_from);
                seq = next_end;
                at += 1;
                continue;
            }
            let Some(rest) = data.split_off(gap) else { return };
            let filled = core::mem::replace(&mut data, rest);
            if !self.put(at, seq, filled, false, limit) {
                return;
            }
            at += 1;
            seq = next_seq;
        }
        if !data.is_empty() || fin {
            self.put(at, seq, data, fin, limit);
        }
    }

    fn put(&mut self, at: usize, seq: Seq, data: P, fin: bool, limit: usize) -> bool {
        let cost = data.cost();
        // An end before data that is here is none.
        let fin = fin && at == self.pieces.len();
        if data.is_empty() && !fin {
            return true;
        }
        if self.pieces.len() >= MAX_PIECES || self.cost.saturating_add(cost) > limit {
            return false;
        }
        let end = seq + data.len() as u32;
        let kept = self.pieces.insert(at, Piece { seq, end, data, fin }).is_ok();
        if kept {
            self.cost += cost;
        }
        kept
    }

    /// Takes what continues the stream at `from`, without what came before: data, and whether the
    /// stream ends with it.
    pub fn next(&mut self, from: Seq) -> Option<(P, bool)> {
        loop {
            let first = self.pieces.front().filter(|p| p.seq.le(from))?;
            let old = from.after(first.seq) as usize;
            let mut piece = self.pieces.pop_front()?;
            self.cost = self.cost.saturating_sub(piece.data.cost());
            self.pieces.shrink_if_empty();
            if old > piece.data.len() || (old == piece.data.len() && !piece.fin) {
                continue;
            }
            piece.data.trim_front(old);
            return Some((piece.data, piece.fin));
        }
    }

    /// Something came that was there already (RFC 2883 §4).
    pub fn note_duplicate(&mut self, block: Block) {
        self.duplicate = Some(block);
    }

    /// Whether there is something to report.
    pub fn has_blocks(&self) -> bool {
        !self.pieces.is_empty() || self.duplicate.is_some()
    }

    /// What to report: a duplicate once, then the block of the latest piece, then others (RFC 2018
    /// §4; those that were reported before would be better choices than the first ones).
    pub fn blocks(&mut self) -> Blocks {
        let mut out = Blocks::default();
        if let Some(block) = self.duplicate.take() {
            out.push(block);
        }
        let latest = self.latest;
        let mut first = None;
        self.each_block(&mut |block: Block| {
            let is_it = block.0.le(latest) && latest.lt(block.1);
            if is_it {
                first = Some(block);
            }
            !is_it
        });
        if let Some(block) = first {
            out.push(block);
        }
        self.each_block(&mut |block| Some(block) == first || out.push(block));
        out
    }

    /// Calls `each` with every block of touching pieces, until it says false.
    fn each_block(&self, each: &mut dyn FnMut(Block) -> bool) {
        let mut block: Option<Block> = None;
        for p in self.pieces.iter().filter(|p| p.seq != p.end) {
            match &mut block {
                Some((_, end)) if *end == p.seq => *end = p.end,
                Some(done) => {
                    if !each(*done) {
                        return;
                    }
                    block = Some((p.seq, p.end));
                }
                None => block = Some((p.seq, p.end)),
            }
        }
        if let Some(last) = block {
            each(last);
        }
    }

    /// What must hold.
    #[cfg(test)]
    pub fn check(&self) {
        let mut before: Option<&Piece<P>> = None;
        for p in self.pieces.iter() {
            assert_eq!(p.end, p.seq + p.data.len() as u32);
            assert!(!p.data.is_empty() || p.fin);
            if let Some(b) = before {
                assert!(b.end.le(p.seq) && !b.fin, "{b:?} {p:?}");
            }
            before = Some(p);
        }
        assert_eq!(self.cost, self.pieces.iter().map(|p| p.data.cost()).sum::<usize>());
    }
}

impl<P> core::fmt::Debug for Piece<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}..{}{}", self.seq.0, self.end.0, if self.fin { " fin" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reassembly() -> Reassembly<Vec<u8>> {
        Reassembly::new(&Account::standalone())
    }

    fn blocks(r: &mut Reassembly<Vec<u8>>) -> Vec<(u32, u32)> {
        r.blocks().as_slice().iter().map(|(a, b)| (a.0, b.0)).collect()
    }

    #[test]
    fn rfc2018_4_the_latest_block_is_first() {
        let mut r = reassembly();
        for (at, len) in [(10, 5), (30, 5), (20, 5), (15, 5)] {
            r.insert(Seq(at), vec![0; len], false, 1000);
            r.check();
        }
        assert_eq!(blocks(&mut r), [(10, 25), (30, 35)]);
        r.insert(Seq(32), vec![0; 2], false, 1000);
        assert_eq!(blocks(&mut r), [(32, 34), (30, 35), (10, 25)], "RFC 2883 §4.1");
        assert_eq!(blocks(&mut r), [(30, 35), (10, 25)], "a duplicate is reported once");
    }

    #[test]
    fn bytes_that_are_there_do_not_change() {
        let mut r = reassembly();
        r.insert(Seq(12), b"cd".to_vec(), false, 1000);
        r.insert(Seq(10), b"ABCDEF".to_vec(), false, 1000);
        r.check();
        let mut all = Vec::new();
        while let Some((data, _)) = r.next(Seq(10 + all.len() as u32)) {
            all.extend(data);
        }
        assert_eq!(all, b"ABcdEF");
        assert!(r.is_empty());
    }

    #[test]
    fn a_limit_is_kept() {
        let mut r = reassembly();
        r.insert(Seq(10), vec![0; 10], false, 15);
        r.insert(Seq(30), vec![0; 10], false, 15);
        assert_eq!((blocks(&mut r), r.cost()), (vec![(10, 20)], 10));
        for i in 0..2000 {
            r.insert(Seq(100 + 2 * i), vec![0], false, 1_000_000);
        }
        assert_eq!(r.cost(), 10 + MAX_PIECES - 1);
    }

    proptest! {
        #[test]
        fn whatever_comes_in_whatever_order_the_stream_comes_out(
            pieces in prop::collection::vec((0..60u32, 0..20usize), 0..80),
            start in any::<u32>(),
        ) {
            let base = Seq(start);
            let stream: Vec<u8> = (0..100).collect();
            let mut r = reassembly();
            let mut out: Vec<u8> = Vec::new();
            let whole = (0..100u32).step_by(7).map(|at| (at, 7));
            let mut ended = false;
            for (at, len) in pieces.into_iter().chain(whole) {
                let done = out.len() as u32;
                let from = at.max(done).min(100);
                let end = (at as usize + len).clamp(from as usize, 100);
                let fin = end == 100;
                if from as usize == end && !fin { continue; }
                r.insert(base + from, stream[from as usize..end].to_vec(), fin, 1 << 20);
                r.check();
                while let Some((data, fin)) = r.next(base + out.len() as u32) {
                    out.extend(data);
                    ended |= fin;
                }
            }
            prop_assert_eq!(out, stream);
            prop_assert!(ended && r.is_empty());
        }
    }
}

//! What was sent and not acknowledged: the retransmission queue, which is the SACK scoreboard too.
//!
//! * [`Board::sent`]: a segment goes out.  * [`Board::acknowledge`], [`Board::sack`]: what arrived.
//! * [`Board::next_lost`], [`Board::resent`]: what to send again.
//! * [`Board::pipe`]: how much is on its way (RFC 6675 §4, with marks instead of a count).
//!
//! A segment here may be several on the wire, of its `unit`. It is cut where part of it was lost or
//! has arrived, and when the way has become narrower. A SACK block counts for the units that it
//! covers whole: its borders are theirs, unless the peer means no good.
//!
//! Locking: none. Memory: charged; a segment that cannot be remembered is not sent.
//! Sources: RFC 6675 §3, §4; RFC 8985 §5.2.

use alloc::sync::Arc;

use base::{Account, KDeque};

use super::options::Block;
use super::seq::Seq;

/// The most segments on their way: 4 MiB of usual ones take 3000.
const MOST: usize = 8192;

/// A segment on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// Its first number.
    pub seq: Seq,
    /// The number after its last.
    pub end: Seq,
    /// What of it went into each packet.
    pub unit: u16,
    /// When it was last sent.
    pub at: u64,
    /// It was sent more than once.
    pub again: bool,
    /// The peer has it.
    pub sacked: bool,
    /// It was lost, and not sent again since.
    pub lost: bool,
}

impl Sent {
    /// Numbers that it takes.
    pub fn len(&self) -> u32 {
        self.end.after(self.seq)
    }

    /// Whether it takes none; no segment here does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The segments on their way.
pub struct Board {
    /// INVARIANT: in order, without gaps; none is empty.
    queue: KDeque<Sent>,
    total: u32,
    sacked: u32,
    lost: u32,
}

impl Board {
    /// Nothing sent.
    pub fn new(account: &Arc<Account>) -> Self {
        Self { queue: KDeque::in_account(account), total: 0, sacked: 0, lost: 0 }
    }

    /// Whether all is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Segments.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Bytes sent and not acknowledged.
    pub fn total(&self) -> u32 {
        self.total
    }

    /// Bytes of those that the peer has.
    pub fn sacked(&self) -> u32 {
        self.sacked
    }

    /// Bytes that were lost and not sent again.
    pub fn lost(&self) -> u32 {
        self.lost
    }

    /// Bytes that are, as far as one can tell, on their way.
    pub fn pipe(&self) -> u32 {
        self.total.saturating_sub(self.sacked).saturating_sub(self.lost)
    }

    /// The first segment.
    pub fn front(&self) -> Option<&Sent> {
        self.queue.front()
    }

    /// The last one.
    pub fn back(&self) -> Option<&Sent> {
        self.queue.back()
    }

    /// All, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Sent> {
        self.queue.iter()
    }

    /// A new segment goes out; false, and it must not, if there is no memory to remember it.
    /// It is in packets of `unit` bytes.
    pub fn sent(&mut self, seq: Seq, end: Seq, unit: u32, now: u64) -> bool {
        let unit = u16::try_from(unit).unwrap_or(u16::MAX).max(1);
        let new = Sent { seq, end, unit, at: now, again: false, sacked: false, lost: false };
        let kept = self.queue.push_back(new).is_ok();
        if kept {
            self.total = self.total.saturating_add(new.len());
        }
        kept
    }

    /// All before `ack` has arrived; `each` sees the segments of which that is news.
    pub fn acknowledge(&mut self, ack: Seq, each: &mut dyn FnMut(&Sent)) {
        while let Some(first) = self.queue.front_mut() {
            if first.end.le(ack) {
                let done = *first;
                self.queue.pop_front();
                self.forget(&done, done.len());
                if !done.sacked {
                    each(&done);
                }
                continue;
            }
            let part = ack.after(first.seq);
            if part > 0 {
                let done = Sent { end: ack, ..*first };
                first.seq = ack;
                self.forget(&done, part);
                if !done.sacked {
                    each(&done);
                }
            }
            break;
        }
        self.queue.shrink_if_empty();
    }

    fn forget(&mut self, sent: &Sent, len: u32) {
        self.total = self.total.saturating_sub(len);
        if sent.sacked {
            self.sacked = self.sacked.saturating_sub(len);
        }
        if sent.lost {
            self.lost = self.lost.saturating_sub(len);
        }
    }

    /// The peer has a block; `each` sees the segments of which that is news.
    pub fn sack(&mut self, (from, end): Block, each: &mut dyn FnMut(&Sent)) {
        let mut at = self.queue.partition_point(|s| s.end.le(from));
        if let Some(first) = self.queue.get(at) {
            // What the block does not begin with stays as it is.
            let before = from.after(first.seq).next_multiple_of(first.unit.into());
            at += usize::from(before > 0 && self.cut_unless_sacked(at, before));
        }
        while let Some(s) = self.queue.get(at) {
            if s.seq.lt(from) {
                at += 1;
                continue;
            }
            if s.end.gt(end) {
                let inside = end.after(s.seq) / u32::from(s.unit) * u32::from(s.unit);
                if inside == 0 || !self.cut_unless_sacked(at, inside) {
                    return;
                }
            }
            let Some(s) = self.queue.get_mut(at) else { return };
            at += 1;
            if s.sacked {
                continue;
            }
            s.sacked = true;
            let (len, was_lost) = (s.len(), core::mem::take(&mut s.lost));
            let news = *s;
            self.sacked += len;
            if was_lost {
                self.lost = self.lost.saturating_sub(len);
            }
            each(&news);
        }
    }

    /// Cuts a segment in two, if it is longer than that and there is a point in it.
    fn cut_unless_sacked(&mut self, at: usize, len: u32) -> bool {
        let worth = self.queue.get(at).is_some_and(|s| !s.sacked && s.len() > len);
        worth && !self.is_full() && self.cut(at, len)
    }

    /// Sees to it that the first segment is one packet, if there is memory for that.
    pub fn cut_first(&mut self) {
        if let Some(unit) = self.queue.front().map(|s| s.unit) {
            self.cut(0, unit.into());
        }
    }

    /// Whether one packet is on its way.
    pub fn is_one_packet(&self) -> bool {
        self.len() == 1 && self.front().is_some_and(|s| s.len() <= u32::from(s.unit))
    }

    /// Whether there is no place for more. A peer that takes tiny segments only, and reports every
    /// other one, would else make each acknowledgment long work (compare CVE-2019-11478).
    pub fn is_full(&self) -> bool {
        self.queue.len() >= MOST
    }

    /// Packets on their way.
    pub fn packets(&self) -> u32 {
        self.queue.iter().map(|s| s.len().div_ceil(s.unit.into())).sum()
    }

    /// Marks the segments that `is_lost` says, of those that the peer does not have and that are not
    /// marked; says whether there was one.
    pub fn mark_lost(&mut self, mut is_lost: impl FnMut(&Sent) -> bool) -> bool {
        let mut any = false;
        for s in self.queue.iter_mut().filter(|s| !s.sacked && !s.lost) {
            if is_lost(s) {
                s.lost = true;
                self.lost += s.end.after(s.seq);
                any = true;
            }
        }
        any
    }

    /// Forgets what the peer has said that it has: it may take it back (RFC 2018 §8).
    pub fn forget_sacks(&mut self) {
        self.queue.iter_mut().for_each(|s| s.sacked = false);
        self.sacked = 0;
    }

    /// Where the first lost segment is.
    pub fn next_lost(&self) -> Option<usize> {
        if self.lost == 0 {
            return None;
        }
        self.queue.iter().position(|s| s.lost)
    }

    /// The segment at a place.
    pub fn get(&self, at: usize) -> Option<&Sent> {
        self.queue.get(at)
    }

    /// Cuts the segment at a place, so that it is at most `len` long; false if there is no memory
    /// for its rest.
    pub fn cut(&mut self, at: usize, len: u32) -> bool {
        let Some(first) = self.queue.get_mut(at).filter(|s| s.len() > len.max(1)) else {
            return true;
        };
        let middle = first.seq + len.max(1);
        let rest = Sent { seq: middle, ..*first };
        if self.queue.insert(at + 1, rest).is_err() {
            return false;
        }
        if let Some(first) = self.queue.get_mut(at) {
            first.end = middle;
        }
        true
    }

    /// Cuts the segment at a place so that it can go out again as one packet of at most `room` bytes. What
    /// is left keeps the borders of its packets, which the peer may report.
    pub fn cut_packet(&mut self, at: usize, room: u32) -> bool {
        let Some(unit) = self.queue.get(at).map(|s| u32::from(s.unit)) else { return true };
        if !self.cut(at, unit) {
            return false;
        }
        let len = self.queue.get(at).map_or(0, Sent::len);
        if len <= room {
            return true;
        }
        if !self.cut(at, room) {
            return false;
        }
        // The way has become narrower: this packet is two now.
        for (at, len) in [(at, room), (at + 1, len - room)] {
            if let Some(s) = self.queue.get_mut(at) {
                s.unit = u16::try_from(len).unwrap_or(u16::MAX).max(1);
            }
        }
        true
    }

    /// The segment at a place goes out again.
    pub fn resent(&mut self, at: usize, now: u64) {
        let Some(s) = self.queue.get_mut(at) else { return };
        (s.at, s.again) = (now, true);
        if core::mem::take(&mut s.lost) {
            self.lost = self.lost.saturating_sub(s.end.after(s.seq));
        }
    }

    /// What must hold.
    #[cfg(test)]
    pub fn check(&self, una: Seq, nxt: Seq) {
        let (mut at, mut sacked, mut lost) = (una, 0, 0);
        for s in self.queue.iter() {
            assert_eq!(s.seq, at, "no gaps");
            assert!(!s.is_empty(), "none is empty");
            assert!(!s.sacked || !s.lost, "what has arrived is not lost");
            at = s.end;
            sacked += if s.sacked { s.len() } else { 0 };
            lost += if s.lost { s.len() } else { 0 };
        }
        assert_eq!(at, nxt, "all that was sent is remembered");
        assert_eq!((self.total, self.sacked, self.lost), (nxt.after(una), sacked, lost));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        let mut board = Board::new(&Account::standalone());
        (0..5).for_each(|i| assert!(board.sent(Seq(i * 10), Seq(i * 10 + 10), 10, i.into())));
        board
    }

    #[test]
    fn rfc6675_4_what_is_on_its_way() {
        let mut board = board();
        let mut seen = Vec::new();
        board.sack((Seq(20), Seq(40)), &mut |s| seen.push(s.seq.0));
        board.sack((Seq(20), Seq(40)), &mut |_| panic!("no news"));
        board.sack((Seq(41), Seq(49)), &mut |_| panic!("covers none"));
        assert_eq!(seen, [20, 30]);
        assert_eq!((board.total(), board.sacked(), board.pipe()), (50, 20, 30));
        assert!(board.mark_lost(|s| s.seq == Seq(0)));
        assert!(!board.mark_lost(|s| s.seq == Seq(0)), "once");
        assert_eq!((board.lost(), board.pipe()), (10, 20));
        assert_eq!(board.next_lost(), Some(0));
        board.resent(0, 9);
        assert_eq!((board.lost(), board.pipe(), board.next_lost()), (0, 30, None));
        board.check(Seq(0), Seq(50));
    }

    #[test]
    fn an_acknowledgment_may_end_inside_a_segment() {
        let mut board = board();
        board.mark_lost(|_| true);
        let mut seen = Vec::new();
        board.acknowledge(Seq(25), &mut |s| seen.push(s.seq.0));
        assert_eq!(seen, [0, 10, 20], "the first half of the third, too");
        assert_eq!((board.total(), board.lost()), (25, 25));
        board.check(Seq(25), Seq(50));
        board.acknowledge(Seq(50), &mut |_| {});
        assert!(board.is_empty());
    }

    #[test]
    fn a_block_covers_packets_of_a_segment() {
        let mut board = Board::new(&Account::standalone());
        assert!(board.sent(Seq(0), Seq(95), 10, 1) && board.sent(Seq(95), Seq(100), 10, 2));
        let mut seen = Vec::new();
        board.sack((Seq(20), Seq(40)), &mut |s| seen.push((s.seq.0, s.end.0)));
        // Its borders are not those of packets: only what is inside of it whole counts.
        board.sack((Seq(65), Seq(88)), &mut |s| seen.push((s.seq.0, s.end.0)));
        board.sack((Seq(41), Seq(49)), &mut |_| panic!("covers none"));
        assert_eq!(seen, [(20, 40), (70, 80)]);
        board.sack((Seq(80), Seq(100)), &mut |s| seen.push((s.seq.0, s.end.0)));
        assert_eq!(seen.get(2..), Some(&[(80, 95), (95, 100)][..]));
        board.check(Seq(0), Seq(100));
        assert_eq!(board.packets(), 2 + 2 + 3 + 1 + 2 + 1);
    }

    #[test]
    fn what_goes_out_again_leaves_the_borders_of_the_rest() {
        let mut board = Board::new(&Account::standalone());
        assert!(board.sent(Seq(0), Seq(45), 10, 1));
        assert!(board.cut_packet(0, 12) && board.cut_packet(1, 7));
        let borders: Vec<_> = board.iter().map(|s| (s.seq.0, s.end.0, s.unit)).collect();
        assert_eq!(borders, [(0, 10, 10), (10, 17, 7), (17, 20, 3), (20, 45, 10)]);
        let mut seen = Vec::new();
        board.sack((Seq(30), Seq(40)), &mut |s| seen.push((s.seq.0, s.end.0)));
        assert_eq!(seen, [(30, 40)]);
        board.check(Seq(0), Seq(45));
    }

    #[test]
    fn a_segment_is_cut_with_its_marks() {
        let mut board = board();
        board.mark_lost(|s| s.seq == Seq(10));
        assert!(board.cut(1, 4));
        let borders = |at| board.get(at).map(|s| (s.seq, s.end, s.lost));
        assert_eq!(borders(1), Some((Seq(10), Seq(14), true)));
        assert_eq!(borders(2), Some((Seq(14), Seq(20), true)));
        board.check(Seq(0), Seq(50));
    }
}

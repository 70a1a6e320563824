//! RACK: what was sent before something that has arrived, and has not arrived a little later, is
//! lost.
//!
//! * [`Rack::delivered`]: a segment has arrived.  * [`Rack::time_left`] says how long another one
//!   may still take.  * [`Rack::reordering_window`] is that little.
//!
//! Locking: none. Sources: RFC 8985 §6.2; RFC 2883 and 3708 (duplicates that were reported).

use super::board::Sent;
use super::rto::Rtt;
use super::seq::Seq;

/// Losses without which the window grows again (RFC 8985 §6.2 step 4).
const PERSIST: u8 = 16;
/// Segments beyond a hole that mean a loss where nothing was ever reordered (DupThresh).
const DUP_THRESHOLD: u32 = 3;

/// Its state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rack {
    /// When the latest segment to have arrived was sent, and its end.
    sent_at: u64,
    end: Seq,
    /// The round trip of that segment.
    rtt: u64,
    /// The highest number that has arrived.
    forward: Seq,
    started: bool,
    reordered: bool,
    multiplier: u8,
    persist: u8,
    /// Until when a reported duplicate has been counted.
    round: Option<Seq>,
}

impl Rack {
    /// A segment has arrived (steps 1 to 3). `echo_is_older`: the timestamp that came back is that of
    /// an earlier copy.
    pub fn delivered(&mut self, sent: &Sent, now: u64, smallest: u64, echo_is_older: bool) {
        let rtt = now.saturating_sub(sent.at);
        if !self.started {
            self.started = true;
            self.forward = sent.end;
            self.multiplier = 1;
        }
        // Step 3: it was passed by one that was sent later.
        if sent.end.gt(self.forward) {
            self.forward = sent.end;
        } else if sent.end.lt(self.forward) && !sent.again {
            self.reordered = true;
        }
        // Step 2: not if it was more likely the first copy that arrived.
        if sent.again && (echo_is_older || rtt < smallest) {
            return;
        }
        self.rtt = rtt;
        if sent_after((sent.at, sent.end), (self.sent_at, self.end)) {
            (self.sent_at, self.end) = (sent.at, sent.end);
        }
    }

    /// The peer has reported a duplicate: something was sent again that had not been lost.
    pub fn duplicate(&mut self, una: Seq, nxt: Seq) {
        if self.round.is_none_or(|round| una.ge(round)) {
            self.round = Some(nxt);
            self.multiplier = self.multiplier.saturating_add(1);
            self.persist = PERSIST;
        }
    }

    /// A loss has been repaired.
    pub fn repaired(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.multiplier = 1;
        }
    }

    /// How much later than others a segment may come (step 4). `sacked` is in segments.
    pub fn reordering_window(&self, rtt: &Rtt, repairing: bool, sacked: u32) -> u64 {
        if !self.reordered && (repairing || sacked >= DUP_THRESHOLD) {
            return 0;
        }
        let window = rtt.smallest() / 4 * u64::from(self.multiplier.max(1));
        window.min(rtt.smoothed().unwrap_or(0))
    }

    /// Whether a segment was sent before one that has arrived, and if so, how long it may still take
    /// (step 5): 0 means that it is lost.
    pub fn time_left(&self, sent: &Sent, window: u64, now: u64) -> Option<u64> {
        let before = self.started && sent_after((self.sent_at, self.end), (sent.at, sent.end));
        before.then(|| (sent.at + self.rtt + window).saturating_sub(now))
    }

    /// Whether it is lost now that the retransmission timer has expired (RFC 8985 §6.3).
    pub fn is_overdue(&self, sent: &Sent, window: u64, now: u64) -> bool {
        sent.at + self.rtt + window <= now
    }

    /// Whether a segment was ever seen to overtake another.
    pub fn has_reordered(&self) -> bool {
        self.reordered
    }
}

/// RACK_sent_after (RFC 8985 §6.2).
fn sent_after(a: (u64, Seq), b: (u64, Seq)) -> bool {
    a.0 > b.0 || (a.0 == b.0 && a.1.gt(b.1))
}

#[cfg(test)]
mod tests {
    use super::super::rto::MS;
    use super::*;

    fn sent(seq: u32, at: u64, again: bool) -> Sent {
        let (seq, end) = (Seq(seq), Seq(seq + 10));
        Sent { seq, end, unit: 10, at, again, sacked: false, lost: false }
    }

    fn rtt(smallest: u64) -> Rtt {
        let mut rtt = Rtt::new();
        rtt.sample(smallest, 0);
        rtt
    }

    #[test]
    fn rfc8985_6_2_step_5_what_was_sent_before_and_is_late_is_lost() {
        let mut rack = Rack::default();
        let rtt = rtt(100 * MS);
        rack.delivered(&sent(20, 2 * MS, false), 102 * MS, 100 * MS, false);
        let window = rack.reordering_window(&rtt, false, 1);
        assert_eq!(window, 25 * MS, "a quarter of the smallest round trip");
        let late = sent(0, 0, false);
        assert_eq!(rack.time_left(&late, window, 102 * MS), Some(23 * MS));
        assert_eq!(rack.time_left(&late, window, 125 * MS), Some(0));
        assert_eq!(rack.time_left(&sent(30, 2 * MS, false), window, 500 * MS), None, "sent later");
        assert_eq!(rack.reordering_window(&rtt, false, 3), 0, "three segments beyond the hole");
        assert_eq!(rack.reordering_window(&rtt, true, 0), 0);
    }

    #[test]
    fn rfc8985_6_2_step_3_reordering_is_noticed() {
        let mut rack = Rack::default();
        rack.delivered(&sent(20, 0, false), 9 * MS, 9 * MS, false);
        rack.delivered(&sent(0, 0, true), 9 * MS, 9 * MS, false);
        assert!(!rack.has_reordered(), "sent again: no wonder");
        rack.delivered(&sent(10, 0, false), 9 * MS, 9 * MS, false);
        assert!(rack.has_reordered());
        assert!(rack.reordering_window(&rtt(8 * MS), true, 9) > 0);
    }

    #[test]
    fn rfc8985_6_2_step_4_duplicates_widen_the_window_for_a_while() {
        let mut rack = Rack::default();
        rack.delivered(&sent(0, 0, false), 9, 9, false);
        rack.duplicate(Seq(10), Seq(50));
        rack.duplicate(Seq(20), Seq(60));
        let r = rtt(8 * MS);
        assert_eq!(rack.reordering_window(&r, false, 0), 4 * MS, "once a round");
        rack.duplicate(Seq(50), Seq(90));
        assert_eq!(rack.reordering_window(&r, false, 0), 6 * MS);
        (0..16).for_each(|_| rack.repaired());
        assert_eq!(rack.reordering_window(&r, false, 0), 2 * MS);
    }

    #[test]
    fn rfc8985_6_2_step_2_the_first_copy_may_have_arrived() {
        let mut rack = Rack::default();
        rack.delivered(&sent(0, 0, false), 100 * MS, 100 * MS, false);
        rack.delivered(&sent(10, 99 * MS, true), 100 * MS, 100 * MS, false);
        assert_eq!(rack.time_left(&sent(5, 50 * MS, false), 0, 0), None);
        rack.delivered(&sent(10, 99 * MS, true), 300 * MS, 100 * MS, true);
        assert_eq!(rack.time_left(&sent(5, 50 * MS, false), 0, 0), None);
        rack.delivered(&sent(10, 99 * MS, true), 300 * MS, 100 * MS, false);
        assert!(rack.time_left(&sent(5, 50 * MS, false), 0, 0).is_some());
    }
}

//! The largest segment that a path carries, found without a word from routers.
//!
//! A connection begins with what its interface carries. If full segments time out again and again, as
//! where a router drops what is too long and its ICMP error is lost, it goes down to a size that most
//! paths carry ([`PathMtu::fall`]), and then tries larger ones, one segment of its data at a time
//! ([`PathMtu::size`]): the middle between what has arrived and what has not. What arrives is the new
//! size; one that is lost goes again in pieces, and costs nothing of the congestion window.
//!
//! Sizes are of segments with their options, without both headers.
//!
//! Locking: none. Sources: RFC 4821 §5, §7; RFC 8899 §5; RFC 2923 §2.1 (black holes).

use super::congestion::Congestion;
use super::control::Mode;
use super::rto::SECOND;
use super::seq::Seq;
use super::{Payload, Tcb};

/// Where the search begins (RFC 4821 §7.2: 1024 bytes), and where it falls to if that fails.
const BASE: u16 = 1024;
const FLOOR: u16 = 536;
/// Timeouts of the same data that mean a black hole: this many before the present one.
const TIMEOUTS: u8 = 2;
/// Probes of one size before it is given up (RFC 8899 §5.1.2, MAX_PROBES).
const MAX_PROBES: u8 = 3;
/// The search ends when it knows the size as well as this, in bytes.
const EXACT: u16 = 16;
/// Then it waits so long before it looks whether more has become possible (RFC 8899 §5.1.1,
/// PMTU_RAISE_TIMER).
const RAISE: u64 = 600 * SECOND;

/// A probe on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Probe {
    seq: Seq,
    end: Seq,
    size: u16,
}

/// What is known of a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathMtu {
    /// Whether anything is done at all.
    on: bool,
    /// What interface, peer and routers allow.
    top: u16,
    /// No larger size is tried for now.
    high: u16,
    /// It fell, and has not found the top again.
    searching: bool,
    probe: Option<Probe>,
    failures: u8,
    /// Nothing is tried before.
    next: u64,
}

impl PathMtu {
    pub(super) const fn new(on: bool) -> Self {
        Self { on, top: 0, high: 0, searching: false, probe: None, failures: 0, next: 0 }
    }

    /// Both sides have said what they take, or a router has said what it takes.
    pub(super) fn allow(&mut self, top: u16) {
        (self.top, self.high) = (top, top);
        (self.searching, self.probe, self.failures) = (false, None, 0);
    }

    /// A full segment of `now_size` has timed out, after `timeouts` others: the size to fall to.
    fn fall(&mut self, now_size: u16, timeouts: u8) -> Option<u16> {
        if !self.on || timeouts < TIMEOUTS || now_size <= FLOOR {
            return None;
        }
        (self.high, self.searching) = (now_size - 1, true);
        (self.probe, self.failures, self.next) = (None, 0, 0);
        Some(if now_size > BASE { BASE } else { FLOOR })
    }

    /// The size to try now, where `low` is the present one.
    fn size(&mut self, low: u16, now: u64) -> Option<u16> {
        if !self.searching || self.probe.is_some() || now < self.next {
            return None;
        }
        if self.next > 0 {
            // The time has come to look again.
            (self.next, self.high) = (0, self.top);
        }
        if self.high < low.saturating_add(EXACT) {
            self.searching = low < self.top;
            self.next = now.saturating_add(RAISE);
            return None;
        }
        Some(low + (self.high - low).div_ceil(2))
    }

    /// It was lost.
    fn failed(&mut self, probe: Probe) {
        self.probe = None;
        self.failures += 1;
        if self.failures >= MAX_PROBES {
            (self.high, self.failures) = (probe.size - 1, 0);
        }
    }
}

impl<P: Payload> Tcb<P> {
    /// The retransmission timer has expired: perhaps the path does not carry such segments.
    pub(super) fn suspect_black_hole(&mut self, len: u32) {
        let full = len >= self.segment_data();
        if full
            && self.state.is_synchronized()
            && let Some(mss) = self.path.fall(self.snd.mss, self.rtt.backoffs())
        {
            self.set_segment(mss);
            self.black_holes = self.black_holes.saturating_add(1);
        }
    }

    /// How much data a probe has that may go now, of `unsent` bytes that the peer has room for.
    pub(super) fn probe_data(&mut self, unsent: u32, now: u64) -> Option<u32> {
        if self.mode != Mode::Open || self.snd.urgent.is_some() {
            return None;
        }
        let options = u32::from(self.snd.mss).saturating_sub(self.segment_data());
        let size = self.path.size(self.snd.mss, now)?;
        let len = u32::from(size).saturating_sub(options);
        let pipe = self.pipe();
        let fits = pipe == 0 || pipe.saturating_add(len) <= self.cc.window();
        (fits && len <= unsent).then_some(len)
    }

    /// That much data, from `seq` on, is such a probe.
    pub(super) fn probing(&mut self, seq: Seq, len: u32) {
        let options = u32::from(self.snd.mss).saturating_sub(self.segment_data());
        let size = u16::try_from(len + options).unwrap_or(u16::MAX);
        self.path.probe = Some(Probe { seq, end: seq + len, size });
    }

    /// Something goes again: if it is of the probe, that was too long, or was lost by chance.
    pub(super) fn probe_goes_again(&mut self, seq: Seq) {
        if let Some(probe) = self.path.probe.filter(|p| seq.ge(p.seq) && seq.lt(p.end)) {
            self.path.failed(probe);
        }
    }

    /// All before `ack` has arrived.
    pub(super) fn probe_arrived(&mut self, ack: Seq) {
        if let Some(probe) = self.path.probe.filter(|p| ack.ge(p.end)) {
            (self.path.probe, self.path.failures) = (None, 0);
            self.set_segment(probe.size.max(self.snd.mss));
        }
    }

    /// Whether nothing is lost but the probe: that says nothing of congestion (RFC 4821 §7.5.2).
    pub(super) fn only_probe_lost(&self) -> bool {
        let Some(probe) = self.path.probe else { return false };
        let first = self.board.next_lost().and_then(|at| self.board.get(at));
        first.is_some_and(|s| s.seq == probe.seq && s.len() == self.board.lost())
    }
}

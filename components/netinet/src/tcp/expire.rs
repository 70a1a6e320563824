//! What happens when a timer expires.
//!
//! Locking: none. Sources: RFC 6298 §5; RFC 8985 §6.3, §7.3; RFC 9293 §3.8.3 (giving up), §3.8.4
//! (keepalive), §3.8.6.1 (probes); RFC 2018 §8.

use super::congestion::Congestion;
use super::control::Mode;
use super::rto::SECOND;
use super::settings::Settings;
use super::state::{Failure, State};
use super::timers::Timer;
use super::{Payload, Tcb};

/// When a connection is given up whose peer does not answer (RFC 9293 §3.9.1, the user timeout), and
/// the making of one (§3.8.3: three minutes at least).
const GIVE_UP: u64 = 300 * SECOND;
const GIVE_UP_SYN: u64 = 180 * SECOND;
/// The longest time between probes for a window.
pub(super) const PERSIST_MAX: u64 = 60 * SECOND;

impl<P: Payload> Tcb<P> {
    /// When to call [`Tcb::expire`].
    pub fn deadline(&self) -> Option<u64> {
        self.timers.next()
    }

    /// The time has come, or another has.
    pub fn expire(&mut self, now: u64) {
        while let Some(timer) = self.timers.due(now) {
            match timer {
                Timer::Retransmit => self.retransmit(now),
                Timer::Probe => self.probe_tail(),
                Timer::Reorder => self.find_losses(now),
                Timer::Persist => self.persist(now),
                Timer::DelayedAck => self.wanted.ack = true,
                Timer::Keepalive => self.keepalive(now),
                Timer::Linger => self.finish(),
            }
        }
    }

    fn patience(&self) -> u64 {
        let syn = matches!(self.state, State::SynSent | State::SynReceived);
        self.settings.user_timeout.unwrap_or(if syn { GIVE_UP_SYN } else { GIVE_UP })
    }

    /// Starts the retransmission timer anew; it is not later than when the user gives up.
    pub(super) fn start_retransmit(&mut self, now: u64) {
        let end = self.snd.since.saturating_add(self.patience()).max(now + 1);
        self.timers.set(Timer::Retransmit, (now + self.rtt.timeout()).min(end));
    }

    pub(super) fn start_retransmit_unless_running(&mut self, now: u64) {
        if !self.timers.is_set(Timer::Retransmit) {
            self.start_retransmit(now);
        }
    }

    fn retransmit(&mut self, now: u64) {
        let Some(first) = self.board.front().copied() else { return };
        if now.saturating_sub(self.snd.since) >= self.patience() {
            return self.fail(Failure::TimedOut);
        }
        // RFC 5681 §3.1, equation 4: the threshold, once for this data.
        if self.rtt.backoffs() == 0 && self.state.is_synchronized() {
            self.cc.timed_out(self.board.total(), now);
        }
        self.suspect_black_hole(first.len());
        if first.sacked {
            // RFC 2018 §8: the peer has taken back what it said.
            self.board.forget_sacks();
        }
        let window = self.rack.reordering_window(&self.rtt, true, 0);
        let (rack, sack) = (&self.rack, self.sack);
        self.board.mark_lost(|s| !sack || s.seq == first.seq || rack.is_overdue(s, window, now));
        self.duplicates = 0;
        self.tail = None;
        self.timers.clear(Timer::Probe);
        self.timers.clear(Timer::Reorder);
        if self.state.is_synchronized() {
            self.mode = Mode::Loss(self.snd.nxt);
        }
        self.wanted.lost = true;
        self.rtt.back_off();
        self.start_retransmit(now);
    }

    /// RFC 8985 §7.3.
    fn probe_tail(&mut self) {
        if self.board.is_empty() || self.tail.is_some() || self.mode != Mode::Open {
            return;
        }
        let window = (self.snd.una + self.snd.window).after(self.snd.nxt);
        let new = self.snd.end.gt(self.snd.nxt) && window > 0;
        self.wanted.tail = Some(!new);
    }

    fn persist(&mut self, now: u64) {
        let waits = self.state.sends() && self.snd.end.gt(self.snd.nxt);
        if !waits && self.snd.nxt != self.snd.iss {
            return;
        }
        // §3.8.6.1: not while the peer answers.
        if self.probes > 0 && now.saturating_sub(self.heard) >= self.patience() {
            return self.fail(Failure::TimedOut);
        }
        // A small window is used now (§3.8.6.2.1, the override).
        self.wanted.small = true;
        if self.snd.window == 0 && self.snd.nxt != self.snd.iss {
            self.wanted.probe = true;
            self.probes = self.probes.saturating_add(1);
            self.persists = self.persists.saturating_add(1);
        }
    }

    fn keepalive(&mut self, now: u64) {
        let Settings { keepalive, keep_idle, keep_interval, keep_count, .. } = self.settings;
        if !keepalive || !self.state.is_synchronized() || self.state == State::TimeWait {
            return;
        }
        let quiet = now.saturating_sub(self.heard);
        if quiet < keep_idle || !self.board.is_empty() {
            // What is on its way is a probe by itself.
            let due = self.heard.saturating_add(keep_idle);
            let due = if quiet < keep_idle { due } else { now.saturating_add(keep_interval) };
            return self.timers.set(Timer::Keepalive, due);
        }
        let over = match self.settings.user_timeout {
            Some(limit) => self.probes > 0 && quiet >= keep_idle.saturating_add(limit),
            None => self.probes >= keep_count,
        };
        if over {
            return self.fail(Failure::TimedOut);
        }
        self.probes = self.probes.saturating_add(1);
        self.wanted.probe = true;
        self.timers.set(Timer::Keepalive, now.saturating_add(keep_interval));
    }
}

//! The timers of one connection.
//!
//! * [`Timers::set`], [`Timers::clear`], [`Timers::due`]; [`Timers::next`] is the earliest, which is
//!   all that a host hears of.
//!
//! Locking: none. Sources: RFC 9293 §3.8; NetBSD tcp_timer.h.

/// What a timer is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Timer {
    /// Sending again what was not acknowledged (RFC 6298).
    Retransmit,
    /// Probing for a loss of the last segments (RFC 8985 §7).
    Probe,
    /// Waiting for what may only have been reordered (RFC 8985 §6.2).
    Reorder,
    /// Asking for a window (RFC 9293 §3.8.6.1).
    Persist,
    /// Acknowledging what was not answered by data (RFC 9293 §3.8.6.3).
    DelayedAck,
    /// Asking whether the peer is there (RFC 9293 §3.8.4).
    Keepalive,
    /// The end of TIME-WAIT, or of waiting for a FIN that nobody would read.
    Linger,
}

const ALL: [Timer; 7] = [
    Timer::Reorder,
    Timer::Retransmit,
    Timer::Probe,
    Timer::Persist,
    Timer::DelayedAck,
    Timer::Keepalive,
    Timer::Linger,
];

const NEVER: u64 = u64::MAX;

/// When each is due.
#[derive(Clone, Copy, Debug)]
pub struct Timers([u64; ALL.len()]);

impl Timers {
    /// None is set.
    pub const fn new() -> Self {
        Self([NEVER; ALL.len()])
    }

    /// Sets a timer, whatever it was set to.
    pub fn set(&mut self, timer: Timer, due: u64) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = due;
        }
    }

    /// Sets a timer that is not set.
    pub fn start(&mut self, timer: Timer, due: u64) {
        if !self.is_set(timer) {
            self.set(timer, due);
        }
    }

    /// Takes one back.
    pub fn clear(&mut self, timer: Timer) {
        self.set(timer, NEVER);
    }

    /// When one is due.
    pub fn at(&self, timer: Timer) -> Option<u64> {
        self.0.get(timer as usize).copied().filter(|due| *due != NEVER)
    }

    /// Whether one is set.
    pub fn is_set(&self, timer: Timer) -> bool {
        self.at(timer).is_some()
    }

    /// Takes one that is due.
    pub fn due(&mut self, now: u64) -> Option<Timer> {
        let timer = ALL.into_iter().find(|t| self.at(*t).is_some_and(|due| due <= now))?;
        self.clear(timer);
        Some(timer)
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<u64> {
        self.0.iter().copied().min().filter(|due| *due != NEVER)
    }
}

impl Default for Timers {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_counts() {
        let mut timers = Timers::new();
        assert_eq!((timers.next(), timers.due(9)), (None, None));
        timers.set(Timer::Keepalive, 7);
        timers.set(Timer::Persist, 5);
        timers.start(Timer::Persist, 3);
        assert_eq!(timers.next(), Some(5));
        assert_eq!(timers.due(4), None);
        assert_eq!((timers.due(9), timers.due(9)), (Some(Timer::Persist), Some(Timer::Keepalive)));
        assert_eq!(timers.next(), None);
    }
}

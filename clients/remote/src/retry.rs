//! What a client does when its server is gone.
//!
//! Pure: the time is an argument.
//!
//! Locking: none. Sources: the book, appendix A (rumpclient_setconnretry) and section B.3.3; the
//! pauses and the messages are those of NetBSD lib/librumpclient/rumpclient.c.

use std::time::{Duration, Instant};

/// What a client does when its server is gone. After a reconnect it is a *new* process of the
/// kernel: it has no descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Retry {
    /// Nothing: calls fail with ENOTCONN.
    Never,
    /// One attempt to reconnect; if it fails, calls fail with ENOTCONN. The next call is another.
    #[default]
    Once,
    /// Attempts for so many seconds.
    Seconds(u32),
    /// Attempts for ever.
    #[doc(alias = "RUMPCLIENT_RETRYCONN_INFTIME")]
    Inftime,
    /// The program exits, with status 1: as soon as one of its calls finds the server gone.
    Die,
}

/// How often people are told.
const TELL: Duration = Duration::from_secs(120);

/// What people are told when there was more than one attempt, and one succeeded.
pub(crate) const RECONNECTED: &str = "reconnected!";

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Wait so long, and try.
    Try(Duration),
    /// ENOTCONN.
    GiveUp,
    /// Exit.
    Die,
}

/// Attempts to reconnect.
pub(crate) struct Attempts {
    retry: Retry,
    failed: u32,
    began: Instant,
    told: Instant,
}

impl Attempts {
    pub(crate) fn new(retry: Retry, now: Instant) -> Self {
        Self { retry, failed: 0, began: now, told: now }
    }

    /// What to say, if anything, and what to do then. To be called before each attempt.
    pub(crate) fn next(&mut self, now: Instant) -> (Option<&'static str>, Step) {
        let over = match self.retry {
            Retry::Never => true,
            Retry::Die => return (None, Step::Die),
            Retry::Once => self.failed > 0,
            Retry::Seconds(n) => now - self.began >= Duration::from_secs(n.into()),
            Retry::Inftime => false,
        };
        if over {
            return (None, Step::GiveUp);
        }
        let failed = self.failed;
        self.failed += 1;
        let line = match failed {
            0 => None,
            1 => {
                self.told = now;
                Some("connection to kernel lost, trying to reconnect ...")
            }
            _ if now - self.told >= TELL => {
                self.told = now;
                Some("still trying...")
            }
            _ => None,
        };
        let pause = match failed {
            0..10 => Duration::from_millis(100) * failed,
            _ => Duration::from_secs((failed - 9).min(10).into()),
        };
        (line, Step::Try(pause))
    }

    /// When the next attempt is given up: at `deadline`, or when the time of all of them is over.
    pub(crate) fn deadline(&self, deadline: Instant) -> Instant {
        match self.retry {
            Retry::Seconds(n) => deadline.min(self.began + Duration::from_secs(n.into())),
            _ => deadline,
        }
    }

    /// What to say after an attempt has succeeded.
    pub(crate) fn succeeded(&self) -> Option<&'static str> {
        (self.failed > 1).then_some(RECONNECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_once_and_die() {
        let now = Instant::now();
        assert_eq!(Attempts::new(Retry::Never, now).next(now), (None, Step::GiveUp));
        assert_eq!(Attempts::new(Retry::Die, now).next(now), (None, Step::Die));
        let mut once = Attempts::new(Retry::Once, now);
        assert_eq!(once.next(now), (None, Step::Try(Duration::ZERO)));
        assert_eq!(once.succeeded(), None, "the first attempt is silent");
        assert_eq!(once.next(now), (None, Step::GiveUp));
    }

    #[test]
    fn pauses_grow_and_people_are_told() {
        let mut now = Instant::now();
        let mut attempts = Attempts::new(Retry::Inftime, now);
        let (mut pauses, mut lines) = (Vec::new(), Vec::new());
        for _ in 0..40 {
            let (line, step) = attempts.next(now);
            lines.extend(line);
            let Step::Try(pause) = step else { panic!("{step:?}") };
            pauses.push(pause.as_millis());
            now += pause;
        }
        assert_eq!(pauses[..11], [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
        assert_eq!(pauses[11..21], [2, 3, 4, 5, 6, 7, 8, 9, 10, 10].map(|s| s * 1000));
        assert_eq!(lines[0], "connection to kernel lost, trying to reconnect ...");
        assert_eq!(lines[1..], ["still trying..."; 2]);
        assert_eq!(attempts.succeeded(), Some("reconnected!"));
    }

    #[test]
    fn seconds_end() {
        let now = Instant::now();
        let mut attempts = Attempts::new(Retry::Seconds(3), now);
        assert!(matches!(attempts.next(now).1, Step::Try(_)));
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(10));
        assert_eq!(attempts.deadline(soon), soon);
        assert_eq!(attempts.deadline(late), now + Duration::from_secs(3));
        assert_eq!(Attempts::new(Retry::Inftime, now).deadline(late), late);
        assert!(matches!(attempts.next(now + Duration::from_millis(2999)).1, Step::Try(_)));
        assert_eq!(attempts.next(now + Duration::from_secs(3)).1, Step::GiveUp);
    }
}

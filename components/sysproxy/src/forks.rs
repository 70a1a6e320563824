//! Processes that wait for a child of their owner's.
//!
//! Locking: a short spin lock; no process is released under it. Sources: the book, section 3.12.2.

use alloc::vec::Vec;
use core::time::Duration;

use base::{BoundLwp, Instant};
use wire::Cookie;

use crate::session::Trust;

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it may take when its parent has gone: one that was just forked is on its way.
const ORPHANED: Duration = Duration::from_secs(10);

/// The most that one session may have.
const MAX: usize = 16;

/// The most that all may have.
const MAX_ALL: usize = 1024;

/// The most that there may be when nobody asks for one more: the rest is the owner's.
const MAX_NOBODY: usize = MAX_ALL / 4 * 3;

struct Fork {
    cookie: Cookie,
    lwp: BoundLwp,
    owner: u64,
    until: Instant,
}

#[derive(Default)]
pub(crate) struct Forks(spin::Mutex<Vec<Fork>>);

/// The session has prepared as many as it may.
pub(crate) struct TooMany;

impl Forks {
    /// Keeps a process for the child of session `owner`.
    pub(crate) fn add(
        &self,
        owner: u64,
        trust: Trust,
        cookie: Cookie,
        lwp: BoundLwp,
        now: Instant,
    ) -> Result<(), TooMany> {
        let late = self.take_where(|f| f.until <= now);
        let mut forks = self.0.lock();
        let own = forks.iter().filter(|f| f.owner == owner).count();
        let all = if trust == Trust::Owner { MAX_ALL } else { MAX_NOBODY };
        let result = if own < MAX && forks.len() < all {
            // A handle, outside; its process is charged.
            forks.push(Fork { cookie, lwp, owner, until: now + PATIENCE });
            Ok(())
        } else {
            Err(TooMany)
        };
        drop(forks);
        drop(late);
        result
    }

    /// The process behind a cookie, once, in time.
    pub(crate) fn take(&self, cookie: &Cookie, now: Instant) -> Option<BoundLwp> {
        let found = self.take_where(|f| f.cookie == *cookie).pop()?;
        (found.until > now).then_some(found.lwp)
    }

    /// Session `owner` needs none of its own with this cookie.
    pub(crate) fn cancel(&self, owner: u64, cookie: &Cookie) {
        self.take_where(|f| f.owner == owner && f.cookie == *cookie);
    }

    /// Session `owner` has ended.
    pub(crate) fn orphan(&self, owner: u64, now: Instant) {
        let own = |f: &&mut Fork| f.owner == owner;
        self.0.lock().iter_mut().filter(own).for_each(|f| f.until = f.until.min(now + ORPHANED));
    }

    pub(crate) fn are_there(&self) -> bool {
        !self.0.lock().is_empty()
    }

    /// Ends those whose children did not come in time.
    pub(crate) fn expire(&self, now: Instant) {
        self.take_where(|f| f.until <= now);
    }

    fn take_where(&self, mut which: impl FnMut(&Fork) -> bool) -> Vec<Fork> {
        let mut forks = self.0.lock();
        forks.extract_if(.., |f| which(f)).collect()
    }
}

//! One timer per guest, in the pool, fired by whichever worker gets there first.
//!
//! * [`Timers::rearm`] of [`Linux`]: an idle worker is woken only if the new deadline is earlier
//!   than what it sleeps for.
//!
//! Locking: `pool`, for its time only; a guest is dropped after. Sources: none.

use std::sync::Arc;

use hypercall::{Guest, Instant, Timers};

use crate::Linux;
use crate::pool::Call;

impl Timers for Linux {
    fn rearm(&self, guest: &Arc<dyn Guest>, old: Option<Instant>, new: Option<Instant>) {
        if old.is_none() && new.is_none() {
            return;
        }
        let address = Arc::as_ptr(guest).addr();
        let dropped = self.shared.with_pool(|pool| {
            let before = old.and_then(|at| pool.timers.remove(&(at, address)));
            let Some(at) = new else { return ((before, None), Call::Nobody) };
            let kept = before.unwrap_or_else(|| guest.clone());
            let twice = pool.timers.insert((at, address), kept);
            ((None, twice), pool.call_keeper(at))
        });
        drop(dropped);
    }
}

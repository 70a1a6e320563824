//! Raising guests, and carrying what was raised locally.
//!
//! * `raise` queues for the workers. `raise_local` keeps the guest on the calling thread, which
//!   has promised to come back; half of a crowd goes to a worker that is free.
//! * `visit` is for threads outside of all kernels.  * `carry` visits up to 64 guests, or for 50 µs; the workers get the rest.
//!
//! Locking: `pool`, for its time only. Sources: none.

use core::sync::atomic::{Ordering, fence};
use core::time::Duration;
use std::sync::Arc;

use hypercall::{Carried, Guest, Interrupts, Offcpu};

use crate::clock::now;
use crate::shared::Enough;
use crate::{Linux, lane};

/// What a thread carries for others before it goes on with its own work.
const VISITS: u32 = 64;
const TIME: Duration = Duration::from_micros(50);

impl Interrupts for Linux {
    fn raise(&self, guest: Arc<dyn Guest>) {
        self.shared.raise([guest]);
    }

    #[inline]
    fn raise_local(&self, guest: Arc<dyn Guest>) {
        let mut guest = Some(guest);
        let _ = lane::with(&self.shared, |lane| {
            if let Some(guest) = guest.take() {
                lane.push(guest);
            }
            if lane.carrying() {
                // It waits behind the guest that is being visited.
                self.shared.watch_over(lane);
            } else {
                // Watched, in case this thread does not come back. As in `Shared::watch_over`.
                fence(Ordering::SeqCst);
                self.shared.watch.on(&self.shared);
            }
            self.shared.relieve(lane);
        });
        if let Some(guest) = guest {
            // A thread past its end has no lane.
            self.raise(guest);
        }
    }

    #[inline]
    fn visit(&self, proof: &Offcpu, guest: Arc<dyn Guest>) {
        let mut guest = Some(guest);
        // Not watched: this thread goes there at once.
        let _ = lane::with(&self.shared, |lane| guest.take().map(|guest| lane.push(guest)));
        match guest {
            Some(guest) => self.raise(guest),
            None => self.carry(proof),
        }
    }

    #[inline]
    fn carry(&self, _proof: &Offcpu) {
        let Some(lane) = lane::if_any(&self.shared).filter(|lane| !lane.is_empty()) else {
            return;
        };
        let (mut visits, mut until) = (0u32, None);
        self.shared.drain(&lane, |carried| {
            visits = visits.saturating_add(1);
            // A look at the clock costs as much as a short visit; a guest that used up its own
            // budget was a long one.
            let look = visits.is_multiple_of(8) || carried == Carried::Again;
            let late = match until {
                None => {
                    until = Some(now() + TIME);
                    false
                }
                Some(until) => look && now() >= until,
            };
            if late || visits >= VISITS { Enough::Yes } else { Enough::No }
        });
    }
}

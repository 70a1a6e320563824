//! A place on a bus, as the driver sees it.
//!
//! Locking: `listening`, for its time only. Sources: none.

use std::sync::{Arc, Mutex};

use rustix::process::getpid;
use rustix::thread::futex::{self, Flags};
use shmif::bus::Map;
use shmif::host::{Bell, FileError, Seat};

use crate::held;
use crate::open::Place;
use crate::waiter::{Listening, Waiters};

/// A place that was taken.
pub struct Taken {
    place: Arc<Place>,
    waiters: Arc<Waiters>,
    listening: Mutex<Option<Listening>>,
}

impl Taken {
    pub fn new(place: Place, waiters: Arc<Waiters>) -> Taken {
        Taken { place: Arc::new(place), waiters, listening: Mutex::default() }
    }
}

impl Seat for Taken {
    fn index(&self) -> usize {
        self.place.index
    }

    fn process(&self) -> u64 {
        u64::from(getpid().as_raw_nonzero().get().unsigned_abs())
    }

    fn map(&self) -> Map<'_> {
        self.place.mapping.map()
    }

    fn wake(&self, members: u64) {
        let (map, mut left) = (self.map(), members);
        while left != 0 {
            if let Some(slot) = map.slot(left.trailing_zeros() as usize) {
                // Not private: the sleeper is in another process. All who sleep there, so that
                // one who has just left takes nobody's turn.
                let _ = futex::wake(slot.door().bell(), Flags::empty(), i32::MAX.cast_unsigned());
            }
            left &= left - 1;
        }
    }

    fn listen(&self, bell: Arc<dyn Bell>) -> Result<(), FileError> {
        let listening = self.waiters.listen(self.place.clone(), bell)?;
        *held(&self.listening) = Some(listening);
        Ok(())
    }

    fn leave(&self) {
        let listening = held(&self.listening).take();
        drop(listening);
    }

    fn is_broken(&self) -> bool {
        self.place.mapping.is_broken()
    }
}

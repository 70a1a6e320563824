//! Who waits for frames: one thread for all devices of a host.
//!
//! The thread sleeps in epoll. When frames have come to a device it rings its bell, which raises a
//! line and carries the interrupt into the kernel on this very thread. Edge-triggered: a device is
//! told of once for frames that come while its kernel is taking some out.
//!
//! A device that goes away wakes the thread through an eventfd, which ends it if it was the last.
//!
//! Locking: `state`; not held while a bell rings or while the thread sleeps.
//! Sources: epoll(7), eventfd(2).

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, write};
use virtif::host::{Bell, Offcpu, OpenError};

use crate::held;

/// Devices told of in one go.
const BATCH: usize = 64;

/// The number of the eventfd; those of devices are larger.
const WAKE: u64 = 0;

/// The waiting thread of a host.
#[derive(Default)]
pub struct Waiter {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// There while the thread is.
    fds: Option<Arc<Fds>>,
    ears: BTreeMap<u64, Ear>,
    next: u64,
}

struct Fds {
    epoll: OwnedFd,
    wake: OwnedFd,
}

/// A device that listens.
struct Ear {
    file: Arc<File>,
    bell: Arc<dyn Bell>,
}

/// A device listens as long as this lives.
pub struct Listening {
    waiter: Arc<Waiter>,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut state = held(&self.waiter.state);
        let ear = state.ears.remove(&self.number);
        if let (Some(fds), Some(ear)) = (&state.fds, &ear) {
            let _ = epoll::delete(&fds.epoll, &*ear.file);
            fds.rouse();
        }
        drop(state);
    }
}

impl Fds {
    fn new() -> Result<Fds, Errno> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        Ok(Fds { epoll, wake })
    }

    /// Has the thread look whether there is still something to wait for.
    fn rouse(&self) {
        let _ = write(&self.wake, &1u64.to_ne_bytes());
    }
}

impl Waiter {
    /// Has `bell` rung whenever there are new frames to read from `file`, and once for those there.
    pub fn listen(
        self: &Arc<Self>,
        file: Arc<File>,
        bell: Arc<dyn Bell>,
    ) -> Result<Listening, OpenError> {
        let mut state = held(&self.state);
        let fds = match &state.fds {
            Some(fds) => fds.clone(),
            None => self.begin(&mut state)?,
        };
        state.next += 1;
        let number = state.next;
        // What is there already counts as new.
        let flags = EventFlags::IN | EventFlags::ET;
        let added = epoll::add(&fds.epoll, &*file, EventData::new_u64(number), flags);
        if added.is_err() {
            fds.rouse();
            return Err(OpenError::HostLimit);
        }
        state.ears.insert(number, Ear { file, bell });
        Ok(Listening { waiter: self.clone(), number })
    }

    /// Starts the thread.
    fn begin(self: &Arc<Self>, state: &mut State) -> Result<Arc<Fds>, OpenError> {
        let fds = Arc::new(Fds::new().map_err(|_| OpenError::HostLimit)?);
        let (waiter, theirs) = (self.clone(), fds.clone());
        linux::spawn_outside("virtif", move |proof| waiter.run(&theirs, proof))
            .map_err(|_| OpenError::HostLimit)?;
        state.fds = Some(fds.clone());
        Ok(fds)
    }

    /// The host is gone: the thread ends.
    pub fn end(&self) {
        let mut state = held(&self.state);
        let ears = core::mem::take(&mut state.ears);
        if let Some(fds) = &state.fds {
            fds.rouse();
        }
        drop(state);
        drop(ears);
    }

    fn run(&self, fds: &Fds, proof: &Offcpu) {
        let mut events: Vec<Event> = Vec::with_capacity(BATCH);
        loop {
            events.clear();
            match epoll::wait(&fds.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                // Nothing else can go wrong with descriptors of our own; never spin.
                Err(_) => return self.close(),
            }
            for event in &events {
                match event.data.u64() {
                    WAKE => {
                        let _ = read(&fds.wake, &mut [0; 8]);
                        if self.is_over() {
                            return;
                        }
                    }
                    number => self.ring(fds, number, proof),
                }
            }
        }
    }

    fn ring(&self, fds: &Fds, number: u64, proof: &Offcpu) {
        let bell = held(&self.state).ears.get(&number).map(|ear| ear.bell.clone());
        let Some(bell) = bell else { return };
        if !bell.ring(proof) {
            // The kernel is gone without having left.
            let mut state = held(&self.state);
            let ear = state.ears.remove(&number);
            if let Some(ear) = &ear {
                let _ = epoll::delete(&fds.epoll, &*ear.file);
            }
            fds.rouse();
            drop(state);
        }
    }

    /// Whether nobody listens any more; the next one who does starts another thread.
    fn is_over(&self) -> bool {
        let mut state = held(&self.state);
        let over = state.ears.is_empty();
        if over {
            state.fds = None;
        }
        over
    }

    fn close(&self) {
        let mut state = held(&self.state);
        state.fds = None;
        let ears = core::mem::take(&mut state.ears);
        drop(state);
        drop(ears);
    }
}

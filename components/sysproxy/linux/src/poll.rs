//! Waiting for any of many descriptors.
//!
//! Level-triggered: what was left unread is told again, so nobody need remember it.
//!
//! Locking: none. Sources: epoll(7).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// Descriptors told of in one go.
const BATCH: usize = 64;

/// Descriptors that are watched, each under a number.
pub(crate) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

/// What a descriptor is watched for, beside its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Interest {
    pub input: bool,
    pub output: bool,
}

impl Interest {
    /// That there is something to read.
    pub(crate) const INPUT: Interest = Interest { input: true, output: false };
    /// Nothing, for now.
    pub(crate) const NONE: Interest = Interest { input: false, output: false };

    fn flags(self) -> EventFlags {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, self.input);
        flags.set(EventFlags::OUT, self.output);
        flags
    }
}

/// What is to be told of a descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub number: u64,
    /// There is something to read, or the end.
    pub input: bool,
    pub output: bool,
    /// The other side is gone for good.
    pub hung_up: bool,
}

impl Poll {
    pub(crate) fn new() -> io::Result<Poll> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        Ok(Poll { epoll, events: Vec::with_capacity(BATCH) })
    }

    /// Watches `fd` until it is closed.
    pub(crate) fn add(&self, fd: impl AsFd, number: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, fd, EventData::new_u64(number), interest.flags())?)
    }

    /// Watches it for something else.
    pub(crate) fn change(&self, fd: impl AsFd, number: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.epoll, fd, EventData::new_u64(number), interest.flags())?)
    }

    /// Waits until there is something to tell, at most for `timeout`.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: t.subsec_nanos().into(),
        });
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// What there is to tell, one after another.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let event = self.events.pop()?;
        let (flags, number) = (event.flags, event.data.u64());
        Some(Told {
            number,
            input: flags.contains(EventFlags::IN),
            output: flags.contains(EventFlags::OUT),
            hung_up: flags.intersects(EventFlags::HUP | EventFlags::ERR),
        })
    }
}

//! Waiting for several descriptors of one client.
//!
//! Locking: none. Sources: POSIX poll.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use crate::numbers::call;
use crate::{Argument, Client, Descriptor};

/// What is waited for, and what holds: Linux's bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Events(pub u16);

impl Events {
    /// Something can be read.
    pub const IN: Events = Events(1);
    /// Something can be written.
    pub const OUT: Events = Events(4);
    /// An error waits; nobody has to ask.
    pub const ERR: Events = Events(8);
    /// The other side has gone; nobody has to ask.
    pub const HUP: Events = Events(16);
    /// There is no such descriptor; nobody has to ask.
    pub const NVAL: Events = Events(32);

    /// Whether all of `these` hold.
    pub fn contains(self, these: Events) -> bool {
        self.0 & these.0 == these.0
    }
}

impl std::ops::BitOr for Events {
    type Output = Events;

    fn bitor(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

/// A descriptor that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Poll<'a> {
    /// The descriptor.
    pub descriptor: &'a Descriptor,
    /// What is waited for.
    pub events: Events,
    /// What holds; filled in.
    pub ready: Events,
}

impl<'a> Poll<'a> {
    /// To wait for `events` on `descriptor`.
    pub fn new(descriptor: &'a Descriptor, events: Events) -> Self {
        Self { descriptor, events, ready: Events::default() }
    }
}

/// Waits until something holds of one of `these` at least, or for `timeout` (`None`: for ever);
/// says of how many. All have to be descriptors of `client`.
pub fn poll(
    client: &Client,
    these: &mut [Poll<'_>],
    timeout: Option<Duration>,
) -> io::Result<usize> {
    let mut raw = Vec::with_capacity(these.len() * 8);
    for poll in &*these {
        raw.extend(poll.descriptor.fd().to_ne_bytes());
        raw.extend(poll.events.0.to_ne_bytes());
        raw.extend([0; 2]);
    }
    let timeout = timeout.map_or(-1, |timeout| {
        // Rather a little longer than asked for than a busy loop.
        i32::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
    });
    let generation = these.first().map(|poll| poll.descriptor.generation());
    for Poll { descriptor, .. } in &*these {
        if !Arc::ptr_eq(&descriptor.client().shared, &client.shared) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "another client's descriptor"));
        }
        if Some(descriptor.generation()) != generation {
            return Err(Errno::NOTCONN.into());
        }
    }
    let mut arguments = [
        Argument::InOut(&mut raw),
        Argument::Value(these.len() as u64),
        Argument::Value(i64::from(timeout) as u64),
    ];
    let ready = client.call_of(generation, call::POLL, &mut arguments)?;
    for (poll, raw) in these.iter_mut().zip(raw.as_chunks::<8>().0) {
        let [.., r0, r1] = *raw;
        poll.ready = Events(u16::from_ne_bytes([r0, r1]));
    }
    crate::descriptor::within(ready, these.len())
}

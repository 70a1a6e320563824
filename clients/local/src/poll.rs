//! Waiting for several sockets of one kernel.
//!
//! Locking: none. Sources: POSIX poll.

use std::io;
use std::time::Duration;

use base::Kernel;
use base::file::Fd;
use base::file::poll::{self as kernel_poll, PollFd};
use base::wait::Events;

use crate::io_result;

/// A descriptor that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// The descriptor: `socket.fd()`.
    pub fd: Fd,
    /// What is waited for.
    pub events: Events,
    /// What holds; filled in.
    pub ready: Events,
}

impl Poll {
    /// To wait for `events` on `fd`.
    pub fn new(fd: Fd, events: Events) -> Self {
        Self { fd, events, ready: Events::empty() }
    }
}

/// Waits until something holds of one of `these` at least, or for `timeout` (`None`: for ever);
/// says of how many.
pub fn poll(kernel: &Kernel, these: &mut [Poll], timeout: Option<Duration>) -> io::Result<usize> {
    let ask = |p: &Poll| PollFd {
        fd: i32::try_from(p.fd).unwrap_or(i32::MAX),
        events: p.events,
        revents: Events::empty(),
    };
    let mut fds: Vec<PollFd> = these.iter().map(ask).collect();
    let ready = io_result(kernel.enter(|l| {
        let deadline = timeout.map(|t| l.now() + t);
        kernel_poll::poll(l, &mut fds, deadline)
    }))?;
    these.iter_mut().zip(&fds).for_each(|(p, fd)| p.ready = fd.revents);
    Ok(ready)
}

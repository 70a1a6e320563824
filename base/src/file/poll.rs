//! poll(2): waiting for several files.
//!
//! Locking: none held across a sleep. Sources: POSIX poll; NetBSD sys_select.c.

use hypercall::Instant;
use smallvec::SmallVec;

use super::{Fd, File, parked};
use crate::vm::KArc;
use crate::wait::{Events, Unslept};
use crate::{Errno, Lwp};

/// One descriptor that is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PollFd {
    /// The descriptor; a negative one is passed over.
    pub fd: i32,
    /// What is waited for.
    pub events: Events,
    /// What holds; filled in.
    pub revents: Events,
}

/// Waits until something that is asked for holds of at least one of `fds`, or until `deadline`
/// (none: for ever; one that has passed: looks and returns). Says how many have something.
pub fn poll(
    l: &mut Lwp<'_>,
    fds: &mut [PollFd],
    deadline: Option<Instant>,
) -> Result<usize, Errno> {
    let files: SmallVec<[Option<KArc<File>>; 8]> = fds
        .iter()
        .map(|p| Fd::try_from(p.fd).ok().and_then(|fd| l.proc().fds().get(l, fd).ok()))
        .collect();
    if l.makes_attempt() {
        return attempt(l, fds, &files, deadline);
    }
    loop {
        let ready = scan(l, fds, &files);
        if ready > 0 || deadline.is_some_and(|d| d <= l.now()) {
            return Ok(ready);
        }
        let slept = wait(l, fds, &files, deadline)?;
        match slept {
            Ok(()) => {}
            Err(Unslept::TimedOut) => return Ok(scan(l, fds, &files)),
            Err(e) => {
                let ready = scan(l, fds, &files);
                return if ready > 0 && e == Unslept::Interrupted {
                    Ok(ready)
                } else {
                    Err(e.into())
                };
            }
        }
    }
}

/// The same for a request, which does not sleep.
fn attempt(
    l: &mut Lwp<'_>,
    fds: &mut [PollFd],
    files: &[Option<KArc<File>>],
    deadline: Option<Instant>,
) -> Result<usize, Errno> {
    let ready = scan(l, fds, files);
    if ready > 0 {
        return Ok(ready);
    }
    let asked: SmallVec<[Events; 8]> = fds.iter().map(|p| p.events).collect();
    let on = files.iter().zip(asked).filter_map(|(f, events)| Some((f.clone()?, events)));
    let waited = parked::park_looking(l, on, deadline, |l| match scan(l, fds, files) {
        0 => Err(Errno::WouldBlock),
        ready => Ok(ready),
    });
    match waited {
        Err(Errno::WouldBlock) => Ok(0),
        done => done,
    }
}

fn scan(l: &Lwp<'_>, fds: &mut [PollFd], files: &[Option<KArc<File>>]) -> usize {
    let mut ready = 0;
    for (p, file) in fds.iter_mut().zip(files) {
        p.revents = match file {
            _ if p.fd < 0 => Events::empty(),
            Some(f) => f.ops().poll(l, p.events | Events::ERR | Events::HUP),
            None => Events::NVAL,
        };
        ready += usize::from(!p.revents.is_empty());
    }
    ready
}

/// Sleeps on all queues at once. The outer error is "no memory for that".
fn wait(
    l: &mut Lwp<'_>,
    fds: &mut [PollFd],
    files: &[Option<KArc<File>>],
    deadline: Option<Instant>,
) -> Result<Result<(), Unslept>, Errno> {
    let waiter = l.waiter();
    waiter.arm();
    let mut added = Ok(());
    for (p, file) in fds.iter().zip(files) {
        if let Some(f) = file {
            added = added.and(f.ops().queue().add_looker(l, waiter, p.events));
        }
    }
    // Once more, now that nothing can happen unheard.
    let slept = match added {
        Ok(()) if scan(l, fds, files) == 0 => l.sleep(deadline, true),
        _ => Ok(()),
    };
    for f in files.iter().flatten() {
        f.ops().queue().remove(l, waiter);
    }
    added?;
    Ok(slept)
}

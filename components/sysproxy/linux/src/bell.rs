//! How the kernel makes itself heard by the thread that serves: calls that can be made again, and
//! the kernel's end.
//!
//! Told from any thread, with locks of the kernel held, so nothing here blocks. The system call
//! that wakes the thread is spent only while it sleeps: it says that it is about to, then looks
//! for news once more; who has news leaves it, then looks whether the thread sleeps. Between the
//! two steps of each is a fence, so one of them sees the other.
//!
//! Locking: `told`, for a push or a swap. Sources: eventfd(2).

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};

use rustix::event::{EventfdFlags, eventfd};
use sysproxy::Wake;

/// Wakes the thread that serves; what [`sysproxy::Service::new`] takes.
pub struct Bell {
    /// Sessions that have calls to be made again.
    told: spin::Mutex<Vec<u64>>,
    halted: AtomicBool,
    gone: AtomicBool,
    /// The thread sleeps, or is about to.
    asleep: AtomicBool,
    event: OwnedFd,
}

impl Bell {
    /// A bell; it costs a descriptor.
    pub fn new() -> io::Result<Arc<Bell>> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(Bell {
            told: spin::Mutex::default(),
            halted: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            asleep: AtomicBool::new(false),
            event,
        }))
    }

    /// Whether the kernel is to end.
    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    /// Whether the kernel has ended.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The sessions that were told since the last time, into `to`, which is empty.
    pub(crate) fn take(&self, to: &mut Vec<u64>) {
        std::mem::swap(&mut *self.told.lock(), to);
    }

    /// The thread is about to sleep; whether it may. It says when it is awake again.
    pub(crate) fn doze(&self) -> bool {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        self.told.lock().is_empty() && !self.is_halted() && !self.is_gone()
    }

    /// The thread is awake.
    pub(crate) fn rise(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// Takes the ring off the descriptor.
    pub(crate) fn quiet(&self) {
        // Nothing to take is as well.
        let _ = rustix::io::read(&self.event, &mut [0; 8]);
    }

    fn ring(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            // It can only fail because it rings already.
            let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }
}

impl Wake for Bell {
    fn wake(&self, session: u64) {
        self.told.lock().push(session);
        self.ring();
    }

    fn halt(&self) {
        self.halted.store(true, Ordering::Release);
        self.ring();
    }

    fn gone(&self) {
        self.gone.store(true, Ordering::Release);
        self.ring();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rings(bell: &Bell) -> bool {
        rustix::io::read(&bell.event, &mut [0; 8]).is_ok()
    }

    #[test]
    fn a_thread_that_is_awake_costs_no_system_call() {
        let bell = Bell::new().unwrap();
        bell.wake(7);
        assert!(!rings(&bell));
        assert!(!bell.doze(), "there is news");
        bell.rise();
        let mut told = Vec::new();
        bell.take(&mut told);
        assert_eq!(told, [7]);
    }

    #[test]
    fn one_that_sleeps_is_woken_once() {
        let bell = Bell::new().unwrap();
        assert!(bell.doze());
        bell.wake(1);
        bell.wake(2);
        assert!(rings(&bell) && !rings(&bell));
        bell.rise();
        assert!(!bell.doze());
    }

    #[test]
    fn no_news_is_lost() {
        let bell = Bell::new().unwrap();
        let theirs = bell.clone();
        const MANY: u64 = 20_000;
        let teller = std::thread::spawn(move || (0..MANY).for_each(|i| theirs.wake(i)));
        let (mut told, mut count) = (Vec::new(), 0);
        while count < MANY {
            bell.take(&mut told);
            count += told.drain(..).count() as u64;
            if count < MANY && bell.doze() {
                let mut fds =
                    [rustix::event::PollFd::new(&bell.event, rustix::event::PollFlags::IN)];
                let patience = rustix::event::Timespec { tv_sec: 20, tv_nsec: 0 };
                assert_eq!(rustix::event::poll(&mut fds, Some(&patience)), Ok(1), "at {count}");
                bell.quiet();
            }
            bell.rise();
        }
        teller.join().unwrap();
    }
}

//! Waiting on a word and waking: futexes.
//!
//! A thread that is about to sleep carries what it raised, looking at its word between two guests,
//! and then looks a little longer (`spin`). A waker spends no system call when nobody of this host
//! sleeps: often the thread that a kernel wakes is the one that is carrying, and awake. What a visit
//! to a kernel wakes is woken when the visit is over and the kernel's virtual CPU free.
//!
//! Locking: none. Sources: futex(2).

use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU32, Ordering, fence};

use hypercall::{Instant, Offcpu, Parking, Wakeup};
use rustix::io::Errno;
use rustix::thread::futex::{self, Flags};

use crate::clock::{now, timespec};
use crate::shared::Enough;
use crate::{Linux, lane, spin};

/// Counts of the threads that sleep, or are about to, by a hash of their word's address.
///
/// INVARIANT: a thread counts itself before the kernel compares its word, and a waker looks after
/// it changed the word; with both sequentially consistent, either the waker sees the sleeper or
/// the sleeper sees the change.
#[derive(Default)]
pub struct Blocked([Bucket; 16]);

/// A cache line of its own, so that unrelated words do not disturb each other.
#[derive(Default)]
#[repr(align(64))]
struct Bucket(AtomicU32);

impl Blocked {
    fn of(&self, word: &AtomicU32) -> &AtomicU32 {
        // Words of one kernel are a cache line or so apart: bits 6 to 9 tell most of them apart.
        let hash = core::ptr::from_ref(word).addr() >> 6;
        let [first, ..] = &self.0;
        &self.0.get(hash & 15).unwrap_or(first).0
    }
}

/// Blocks while `word` holds `expected`, until woken or `deadline`. `false` if it passed.
pub fn block(word: &AtomicU32, expected: u32, deadline: Option<Instant>) -> bool {
    let deadline = deadline.map(timespec);
    // This futex operation takes the deadline as an absolute time, so that an early return for
    // no reason cannot stretch it.
    let r = futex::wait_bitset(word, Flags::PRIVATE, expected, deadline.as_ref(), NonZeroU32::MAX);
    !matches!(r, Err(Errno::TIMEDOUT))
}

/// Wakes up to `count` threads blocked on `word`. An address that is gone is no error: whoever
/// slept there went on by itself.
pub fn unblock(word: &AtomicU32, count: u32) {
    // The system call takes a signed count.
    let _ = futex::wake(word, Flags::PRIVATE, count.min(i32::MAX.cast_unsigned()));
}

/// The same for a word of which only the address is known: it may be gone.
#[allow(unsafe_code)] // JUSTIFICATION: rustix wants a reference, which there may be none to
pub fn unblock_at(word: *const AtomicU32, count: u32) {
    let count = count.min(i32::MAX.cast_unsigned());
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the system takes the address as a name, and looks at no memory of ours.
    unsafe { libc::syscall(libc::SYS_futex, word, operation, count) };
}

/// Visits that a thread makes after what it waited for has come. To call a worker for what little is
/// left (an acknowledgment, say) costs more than to do it.
const FAREWELL: u32 = 8;

impl Parking for Linux {
    fn wait(
        &self,
        _proof: &Offcpu,
        word: &AtomicU32,
        expected: u32,
        deadline: Option<Instant>,
    ) -> Wakeup {
        if let Some(lane) = lane::if_any(&self.shared) {
            lane.wake_deferred();
            let (mut visits, mut over, mut more) = (0u32, false, FAREWELL);
            while !over && (!lane.is_empty() || self.shared.take_back(&lane)) {
                self.shared.drain(&lane, |_| {
                    visits = visits.wrapping_add(1);
                    // A look at the clock costs as much as a short visit.
                    let late = visits.is_multiple_of(16) && deadline.is_some_and(|d| now() >= d);
                    more -= u32::from(word.load(Ordering::Relaxed) != expected);
                    over = late || more == 0;
                    if over { Enough::Yes } else { Enough::No }
                });
                over |= word.load(Ordering::Relaxed) != expected;
            }
        }
        if word.load(Ordering::Acquire) != expected {
            return Wakeup::Woken;
        }
        if spin::until_changed(word, expected, deadline) {
            word.load(Ordering::Acquire);
            return Wakeup::Woken;
        }
        let blocked = self.blocked.of(word);
        blocked.fetch_add(1, Ordering::SeqCst);
        let in_time = block(word, expected, deadline);
        blocked.fetch_sub(1, Ordering::Relaxed);
        // What the waker did before it changed the word is visible from here on.
        word.load(Ordering::Acquire);
        if in_time { Wakeup::Woken } else { Wakeup::TimedOut }
    }

    #[inline]
    fn wake(&self, word: &AtomicU32, count: u32) {
        fence(Ordering::SeqCst);
        if self.blocked.of(word).load(Ordering::Relaxed) != 0
            && !lane::defer(&self.shared, word, count)
        {
            unblock(word, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use hypercall::Clock;

    fn proof() -> Offcpu {
        Offcpu::scheduler_only()
    }

    #[test]
    fn a_word_that_changed_does_not_block() {
        let host = Linux::new();
        let word = AtomicU32::new(1);
        assert_eq!(host.wait(&proof(), &word, 0, None), Wakeup::Woken);
    }

    #[test]
    fn a_deadline_ends_a_wait_and_not_before_its_time() {
        let host = Linux::new();
        let word = AtomicU32::new(0);
        let deadline = host.now() + Duration::from_millis(5);
        while host.wait(&proof(), &word, 0, Some(deadline)) != Wakeup::TimedOut {}
        assert!(host.now() >= deadline);
        assert_eq!(host.wait(&proof(), &word, 0, Some(Instant::default())), Wakeup::TimedOut);
    }

    #[test]
    fn no_wake_up_is_lost() {
        let host = Linux::new();
        let turn = AtomicU32::new(0);
        std::thread::scope(|s| {
            for me in 0..2 {
                let (host, turn) = (&host, &turn);
                s.spawn(move || {
                    for _ in 0..5_000 {
                        while turn.load(Ordering::Acquire) != me {
                            host.wait(&proof(), turn, 1 - me, None);
                        }
                        turn.store(1 - me, Ordering::Release);
                        host.wake(turn, 1);
                    }
                });
            }
        });
    }
}

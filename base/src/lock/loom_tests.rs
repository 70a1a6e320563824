//! Models of waiting, and of the locks that sleep, for the model checker.
//!
//! * [`Room`] is what waiters share: a queue as [`WaitQueue`](crate::wait::WaitQueue) has it, and
//!   the state that they wait for. [`Visitor`] is one of them. The order of the steps, the words
//!   and the lock states are the kernel's own.
//! * Each model ends only if nobody sleeps for ever: the checker reports a deadlock otherwise.
//!
//! Locking: the checker's mutexes. Sources: the book, section 3.5; futex(2).

use core::cell::Cell;
use std::vec::Vec;

use hypercall::Instant;
use hypercall::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::loom_host::{Futex, check};
use super::raw_mutex::RawMutex;
use super::rwlock::State;
use crate::Errno;
use crate::sched::offcpu::outside;
use crate::wait::word::{Ended, WaitWord};
use crate::wait::{Site, Unslept, wait_at};

struct Room {
    host: Futex,
    queue: Mutex<Vec<Arc<WaitWord>>>,
    /// As the kernel's: those to be woken at its end.
    sleepers: Mutex<Vec<Arc<WaitWord>>>,
    closing: AtomicBool,
    /// What is waited for: a model uses one of these.
    raw: RawMutex,
    rw: Mutex<State>,
    tokens: AtomicU32,
    inside: UnsafeCell<u32>,
}

impl Room {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            host: Futex::new(),
            queue: Mutex::new(Vec::new()),
            sleepers: Mutex::new(Vec::new()),
            closing: AtomicBool::new(false),
            raw: RawMutex::new(),
            rw: Mutex::new(State::default()),
            tokens: AtomicU32::new(0),
            inside: UnsafeCell::new(0),
        })
    }

    fn wake(&self) {
        for word in self.queue.lock().unwrap().iter() {
            if word.fire() {
                word.wake(&self.host);
            }
        }
    }

    fn wake_one(&self) {
        let queue = self.queue.lock().unwrap();
        if let Some(word) = queue.iter().find(|w| w.is_armed())
            && word.fire()
        {
            word.wake(&self.host);
        }
    }

    /// What needs the lock: the checker refuses two threads at once.
    fn work(&self) {
        // SAFETY: the caller has the lock; the checker sees to it that this is so.
        self.inside.with_mut(|n| unsafe { *n += 1 });
    }

    fn worked(&self) -> u32 {
        // SAFETY: the caller has the lock, shared or not, or all threads have ended.
        self.inside.with(|n| unsafe { *n })
    }

    fn give_token(&self) {
        self.tokens.fetch_add(1, Ordering::Release);
        self.wake_one();
    }

    fn take_token(&self) -> bool {
        let less = |n: u32| n.checked_sub(1);
        self.tokens.fetch_update(Ordering::Acquire, Ordering::Relaxed, less).is_ok()
    }

    /// The kernel's end.
    fn close(&self) {
        self.closing.store(true, Ordering::Release);
        for word in self.sleepers.lock().unwrap().iter() {
            word.end(&self.host);
        }
    }
}

struct Visitor {
    room: Arc<Room>,
    word: Arc<WaitWord>,
    deadline: Option<Instant>,
    interruptible: bool,
    /// An interruption that was put off.
    interrupted: bool,
}

impl Visitor {
    fn new(room: &Arc<Room>) -> Self {
        Self {
            room: room.clone(),
            word: Arc::new(WaitWord::new()),
            deadline: None,
            interruptible: true,
            interrupted: false,
        }
    }

    fn with_deadline(mut self) -> Self {
        self.deadline = Some(Instant::from_nanos(1));
        self
    }

    fn uninterruptible(mut self) -> Self {
        self.interruptible = false;
        self
    }

    fn wait(&mut self, ready: impl Fn(&Room) -> bool) -> Result<(), Errno> {
        wait_at(self, |v| if ready(&v.room) { Ok(()) } else { Err(Errno::WouldBlock) })
    }

    /// As `Mutex::with`.
    fn with_mutex(&mut self) {
        if !self.room.raw.try_take(false) {
            self.wait(|r| r.raw.take_after_wait(false)).unwrap();
        }
        self.room.work();
        if self.room.raw.give_back(false) {
            self.room.wake_one();
        }
    }

    /// As `RwLock::read`.
    fn read(&mut self) -> u32 {
        self.wait(|r| r.rw.lock().unwrap().try_read()).unwrap();
        let seen = self.room.worked();
        self.room.rw.lock().unwrap().end_read();
        self.room.wake();
        seen
    }

    /// As `RwLock::write`.
    fn write(&mut self) {
        self.room.rw.lock().unwrap().announce_write();
        self.wait(|r| r.rw.lock().unwrap().try_write()).unwrap();
        self.room.rw.lock().unwrap().unannounce_write();
        self.room.work();
        self.room.rw.lock().unwrap().end_write();
        self.room.wake();
    }

    /// Interruptions that were neither reported nor are to come.
    fn has_interruption(&self) -> bool {
        self.interrupted || self.word.ended(hypercall::Wakeup::Woken) == Ended::Interrupted
    }
}

impl Site for Visitor {
    fn join(&mut self) -> Result<(), Errno> {
        self.word.arm();
        self.room.queue.lock().unwrap().push(self.word.clone());
        Ok(())
    }

    /// As `Lwp::sleep`, without the CPU.
    fn sleep(&mut self) -> Result<(), Unslept> {
        let (room, word) = (&self.room, &self.word);
        room.sleepers.lock().unwrap().push(word.clone());
        let closing = || room.closing.load(Ordering::Acquire);
        let woken = word.sleep(&room.host, &outside(), self.deadline, closing);
        room.sleepers.lock().unwrap().retain(|w| !Arc::ptr_eq(w, word));
        if closing() {
            return Err(Unslept::Gone);
        }
        match word.ended(woken) {
            Ended::Fired => Ok(()),
            Ended::TimedOut => Err(Unslept::TimedOut),
            Ended::Interrupted if self.interruptible => Err(Unslept::Interrupted),
            Ended::Interrupted => {
                self.interrupted = true;
                Ok(())
            }
        }
    }

    fn leave(&mut self) {
        self.room.queue.lock().unwrap().retain(|w| !Arc::ptr_eq(w, &self.word));
    }

    fn hand_on(&mut self) {
        if !self.word.is_armed() {
            self.room.wake_one();
        }
    }
}

/// Starts `part` as a visitor on a thread of its own.
fn spawn<R: 'static>(
    visitor: Visitor,
    part: impl FnOnce(&mut Visitor) -> R + 'static,
) -> thread::JoinHandle<R> {
    thread::spawn(move || {
        let mut visitor = visitor;
        part(&mut visitor)
    })
}

/// The model's own thread takes the mutex `first` times, each of `others` threads once.
fn exclusion(first: u32, others: u32, preemptions: Option<usize>) {
    check(preemptions, move || {
        let room = Room::new();
        let threads: Vec<_> =
            (0..others).map(|_| spawn(Visitor::new(&room), Visitor::with_mutex)).collect();
        let mut own = Visitor::new(&room);
        (0..first).for_each(|_| own.with_mutex());
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(room.worked(), first + others);
        assert!(room.raw.try_take(false), "given back by all");
        assert!(room.queue.lock().unwrap().is_empty());
    });
}

#[test]
fn a_mutex_of_two_threads_excludes_and_wakes() {
    exclusion(1, 1, None);
}

/// The lock may be given back and taken again between any two steps of the one that waits. The
/// model has nothing but this, so that it can be explored in whole: the holder has the lock from
/// the beginning, and the one that waits has made its first attempt.
#[test]
fn a_mutex_that_is_taken_again_at_once_still_wakes_who_waits() {
    check(None, || {
        let room = Room::new();
        assert!(room.raw.try_take(false));
        let waiter = spawn(Visitor::new(&room), |v| {
            let attempts = Cell::new(0);
            let got = v.wait(|r| attempts.replace(1) > 0 && r.raw.take_after_wait(false));
            assert_eq!(got, Ok(()));
            v.room.work();
            v.room.raw.give_back(false);
        });
        let give_back = || {
            room.work();
            if room.raw.give_back(false) {
                room.wake_one();
            }
        };
        give_back();
        if room.raw.try_take(false) {
            give_back();
        }
        waiter.join().unwrap();
        assert!(room.raw.try_take(false), "given back by all");
    });
}

#[test]
fn a_mutex_of_three_threads_excludes_and_wakes() {
    exclusion(1, 2, Some(3));
}

#[test]
fn an_interruption_does_not_disturb_a_mutex_and_is_kept() {
    check(Some(3), || {
        let room = Room::new();
        let own = Visitor::new(&room).uninterruptible();
        let word = own.word.clone();
        let thread = spawn(own, |v| {
            v.with_mutex();
            v.with_mutex();
            v.has_interruption()
        });
        let other = spawn(Visitor::new(&room), Visitor::with_mutex);
        word.interrupt(&room.host);
        let told = thread.join().unwrap();
        other.join().unwrap();
        assert!(told || word.ended(hypercall::Wakeup::Woken) == Ended::Interrupted);
        assert_eq!(room.worked(), 3);
    });
}

#[test]
fn an_event_between_the_look_and_the_sleep_is_seen() {
    check(None, || {
        let room = Room::new();
        let waiter = spawn(Visitor::new(&room), |v| v.wait(Room::take_token));
        room.tokens.fetch_add(1, Ordering::Relaxed);
        room.wake();
        assert_eq!(waiter.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_deadline_and_an_event_at_once_lose_nothing() {
    check(Some(4), || {
        let room = Room::new();
        let waiter = spawn(Visitor::new(&room).with_deadline(), |v| v.wait(Room::take_token));
        let clock = {
            let room = room.clone();
            thread::spawn(move || room.host.pass_deadlines())
        };
        room.give_token();
        clock.join().unwrap();
        let got = waiter.join().unwrap();
        assert!(matches!(got, Ok(()) | Err(Errno::WouldBlock)));
        assert_eq!(got.is_err(), room.take_token(), "taken, or still there");
    });
}

/// Two events, each told to one waiter: they must not both be told to the same.
#[test]
fn a_waiter_that_needs_no_wake_up_hands_it_on() {
    check(Some(3), || {
        let room = Room::new();
        let waiters = [(); 2].map(|()| spawn(Visitor::new(&room), |v| v.wait(Room::take_token)));
        room.give_token();
        room.give_token();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Ok(()));
        }
    });
}

/// One waiter may be taken out by `cause`; the other must get its event all the same. Who is
/// taken out, or has the token first, gives it back if it got it.
fn taken_out(visitor: fn(&Arc<Room>) -> Visitor, cause: fn(&Room, &WaitWord)) {
    check(Some(3), move || {
        let room = Room::new();
        let fickle = visitor(&room);
        let word = fickle.word.clone();
        let fickle = spawn(fickle, |v| {
            if v.wait(Room::take_token).is_ok() {
                v.room.give_token();
            }
        });
        let steady = spawn(Visitor::new(&room), |v| v.wait(Room::take_token));
        room.give_token();
        cause(&room, &word);
        assert_eq!(steady.join().unwrap(), Ok(()));
        // The other may still wait: the token is gone for good.
        word.interrupt(&room.host);
        fickle.join().unwrap();
    });
}

/// One waiter fails as soon as it has waited, whatever there is.
#[test]
fn a_waiter_that_fails_swallows_no_wake_up() {
    check(Some(3), || {
        let room = Room::new();
        let failing = Visitor::new(&room);
        let word = failing.word.clone();
        let failing = spawn(failing, |v| {
            let mut attempts = 0;
            wait_at(v, |_| {
                attempts += 1;
                // The first one, and the one that follows its joining, find nothing.
                Err::<(), _>(if attempts > 2 { Errno::NoMemory } else { Errno::WouldBlock })
            })
        });
        let steady = spawn(Visitor::new(&room), |v| v.wait(Room::take_token));
        room.give_token();
        assert_eq!(steady.join().unwrap(), Ok(()));
        // The other may wait still: it was perhaps never told.
        word.interrupt(&room.host);
        assert_eq!(failing.join().unwrap(), Err(Errno::NoMemory));
    });
}

#[test]
fn a_waiter_whose_deadline_passes_swallows_no_wake_up() {
    taken_out(|r| Visitor::new(r).with_deadline(), |r, _| r.host.pass_deadlines());
}

#[test]
fn a_waiter_that_is_interrupted_swallows_no_wake_up() {
    taken_out(Visitor::new, |r, word| word.interrupt(&r.host));
}

#[test]
fn an_interruption_is_told_once_and_hides_no_event() {
    check(Some(4), || {
        let room = Room::new();
        let own = Visitor::new(&room);
        let word = own.word.clone();
        let thread = spawn(own, |v| match v.wait(Room::take_token) {
            // The attempt after an interruption may find the event; then that is the answer.
            Ok(()) => {}
            Err(e) => {
                assert_eq!(e, Errno::Interrupted);
                assert_eq!(v.wait(Room::take_token), Ok(()), "told once");
            }
        });
        let interrupter = {
            let (room, word) = (room.clone(), word.clone());
            thread::spawn(move || word.interrupt(&room.host))
        };
        room.give_token();
        interrupter.join().unwrap();
        thread.join().unwrap();
        assert_eq!(room.tokens.load(Ordering::Relaxed), 0);
    });
}

#[test]
fn the_end_of_the_kernel_wakes_whoever_sleeps() {
    check(Some(4), || {
        let room = Room::new();
        let waiters = [(); 2].map(|()| spawn(Visitor::new(&room), |v| v.wait(Room::take_token)));
        room.close();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Err(Errno::NoDevice));
        }
        assert!(room.sleepers.lock().unwrap().is_empty());
    });
}

#[test]
fn a_writer_excludes_readers_and_both_get_in() {
    check(Some(3), || {
        let room = Room::new();
        let writer = spawn(Visitor::new(&room), Visitor::write);
        let reader = spawn(Visitor::new(&room), Visitor::read);
        let seen = Visitor::new(&room).read();
        writer.join().unwrap();
        assert!(seen <= 1 && reader.join().unwrap() <= 1);
        assert_eq!(room.worked(), 1);
    });
}

#[test]
fn two_writers_and_a_reader_get_in_one_at_a_time() {
    check(Some(2), || {
        let room = Room::new();
        let writer = spawn(Visitor::new(&room), Visitor::write);
        let reader = spawn(Visitor::new(&room), Visitor::read);
        Visitor::new(&room).write();
        writer.join().unwrap();
        assert!(reader.join().unwrap() <= 2);
        assert_eq!(room.worked(), 2);
    });
}

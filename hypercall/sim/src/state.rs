//! What the course of a simulation depends on: threads, who waits for what, guests, deadlines.
//!
//! No thread runs and no guest is called from here; `baton` does both.
//! * [`State::park`], [`State::ready`], [`State::wake`]: a thread stops, may go on.
//! * [`State::collect_due`], [`State::choose`]: what comes next.
//!
//! INVARIANT: a live thread is in exactly one place: it is the holder, it is in `runnable`, or it
//! is in one list of `waiters` at the index that it remembers.
//!
//! Locking: all of it is under `Sim::state`. An `Arc` of a guest is never dropped under the lock.
//! Sources: none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar};

use hypercall::Guest;
use rand_chacha::ChaCha8Rng;

use crate::guests::Guests;
use crate::trace::{Event, Trace};

/// What a thread may wait for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// A wake on the word at this address.
    Word(usize),
    /// The end of the thread with this number.
    Exit(u64),
    /// The end of all threads but the first.
    AllEnded,
    /// Its own deadline; the number is the thread's.
    Sleep(u64),
    /// Nothing to do for anybody else at the present time.
    Settled,
}

/// Why a thread goes on.
#[derive(Clone, Debug)]
pub enum Verdict {
    Woken,
    TimedOut,
    /// It would have waited for ever; the text says who else does.
    Doomed(Arc<str>),
}

/// A thread's wait.
pub struct Blocked {
    pub key: Key,
    /// The value that the word had, for the report.
    pub expected: u32,
    pub since: u64,
    due: Option<(u64, u64)>,
    position: usize,
}

/// A live thread.
pub struct Entry {
    pub name: Arc<str>,
    pub turn: Arc<Condvar>,
    pub blocked: Option<Blocked>,
    verdict: Verdict,
}

/// A guest that is to be visited.
pub enum Visit {
    Interrupt(Arc<dyn Guest>, u64),
    Timer(Arc<dyn Guest>, u64),
}

/// What has a deadline.
pub enum Due {
    Thread(u64),
    Guest(Arc<dyn Guest>, u64),
}

/// What comes next.
pub enum Choice {
    Thread(u64),
    Visit(Visit),
    /// Nothing at the present time.
    Nothing,
}

/// See the module's text.
pub struct State {
    pub now: u64,
    pub rng: ChaCha8Rng,
    pub trace: Trace,
    pub threads: BTreeMap<u64, Entry>,
    last_thread: u64,
    /// The thread that runs.
    pub holder: Option<u64>,
    /// The thread that called `Sim::run`.
    pub main: Option<u64>,
    /// Threads that are calling a guest and may not block; more than the holder when one of them
    /// spins there.
    visitors: BTreeSet<u64>,
    /// Threads that may run, in no order.
    pub runnable: Vec<u64>,
    waiters: BTreeMap<Key, Vec<u64>>,
    /// Guests to be visited, in no order.
    pub pending: Vec<Visit>,
    pub guests: Guests,
    /// By time, then by order of asking.
    deadlines: BTreeMap<(u64, u64), Due>,
    last_deadline: u64,
    /// How many of `deadlines` are threads'.
    pub timed_threads: usize,
    /// When a thread last got the baton.
    pub last_run: u64,
    /// Visits since then, or since time moved.
    pub visits_since: u64,
    /// How often in a row a thread spun with nobody else able to run.
    pub spins_alone: u32,
    /// Calls of `rearm` that named a wrong old deadline.
    pub wrong_rearms: u64,
    /// What `Sim::run` reports at its end.
    pub failures: Vec<String>,
    /// The machine's handles of spawned threads, until `Sim::run` takes those that ended.
    pub handles: Vec<(u64, std::thread::JoinHandle<()>)>,
    /// How often a deadlock was found.
    pub deadlocks: u32,
}

impl State {
    pub fn new(rng: ChaCha8Rng, keep_trace: bool) -> Self {
        Self {
            now: 0,
            rng,
            trace: Trace::new(keep_trace),
            threads: BTreeMap::new(),
            last_thread: 0,
            holder: None,
            main: None,
            visitors: BTreeSet::new(),
            runnable: Vec::new(),
            waiters: BTreeMap::new(),
            pending: Vec::new(),
            guests: Guests::default(),
            deadlines: BTreeMap::new(),
            last_deadline: 0,
            timed_threads: 0,
            last_run: 0,
            visits_since: 0,
            spins_alone: 0,
            wrong_rearms: 0,
            failures: Vec::new(),
            handles: Vec::new(),
            deadlocks: 0,
        }
    }

    /// Adds a thread that is neither runnable nor waiting yet.
    pub fn register(&mut self, name: &str) -> u64 {
        self.last_thread += 1;
        let thread = self.last_thread;
        self.trace.note(Event::Spawn { thread });
        let entry = Entry {
            name: name.into(),
            turn: Arc::new(Condvar::new()),
            blocked: None,
            verdict: Verdict::Woken,
        };
        self.threads.insert(thread, entry);
        thread
    }

    /// Stops `thread` until a wake on `key` or until `deadline`, a time to come.
    pub fn park(&mut self, thread: u64, key: Key, expected: u32, deadline: Option<u64>) {
        let due = deadline.map(|when| self.add_deadline(when, Due::Thread(thread)));
        let list = self.waiters.entry(key).or_default();
        list.push(thread);
        let position = list.len() - 1;
        if let Some(entry) = self.threads.get_mut(&thread) {
            entry.blocked = Some(Blocked { key, expected, since: self.now, due, position });
        }
    }

    /// Makes the holder runnable, with the reason it will find.
    pub fn ready(&mut self, thread: u64, verdict: Verdict) {
        if let Some(entry) = self.threads.get_mut(&thread) {
            entry.verdict = verdict;
            self.runnable.push(thread);
        }
    }

    /// Makes a waiting thread runnable.
    pub fn unpark(&mut self, thread: u64, verdict: Verdict) {
        let Some(blocked) = self.threads.get_mut(&thread).and_then(|e| e.blocked.take()) else {
            return;
        };
        // Nothing is there to remove when the deadline is what ended the wait.
        if blocked.due.is_some_and(|due| self.deadlines.remove(&due).is_some()) {
            self.timed_threads -= 1;
        }
        if let Some(list) = self.waiters.get_mut(&blocked.key) {
            list.swap_remove(blocked.position);
            let moved = list.get(blocked.position).copied();
            if list.is_empty() {
                self.waiters.remove(&blocked.key);
            }
            if let Some(b) =
                moved.and_then(|t| self.threads.get_mut(&t)).and_then(|e| e.blocked.as_mut())
            {
                b.position = blocked.position;
            }
        }
        self.ready(thread, verdict);
    }

    /// Makes up to `count` threads that wait on `key` runnable, chosen by the seed.
    pub fn wake(&mut self, key: Key, count: u32) {
        for _ in 0..count {
            let Some(list) = self.waiters.get(&key) else { return };
            let n = crate::below(&mut self.rng, list.len() as u64) as usize;
            let thread = list[n];
            self.trace.note(Event::Wake { thread });
            self.unpark(thread, Verdict::Woken);
        }
    }

    /// Why `thread` goes on; for `thread` itself once it has the baton.
    pub fn verdict(&mut self, thread: u64) -> Verdict {
        match self.threads.get_mut(&thread) {
            Some(entry) => std::mem::replace(&mut entry.verdict, Verdict::Woken),
            None => Verdict::Woken,
        }
    }

    pub fn add_deadline(&mut self, when: u64, due: Due) -> (u64, u64) {
        self.last_deadline += 1;
        let key = (when, self.last_deadline);
        if matches!(due, Due::Thread(_)) {
            self.timed_threads += 1;
        }
        self.deadlines.insert(key, due);
        key
    }

    /// Takes a guest's deadline back; the caller drops what comes out after unlocking.
    pub fn remove_deadline(&mut self, key: (u64, u64)) -> Option<Due> {
        self.deadlines.remove(&key)
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first_key_value().map(|((when, _), _)| *when)
    }

    /// Makes runnable or pending whatever has a deadline that has passed.
    pub fn collect_due(&mut self) {
        while self.next_deadline().is_some_and(|when| when <= self.now) {
            match self.deadlines.pop_first() {
                Some((_, Due::Thread(thread))) => {
                    self.timed_threads -= 1;
                    self.unpark(thread, Verdict::TimedOut);
                }
                Some((_, Due::Guest(guest, number))) => {
                    self.guests.expired(&guest);
                    self.pending.push(Visit::Timer(guest, number));
                }
                None => return,
            }
        }
    }

    /// Whether the holder is calling a guest and may not block.
    pub fn visiting(&self) -> bool {
        self.holder.is_some_and(|thread| self.visitors.contains(&thread))
    }

    /// The holder starts or ends calling a guest.
    pub fn set_visiting(&mut self, visiting: bool) {
        let Some(thread) = self.holder else { return };
        if visiting {
            self.visitors.insert(thread);
        } else {
            self.visitors.remove(&thread);
        }
    }

    /// Chooses by the seed among the runnable threads and the guests to be visited.
    pub fn choose(&mut self) -> Choice {
        let (threads, guests) = (self.runnable.len(), self.pending.len());
        if threads + guests == 0 {
            return Choice::Nothing;
        }
        let n = crate::below(&mut self.rng, (threads + guests) as u64) as usize;
        if n < threads {
            Choice::Thread(self.take_thread(n))
        } else {
            Choice::Visit(self.take_visit(n - threads))
        }
    }

    /// Gives the baton to `next`.
    pub fn hand_to(&mut self, next: u64) {
        self.holder = Some(next);
        if let Some(entry) = self.threads.get(&next) {
            entry.turn.notify_one();
        }
    }

    /// Takes out one runnable thread; `n` is below the length of `runnable`.
    pub fn take_thread(&mut self, n: usize) -> u64 {
        let thread = self.runnable.swap_remove(n);
        self.trace.note(Event::Run { thread });
        self.last_run = self.now;
        self.visits_since = 0;
        self.spins_alone = 0;
        thread
    }

    /// Takes out one guest to be visited; `n` is below the length of `pending`.
    pub fn take_visit(&mut self, n: usize) -> Visit {
        let visit = self.pending.swap_remove(n);
        self.visits_since += 1;
        self.trace.note(match &visit {
            Visit::Interrupt(_, guest) => Event::Interrupt { guest: *guest },
            Visit::Timer(_, guest) => Event::Timer { guest: *guest },
        });
        visit
    }
}

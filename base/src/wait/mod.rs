//! Waiting: queues of those that want to hear of an event.
//!
//! Waiting is a property of the request, not of a thread: what waits is a [`Waiter`], which a
//! local thread sleeps on, and which a server can use to park a request without a thread.
//!
//! * An object that others wait for has a [`WaitQueue`] and calls [`WaitQueue::wake`]; for what only
//!   one can have, [`WaitQueue::wake_taker`].
//! * A system call makes a non-blocking attempt; when it would block, [`wait_for`] registers,
//!   tries again (so that no wake-up is lost), sleeps, and tries again.
//!
//! Locking: `Rank::WaitQueue` inside, the innermost rank, so that a queue may be woken with any
//! interrupt mutex held. Sources: NetBSD selrecord/selnotify, sleepq(9).

mod attempts;
pub(crate) mod word;

pub(crate) use attempts::{Site, wait_at};

use alloc::sync::Arc;

use bitflags::bitflags;
use hypercall::{Host, Instant};
use word::{Ended, WaitWord};

use crate::lock::{IntrMutex, Rank};
use crate::vm::{KArc, KVec, NoMemory};
use crate::{Cx, Errno, Gone, Lwp};

bitflags! {
    /// What one can wait for, with poll(2)'s values.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Events: u16 {
        /// Data can be read without blocking.
        const IN = 0x001;
        /// Urgent data can be read.
        const PRI = 0x002;
        /// Data can be written without blocking.
        const OUT = 0x004;
        /// An error is pending (always reported).
        const ERR = 0x008;
        /// The other side hung up (always reported).
        const HUP = 0x010;
        /// The descriptor is not open (always reported).
        const NVAL = 0x020;
        /// The other side sends no more.
        const RDHUP = 0x2000;
    }
}

/// Runs when a parked request should be tried again. Called with locks held: it may only put the
/// request on a queue.
pub trait Notify: Send + Sync {
    /// The event has happened.
    fn notify(&self, cx: &Cx<'_>);
}

/// Something that waits: a thread, or a parked request.
pub struct Waiter {
    word: WaitWord,
    notify: Option<KArc<dyn Notify>>,
}

/// Why a sleep ended without the event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unslept {
    /// The deadline passed.
    TimedOut,
    /// Somebody interrupted the thread.
    Interrupted,
    /// The kernel is being dropped.
    Gone,
    /// There was no memory to wait with.
    NoMemory,
}

impl From<Unslept> for Errno {
    fn from(e: Unslept) -> Self {
        match e {
            Unslept::TimedOut => Errno::WouldBlock,
            Unslept::Interrupted => Errno::Interrupted,
            Unslept::Gone => Errno::NoDevice,
            Unslept::NoMemory => Errno::NoMemory,
        }
    }
}

impl Waiter {
    pub(crate) fn new() -> Self {
        Self { word: WaitWord::new(), notify: None }
    }

    /// A parked request.
    pub fn parked(notify: KArc<dyn Notify>) -> Self {
        Self { word: WaitWord::new(), notify: Some(notify) }
    }

    /// Makes ready for a new wait. An interruption that has arrived meanwhile stays.
    pub fn arm(&self) {
        self.word.arm();
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.word.is_armed()
    }

    pub(crate) fn fire(&self, cx: &Cx<'_>) {
        if self.word.fire() {
            match &self.notify {
                Some(n) => n.notify(cx),
                None => self.word.wake(cx.host()),
            }
        }
    }

    /// The kernel ends: whoever sleeps on this looks again, and finds it closing.
    pub(crate) fn end(&self, host: &dyn Host) {
        self.word.end(host);
    }

    pub(crate) fn interrupt(&self, host: &dyn Host) {
        self.word.interrupt(host);
    }
}

impl Lwp<'_> {
    /// Sleeps until this thread's waiter is fired. An interruption ends the sleep, or, if it may
    /// not (`interruptible` is false), the next one that may be interrupted.
    pub(crate) fn sleep(
        &mut self,
        deadline: Option<Instant>,
        interruptible: bool,
    ) -> Result<(), Unslept> {
        if interruptible && self.take_interrupted() {
            return Err(Unslept::Interrupted);
        }
        let waiter = self.waiter();
        let core = self.core();
        let token = core.sleepers.insert(waiter);
        let host = &*core.host;
        let (woken, gone) = self.offcpu(|proof| {
            // Closing is set before the sleepers are woken: it is seen here, or the wake-up is.
            waiter.word.sleep(host, proof, deadline, || core.is_closing())
        });
        core.sleepers.remove(token);
        if gone.is_err() {
            return Err(Unslept::Gone);
        }
        match waiter.word.ended(woken) {
            Ended::Fired => Ok(()),
            Ended::TimedOut => Err(Unslept::TimedOut),
            Ended::Interrupted if interruptible => Err(Unslept::Interrupted),
            Ended::Interrupted => {
                self.mark_interrupted();
                Ok(())
            }
        }
    }

    /// Sleeps until `deadline`; [`Unslept::TimedOut`] is how it ends when all goes well.
    pub fn sleep_until(&mut self, deadline: Instant) -> Unslept {
        self.waiter().arm();
        loop {
            if let Err(e) = self.sleep(Some(deadline), true) {
                return e;
            }
            self.waiter().arm();
        }
    }
}

struct Entry {
    waiter: Arc<Waiter>,
    events: Events,
    /// Takes what it is told of, or tells another one; if not, it only looks.
    takes: bool,
}

/// Those that wait for something to happen to an object.
pub struct WaitQueue {
    entries: IntrMutex<KVec<Entry>>,
}

impl WaitQueue {
    /// An empty queue; it holds no memory until somebody waits.
    pub fn new(cx: &Cx<'_>) -> Self {
        Self { entries: IntrMutex::new(cx, Rank::WaitQueue, KVec::new(cx)) }
    }

    /// Adds `waiter`, which takes what it waits for, until [`WaitQueue::remove`]. If it has been told
    /// and does not take it, it owes another one a [`WaitQueue::wake_one`].
    pub fn add(&self, cx: &Cx<'_>, waiter: &Arc<Waiter>, events: Events) -> Result<(), NoMemory> {
        self.entries.lock(cx).push(Entry { waiter: waiter.clone(), events, takes: true })
    }

    /// Adds `waiter`, which only looks, as poll does, until [`WaitQueue::remove`].
    pub fn add_looker(
        &self,
        cx: &Cx<'_>,
        waiter: &Arc<Waiter>,
        events: Events,
    ) -> Result<(), NoMemory> {
        self.entries.lock(cx).push(Entry { waiter: waiter.clone(), events, takes: false })
    }

    /// Removes `waiter`, if it is there.
    pub fn remove(&self, cx: &Cx<'_>, waiter: &Arc<Waiter>) {
        self.entries.lock(cx).retain(|e| !Arc::ptr_eq(&e.waiter, waiter));
    }

    /// Tells everybody who waits for any of `events`.
    #[inline]
    pub fn wake(&self, cx: &Cx<'_>, events: Events) {
        let always = Events::ERR | Events::HUP | Events::NVAL;
        for e in self.entries.lock(cx).iter() {
            if (e.events | always).intersects(events) {
                e.waiter.fire(cx);
            }
        }
    }

    /// Tells those that look for any of `events`, and one that takes what there is, the first that was
    /// not told yet. For something that one can have: a message, a connection.
    #[inline]
    pub fn wake_taker(&self, cx: &Cx<'_>, events: Events) {
        let mut told = false;
        for e in self.entries.lock(cx).iter() {
            if e.events.intersects(events) && (!e.takes || !told && e.waiter.is_armed()) {
                told |= e.takes;
                e.waiter.fire(cx);
            }
        }
    }

    /// Tells one that takes what it waits for, any of `events`: the first that was not told yet.
    pub fn wake_one(&self, cx: &Cx<'_>, events: Events) {
        let entries = self.entries.lock(cx);
        let asks = |e: &&Entry| e.takes && e.events.intersects(events) && e.waiter.is_armed();
        if let Some(e) = entries.iter().find(asks) {
            e.waiter.fire(cx);
        }
    }

    /// Whether nobody waits.
    pub fn is_empty(&self, cx: &Cx<'_>) -> bool {
        self.entries.lock(cx).is_empty()
    }
}

/// Makes `attempt` until it answers something else than [`Errno::WouldBlock`], sleeping in between
/// until `queue` is woken for `events`. `WouldBlock` comes out only when `deadline` has passed.
pub fn wait_for<R>(
    l: &mut Lwp<'_>,
    queue: &WaitQueue,
    events: Events,
    deadline: Option<Instant>,
    attempt: impl FnMut(&mut Lwp<'_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    wait_with(l, queue, events, deadline, true, attempt)
}

/// The same, for locks: no deadline, and an interruption is put off. Only [`Errno::NoDevice`] (the
/// kernel's end) comes out beside what `attempt` answers.
pub(crate) fn wait_for_lock(
    l: &mut Lwp<'_>,
    queue: &WaitQueue,
    mut attempt: impl FnMut(&mut Lwp<'_>) -> bool,
) -> Result<(), Gone> {
    loop {
        let got = wait_with(l, queue, Events::IN, None, false, |l| {
            if attempt(l) { Ok(()) } else { Err(Errno::WouldBlock) }
        });
        match got {
            Ok(()) => return Ok(()),
            // No memory for the queue: try again when somebody else has run.
            Err(Errno::NoMemory) => {
                let host = l.host();
                let (_, gone) = l.offcpu(|_| host.yield_now());
                gone?;
            }
            Err(_) => return Err(Gone),
        }
    }
}

fn wait_with<R>(
    l: &mut Lwp<'_>,
    queue: &WaitQueue,
    events: Events,
    deadline: Option<Instant>,
    interruptible: bool,
    mut attempt: impl FnMut(&mut Lwp<'_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let mut site = InQueue { l, queue, events, deadline, interruptible };
    wait_at(&mut site, |site| attempt(site.l))
}

/// A thread that waits in a queue.
struct InQueue<'a, 'k> {
    l: &'a mut Lwp<'k>,
    queue: &'a WaitQueue,
    events: Events,
    deadline: Option<Instant>,
    interruptible: bool,
}

impl Site for InQueue<'_, '_> {
    fn join(&mut self) -> Result<(), Errno> {
        let waiter = self.l.waiter();
        waiter.arm();
        Ok(self.queue.add(self.l, waiter, self.events)?)
    }

    fn sleep(&mut self) -> Result<(), Unslept> {
        self.l.sleep(self.deadline, self.interruptible)
    }

    fn leave(&mut self) {
        self.queue.remove(self.l, self.l.waiter());
    }

    fn hand_on(&mut self) {
        if !self.l.waiter().is_armed() {
            self.queue.wake_one(self.l, self.events);
        }
    }
}

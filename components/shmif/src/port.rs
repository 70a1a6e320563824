//! Where a member of a bus takes delivery of frames, on whatever thread sends them.
//!
//! A sender charges the receiving kernel, queues the frame and raises the port's line, unless the
//! receiver has been told already and not come to the end of the queue since. The receiver's interrupt
//! takes out all frames at once. A full queue, or a kernel at its memory limit, drops the frame, and
//! the receiver's interrupt counts it (`iqdrops`). Frames that a faulty host delays wait beside the
//! queue for their time.
//!
//! Locking: a short spin lock around the queue, taken by both sides, never held across anything
//! that blocks or calls out.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use base::sched::line::Line;
use base::{Account, Cx, Instant, KDeque};
use net::MacAddr;
use net::ifnet::{IfFlags, Ifnet};
use net::mbuf::Packet;

/// The most frames that wait for the receiver.
const QUEUE_LIMIT: usize = 512;

/// A member's side of the bus.
pub(crate) struct Port {
    account: Arc<Account>,
    line: spin::Once<Line>,
    mac: AtomicU64,
    /// Takes frames that are for others.
    promiscuous: AtomicBool,
    queue: spin::Mutex<Queue>,
    /// Frames dropped, no room or no memory, that the interface has not counted yet.
    drops: AtomicU64,
}

struct Queue {
    open: bool,
    /// The receiver will look: its line was raised, and it has not found the queue empty since.
    told: bool,
    frames: KDeque<Packet>,
    /// In the order of their times.
    delayed: KDeque<(Instant, Packet)>,
}

/// What became of a frame.
enum Enqueued {
    Taken,
    /// And the receiver does not know yet.
    First,
    Dropped,
    /// The member has left.
    Closed,
}

impl Port {
    pub(crate) fn new(account: &Arc<Account>) -> Self {
        let queue = Queue {
            open: true,
            told: false,
            frames: KDeque::in_account(account),
            delayed: KDeque::in_account(account),
        };
        Self {
            account: account.clone(),
            line: spin::Once::new(),
            mac: AtomicU64::new(0),
            promiscuous: AtomicBool::new(false),
            queue: spin::Mutex::new(queue),
            drops: AtomicU64::new(0),
        }
    }

    /// Connects the line that tells the receiver.
    pub(crate) fn set_line(&self, line: Line) {
        self.line.call_once(|| line);
    }

    pub(crate) fn line(&self) -> Option<&Line> {
        self.line.get()
    }

    /// Takes up the interface's present address and flags.
    pub(crate) fn refresh(&self, ifp: &Ifnet) {
        self.mac.store(word(ifp.lladdr()), Ordering::Relaxed);
        self.promiscuous.store(ifp.flags().contains(IfFlags::PROMISC), Ordering::Relaxed);
    }

    /// Whether a frame to `dst` is for this member.
    #[inline]
    pub(crate) fn wants(&self, dst: MacAddr) -> bool {
        dst.is_multicast()
            || self.mac.load(Ordering::Relaxed) == word(dst)
            || self.promiscuous.load(Ordering::Relaxed)
    }

    /// Delivers a frame from the kernel of `cx`, now or at `due`.
    #[inline]
    pub(crate) fn deliver(&self, cx: &Cx<'_>, frame: Packet, due: Option<Instant>) {
        match self.enqueue(frame, due) {
            Enqueued::Taken => {}
            Enqueued::First => self.raise(cx),
            Enqueued::Dropped => self.dropped(cx),
            Enqueued::Closed => {}
        }
    }

    /// A frame was dropped: the interface counts it, as what it has no room for.
    #[cold]
    pub(crate) fn dropped(&self, cx: &Cx<'_>) {
        // The first one has the receiver look; those that follow are seen then, too.
        if self.drops.fetch_add(1, Ordering::Relaxed) == 0 {
            self.raise(cx);
        }
    }

    /// The receiver takes the number of frames that were dropped since it last asked.
    #[inline]
    pub(crate) fn take_drops(&self) -> u64 {
        match self.drops.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.drops.swap(0, Ordering::Relaxed),
        }
    }

    #[inline]
    fn raise(&self, cx: &Cx<'_>) {
        if let Some(line) = self.line.get() {
            line.raise_from(cx);
        }
    }

    #[inline]
    fn enqueue(&self, frame: Packet, due: Option<Instant>) -> Enqueued {
        let mut queue = self.queue.lock();
        if !queue.open {
            return Enqueued::Closed;
        }
        let room = queue.frames.len() + queue.delayed.len() < QUEUE_LIMIT;
        // The charge is made while the queue cannot be closed: a kernel that has left the bus is
        // charged for nothing.
        let taken = room
            && match (frame.hand_over(&self.account), due) {
                (Err(_), _) => false,
                (Ok(frame), None) => queue.frames.push_back(frame).is_ok(),
                (Ok(frame), Some(due)) => insert_by_time(&mut queue.delayed, due, frame),
            };
        match taken {
            false => Enqueued::Dropped,
            true if core::mem::replace(&mut queue.told, true) => Enqueued::Taken,
            true => Enqueued::First,
        }
    }

    /// The receiver takes the next frame that has arrived by now: out of `batch`, which is its own, and
    /// is filled with all that are here when it is empty.
    #[inline]
    pub(crate) fn take(&self, cx: &Cx<'_>, batch: &mut KDeque<Packet>) -> Option<Packet> {
        batch.pop_front().or_else(|| self.refill(cx, batch))
    }

    fn refill(&self, cx: &Cx<'_>, batch: &mut KDeque<Packet>) -> Option<Packet> {
        let mut queue = self.queue.lock();
        core::mem::swap(&mut queue.frames, batch);
        if let Some(frame) = batch.pop_front() {
            return Some(frame);
        }
        let is_due = queue.delayed.front().is_some_and(|(due, _)| *due <= cx.now());
        queue.told = is_due;
        if is_due { queue.delayed.pop_front().map(|(_, frame)| frame) } else { None }
    }

    /// When the next delayed frame arrives.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.queue.lock().delayed.front().map(|(due, _)| *due)
    }

    /// Takes no more frames, and drops those that wait.
    pub(crate) fn close(&self) {
        let mut queue = self.queue.lock();
        queue.open = false;
        let frames = core::mem::replace(&mut queue.frames, KDeque::in_account(&self.account));
        let delayed = core::mem::replace(&mut queue.delayed, KDeque::in_account(&self.account));
        drop(queue);
        drop((frames, delayed));
    }
}

fn word(mac: MacAddr) -> u64 {
    let [a, b, c, d, e, f] = mac.0;
    u64::from_be_bytes([0, 0, a, b, c, d, e, f])
}

/// Only a faulty host delays, so a walk will do.
fn insert_by_time(delayed: &mut KDeque<(Instant, Packet)>, due: Instant, frame: Packet) -> bool {
    let at = delayed.iter().take_while(|(t, _)| *t <= due).count();
    delayed.insert(at, (due, frame)).is_ok()
}

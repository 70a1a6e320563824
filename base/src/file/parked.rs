//! Requests: system calls that wait without a thread.
//!
//! A server has more calls that wait than it has threads. It makes a call with
//! [`Lwp::attempt`] in the name of a [`Request`]: where a thread
//! would sleep for a file, the request stays in the file's queue, the call is left by
//! [`Errno::Restart`], and when the request's notice comes the server makes the same attempt again,
//! from its beginning, on any thread.
//!
//! So a handler is written for being run again: it copies in before it changes anything, it waits
//! with [`blocking`](super::blocking) or [`poll`](super::poll::poll), and what it has done before it
//! waits it notes in the request ([`Lwp::progress`]).
//!
//! Locking: a request belongs to whoever makes its attempts; `Rank::WaitQueue` and
//! `Rank::Callouts` inside. Sources: the house plan, section 4; Linux's ERESTARTSYS for the idea.

use alloc::sync::Arc;

use hypercall::Instant;

use super::File;
use crate::callout::{self, Callout};
use crate::syscall::{self, SysMemory};
use crate::vm::{KArc, KBox, KVec, NoMemory, kmem};
use crate::wait::{Events, Notify, Waiter};
use crate::{Cx, Errno, Lwp};

/// What a call that is to be made again answers, encoded.
const RESTART: u64 = (Errno::Restart.number() as i64).wrapping_neg() as u64;

/// A system call that may wait without a thread. [`Request::end`] before it is dropped.
pub struct Request {
    waiter: Arc<Waiter>,
    /// In whose queues the waiter is.
    on: KVec<(KArc<File>, Events)>,
    /// It only looks at what it waits for, and takes nothing.
    looks: bool,
    timer: Option<Callout>,
    /// The deadline that the first attempt had (there may be none).
    deadline: Option<Option<Instant>>,
    interrupted: bool,
    progress: usize,
}

/// What a request has been told of.
type Told = (KArc<File>, Events);

/// Fires a request's waiter at its deadline.
struct Expiry(Arc<Waiter>);

impl callout::Handler for Expiry {
    fn expired(&self, cx: &Cx<'_>) {
        self.0.fire(cx);
    }
}

impl Request {
    /// A request whose attempts are to be repeated when `notice` says so.
    #[allow(clippy::disallowed_methods)] // a word; the request, which keeps it, is charged
    pub fn new(cx: &Cx<'_>, notice: KArc<dyn Notify>) -> Result<KBox<Request>, NoMemory> {
        kmem::boxed(
            cx,
            Request {
                waiter: Arc::new(Waiter::parked(notice)),
                on: KVec::new(cx),
                looks: false,
                timer: None,
                deadline: None,
                interrupted: false,
                progress: 0,
            },
        )
    }

    /// Makes the next attempt the last one: if it would wait, it answers EINTR.
    pub fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// Leaves all queues. A notice that came meanwhile and is of no use here goes to the next one.
    pub fn end(&mut self, cx: &Cx<'_>) {
        self.leave(cx, true);
    }

    /// Leaves all queues, and is as if it were new.
    pub fn renew(&mut self, cx: &Cx<'_>) {
        self.leave(cx, true);
        self.deadline = None;
        self.interrupted = false;
        self.progress = 0;
    }

    /// Before an attempt, which looks for itself at what the notice was about; answers what that
    /// was, if the attempt is to take it.
    fn resume(&mut self, cx: &Cx<'_>) -> Option<Told> {
        self.leave_queues(cx, false);
        let told = !self.looks && !self.waiter.is_armed();
        // One that takes waits for one file.
        let told = self.on.pop().filter(|_| told);
        self.forget(cx);
        told
    }

    fn leave(&mut self, cx: &Cx<'_>, hand_on: bool) {
        self.leave_queues(cx, hand_on);
        self.forget(cx);
    }

    fn leave_queues(&self, cx: &Cx<'_>, hand_on: bool) {
        for (file, _) in self.on.iter() {
            file.ops().queue().remove(cx, &self.waiter);
        }
        if hand_on {
            self.hand_on(cx);
        }
    }

    /// Tells another one, if this one has been told: no attempt can be made now. It stays where it is.
    pub fn hand_on(&self, cx: &Cx<'_>) {
        if self.looks || self.waiter.is_armed() {
            return;
        }
        for (file, events) in self.on.iter() {
            file.ops().queue().wake_one(cx, *events);
        }
    }

    fn forget(&mut self, cx: &Cx<'_>) {
        self.on.clear();
        if let Some(timer) = self.timer.take() {
            timer.destroy(cx);
        }
    }

    /// Waits in the queues of `files` if `ready`, looked at again, still says that there is
    /// nothing. `deadline` counts from the first attempt.
    fn park<R>(
        &mut self,
        l: &mut Lwp<'_>,
        files: impl Iterator<Item = (KArc<File>, Events)>,
        looks: bool,
        deadline: Option<Instant>,
        mut ready: impl FnMut(&mut Lwp<'_>) -> Result<R, Errno>,
    ) -> Result<R, Errno> {
        if self.interrupted {
            return Err(Errno::Interrupted);
        }
        let deadline = *self.deadline.get_or_insert(deadline);
        if deadline.is_some_and(|d| d <= l.now()) {
            return Err(Errno::WouldBlock);
        }
        self.waiter.arm();
        self.looks = looks;
        let joined = self.join(l, files, deadline);
        // Once more, now that nothing can happen unheard.
        let again = joined.map_err(Errno::from).and_then(|()| ready(l));
        match again {
            Err(Errno::WouldBlock) => Err(Errno::Restart),
            done => {
                self.leave(l, true);
                done
            }
        }
    }

    fn join(
        &mut self,
        cx: &Cx<'_>,
        files: impl Iterator<Item = (KArc<File>, Events)>,
        deadline: Option<Instant>,
    ) -> Result<(), NoMemory> {
        for (file, events) in files {
            self.on.reserve(1)?;
            let queue = file.ops().queue();
            match self.looks {
                true => queue.add_looker(cx, &self.waiter, events)?,
                false => queue.add(cx, &self.waiter, events)?,
            }
            self.on.push((file, events))?;
        }
        if let Some(due) = deadline {
            let timer = Callout::new(cx, kmem::arc(cx, Expiry(self.waiter.clone()))?)?;
            timer.schedule_at(cx, due);
            self.timer = Some(timer);
        }
        Ok(())
    }
}

impl Lwp<'_> {
    /// Makes system call `number` in the name of `request`, which waits where a thread would sleep
    /// for a file: then `None`. Otherwise the answer, [encoded](crate::syscall::encode).
    ///
    /// The next attempt makes the whole call anew.
    pub fn attempt(
        &mut self,
        request: &mut Option<KBox<Request>>,
        number: u32,
        args: &[u64; 6],
        memory: &mut dyn SysMemory,
    ) -> Option<u64> {
        let told = request.as_mut().and_then(|r| r.resume(self));
        self.request().set(request.take());
        let word = syscall::call(self, number, args, memory);
        *request = self.request().take();
        if let Some((file, events)) = told {
            // It took something if it succeeded; it found nothing if it waits again. Else another one
            // is told.
            let waits = request.as_ref().is_some_and(|r| !r.on.is_empty());
            if syscall::decode(word).is_err() && !waits {
                file.ops().queue().wake_one(self, events);
            }
        }
        (word != RESTART).then_some(word)
    }

    /// Runs `f` with the request in whose name this thread makes an attempt; `None` if it makes none.
    fn with_request<R>(&mut self, f: impl FnOnce(&mut Self, &mut Request) -> R) -> Option<R> {
        let mut request = self.request().take()?;
        let result = f(self, &mut request);
        self.request().set(Some(request));
        Some(result)
    }

    /// Whether this thread makes an attempt for a request, and so is not to sleep for a file.
    pub fn makes_attempt(&self) -> bool {
        let request = self.request().take();
        let some = request.is_some();
        self.request().set(request);
        some
    }

    /// What earlier attempts of this request have done, as they noted it; 0 where there were none,
    /// and for a thread that sleeps instead.
    pub fn progress(&mut self) -> usize {
        self.with_request(|_, r| r.progress).unwrap_or(0)
    }

    /// Notes what has been done, for the next attempt.
    pub fn set_progress(&mut self, progress: usize) {
        self.with_request(|_, r| r.progress = progress);
    }
}

/// Has the request in whose name this thread makes an attempt wait for `files`.
pub(super) fn park<R>(
    l: &mut Lwp<'_>,
    files: impl Iterator<Item = (KArc<File>, Events)>,
    deadline: Option<Instant>,
    ready: impl FnMut(&mut Lwp<'_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let parked = l.with_request(|l, request| request.park(l, files, false, deadline, ready));
    parked.unwrap_or(Err(Errno::WouldBlock))
}

/// The same for poll, which takes nothing from the files, and for what takes nothing before the end.
pub(super) fn park_looking<R>(
    l: &mut Lwp<'_>,
    files: impl Iterator<Item = (KArc<File>, Events)>,
    deadline: Option<Instant>,
    ready: impl FnMut(&mut Lwp<'_>) -> Result<R, Errno>,
) -> Result<R, Errno> {
    let parked = l.with_request(|l, request| request.park(l, files, true, deadline, ready));
    parked.unwrap_or(Err(Errno::WouldBlock))
}

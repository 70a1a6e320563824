//! Threads: started, joined, caught.
//!
//! * [`Sim::spawn`] is for tests and gives the closure's value, or its panic, back at
//!   [`Thread::join`]; the hypercall of the same name is for kernels.
//!
//! A new thread is runnable at once and starts when the seed chooses it. A panic that nobody
//! takes by joining is reported when `Sim::run` ends.
//!
//! Locking: `Sim::state`.
//! Sources: `hypercall::{Threads, Catch}`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use hypercall::{Catch, Join, Offcpu, Panicked, SpawnError, Threads};

use crate::baton::{Membership, survive};
use crate::state::{Key, State, Verdict};
use crate::trace::Event;
use crate::{Sim, lock, report};

/// The payload of `abandon`.
struct Abandoned;

struct Handle {
    sim: Arc<Sim>,
    thread: u64,
}

impl Join for Handle {
    fn join(self: Box<Self>, _proof: &Offcpu) {
        self.sim.wait_for(self.thread);
    }
}

/// What a thread of a test comes to: its value, or the panic that ended it.
type Outcome<T> = Arc<Mutex<Option<Result<T, Box<dyn Any + Send>>>>>;

/// A thread that a test started. Dropping it lets the thread go on by itself.
pub struct Thread<T> {
    sim: Arc<Sim>,
    thread: u64,
    outcome: Outcome<T>,
}

impl<T> Thread<T> {
    /// Waits for the thread's end.
    ///
    /// # Panics
    /// With the thread's panic.
    pub fn join(self) -> T {
        self.sim.wait_for(self.thread);
        match lock(&self.outcome).take() {
            Some(Ok(value)) => value,
            Some(Err(payload)) => resume_unwind(payload),
            None => panic!("sim: thread {} ended without a result", self.thread),
        }
    }
}

impl<T> Drop for Thread<T> {
    fn drop(&mut self) {
        // A panic that nobody will fetch belongs in the report of the run.
        let failed = match &*lock(&self.outcome) {
            Some(Err(payload)) => Some(report::message(&**payload).to_owned()),
            _ => None,
        };
        if let Some(text) = failed {
            self.sim.lock().failures.push(format!("thread {} panicked: {text}", self.thread));
        }
    }
}

impl Sim {
    /// Starts a thread of the test.
    ///
    /// # Panics
    /// If the machine has no thread left.
    pub fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        main: impl FnOnce() -> T + Send + 'static,
    ) -> Thread<T> {
        let outcome: Outcome<T> = Arc::default();
        let theirs = outcome.clone();
        let body = move || {
            let result = catch_unwind(AssertUnwindSafe(main));
            match result {
                // The last one that holds the outcome: nobody will join.
                Err(payload) if Arc::strong_count(&theirs) == 1 => resume_unwind(payload),
                result => *lock(&theirs) = Some(result),
            }
        };
        match self.start(name, Box::new(body)) {
            Ok((sim, thread)) => Thread { sim, thread, outcome },
            Err(SpawnError) => panic!("sim: no thread to be had"),
        }
    }

    fn start(
        &self,
        name: &str,
        main: Box<dyn FnOnce() + Send>,
    ) -> Result<(Arc<Sim>, u64), SpawnError> {
        let sim = self.this.upgrade().ok_or(SpawnError)?;
        let mut state = self.lock();
        let thread = state.register(name);
        let theirs = sim.clone();
        let started = std::thread::Builder::new()
            .name(name.replace('\0', "?"))
            .spawn(move || theirs.live(thread, main));
        match started {
            Ok(handle) => {
                state.handles.push((thread, handle));
                state.ready(thread, Verdict::Woken);
                drop(state);
                Ok((sim, thread))
            }
            Err(_) => {
                state.threads.remove(&thread);
                Err(SpawnError)
            }
        }
    }

    /// The life of a spawned thread.
    fn live(&self, thread: u64, main: Box<dyn FnOnce() + Send>) {
        drop(self.await_turn(self.lock(), thread));
        // Lasts to the end, for this thread may yet carry an interrupt.
        let _membership = Membership::new(self, thread);
        let result = catch_unwind(AssertUnwindSafe(main));
        let mut state = self.lock();
        state.trace.note(Event::Exit { thread });
        let entry = state.threads.remove(&thread);
        if let Err(payload) = result
            && !payload.is::<Abandoned>()
        {
            let name = entry.map(|e| e.name).unwrap_or_default();
            let text = report::message(&*payload);
            state.failures.push(format!("thread {thread} `{name}` panicked: {text}"));
        }
        state.wake(Key::Exit(thread), u32::MAX);
        if state.threads.len() == 1 {
            state.wake(Key::AllEnded, u32::MAX);
        }
        drop(self.pass(state));
    }

    /// Waits until `thread` has ended.
    fn wait_for(&self, thread: u64) {
        let me = self.me("join");
        let mut state = self.lock();
        report::refuse_in_visit(&state, "join");
        while state.threads.contains_key(&thread) {
            let verdict;
            (state, verdict) = self.block(state, me, Key::Exit(thread), 0, None);
            if matches!(verdict, Verdict::Doomed(_)) {
                drop(state);
                return survive(verdict);
            }
        }
    }

    /// Takes out the handles of the threads that have ended.
    pub(crate) fn ended_handles(&self, state: &mut State) -> Vec<JoinHandle<()>> {
        let (live, ended) = std::mem::take(&mut state.handles)
            .into_iter()
            .partition(|(thread, _)| state.threads.contains_key(thread));
        state.handles = live;
        ended.into_iter().map(|(_, handle)| handle).collect()
    }
}

impl Threads for Sim {
    fn spawn(
        &self,
        name: &str,
        main: Box<dyn FnOnce() + Send>,
    ) -> Result<Box<dyn Join>, SpawnError> {
        if self.faults.refuses_threads() {
            return Err(SpawnError);
        }
        let (sim, thread) = self.start(name, main)?;
        Ok(Box::new(Handle { sim, thread }))
    }

    fn yield_now(&self) {
        self.spin();
    }

    fn current(&self) -> u64 {
        thread_local!(static MARK: u8 = const { 0 });
        // A thread that never joined is named by an address of its own, far above any count.
        self.member().unwrap_or_else(|| MARK.with(|mark| std::ptr::from_ref(mark) as usize as u64))
    }
}

impl Catch for Sim {
    fn catch(&self, body: &mut dyn FnMut()) -> Result<(), Panicked> {
        catch_unwind(AssertUnwindSafe(body)).map_err(|_| Panicked)
    }

    fn abandon(&self) -> ! {
        resume_unwind(Box::new(Abandoned))
    }
}

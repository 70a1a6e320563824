//! The simulation host: one seed, one virtual clock, one thread at a time.
//!
//! A [`Sim`] implements `hypercall::Host`. Every thread of a test is a thread of the machine, but
//! it runs only while it holds the *baton*, and it lets go of the baton only at a scheduling
//! point: in `wait`, `carry`, `join`, [`Sim::yield_now`], [`Sim::sleep`], [`Sim::settle`] and at
//! its end. There the seed decides what comes next: a runnable thread, a raised guest or a due
//! timer. Guests are visited on the thread that is giving up the baton, so that a simulation of
//! many kernels with one thread never switches threads. With nothing to run, time jumps to the
//! next deadline; with no deadline left, every waiter panics with a report.
//!
//! * [`Sim::new`] or [`Sim::seeded`] makes a host; give `sim.clone()` to a kernel as its host.
//! * [`Sim::run`] makes the caller the first thread, and returns when all threads have ended.
//! * [`Sim::spawn`] adds a thread.
//! * [`Sim::faults`] holds the plan of faults, which a test changes when it likes.
//! * [`Sim::trace_hash`] is equal for two runs that took the same course; [`Sim::events`] lists it.
//!
//! A thread that never joined may make the calls that do not block, and must not make them while
//! the simulation runs, or the course no longer follows from the seed. So does a test that puts
//! addresses, the real time or the order of a `HashMap` into what it does.
//!
//! Locking: `state` guards all that the course depends on and is never held across a visit, a
//! thread's own code or the drop of a guest. `faults`, `names`, the console and the entropy have
//! locks of their own, which nest in nothing.
//! Sources: `hypercall` (the contract).

mod baton;
mod environment;
mod faults;
mod guests;
mod memory;
mod names;
mod parking;
mod report;
mod state;
mod thread;
mod trace;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hypercall::WallTime;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

pub use faults::{Faults, PacketCounts};
pub use memory::Held;
pub use thread::Thread;
pub use trace::Event;

use state::State;

/// What a simulation starts from.
#[derive(Clone, Debug)]
pub struct Config {
    /// Decides every order, every fault and all entropy.
    pub seed: u64,
    /// Virtual time that each scheduling point costs, so that a loop that polls the clock gets
    /// on. Zero by default: time then moves by jumps only.
    pub step: Duration,
    /// Whether to keep the events; their hash is always kept.
    pub trace: bool,
    /// The time of day at the origin of the clock.
    pub wall: WallTime,
    /// How long, in virtual time, guests' timers may go on alone while every thread waits
    /// without a deadline, before that counts as a deadlock.
    pub patience: Duration,
    /// How long, in virtual time, threads may outlive the closure given to [`Sim::run`].
    pub grace: Duration,
    /// Parameters that kernels may ask for, besides `hostname` and `ncpu`, or instead of them.
    pub params: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 0,
            step: Duration::ZERO,
            trace: false,
            wall: WallTime { seconds: 1_767_225_600, nanoseconds: 0 },
            patience: Duration::from_secs(86_400),
            grace: Duration::from_secs(60),
            params: BTreeMap::new(),
        }
    }
}

/// A simulation host. See the module's text.
pub struct Sim {
    // Set once.
    config: Config,
    this: Weak<Sim>,
    shuffle: u64,
    faults: Faults,
    // Written under `state`, read by anybody.
    clock: AtomicU64,
    state: Mutex<State>,
    names: names::Registry,
    environment: environment::Surroundings,
    memory: memory::Counters,
}

impl Sim {
    /// A host with nothing running yet.
    pub fn new(config: Config) -> Arc<Sim> {
        let seed = config.seed;
        let shuffle = stream(seed, Stream::Shuffle).next_u64();
        Arc::new_cyclic(|this| Sim {
            this: this.clone(),
            shuffle,
            faults: Faults::new(seed),
            clock: AtomicU64::new(0),
            state: Mutex::new(State::new(stream(seed, Stream::Order), config.trace)),
            names: names::Registry::default(),
            environment: environment::Surroundings::new(&config),
            memory: memory::Counters::default(),
            config,
        })
    }

    /// A host with the given seed and the defaults for the rest.
    pub fn seeded(seed: u64) -> Arc<Sim> {
        Self::new(Config { seed, ..Config::default() })
    }

    /// The plan of faults and the counts of what it did.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// A number that follows from all that happened so far, in order.
    pub fn trace_hash(&self) -> u64 {
        trace::mix(self.lock().trace.hash(), self.faults.hash())
    }

    /// The events so far; empty unless [`Config::trace`] asked to keep them.
    pub fn events(&self) -> Vec<Event> {
        self.lock().trace.events().to_vec()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl hypercall::Host for Sim {
    fn faults(&self) -> Option<&dyn hypercall::Faults> {
        Some(&self.faults)
    }

    fn io(&self, name: &str) -> Option<environment::Half> {
        self.environment.half(name)
    }

    fn shuffle_seed(&self) -> Option<u64> {
        Some(self.shuffle)
    }
}

/// Locks, also after a panic: no invariant of this crate is open while foreign code runs.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(d: Duration) -> u64 {
    u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)
}

/// What the seed is spent on. Separate streams, so that one use does not shift another.
#[derive(Clone, Copy)]
enum Stream {
    Order,
    Entropy,
    Faults,
    Shuffle,
}

fn stream(seed: u64, which: Stream) -> ChaCha8Rng {
    use rand_chacha::rand_core::SeedableRng;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(which as u64);
    rng
}

/// A number below `n`, or 0 when `n` is 0.
fn below(rng: &mut ChaCha8Rng, n: u64) -> u64 {
    if n <= 1 {
        return 0;
    }
    let wide = u128::from(rng.next_u64()) * u128::from(n);
    (wide >> 64) as u64
}

//! Tests of the simulation host by what a kernel and a test see of it.

mod course;
mod faults;
mod guests;
mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hypercall::{Carried, Guest, Instant, Offcpu};

use crate::Sim;

const OFF: fn() -> Offcpu = Offcpu::scheduler_only;

fn at_ms(ms: u64) -> Option<Instant> {
    Some(Instant::from_nanos(ms * 1_000_000))
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Runs `f`, which must panic, and gives the message.
fn message_of(f: impl FnOnce()) -> String {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).expect_err("no panic");
    crate::report::message(&*payload).to_owned()
}

/// A guest whose up-calls run closures.
struct Scripted<I, T> {
    interrupt: I,
    timer: T,
}

impl<I, T> Guest for Scripted<I, T>
where
    I: Fn() -> Carried + Send + Sync,
    T: Fn() -> Carried + Send + Sync,
{
    fn interrupt(&self) -> Carried {
        (self.interrupt)()
    }

    fn timer(&self) -> Carried {
        (self.timer)()
    }
}

/// A guest that counts its visits.
#[derive(Default)]
struct Counting {
    interrupts: AtomicU64,
    timers: AtomicU64,
}

impl Guest for Counting {
    fn interrupt(&self) -> Carried {
        self.interrupts.fetch_add(1, Ordering::Relaxed);
        Carried::Done
    }

    fn timer(&self) -> Carried {
        self.timers.fetch_add(1, Ordering::Relaxed);
        Carried::Done
    }
}

fn counting() -> (Arc<Counting>, Arc<dyn Guest>) {
    let guest = Arc::new(Counting::default());
    (guest.clone(), guest)
}

fn traced(seed: u64) -> Arc<Sim> {
    Sim::new(crate::Config { seed, trace: true, ..Default::default() })
}

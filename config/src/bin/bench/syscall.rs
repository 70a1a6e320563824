//! `syscall.bound` and `syscall.2cpu`: getpid through the table of system calls.
//!
//! The baseline is what entering and leaving a virtual CPU cannot do without: a compare-and-swap
//! that takes a word, and a swap that gives it back.
//!
//! Locking: none. Sources: the book, section 4.3.3 (cost of system calls in a rump kernel).

use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use base::syscall::{NoSysMemory, number};
use base::{BoundLwp, Errno, Kernel, Options};
use linux::Linux;

use crate::BASE;
use crate::record::Record;
use crate::samples::{compare, median};

const BATCHES: u32 = 300;

/// Calls in a batch.
pub const CALLS: u32 = 10_000;

/// Measurements with two threads, and batches in each.
const ROUNDS: u32 = 60;
const TURNS: u32 = 20;

/// A word on cache lines of its own.
#[derive(Default)]
#[repr(align(128))]
struct Word(AtomicU32);

impl Word {
    fn take_and_give_back(&self) -> Result<(), Errno> {
        for _ in 0..CALLS {
            let word = black_box(&self.0);
            let taken = word.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed);
            taken.map_err(|_| Errno::Busy)?;
            word.swap(0, Ordering::Release);
        }
        Ok(())
    }
}

fn kernel(ncpu: u32) -> Result<Kernel, String> {
    let options = Options { ncpu, ..Options::default() };
    Kernel::boot_with(Linux::new(), &BASE, &options).map_err(|error| error.to_string())
}

/// [`CALLS`] system calls.
pub fn getpids(lwp: &mut BoundLwp) -> Result<(), Errno> {
    for _ in 0..CALLS {
        black_box(lwp.syscall(number::GETPID, &[0; 6], &mut NoSysMemory)?);
    }
    Ok(())
}

/// One call on a bound thread.
pub fn bound() -> Result<Record, String> {
    let kernel = kernel(1)?;
    let mut lwp = kernel.bind().map_err(|error| error.to_string())?;
    let word = Word::default();
    let compared = compare(BATCHES, CALLS, || getpids(&mut lwp), || word.take_and_give_back());
    let compared = compared.map_err(|error| error.to_string())?;
    Ok(Record {
        id: "syscall.bound",
        what: "getpid through the table of system calls, from a bound thread",
        unit: "s",
        value: compared.one,
        baseline: compared.other,
        baseline_what: "a bare compare-and-swap and a swap",
        ratio: compared.ratio,
        first: None,
        book_s: None,
        pinned_ratio: None,
        free_ratio: None,
    })
}

/// How much more two threads get done than one, on two virtual CPUs.
pub fn two_cpus() -> Result<Record, String> {
    let kernel = kernel(2)?;
    let lwps = [kernel.bind(), kernel.bind()];
    let [mut one, mut two] = lwps.map(|lwp| lwp.map_err(|error| error.to_string()));
    let (one, two) = (one.as_mut().map_err(|e| e.clone())?, two.as_mut().map_err(|e| e.clone())?);
    let words = [Word::default(), Word::default()];
    let [word_one, word_two] = &words;
    let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let failed = |error: Errno| error.to_string();
    for _ in 0..ROUNDS {
        let mine = scaling(|| getpids(one), || getpids(two)).map_err(failed)?;
        let yours = scaling(|| word_one.take_and_give_back(), || word_two.take_and_give_back());
        let yours = yours.map_err(failed)?;
        ours.push(mine);
        theirs.push(yours);
        ratios.push(mine / yours);
    }
    Ok(Record {
        id: "syscall.2cpu",
        what: "getpid: 2 threads on 2 virtual CPUs against 1",
        unit: "1",
        value: median(ours),
        baseline: median(theirs),
        baseline_what: "the same of a private compare-and-swap and swap",
        ratio: median(ratios),
        first: None,
        book_s: None,
        pinned_ratio: None,
        free_ratio: None,
    })
}

/// The work that two threads get done in a time, through that of one thread.
fn scaling(
    mut one: impl FnMut() -> Result<(), Errno> + Send,
    mut two: impl FnMut() -> Result<(), Errno> + Send,
) -> Result<f64, Errno> {
    fn repeat(work: &mut impl FnMut() -> Result<(), Errno>) -> Result<f64, Errno> {
        let start = Instant::now();
        for _ in 0..TURNS {
            work()?;
        }
        Ok(start.elapsed().as_secs_f64())
    }
    let alone = repeat(&mut one)?;
    let ready = Barrier::new(2);
    let (first, second) = thread::scope(|scope| {
        let other = scope.spawn(|| {
            ready.wait();
            repeat(&mut two)
        });
        ready.wait();
        let first = repeat(&mut one);
        (first, other.join().unwrap_or(Err(Errno::Io)))
    });
    // Each has its own speed while both run.
    Ok(alone / first? + alone / second?)
}

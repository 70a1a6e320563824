//! `bus.ping`: a ping between kernels of two processes, over a bus in a file.
//!
//! The baseline is what two processes that take turns cannot do without: a word in shared memory
//! that one changes, and a futex on which the other sleeps. It uses two doorbells of another bus
//! file, since they are just that. Both sides block; neither spins.
//!
//! Measured twice, since what a wake-up costs depends on where the other is: with all threads on one
//! processor, and free. The worse ratio counts.
//!
//! * [`ping`] measures; [`peer`] is the other process, which answers both and ends when its
//!   standard input does.
//!
//! Locking: none. Sources: futex(2).

use core::net::Ipv4Addr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use base::{Host, Kernel};
use linux::Linux;
use local::{Ping, Pinger, ifconfig};
use rustix::thread::futex::{self, Flags};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use shmif::host::{BusFiles, Offcpu, Seat};

use crate::ROUTER;
use crate::record::Record;
use crate::samples::{Compared, compare};

const BATCHES: u32 = 100;
const PINGS: u32 = 200;

const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// The figure.
pub fn ping() -> Result<Record, String> {
    let free = compared()?;
    let all = sched_getaffinity(None).map_err(told)?;
    let one = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap_or(0);
    let mut pinned = CpuSet::new();
    pinned.set(one);
    // The other process and all threads of both are made by this thread, and stay where it is.
    sched_setaffinity(None, &pinned).map_err(told)?;
    let pinned = compared();
    sched_setaffinity(None, &all).map_err(told)?;
    let pinned = pinned?;
    let worse = if free.ratio > pinned.ratio { free } else { pinned };
    Ok(Record {
        id: "bus.ping",
        what: "a ping between kernels of two processes, over a bus in a file (the worse of pinned and free)",
        unit: "s",
        value: worse.one,
        baseline: worse.other,
        baseline_what: "two processes that take turns by a futex",
        ratio: worse.ratio,
        first: None,
        book_s: None,
        pinned_ratio: Some(pinned.ratio),
        free_ratio: Some(free.ratio),
    })
}

/// Pings and turns, by turns.
fn compared() -> Result<Compared, String> {
    let scratch = Scratch::new()?;
    let kernel = boot(&scratch.bus(), HERE)?;
    let mut turns = Turns::take(&scratch.turns())?;
    let _peer = Peer::start(&scratch)?;
    let patient = Ping { timeout: Duration::from_secs(1), ..Ping::default() };
    let mut pinger = Pinger::new(&kernel, THERE, patient).map_err(told)?;
    // Until it has come up.
    let up = (0..20).any(|_| pinger.ping().is_ok());
    if !up {
        return Err("the other process does not answer".to_owned());
    }
    let pings = || (0..PINGS).try_for_each(|_| pinger.ping().map(|_| ())).map_err(told);
    let waits = || {
        (0..PINGS).for_each(|_| {
            turns.give();
            turns.wait();
        });
        Ok(())
    };
    compare(BATCHES, PINGS, pings, waits)
}

/// The other process. Its kernel answers pings by itself.
pub fn peer(folder: &Path) -> Result<(), String> {
    let scratch = Scratch(folder.to_owned());
    let mut turns = Turns::take(&scratch.turns())?;
    // The folder is the other's.
    let bus = scratch.bus();
    core::mem::forget(scratch);
    let _kernel = boot(&bus, THERE)?;
    // Ends with its parent, whatever happens to that.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    loop {
        turns.wait();
        turns.give();
    }
}

/// One of two who take turns.
struct Turns {
    seat: Box<dyn Seat>,
    seen: u32,
}

impl Turns {
    fn take(path: &Path) -> Result<Turns, String> {
        let files = shmif_linux::files().downcast::<BusFiles>();
        let files = files.map_err(|_| "the half of shmif is another's")?;
        let path = path.to_str().ok_or("the folder's name is not UTF-8")?.to_owned();
        let (sender, receiver) = mpsc::channel();
        let join = move |proof: &Offcpu| _ = sender.send(files.0.join(&path, proof));
        linux::spawn_outside("turns", join).map_err(told)?;
        let joined = receiver.recv().map_err(told)?;
        let seat = joined.map_err(|error| format!("the bus cannot be joined: {error:?}"))?;
        Ok(Turns { seat, seen: 0 })
    }

    /// The word of the member with this place.
    fn word(&self, place: usize) -> &AtomicU32 {
        static NONE: AtomicU32 = AtomicU32::new(0);
        self.seat.map().slot(place).map_or(&NONE, |slot| slot.door().bell())
    }

    /// It is the other's turn.
    fn give(&self) {
        let theirs = self.word(1 - self.seat.index().min(1));
        theirs.fetch_add(1, Ordering::SeqCst);
        let _ = futex::wake(theirs, Flags::empty(), 1);
    }

    /// Until it is ours.
    fn wait(&mut self) {
        let seen = self.seen;
        let mine = self.word(self.seat.index());
        while mine.load(Ordering::SeqCst) == seen {
            let _ = futex::wait(mine, Flags::empty(), seen, None);
        }
        self.seen = seen.wrapping_add(1);
    }
}

/// The other process; it ends with this.
struct Peer(Child);

impl Peer {
    fn start(scratch: &Scratch) -> Result<Peer, String> {
        let myself = std::env::current_exe().map_err(told)?;
        let mut command = Command::new(myself);
        command.arg("bus-peer").arg(&scratch.0);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.spawn().map(Peer).map_err(told)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder for the two buses, which goes in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Scratch, String> {
        let path = std::env::temp_dir().join(format!("bench-{}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Scratch(path))
    }

    fn bus(&self) -> PathBuf {
        self.0.join("bus")
    }

    fn turns(&self) -> PathBuf {
        self.0.join("turns")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn host() -> Arc<dyn Host> {
    Linux::builder().io("shmif", shmif_linux::files()).build()
}

fn boot(bus: &Path, address: Ipv4Addr) -> Result<Kernel, String> {
    let kernel = Kernel::boot(host(), &ROUTER).map_err(told)?;
    let bus = bus.to_str().ok_or("the folder's name is not UTF-8")?;
    ifconfig::create(&kernel, "shmif0").map_err(told)?;
    ifconfig::linkstr(&kernel, "shmif0", bus).map_err(told)?;
    ifconfig::inet(&kernel, "shmif0", address, 24).map_err(told)?;
    Ok(kernel)
}

//! Threads, and catching a panic, which `no_std` code cannot.

use alloc::boxed::Box;

use crate::Offcpu;

/// The host has no more threads to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpawnError;

/// A started thread.
pub trait Join: Send {
    /// Waits for the thread's end.
    fn join(self: Box<Self>, proof: &Offcpu);
}

/// Threads, made on demand only: a kernel that does nothing has none.
pub trait Threads {
    /// Starts a thread that runs `main`. Never blocks for long.
    fn spawn(
        &self,
        name: &str,
        main: Box<dyn FnOnce() + Send>,
    ) -> Result<Box<dyn Join>, SpawnError>;

    /// A number that names the calling thread among those alive; never 0.
    fn current(&self) -> u64;

    /// Lets another thread run for a moment: for a spinner whose lock's holder may have been
    /// preempted by the host. Never blocks for long.
    fn yield_now(&self) {
        core::hint::spin_loop();
    }
}

/// The closure panicked, or was abandoned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Panicked;

/// Panics stop here.
pub trait Catch {
    /// Runs `body` and stops a panic that comes out of it.
    fn catch(&self, body: &mut dyn FnMut()) -> Result<(), Panicked>;

    /// Unwinds the calling thread to its innermost [`Catch::catch`] without a message: how a
    /// thread leaves a kernel that died while it slept there.
    fn abandon(&self) -> !;
}

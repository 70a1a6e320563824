//! Threads, and panics stopped on them.
//!
//! * [`Threads`] of [`Linux`]: threads of std, with the name that the kernel gave.
//! * [`Catch`] of [`Linux`]: an abandoned thread unwinds with a private payload, so that no message
//!   is printed.
//!
//! Locking: none. Sources: none.

use core::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Weak};
use std::thread;

use hypercall::{Catch, Join, Offcpu, Panicked, SpawnError, Threads};

use crate::shared::Shared;
use crate::{Linux, lane};

struct Started {
    thread: thread::JoinHandle<()>,
    /// A handle does not keep its host alive.
    shared: Weak<Shared>,
}

impl Join for Started {
    fn join(self: Box<Self>, _proof: &Offcpu) {
        if self.thread.thread().id() == thread::current().id() {
            // Nobody can wait for its own end.
            return;
        }
        if let Some(shared) = self.shared.upgrade()
            && let Some(lane) = lane::if_any(&shared)
        {
            // The thread ahead may wait for one of these.
            lane.wake_deferred();
            shared.hand_over(&lane);
        }
        // How it ended is its own affair: a kernel catches its panics itself.
        let _ = self.thread.join();
    }
}

impl Threads for Linux {
    fn spawn(
        &self,
        name: &str,
        main: Box<dyn FnOnce() + Send>,
    ) -> Result<Box<dyn Join>, SpawnError> {
        // std refuses a name with a zero in it by a panic.
        let name = name.chars().filter(|c| *c != '\0').collect();
        let thread = thread::Builder::new().name(name).spawn(main).map_err(|_| SpawnError)?;
        Ok(Box::new(Started { thread, shared: Arc::downgrade(&self.shared) }))
    }

    #[inline]
    fn current(&self) -> u64 {
        // An address that no other thread alive has; the system's number would be a system call.
        thread_local!(static SELF: Cell<u8> = const { Cell::new(0) });
        SELF.with(|own| core::ptr::from_ref(own).addr() as u64)
    }

    fn yield_now(&self) {
        if let Some(lane) = lane::if_any(&self.shared) {
            lane.wake_deferred();
        }
        thread::yield_now();
    }
}

/// The payload of an abandoned thread.
struct Abandoned;

impl Catch for Linux {
    #[inline]
    fn catch(&self, body: &mut dyn FnMut()) -> Result<(), Panicked> {
        catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
            if !payload.is::<Abandoned>() {
                // Its destructor is foreign code and might panic again.
                core::mem::forget(payload);
            }
            Panicked
        })
    }

    fn abandon(&self) -> ! {
        resume_unwind(Box::new(Abandoned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_panic_stops_at_the_innermost_catch() {
        let host = Linux::new();
        let mut after = false;
        let outer = host.catch(&mut || {
            assert_eq!(host.catch(&mut || host.abandon()), Err(Panicked));
            assert_eq!(host.catch(&mut || panic!("expected in this test")), Err(Panicked));
            after = true;
        });
        assert_eq!(outer, Ok(()));
        assert!(after);
    }

    #[test]
    fn threads_run_have_numbers_and_are_joined() {
        let host = Linux::new();
        let ran = Arc::new(AtomicU32::new(0));
        let me = host.current();
        assert_ne!(me, 0);
        assert_eq!(me, host.current());
        let handles: Vec<_> = (0..4)
            .map(|_| {
                let (host2, ran) = (host.clone(), ran.clone());
                let main = move || {
                    assert_ne!(host2.current(), me);
                    ran.fetch_add(1, Ordering::Relaxed);
                };
                host.spawn("odd\0name, and a long one", Box::new(main)).unwrap()
            })
            .collect();
        for handle in handles {
            handle.join(&Offcpu::scheduler_only());
        }
        assert_eq!(ran.load(Ordering::Relaxed), 4);
    }
}

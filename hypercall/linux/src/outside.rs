//! Threads of drivers' halves on this host: outside of every kernel, and able to carry interrupts.
//!
//! * [`spawn_outside`] starts one. It is given the proof that it holds no virtual CPU, because it
//!   belongs to no kernel, and so may visit any.
//!
//! Locking: none. Sources: none.

use std::io;
use std::thread;

use hypercall::Offcpu;

/// Starts a thread that is in no kernel. `main` must not keep the proof while it is inside one,
/// which its lifetime sees to as long as `main` enters kernels through up-calls only.
pub fn spawn_outside(
    name: &str,
    main: impl FnOnce(&Offcpu) + Send + 'static,
) -> io::Result<thread::JoinHandle<()>> {
    let run = move || main(&Offcpu::scheduler_only());
    thread::Builder::new().name(name.into()).spawn(run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Linux;
    use hypercall::{Host, Interrupts};
    use std::sync::Arc;

    #[test]
    fn a_thread_outside_may_carry() {
        let host = Linux::new();
        let thread = spawn_outside("outside", move |proof| host.carry(proof)).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn the_last_half_given_counts() {
        let half = |n: u32| -> Arc<dyn core::any::Any + Send + Sync> { Arc::new(n) };
        let host = Linux::builder().io("a", half(1)).io("b", half(2)).io("a", half(3)).build();
        let number = |name| host.io(name).and_then(|half| half.downcast::<u32>().ok());
        assert_eq!(number("a").as_deref(), Some(&3));
        assert_eq!(number("b").as_deref(), Some(&2));
        assert_eq!(number("c"), None);
    }
}

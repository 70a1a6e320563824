//! The half of virtif on Linux: tap devices, and who waits for their frames.
//!
//! ```
//! use linux::Linux;
//! let host = Linux::builder().io("virtif", virtif_linux::taps()).build();
//! ```
//! Kernels on that host then have interfaces `virtN` on tap devices, of the network namespace that
//! the thread is in which creates the interface.
//!
//! * `tap`: opens or makes a device, and moves frames.  * `undone`: what is in front of each frame.
//! * `request`: what a device is asked for.  * `waiter`: the thread that waits for all devices of a host.
//!
//! No thread is made before the first device listens, and none is left when the last has gone.
//!
//! Locking: see `waiter`; nothing is held while a bell rings.
//! Sources: Linux Documentation/networking/tuntap.rst; epoll(7).
#![deny(unsafe_code)]

mod request;
mod tap;
mod undone;
mod waiter;

use core::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use virtif::host::{Device, Devices, Network, Offcpu, OpenError};

/// What a host is given under the name `virtif`: one for each host.
pub fn taps() -> Arc<dyn Any + Send + Sync> {
    Arc::new(Network(Arc::new(Taps { wants_undone: true, waiter: Arc::default() })))
}

/// The same, as on a system whose taps leave nothing undone: frames are whole.
pub fn whole_taps() -> Arc<dyn Any + Send + Sync> {
    Arc::new(Network(Arc::new(Taps { wants_undone: false, waiter: Arc::default() })))
}

/// The tap devices of this machine.
struct Taps {
    wants_undone: bool,
    waiter: Arc<waiter::Waiter>,
}

impl Devices for Taps {
    fn open(&self, name: &str, _proof: &Offcpu) -> Result<Box<dyn Device>, OpenError> {
        Ok(Box::new(tap::Tap::open(name, self.wants_undone, self.waiter.clone())?))
    }
}

impl Drop for Taps {
    fn drop(&mut self) {
        self.waiter.end();
    }
}

/// Takes a lock of this crate. Nothing foreign runs under one, so a poisoned one still guards
/// consistent data.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The host's getpid and a kernel's, in turn.
//!
//! Locking: none.

use core::hint::black_box;

use base::{Errno, Kernel};
use linux::Linux;

use crate::BASE;
use crate::samples::compare;
use crate::syscall::{CALLS, getpids};

const BATCHES: u32 = 60;

/// Seconds of a call: the host's, a kernel's.
pub fn measure() -> Result<(f64, f64), String> {
    let kernel = Kernel::boot(Linux::new(), &BASE).map_err(|error| error.to_string())?;
    let mut lwp = kernel.bind().map_err(|error| error.to_string())?;
    let host = || {
        for _ in 0..CALLS {
            black_box(rustix::process::getpid());
        }
        Ok::<(), Errno>(())
    };
    let compared = compare(BATCHES, CALLS, || getpids(&mut lwp), host);
    let compared = compared.map_err(|error| error.to_string())?;
    Ok((compared.other, compared.one))
}

//! `boot.base` and `boot.router`: kernels booted and dropped in this process.
//!
//! The baseline is what an operating system without an anykernel has in its place: another process.
//!
//! Locking: none. Sources: the book, table 4.1.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use base::{Host, Kernel, Spec};
use linux::Linux;

use crate::record::Record;
use crate::samples::median;
use crate::{BASE, ROUTER};

const ROUNDS: u32 = 40;
const BOOTS_A_ROUND: u32 = 100;
const WARM_UP: u32 = 200;

/// Both figures.
pub fn measure() -> Result<Vec<Record>, String> {
    let host: Arc<dyn Host> = Linux::new();
    let first_base = boot(&host, &BASE)?;
    let first_router = boot(&host, &ROUTER)?;
    for _ in 0..WARM_UP {
        boot(&host, &BASE)?;
        boot(&host, &ROUTER)?;
    }
    let (mut base, mut router, mut process) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for _ in 0..BOOTS_A_ROUND {
            base.push(boot(&host, &BASE)?);
        }
        for _ in 0..BOOTS_A_ROUND {
            router.push(boot(&host, &ROUTER)?);
        }
        process.push(start_a_process()?);
    }
    let baseline = median(process);
    let record = |id, what, times, first, book_s| {
        let value = median(times);
        Record {
            id,
            what,
            unit: "s",
            value,
            baseline,
            baseline_what: "start to exit of a process that does nothing",
            ratio: value / baseline,
            first: Some(first),
            book_s: Some(book_s),
            pinned_ratio: None,
            free_ratio: None,
        }
    };
    Ok(vec![
        record("boot.base", "boot of a kernel of the base alone", base, first_base, 5.54e-3),
        record("boot.router", "boot of net, netinet and shmif", router, first_router, 6.30e-3),
    ])
}

/// Seconds of a boot; the kernel is dropped afterwards.
fn boot(host: &Arc<dyn Host>, spec: &'static Spec) -> Result<f64, String> {
    let start = Instant::now();
    let kernel = Kernel::boot(host.clone(), spec).map_err(|error| error.to_string())?;
    let took = start.elapsed().as_secs_f64();
    drop(kernel);
    Ok(took)
}

fn start_a_process() -> Result<f64, String> {
    let myself = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(myself);
    command.arg("nothing").env_clear();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().map_err(|error| error.to_string())?;
    let took = start.elapsed().as_secs_f64();
    match status.success() {
        true => Ok(took),
        false => Err(format!("a process that does nothing failed: {status}")),
    }
}

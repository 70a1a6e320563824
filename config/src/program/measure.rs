//! Figures of one configuration: boot, halt, memory of an idle kernel.
//!
//! * [`measure`]: boots and halts in a loop. What the configuration sets up after the boot
//!   (interfaces, routes) is left out: a thousand kernels of it in one process would fight over
//!   their addresses.
//!
//! Locking: none.

use core::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Host, Kernel, Options, Spec};

use crate::resident;

/// Idle kernels that memory is measured over.
const IDLE: u32 = 1000;

/// Boots before the figures count.
const WARM_UP: u32 = 50;

/// The figures.
pub(super) struct Measured {
    name: String,
    components: usize,
    first: Duration,
    boots: Vec<Duration>,
    halts: Vec<Duration>,
    bytes_per_kernel: f64,
}

/// Boots `runs` kernels one after another, then a thousand that stay.
pub(super) fn measure(
    host: &Arc<dyn Host>,
    spec: &'static Spec,
    options: &Options<'_>,
    runs: u32,
) -> Result<Measured, String> {
    let boot = || {
        let start = Instant::now();
        let kernel = Kernel::boot_with(host.clone(), spec, options);
        let took = start.elapsed();
        kernel.map(|kernel| (kernel, took)).map_err(|error| error.to_string())
    };
    let (kernel, first) = boot()?;
    drop(kernel);
    let bytes_per_kernel = idle(&boot)?;
    for _ in 0..WARM_UP {
        boot()?;
    }
    let (mut boots, mut halts) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        let (kernel, took) = boot()?;
        boots.push(took);
        let start = Instant::now();
        drop(kernel);
        halts.push(start.elapsed());
    }
    boots.sort();
    halts.sort();
    let name = if options.name.is_empty() { spec.name } else { options.name };
    Ok(Measured {
        name: name.to_string(),
        components: spec.components.len(),
        first,
        boots,
        halts,
        bytes_per_kernel,
    })
}

/// Resident memory of an idle kernel, the mean over [`IDLE`] of them. Measured before anything
/// else, while there is no freed memory that they would fill first.
fn idle(boot: &impl Fn() -> Result<(Kernel, Duration), String>) -> Result<f64, String> {
    let mut kernels = Vec::with_capacity(IDLE as usize);
    let before = resident::bytes()?;
    for _ in 0..IDLE {
        kernels.push(boot()?.0);
    }
    let after = resident::bytes()?;
    Ok(after.saturating_sub(before) as f64 / f64::from(IDLE))
}

/// The time that `percent` in a hundred of these do not exceed; they are sorted.
fn percentile(times: &[Duration], percent: usize) -> f64 {
    let at = times.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    times.get(at).map_or(0.0, Duration::as_secs_f64)
}

impl Measured {
    /// For programs: SI units, stable names.
    pub(super) fn json(&self) -> String {
        format!(
            "{{\"name\": {:?}, \"components\": {}, \"boot_s\": {{\"min\": {:e}, \"median\": {:e}, \
             \"p99\": {:e}, \"first\": {:e}}}, \"halt_s\": {:e}, \"bytes_per_kernel\": {}}}\n",
            self.name,
            self.components,
            percentile(&self.boots, 0),
            percentile(&self.boots, 50),
            percentile(&self.boots, 99),
            self.first.as_secs_f64(),
            percentile(&self.halts, 50),
            self.bytes_per_kernel,
        )
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micro = |seconds: f64| seconds * 1e6;
        writeln!(
            f,
            "{}, {} components\n\
             boot    min {:.2} µs, median {:.2} µs, p99 {:.2} µs; the first {:.1} µs\n\
             halt    median {:.2} µs\n\
             memory  {:.1} KiB resident per idle kernel, over {IDLE} of them",
            self.name,
            self.components,
            micro(percentile(&self.boots, 0)),
            micro(percentile(&self.boots, 50)),
            micro(percentile(&self.boots, 99)),
            micro(self.first.as_secs_f64()),
            micro(percentile(&self.halts, 50)),
            self.bytes_per_kernel / 1024.0,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_secs).collect();
        assert_eq!(percentile(&times, 0), 1.0);
        assert_eq!(percentile(&times, 50), 100.0);
        assert_eq!(percentile(&times, 99), 198.0);
        assert_eq!(percentile(&[], 50), 0.0);
    }

    #[test]
    fn json_has_the_stable_names() {
        let one = || vec![Duration::from_micros(5)];
        let measured = Measured {
            name: "edge".to_string(),
            components: 3,
            first: Duration::from_micros(80),
            boots: one(),
            halts: one(),
            bytes_per_kernel: 9216.5,
        };
        assert_eq!(
            measured.json(),
            "{\"name\": \"edge\", \"components\": 3, \"boot_s\": {\"min\": 5e-6, \"median\": 5e-6, \
             \"p99\": 5e-6, \"first\": 8e-5}, \"halt_s\": 5e-6, \"bytes_per_kernel\": 9216.5}\n"
        );
    }
}

//! Clock, entropy, parameters, console, halves of drivers.
//!
//! * [`Sim::console_text`] reads what kernels wrote; [`Sim::set_param`] changes what they read.
//! * [`Sim::give`]: a driver's half on this host.
//!
//! Locking: a lock for each, nesting in nothing.
//! Sources: `hypercall::{Clock, Environment}`; the book's `RUMPUSER_PARAM_HOSTNAME` and `_NCPU`.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use hypercall::{Clock, Environment, Instant, WallTime};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use crate::{Config, Sim, Stream, lock, stream};

const SECOND: u64 = 1_000_000_000;

/// What surrounds a kernel, besides time.
pub struct Surroundings {
    entropy: Mutex<ChaCha8Rng>,
    params: Mutex<BTreeMap<String, String>>,
    console: Mutex<String>,
    halves: Mutex<BTreeMap<String, Half>>,
}

/// Only the driver knows what it is.
pub type Half = Arc<dyn Any + Send + Sync>;

impl Surroundings {
    pub fn new(config: &Config) -> Self {
        let mut params = config.params.clone();
        params.entry("hostname".into()).or_insert_with(|| "rump-1.sim.rumpdomain".into());
        params.entry("ncpu".into()).or_insert_with(|| "1".into());
        Self {
            entropy: Mutex::new(stream(config.seed, Stream::Entropy)),
            params: Mutex::new(params),
            console: Mutex::default(),
            halves: Mutex::default(),
        }
    }

    /// The half of the driver `name`.
    pub fn half(&self, name: &str) -> Option<Half> {
        lock(&self.halves).get(name).cloned()
    }
}

impl Sim {
    /// All that was written to the console.
    pub fn console_text(&self) -> String {
        lock(&self.environment.console).clone()
    }

    /// The same, leaving the console empty.
    pub fn take_console(&self) -> String {
        std::mem::take(&mut lock(&self.environment.console))
    }

    /// Gives the parameter `name` a value.
    pub fn set_param(&self, name: &str, value: &str) {
        lock(&self.environment.params).insert(name.to_owned(), value.to_owned());
    }

    /// Gives the host the half of the driver `name`, in the place of one before.
    pub fn give(&self, name: &str, half: Arc<dyn Any + Send + Sync>) {
        lock(&self.environment.halves).insert(name.to_owned(), half);
    }
}

impl Clock for Sim {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.clock.load(Ordering::Acquire))
    }

    fn wall(&self) -> WallTime {
        let origin = self.config.wall;
        let ns = self.now().nanos();
        // Below 2 s of nanoseconds: no overflow.
        let part = u64::from(origin.nanoseconds) + ns % SECOND;
        let whole = i64::try_from(ns / SECOND + part / SECOND).unwrap_or(i64::MAX);
        WallTime {
            seconds: origin.seconds.saturating_add(whole),
            nanoseconds: (part % SECOND) as u32,
        }
    }
}

impl Environment for Sim {
    fn entropy(&self, out: &mut [u8]) {
        lock(&self.environment.entropy).fill_bytes(out);
    }

    fn param(&self, name: &str) -> Option<String> {
        lock(&self.environment.params).get(name).cloned()
    }

    fn console(&self, text: &str) {
        lock(&self.environment.console).push_str(text);
    }

    fn exit(&self, status: i32) -> ! {
        panic!("sim: a kernel asked the host to exit with status {status}")
    }
}

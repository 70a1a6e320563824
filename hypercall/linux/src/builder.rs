//! Hosts to order: the options of [`Linux`].
//!
//! * `Linux::builder().workers(1).param("hostname", "here").build()`
//!
//! Locking: none. Sources: none.

use core::any::Any;
use std::sync::{Arc, Mutex, OnceLock};

use crate::{Linux, entropy, names, parking, shared};

/// Options of a host; see [`Linux::builder`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Builder {
    workers: Option<usize>,
    params: Vec<(String, String)>,
    io: Vec<(String, Arc<dyn Any + Send + Sync>)>,
}

impl Builder {
    /// At most `count` worker threads (at least one; default: the CPUs that the process may use).
    /// While all of them are stuck in kernels that do not return, there may be more.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = Some(count.max(1));
        self
    }

    /// Sets the parameter `name`, in place of what the host would answer.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// Gives the host its half of the driver `name`; see [`hypercall::Host::io`].
    pub fn io(mut self, name: impl Into<String>, half: Arc<dyn Any + Send + Sync>) -> Self {
        self.io.push((name.into(), half));
        self
    }

    /// The host. No thread is made and no system call is spent.
    pub fn build(self) -> Arc<Linux> {
        Arc::new(Linux {
            shared: shared::Shared::new(self.workers),
            blocked: parking::Blocked::default(),
            names: names::NameSpace::default(),
            entropy: Mutex::new(entropy::Pool::default()),
            hostname: OnceLock::new(),
            params: self.params,
            io: self.io,
        })
    }
}

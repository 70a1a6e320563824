//! Clusters: the shared, immutable bulk of packets.
//!
//! Freed by the last holder, on any thread. Each packet that refers to one is charged for it.
//!
//! Locking: none; immutable.
#![allow(clippy::disallowed_methods)] // charged here, by hand

use alloc::boxed::Box;
use alloc::sync::Arc;

use base::{Account, NoMemory};

/// What a cluster costs beside its bytes.
const OVERHEAD: usize = 48;

/// Immutable bytes, shared by packets.
pub struct Cluster {
    bytes: Box<[u8]>,
}

impl Cluster {
    /// A copy of `data`, charged to `account`.
    pub(super) fn copy_of(account: &Account, data: &[u8]) -> Result<Cluster, NoMemory> {
        account.take(data.len() + OVERHEAD)?;
        Ok(Cluster { bytes: Box::from(data) })
    }

    /// The bytes of one that nobody shares yet.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(super) fn share(self) -> Arc<Cluster> {
        Arc::new(self)
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What a reference to it is charged.
    #[inline]
    pub(super) fn cost(&self) -> usize {
        self.bytes.len() + OVERHEAD
    }
}

//! Names: where kernels of one host find what they share.

use alloc::sync::Arc;
use core::any::Any;

/// A name space that belongs to the host value. Never blocks for long.
pub trait Names {
    /// The object called `name`, made by `make` if nobody holds it. The host keeps it weakly: an
    /// object that its last holder drops is gone, and its name with it.
    fn rendezvous(
        &self,
        name: &str,
        make: &mut dyn FnMut() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync>;
}

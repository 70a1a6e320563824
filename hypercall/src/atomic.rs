//! The atomics that cross the hypercall edge: `core`'s, or the model checker's under `cfg(loom)`.

cfg_if::cfg_if! {
    if #[cfg(loom)] {
        pub use loom::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    } else {
        pub use core::sync::atomic::{
            AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
        };
    }
}

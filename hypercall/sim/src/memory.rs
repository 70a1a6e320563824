//! Memory from the global allocator, counted, so that a test sees what was not given back.
//!
//! * [`Sim::held`] says what is out.
//!
//! Locking: none; two counters.
//! Sources: `hypercall::Memory`.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use hypercall::Memory;

use crate::Sim;

/// Memory that kernels have from the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Held {
    /// Allocations.
    pub blocks: usize,
    /// Their sizes together.
    pub bytes: usize,
}

#[derive(Default)]
pub struct Counters {
    blocks: AtomicUsize,
    bytes: AtomicUsize,
}

impl Sim {
    /// What kernels took with `allocate` and have not given back.
    pub fn held(&self) -> Held {
        Held {
            blocks: self.memory.blocks.load(Ordering::Relaxed),
            bytes: self.memory.bytes.load(Ordering::Relaxed),
        }
    }
}

// SAFETY: the global allocator's memory is valid for the layout, aligned and not aliased.
unsafe impl Memory for Sim {
    fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        if layout.size() == 0 {
            return None;
        }
        // SAFETY: the size is not zero.
        let ptr = NonNull::new(unsafe { alloc(layout) })?;
        self.memory.blocks.fetch_add(1, Ordering::Relaxed);
        self.memory.bytes.fetch_add(layout.size(), Ordering::Relaxed);
        Some(ptr)
    }

    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        self.memory.blocks.fetch_sub(1, Ordering::Relaxed);
        self.memory.bytes.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: by the caller's promise, it came from `allocate` with this layout.
        unsafe { dealloc(ptr.as_ptr(), layout) }
    }
}

//! Memory: pages and packet clusters. Small objects come from the global allocator.

use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

/// Aligned memory. Never blocks.
///
/// # Safety
/// `allocate` returns memory that is valid for the layout, aligned, not zeroed, and aliased by
/// nothing until it is given to `free`.
pub unsafe trait Memory {
    /// Memory of the given layout (of non-zero size), or `None` when the host has no more.
    fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        debug_assert!(layout.size() != 0);
        // SAFETY: the size is not zero, as this method demands.
        NonNull::new(unsafe { alloc(layout) })
    }

    /// Gives memory back. From any thread.
    ///
    /// # Safety
    /// `ptr` came from `allocate` of this host with the same layout and is not used any more.
    unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: by the caller's promise.
        unsafe { dealloc(ptr.as_ptr(), layout) }
    }
}

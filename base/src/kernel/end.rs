//! Who is told that a kernel is gone: those outside who wait for what it will never say.
//!
//! A thread that sleeps inside is released by the kernel itself. Who has no thread there, as a server
//! of remote clients, asks to be told.
//!
//! Locking: a short spin lock around the list; nobody is told under it. Sources: none.

use alloc::sync::Weak;
use alloc::vec::Vec;

/// Is told once, by whatever thread ends the kernel.
pub trait AtEnd: Send + Sync {
    /// The kernel panicked, or is about to be taken apart: nobody enters it any more. May not block.
    fn gone(&self);
}

/// Those that are to be told.
#[derive(Default)]
pub(crate) struct AtEnds(spin::Mutex<Vec<Weak<dyn AtEnd>>>);

impl AtEnds {
    /// Adds one; those that have gone themselves leave.
    pub(crate) fn add(&self, who: Weak<dyn AtEnd>) {
        let mut all = self.0.lock();
        all.retain(|who| who.strong_count() > 0);
        // Outside of the kernel, like its shell: a word or two for each service.
        all.push(who);
    }

    /// Tells everybody, once.
    pub(crate) fn tell(&self) {
        let all = core::mem::take(&mut *self.0.lock());
        all.iter().filter_map(Weak::upgrade).for_each(|who| who.gone());
    }
}

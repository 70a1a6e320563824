//! Slots: a component's state in each kernel.
//!
//! ```
//! base::slot! { pub static SEEN: base::evcnt::Counter; }         // in src/component.rs
//!
//! fn attach(l: &mut base::Lwp<'_>) -> Result<(), base::Errno> {   // a boot hook
//!     SEEN.set(l, base::vm::kmem::boxed(l, Default::default())?)
//! }
//! fn input(cx: &base::Cx<'_>) {                                   // anywhere: an array access
//!     cx.get(&SEEN).inc(cx);
//! }
//! ```
//!
//! The index of a slot is its place in the linker set, which its address says: there is nothing to
//! allocate or remember at run time.
//!
//! INVARIANT: the pointer in a kernel's array at a slot's index is null or a `KBox<T>` of that
//! slot's `T`. `Slot::set` and `Slots::get` are the only ones to touch it; both are typed by the
//! slot and compare its type with the declaration's.
//!
//! Locking: set once per kernel, at boot; read without a lock.

use alloc::boxed::Box;
use core::any::TypeId;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicPtr, Ordering};

use linkme::distributed_slice;
use smallvec::SmallVec;

use crate::vm::{Charged, KBox};
use crate::{Cx, Errno};

/// A slot's place in the set.
pub struct Decl {
    name: &'static str,
    type_id: TypeId,
    drop: unsafe fn(NonNull<()>),
}

impl Decl {
    /// For [`slot!`](crate::slot!).
    #[doc(hidden)]
    pub const fn new<T: Send + Sync + 'static>(name: &'static str) -> Self {
        Self { name, type_id: TypeId::of::<T>(), drop: drop_boxed::<T> }
    }
}

/// All slots of all components in this binary.
#[distributed_slice]
pub static SLOTS: [Decl];

/// The key to a component's state of type `T`.
pub struct Slot<T: Send + Sync + 'static> {
    decl: &'static Decl,
    _type: PhantomData<fn() -> T>,
}

/// Declares a slot: `base::slot! { pub static NAME: Type; }`.
#[macro_export]
macro_rules! slot {
    ($(#[$m:meta])* $vis:vis static $name:ident : $t:ty;) => {
        $(#[$m])*
        $vis static $name: $crate::Slot<$t> = {
            #[$crate::__private::linkme::distributed_slice($crate::component::slot::SLOTS)]
            #[linkme(crate = $crate::__private::linkme)]
            static DECL: $crate::component::slot::Decl =
                $crate::component::slot::Decl::new::<$t>(stringify!($name));
            $crate::Slot::new(&DECL)
        };
    };
}

impl<T: Send + Sync + 'static> Slot<T> {
    /// For [`slot!`](crate::slot!).
    #[doc(hidden)]
    pub const fn new(decl: &'static Decl) -> Self {
        Self { decl, _type: PhantomData }
    }

    /// The slot's name.
    pub const fn name(&self) -> &'static str {
        self.decl.name
    }

    /// A slot made by hand over a declaration of another type would break the invariant.
    #[inline]
    fn check_type(&self) {
        assert!(self.decl.type_id == TypeId::of::<T>(), "slot and declaration differ in type");
    }

    #[inline]
    fn index(&self) -> usize {
        let start = SLOTS.as_ptr() as usize;
        (core::ptr::from_ref(self.decl) as usize).wrapping_sub(start) / size_of::<Decl>()
    }

    /// Puts the state of this kernel into the slot; `Exists` if it has some already.
    pub fn set(&self, cx: &Cx<'_>, state: KBox<T>) -> Result<(), Errno> {
        self.check_type();
        let slots = &cx.body().slots;
        let cell = slots.cells.get(self.index()).ok_or(Errno::Invalid)?;
        let new = Box::into_raw(state).cast::<()>();
        let null = core::ptr::null_mut();
        match cell.compare_exchange(null, new, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => Ok(()),
            Err(_) => {
                // SAFETY: `new` came from the box a moment ago and went nowhere.
                drop(unsafe { Box::from_raw(new.cast::<Charged<T>>()) });
                Err(Errno::Exists)
            }
        }
    }
}

/// A kernel's states.
pub(crate) struct Slots {
    cells: SmallVec<[AtomicPtr<()>; 16]>,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Self { cells: (0..SLOTS.len()).map(|_| AtomicPtr::default()).collect() }
    }

    #[inline]
    pub(crate) fn get<T: Send + Sync + 'static>(&self, slot: &Slot<T>) -> Option<&T> {
        slot.check_type();
        let p = self.cells.get(slot.index())?.load(Ordering::Acquire);
        // SAFETY: by the module's invariant, a `Charged<T>` or null; it lives as long as `self`.
        unsafe { p.cast::<Charged<T>>().as_ref() }.map(|c| &**c)
    }

    /// Drops all states. The caller is alone in the kernel.
    pub(crate) fn clear(&self) {
        for (cell, decl) in self.cells.iter().zip(SLOTS.iter()) {
            if let Some(p) = NonNull::new(cell.swap(core::ptr::null_mut(), Ordering::AcqRel)) {
                // SAFETY: by the module's invariant the box is of the declaration's type, and
                // nobody else can reach it any more.
                unsafe { (decl.drop)(p) };
            }
        }
    }
}

/// # Safety
/// `p` came from `Box::into_raw` of a `KBox<T>`.
unsafe fn drop_boxed<T>(p: NonNull<()>) {
    // SAFETY: by the caller's promise.
    drop(unsafe { Box::from_raw(p.as_ptr().cast::<Charged<T>>()) });
}

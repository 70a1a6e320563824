//! A file that is cut while it is mapped is an error, not the process's end.
//!
//! An access to a page that its file does not have any more raises SIGBUS. The handler, installed
//! once per process when the first bus is mapped, looks whether the address is in a mapping of
//! ours. If so it puts a page of zeros there, marks the mapping as broken and goes on; otherwise it
//! does what would have been done without us.
//!
//! * [`Guarded`] registers a range of addresses.
//!
//! The register is a list that only grows (entries are used again), so that the handler can walk it
//! at any moment. Process-global, because signals are.
//!
//! Locking: none; atomics, since a signal handler may take no lock.
//! Sources: sigaction(2), signal-safety(7).
#![allow(unsafe_code)] // JUSTIFICATION: signal handlers

use core::ffi::c_int;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::Once;

/// An entry of the register.
struct Entry {
    taken: AtomicBool,
    /// The first address; 0 while there is no range.
    start: AtomicUsize,
    len: AtomicUsize,
    broken: AtomicBool,
    next: AtomicPtr<Entry>,
}

static FIRST: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// What was installed before us; null until that is known.
static PREVIOUS: AtomicPtr<libc::sigaction> = AtomicPtr::new(ptr::null_mut());
static INSTALL: Once = Once::new();

/// A range of addresses whose faults are handled, for as long as this lives.
pub struct Guarded(&'static Entry);

impl Guarded {
    /// Registers the range, whose pages are ours to replace.
    pub fn new(start: usize, len: usize) -> Guarded {
        INSTALL.call_once(install);
        let entry = entries().find(|entry| !entry.taken.swap(true, Ordering::Acquire));
        let entry = entry.unwrap_or_else(add);
        entry.broken.store(false, Ordering::Relaxed);
        entry.len.store(len, Ordering::Relaxed);
        entry.start.store(start, Ordering::Release);
        Guarded(entry)
    }

    /// Whether a page of the range was missing.
    pub fn is_broken(&self) -> bool {
        self.0.broken.load(Ordering::Relaxed)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.0.start.store(0, Ordering::Release);
        self.0.taken.store(false, Ordering::Release);
    }
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    let follow = |entry: &AtomicPtr<Entry>| {
        // SAFETY: entries are leaked, so a pointer to one is good for ever; they are shared only.
        unsafe { entry.load(Ordering::Acquire).as_ref() }
    };
    core::iter::successors(follow(&FIRST), move |entry| follow(&entry.next))
}

fn add() -> &'static Entry {
    let entry = Box::leak(Box::new(Entry {
        taken: AtomicBool::new(true),
        start: AtomicUsize::new(0),
        len: AtomicUsize::new(0),
        broken: AtomicBool::new(false),
        next: AtomicPtr::new(ptr::null_mut()),
    }));
    let this: *mut Entry = entry;
    // SAFETY: as in `entries`.
    let entry: &'static Entry = unsafe { &*this };
    let mut first = FIRST.load(Ordering::Relaxed);
    loop {
        entry.next.store(first, Ordering::Relaxed);
        match FIRST.compare_exchange_weak(first, this, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return entry,
            Err(now) => first = now,
        }
    }
}

fn install() {
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_fault;
    // SAFETY: zero is a value of every field of this C structure.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    // On the stack that std gives its threads for this, should theirs be what is missing.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    let previous = Box::leak(Box::new(action));
    // SAFETY: both structures are valid for the call; the handler does only what one may.
    let installed = unsafe { libc::sigaction(libc::SIGBUS, &raw const action, previous) };
    if installed == 0 {
        PREVIOUS.store(previous, Ordering::Release);
    }
}

/// The handler. Calls nothing that a signal handler may not; keeps `errno`.
extern "C" fn on_fault(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the system hands a valid structure to a handler with SA_SIGINFO.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr().addr()) };
    // SAFETY: the place of `errno` is this thread's own.
    let errno = unsafe { &mut *libc::__errno_location() };
    let before = *errno;
    let ours = (code == libc::BUS_ADRERR).then(|| {
        entries().find(|entry| {
            let start = entry.start.load(Ordering::Acquire);
            start != 0 && address.wrapping_sub(start) < entry.len.load(Ordering::Relaxed)
        })
    });
    let handled = ours.flatten().is_some_and(|entry| {
        let replaced = replace(address);
        if replaced {
            entry.broken.store(true, Ordering::Relaxed);
        }
        replaced
    });
    if !handled {
        chain(signal, info, context);
    }
    *errno = before;
}

/// Puts a page of zeros around `address`.
fn replace(address: usize) -> bool {
    let page = rustix::param::page_size();
    let start = ptr::without_provenance_mut(address & !(page - 1));
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
    // SAFETY: the page is inside a range that was given to `Guarded::new` for this; all that is in
    // it are atomic words, for which zeros are values.
    let mapped = unsafe { libc::mmap(start, page, protection, flags, -1, 0) };
    mapped != libc::MAP_FAILED
}

/// Does what would have been done without us.
fn chain(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: null, or leaked by `install`.
    let previous = unsafe { PREVIOUS.load(Ordering::Acquire).as_ref() };
    let handler = previous.map_or(libc::SIG_DFL, |previous| previous.sa_sigaction);
    match handler {
        libc::SIG_DFL | libc::SIG_IGN => {
            // The system ignores no fault either. Once we return it kills the process.
            // SAFETY: both calls are allowed in a handler.
            unsafe {
                libc::signal(signal, libc::SIG_DFL);
                libc::raise(signal);
            }
        }
        handler if previous.is_some_and(|p| p.sa_flags & libc::SA_SIGINFO != 0) => {
            // SAFETY: somebody installed this address as a handler of this type.
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                unsafe { core::mem::transmute(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: as above, for the older type.
            let handler: extern "C" fn(c_int) = unsafe { core::mem::transmute(handler) };
            handler(signal);
        }
    }
}

//! System calls: one set, for local, C and remote clients alike.
//!
//! A layer declares its calls with `syscalls!`; numbers are Linux's (x86-64). A kernel's table is
//! made of the calls of its components; a number that nobody serves answers ENOSYS.
//!
//! * [`call`]: makes a call, from inside.  * [`SysMemory`]: the client's memory, wherever it is.
//! * [`Arg`]: what an argument is, so that a remote client can send memory along with the request.
//!
//! Locking: the table is made at boot. Sources: the book, sections 3.6.1 and 3.12.

mod base_calls;
pub mod number;

use alloc::sync::Arc;
use alloc::vec::Vec;

use linkme::distributed_slice;

pub use base_calls::MAX_TRANSFER;

use crate::component::Component;
use crate::{Cx, Errno, Lwp, NoMemory};

/// What an argument of a system call is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// A number.
    Value,
    /// The address of memory that the call reads: as long as argument `.0` says.
    In(u8),
    /// The address of memory of fixed size that the call reads.
    InFixed(u16),
    /// The address of memory that the call writes: as long as argument `.0` says.
    Out(u8),
    /// The address of memory of fixed size that the call writes.
    OutFixed(u16),
    /// The address of memory that the call reads and writes, `.1` bytes for each unit of
    /// argument `.0`.
    InOutTimes(u8, u16),
    /// The address of memory of fixed size that the call reads and writes.
    InOutFixed(u16),
    /// The address of memory that the call writes: as long as the 32-bit number says to which
    /// argument `.0` points.
    OutRef(u8),
    /// The address of memory whose length and direction the ioctl request in argument `.0` says.
    Ioctl(u8),
    /// What no descriptor can say (nested pointers): the call copies in and out itself.
    Opaque,
}

/// The client's memory. Addresses mean what they mean to the client; every one may be bad.
pub trait SysMemory {
    /// Copies from the client; `BadAddress` if that memory cannot be read.
    fn copyin(&mut self, from: u64, to: &mut [u8]) -> Result<(), Errno>;

    /// Copies to the client; `BadAddress` if that memory cannot be written.
    fn copyout(&mut self, from: &[u8], to: u64) -> Result<(), Errno>;

    /// Sees to it that `bytes` in so many pieces can be copied out, as far as memory goes: a call asks
    /// before it takes what it could not put back.
    fn reserve(&mut self, bytes: usize, pieces: usize) -> Result<(), Errno> {
        let _ = (bytes, pieces);
        Ok(())
    }
}

/// No memory at all: for calls without pointers.
pub struct NoSysMemory;

impl SysMemory for NoSysMemory {
    fn copyin(&mut self, _: u64, _: &mut [u8]) -> Result<(), Errno> {
        Err(Errno::BadAddress)
    }

    fn copyout(&mut self, _: &[u8], _: u64) -> Result<(), Errno> {
        Err(Errno::BadAddress)
    }
}

/// What runs a system call. The result is [`encode`]d: one register, where a `Result` would take
/// a trip through memory that costs more than a short call does.
pub type Handler = fn(l: &mut Lwp<'_>, args: &[u64; 6], memory: &mut dyn SysMemory) -> u64;

/// A result in one word, as Linux does it: the last 4095 values are negated error numbers.
#[inline]
pub fn encode(result: Result<u64, Errno>) -> u64 {
    match result {
        Ok(value) => value,
        Err(e) => (-i64::from(e.number())) as u64,
    }
}

/// The result in a word that [`encode`] made.
#[inline]
pub fn decode(word: u64) -> Result<u64, Errno> {
    if word < (-4095_i64) as u64 { Ok(word) } else { Err(decode_error(word)) }
}

#[cold]
fn decode_error(word: u64) -> Errno {
    i32::try_from((word as i64).wrapping_neg())
        .ok()
        .and_then(Errno::from_number)
        .unwrap_or(Errno::Io)
}

/// A system call.
pub struct Syscall {
    /// Its number, Linux's for x86-64.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [Arg],
    /// The component that serves it; `None` for base.
    pub component: Option<&'static str>,
    /// What runs it.
    pub handler: Handler,
}

/// The system calls of all components in this binary.
#[distributed_slice]
pub static SYSCALLS: [Syscall];

/// Registers system calls, each as `static NAME = component, number, "name", [arguments], handler;`
/// where the component is `None` for base and the handler is a function, or a closure, of context,
/// arguments and memory that answers a `Result<u64, Errno>`.
#[macro_export]
macro_rules! syscalls {
    ($($vis:vis static $id:ident = $component:expr, $number:expr, $name:literal, [$($arg:expr),*],
       $handler:expr;)+) => {$(
        #[$crate::__private::linkme::distributed_slice($crate::syscall::SYSCALLS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $id: $crate::syscall::Syscall = $crate::syscall::Syscall {
            number: $number,
            name: $name,
            args: &[$($arg),*],
            component: $component,
            handler: |l, args, memory| $crate::syscall::encode(($handler)(l, args, memory)),
        };
    )+};
}

/// A kernel's system calls, by number.
pub(crate) struct Table {
    /// What a call goes through: one load, and no question. Where it ends, nothing is served.
    handlers: Arc<[Handler]>,
    shared: Arc<Shared>,
}

/// What kernels of the same components share, through their host: it is made of constants.
struct Shared {
    handlers: Arc<[Handler]>,
    /// For each number its place in [`SYSCALLS`].
    places: Vec<u16>,
}

/// A number that nobody serves.
const NOWHERE: u16 = u16::MAX;

/// Numbers above are not served.
pub const MAX_NUMBER: u32 = 511;

impl Table {
    /// The table for `components`.
    #[allow(clippy::disallowed_methods)] // shared by kernels, so no kernel's
    pub(crate) fn of(cx: &Cx<'_>, components: &[&'static Component]) -> Result<Table, NoMemory> {
        let mut key = smallvec::SmallVec::<[u8; 128]>::from_slice(b"syscalls:");
        for c in components {
            key.extend_from_slice(c.name.as_bytes());
            key.push(b',');
        }
        let key = core::str::from_utf8(&key).map_err(|_| NoMemory)?;
        let mut make = || Arc::new(Shared::of(components)) as Arc<dyn core::any::Any + Send + Sync>;
        let shared = cx.host().rendezvous(key, &mut make);
        let shared = shared.downcast::<Shared>().map_err(|_| NoMemory)?;
        Ok(Table { handlers: shared.handlers.clone(), shared })
    }
}

impl Shared {
    /// No larger than need be, and never on the stack: a process that boots one kernel touches
    /// few pages.
    #[allow(clippy::disallowed_methods, clippy::disallowed_macros)] // shared by kernels
    fn of(components: &[&'static Component]) -> Shared {
        let served = |s: &Syscall| {
            s.number <= MAX_NUMBER
                && s.component.is_none_or(|c| components.iter().any(|k| k.name == c))
        };
        let calls = || SYSCALLS.iter().enumerate().filter(|(_, s)| served(s));
        let len = calls().map(|(_, s)| s.number as usize + 1).max().unwrap_or(0);
        let mut handlers: Arc<[Handler]> = (0..len).map(|_| enosys as Handler).collect();
        let mut places = alloc::vec![NOWHERE; len];
        let slots = Arc::get_mut(&mut handlers).unwrap_or_default();
        for (at, s) in calls() {
            let number = s.number as usize;
            if let (Some(handler), Some(place)) = (slots.get_mut(number), places.get_mut(number)) {
                *handler = s.handler;
                *place = u16::try_from(at).unwrap_or(NOWHERE);
            }
        }
        Shared { handlers, places }
    }
}

fn enosys(_: &mut Lwp<'_>, _: &[u64; 6], _: &mut dyn SysMemory) -> u64 {
    encode(Err(Errno::NotImplemented))
}

/// Makes a system call; the answer is [`encode`]d, `NotImplemented` if no component of this kernel
/// serves the number.
#[inline]
pub fn call(l: &mut Lwp<'_>, number: u32, args: &[u64; 6], memory: &mut dyn SysMemory) -> u64 {
    match l.body().syscalls.handlers.get(number as usize) {
        Some(handler) => handler(l, args, memory),
        None => enosys(l, args, memory),
    }
}

/// The description of call `number` in this kernel.
pub fn describe(cx: &Cx<'_>, number: u32) -> Option<&'static Syscall> {
    let place = cx.body().syscalls.shared.places.get(number as usize)?;
    SYSCALLS.get(usize::from(*place))
}

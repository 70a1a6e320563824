//! Errors as C has them: errno, and a text that says what to do.
//!
//! Locking: none; the text is the thread's.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static TEXT: RefCell<CString> = RefCell::default();
}

/// An error's number, and what it says.
pub(crate) struct Failure {
    errno: i32,
    text: String,
}

impl Failure {
    pub(crate) fn new(errno: i32, text: &str) -> Self {
        Self { errno, text: text.to_owned() }
    }
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        let known = e.get_ref().and_then(|inner| inner.downcast_ref::<remote::Error>());
        let errno = known.map(remote::Error::errno).or(e.raw_os_error()).unwrap_or(libc::EIO);
        Self { errno, text: e.to_string() }
    }
}

impl From<remote::Error> for Failure {
    fn from(e: remote::Error) -> Self {
        Self { errno: e.errno(), text: e.to_string() }
    }
}

/// Runs `f` for C: 0 or an error's number. The number is in errno too, and the text is kept.
pub(crate) fn status(f: impl FnOnce() -> Result<(), Failure>) -> i32 {
    let panicked = |_| Err(Failure::new(libc::EIO, "the client library has a bug: it panicked"));
    let Err(failure) = catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(panicked) else { return 0 };
    // A text with a zero in it is cut there by whoever reads it.
    let text = CString::new(failure.text.replace('\0', " ")).unwrap_or_default();
    // While a thread ends, there is nowhere to keep the text.
    let _ = TEXT.try_with(|slot| slot.replace(text));
    set_errno(failure.errno);
    failure.errno
}

/// The same as most functions have it: `f`'s value, or `failed`.
pub(crate) fn value<T>(failed: T, f: impl FnOnce() -> Result<T, Failure>) -> T {
    let mut value = failed;
    status(|| {
        value = f()?;
        Ok(())
    });
    value
}

fn set_errno(errno: i32) {
    // SAFETY: the C library gives each thread a place for it.
    unsafe { *libc::__errno_location() = errno };
}

/// What the last call of this thread that failed has to say. The text stays until the next one
/// fails.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_error() -> *const c_char {
    TEXT.try_with(|slot| slot.borrow().as_ptr()).unwrap_or(c"".as_ptr())
}

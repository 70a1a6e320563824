//! A system call by its number.
//!
//! Locking: none.

use std::ffi::{c_int, c_long, c_void};

use crate::client::client;
use crate::error::{Failure, status};

/// The most arguments.
const MAX: usize = 6;

/// Makes system call `num`: 0, or an error's number. `args` is an array of 64-bit words,
/// `argslen` bytes of it; what the call answers is put into `retval`.
///
/// # Safety
///
/// `args` points to `argslen` bytes, `retval` to a long or to nothing; and what the arguments point
/// to may be read and written as the call does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_syscall(
    num: c_int,
    args: *const c_void,
    argslen: usize,
    retval: *mut c_long,
) -> c_int {
    status(|| {
        let number = u32::try_from(num).map_err(|_| Failure::new(libc::ENOSYS, "no such call"))?;
        let count = argslen / size_of::<u64>();
        if !argslen.is_multiple_of(size_of::<u64>()) || count > MAX || (count > 0 && args.is_null())
        {
            return Err(Failure::new(libc::EINVAL, "at most six arguments, each a 64-bit word"));
        }
        let mut words = [0; MAX];
        for (at, word) in words.iter_mut().enumerate().take(count) {
            // SAFETY: the caller says that there are so many; they may lie anywhere.
            *word = unsafe { args.cast::<u64>().add(at).read_unaligned() };
        }
        // SAFETY: the caller says so.
        let answer = unsafe { client()?.syscall_raw(number, words) }?;
        if !retval.is_null() {
            // SAFETY: the caller says that it is a long's.
            unsafe { retval.write(answer as c_long) };
        }
        Ok(())
    })
}

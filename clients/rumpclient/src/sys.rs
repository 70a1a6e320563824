//! System calls by their names, with Linux's arguments, structures and error numbers.
//!
//! * To add one: a line in the table below, and one in the header.
//!
//! Locking: none. Sources: the manual pages of Linux, section 2.

use std::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};

use remote::number;

use crate::client::client;
use crate::error::value;

/// What an argument is as a word.
trait Word {
    fn word(self) -> u64;
}

macro_rules! signed {
    ($($kind:ty),*) => { $(impl Word for $kind {
        fn word(self) -> u64 {
            i64::from(self) as u64
        }
    })* };
}
signed!(c_int, c_uint, c_long);

impl Word for usize {
    fn word(self) -> u64 {
        self as u64
    }
}

impl Word for c_ulong {
    fn word(self) -> u64 {
        self
    }
}

impl<T> Word for *const T {
    fn word(self) -> u64 {
        self.expose_provenance() as u64
    }
}

impl<T> Word for *mut T {
    fn word(self) -> u64 {
        self.expose_provenance() as u64
    }
}

macro_rules! calls {
    ($($name:ident = $number:ident($($arg:ident: $kind:ty),*) -> $result:ty;)*) => { $(
        /// As the call of Linux without the prefix: -1 and errno if it fails.
        ///
        /// # Safety
        ///
        /// What the arguments point to may be read and written as the call does.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($arg: $kind),*) -> $result {
            value(-1, || {
                let given: &[u64] = &[$($arg.word()),*];
                let mut words = [0; 6];
                words.iter_mut().zip(given).for_each(|(word, given)| *word = *given);
                // SAFETY: the caller says so.
                Ok(unsafe { client()?.syscall_raw(number::$number, words) }? as $result)
            })
        }
    )* };
}

calls! {
    rump_sys_read = READ(fd: c_int, buf: *mut c_void, len: usize) -> isize;
    rump_sys_write = WRITE(fd: c_int, buf: *const c_void, len: usize) -> isize;
    rump_sys_close = CLOSE(fd: c_int) -> c_int;
    rump_sys_poll = POLL(fds: *mut c_void, count: c_ulong, timeout: c_int) -> c_int;
    rump_sys_ioctl = IOCTL(fd: c_int, request: c_ulong, arg: *mut c_void) -> c_int;
    rump_sys_fcntl = FCNTL(fd: c_int, command: c_int, arg: c_long) -> c_int;
    rump_sys_dup = DUP(fd: c_int) -> c_int;
    rump_sys_getpid = GETPID() -> libc::pid_t;
    rump_sys_socket = SOCKET(domain: c_int, kind: c_int, protocol: c_int) -> c_int;
    rump_sys_bind = BIND(fd: c_int, addr: *const c_void, len: c_uint) -> c_int;
    rump_sys_connect = CONNECT(fd: c_int, addr: *const c_void, len: c_uint) -> c_int;
    rump_sys_shutdown = SHUTDOWN(fd: c_int, how: c_int) -> c_int;
    rump_sys_sendto = SENDTO(
        fd: c_int, buf: *const c_void, len: usize, flags: c_int, to: *const c_void, to_len: c_uint
    ) -> isize;
    rump_sys_recvfrom = RECVFROM(
        fd: c_int, buf: *mut c_void, len: usize, flags: c_int, from: *mut c_void,
        from_len: *mut c_uint
    ) -> isize;
    rump_sys_getsockname = GETSOCKNAME(
        fd: c_int, addr: *mut c_void, len: *mut c_uint
    ) -> c_int;
    rump_sys_getpeername = GETPEERNAME(
        fd: c_int, addr: *mut c_void, len: *mut c_uint
    ) -> c_int;
    rump_sys_setsockopt = SETSOCKOPT(
        fd: c_int, level: c_int, name: c_int, value: *const c_void, len: c_uint
    ) -> c_int;
    rump_sys_getsockopt = GETSOCKOPT(
        fd: c_int, level: c_int, name: c_int, value: *mut c_void, len: *mut c_uint
    ) -> c_int;
    rump_sys_uname = UNAME(names: *mut c_void) -> c_int;
    rump_sys_sysctl = SYSCTL(
        name: *const c_char, name_len: usize, old: *mut c_void, old_len: usize, new: *const c_void,
        new_len: usize
    ) -> isize;
}

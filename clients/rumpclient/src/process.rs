//! Fork, exec and daemon: the program's process and the kernel's go together.
//!
//! Locking: that of `remote`'s fork.

use std::ffi::{CStr, CString, c_char, c_int};

use remote::{Client, Cookie, Fork};

use crate::client::client;
use crate::error::{Failure, status, value};

/// A process that the kernel has prepared for a child.
#[doc(alias = "rumpclient_fork")]
pub struct Prepared(Cookie);

/// Forks, host's process and kernel's: as fork(2).
///
/// # Safety
///
/// As of fork(2): of several threads the child has one, and may only do what is safe in a signal
/// handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_fork() -> libc::pid_t {
    value(-1, || {
        // SAFETY: the caller says so.
        match unsafe { client()?.fork() }? {
            Fork::Child => Ok(0),
            Fork::Parent(child) => Ok(libc::pid_t::try_from(child).unwrap_or(libc::pid_t::MAX)),
        }
    })
}

/// The same.
///
/// # Safety
///
/// As of [`rumpclient_fork`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_vfork() -> libc::pid_t {
    // SAFETY: the caller says so.
    unsafe { rumpclient_fork() }
}

/// Has the kernel prepare a process for a child: NULL and errno if it cannot.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_prefork() -> *mut Prepared {
    value(std::ptr::null_mut(), || {
        let cookie = client()?.prefork()?;
        Ok(Box::into_raw(Box::new(Prepared(cookie))))
    })
}

/// Takes a cookie back from C.
///
/// # Safety
///
/// It is one of `rumpclient_prefork`'s, not given back yet, or NULL.
unsafe fn take(fork: *mut Prepared) -> Result<Cookie, Failure> {
    if fork.is_null() {
        return Err(Failure::new(libc::EINVAL, "no fork is prepared: NULL was given"));
    }
    // SAFETY: the caller says so.
    Ok(unsafe { Box::from_raw(fork) }.0)
}

/// In the child: becomes what was prepared; `fork` is used up.
///
/// # Safety
///
/// `fork` is one of `rumpclient_prefork`'s, and not used up.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_fork_init(fork: *mut Prepared) -> c_int {
    value(-1, || {
        // SAFETY: the caller says so.
        let cookie = unsafe { take(fork) }?;
        client()?.fork_init(&cookie)?;
        Ok(0)
    })
}

/// There is no child after all; `fork` is used up.
///
/// # Safety
///
/// As of [`rumpclient_fork_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_fork_cancel(fork: *mut Prepared) {
    status(|| {
        // SAFETY: the caller says so.
        let cookie = unsafe { take(fork) }?;
        Ok(client()?.fork_cancel(&cookie)?)
    });
}

/// In the parent, once the child has been made: gives the memory of `fork` back.
///
/// # Safety
///
/// As of [`rumpclient_fork_init`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_fork_free(fork: *mut Prepared) {
    status(|| {
        // SAFETY: the caller says so.
        unsafe { take(fork) }.map(drop)
    });
}

/// Goes on in the background, as daemon(3).
///
/// # Safety
///
/// As of [`rumpclient_fork`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_daemon(nochdir: c_int, noclose: c_int) -> c_int {
    value(-1, || {
        let client = client()?;
        let cookie = client.prefork()?;
        // SAFETY: the caller says so.
        if unsafe { libc::daemon(nochdir, noclose) } != 0 {
            let error = std::io::Error::last_os_error();
            client.fork_cancel(&cookie)?;
            return Err(error.into());
        }
        client.fork_init(&cookie)?;
        Ok(0)
    })
}

/// Replaces the program, which goes on as the same process of the kernel: as execve(2). Answers
/// only if that cannot be.
///
/// # Safety
///
/// As of execve(2): a path, and arrays of texts that end with NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rumpclient_exec(
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> c_int {
    value(-1, || {
        if path.is_null() || argv.is_null() {
            return Err(Failure::new(libc::EFAULT, "rumpclient_exec without a path or arguments"));
        }
        // SAFETY: the caller says so.
        Err(unsafe { exec(client()?, path, argv, envp) }?.into())
    })
}

/// # Safety
///
/// As of [`rumpclient_exec`]; `envp` may be NULL.
unsafe fn exec(
    client: &Client,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
) -> Result<std::io::Error, Failure> {
    let exec = client.prepare_exec()?;
    let ours: Vec<CString> = exec
        .environment()
        .iter()
        .filter_map(|(name, value)| CString::new(format!("{name}={value}")).ok())
        .collect();
    // All that the client's names stand for is said anew.
    let mut environment = Vec::new();
    let mut at = envp;
    // SAFETY: the caller says that `envp` ends with NULL, and that what is before are texts.
    unsafe {
        while !at.is_null() && !(*at).is_null() {
            if !is_ours(CStr::from_ptr(*at)) {
                environment.push(*at);
            }
            at = at.add(1);
        }
    }
    environment.extend(ours.iter().map(|text| text.as_ptr()));
    environment.push(std::ptr::null());
    // SAFETY: the caller says so of `path` and `argv`; the environment is made above, of texts that
    // live until the call has failed.
    unsafe { libc::execve(path, argv, environment.as_ptr()) };
    Ok(std::io::Error::last_os_error())
}

/// Whether a variable of the environment is one that exec sets.
fn is_ours(variable: &CStr) -> bool {
    let name = |name: &[u8]| variable.to_bytes().starts_with(name);
    name(b"RUMPCLIENT__EXECFD=") || name(b"RUMP__PARSEDSERVER=")
}

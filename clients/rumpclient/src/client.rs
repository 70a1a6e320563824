//! The program's client.
//!
//! Locking: the slot's mutex, for a clone.

use std::ffi::c_int;
use std::sync::{Mutex, PoisonError};

use remote::{Client, Retry};

use crate::error::{Failure, status, value};

/// The client, and what it does when the server is gone.
struct Program {
    client: Option<Client>,
    retry: Retry,
}

static PROGRAM: Mutex<Program> = Mutex::new(Program { client: None, retry: Retry::Once });

fn program<R>(f: impl FnOnce(&mut Program) -> R) -> R {
    f(&mut PROGRAM.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The program's client.
pub(crate) fn client() -> Result<Client, Failure> {
    let missing = || Failure::new(libc::EINVAL, "call rumpclient_init first, and see that it is 0");
    program(|program| program.client.clone()).ok_or_else(missing)
}

/// Connects to the server that `RUMP_SERVER` names: 0, or -1 and errno. A second time does
/// nothing.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_init() -> c_int {
    value(-1, || {
        program(|program| {
            if program.client.is_none() {
                program.client = Some(Client::builder().retry(program.retry).from_env()?);
            }
            Ok(0)
        })
    })
}

/// `RUMPCLIENT_RETRYCONN_INFTIME`
const INFTIME: libc::time_t = -1;
/// `RUMPCLIENT_RETRYCONN_ONCE`
const ONCE: libc::time_t = -2;
/// `RUMPCLIENT_RETRYCONN_DIE`
const DIE: libc::time_t = -3;

/// Says what happens when the server is gone; a number that means nothing changes nothing.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_setconnretry(seconds: libc::time_t) {
    status(|| {
        let retry = match seconds {
            INFTIME => Retry::Inftime,
            ONCE => Retry::Once,
            DIE => Retry::Die,
            0 => Retry::Never,
            1.. => Retry::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX)),
            _ => return Err(Failure::new(libc::EINVAL, "no such policy; see rumpclient.h")),
        };
        program(|program| {
            program.retry = retry;
            program.client.iter().for_each(|client| client.set_retry(retry));
        });
        Ok(())
    });
}

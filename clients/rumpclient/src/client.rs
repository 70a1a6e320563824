//! The program's client.
//!
//! Locking: `RETRY` while the client is made and when its policy changes. Calls take no lock, so that
//! a child of a program with several threads finds none that another one held.

use std::ffi::c_int;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use remote::{Client, Retry};

use crate::error::{Failure, status, value};

static CLIENT: OnceLock<Client> = OnceLock::new();

/// What it does when the server is gone.
static RETRY: Mutex<Retry> = Mutex::new(Retry::Once);

fn retry() -> MutexGuard<'static, Retry> {
    RETRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program's client.
pub(crate) fn client() -> Result<&'static Client, Failure> {
    let missing = || Failure::new(libc::EINVAL, "call rumpclient_init first, and see that it is 0");
    CLIENT.get().ok_or_else(missing)
}

/// Connects to the server that `RUMP_SERVER` names: 0, or -1 and errno. A second time does
/// nothing.
#[unsafe(no_mangle)]
pub extern "C" fn rumpclient_init() -> c_int {
    value(-1, || {
        let retry = retry();
        if CLIENT.get().is_none() {
            let client = Client::builder().retry(*retry).from_env()?;
            CLIENT.get_or_init(|| client);
        }
        Ok(0)
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
        let new = match seconds {
            INFTIME => Retry::Inftime,
            ONCE => Retry::Once,
            DIE => Retry::Die,
            0 => Retry::Never,
            1.. => Retry::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX)),
            _ => return Err(Failure::new(libc::EINVAL, "no such policy; see rumpclient.h")),
        };
        let mut retry = retry();
        *retry = new;
        CLIENT.get().into_iter().for_each(|client| client.set_retry(new));
        Ok(())
    });
}

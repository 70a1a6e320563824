//! The kernel's settings, as text: sysctl(8).
//!
//! Call 500: name, its length, room for the old value, its length, the new value, its length;
//! answers the old value's full length, whether it fitted or not.
//!
//! Locking: none.

use std::io;

use crate::numbers::call;
use crate::{Argument, Client};

use Argument::{In, Null, Out, Value};

/// Room that is given at first, which is enough for most.
const ROOM: usize = 1024;

/// The longest value that is taken.
const MAX: usize = wire::MAX_TRANSFER;

impl Client {
    /// The value of the setting `name`.
    pub fn sysctl(&self, name: &str) -> io::Result<String> {
        let mut value = vec![0; ROOM];
        loop {
            let len = self.sysctl_raw(name, &mut value, None)?;
            if let Some(value) = value.get(..len) {
                return Ok(String::from_utf8_lossy(value).into_owned());
            }
            if len > MAX {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            value.resize(len, 0);
        }
    }

    /// Sets the setting `name`; answers what it was.
    pub fn set_sysctl(&self, name: &str, new: &str) -> io::Result<String> {
        let mut old = vec![0; ROOM];
        let len = self.sysctl_raw(name, &mut old, Some(new))?;
        Ok(String::from_utf8_lossy(old.get(..len).unwrap_or(&old)).into_owned())
    }

    /// The call itself: as much of the old value as `old` has room for; answers how long it is.
    pub fn sysctl_raw(&self, name: &str, old: &mut [u8], new: Option<&str>) -> io::Result<usize> {
        let (name_len, old_len) = (Value(name.len() as u64), Value(old.len() as u64));
        let (new, new_len) = match new {
            Some(new) => (In(new.as_bytes()), Value(new.len() as u64)),
            None => (Null, Value(0)),
        };
        let name = In(name.as_bytes());
        let mut arguments = [name, name_len, Out(old), old_len, new, new_len];
        let len = self.call(call::SYSCTL, &mut arguments)?;
        Ok(usize::try_from(len).unwrap_or(usize::MAX))
    }
}

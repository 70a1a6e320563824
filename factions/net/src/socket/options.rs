//! Options of level SOL_SOCKET, with Linux's numbers and layouts.
//!
//! * [`set`], [`get`]: what setsockopt and getsockopt do at this level; others are the protocol's.
//! * [`int`], [`put_int`]: an `int` of a program, for protocols' own options.
//!
//! Locking: `Rank::Socket`. Sources: Linux socket(7), asm-generic/socket.h; POSIX XSH 2.10.16.

use core::time::Duration;

use base::Cx;

use super::{MAX_LIMIT, MAX_LIMIT_OF_OTHERS, SockError, SockFlags, Socket};
use crate::ifnet::{NAME_MAX, config};

/// The level of these options.
pub const SOL_SOCKET: i32 = 1;

/// Option numbers.
#[allow(missing_docs)]
pub mod so {
    pub const REUSEADDR: i32 = 2;
    pub const TYPE: i32 = 3;
    pub const ERROR: i32 = 4;
    pub const DONTROUTE: i32 = 5;
    pub const BROADCAST: i32 = 6;
    pub const SNDBUF: i32 = 7;
    pub const RCVBUF: i32 = 8;
    pub const KEEPALIVE: i32 = 9;
    pub const OOBINLINE: i32 = 10;
    pub const LINGER: i32 = 13;
    pub const REUSEPORT: i32 = 15;
    pub const RCVLOWAT: i32 = 18;
    pub const RCVTIMEO: i32 = 20;
    pub const SNDTIMEO: i32 = 21;
    pub const BINDTODEVICE: i32 = 25;
    pub const ACCEPTCONN: i32 = 30;
    pub const PROTOCOL: i32 = 38;
    pub const DOMAIN: i32 = 39;
    pub const RCVTIMEO_NEW: i32 = 66;
    pub const SNDTIMEO_NEW: i32 = 67;
}

fn flag(name: i32) -> Option<SockFlags> {
    Some(match name {
        so::REUSEADDR => SockFlags::REUSEADDR,
        so::BROADCAST => SockFlags::BROADCAST,
        so::KEEPALIVE => SockFlags::KEEPALIVE,
        so::DONTROUTE => SockFlags::DONTROUTE,
        so::OOBINLINE => SockFlags::OOBINLINE,
        _ => return None,
    })
}

/// The `int` at the start of `value`.
pub fn int(value: &[u8]) -> Result<i32, SockError> {
    value.first_chunk().map(|b| i32::from_ne_bytes(*b)).ok_or(SockError::Invalid)
}

/// Writes an `int`, cut to the room there is, as Linux does; says how long it is.
pub fn put_int(out: &mut [u8], value: i32) -> usize {
    put(out, &value.to_ne_bytes())
}

fn put(out: &mut [u8], value: &[u8]) -> usize {
    out.iter_mut().zip(value).map(|(to, from)| *to = *from).count()
}

/// Who sets an option.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setter {
    /// The user.
    pub user: u32,
    /// Whether it is the superuser.
    pub is_root: bool,
}

impl Setter {
    /// What a buffer of its may hold, whatever it asks for.
    fn most(self) -> usize {
        if self.is_root { MAX_LIMIT } else { MAX_LIMIT_OF_OTHERS }
    }
}

/// Sets an option, in the name of `by`.
pub fn set(
    cx: &Cx<'_>,
    socket: &Socket,
    name: i32,
    value: &[u8],
    by: Setter,
) -> Result<(), SockError> {
    match name {
        so::BINDTODEVICE => return bind_to_device(cx, socket, value, by),
        so::RCVBUF | so::SNDBUF => {
            let asked = usize::try_from(int(value)?).map_err(|_| SockError::Invalid)?;
            let limit = asked.min(by.most());
            let mut state = socket.state(cx);
            let (buffer, flag) = match name {
                so::RCVBUF => (&mut state.rcv, SockFlags::RCVBUF_SET),
                _ => (&mut state.snd, SockFlags::SNDBUF_SET),
            };
            buffer.set_limit(limit);
            state.flags |= flag;
        }
        so::RCVTIMEO | so::RCVTIMEO_NEW => socket.state(cx).rcvtimeo = timeval(value)?,
        so::SNDTIMEO | so::SNDTIMEO_NEW => socket.state(cx).sndtimeo = timeval(value)?,
        so::LINGER => {
            let (on, rest) = value.split_first_chunk::<4>().ok_or(SockError::Invalid)?;
            let seconds = u32::try_from(int(rest)?).map_err(|_| SockError::Invalid)?;
            socket.state(cx).linger = (i32::from_ne_bytes(*on) != 0).then_some(seconds);
        }
        so::RCVLOWAT => {
            let bytes = usize::try_from(int(value)?).map_err(|_| SockError::Invalid)?;
            socket.state(cx).rcvlowat = bytes.max(1);
        }
        so::REUSEPORT => socket.state(cx).shares_port = (int(value)? != 0).then_some(by.user),
        so::TYPE | so::ERROR | so::ACCEPTCONN | so::PROTOCOL | so::DOMAIN => {
            return Err(SockError::NoOption);
        }
        _ => {
            let flag = flag(name).ok_or(SockError::NoOption)?;
            let on = int(value)? != 0;
            socket.state(cx).flags.set(flag, on);
        }
    }
    Ok(())
}

/// Reads an option into `out`; says how long it is.
pub fn get(cx: &Cx<'_>, socket: &Socket, name: i32, out: &mut [u8]) -> Result<usize, SockError> {
    let size = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let value = match name {
        so::BINDTODEVICE => return device(cx, socket, out),
        so::TYPE => socket.proto().kind as i32,
        so::DOMAIN => i32::from(socket.proto().family),
        so::PROTOCOL => i32::from(socket.protocol()),
        so::ERROR => socket.take_error(cx).map_or(0, |e| base::Errno::from(e).number()),
        so::ACCEPTCONN => i32::from(socket.flags(cx).contains(SockFlags::LISTENING)),
        so::RCVBUF => size(socket.state(cx).rcv.limit()),
        so::SNDBUF => size(socket.state(cx).snd.limit()),
        so::RCVLOWAT => size(socket.state(cx).rcvlowat),
        so::REUSEPORT => socket.state(cx).shares_port.is_some().into(),
        so::RCVTIMEO | so::RCVTIMEO_NEW => return Ok(put_timeval(out, socket.state(cx).rcvtimeo)),
        so::SNDTIMEO | so::SNDTIMEO_NEW => return Ok(put_timeval(out, socket.state(cx).sndtimeo)),
        so::LINGER => {
            let linger = socket.state(cx).linger;
            let seconds = linger.and_then(|s| i32::try_from(s).ok()).unwrap_or(0);
            let mut both = [0; 8];
            put_int(&mut both, i32::from(linger.is_some()));
            put_int(both.get_mut(4..).unwrap_or_default(), seconds);
            return Ok(put(out, &both));
        }
        _ => i32::from(socket.flags(cx).contains(flag(name).ok_or(SockError::NoOption)?)),
    };
    Ok(put_int(out, value))
}

/// Room for an interface's name and the zero behind it (Linux's IFNAMSIZ).
const IFNAMSIZ: usize = NAME_MAX + 1;

/// An interface by its name, or none by an empty one. Linux, since 5.7: who is not root may bind a
/// socket that is not bound, and that is all.
fn bind_to_device(cx: &Cx<'_>, socket: &Socket, value: &[u8], by: Setter) -> Result<(), SockError> {
    let name = value.split(|b| *b == 0).next().unwrap_or_default();
    let name = name.get(..NAME_MAX).unwrap_or(name);
    let index = if name.is_empty() {
        0
    } else {
        let name = core::str::from_utf8(name).map_err(|_| SockError::NoInterface)?;
        config::find(cx, name).map_err(|_| SockError::NoInterface)?.index()
    };
    if by.is_root {
        socket.set_device(index);
        return Ok(());
    }
    if socket.set_device_once(index) { Ok(()) } else { Err(SockError::NotPermitted) }
}

/// The name of the interface, with its zero; nothing if there is none.
fn device(cx: &Cx<'_>, socket: &Socket, out: &mut [u8]) -> Result<usize, SockError> {
    let index = socket.device();
    if index == 0 {
        return Ok(0);
    }
    if out.len() < IFNAMSIZ {
        return Err(SockError::Invalid);
    }
    let ifp = config::by_index(cx, index).map_err(|_| SockError::NoInterface)?;
    let mut name = [0; IFNAMSIZ];
    let len = put(&mut name, ifp.name().as_bytes());
    Ok(put(out, name.get(..=len).unwrap_or_default()))
}

/// struct timeval of a 64-bit program: seconds, microseconds. All zeros: no timeout.
fn timeval(value: &[u8]) -> Result<Option<Duration>, SockError> {
    let (seconds, rest) = value.split_first_chunk::<8>().ok_or(SockError::Invalid)?;
    let micros = rest.first_chunk::<8>().ok_or(SockError::Invalid)?;
    let micros = u32::try_from(i64::from_ne_bytes(*micros)).ok().filter(|m| *m < 1_000_000);
    let micros = micros.ok_or(SockError::Invalid)?;
    // A time before now is a timeout that has passed.
    let seconds = u64::try_from(i64::from_ne_bytes(*seconds)).unwrap_or(0);
    let timeout = Duration::from_secs(seconds) + Duration::from_micros(micros.into());
    Ok((!timeout.is_zero()).then_some(timeout))
}

fn put_timeval(out: &mut [u8], timeout: Option<Duration>) -> usize {
    let timeout = timeout.unwrap_or_default();
    let mut both = [0; 16];
    put(&mut both, &timeout.as_secs().to_ne_bytes());
    put(both.get_mut(8..).unwrap_or_default(), &u64::from(timeout.subsec_micros()).to_ne_bytes());
    put(out, &both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeval_there_and_back() {
        let mut raw = [0; 16];
        let time = Some(Duration::from_micros(3_000_250));
        assert_eq!(put_timeval(&mut raw, time), 16);
        assert_eq!(timeval(&raw), Ok(time));
        assert_eq!(timeval(&[0; 16]), Ok(None), "zero means for ever");
        assert_eq!(timeval(&raw[..15]), Err(SockError::Invalid));
        raw[8..].copy_from_slice(&1_000_000_u64.to_ne_bytes());
        assert_eq!(timeval(&raw), Err(SockError::Invalid), "as many microseconds as a second has");
        raw = [0xff; 16];
        assert_eq!(timeval(&raw), Err(SockError::Invalid));
    }

    #[test]
    fn an_answer_is_cut_to_the_room_there_is() {
        let mut out = [9; 8];
        assert_eq!(put_int(&mut out[..2], 0x0102_0304_i32.to_le()), 2);
        assert_eq!(out[2..], [9; 6]);
        assert_eq!(put_int(&mut out, 5), 4);
        assert_eq!(int(&out), Ok(5));
        assert_eq!(int(&out[..3]), Err(SockError::Invalid));
    }
}

//! The system calls on sockets: arguments of programs to the typed calls of [`api`].
//!
//! Locking: none held. Sources: Linux man-pages section 2 (numbers, layouts, which error first).

use base::file::Fd;
use base::syscall::SysMemory;
use base::{Errno, KVec, Lwp};
use core::net::SocketAddr;

use super::api::{self, Open};
use super::{MsgFlags, Shutdown, SockType, msghdr, sockaddr};

/// The arguments of a call.
type Args = [u64; 6];
/// The answer of a call.
type Answer = Result<u64, Errno>;

const SOCK_NONBLOCK: u64 = 0o4000;
const SOCK_CLOEXEC: u64 = 0o2_000_000;

/// The most that one call moves; a message is shorter, a stream goes on with the next call.
const MAX_TRANSFER: usize = 1 << 20;

/// The longest option value.
const MAX_OPTION: usize = 256;

pub(super) fn fd(arg: u64) -> Result<Fd, Errno> {
    Fd::try_from(arg).map_err(|_| Errno::BadFile)
}

/// A buffer of the kernel's for a transfer.
pub(super) fn buffer(l: &Lwp<'_>, len: u64) -> Result<KVec<u8>, Errno> {
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(MAX_TRANSFER);
    let mut buffer = KVec::new(l);
    buffer.resize(len, 0)?;
    Ok(buffer)
}

/// How a new socket's descriptor is to be, out of its type or flags argument.
fn open(flags: u64) -> Open {
    Open { nonblocking: flags & SOCK_NONBLOCK != 0, close_on_exec: flags & SOCK_CLOEXEC != 0 }
}

/// The address at `at`, `len` bytes long; none for a null pointer.
pub(super) fn copyin_addr(
    m: &mut dyn SysMemory,
    at: u64,
    len: u64,
) -> Result<Option<SocketAddr>, Errno> {
    if at == 0 {
        return Ok(None);
    }
    let mut raw = [0; sockaddr::MAX_LEN];
    let raw = usize::try_from(len).ok().and_then(|n| raw.get_mut(..n)).ok_or(Errno::Invalid)?;
    m.copyin(at, raw)?;
    Ok(sockaddr::parse(raw)?)
}

/// Writes as much of `addr` as there is room for, and says how long it is in whole.
pub(super) fn copyout_addr(
    m: &mut dyn SysMemory,
    addr: Option<SocketAddr>,
    at: u64,
    room: u32,
) -> Result<u32, Errno> {
    let Some(addr) = addr else { return Ok(0) };
    let raw = sockaddr::emit(&addr);
    let n = raw.len().min(room as usize);
    m.copyout(raw.get(..n).unwrap_or_default(), at)?;
    Ok(raw.len() as u32)
}

/// Where a program wants an address: the room there is a number in its memory, which is replaced.
/// It is read before the call does anything, since a call may be made again from its beginning.
struct AddrOut {
    at: u64,
    len_at: u64,
    room: u32,
}

impl AddrOut {
    /// None for a null pointer.
    fn copyin(m: &mut dyn SysMemory, at: u64, len_at: u64) -> Result<Option<AddrOut>, Errno> {
        if at == 0 {
            return Ok(None);
        }
        let room = i32::from_ne_bytes(copyin_word(m, len_at)?);
        let room = u32::try_from(room).map_err(|_| Errno::Invalid)?;
        Ok(Some(AddrOut { at, len_at, room }))
    }

    fn copyout(&self, m: &mut dyn SysMemory, addr: Option<SocketAddr>) -> Result<(), Errno> {
        let len = copyout_addr(m, addr, self.at, self.room)?;
        m.copyout(&len.to_ne_bytes(), self.len_at)
    }
}

pub(super) fn copyin_word<const N: usize>(
    m: &mut dyn SysMemory,
    at: u64,
) -> Result<[u8; N], Errno> {
    let mut word = [0; N];
    m.copyin(at, &mut word)?;
    Ok(word)
}

pub(crate) fn socket(l: &mut Lwp<'_>, a: &Args, _: &mut dyn SysMemory) -> Answer {
    let family = u16::try_from(a[0]).map_err(|_| Errno::NoFamily)?;
    let number = u16::try_from(a[1] & !(SOCK_NONBLOCK | SOCK_CLOEXEC));
    let kind = number.ok().and_then(SockType::from_number).ok_or(Errno::NoSocketType)?;
    let protocol = u8::try_from(a[2]).map_err(|_| Errno::NoProtocol)?;
    api::socket(l, family, kind, protocol, open(a[1])).map(u64::from)
}

pub(crate) fn bind(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let addr = copyin_addr(m, a[1], a[2])?.ok_or(Errno::NoFamily)?;
    api::bind(l, fd(a[0])?, addr).map(|()| 0)
}

pub(crate) fn connect(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    if a[1] == 0 {
        return Err(Errno::BadAddress);
    }
    let addr = copyin_addr(m, a[1], a[2])?;
    api::connect(l, fd(a[0])?, addr).map(|()| 0)
}

pub(crate) fn listen(l: &mut Lwp<'_>, a: &Args, _: &mut dyn SysMemory) -> Answer {
    // A negative number is none; so says every implementation.
    let backlog = u32::try_from(a[1] as i32).unwrap_or(0);
    api::listen(l, fd(a[0])?, backlog).map(|()| 0)
}

pub(crate) fn accept(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    accept_with(l, a, m, 0)
}

pub(crate) fn accept4(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    if a[3] & !(SOCK_NONBLOCK | SOCK_CLOEXEC) != 0 {
        return Err(Errno::Invalid);
    }
    accept_with(l, a, m, a[3])
}

fn accept_with(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory, flags: u64) -> Answer {
    let out = AddrOut::copyin(m, a[1], a[2])?;
    let (fd, peer) = api::accept(l, fd(a[0])?, open(flags))?;
    if let Some(Err(e)) = out.map(|out| out.copyout(m, Some(peer))) {
        l.proc().fds().close(l, fd)?;
        return Err(e);
    }
    Ok(fd.into())
}

pub(crate) fn shutdown(l: &mut Lwp<'_>, a: &Args, _: &mut dyn SysMemory) -> Answer {
    let how = match a[1] {
        0 => Shutdown::Read,
        1 => Shutdown::Write,
        2 => Shutdown::Both,
        _ => return Err(Errno::Invalid),
    };
    api::shutdown(l, fd(a[0])?, how).map(|()| 0)
}

pub(crate) fn sendto(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let mut data = buffer(l, a[2])?;
    m.copyin(a[1], &mut data)?;
    let to = copyin_addr(m, a[4], a[5])?;
    let flags = MsgFlags::from_bits_truncate(a[3] as u32);
    api::send_to(l, fd(a[0])?, &[&data], flags, to).map(|n| n as u64)
}

pub(crate) fn recvfrom(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let flags = MsgFlags::from_bits_truncate(a[3] as u32);
    let mut data = buffer(l, a[2])?;
    let out = AddrOut::copyin(m, a[4], a[5])?;
    m.reserve(data.len(), 1)?;
    let got = api::recv_from(l, fd(a[0])?, &mut [&mut data], flags)?;
    m.copyout(data.get(..got.len).unwrap_or_default(), a[1])?;
    if let Some(out) = out {
        out.copyout(m, got.from)?;
    }
    Ok(msghdr::answer(&got, flags))
}

pub(crate) fn getsockname(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let addr = api::local_addr(l, fd(a[0])?)?;
    show_addr(m, addr, a)
}

pub(crate) fn getpeername(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let addr = api::peer_addr(l, fd(a[0])?)?;
    show_addr(m, addr, a)
}

fn show_addr(m: &mut dyn SysMemory, addr: SocketAddr, a: &Args) -> Answer {
    if let Some(out) = AddrOut::copyin(m, a[1], a[2])? {
        out.copyout(m, Some(addr))?;
    }
    Ok(0)
}

pub(crate) fn setsockopt(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let mut value = [0; MAX_OPTION];
    let len = usize::try_from(a[4]).map_err(|_| Errno::Invalid)?;
    // What is longer than any option is read in part, as Linux does.
    let value = value.get_mut(..len.min(MAX_OPTION)).unwrap_or_default();
    m.copyin(a[3], value)?;
    api::set_option(l, fd(a[0])?, a[1] as i32, a[2] as i32, value).map(|()| 0)
}

pub(crate) fn getsockopt(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let room = i32::from_ne_bytes(copyin_word(m, a[4])?);
    let room = usize::try_from(room).map_err(|_| Errno::Invalid)?;
    let mut value = [0; MAX_OPTION];
    let value = value.get_mut(..room.min(MAX_OPTION)).unwrap_or_default();
    let len = api::option(l, fd(a[0])?, a[1] as i32, a[2] as i32, value)?;
    m.copyout(value.get(..len).unwrap_or_default(), a[3])?;
    m.copyout(&(len as u32).to_ne_bytes(), a[4])?;
    Ok(0)
}

pub(crate) fn sendmsg(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let flags = MsgFlags::from_bits_truncate(a[2] as u32);
    msghdr::send(l, fd(a[0])?, a[1], flags, m)
}

pub(crate) fn recvmsg(l: &mut Lwp<'_>, a: &Args, m: &mut dyn SysMemory) -> Answer {
    let flags = MsgFlags::from_bits_truncate(a[2] as u32);
    msghdr::receive(l, fd(a[0])?, a[1], flags, m)
}

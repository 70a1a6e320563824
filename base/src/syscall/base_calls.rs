//! The system calls that base serves: process, names, descriptors.
//!
//! Locking: none of its own. Sources: POSIX.1-2017; Linux man-pages section 2.

use hypercall::Instant;
use smallvec::SmallVec;

use super::{Arg, SysMemory, number};
use crate::file::poll::{PollFd, poll};
use crate::file::uio::Uio;
use crate::file::{self, Fd, Flags, MAX_FDS};
use crate::vm::KVec;
use crate::wait::Events;
use crate::{Errno, Lwp, uname};

/// The most that one read or write moves; the rest is for the next call.
pub const MAX_TRANSFER: usize = 1 << 20;

const F_DUPFD: u64 = 0;
const F_GETFD: u64 = 1;
const F_SETFD: u64 = 2;
const F_GETFL: u64 = 3;
const F_SETFL: u64 = 4;
const F_DUPFD_CLOEXEC: u64 = 1030;
const FD_CLOEXEC: u64 = 1;
const O_CLOEXEC: u64 = 0o2_000_000;

crate::syscalls! {
    static GETPID = None, number::GETPID, "getpid", [], |l: &mut Lwp<'_>, _, _| Ok(l.proc().pid().into());
    static GETPPID = None, number::GETPPID, "getppid", [], |l: &mut Lwp<'_>, _, _| {
        Ok(l.proc().parent().into())
    };
    static GETTID = None, number::GETTID, "gettid", [], |l: &mut Lwp<'_>, _, _| Ok(l.lid().into());
    static GETUID = None, number::GETUID, "getuid", [], sys_uid;
    static GETEUID = None, number::GETEUID, "geteuid", [], sys_uid;
    static GETGID = None, number::GETGID, "getgid", [], sys_gid;
    static GETEGID = None, number::GETEGID, "getegid", [], sys_gid;
    static SETUID = None, number::SETUID, "setuid", [Arg::Value], |l, a: &[u64; 6], _| {
        set_id(l, a[0], |cred| &mut cred.uid)
    };
    static SETGID = None, number::SETGID, "setgid", [Arg::Value], |l, a: &[u64; 6], _| {
        set_id(l, a[0], |cred| &mut cred.gid)
    };
    static UNAME = None, number::UNAME, "uname", [Arg::OutFixed(390)], sys_uname;
    static SETHOSTNAME = None, number::SETHOSTNAME, "sethostname", [Arg::In(1), Arg::Value],
        sys_sethostname;
    static CLOSE = None, number::CLOSE, "close", [Arg::Value], sys_close;
    static READ = None, number::READ, "read", [Arg::Value, Arg::Out(2), Arg::Value], sys_read;
    static WRITE = None, number::WRITE, "write", [Arg::Value, Arg::In(2), Arg::Value], sys_write;
    static IOCTL = None, number::IOCTL, "ioctl", [Arg::Value, Arg::Value, Arg::Ioctl(1)], sys_ioctl;
    static DUP = None, number::DUP, "dup", [Arg::Value], sys_dup;
    static DUP2 = None, number::DUP2, "dup2", [Arg::Value, Arg::Value], sys_dup2;
    static DUP3 = None, number::DUP3, "dup3", [Arg::Value, Arg::Value, Arg::Value], sys_dup3;
    static FCNTL = None, number::FCNTL, "fcntl", [Arg::Value, Arg::Value, Arg::Value], sys_fcntl;
    static POLL = None, number::POLL, "poll", [Arg::InOutTimes(1, 8), Arg::Value, Arg::Value],
        sys_poll;
}

fn sys_uid(l: &mut Lwp<'_>, _: &[u64; 6], _: &mut dyn SysMemory) -> Result<u64, Errno> {
    Ok(l.proc().cred(l).uid.into())
}

fn sys_gid(l: &mut Lwp<'_>, _: &[u64; 6], _: &mut dyn SysMemory) -> Result<u64, Errno> {
    Ok(l.proc().cred(l).gid.into())
}

fn sys_close(l: &mut Lwp<'_>, a: &[u64; 6], _: &mut dyn SysMemory) -> Result<u64, Errno> {
    file::close(l, fd(a[0])?)?;
    Ok(0)
}

fn sys_dup(l: &mut Lwp<'_>, a: &[u64; 6], _: &mut dyn SysMemory) -> Result<u64, Errno> {
    dup_from(l, fd(a[0])?, 0, false)
}

fn sys_dup2(l: &mut Lwp<'_>, a: &[u64; 6], _: &mut dyn SysMemory) -> Result<u64, Errno> {
    let (old, new) = (fd(a[0])?, fd(a[1])?);
    if old == new {
        return l.proc().fds().get(l, old).map(|_| new.into());
    }
    dup_to(l, old, new, false)
}

fn sys_dup3(l: &mut Lwp<'_>, a: &[u64; 6], _: &mut dyn SysMemory) -> Result<u64, Errno> {
    if a[0] == a[1] || a[2] & !O_CLOEXEC != 0 {
        return Err(Errno::Invalid);
    }
    dup_to(l, fd(a[0])?, fd(a[1])?, a[2] != 0)
}

fn fd(arg: u64) -> Result<Fd, Errno> {
    Fd::try_from(arg).map_err(|_| Errno::BadFile)
}

fn set_id(
    l: &mut Lwp<'_>,
    id: u64,
    field: impl FnOnce(&mut crate::Cred) -> &mut u32,
) -> Result<u64, Errno> {
    let id = u32::try_from(id).map_err(|_| Errno::Invalid)?;
    let mut cred = l.proc().cred(l);
    let root = cred.is_root();
    let place = field(&mut cred);
    if !root && *place != id {
        return Err(Errno::NotPermitted);
    }
    *place = id;
    l.proc().set_cred(l, cred);
    Ok(0)
}

/// struct utsname: six fields of 65 bytes.
fn sys_uname(l: &mut Lwp<'_>, a: &[u64; 6], m: &mut dyn SysMemory) -> Result<u64, Errno> {
    let hostname = uname::hostname(l);
    let fields = [uname::SYSNAME, &hostname, uname::RELEASE, l.kernel_name(), uname::MACHINE, ""];
    let mut out = [0_u8; 390];
    for (field, text) in out.chunks_exact_mut(65).zip(fields) {
        field.iter_mut().zip(text.bytes().take(64)).for_each(|(to, from)| *to = from);
    }
    m.copyout(&out, a[0])?;
    Ok(0)
}

fn sys_sethostname(l: &mut Lwp<'_>, a: &[u64; 6], m: &mut dyn SysMemory) -> Result<u64, Errno> {
    if !l.proc().is_root(l) {
        return Err(Errno::NotPermitted);
    }
    let mut name = [0; uname::HOSTNAME_MAX];
    let name = usize::try_from(a[1]).ok().and_then(|n| name.get_mut(..n)).ok_or(Errno::Invalid)?;
    copyin(m, a[0], name)?;
    uname::set_hostname(l, core::str::from_utf8(name).map_err(|_| Errno::Invalid)?)?;
    Ok(0)
}

/// A buffer of the kernel's for a transfer of `len` bytes, at most [`MAX_TRANSFER`].
fn buffer(l: &Lwp<'_>, len: u64) -> Result<KVec<u8>, Errno> {
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(MAX_TRANSFER);
    let mut buffer = KVec::new(l);
    buffer.resize(len, 0)?;
    Ok(buffer)
}

/// Copies from the client; nothing at all may come from anywhere.
fn copyin(m: &mut dyn SysMemory, from: u64, to: &mut [u8]) -> Result<(), Errno> {
    if to.is_empty() { Ok(()) } else { m.copyin(from, to) }
}

/// Copies to the client.
fn copyout(m: &mut dyn SysMemory, from: &[u8], to: u64) -> Result<(), Errno> {
    if from.is_empty() { Ok(()) } else { m.copyout(from, to) }
}

fn sys_read(l: &mut Lwp<'_>, a: &[u64; 6], m: &mut dyn SysMemory) -> Result<u64, Errno> {
    let file = l.proc().fds().get(l, fd(a[0])?)?;
    let mut buf = buffer(l, a[2])?;
    m.reserve(buf.len(), 1)?;
    let n = file::read(l, &file, &mut Uio::into(&mut [&mut buf[..]]))?;
    copyout(m, buf.get(..n).unwrap_or_default(), a[1])?;
    Ok(n as u64)
}

fn sys_write(l: &mut Lwp<'_>, a: &[u64; 6], m: &mut dyn SysMemory) -> Result<u64, Errno> {
    let file = l.proc().fds().get(l, fd(a[0])?)?;
    let mut buf = buffer(l, a[2])?;
    copyin(m, a[1], &mut buf)?;
    file::write(l, &file, &mut Uio::from(&[&buf[..]])).map(|n| n as u64)
}

/// The request's number says how much memory goes which way (Linux's encoding); the old requests
/// of sockets, which do not, move a struct ifreq.
fn sys_ioctl(l: &mut Lwp<'_>, a: &[u64; 6], m: &mut dyn SysMemory) -> Result<u64, Errno> {
    const IFREQ: usize = 40;
    let file = l.proc().fds().get(l, fd(a[0])?)?;
    // As Linux takes it: callers that have it as an int extend its sign.
    let request = a[1] as u32;
    let (size, reads, writes) = match request >> 30 {
        0 if request >> 8 == 0x89 => (IFREQ, true, true),
        dir => ((request >> 16 & 0x3fff) as usize, dir & 1 != 0, dir & 2 != 0),
    };
    let mut data = SmallVec::<[u8; 64]>::from_elem(0, size);
    if reads {
        copyin(m, a[2], &mut data)?;
    }
    file.ops().ioctl(l, request, &mut data)?;
    if writes {
        copyout(m, &data, a[2])?;
    }
    Ok(0)
}

fn dup_from(l: &mut Lwp<'_>, old: Fd, min: Fd, close_on_exec: bool) -> Result<u64, Errno> {
    let fds = l.proc().fds();
    let file = fds.get(l, old)?;
    fds.install(l, file, min, close_on_exec).map(u64::from)
}

fn dup_to(l: &mut Lwp<'_>, old: Fd, new: Fd, close_on_exec: bool) -> Result<u64, Errno> {
    let fds = l.proc().fds();
    let file = fds.get(l, old)?;
    fds.install_at(l, file, new, close_on_exec).map(u64::from)
}

fn sys_fcntl(l: &mut Lwp<'_>, a: &[u64; 6], _: &mut dyn SysMemory) -> Result<u64, Errno> {
    let fds = l.proc().fds();
    let this = fd(a[0])?;
    let file = fds.get(l, this)?;
    match a[1] {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let min = Fd::try_from(a[2]).ok().filter(|m| *m < MAX_FDS).ok_or(Errno::Invalid)?;
            dup_from(l, this, min, a[1] == F_DUPFD_CLOEXEC)
        }
        F_GETFD => fds.close_on_exec(l, this).map(u64::from),
        F_SETFD => fds.set_close_on_exec(l, this, a[2] & FD_CLOEXEC != 0).map(|()| 0),
        F_GETFL => Ok(file.flags().bits().into()),
        F_SETFL => {
            file.set_flags(Flags::from_bits_truncate(a[2] as u32));
            Ok(0)
        }
        _ => Err(Errno::Invalid),
    }
}

/// struct pollfd: int fd; short events; short revents.
fn sys_poll(l: &mut Lwp<'_>, a: &[u64; 6], m: &mut dyn SysMemory) -> Result<u64, Errno> {
    let count = usize::try_from(a[1]).ok().filter(|n| *n <= 1 << 16).ok_or(Errno::Invalid)?;
    let mut raw = buffer(l, count as u64 * 8)?;
    copyin(m, a[0], &mut raw)?;
    let mut fds = KVec::new(l);
    for [f0, f1, f2, f3, e0, e1, _, _] in raw.as_chunks().0 {
        fds.push(PollFd {
            fd: i32::from_ne_bytes([*f0, *f1, *f2, *f3]),
            events: Events::from_bits_truncate(u16::from_ne_bytes([*e0, *e1])),
            revents: Events::empty(),
        })?;
    }
    let ready = poll(l, &mut fds, deadline(l, a[2] as i32))?;
    for (raw, p) in raw.as_chunks_mut::<8>().0.iter_mut().zip(fds.iter()) {
        [raw[6], raw[7]] = p.revents.bits().to_ne_bytes();
    }
    copyout(m, &raw, a[0])?;
    Ok(ready as u64)
}

/// A timeout in milliseconds; a negative one means none.
fn deadline(l: &Lwp<'_>, timeout_ms: i32) -> Option<Instant> {
    let ms = u64::try_from(timeout_ms).ok()?;
    Some(l.now() + core::time::Duration::from_millis(ms))
}

//! The system call `sysctl`: values and tables by name, as text.
//!
//! `sysctl(name, namelen, old, oldlen, new, newlen)` answers the length of the value and copies as
//! much of it as `oldlen` allows, so a caller whose buffer was short asks again. Texts are UTF-8
//! without a final zero. With `new` (not null), the value is set: numbers are decimal.
//! A name that is empty, or ends in a dot, stands for all values below it, as lines
//! `name = value`; tables are read by their names alone.
//!
//! Errors: ENOENT (no such name), EPERM (not the superuser, or cannot be set), EISDIR (a subtree is
//! not set), EINVAL (no UTF-8, a NUL, not a value of its type, out of range), ENAMETOOLONG, E2BIG.
//!
//! DIFFERS: NetBSD's and Linux's calls take numbers for names, and structures for values.
//!
//! Locking: none of its own. Sources: NetBSD sysctl(3), sysctl(8).

use super::{Listing, Node, SYSCTLS, Value, find, table};
use crate::syscall::{Arg, MAX_TRANSFER, SysMemory, number};
use crate::vm::KVec;
use crate::{Cx, Errno, Lwp};

/// The longest name.
pub const NAME_MAX: usize = 255;
/// The longest value that can be set.
pub const NEW_MAX: usize = 4096;
/// The most of a value that is copied, as of any call's memory: a table may be longer.
pub const OLD_MAX: usize = MAX_TRANSFER;

crate::syscalls! {
    static SYSCTL = None, number::SYSCTL, "sysctl",
        [Arg::In(1), Arg::Value, Arg::Out(3), Arg::Value, Arg::In(5), Arg::Value], sys_sysctl;
}

fn sys_sysctl(l: &mut Lwp<'_>, a: &[u64; 6], m: &mut dyn SysMemory) -> Result<u64, Errno> {
    let name = copyin_text(l, m, a[0], a[1], NAME_MAX, Errno::NameTooLong)?;
    let new = match (a[4], a[5]) {
        (0, 0) => None,
        (at, len) => Some(copyin_text(l, m, at, len, NEW_MAX, Errno::TooBig)?),
    };
    let name = text(&name)?;
    let new = new.as_deref().map(text).transpose()?;
    let mut old = Listing::new(l, usize::try_from(a[3]).unwrap_or(OLD_MAX).min(OLD_MAX));
    let change = match new {
        Some(new) => Some(change(l, name, new)?),
        None => None,
    };
    read(l, name, &mut old)?;
    let (kept, len) = old.end();
    if !kept.is_empty() {
        m.copyout(&kept, a[2])?;
    }
    if let Some((node, value)) = change {
        node.set.ok_or(Errno::NotPermitted)?(l, value)?;
    }
    Ok(len as u64)
}

/// Writes what `name` stands for.
fn read(cx: &Cx<'_>, name: &str, out: &mut Listing) -> Result<(), Errno> {
    if is_subtree(name) {
        return list(cx, name, out);
    }
    if let Some(table) = table::find(cx, name) {
        return Ok(table.show(cx, out)?);
    }
    match super::get(cx, name)? {
        Value::Int(n) => Ok(out.cell(&n)?),
        Value::Text(t) => Ok(out.text(&t)?),
    }
}

/// Writes all values whose names begin with `prefix`.
fn list(cx: &Cx<'_>, prefix: &str, out: &mut Listing) -> Result<(), Errno> {
    let mut any = table::all(cx).iter().any(|t| t.name.starts_with(prefix));
    let mut nodes: smallvec::SmallVec<[&Node; 64]> =
        SYSCTLS.iter().filter(|n| n.name.starts_with(prefix)).collect();
    nodes.sort_by_key(|n| n.name);
    for node in nodes {
        if let Some(value) = (node.get)(cx) {
            any = true;
            out.text(node.name)?;
            out.text(" = ")?;
            out.cell(&value)?;
            out.text("\n")?;
        }
    }
    if any { Ok(()) } else { Err(Errno::NoEntry) }
}

/// What setting `name` to the text `new` means, if it may be set.
fn change(l: &Lwp<'_>, name: &str, new: &str) -> Result<(&'static Node, Value), Errno> {
    if is_subtree(name) {
        return Err(Errno::IsDirectory);
    }
    if table::find(l, name).is_some() {
        return Err(Errno::NotPermitted);
    }
    let now = super::get(l, name)?;
    let node = find(name)?;
    if !l.proc().is_root(l) || node.set.is_none() {
        return Err(Errno::NotPermitted);
    }
    let value = match now {
        Value::Int(_) => Value::Int(new.trim_ascii().parse().map_err(|_| Errno::Invalid)?),
        Value::Text(_) => Value::Text(new.into()),
    };
    Ok((node, value))
}

fn is_subtree(name: &str) -> bool {
    name.is_empty() || name.ends_with('.')
}

/// `len` bytes of the client's, at most `max`.
fn copyin_text(
    cx: &Cx<'_>,
    m: &mut dyn SysMemory,
    at: u64,
    len: u64,
    max: usize,
    too_long: Errno,
) -> Result<KVec<u8>, Errno> {
    let len = usize::try_from(len).ok().filter(|n| *n <= max).ok_or(too_long)?;
    let mut text = KVec::new(cx);
    text.resize(len, 0)?;
    if len > 0 {
        m.copyin(at, &mut text)?;
    }
    Ok(text)
}

fn text(bytes: &[u8]) -> Result<&str, Errno> {
    core::str::from_utf8(bytes).ok().filter(|t| !t.contains('\0')).ok_or(Errno::Invalid)
}

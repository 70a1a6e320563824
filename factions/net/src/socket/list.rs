//! The table `net.sockets`: which process has which sockets, as sockstat(1) shows them.
//!
//! A socket that several descriptors refer to has a row for each; one that none refers to (a
//! connection that nobody has accepted, or that is not over yet) has none here.
//!
//! Locking: one look at a time; nothing is held between two rows. Sources: NetBSD sockstat(1).

use core::fmt::{self, Display};
use core::net::SocketAddr;

use base::sysctl::Listing;
use base::{Cx, NoMemory, proc};

use super::SockType;
use super::file::SocketFile;
use crate::domain;

/// Its columns.
pub(crate) const COLUMNS: &[&str] = &[
    "pid", "uid", "command", "fd", "domain", "type", "number", "local", "peer", "state", "recv-q",
    "send-q",
];

/// Writes the rows.
pub(crate) fn write(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    let mut last = None;
    while let Some(entry) = proc::after(cx, last) {
        let mut from = 0;
        while let Some((fd, file)) = entry.fds.from(cx, from) {
            if let Some(socket) = file.ops().as_any().downcast_ref::<SocketFile>() {
                row(cx, &entry, fd, socket, out)?;
            }
            from = fd + 1;
        }
        last = Some(entry.pid);
    }
    Ok(())
}

fn row(
    cx: &Cx<'_>,
    owner: &proc::Entry,
    fd: u32,
    SocketFile { so, pcb }: &SocketFile,
    out: &mut Listing,
) -> Result<(), NoMemory> {
    let proto = so.proto();
    let domain = domain::of(cx).find(|d| d.family == proto.family).map_or("", |d| d.name);
    let kind = match proto.kind {
        SockType::Stream => "stream",
        SockType::Dgram => "dgram",
        SockType::Raw => "raw",
    };
    let (local, peer) = (place(Some(pcb.local_addr(cx))), place(pcb.peer_addr(cx)));
    let state = pcb.state_name(cx);
    let buffers = so.state(cx);
    let (waiting, unsent) = (buffers.rcv.len(), buffers.snd.len());
    drop(buffers);
    let proc::Entry { pid, uid, name, .. } = owner;
    let number = so.protocol();
    out.row(&[
        pid, uid, name, &fd, &domain, &kind, &number, &local, &peer, &state, &waiting, &unsent,
    ])
}

/// An address and a port, `*` where any is meant, as lists show them.
pub fn place(at: Option<SocketAddr>) -> impl Display {
    fmt::from_fn(move |f| {
        match at.map(|at| at.ip()).filter(|ip| !ip.is_unspecified()) {
            Some(ip) => ip.fmt(f)?,
            None => f.write_str("*")?,
        }
        match at.map(|at| at.port()) {
            None | Some(0) => f.write_str(":*"),
            Some(port) => write!(f, ":{port}"),
        }
    })
}

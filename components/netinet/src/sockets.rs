//! The table `net.inet.sockets`: what netstat(1) shows.
//!
//! Locking: `Rank::Pcbs`, then `Rank::Connection` or `Rank::Socket`. Sources: NetBSD netstat(1).

use core::fmt::{self, Display};
use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use base::sysctl::Listing;
use base::{Cx, NoMemory};
use net::socket::Socket;

use crate::component::{RAW, TCP, UDP};
use crate::udp::pcbs::Pcbs;
use crate::wire::ipv4::protocol;

/// Its columns. Queues are in bytes.
pub(crate) const COLUMNS: &[&str] = &["protocol", "local", "peer", "recv-q", "send-q", "state"];

/// Writes the rows.
pub(crate) fn write(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    connections(cx, out)?;
    endpoints(cx, "udp", &cx.get(&UDP).pcbs, out)?;
    let raw = cx.get(&RAW);
    endpoints(cx, "ping", &raw.pings, out)?;
    for entry in raw.lock(cx).iter() {
        let (local, peer) = (host(Some(entry.local)), host(entry.peer));
        let name = fmt::from_fn(|f| match entry.protocol {
            protocol::ICMP => f.write_str("icmp"),
            number => write!(f, "raw{number}"),
        });
        row(cx, &name, &local, &peer, &entry.so, &"", out)?;
    }
    Ok(())
}

/// TCP's: those that have a port without a connection, connections, and halves of some.
fn connections(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    let tables = cx.get(&TCP).tables.lock(cx);
    for (at, pcb) in tables.ports.iter() {
        if pcb.inner.lock(cx).pair.is_none() {
            let local = place(Some(SocketAddrV4::new(at.local, at.port)));
            row(cx, &"tcp", &local, &place(None), &pcb.so, &pcb.listed_state(cx), out)?;
        }
    }
    for (pair, pcb) in tables.connections() {
        let (local, peer) = (place(Some(pair.local)), place(Some(pair.peer)));
        row(cx, &"tcp", &local, &peer, &pcb.so, &pcb.listed_state(cx), out)?;
    }
    for (pair, _) in tables.halves.iter() {
        let (local, peer) = (place(Some(pair.local)), place(Some(pair.peer)));
        out.row(&[&"tcp", &local, &peer, &0, &0, &"SYN_RECEIVED"])?;
    }
    Ok(())
}

fn endpoints(cx: &Cx<'_>, name: &str, pcbs: &Pcbs, out: &mut Listing) -> Result<(), NoMemory> {
    for (at, so) in pcbs.lock(cx).table.iter() {
        let local = SocketAddrV4::new(at.local, at.port);
        row(cx, &name, &place(Some(local)), &place(at.peer), so, &"", out)?;
    }
    Ok(())
}

fn row(
    cx: &Cx<'_>,
    name: &dyn Display,
    local: &dyn Display,
    peer: &dyn Display,
    so: &Socket,
    state: &dyn Display,
    out: &mut Listing,
) -> Result<(), NoMemory> {
    let buffers = so.state(cx);
    let (waiting, unsent) = (buffers.rcv.len(), buffers.snd.len());
    drop(buffers);
    out.row(&[name, local, peer, &waiting, &unsent, state])
}

fn place(at: Option<SocketAddrV4>) -> impl Display {
    net::socket::place(at.map(SocketAddr::V4))
}

fn host(addr: Option<Ipv4Addr>) -> impl Display {
    fmt::from_fn(move |f| match addr {
        Some(addr) if !addr.is_unspecified() => addr.fmt(f),
        _ => f.write_str("*"),
    })
}

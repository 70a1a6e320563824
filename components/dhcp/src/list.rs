//! The table of leases.
//!
//! Locking: `Rank::Proto`, for one look at a time. Sources: NetBSD dhcpcd(8) (what it shows).

use core::fmt::{self, Display};

use base::sysctl::Listing;
use base::{Cx, Instant, NoMemory};
use net::ifnet::config;

use crate::client::{Lease, State};
use crate::lease::find;

/// Its columns. Times are seconds from now; an address is set when `state` is `bound` or later.
pub(crate) const COLUMNS: &[&str] = &[
    "interface",
    "state",
    "address",
    "prefix",
    "router",
    "dns",
    "server",
    "lease",
    "renew",
    "rebind",
    "expires",
];

/// Writes the rows, in the order of the interfaces.
pub(crate) fn write(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    let now = cx.now();
    for ifp in config::list(cx) {
        let Some(held) = find(cx, ifp.index()) else { continue };
        let inner = held.inner.lock(cx);
        let (state, lease) = (inner.client.state(), inner.client.lease().copied());
        // Not before the interface has it.
        let had = inner.applied.is_some();
        let set = had && inner.applied == inner.wanted;
        drop(inner);
        let state = match state {
            State::Stopped if had => "releasing",
            State::Stopped => "stopped",
            State::Init => "init",
            State::Selecting => "selecting",
            State::Requesting { .. } => "requesting",
            State::Checking { .. } => "checking",
            State::Bound if !set => "setting",
            State::Bound => "bound",
            State::Renewing => "renewing",
            State::Rebinding => "rebinding",
        };
        let config = lease.map(|lease| lease.config);
        let limited = lease.filter(|lease| lease.seconds.is_some());
        let left = |at: fn(&Lease) -> Instant| {
            or_empty(limited.as_ref().map(|lease| at(lease).saturating_since(now).as_secs()))
        };
        let dns = fmt::from_fn(|f| {
            let servers = lease.iter().flat_map(|lease| lease.name_servers).flatten();
            for (at, server) in servers.enumerate() {
                let space = if at > 0 { " " } else { "" };
                write!(f, "{space}{server}")?;
            }
            Ok(())
        });
        out.row(&[
            &ifp.name(),
            &state,
            &or_empty(config.map(|config| config.address)),
            &or_empty(config.map(|config| config.prefix)),
            &or_empty(config.and_then(|config| config.router)),
            &dns,
            &or_empty(lease.map(|lease| lease.server)),
            &or_empty(lease.and_then(|lease| lease.seconds)),
            &left(|lease| lease.renew),
            &left(|lease| lease.rebind),
            &left(|lease| lease.end),
        ])?;
    }
    Ok(())
}

fn or_empty(item: Option<impl Display>) -> impl Display {
    fmt::from_fn(move |f| item.as_ref().map_or(Ok(()), |i| i.fmt(f)))
}

//! The table `net.inet.arp.table`: what arp(8) shows.
//!
//! Locking: `Rank::Arp`. Sources: NetBSD arp(8).

use core::fmt::{self, Display};

use base::sysctl::Listing;
use base::{Cx, NoMemory};

use super::entry::State;
use crate::component::INET;

/// Its columns. What expires, says in how many seconds.
pub(crate) const COLUMNS: &[&str] = &["address", "lladdr", "interface", "state", "expires"];

/// Writes the rows: by interface, the addresses of one in no order.
pub(crate) fn write(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    let now = cx.now().nanos();
    for a in cx.get(&INET).arp.lock(cx).iter_mut() {
        for known in a.cache.iter() {
            let state = match known.state {
                State::Incomplete => "incomplete",
                State::Reachable => "reachable",
                State::Static => "static",
                State::Down => "down",
            };
            let has_mac = matches!(known.state, State::Reachable | State::Static);
            let left = known.deadline_ns.saturating_sub(now).div_ceil(1_000_000_000);
            let lladdr = or_empty(has_mac.then_some(known.mac));
            let expires = or_empty((known.deadline_ns != u64::MAX).then_some(left));
            out.row(&[&known.ip, &lladdr, &a.ifp.name(), &state, &expires])?;
        }
    }
    Ok(())
}

fn or_empty(item: Option<impl Display>) -> impl Display {
    fmt::from_fn(move |f| item.as_ref().map_or(Ok(()), |i| i.fmt(f)))
}

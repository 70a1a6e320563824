//! The tables of bridges: members, and who was heard where.
//!
//! Locking: `Rank::Proto`, for one look at a time. Sources: NetBSD brconfig(8).

use base::sysctl::Listing;
use base::{Cx, KArc, NoMemory};
use net::ifnet::config;

use crate::component::BRIDGE;
use crate::members::Members;

/// Columns of `net.bridge.members`.
pub(crate) const MEMBER_COLUMNS: &[&str] = &["bridge", "member", "limit", "timeout"];

/// Columns of `net.bridge.addresses`; what expires, says in how many seconds.
pub(crate) const ADDRESS_COLUMNS: &[&str] = &["bridge", "lladdr", "member", "expires"];

/// The bridges that have or had members, with their names.
fn each(
    cx: &Cx<'_>,
    mut show: impl FnMut(&str, &Members) -> Result<(), NoMemory>,
) -> Result<(), NoMemory> {
    for ifp in config::list(cx) {
        let bridges = cx.get(&BRIDGE).bridges.lock(cx);
        let at = bridges.binary_search_by_key(&ifp.index(), |bridge| bridge.0);
        let members: Option<KArc<Members>> =
            at.ok().and_then(|at| bridges.get(at)).map(|bridge| bridge.1.clone());
        drop(bridges);
        if let Some(members) = members {
            show(ifp.name(), &members)?;
        }
    }
    Ok(())
}

/// Writes the rows of `net.bridge.members`.
pub(crate) fn members(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    each(cx, |name, members| {
        let state = members.state(cx);
        let (limit, timeout) = state.table.settings();
        for member in state.members.iter() {
            out.row(&[&name, &member.name(), &limit, &timeout.as_secs()])?;
        }
        Ok(())
    })
}

/// Writes the rows of `net.bridge.addresses`.
pub(crate) fn addresses(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    each(cx, |name, members| {
        let state = members.state(cx);
        for (known, left) in state.table.iter(cx.coarse_now()) {
            let member = state.members.iter().find(|member| member.index() == known.member);
            let member = member.map_or("", |member| member.name());
            out.row(&[&name, &known.mac, &member, &left.as_secs()])?;
        }
        Ok(())
    })
}

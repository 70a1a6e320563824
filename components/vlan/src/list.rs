//! The table of virtual networks.
//!
//! Locking: `Rank::Proto`, for one look at a time. Sources: NetBSD ifconfig(8) (vlan, vlanif).

use base::sysctl::Listing;
use base::{Cx, NoMemory};
use net::ifnet::config;

use crate::component::VLAN;

/// Columns of `net.vlans`.
pub(crate) const COLUMNS: &[&str] = &["interface", "number", "parent"];

/// Writes the rows, by the interfaces below and their numbers.
pub(crate) fn write(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    for below in config::list(cx) {
        let entries = cx.get(&VLAN).entries.lock(cx);
        for entry in entries.iter().filter(|entry| entry.key.0 == below.index()) {
            out.row(&[&entry.ifp.name(), &entry.key.1, &below.name()])?;
        }
    }
    Ok(())
}

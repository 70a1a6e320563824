//! What the tool asks, and programs of this process.
//!
//! * [`start`]: an interface asks for a lease.  * [`release`]: it gives it back.
//!
//! Locking: none held. Sources: NetBSD's dhcpclient of rump.

use base::{Cx, Errno, Lwp};
use net::IfError;
use net::ifnet::{IfFlags, IfKind, config};

use crate::lease::{find, hold, run};

/// Brings an interface up and has it ask for a lease. The table `net.dhcp.leases` shows what came
/// of it; it asks until there is one, and keeps it until [`release`], the interface's end or the
/// kernel's.
pub fn start(l: &mut Lwp<'_>, name: &str) -> Result<(), Errno> {
    config::set_up(l, name, true).map_err(edge)?;
    start_on(l, name)
}

/// Gives an interface's lease back, and takes its address away.
pub fn release(l: &mut Lwp<'_>, name: &str) -> Result<(), Errno> {
    release_of(l, name)
}

/// The same for an interface that is up.
pub(crate) fn start_on(cx: &Cx<'_>, name: &str) -> Result<(), Errno> {
    let ifp = config::find(cx, name).map_err(edge)?;
    if ifp.kind() != IfKind::Ethernet {
        return Err(Errno::NotSupported);
    }
    if !ifp.flags().contains(IfFlags::UP) {
        return Err(Errno::NetDown);
    }
    let now = cx.now();
    loop {
        let held = hold(cx, &ifp).map_err(edge)?;
        if run(cx, &held, |client| client.begin(now, &mut || base::random::u32(cx))) {
            return Ok(());
        }
        // Another CPU is about to let go of the one before.
        core::hint::spin_loop();
    }
}

pub(crate) fn release_of(cx: &Cx<'_>, name: &str) -> Result<(), Errno> {
    let ifp = config::find(cx, name).map_err(edge)?;
    let held = find(cx, ifp.index()).ok_or(Errno::AddrNotAvailable)?;
    run(cx, &held, |client| client.release(&mut || base::random::u32(cx)));
    Ok(())
}

fn edge(e: IfError) -> Errno {
    match e {
        IfError::NoInterface => Errno::NotSuchDevice,
        e => e.into(),
    }
}

//! The address and the route that a lease brings, and that go with it.
//!
//! Addresses are changed by threads that may sleep, and leases begin and end in interrupts and
//! timers: so a thread of the host is asked for, does what is to be done by then, and ends. That is
//! once at the beginning of a lease and once at its end, not when it is prolonged.
//!
//! Locking: `Rank::Proto` for a client, not while anything is changed.
//! Sources: none.

use alloc::boxed::Box;
use core::time::Duration;

use base::{Cx, KArc, Lwp, kprintf};
use net::ifnet::config;
use net::route::RouteKind;
use net::route::config::{self as route, Prefix4, RouteError};

use crate::client::Config;
use crate::lease::{self, Held};

/// When no thread is to be had: how soon to ask again.
const PATIENCE: Duration = Duration::from_secs(1);

/// Has the interface soon be as the client wants it, if it is not.
pub(crate) fn soon(cx: &Cx<'_>, held: &KArc<Held>) {
    let mut inner = held.inner.lock(cx);
    if inner.working {
        return;
    }
    if inner.wanted == inner.applied {
        drop(inner);
        return lease::let_go_if_over(cx, held);
    }
    inner.working = true;
    drop(inner);
    let (handle, index) = (cx.handle(), held.ifp.index());
    let main = move || {
        // The kernel may be gone by then, or the interface.
        let _ = handle.enter(|l| {
            if let Some(held) = lease::find(l, index) {
                work(l, &held);
            }
        });
    };
    #[expect(clippy::disallowed_methods, reason = "a thread's beginning, which the host owns")]
    let main = Box::new(main);
    if cx.host().spawn("dhcp", main).is_err() {
        held.inner.lock(cx).working = false;
        held.look_again(cx, cx.now() + PATIENCE);
    }
}

/// Makes the interface as it is wanted, until it is.
fn work(l: &mut Lwp<'_>, held: &KArc<Held>) {
    loop {
        let mut inner = held.inner.lock(l);
        let (wanted, applied, has_route) = (inner.wanted, inner.applied, inner.has_route);
        if wanted == applied {
            inner.working = false;
            drop(inner);
            return lease::let_go_if_over(l, held);
        }
        drop(inner);
        if let Some(old) = applied {
            unapply(l, held, old, has_route, wanted);
        }
        let done = wanted.map(|new| apply(l, held, new));
        let mut inner = held.inner.lock(l);
        (inner.applied, inner.has_route) = match done {
            None => (None, false),
            Some(Ok(has_route)) => (wanted, has_route),
            Some(Err(Failed { is_set })) => {
                // Later, again. What is there until then is not lent, and goes in the next round: the
                // new address, or the old one, if it is the same and was to stay.
                inner.wanted = None;
                let is_same = |old: &Config| wanted.is_some_and(|new| new.address == old.address);
                (if is_set { wanted } else { applied.filter(is_same) }, false)
            }
        };
        drop(inner);
        if let Some(Err(_)) = done {
            let now = l.now();
            lease::run(l, held, |client| {
                client.refused(now);
                Default::default()
            });
        }
    }
}

fn unapply(l: &mut Lwp<'_>, held: &Held, old: Config, has_route: bool, new: Option<Config>) {
    let ifp = &held.ifp;
    if let (Some(router), true) = (old.router, has_route) {
        let is_ours = route::get(l, core::net::Ipv4Addr::UNSPECIFIED).is_ok_and(|(to, found)| {
            to == Prefix4::DEFAULT
                && found.kind == RouteKind::Gateway(router)
                && found.ifp.index() == ifp.index()
        });
        if is_ours {
            let _ = route::delete(l, Prefix4::DEFAULT);
        }
    }
    if new.is_none_or(|new| new.address != old.address) {
        // Somebody may have taken it away already.
        let _ = config::remove_addr(l, ifp.name(), old.address.into());
    }
}

/// The interface is not as it is wanted.
#[derive(Clone, Copy)]
struct Failed {
    /// Whether it has the new address.
    is_set: bool,
}

/// Gives the interface its address, and the kernel its way out; whether the latter is ours.
fn apply(l: &mut Lwp<'_>, held: &Held, new: Config) -> Result<bool, Failed> {
    let name = held.ifp.name();
    if let Err(e) = config::alias_addr(l, name, new.address.into(), new.prefix) {
        kprintf!(l, "{name}: {}/{}, which was lent, cannot be set: {e}", new.address, new.prefix);
        return Err(Failed { is_set: false });
    }
    let Some(router) = new.router else { return Ok(false) };
    match route::add(l, Prefix4::DEFAULT, router) {
        Ok(()) => Ok(true),
        // Somebody has chosen a way out.
        Err(RouteError::Exists) => Ok(false),
        Err(e) => {
            kprintf!(l, "{name}: no way out by {router}: {e}");
            // A lease without it is of little use, where only memory is missing.
            if e == RouteError::NoMemory { Err(Failed { is_set: true }) } else { Ok(false) }
        }
    }
}

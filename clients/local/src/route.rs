//! Routes of a kernel: what route(8) does, with std's types.
//!
//! Locking: the kernel's own. Sources: route(8).

use std::io;
use std::net::Ipv4Addr;

use base::{Cx, Kernel};
use net::route::RouteKind;
use net::route::config::{self, Prefix4, RouteError};

use crate::{io_error, told};

/// A route, as it was when asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The destination's network.
    pub to: Ipv4Addr,
    /// How many bits of it count.
    pub prefix: u8,
    /// What is there.
    pub kind: RouteKind,
    /// The interface's name.
    pub interface: String,
}

fn change<R>(kernel: &Kernel, f: impl FnOnce(&Cx<'_>) -> Result<R, RouteError>) -> io::Result<R> {
    kernel.enter(|l| f(l)).map_err(|gone| io_error(gone.into()))?.map_err(told)
}

/// Adds a route to a network through a neighbour.
pub fn add(
    kernel: &Kernel,
    to: impl Into<Ipv4Addr>,
    prefix: u8,
    gateway: impl Into<Ipv4Addr>,
) -> io::Result<()> {
    let (to, gateway) = (Prefix4 { addr: to.into(), len: prefix }, gateway.into());
    change(kernel, |cx| config::add(cx, to, gateway))
}

/// Adds the route that packets without another take.
pub fn add_default(kernel: &Kernel, gateway: impl Into<Ipv4Addr>) -> io::Result<()> {
    let gateway = gateway.into();
    change(kernel, |cx| config::add(cx, Prefix4::DEFAULT, gateway))
}

/// Deletes a route.
pub fn delete(kernel: &Kernel, to: impl Into<Ipv4Addr>, prefix: u8) -> io::Result<()> {
    let to = Prefix4 { addr: to.into(), len: prefix };
    change(kernel, |cx| config::delete(cx, to))
}

/// Deletes all routes that were added; says how many.
pub fn flush(kernel: &Kernel) -> io::Result<usize> {
    change(kernel, |cx| Ok(config::flush(cx)))
}

fn describe(to: Prefix4, route: &net::route::Route) -> Route {
    let interface = route.ifp.name().to_owned();
    Route { to: to.addr, prefix: to.len, kind: route.kind, interface }
}

/// The route that packets to `dst` take.
pub fn get(kernel: &Kernel, dst: impl Into<Ipv4Addr>) -> io::Result<Route> {
    let dst = dst.into();
    change(kernel, |cx| config::get(cx, dst).map(|(to, route)| describe(to, &route)))
}

/// All routes, in the order of their destinations.
pub fn list(kernel: &Kernel) -> io::Result<Vec<Route>> {
    change(kernel, |cx| {
        Ok(config::list(cx)?.iter().map(|(to, route)| describe(*to, route)).collect())
    })
}

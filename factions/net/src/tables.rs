//! What there are many of, as tables of the sysctl tree.
//!
//! * [`interfaces`], [`routes`].
//!
//! Locking: one look at a time; nothing is held between two rows.
//! Sources: NetBSD netstat(1) (letters of routes).

use core::fmt::{self, Display, Write};
use core::net::Ipv4Addr;

use base::sysctl::Listing;
use base::{Cx, NoMemory};

use crate::ifnet::{IfCounters, IfKind, config};
use crate::link::{Counts, Status};
use crate::route::{self, Route, RouteKind};

/// Columns of `net.interfaces`.
pub(crate) const INTERFACE_COLUMNS: &[&str] = &[
    "name",
    "index",
    "flags",
    "mtu",
    "lladdr",
    "linkstr",
    "addresses",
    "ipackets",
    "ibytes",
    "imcasts",
    "ierrors",
    "iqdrops",
    "noproto",
    "opackets",
    "obytes",
    "omcasts",
    "oerrors",
    "oqdrops",
    "link",
    "queued",
    "lost",
    "full",
    "duplicated",
    "corrupted",
    "reordered",
];

/// Columns of `net.routes`.
pub(crate) const ROUTE_COLUMNS: &[&str] =
    &["destination", "prefix", "gateway", "flags", "interface", "source", "mtu"];

/// Writes the rows of `net.interfaces`.
pub(crate) fn interfaces(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    for ifp in config::list(cx) {
        let flags = joined(|| ifp.flags().iter_names().map(|(word, _)| word), ',');
        let lladdr = (ifp.kind() == IfKind::Ethernet).then(|| ifp.lladdr());
        let linkstr = config::linkstr(cx, &ifp);
        let addrs = ifp.addrs(cx);
        let each = || addrs.iter().map(|a| fmt::from_fn(|f| write!(f, "{}/{}", a.addr, a.prefix)));
        let addresses = joined(each, ' ');
        let IfCounters {
            ipackets,
            ibytes,
            imcasts,
            ierrors,
            iqdrops,
            noproto,
            opackets,
            obytes,
            omcasts,
            oerrors,
            oqdrops,
        } = &ifp.counters;
        let (name, index, mtu, lladdr) = (ifp.name(), ifp.index(), ifp.mtu(), or_empty(lladdr));
        out.cells(&[&name, &index, &flags, &mtu, &lladdr, &linkstr, &addresses])?;
        let counters = [
            ipackets, ibytes, imcasts, ierrors, iqdrops, noproto, opackets, obytes, omcasts,
            oerrors, oqdrops,
        ];
        for counter in counters {
            out.text("\t")?;
            out.cell(&counter.get())?;
        }
        let Status { character, counts, queued } = config::link(cx, &ifp);
        let Counts { lost, full, duplicated, corrupted, reordered } = counts;
        out.text("\t")?;
        out.cells(&[&character, &queued, &lost, &full, &duplicated, &corrupted, &reordered])?;
        out.text("\n")?;
    }
    Ok(())
}

/// Writes the rows of `net.routes`.
pub(crate) fn routes(cx: &Cx<'_>, out: &mut Listing) -> Result<(), NoMemory> {
    let mut last = None;
    while let Some((to, route)) = route::config::after(cx, last) {
        let gateway = match route.kind {
            RouteKind::Gateway(gateway) => Some(gateway),
            _ => None,
        };
        let (flags, name, mtu) = (letters(to.len, &route), route.ifp.name(), route.ifp.mtu());
        let source = Some(route.source).filter(|s| *s != Ipv4Addr::UNSPECIFIED);
        let (gateway, source) = (or_empty(gateway), or_empty(source));
        out.row(&[&to.addr, &to.len, &gateway, &flags, &name, &source, &mtu])?;
        last = Some(to);
    }
    Ok(())
}

/// The letters that netstat has for a route.
fn letters(prefix: u8, route: &Route) -> impl Display {
    let kind = match route.kind {
        RouteKind::Connected => 'C',
        RouteKind::Gateway(_) => 'G',
        RouteKind::Local => 'l',
        RouteKind::Broadcast => 'b',
        RouteKind::Reject => 'R',
        RouteKind::Blackhole => 'B',
    };
    let host = (prefix == 32).then_some('H');
    let by_hand = route.is_static.then_some('S');
    fmt::from_fn(move |f| {
        let letters = [Some('U'), Some(kind), host, by_hand];
        letters.into_iter().flatten().try_for_each(|letter| f.write_char(letter))
    })
}

/// The items with `separator` between them.
fn joined<I: Iterator<Item: Display>>(items: impl Fn() -> I, separator: char) -> impl Display {
    fmt::from_fn(move |f| {
        for (at, item) in items().enumerate() {
            if at > 0 {
                f.write_char(separator)?;
            }
            item.fmt(f)?;
        }
        Ok(())
    })
}

fn or_empty(item: Option<impl Display>) -> impl Display {
    fmt::from_fn(move |f| item.as_ref().map_or(Ok(()), |i| i.fmt(f)))
}

//! A ring: a line whose last node is also on the first node's link.
//!
//! Every node sends the half of the links that is nearer going on through its successor, and
//! the other half through its predecessor; where both ways are equally long it takes the
//! predecessor's, because that way ends at the node of the link's own number. Each half is a
//! run of link numbers (two runs, where the numbers start again), and a run is a few prefixes,
//! so that a node has some 20 routes rather than one for every link.
//!
//! Every node pings node 1, so half the ring must be within reach of a TTL: [`MAX_RING`].
//!
//! Locking: none. Sources: RFC 4632 section 3.1.

use std::net::Ipv4Addr;

use super::generate::{assemble, far, name, near, pings_to_first};
use super::{MAX_HOPS, Node, Route, Topology, range};

/// The most nodes in a ring: half of them are as many hops as a packet can cross.
pub const MAX_RING: u32 = 2 * MAX_HOPS + 1;

pub(super) fn plan(count: u32) -> Topology {
    assemble(count, |n| node(n, count), pings_to_first(count, |n| hops(n, count)))
}

/// The number that is `steps` after `n`, where `count` is followed by 1.
fn after(n: u32, steps: u32, count: u32) -> u32 {
    (n.saturating_sub(1).saturating_add(steps) % count).saturating_add(1)
}

fn node(n: u32, count: u32) -> Node {
    let next = after(n, 1, count);
    // The link j + 1 places on is j routers away going on and count - 1 - j going back; those
    // at j = 0 and j = count - 1 are the node's own.
    let turn = count / 2;
    let mut routes = Vec::new();
    run(&mut routes, n, 1..turn, count, range::near(next));
    run(&mut routes, n, turn.max(1)..count.saturating_sub(1), count, range::far(n));
    Node { name: name(n), interfaces: vec![near(n), far(next)], routes }
}

/// Routes through `via` to the links that are `steps + 1` places on.
fn run(routes: &mut Vec<Route>, n: u32, steps: std::ops::Range<u32>, count: u32, via: Ipv4Addr) {
    if steps.is_empty() {
        return;
    }
    let (first, last) = (after(n, steps.start + 1, count), after(n, steps.end, count));
    let wraps = first > last;
    let before = first..=if wraps { count } else { last };
    let runs = core::iter::once(before).chain(wraps.then_some(1..=last));
    for links in runs {
        routes.extend(range::prefixes(links).map(|to| Route { to, via }));
    }
}

/// From node `n` to node 1, the shorter way round.
fn hops(n: u32, count: u32) -> u32 {
    let back = n.saturating_sub(1);
    back.min(count.saturating_sub(back))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_sends_each_half_its_way() {
        let plan = plan(8);
        let routes: Vec<_> = plan.nodes[2]
            .routes
            .iter()
            .map(|route| format!("{} via {}", route.to, route.via))
            .collect();
        // Node 3 is on links 3 and 4; links 5, 6 and 7 are nearer going on, 8, 1 and 2 back.
        assert_eq!(
            routes,
            [
                "1.2.5.0/24 via 1.2.4.1",
                "1.2.6.0/23 via 1.2.4.1",
                "1.2.8.0/24 via 1.2.3.2",
                "1.2.1.0/24 via 1.2.3.2",
                "1.2.2.0/24 via 1.2.3.2",
            ]
        );
    }

    #[test]
    fn tables_stay_short() {
        let longest = plan(MAX_RING).nodes.iter().map(|node| node.routes.len()).max();
        assert!(longest <= Some(36), "{longest:?} routes");
    }
}

//! Trees: a binary one, and the star, which is a tree of one level.
//!
//! Node `n` is joined to its parent by link `n`, where the parent has `1.2.n.2`. Everybody but
//! node 1 has a default route through the parent. Downwards a node needs routes: the nodes below
//! node `c` are, on each level, a run of numbers (`2c` and `2c + 1`, then `4c` to `4c + 3`, and
//! so on), so a level takes one prefix, or a few where the prefix boundaries lie across it. In
//! all that is about two routes a node, whatever the size.
//!
//! Every node pings node 1. An address that nobody has ends at node 1, which has no default.
//!
//! Locking: none. Sources: RFC 4632 section 3.1.

use super::generate::{assemble, far, name, near, pings_to_first};
use super::{Node, Route, Topology, range};

/// Node 1 is the hub and has a link to every other node.
pub(super) fn star(count: u32) -> Topology {
    let node = |n: u32| match n {
        1 => {
            let spokes = (2..=count).map(far);
            let interfaces = core::iter::once(near(1)).chain(spokes).collect();
            Node { name: name(1), interfaces, routes: Vec::new() }
        }
        n => Node { name: name(n), interfaces: vec![near(n)], routes: vec![upwards(n)] },
    };
    assemble(count, node, pings_to_first(count, |_| 1))
}

/// Node `n` has the children `2n` and `2n + 1`.
pub(super) fn binary(count: u32) -> Topology {
    let node = |n: u32| {
        let mut node = Node { name: name(n), interfaces: vec![near(n)], routes: Vec::new() };
        if n != 1 {
            node.routes.push(upwards(n));
        }
        let first = n.saturating_mul(2);
        for child in (first..=first.saturating_add(1)).take_while(|child| *child <= count) {
            node.interfaces.push(far(child));
            downwards(&mut node.routes, child, count);
        }
        node
    };
    assemble(count, node, pings_to_first(count, u32::ilog2))
}

fn upwards(n: u32) -> Route {
    Route { to: Default::default(), via: range::far(n) }
}

/// Routes to all links below a child; its own link is directly attached.
fn downwards(routes: &mut Vec<Route>, child: u32, count: u32) {
    let via = range::near(child);
    let (mut first, mut width) = (child.saturating_mul(2), 2u32);
    while first <= count {
        let last = first.saturating_add(width.saturating_sub(1)).min(count);
        routes.extend(range::prefixes(first..=last).map(|to| Route { to, via }));
        (first, width) = (first.saturating_mul(2), width.saturating_mul(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_a_subtree_is_one_prefix() {
        let plan = binary(15);
        let routes: Vec<_> = plan.nodes[1]
            .routes
            .iter()
            .map(|route| format!("{} via {}", route.to, route.via))
            .collect();
        assert_eq!(
            routes,
            ["0.0.0.0/0 via 1.2.2.2", "1.2.8.0/23 via 1.2.4.1", "1.2.10.0/23 via 1.2.5.1"]
        );
        assert_eq!(plan.nodes[0].routes.len(), 4);
        assert_eq!(plan.nodes[14].routes.len(), 1);
    }

    #[test]
    fn routes_grow_with_the_nodes_only() {
        let routes: usize = binary(100_000).nodes.iter().map(|node| node.routes.len()).sum();
        assert!(routes < 350_000, "{routes} routes");
    }

    #[test]
    fn the_hub_has_every_link() {
        let plan = star(300);
        assert_eq!(plan.nodes[0].interfaces.len(), 300);
        assert!(plan.nodes[1..].iter().all(|node| node.interfaces.len() == 1));
    }
}

//! A line of nodes, figure 3.31 of the book, and lines that a TTL does not span.
//!
//! Node `n` has `shmif0` on link `n` with `1.2.n.1/24` and, unless it is the last, `shmif1` on
//! link `n + 1` with `1.2.(n+1).2/24`. Each node but the first has a route to the first link
//! through `1.2.n.2`; each but the last two has one to the last link through `1.2.(n+1).1`.
//! The last node pings `1.2.1.1`; the reply needs the second kind of route.
//!
//! Past [`WINDOW`] nodes a TTL does not span the line, so it is cut into windows, each a line of
//! its own with routes to its two end links. Neighbouring windows share a node, so that between
//! them they use every link: window `w` is the nodes from `254·w + 1` to `254·w + 255`, the last
//! one what is left. A shared node is the last of one window and the first of the next and has
//! the routes of both. Each window is pinged from its last node to its first node's `.1`.
//!
//! Locking: none. Sources: figure 3.31 of the rump kernel book.

use super::generate::{assemble, far, index, name, near};
use super::{Node, Ping, Route, Topology, range};

/// Nodes in a window: 254 hops, the longest line of the book.
pub const WINDOW: u32 = 255;

const STEP: u32 = WINDOW - 1;

pub(super) fn plan(count: u32) -> Topology {
    assemble(count, |n| node(n, count), pings(count))
}

/// The first and last node of the window in which `n` is not the first node (for node 1: of
/// the first window).
fn window(n: u32, count: u32) -> (u32, u32) {
    let first = n.saturating_sub(2) / STEP * STEP + 1;
    (first, last_of(first, count))
}

fn last_of(first: u32, count: u32) -> u32 {
    first.saturating_add(STEP).min(count)
}

fn node(n: u32, count: u32) -> Node {
    let mut interfaces = Vec::with_capacity(2);
    interfaces.push(near(n));
    let mut routes = Vec::with_capacity(2);
    let (first, mut last) = window(n, count);
    if n != first {
        routes.push(Route { to: range::prefix(first), via: range::far(n) });
    }
    if n != count {
        let next = n.saturating_add(1);
        interfaces.push(far(next));
        if n == last {
            // The node that two windows share: the way on is the next window's.
            last = last_of(n, count);
        }
        if next != last {
            routes.push(Route { to: range::prefix(last), via: range::near(next) });
        }
    }
    Node { name: name(n), interfaces, routes }
}

fn pings(count: u32) -> Vec<Ping> {
    (1..count)
        .step_by(STEP as usize)
        .map(|first| {
            let last = last_of(first, count);
            let hops = last.saturating_sub(first);
            Ping { from: index(last), to: range::near(first), hops, reply_hops: hops }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The script of figure 3.31, statement by statement.
    fn script(total: u32) -> Vec<Node> {
        let net = |text: String| text.parse().expect("the script has proper addresses");
        (1..=total)
            .map(|n| {
                let next = n + 1;
                let mut interfaces =
                    vec![super::super::Interface::new(n - 1, net(format!("1.2.{n}.1/24")))];
                let mut routes = Vec::new();
                if n != total {
                    let address = net(format!("1.2.{next}.2/24"));
                    interfaces.push(super::super::Interface::new(n, address));
                }
                if n != 1 {
                    let via = range::far(n);
                    routes.push(Route { to: net("1.2.1.0/24".to_string()), via });
                }
                if next != total && n != total {
                    let via = range::near(next);
                    routes.push(Route { to: net(format!("1.2.{total}.0/24")), via });
                }
                Node { name: format!("node{n}"), interfaces, routes }
            })
            .collect()
    }

    #[test]
    fn up_to_255_nodes_it_is_the_script() {
        for total in [2, 3, 4, 17, 254, 255] {
            let plan = plan(total);
            assert_eq!(plan.nodes, script(total), "{total} nodes");
            let hops = total - 1;
            let to = "1.2.1.1".parse().unwrap();
            assert_eq!(plan.pings, [Ping { from: hops, to, hops, reply_hops: hops }]);
        }
    }

    #[test]
    fn the_shared_node_has_the_routes_of_both_windows() {
        let plan = plan(600);
        let routes = |n: usize| -> Vec<String> {
            let routes = plan.nodes[n - 1].routes.iter();
            routes.map(|route| format!("{} via {}", route.to, route.via)).collect()
        };
        assert_eq!(routes(254), ["1.2.1.0/24 via 1.2.254.2"]);
        assert_eq!(routes(255), ["1.2.1.0/24 via 1.2.255.2", "1.3.253.0/24 via 1.3.0.1"]);
        assert_eq!(routes(256), ["1.2.255.0/24 via 1.3.0.2", "1.3.253.0/24 via 1.3.1.1"]);
        assert_eq!(routes(509), ["1.2.255.0/24 via 1.3.253.2", "1.4.88.0/24 via 1.3.254.1"]);
        assert_eq!(routes(600), ["1.3.253.0/24 via 1.4.88.2"]);
    }

    #[test]
    fn a_window_of_two_nodes_needs_no_route_onwards() {
        let plan = plan(256);
        assert_eq!(plan.pings.len(), 2);
        assert_eq!(plan.nodes[254].routes.len(), 1);
        assert_eq!(plan.pings[1].to.to_string(), "1.2.255.1");
        assert_eq!(plan.pings[1].hops, 1);
    }
}

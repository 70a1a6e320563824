//! Topologies by shape and size.
//!
//! * [`Shape`]: by name, `"ring".parse()`.
//! * [`generate`]: the plan, or the reason why there can be none of that size.
//!
//! All shapes share one address plan, the figure's: node `n` has `shmif0` on link `n` with
//! `1.2.n.1/24`, and the neighbour that it leans on (its predecessor in a line or ring, the hub
//! of a star, its parent in a tree) has a further interface there with `1.2.n.2/24`. Nobody
//! shares node 1's link, except in a ring, where the last node does. So `1.2.1.1` is node 1.
//!
//! Locking: none. Sources: figure 3.31 of the rump kernel book.

use core::fmt;
use core::str::FromStr;

use super::{Interface, MAX_HOPS, Node, Ping, Topology, line, range, ring, tree};

/// The most nodes that the address plan holds: one link each, below the loopback network.
pub const MAX_NODES: u32 = range::MAX_LINK;

/// How the nodes are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each with the next: figure 3.31.
    Line,
    /// A line whose ends are joined.
    Ring,
    /// Every node with node 1, by a link of its own.
    Star,
    /// Node `n` with nodes `2n` and `2n + 1`.
    Tree,
}

impl Shape {
    /// All of them, by name.
    pub const NAMES: [(&'static str, Shape); 4] = [
        ("line", Shape::Line),
        ("ring", Shape::Ring),
        ("star", Shape::Star),
        ("tree", Shape::Tree),
    ];
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Shape::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, shape)| *shape).ok_or_else(|| {
            crate::nearest::unknown("topology", text, Shape::NAMES.map(|(name, _)| name))
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Shape::NAMES.iter().find(|(_, shape)| shape == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

/// Why there is no topology of that size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanError {
    /// Fewer than two nodes have nobody to talk to.
    TooFew {
        /// What was asked for.
        nodes: u64,
    },
    /// Past [`MAX_NODES`], addresses would run into the loopback network.
    TooMany {
        /// What was asked for.
        nodes: u64,
    },
    /// Past [`ring::MAX_RING`], a packet's TTL does not reach half-way round.
    RingTooLong {
        /// What was asked for.
        nodes: u64,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::TooFew { nodes } => {
                write!(f, "a topology needs at least 2 nodes, not {nodes}")
            }
            PlanError::TooMany { nodes } => write!(
                f,
                "{nodes} nodes are too many: with one /24 a node from 1.2.1.0 on, \
                 {MAX_NODES} fit below the loopback network 127.0.0.0/8"
            ),
            PlanError::RingTooLong { nodes } => write!(
                f,
                "a ring of {nodes} nodes is too long: node 1 would be {} hops away and a packet \
                 crosses at most {MAX_HOPS}; at most {} nodes",
                nodes / 2,
                ring::MAX_RING
            ),
        }
    }
}

impl core::error::Error for PlanError {}

/// Plans `nodes` nodes in this shape.
pub fn generate(shape: Shape, nodes: u64) -> Result<Topology, PlanError> {
    let count = match u32::try_from(nodes) {
        Ok(count) if count <= MAX_NODES => count,
        _ => return Err(PlanError::TooMany { nodes }),
    };
    if count < 2 {
        return Err(PlanError::TooFew { nodes });
    }
    match shape {
        Shape::Line => Ok(line::plan(count)),
        Shape::Ring if count > ring::MAX_RING => Err(PlanError::RingTooLong { nodes }),
        Shape::Ring => Ok(ring::plan(count)),
        Shape::Star => Ok(tree::star(count)),
        Shape::Tree => Ok(tree::binary(count)),
    }
}

/// Makes `node(1)` to `node(count)` and links of the same numbers.
pub(super) fn assemble(count: u32, node: impl FnMut(u32) -> Node, pings: Vec<Ping>) -> Topology {
    let links = (1..=count).map(|link| format!("link{link}")).collect();
    Topology { nodes: (1..=count).map(node).collect(), links, characters: Vec::new(), pings }
}

/// Every other node pings node 1, `hops` away from it, and back the same way.
pub(super) fn pings_to_first(count: u32, hops: impl Fn(u32) -> u32) -> Vec<Ping> {
    let ping = |n: u32| {
        let hops = hops(n);
        Ping { from: index(n), to: range::near(1), hops, reply_hops: hops }
    };
    (2..=count).map(ping).collect()
}

pub(super) fn name(node: u32) -> String {
    format!("node{node}")
}

/// The interface of node `link` on its own link.
pub(super) fn near(link: u32) -> Interface {
    Interface::new(link.wrapping_sub(1), range::on_link(range::near(link)))
}

/// The interface of its neighbour there.
pub(super) fn far(link: u32) -> Interface {
    Interface::new(link.wrapping_sub(1), range::on_link(range::far(link)))
}

/// The index of a node of this number.
pub(super) fn index(node: u32) -> u32 {
    node.wrapping_sub(1)
}

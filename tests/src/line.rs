//! A line of kernels, as in figure 3.31 of the book.
//!
//! Node `n` has `1.2.n.1/24` on link `n`, and `1.2.(n+1).2/24` on link `n + 1`; two static routes
//! lead to the two ends. At most 255 nodes, for a packet has no more hops.
//!
//! Locking: none. Sources: the book, figure 3.31.

use std::net::Ipv4Addr;

use base::Errno;

use crate::{Lab, Node};

/// Address `last` on link `link`.
pub fn addr(link: u8, last: u8) -> Ipv4Addr {
    Ipv4Addr::new(1, 2, link, last)
}

/// Boots and configures `n` nodes; the first one is node 1.
pub fn line(lab: &Lab, n: u8) -> Vec<Node> {
    let nodes: Vec<Node> = (1..=n).map(|i| lab.router(&format!("node{i}"))).collect();
    for (node, i) in nodes.iter().zip(1..=n) {
        configure(node, i, n).unwrap();
    }
    nodes
}

/// Configures `node` as number `i` of `n`.
pub fn configure(node: &Node, i: u8, n: u8) -> Result<(), Errno> {
    node.plug("shmif0", &format!("bus{i}"), (addr(i, 1), 24))?;
    if i != n {
        node.plug("shmif1", &format!("bus{}", i + 1), (addr(i + 1, 2), 24))?;
    }
    if i > 1 {
        node.route(addr(1, 0), 24, addr(i, 2))?;
    }
    if i < n - 1 {
        node.route(addr(n, 0), 24, addr(i + 1, 1))?;
    }
    Ok(())
}

//! Packets walked through planned tables, hop by hop, as the kernels will forward them.
//!
//! * [`Tables::new`] from a plan; [`Tables::walk`] for one way, [`Tables::ping`] for both.
//! * [`Unreachable`] says at which node it ends, and why.
//!
//! A packet's source is the address of the interface that it leaves through, and a node takes a
//! packet for any of its addresses on any interface (RFC 1122 section 3.3.4.2, the weak model).
//!
//! Locking: none. Sources: RFC 1812 sections 5.2.4 (longest match) and 5.3.1 (TTL).

use core::fmt;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::Ipv4Addr;

use super::{Interface, Ipv4Net, MAX_HOPS, Ping, Topology};

/// Every node's routing table, to be looked up in constant time.
pub struct Tables<'t> {
    topology: &'t Topology,
    /// Which node has this address on this link.
    owners: HashMap<(u32, Ipv4Addr), u32>,
    routes: HashMap<(u32, Ipv4Net), Hop>,
    /// Per node, the prefix lengths that it has routes of, as bits.
    lengths: Vec<u64>,
}

#[derive(Clone, Copy)]
struct Hop {
    interface: Interface,
    /// `None`: the destination is on this link.
    gateway: Option<Ipv4Addr>,
}

/// Where a packet came to, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// The address that it was sent from.
    pub source: Ipv4Addr,
    /// The node that has the destination.
    pub node: u32,
    /// Links crossed.
    pub hops: u32,
}

/// A packet does not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    /// Where it should have arrived.
    pub to: Ipv4Addr,
    /// The name of the node that sent it.
    pub from: String,
    /// The name of the node at which it ends.
    pub at: String,
    /// Why it ends there.
    pub reason: Reason,
    /// It is the reply to a ping of this address.
    pub reply_of: Option<Ipv4Addr>,
}

/// Why a packet goes no further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The node has no route that matches.
    NoRoute,
    /// Nobody on the link has the next address.
    NobodyThere {
        /// The link's name.
        link: String,
        /// The destination, or a gateway.
        address: Ipv4Addr,
    },
    /// The TTL is used up: the way is too long, or it goes round in circles.
    TooFar,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unreachable { to, from, at, reason, reply_of } = self;
        if let Some(asked) = reply_of {
            write!(f, "a ping of {asked} has no way back: ")?;
        }
        write!(f, "{to} is not reachable from {from}: ")?;
        match reason {
            Reason::NoRoute => write!(f, "no route at {at}"),
            Reason::NobodyThere { link, address } => {
                write!(f, "at {at}, nobody on {link} has {address}")
            }
            Reason::TooFar => write!(f, "after {MAX_HOPS} hops it is only at {at}"),
        }
    }
}

impl core::error::Error for Unreachable {}

impl<'t> Tables<'t> {
    /// The tables of every node. Of several routes to one prefix the first counts, and that of
    /// an interface before a static one.
    pub fn new(topology: &'t Topology) -> Self {
        let interfaces = topology.nodes.iter().map(|node| node.interfaces.len()).sum();
        let mut tables = Tables {
            topology,
            owners: HashMap::with_capacity(interfaces),
            routes: HashMap::with_capacity(interfaces),
            lengths: vec![0; topology.nodes.len()],
        };
        for (index, node) in topology.nodes.iter().enumerate() {
            for interface in &node.interfaces {
                let owner = (interface.link, interface.address.addr());
                tables.owners.entry(owner).or_insert(index as u32);
                let hop = Hop { interface: *interface, gateway: None };
                tables.add(index as u32, interface.address.trunc(), hop);
            }
            let mut hops = Vec::with_capacity(node.routes.len());
            for route in &node.routes {
                if let Some(interface) = tables.interface_towards(index as u32, route.via) {
                    hops.push((route.to, Hop { interface, gateway: Some(route.via) }));
                }
            }
            for (to, hop) in hops {
                tables.add(index as u32, to, hop);
            }
        }
        tables
    }

    fn add(&mut self, node: u32, to: Ipv4Net, hop: Hop) {
        if let Entry::Vacant(entry) = self.routes.entry((node, to)) {
            entry.insert(hop);
            if let Some(lengths) = self.lengths.get_mut(node as usize) {
                *lengths |= 1 << to.prefix_len();
            }
        }
    }

    fn lookup(&self, node: u32, to: Ipv4Addr) -> Option<Hop> {
        let mut lengths = self.lengths.get(node as usize).copied()?;
        while lengths != 0 {
            let length = lengths.ilog2();
            lengths &= !(1 << length);
            let prefix = Ipv4Net::new(to, length as u8).ok()?.trunc();
            if let Some(hop) = self.routes.get(&(node, prefix)) {
                return Some(*hop);
            }
        }
        None
    }

    /// The interface of this node whose link this address belongs to.
    pub fn interface_towards(&self, node: u32, address: Ipv4Addr) -> Option<Interface> {
        let hop = self.lookup(node, address)?;
        hop.gateway.is_none().then_some(hop.interface)
    }

    /// The node that has this address on this link.
    pub fn owner(&self, link: u32, address: Ipv4Addr) -> Option<u32> {
        self.owners.get(&(link, address)).copied()
    }

    /// Walks a packet from a node to an address.
    pub fn walk(&self, from: u32, to: Ipv4Addr) -> Result<Path, Unreachable> {
        let mut path = Path { source: to, node: from, hops: 0 };
        loop {
            let here = path.node;
            if self.has(here, to) {
                return Ok(path);
            }
            let fail = |reason| Err(self.unreachable(from, to, here, reason));
            if path.hops == MAX_HOPS {
                return fail(Reason::TooFar);
            }
            let Some(hop) = self.lookup(here, to) else { return fail(Reason::NoRoute) };
            let address = hop.gateway.unwrap_or(to);
            let Some(next) = self.owner(hop.interface.link, address) else {
                let link = self.topology.links.get(hop.interface.link as usize);
                let link = link.cloned().unwrap_or_default();
                return fail(Reason::NobodyThere { link, address });
            };
            if path.hops == 0 {
                path.source = hop.interface.address.addr();
            }
            path.node = next;
            path.hops = path.hops.saturating_add(1);
        }
    }

    /// Walks an echo request and its reply.
    pub fn ping(&self, from: u32, to: Ipv4Addr) -> Result<Ping, Unreachable> {
        let request = self.walk(from, to)?;
        let reply = self
            .walk(request.node, request.source)
            .map_err(|error| Unreachable { reply_of: Some(to), ..error })?;
        Ok(Ping { from, to, hops: request.hops, reply_hops: reply.hops })
    }

    /// An address of a node lies in the prefix of one of its interfaces, so only the interface
    /// that the table finds for it needs to be looked at.
    fn has(&self, node: u32, address: Ipv4Addr) -> bool {
        self.lookup(node, address).is_some_and(|hop| {
            hop.gateway.is_none() && self.owner(hop.interface.link, address) == Some(node)
        })
    }

    fn unreachable(&self, from: u32, to: Ipv4Addr, at: u32, reason: Reason) -> Unreachable {
        let name = |node: u32| match self.topology.nodes.get(node as usize) {
            Some(node) => node.name.clone(),
            None => format!("node {node}, which does not exist"),
        };
        Unreachable { to, from: name(from), at: name(at), reason, reply_of: None }
    }
}

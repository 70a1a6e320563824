//! Networks of many kernels: who is on which link, under which address, with which routes.
//!
//! A plan is data: it is made (by a [`Shape`] for any number of nodes, or from a file) before
//! any kernel boots, and checked then, so that a program that carries it out has nothing left
//! to refuse.
//!
//! * [`generate`]: a line, ring, star or tree.
//! * [`parse`]: the topology format, whose reference is `TOPOLOGY.md`.
//! * [`Tables`]: walks packets through the planned tables, hop by hop, there and back.
//!
//! Interfaces have no names here: the interface at index `i` of a node is `shmif<i>`, and the
//! link's name is its bus.
//!
//! Locking: none. Sources: figure 3.31 of the rump kernel book (addresses and routes).

mod auto;
mod generate;
mod line;
mod range;
mod ring;
mod text;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;

use character::Character;

pub use ipnet::Ipv4Net;

pub use generate::{MAX_NODES, PlanError, Shape, generate};
pub use line::WINDOW;
pub use ring::MAX_RING;
pub use text::parse;
pub(crate) use text::route;
pub use walk::{Path, Reason, Tables, Unreachable};

/// The most links that a packet can cross: it leaves with a TTL of 255, and every router takes
/// one off and forwards it only if something is left (RFC 1812, section 5.3.1).
pub const MAX_HOPS: u32 = 255;

/// Nodes, the links between them, and what is pinged to check that all of it works.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// In the order in which they boot; the first is the one that others ping by default.
    pub nodes: Vec<Node>,
    /// The links' names; an [`Interface`] says which by index.
    pub links: Vec<String>,
    /// What links do to packets, one for each way that an [`Interface`] says by index. The first is
    /// that of all others; there need be none.
    pub characters: Vec<Character>,
    /// What is checked.
    pub pings: Vec<Ping>,
}

/// One kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name, and its hostname.
    pub name: String,
    /// `shmif0`, `shmif1` and so on.
    pub interfaces: Vec<Interface>,
    /// Static routes, besides those that interfaces bring along.
    pub routes: Vec<Route>,
}

/// One interface: where it is attached, and its address there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// An index into [`Topology::links`].
    pub link: u32,
    /// The address itself with the length of the link's prefix.
    pub address: Ipv4Net,
    /// What the link does to what the interface sends: an index into [`Topology::characters`].
    pub character: u32,
}

impl Interface {
    /// An interface whose link is like all others.
    pub fn new(link: u32, address: Ipv4Net) -> Interface {
        Interface { link, address, character: 0 }
    }
}

/// One static route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// A prefix; of length 0 for the default route.
    pub to: Ipv4Net,
    /// An address on a link that the node is attached to.
    pub via: Ipv4Addr,
}

/// One echo request that must be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Who sends it: an index into [`Topology::nodes`].
    pub from: u32,
    /// Whom it is for.
    pub to: Ipv4Addr,
    /// Links that the request crosses.
    pub hops: u32,
    /// Links that the reply crosses.
    pub reply_hops: u32,
}

impl Topology {
    /// What the link does to what an interface sends.
    pub fn character(&self, interface: &Interface) -> Character {
        self.characters.get(interface.character as usize).copied().unwrap_or_default()
    }

    /// Has all links do what `own` says, and the rest as they did; an error is one sentence.
    pub fn shape(&mut self, own: &Character) -> Result<(), String> {
        if own.is_empty() {
            return Ok(());
        }
        if self.characters.is_empty() {
            self.characters.push(Character::default());
        }
        for character in &mut self.characters {
            *character = own.over(character);
            character.check()?;
        }
        Ok(())
    }

    /// The node of this name; the error names the nearest.
    pub fn node(&self, name: &str) -> Result<u32, String> {
        find("node", name, self.nodes.iter().map(|node| node.name.as_str()))
    }

    /// The link of this name; the error names the nearest.
    pub fn link(&self, name: &str) -> Result<u32, String> {
        find("link", name, self.links.iter().map(String::as_str))
    }
}

fn find<'k>(
    what: &str,
    name: &str,
    mut names: impl Iterator<Item = &'k str> + Clone,
) -> Result<u32, String> {
    match names.clone().position(|known| known == name) {
        Some(index) => Ok(index as u32),
        None => Err(crate::nearest::unknown(what, name, names.by_ref())),
    }
}

//! The topology format: nodes, links, addresses, routes, and what is pinged.
//!
//! * [`parse`]: a text to a plan, with every route and ping checked; `TOPOLOGY.md` is the
//!   reference of the format.
//!
//! Locking: none.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use character::Character;

use super::{Interface, Ipv4Net, Node, Route, Tables, Topology, auto};
use crate::document::{At, Document, Error, Item, Section};
use crate::{inet, link, nearest};

/// What the text says, with the places that later checks point at.
struct Draft<'d> {
    topology: Topology,
    node_numbers: HashMap<&'d str, u32>,
    link_numbers: HashMap<&'d str, u32>,
    node_places: Vec<At<'d, ()>>,
    /// Every interface's address, with its node, link and place.
    addresses: Vec<(u32, u32, At<'d, Ipv4Net>)>,
    /// Every route's gateway, with the node that the route is for.
    gateways: Vec<(u32, At<'d, Ipv4Addr>)>,
    /// Every link's character: an index.
    link_characters: Vec<u32>,
}

/// Understands a topology file. `file` is its name, for errors.
pub fn parse(file: &str, text: &str) -> Result<Topology, Error> {
    let document = Document::parse(file, text)?;
    let mut root = document.root();
    let automatic = root.value("auto");
    let auto_routes = root.boolean("auto")?.unwrap_or(false);
    let links = root.strings_or_sections("links", "a link")?;
    let nodes = root.sections("node", "[[node]]")?;
    let pings = root.sections("ping", "[[ping]]")?;
    let nowhere = root.here();
    root.finish()?;
    if nodes.len() < 2 {
        let count = nodes.len();
        return Err(nowhere.error(format!("a topology needs at least 2 [[node]]s, not {count}")));
    }

    let mut draft = Draft {
        topology: Topology::default(),
        node_numbers: HashMap::new(),
        link_numbers: HashMap::new(),
        node_places: Vec::new(),
        addresses: Vec::new(),
        gateways: Vec::new(),
        link_characters: Vec::new(),
    };
    for link in links {
        draft.link(link)?;
    }
    for section in nodes {
        draft.node(section)?;
    }
    draft.check_addresses()?;
    draft.check_gateways()?;
    if let (true, Some(place)) = (auto_routes, automatic) {
        auto::add_routes(&mut draft.topology).map_err(|message| place.error(message))?;
    }
    draft.pings(pings)?;
    Ok(draft.topology)
}

impl<'d> Draft<'d> {
    fn link(&mut self, item: Item<'d>) -> Result<(), Error> {
        let (name, character) = match item {
            Item::Text(name) => (name, 0),
            Item::Section(mut section) => {
                let name = section.string("name")?;
                let name = section.required("name", name)?;
                let character = self.character(&mut section, 0)?;
                section.finish()?;
                (name, character)
            }
        };
        name.read(|name| is_name("link", name))?;
        let number = self.topology.links.len() as u32;
        if self.link_numbers.insert(name.value, number).is_some() {
            return Err(name.error(format!("there are two links {:?}", name.value)));
        }
        self.topology.links.push(name.value.to_string());
        self.link_characters.push(character);
        Ok(())
    }

    /// The index of what a section says, over what the index `below` stands for.
    fn character(&mut self, section: &mut Section<'d>, below: u32) -> Result<u32, Error> {
        let characters = &mut self.topology.characters;
        let known = characters.get(below as usize).copied().unwrap_or_default();
        let character = link::character(section, &known)?;
        if character == known {
            return Ok(below);
        }
        if characters.is_empty() {
            characters.push(Character::default());
        }
        characters.push(character);
        Ok(characters.len() as u32 - 1)
    }

    fn node(&mut self, mut section: Section<'d>) -> Result<(), Error> {
        let name = section.string("name")?;
        let name = section.required("name", name)?;
        let interfaces = section.sections("interfaces", "an interface")?;
        let routes = section.sections("routes", "a route")?;
        section.finish()?;

        name.read(|name| is_name("node", name))?;
        let number = self.topology.nodes.len() as u32;
        if self.node_numbers.insert(name.value, number).is_some() {
            return Err(name.error(format!("there are two nodes {:?}", name.value)));
        }
        let mut node = Node { name: name.value.to_string(), ..Node::default() };
        for section in interfaces {
            node.interfaces.push(self.interface(number, section)?);
        }
        let mut prefixes = HashSet::new();
        for mut section in routes {
            let (to, via) = route(&mut section)?;
            section.finish()?;
            if !prefixes.insert(to.value) {
                return Err(to.error(format!("there are two routes to {}", to.value)));
            }
            node.routes.push(Route { to: to.value, via: via.value });
            self.gateways.push((number, via));
        }
        self.topology.nodes.push(node);
        self.node_places.push(name.with(()));
        Ok(())
    }

    fn interface(&mut self, node: u32, mut section: Section<'d>) -> Result<Interface, Error> {
        let link = section.string("link")?;
        let link = section.required("link", link)?;
        let inet = section.string("inet")?;
        let inet = section.required("inet", inet)?;
        let link = link.read(|name| {
            let known = self.topology.links.iter().map(String::as_str);
            let number = self.link_numbers.get(name).copied();
            number.ok_or_else(|| nearest::unknown("link", name, known))
        })?;
        let below = self.link_characters.get(link as usize).copied().unwrap_or(0);
        let character = self.character(&mut section, below)?;
        section.finish()?;
        let address = inet.read(|text| inet::interface_address(text))?;
        self.addresses.push((node, link, inet.with(address)));
        Ok(Interface { character, ..Interface::new(link, address) })
    }

    /// No address twice on a link, and no two interfaces of a node in one network.
    fn check_addresses(&self) -> Result<(), Error> {
        let mut taken = HashMap::new();
        for (node, link, address) in &self.addresses {
            if let Some(owner) = taken.insert((*link, address.value.addr()), *node) {
                let (owner, address_there) = (self.node_name(owner), address.value.addr());
                return Err(address.error(format!("{owner:?} has {address_there} on this link")));
            }
        }
        for group in self.addresses.chunk_by(|(one, ..), (other, ..)| one == other) {
            let mut networks: Vec<_> =
                group.iter().map(|(.., at)| (at.value.trunc(), at)).collect();
            networks.sort_by_key(|(network, _)| *network);
            for pair in networks.windows(2) {
                if let [(outer, _), (inner, place)] = pair
                    && outer.contains(inner)
                {
                    let message = format!("another interface of this node is in {outer} too");
                    return Err(place.error(message));
                }
            }
        }
        Ok(())
    }

    fn node_name(&self, node: u32) -> &str {
        self.topology.nodes.get(node as usize).map_or("", |node| node.name.as_str())
    }

    fn link_name(&self, link: u32) -> &str {
        self.topology.links.get(link as usize).map_or("", String::as_str)
    }

    /// A gateway is another node on a link of the route's own node.
    fn check_gateways(&self) -> Result<(), Error> {
        let tables = Tables::new(&self.topology);
        for (node, via) in &self.gateways {
            let (name, gateway) = (self.node_name(*node), via.value);
            let interface = tables.interface_towards(*node, gateway).ok_or_else(|| {
                via.error(format!("no interface of {name:?} is on a link with {gateway}"))
            })?;
            let message = match tables.owner(interface.link, gateway) {
                Some(owner) if owner != *node => continue,
                Some(_) => format!("{gateway} is {name:?} itself"),
                None => {
                    format!("no node on link {:?} has {gateway}", self.link_name(interface.link))
                }
            };
            return Err(via.error(message));
        }
        Ok(())
    }

    fn pings(&mut self, sections: Vec<Section<'d>>) -> Result<(), Error> {
        let mut wanted = Vec::new();
        for section in sections {
            wanted.push(self.ping(section)?);
        }
        if wanted.is_empty() {
            // As in the generated topologies: everybody pings the first node.
            let first = self.topology.nodes.first().and_then(|node| node.interfaces.first());
            for (from, place) in self.node_places.iter().enumerate().skip(1) {
                let Some(first) = first else {
                    let message = "the first node is pinged by all others and has no interface";
                    return Err(self.node_places.first().unwrap_or(place).error(message));
                };
                wanted.push((from as u32, place.with(first.address.addr())));
            }
        }
        let tables = Tables::new(&self.topology);
        let mut pings = Vec::with_capacity(wanted.len());
        for (from, to) in wanted {
            pings.push(tables.ping(from, to.value).map_err(|error| to.error(error.to_string()))?);
        }
        self.topology.pings = pings;
        Ok(())
    }

    fn ping(&self, mut section: Section<'d>) -> Result<(u32, At<'d, Ipv4Addr>), Error> {
        let from = section.string("from")?;
        let from = section.required("from", from)?;
        let to = section.string("to")?;
        let to = section.required("to", to)?;
        section.finish()?;
        let from = from.read(|name| self.number(name))?;
        // A digit begins an address; a node's name begins with a letter.
        let address = match to.value.starts_with(|first: char| first.is_ascii_digit()) {
            true => to.read(|text| inet::host(text))?,
            false => to.read(|name| {
                let node = self.topology.nodes.get(self.number(name)? as usize);
                let interface = node.and_then(|node| node.interfaces.first());
                let interface = interface.ok_or_else(|| format!("{name:?} has no interface"))?;
                Ok(interface.address.addr())
            })?,
        };
        Ok((from, to.with(address)))
    }

    fn number(&self, name: &str) -> Result<u32, String> {
        let known = self.topology.nodes.iter().map(|node| node.name.as_str());
        let number = self.node_numbers.get(name).copied();
        number.ok_or_else(|| nearest::unknown("node", name, known))
    }
}

/// `to` and `via`, as in a configuration file.
pub(crate) fn route<'d>(
    section: &mut Section<'d>,
) -> Result<(At<'d, Ipv4Net>, At<'d, Ipv4Addr>), Error> {
    let to = section.string("to")?;
    let to = section.required("to", to)?;
    let via = section.string("via")?;
    let via = section.required("via", via)?;
    let (prefix, gateway) =
        (to.read(|text| inet::destination(text))?, via.read(|text| inet::host(text))?);
    Ok((to.with(prefix), via.with(gateway)))
}

/// Names are hostnames and buses, so they are short, plain, and no path.
fn is_name(what: &str, name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let first = name.starts_with(|first: char| first.is_ascii_alphabetic());
    match first && name.len() <= 63 && name.chars().all(plain) {
        true => Ok(()),
        false => Err(format!(
            "the name of a {what} begins with a letter and has at most 63 letters, digits, \
             dots, dashes and underscores"
        )),
    }
}

//! The topology that the arguments ask for, checked before anything boots.
//!
//! Locking: none.

use std::net::Ipv4Addr;
use std::path::Path;

use config::topology::{self, Ping, Shape, Tables, Topology};

use crate::arguments::Arguments;
use crate::host;

/// Nodes unless the user says otherwise: the book's figure.
const DEFAULT_NODES: u64 = 255;

/// What a node takes at least, in bytes: so that a cluster that cannot fit is refused, not killed.
const LEAST_NODE: u64 = 8 * 1024;

/// What is carried out.
pub struct Plan {
    /// What the user called it.
    pub name: String,
    /// The nodes, and all that is pinged.
    pub topology: Topology,
    /// The ping whose warm round trips are measured.
    pub longest: Ping,
}

/// Plans; an error is one sentence.
pub fn make(arguments: &Arguments) -> Result<Plan, String> {
    if let Some(nodes) = arguments.nodes {
        enough_memory(nodes, host::available_memory())?;
    }
    let name = &arguments.topology;
    let mut topology = match name.parse::<Shape>() {
        Ok(shape) => topology::generate(shape, arguments.nodes.unwrap_or(DEFAULT_NODES))
            .map_err(|error| error.to_string())?,
        Err(unknown) => from_file(name, &unknown, arguments.nodes)?,
    };
    topology.shape(&arguments.links.character())?;
    let asked = arguments.ping.map(|to| ping(&topology, to)).transpose()?;
    topology.pings.extend(asked);
    let longest = topology.pings.iter().max_by_key(|ping| ping.hops).copied();
    let longest = asked.or(longest).ok_or("this topology has nothing to ping")?;
    Ok(Plan { name: name.clone(), topology, longest })
}

fn ping(topology: &Topology, to: Ipv4Addr) -> Result<Ping, String> {
    let last = topology.nodes.len().saturating_sub(1) as u32;
    Tables::new(topology).ping(last, to).map_err(|error| error.to_string())
}

fn from_file(name: &str, unknown: &str, nodes: Option<u64>) -> Result<Topology, String> {
    let path = Path::new(name);
    // A word that is neither a shape nor a file is more likely a shape that was misspelt.
    if !path.exists() && !name.contains(['.', '/']) {
        return Err(format!("{unknown}; there is no file of that name either"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let topology = topology::parse(name, &text).map_err(|error| error.to_string())?;
    match nodes {
        Some(nodes) if nodes != topology.nodes.len() as u64 => {
            Err(format!("{name} has {} nodes; leave --nodes {nodes} out", topology.nodes.len()))
        }
        _ => Ok(topology),
    }
}

fn enough_memory(nodes: u64, available: Option<u64>) -> Result<(), String> {
    let needed = nodes.saturating_mul(LEAST_NODE);
    // Sizes that have no plan are refused by the planner, with its reason.
    if nodes > u64::from(topology::MAX_NODES) {
        return Ok(());
    }
    match available {
        Some(available) if needed > available => Err(format!(
            "{nodes} nodes need {} MiB of memory at least, and {} MiB are available",
            needed >> 20,
            available >> 20
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn plan(words: &str) -> Result<Plan, String> {
        let words = std::iter::once("cluster").chain(words.split_whitespace());
        make(&Arguments::try_parse_from(words).unwrap())
    }

    fn error(words: &str) -> String {
        plan(words).err().unwrap()
    }

    #[test]
    fn shapes_and_sizes() {
        let figure = plan("").unwrap();
        assert_eq!((figure.topology.nodes.len(), figure.longest.hops), (255, 254));
        assert_eq!(error("--nodes 0"), "a topology needs at least 2 nodes, not 0");
        assert_eq!(error("--nodes 1"), "a topology needs at least 2 nodes, not 1");
        assert!(error("--nodes 9999999999").contains("are too many"));
        assert_eq!(
            error("--topology lien"),
            "unknown topology \"lien\"; the nearest known one is \"line\"; there is no file of \
             that name either"
        );
        assert!(error("--topology no/such/file").starts_with("no/such/file: "));
    }

    #[test]
    fn an_address_that_nobody_has_is_refused() {
        assert_eq!(
            error("--nodes 3 --ping 9.9.9.9"),
            "9.9.9.9 is not reachable from node3: no route at node3"
        );
        let asked = plan("--nodes 3 --ping 1.2.3.2").unwrap();
        assert_eq!((asked.longest.hops, asked.topology.pings.len()), (1, 2));
    }

    #[test]
    fn a_cluster_that_cannot_fit_is_refused() {
        assert!(
            enough_memory(1000, Some(1 << 20)).unwrap_err().starts_with("1000 nodes need 7 MiB")
        );
        assert_eq!(enough_memory(1000, Some(1 << 30)), Ok(()));
        assert_eq!(enough_memory(1000, None), Ok(()));
    }
}

//! Whether the host lets a process for each node be: said before anything is forked.
//!
//! * [`check`], which raises the soft limit of descriptors where that is enough.
//!
//! What is not known here (the pids of a control group, say) fails when a node is forked.
//!
//! Locking: none. Sources: getrlimit(2), proc_sys_kernel(5).

use config::topology::Topology;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};
use shmif::bus::layout::SLOTS;

use crate::host;

/// Threads of a node while it does something: its own, those that hear its buses and its timer,
/// and the host's watch.
const THREADS: u64 = 4;
/// Descriptors besides those of links and interfaces.
const SPARE: u64 = 32;
/// What a process takes at least, in bytes.
const LEAST_PROCESS: u64 = 256 * 1024;

/// What there is, where that is limited.
#[derive(Clone, Copy, Default)]
struct Limits {
    threads: Option<u64>,
    descriptors: Option<u64>,
    memory: Option<u64>,
}

/// What is needed.
#[derive(Clone, Copy)]
struct Needs {
    nodes: u64,
    descriptors: u64,
}

/// An error is one sentence.
pub fn check(topology: &Topology) -> Result<(), String> {
    places(topology)?;
    let most = topology.nodes.iter().map(|node| node.interfaces.len()).max().unwrap_or(0);
    let descriptors = (topology.links.len() as u64).saturating_add(most as u64);
    let needs = Needs {
        nodes: topology.nodes.len() as u64,
        descriptors: descriptors.saturating_add(SPARE),
    };
    let descriptors = getrlimit(Resource::Nofile);
    let limits = Limits {
        threads: threads(),
        descriptors: descriptors.maximum,
        memory: host::available_memory(),
    };
    enough(needs, limits)?;
    if descriptors.current.is_some_and(|current| current < needs.descriptors) {
        let more = Rlimit { current: Some(needs.descriptors), ..descriptors };
        let raised = setrlimit(Resource::Nofile, more);
        raised.map_err(|error| format!("the limit of descriptors cannot be raised: {error}"))?;
    }
    Ok(())
}

/// A bus between processes has so many places; one inside a process has no limit.
fn places(topology: &Topology) -> Result<(), String> {
    let mut members = vec![0usize; topology.links.len()];
    for interface in topology.nodes.iter().flat_map(|node| &node.interfaces) {
        if let Some(members) = members.get_mut(interface.link as usize) {
            *members = members.saturating_add(1);
        }
    }
    let crowded = members.iter().zip(&topology.links).find(|(members, _)| **members > SLOTS);
    crowded.map_or(Ok(()), |(members, link)| {
        Err(format!(
            "{link} has {members} interfaces, and a link between processes has room for {SLOTS}"
        ))
    })
}

fn enough(needs: Needs, limits: Limits) -> Result<(), String> {
    let Needs { nodes, descriptors } = needs;
    let short = |needed: u64, limit: Option<u64>| limit.filter(|limit| needed > *limit);
    if let Some(limit) = short(nodes.saturating_mul(THREADS), limits.threads) {
        return Err(format!(
            "{nodes} processes have {} threads, and this system allows {limit} (ulimit -u, \
             /proc/sys/kernel/threads-max and pid_max); without --processes there is no limit",
            nodes.saturating_mul(THREADS)
        ));
    }
    if let Some(limit) = short(descriptors, limits.descriptors) {
        return Err(format!(
            "the links need {descriptors} descriptors, and this process may have {limit} \
             (ulimit -Hn); without --processes there is no limit"
        ));
    }
    let memory = nodes.saturating_mul(LEAST_PROCESS);
    if let Some(limit) = short(memory, limits.memory) {
        return Err(format!(
            "{nodes} processes need {} MiB of memory at least, and {} MiB are available",
            memory >> 20,
            limit >> 20
        ));
    }
    Ok(())
}

/// Threads that this user may have.
fn threads() -> Option<u64> {
    // Root is not held to its own limit.
    let own = getrlimit(Resource::Nproc).current.filter(|_| !geteuid().is_root());
    let number = |path| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    let system = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"].map(number);
    system.into_iter().chain([own]).flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::topology::{Interface, Node, Shape, generate};

    #[test]
    fn what_cannot_be_is_refused_with_the_limit() {
        let needs = Needs { nodes: 255, descriptors: 300 };
        assert_eq!(enough(needs, Limits::default()), Ok(()));
        let limits = Limits { threads: Some(1019), ..Limits::default() };
        assert!(enough(needs, limits).unwrap_err().contains("allows 1019 (ulimit -u"));
        let limits = Limits { descriptors: Some(256), ..Limits::default() };
        assert!(enough(needs, limits).unwrap_err().contains("may have 256 (ulimit -Hn)"));
        let limits = Limits { memory: Some(1 << 20), ..Limits::default() };
        assert!(enough(needs, limits).unwrap_err().contains("need 63 MiB of memory"));
    }

    #[test]
    fn the_figure_is_possible_here_and_a_crowd_on_a_link_is_not() {
        assert_eq!(check(&generate(Shape::Line, 255).unwrap()), Ok(()));
        let net = "10.0.0.1/16".parse().unwrap();
        let node = Node { interfaces: vec![Interface::new(0, net)], ..Node::default() };
        let topology = Topology {
            nodes: vec![node; SLOTS + 1],
            links: vec!["hall".to_string()],
            ..Topology::default()
        };
        assert_eq!(
            check(&topology).unwrap_err(),
            "hall has 65 interfaces, and a link between processes has room for 64"
        );
    }
}

//! The nodes of a topology as kernels: booted and set up.
//!
//! * [`Network::boot`], then [`Network::configure`]; [`Network::node`] for who talks to one.
//! * [`boot`] and [`set_up`] do the same for a single node.
//!
//! Locking: none here. Sources: the script of figure 3.31 of the book (what is set up, and in
//! which order).

use std::sync::Arc;

use base::{Errno, Kernel, Lwp, Options};
use config::topology::{Node, Topology};
use linux::Linux;
use net::ifnet;
use net::route::config::{Prefix4, add as add_route};

use crate::ROUTER;
use crate::capture::Captures;
use crate::character;
use crate::progress::Progress;
use crate::spread;

/// Kernels, in the order of the topology's nodes.
pub struct Network {
    kernels: Vec<Kernel>,
    threads: usize,
}

impl Network {
    /// Boots a kernel for every node; an error is one sentence.
    pub fn boot(topology: &Topology) -> Result<Network, String> {
        let host = Linux::new();
        let threads = spread::threads(topology.nodes.len());
        let progress = Progress::new("booting", topology.nodes.len());
        let parts = spread::over(topology.nodes.len(), threads, |range| {
            let nodes = topology.nodes.get(range).unwrap_or_default();
            let boot = |node| boot(&host, node).inspect(|_| progress.step());
            nodes.iter().map(boot).collect::<Result<Vec<_>, _>>()
        });
        let mut kernels = Vec::with_capacity(topology.nodes.len());
        for part in parts {
            kernels.extend(part?);
        }
        Ok(Network { kernels, threads })
    }

    /// Gives every node its interfaces, addresses and routes.
    pub fn configure(&self, topology: &Topology, captures: &Captures) -> Result<(), String> {
        let progress = Progress::new("configuring", self.kernels.len());
        let parts = spread::over(self.kernels.len(), self.threads, |range| {
            let nodes = topology.nodes.iter().zip(&self.kernels).enumerate();
            for (index, (node, kernel)) in nodes.skip(range.start).take(range.len()) {
                let index = index as u32;
                set_up(kernel, topology, index, node, &topology.links, captures)?;
                progress.step();
            }
            Ok(())
        });
        parts.into_iter().collect()
    }

    /// The kernel of a node.
    pub fn node(&self, index: u32) -> Result<&Kernel, String> {
        self.kernels.get(index as usize).ok_or_else(|| format!("there is no node {index}"))
    }

    /// How many threads are worth it.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Ends all kernels.
    pub fn halt(mut self) {
        let progress = Progress::new("halting", self.kernels.len());
        let share = self.kernels.len().div_ceil(self.threads).max(1);
        std::thread::scope(|scope| {
            while self.kernels.len() > share {
                let last = self.kernels.split_off(self.kernels.len().saturating_sub(share));
                let progress = &progress;
                scope.spawn(move || halt(last, progress));
            }
            halt(self.kernels, &progress);
        });
    }
}

/// Boots the kernel of one node.
pub fn boot(host: &Arc<Linux>, node: &Node) -> Result<Kernel, String> {
    let options = Options { name: &node.name, hostname: &node.name, ..Options::default() };
    let kernel = Kernel::boot_with(host.clone(), &ROUTER, &options);
    kernel.map_err(|error| format!("{} does not boot: {error}", node.name))
}

/// Gives one node its interfaces, addresses and routes. `buses` are the links' linkstrs.
pub fn set_up(
    kernel: &Kernel,
    topology: &Topology,
    index: u32,
    node: &Node,
    buses: &[String],
    captures: &Captures,
) -> Result<(), String> {
    let done = kernel.enter(|l| configure(l, topology, index, node, buses, captures));
    let done = done.map_err(Errno::from).and_then(|done| done);
    done.map_err(|error| format!("{} cannot be set up: {error}", node.name))
}

fn configure(
    l: &mut Lwp<'_>,
    topology: &Topology,
    index: u32,
    node: &Node,
    buses: &[String],
    captures: &Captures,
) -> Result<(), Errno> {
    for (unit, interface) in node.interfaces.iter().enumerate() {
        let name = format!("shmif{unit}");
        let ifp = ifnet::config::create(l, &name)?;
        let bus = buses.get(interface.link as usize).ok_or(Errno::NoEntry)?;
        ifnet::config::set_linkstr(l, &name, bus)?;
        captures.attach(l, index, unit, &ifp)?;
        let character = character::of(&topology.character(interface));
        ifnet::config::set_character(l, &name, |c| *c = character)?;
        let address = interface.address;
        ifnet::config::add_addr(l, &name, address.addr().into(), address.prefix_len())?;
    }
    for route in &node.routes {
        let to = Prefix4 { addr: route.to.network(), len: route.to.prefix_len() };
        add_route(l, to, route.via)?;
    }
    Ok(())
}

fn halt(kernels: Vec<Kernel>, progress: &Progress) {
    for kernel in kernels {
        drop(kernel);
        progress.step();
    }
}

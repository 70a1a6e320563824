//! Shortest-path routes for any topology.
//!
//! For each node a breadth-first search finds the first gateway on the way to every network.
//! Whole tables would be as many routes as nodes times networks, so they are folded: a node's
//! default route is the gateway towards the root (the first node that it is connected with),
//! and only networks that lie another way get routes, neighbouring ones joined where that is
//! exact. A node with one neighbour thus has one route. The root has no default, and defaults
//! lead to it, so that a packet for a network that nobody has ends there.
//!
//! Every next hop is one nearer to the network, so no table leads in circles.
//!
//! * [`add_routes`]: to every node; routes that it has already are kept and come first.
//!
//! Time is nodes times attachments ([`MAX_WORK`] bounds it), memory what the routes take.
//!
//! Locking: none. Sources: RFC 4632 section 3.1.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::Ipv4Addr;

use super::{Ipv4Net, Route, Topology};

/// Nodes times attachments; at the bound the search takes a few seconds.
const MAX_WORK: u64 = 500_000_000;

/// Routes in all, so that a crowded file cannot fill the memory: 10,000 nodes with 400 each.
const MAX_ROUTES: usize = 4_000_000;

/// A network on a link, and who is attached to it.
struct Segment {
    network: Ipv4Net,
    members: Vec<(usize, Ipv4Addr)>,
}

struct Graph {
    segments: Vec<Segment>,
    /// Per node, its segments.
    attached: Vec<Vec<usize>>,
}

/// Gives every node what it needs to reach every network; an error is one sentence.
pub(super) fn add_routes(topology: &mut Topology) -> Result<(), String> {
    let graph = Graph::new(topology);
    graph.refuse_overlap()?;
    let attachments: usize = graph.attached.iter().map(Vec::len).sum();
    let nodes = topology.nodes.len();
    if (nodes as u64).saturating_mul(attachments as u64) > MAX_WORK {
        return Err(format!(
            "{nodes} nodes with {attachments} interfaces are too many for automatic routes; \
             write the routes"
        ));
    }
    let roots = graph.roots();
    let mut search = Search::new(&graph);
    let mut total = 0usize;
    for (index, node) in topology.nodes.iter_mut().enumerate() {
        let root = roots.get(index).copied().unwrap_or(index);
        let computed = match graph.only_neighbour(index) {
            Some(gateway) if root != index => {
                vec![Route { to: Ipv4Net::default(), via: gateway }]
            }
            _ => search.routes(index, root),
        };
        let given: HashSet<Ipv4Net> = node.routes.iter().map(|route| route.to).collect();
        node.routes.extend(computed.into_iter().filter(|route| !given.contains(&route.to)));
        total = total.saturating_add(node.routes.len());
        if total > MAX_ROUTES {
            return Err(format!("the nodes need more than {MAX_ROUTES} routes; write the routes"));
        }
    }
    Ok(())
}

impl Graph {
    fn new(topology: &Topology) -> Self {
        let mut numbers = HashMap::new();
        let mut segments: Vec<Segment> = Vec::new();
        let mut attached = Vec::with_capacity(topology.nodes.len());
        for (index, node) in topology.nodes.iter().enumerate() {
            let mut mine = Vec::with_capacity(node.interfaces.len());
            for interface in &node.interfaces {
                let network = interface.address.trunc();
                let number = *numbers.entry((interface.link, network)).or_insert_with(|| {
                    segments.push(Segment { network, members: Vec::new() });
                    segments.len().saturating_sub(1)
                });
                if let Some(segment) = segments.get_mut(number) {
                    segment.members.push((index, interface.address.addr()));
                }
                mine.push(number);
            }
            attached.push(mine);
        }
        Graph { segments, attached }.in_order_of_networks()
    }

    /// Renumbers the segments, so that networks that can share a prefix are neighbours.
    fn in_order_of_networks(self) -> Self {
        let mut order: Vec<_> = self.segments.into_iter().enumerate().collect();
        order.sort_by_key(|(_, segment)| segment.network);
        let mut numbers = vec![0; order.len()];
        for (number, (before, _)) in order.iter().enumerate() {
            if let Some(slot) = numbers.get_mut(*before) {
                *slot = number;
            }
        }
        let renumber = |mine: Vec<usize>| {
            mine.into_iter().filter_map(|before| numbers.get(before).copied()).collect()
        };
        let attached = self.attached.into_iter().map(renumber).collect();
        Graph { segments: order.into_iter().map(|(_, segment)| segment).collect(), attached }
    }

    /// One network in two places has no shortest way.
    fn refuse_overlap(&self) -> Result<(), String> {
        for pair in self.segments.windows(2) {
            let [Segment { network: outer, .. }, Segment { network: inner, .. }] = pair else {
                continue;
            };
            if outer.contains(inner) {
                return Err(match outer == inner {
                    true => format!("{outer} is on two links; automatic routes need one place"),
                    false => format!("{inner} lies in {outer}, and both are networks of links"),
                });
            }
        }
        Ok(())
    }

    fn segments_of(&self, node: usize) -> impl Iterator<Item = (usize, &Segment)> {
        let numbers = self.attached.get(node).into_iter().flatten();
        numbers.filter_map(|number| Some((*number, self.segments.get(*number)?)))
    }

    /// The address of the only other node on this node's links, if there is just one.
    fn only_neighbour(&self, node: usize) -> Option<Ipv4Addr> {
        let members = self.segments_of(node).flat_map(|(_, segment)| &segment.members);
        let mut others = members.filter(|(member, _)| *member != node);
        let (_, gateway) = others.next()?;
        others.next().is_none().then_some(*gateway)
    }

    /// For each node the first one that it is connected with, perhaps itself.
    fn roots(&self) -> Vec<usize> {
        let mut roots = vec![usize::MAX; self.attached.len()];
        let mut passed = vec![false; self.segments.len()];
        for start in 0..roots.len() {
            let mut open = vec![start];
            while let Some(node) = open.pop() {
                match roots.get_mut(node) {
                    Some(root) if *root == usize::MAX => *root = start,
                    _ => continue,
                }
                for (number, segment) in self.segments_of(node) {
                    if passed.get_mut(number).is_some_and(|p| !core::mem::replace(p, true)) {
                        open.extend(segment.members.iter().map(|(member, _)| *member));
                    }
                }
            }
        }
        roots
    }
}

/// What a breadth-first search keeps, cleared by counting searches.
struct Search<'g> {
    graph: &'g Graph,
    round: usize,
    node_seen: Vec<(usize, Option<Ipv4Addr>)>,
    segment_seen: Vec<(usize, Option<Ipv4Addr>)>,
    queue: VecDeque<(usize, Option<Ipv4Addr>)>,
}

impl<'g> Search<'g> {
    fn new(graph: &'g Graph) -> Self {
        Search {
            graph,
            round: 0,
            node_seen: vec![(0, None); graph.attached.len()],
            segment_seen: vec![(0, None); graph.segments.len()],
            queue: VecDeque::new(),
        }
    }

    fn routes(&mut self, start: usize, root: usize) -> Vec<Route> {
        self.round = self.round.saturating_add(1);
        self.visit(start, None);
        while let Some((node, gateway)) = self.queue.pop_front() {
            for (number, segment) in self.graph.segments_of(node) {
                match self.segment_seen.get_mut(number) {
                    Some(seen) if seen.0 != self.round => *seen = (self.round, gateway),
                    _ => continue,
                }
                for (member, address) in &segment.members {
                    self.visit(*member, gateway.or(Some(*address)));
                }
            }
        }
        let default = self.node_seen.get(root).and_then(|(_, gateway)| *gateway);
        self.fold(default.filter(|_| start != root))
    }

    /// The fewest routes that say the same, given the default.
    fn fold(&self, default: Option<Ipv4Addr>) -> Vec<Route> {
        let mut routes: Vec<Route> =
            default.map(|via| Route { to: Ipv4Net::default(), via }).into_iter().collect();
        let first = routes.len();
        for (segment, (round, gateway)) in self.graph.segments.iter().zip(&self.segment_seen) {
            let Some(via) = gateway.filter(|_| *round == self.round) else { continue };
            if gateway == &default {
                continue;
            }
            let mut to = segment.network;
            while let Some(route) = routes.get(first..).and_then(<[Route]>::last)
                && route.via == via
                && let Some(both) = joined(route.to, to)
            {
                routes.pop();
                to = both;
            }
            routes.push(Route { to, via });
        }
        routes
    }

    fn visit(&mut self, node: usize, gateway: Option<Ipv4Addr>) {
        if let Some(seen) = self.node_seen.get_mut(node)
            && seen.0 != self.round
        {
            *seen = (self.round, gateway);
            self.queue.push_back((node, gateway));
        }
    }
}

/// The prefix of which these two are the halves.
fn joined(one: Ipv4Net, other: Ipv4Net) -> Option<Ipv4Net> {
    let both = one.supernet()?;
    (one.prefix_len() == other.prefix_len() && other.supernet() == Some(both) && one != other)
        .then_some(both)
}

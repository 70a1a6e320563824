//! The life of a node: what its process does.
//!
//! Locking: none.

use std::io::PipeWriter;
use std::time::Instant;

use config::topology::{Node, Ping, Topology};
use linux::Linux;

use super::gates::Gates;
use super::message::Message;
use crate::arguments::Arguments;
use crate::capture::Captures;
use crate::{check, network};

/// What all nodes are told: they are copies of who planned them.
pub struct Orders<'a> {
    /// When the program began.
    pub start: Instant,
    pub arguments: &'a Arguments,
    pub topology: &'a Topology,
    /// The ping whose warm round trips are measured.
    pub longest: Ping,
    /// The links' linkstrs.
    pub buses: &'a [String],
    /// Who wants to hear of it.
    pub to: &'a PipeWriter,
}

/// Lives, and gives the exit status.
pub fn live(index: u32, node: &Node, orders: &Orders<'_>, gates: &mut Gates) -> i32 {
    gates.inside();
    match stages(index, node, orders, gates) {
        Ok(()) => 0,
        Err(why) => {
            Message::Failed(why).send(index, orders.to);
            1
        }
    }
}

fn stages(index: u32, node: &Node, orders: &Orders<'_>, gates: &Gates) -> Result<(), String> {
    let Orders { start, arguments, topology, longest, buses, to } = *orders;
    let mine = Captures::at(topology, &arguments.pcap, index)?;
    let captures = Captures::open(topology, &mine)?;
    let host = Linux::builder().io("shmif", shmif_linux::files()).build();
    let kernel = network::boot(&host, node)?;
    let booted = start.elapsed();
    network::set_up(&kernel, topology, index, node, buses, &captures)?;
    Message::Ready { booted, set_up: start.elapsed() }.send(index, to);

    let mut pings = topology.pings.iter().filter(|ping| ping.from == index).peekable();
    if pings.peek().is_some() {
        gates.pings.wait();
    }
    for ping in pings {
        let message = match check::once(&kernel, ping.to, arguments.deadline) {
            Ok(()) => Message::Replied { at: start.elapsed() },
            Err(error) => {
                Message::Silent(check::sentence(topology, ping, error, arguments.deadline))
            }
        };
        message.send(index, to);
    }
    if longest.from == index && arguments.count != 0 {
        gates.warm.wait();
        if let Some(rtt) = check::warm(&kernel, longest.to, arguments)? {
            Message::Warm(rtt).send(index, to);
        }
    }
    gates.end.wait();
    drop(kernel);
    captures.finish()
}

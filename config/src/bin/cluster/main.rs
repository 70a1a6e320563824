//! `cluster`: many kernels, in one process or in one each, joined by a network, and pings across it.
//!
//! * `arguments`: what the user may ask for.  * `plan`: the topology, checked before anything boots.
//! * `character`: what links are like.  * `network`: kernels booted and set up.  * `check`: the pings.  * `echo`: one pinging socket.
//! * `capture`: packets written to files.  * `report`: what is printed.
//! * `spread`: work over the machine's processors.  * `progress`: a bar for what takes long.
//! * `host`: what this process costs its host.  * `cost`: what others do.
//! * `processes`: a process for each node.  * `remote`: a server for each, and the tools.
//!
//! Locking: none here. Sources: the book, section 4.4.1 and figure 3.31 (a cluster in one process).
#![deny(unsafe_code)]

mod arguments;
mod capture;
mod character;
mod check;
mod cost;
mod echo;
mod host;
mod network;
mod plan;
mod processes;
mod progress;
mod remote;
mod report;
mod spread;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use arguments::Arguments;
use capture::Captures;
use network::Network;
use report::Report;

base::kernel!(ROUTER = [net, netinet, shmif]);

/// Why the program ends without success.
enum Failure {
    /// The arguments make no sense; nothing was done.
    Arguments(String),
    /// Something did not work.
    Run(String),
}

fn main() -> ExitCode {
    let start = Instant::now();
    let arguments = Arguments::parse();
    match run(start, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Arguments(error)) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
        Err(Failure::Run(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(start: Instant, arguments: &Arguments) -> Result<(), Failure> {
    let plan = plan::make(arguments).map_err(Failure::Arguments)?;
    if arguments.processes {
        return processes::run(start, arguments, &plan);
    }
    if arguments.remote {
        return remote::run(start, arguments, &plan);
    }
    let captures = Captures::open(&plan.topology, &arguments.pcap).map_err(Failure::Arguments)?;
    let measured = measure(start, arguments, &plan, &captures);
    // Also after a failure: what was captured may tell why.
    let written = captures.finish();
    let (network, report) = measured.map_err(Failure::Run)?;
    report.print(arguments.json).map_err(Failure::Run)?;
    // A failed check comes after the figures, which are printed for what they are worth.
    let failure = report.failure();
    network.halt();
    written.map_err(Failure::Run)?;
    failure.map_or(Ok(()), |failure| Err(Failure::Run(failure)))
}

fn measure(
    start: Instant,
    arguments: &Arguments,
    plan: &plan::Plan,
    captures: &Captures,
) -> Result<(Network, Report), String> {
    let topology = &plan.topology;
    let before = config::resident::bytes()?;
    let begin = Instant::now();
    let network = Network::boot(topology)?;
    let boot = begin.elapsed();
    let begin = Instant::now();
    network.configure(topology, captures)?;
    let configure = begin.elapsed();
    let checked = check::all(&network, topology, arguments.deadline, start);
    let warm = match checked.failure {
        None => check::warm(network.node(plan.longest.from)?, plan.longest.to, arguments)?,
        Some(_) => None,
    };
    let after = config::resident::bytes()?;
    let idle_cpu_fraction = arguments.idle.map(host::cpu_fraction);
    let host_threads = host::threads()?;
    let report = Report {
        nodes: topology.nodes.len(),
        topology: plan.name.clone(),
        links: topology.links.len(),
        boot_s: boot.as_secs_f64(),
        configure_s: configure.as_secs_f64(),
        rtt_warm_s: warm.map(|rtt| rtt.as_secs_f64()),
        hops: plan.longest.hops.saturating_add(plan.longest.reply_hops),
        bytes_per_node: after.saturating_sub(before) as f64 / topology.nodes.len() as f64,
        host_threads,
        idle_cpu_fraction,
        processes: None,
        checked,
    };
    Ok((network, report))
}

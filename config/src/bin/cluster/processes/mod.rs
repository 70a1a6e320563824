//! `--processes`: a process for each node, joined by bus files.
//!
//! This process plans, forks one process a node while it is still alone with itself, and then only
//! listens. The links are files in memory without a name, which nodes reach through this process, as
//! `/proc/PID/fd/N`, so that nothing is left behind, whoever is killed. (Through their own numbers
//! it would cost an entry in /proc for each of them.)
//!
//! * `limits`: what the host allows.  * `fork`: how a process comes to be.  * `node`: its life.
//! * `gates`: when nodes go on.  * `message`: what they say.  * `children`: who lives.
//!
//! Locking: none; pipes. Sources: the book, section 4.4.1 (a cluster of processes);
//! memfd_create(2).

mod children;
mod fork;
mod gates;
mod limits;
mod message;
mod node;

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, getpid};

use crate::arguments::Arguments;
use crate::capture::Captures;
use crate::check::Checked;
use crate::cost::{self, Cost};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{Processes, Report};
use crate::{Failure, host};
use children::Children;
use gates::Gates;
use message::{Inbox, Message};
use node::Orders;

/// How long nodes may take to halt before they are killed.
const HALT: Duration = Duration::from_secs(5);

/// How much longer than for a reply to wait for who waits for it.
const SLACK: Duration = Duration::from_secs(2);

/// All of it.
pub fn run(start: Instant, arguments: &Arguments, plan: &Plan) -> Result<(), Failure> {
    let topology = &plan.topology;
    limits::check(topology).map_err(Failure::Arguments)?;
    for (link, _) in &arguments.pcap {
        Captures::place(topology, link).map_err(Failure::Arguments)?;
    }
    let mut cluster = Cluster::start(start, arguments, plan).map_err(Failure::Run)?;
    let report = cluster.measure().map_err(Failure::Run)?;
    report.print(arguments.json).map_err(Failure::Run)?;
    match report.failure() {
        // Whoever still waits for a reply would not hear that it is over.
        Some(failure) => Err(Failure::Run(failure)),
        None => {
            cluster.halt();
            Ok(())
        }
    }
}

/// The nodes, as their parent knows them.
struct Cluster<'a> {
    arguments: &'a Arguments,
    plan: &'a Plan,
    gates: Gates,
    inbox: Inbox,
    children: Children,
    /// When the first was forked, since the start of the program.
    begin: Duration,
    /// The links, by number.
    _files: Vec<OwnedFd>,
}

impl<'a> Cluster<'a> {
    fn start(start: Instant, arguments: &'a Arguments, plan: &'a Plan) -> Result<Self, String> {
        let topology = &plan.topology;
        let files = topology.links.iter().map(|link| bus(link)).collect::<Result<Vec<_>, _>>()?;
        let me = getpid().as_raw_pid();
        let buses = files.iter().map(|file| format!("/proc/{me}/fd/{}", file.as_raw_fd()));
        let buses: Vec<String> = buses.collect();
        let mut gates = Gates::new()?;
        let (reader, writer) =
            std::io::pipe().map_err(|error| format!("no pipe from the nodes: {error}"))?;
        let (longest, to) = (plan.longest, &writer);
        let orders = Orders { start, arguments, topology, longest, buses: &buses, to };
        let mut children = Children::new();
        let progress = Progress::new("starting", topology.nodes.len());
        let begin = start.elapsed();
        fork::warm_up();
        for (index, node) in (0u32..).zip(&topology.nodes) {
            let forked = fork::fork(|| node::live(index, node, &orders, &mut gates));
            let pid = forked.map_err(|error| format!("{} does not start: {error}", node.name))?;
            children.add(pid);
            progress.step();
        }
        // Our own end of the pipe goes here: the nodes have theirs.
        let inbox = Inbox::new(reader);
        Ok(Cluster { arguments, plan, gates, inbox, children, begin, _files: files })
    }

    fn measure(&mut self) -> Result<Report, String> {
        let (booted, set_up) = self.until_ready()?;
        self.gates.pings.open();
        let checked = self.pings()?;
        let warm = match checked.failure {
            None if self.arguments.count != 0 => Some(self.warm()?),
            _ => None,
        };
        let Cost { pss, private, threads } = self.ask(|pids| cost::of(pids))?;
        let idle_cpu_fraction = self.arguments.idle.map(|time| self.idle(time)).transpose()?;
        let Plan { name, topology, longest } = self.plan;
        let nodes = topology.nodes.len();
        Ok(Report {
            nodes,
            topology: name.clone(),
            links: topology.links.len(),
            boot_s: booted.saturating_sub(self.begin).as_secs_f64(),
            configure_s: set_up.saturating_sub(booted).as_secs_f64(),
            rtt_warm_s: warm.map(|rtt| rtt.as_secs_f64()),
            hops: longest.hops.saturating_add(longest.reply_hops),
            bytes_per_node: pss as f64 / nodes as f64,
            host_threads: threads.saturating_add(host::threads()?),
            idle_cpu_fraction,
            processes: Some(Processes { pss, private_per_process: private as f64 / nodes as f64 }),
            checked,
        })
    }

    /// When the last node had booted, and when the last one was set up.
    fn until_ready(&mut self) -> Result<(Duration, Duration), String> {
        let nodes = &self.plan.topology.nodes;
        let mut late = vec![true; nodes.len()];
        let (mut left, mut last) = (nodes.len(), (Duration::ZERO, Duration::ZERO));
        let progress = Progress::new("booting", nodes.len());
        while left != 0 {
            match self.next(&progress)? {
                Some((node, Message::Ready { booted, set_up })) => {
                    last = (last.0.max(booted), last.1.max(set_up));
                    if let Some(late) = late.get_mut(node as usize) {
                        *late = false;
                    }
                    left = left.saturating_sub(1);
                    progress.step();
                }
                Some(_) => {}
                None => {
                    let name = late.iter().position(|late| *late).and_then(|at| nodes.get(at));
                    let name = name.map_or("?", |node| node.name.as_str());
                    return Err(format!("{name} does not come up (--deadline)"));
                }
            }
        }
        Ok(last)
    }

    /// Every ping of the topology.
    fn pings(&mut self) -> Result<Checked, String> {
        let pings = self.plan.topology.pings.len();
        let mut checked =
            Checked { replies: 0, pings, first_reply_s: None, checked_s: None, failure: None };
        let (mut first, mut last) = (None, Duration::ZERO);
        let progress = Progress::new("pinging", pings);
        while checked.replies < pings && checked.failure.is_none() {
            match self.next(&progress)? {
                Some((_, Message::Replied { at })) => {
                    first = Some(first.map_or(at, |first: Duration| first.min(at)));
                    last = last.max(at);
                    checked.replies = checked.replies.saturating_add(1);
                    progress.step();
                }
                Some((_, Message::Silent(why))) => checked.failure = Some(why),
                Some(_) => {}
                None => checked.failure = Some("a node does not say whom it reached".to_string()),
            }
        }
        checked.first_reply_s = first.map(|first| first.as_secs_f64());
        checked.checked_s = checked.failure.is_none().then_some(last.as_secs_f64());
        Ok(checked)
    }

    /// The median warm round trip of the longest ping.
    fn warm(&mut self) -> Result<Duration, String> {
        self.gates.warm.open();
        let progress = Progress::new("pinging, warm", self.arguments.count as usize);
        // Each of them may take its time; the first that is missed is reported by the node.
        let all = self.arguments.deadline.saturating_mul(self.arguments.count);
        match self.listen(all.saturating_add(SLACK), &progress)? {
            Some((_, Message::Warm(rtt))) => Ok(rtt),
            Some(_) | None => Err("the last node does not say how long its pings took".to_string()),
        }
    }

    /// The part of one processor that all nodes use together while nothing happens.
    fn idle(&mut self, time: Duration) -> Result<f64, String> {
        let progress = Progress::new("idle", time.as_secs() as usize);
        self.rest(host::SETTLE, &progress)?;
        let (start, before) = (Instant::now(), self.ask(|pids| cost::cpu(pids))?);
        self.rest(time, &progress)?;
        let used = self.ask(|pids| cost::cpu(pids))? - before;
        Ok(used / start.elapsed().as_secs_f64())
    }

    /// Asks the system about all nodes. If it does not know one, that has ended, and how is the
    /// better error.
    fn ask<T>(
        &mut self,
        of: impl FnOnce(&mut dyn Iterator<Item = Pid>) -> Result<T, String>,
    ) -> Result<T, String> {
        let answer = of(&mut self.children.pids());
        answer.or_else(|error| {
            self.listen(SLACK, &Progress::new("asking", 0))?;
            Err(error)
        })
    }

    fn rest(&mut self, time: Duration, progress: &Progress) -> Result<(), String> {
        let start = Instant::now();
        while let Some(left) = time.checked_sub(start.elapsed()).filter(|left| !left.is_zero()) {
            self.listen(left, progress)?;
        }
        Ok(())
    }

    /// What a node says next; `None` if none says anything for as long as it may.
    fn next(&mut self, progress: &Progress) -> Result<Option<(u32, Message)>, String> {
        self.listen(self.arguments.deadline.saturating_add(SLACK), progress)
    }

    fn listen(
        &mut self,
        patience: Duration,
        progress: &Progress,
    ) -> Result<Option<(u32, Message)>, String> {
        let Cluster { inbox, children, plan, .. } = self;
        let look = || {
            progress.look_again();
            children.look(&plan.topology)
        };
        match inbox.next(patience, look)? {
            Some((_, Message::Failed(why))) => Err(why),
            message => Ok(message),
        }
    }

    /// Ends all nodes.
    fn halt(mut self) {
        self.gates.end.open();
        let ended = self.inbox.wait_for_end(HALT);
        self.children.reap(ended);
    }
}

/// A file for a link.
fn bus(link: &str) -> Result<OwnedFd, String> {
    let file = memfd_create(link, MemfdFlags::CLOEXEC);
    file.map_err(|error| format!("no file for {link}: {error}"))
}

//! `--remote`: what the script of figure 3.31 does, command by command: a server for each node, set
//! up and asked to ping by the tools.
//!
//! Sockets, bus files and the list of servers are in a folder of their own, which goes at the end
//! with the servers: also after a failure, and after ^C.
//!
//! Locking: none. Sources: the book, figure 3.31.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use config::topology::{Interface, Node, Ping, Route, Topology};
use rustix::process::{Pid, Signal, kill_process};

use crate::arguments::Arguments;
use crate::check::Checked;
use crate::cost::{self, Cost};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::report::{Processes, Report};
use crate::{Failure, host};

/// How long servers may take to end before they are killed.
const END: Duration = Duration::from_secs(5);

/// All of it.
pub fn run(start: Instant, arguments: &Arguments, plan: &Plan) -> Result<(), Failure> {
    let servers = Servers::new(arguments).map_err(Failure::Run)?;
    let report = servers.measure(start, arguments, plan).map_err(Failure::Run)?;
    report.print(arguments.json).map_err(Failure::Run)?;
    report.failure().map_or(Ok(()), |failure| Err(Failure::Run(failure)))
}

/// The servers, and where they are.
struct Servers {
    folder: PathBuf,
    /// Where the programs are, if not where the shell finds them.
    programs: Option<PathBuf>,
    interrupted: Arc<AtomicBool>,
}

impl Servers {
    fn new(arguments: &Arguments) -> Result<Servers, String> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            let caught = signal_hook::flag::register(signal, interrupted.clone());
            caught.map_err(|error| format!("^C cannot be caught: {error}"))?;
        }
        let folder = std::env::temp_dir().join(format!("anykernel-{}", std::process::id()));
        let made =
            std::fs::create_dir(&folder).and_then(|()| std::fs::create_dir(folder.join("shm")));
        made.map_err(|error| format!("{}: {error}", folder.display()))?;
        let programs = arguments.programs.as_deref().map(std::path::absolute).transpose();
        let programs = programs.map_err(|error| format!("--programs: {error}"))?;
        Ok(Servers { folder, programs, interrupted })
    }

    fn measure(
        &self,
        start: Instant,
        arguments: &Arguments,
        plan: &Plan,
    ) -> Result<Report, String> {
        let Plan { topology, longest, .. } = plan;
        let nodes = topology.nodes.len();
        let progress = Progress::new("starting", nodes);
        let (mut boot, mut configure) = (Duration::ZERO, Duration::ZERO);
        // Server by server, as the script has it.
        for node in &topology.nodes {
            let begin = Instant::now();
            let url = format!("unix://{}", node.name);
            self.run("rump_server", &["-l", "netinet", "-l", "shmif", &url], node)?;
            let booted = Instant::now();
            self.configure(node, topology)?;
            boot += booted - begin;
            configure += booted.elapsed();
            progress.step();
        }
        drop(progress);
        let checked = self.pings(start, arguments, plan)?;
        let warm = match checked.failure {
            None if arguments.count != 0 => Some(self.warm(arguments, plan)?),
            _ => None,
        };
        let Cost { pss, private, threads } = cost::of(self.pids().into_iter())?;
        Ok(Report {
            nodes,
            topology: plan.name.clone(),
            links: topology.links.len(),
            boot_s: boot.as_secs_f64(),
            configure_s: configure.as_secs_f64(),
            rtt_warm_s: warm,
            hops: longest.hops.saturating_add(longest.reply_hops),
            bytes_per_node: pss as f64 / nodes as f64,
            host_threads: threads.saturating_add(host::threads()?),
            idle_cpu_fraction: None,
            processes: Some(Processes { pss, private_per_process: private as f64 / nodes as f64 }),
            checked,
        })
    }

    fn configure(&self, node: &Node, topology: &Topology) -> Result<(), String> {
        for (number, own) in node.interfaces.iter().enumerate() {
            let Interface { link, address, .. } = own;
            let interface = format!("shmif{number}");
            let bus = topology.links.get(*link as usize).map_or("", String::as_str);
            let bus = format!("shm/{bus}");
            let (addr, mask) = (address.addr().to_string(), address.netmask().to_string());
            self.run("rump.ifconfig", &[&interface, "create"], node)?;
            self.run("rump.ifconfig", &[&interface, "linkstr", &bus], node)?;
            self.run("rump.ifconfig", &[&interface, "inet", &addr, "netmask", &mask], node)?;
            let character = topology.character(own).to_string();
            if !character.is_empty() {
                let words: Vec<_> =
                    [interface.as_str()].into_iter().chain(character.split(' ')).collect();
                self.run("rump.ifconfig", &words, node)?;
            }
        }
        for Route { to, via } in &node.routes {
            let (net, mask) = (to.network().to_string(), to.netmask().to_string());
            let words = ["add", "-net", &net, "-netmask", &mask, &via.to_string()];
            self.run("rump.route", &words, node)?;
        }
        Ok(())
    }

    /// Every ping of the topology, one after another.
    fn pings(&self, start: Instant, arguments: &Arguments, plan: &Plan) -> Result<Checked, String> {
        let pings = &plan.topology.pings;
        let mut checked = Checked {
            replies: 0,
            pings: pings.len(),
            first_reply_s: None,
            checked_s: None,
            failure: None,
        };
        let patience = arguments.deadline.as_secs_f64().to_string();
        let progress = Progress::new("pinging", pings.len());
        for Ping { from, to, .. } in pings {
            let node = plan.topology.nodes.get(*from as usize).ok_or("a ping from nowhere")?;
            let (to, name) = (to.to_string(), &node.name);
            let words = ["-q", "-c", "1", "-W", &patience, &to];
            if let Err(error) = self.run("rump.ping", &words, node) {
                self.is_on()?;
                checked.failure = Some(format!("{name} pings {to}: {error}"));
                return Ok(checked);
            }
            let now = start.elapsed().as_secs_f64();
            checked.first_reply_s.get_or_insert(now);
            checked.replies = checked.replies.saturating_add(1);
            checked.checked_s = Some(now);
            progress.step();
        }
        Ok(checked)
    }

    /// The mean round trip of the longest ping, in seconds.
    fn warm(&self, arguments: &Arguments, plan: &Plan) -> Result<f64, String> {
        let Ping { from, to, .. } = plan.longest;
        let node = plan.topology.nodes.get(from as usize).ok_or("a ping from nowhere")?;
        let (count, to) = (arguments.count.to_string(), to.to_string());
        let text = self.run("rump.ping", &["-q", "-i", "0", "-c", &count, &to], node)?;
        let mean = text.lines().find_map(|line| line.strip_prefix("rtt min/avg/max/mdev = "));
        let mean = mean.and_then(|numbers| numbers.split('/').nth(1)?.parse::<f64>().ok());
        mean.map(|ms| ms / 1e3).ok_or_else(|| format!("rump.ping tells no round trip: {text}"))
    }

    /// Runs a program on a node, and gives what it prints. An error says what it says.
    fn run(&self, program: &str, words: &[&str], node: &Node) -> Result<String, String> {
        self.is_on()?;
        let file = match &self.programs {
            Some(folder) => folder.join(program),
            None => program.into(),
        };
        let output = Command::new(&file)
            .args(words)
            .current_dir(&self.folder)
            .env("RUMP_SERVER", format!("unix://{}", node.name))
            .env("XDG_RUNTIME_DIR", &self.folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| missing(&file, &error))?;
        self.is_on()?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {} ({})", node.name, error.trim(), output.status));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Nobody has said ^C.
    fn is_on(&self) -> Result<(), String> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err("interrupted; the servers have been ended".to_string());
        }
        Ok(())
    }

    /// The processes of the servers that run: those on the list that `rump list` shows that are
    /// here. One that was killed is on the list, too, and its number may be a stranger's.
    fn pids(&self) -> Vec<Pid> {
        let folder = std::fs::canonicalize(&self.folder).unwrap_or_default();
        let is_here = |pid: &Pid| {
            let cwd = std::fs::read_link(format!("/proc/{}/cwd", pid.as_raw_pid()));
            cwd.is_ok_and(|cwd| cwd == folder)
        };
        let list = std::fs::read_dir(self.folder.join("anykernel")).into_iter().flatten().flatten();
        let names = list.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let pids = names.filter_map(|name| Pid::from_raw(name.split('-').next()?.parse().ok()?));
        pids.filter(is_here).collect()
    }
}

fn missing(program: &Path, error: &dyn Display) -> String {
    format!(
        "{}: {error}; install the programs (`cargo xtask install`), or say --programs DIR",
        program.display()
    )
}

impl Drop for Servers {
    fn drop(&mut self) {
        let signal = |signal| {
            for pid in self.pids() {
                // One that has ended meanwhile is as well.
                let _ = kill_process(pid, signal);
            }
        };
        signal(Signal::TERM);
        let begin = Instant::now();
        while !self.pids().is_empty() && begin.elapsed() < END {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        signal(Signal::KILL);
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("warning: {} is left: {error}", self.folder.display());
        }
    }
}

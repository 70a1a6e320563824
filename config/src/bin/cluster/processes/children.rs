//! The processes of the nodes, as their parent knows them.
//!
//! * [`Children::add`] for each that was forked; [`Children::look`] says if one has ended.
//! * [`Children::reap`] once all have been told to end. Dropped, it kills those that are left.
//!
//! Locking: none. Sources: wait(2), kill(2).

use config::topology::Topology;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait, waitpid};

/// By the numbers of their nodes; those that have ended and were waited for are gone from it.
pub struct Children(Vec<Option<Pid>>);

impl Children {
    pub fn new() -> Children {
        Children(Vec::new())
    }

    /// The process of the next node.
    pub fn add(&mut self, pid: Pid) {
        self.0.push(Some(pid));
    }

    /// Those that live, as far as is known.
    pub fn pids(&self) -> impl Iterator<Item = Pid> {
        self.0.iter().copied().flatten()
    }

    /// An error, which names the node, if a process has ended.
    pub fn look(&mut self, topology: &Topology) -> Result<(), String> {
        // An error would mean that none is left.
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let Some(node) = self.0.iter().position(|child| *child == Some(pid)) else { continue };
            self.0.get_mut(node).and_then(Option::take);
            let name = topology.nodes.get(node).map_or("?", |node| node.name.as_str());
            return Err(format!("the process of {name} {}", how(status)));
        }
        Ok(())
    }

    /// Waits for them. Those that do not end by themselves are killed.
    pub fn reap(mut self, are_ending: bool) {
        self.end(are_ending);
    }

    fn end(&mut self, are_ending: bool) {
        if !are_ending {
            for pid in self.pids() {
                // Nobody has waited for it yet, so the number is still its own.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        for pid in self.0.drain(..).flatten() {
            let _ = rustix::io::retry_on_intr(|| waitpid(Some(pid), WaitOptions::empty()));
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.end(false);
    }
}

fn how(status: WaitStatus) -> String {
    match (status.terminating_signal(), status.exit_status()) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "has ended".to_string(),
    }
}

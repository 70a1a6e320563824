//! What is printed: JSON with stable names and SI units, or text for people.
//!
//! Locking: none.

use core::fmt;
use std::io::Write;

use serde_json::json;

use crate::check::Checked;

/// The figures of a run.
pub struct Report {
    /// How many nodes there are.
    pub nodes: usize,
    /// What the user called the topology.
    pub topology: String,
    /// How many links there are.
    pub links: usize,
    /// All kernels booted, in seconds.
    pub boot_s: f64,
    /// All of them set up.
    pub configure_s: f64,
    /// The median round trip when every neighbour is known.
    pub rtt_warm_s: Option<f64>,
    /// Links that it crosses, there and back.
    pub hops: u32,
    /// Resident memory; PSS where nodes are processes.
    pub bytes_per_node: f64,
    /// Threads of all processes when all is done.
    pub host_threads: usize,
    /// The part of a processor that was used while idle.
    pub idle_cpu_fraction: Option<f64>,
    /// Where each node is a process.
    pub processes: Option<Processes>,
    /// The pings.
    pub checked: Checked,
}

/// What processes cost.
pub struct Processes {
    /// Memory of all of them together, shared pages counted once.
    pub pss: u64,
    /// Memory that nobody else has.
    pub private_per_process: f64,
}

impl Report {
    /// Prints it to the standard output.
    pub fn print(&self, json: bool) -> Result<(), String> {
        let text = if json { format!("{:#}\n", self.json()) } else { self.to_string() };
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| format!("cannot write to the standard output: {error}"))
    }

    /// Why the run is no success, if it is not.
    pub fn failure(&self) -> Option<String> {
        self.checked.failure.clone()
    }

    fn hop_warm_s(&self) -> Option<f64> {
        self.rtt_warm_s.filter(|_| self.hops != 0).map(|rtt| rtt / f64::from(self.hops))
    }

    fn json(&self) -> serde_json::Value {
        let mut value = json!({
            "nodes": self.nodes,
            "topology": self.topology,
            "boot_s": self.boot_s,
            "configure_s": self.configure_s,
            "first_reply_s": self.checked.first_reply_s,
            "checked_s": self.checked.checked_s,
            "rtt_warm_s": self.rtt_warm_s,
            "hop_warm_s": self.hop_warm_s(),
            "bytes_per_node": self.bytes_per_node,
            "host_threads": self.host_threads,
            "checked": self.checked.failure.is_none(),
        });
        let Some(object) = value.as_object_mut() else { return value };
        if let Some(idle) = self.idle_cpu_fraction {
            object.insert("idle_cpu_fraction".to_string(), json!(idle));
        }
        if let Some(Processes { pss, private_per_process }) = self.processes {
            object.insert("processes".to_string(), json!(self.nodes));
            object.insert("pss_bytes".to_string(), json!(pss));
            object.insert("private_bytes_per_process".to_string(), json!(private_per_process));
        }
        value
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { nodes, topology, links, checked, .. } = self;
        let each = |seconds: f64| Time(seconds / *nodes as f64);
        writeln!(f, "{topology}: {nodes} nodes, {links} links")?;
        writeln!(f, "boot         {}, {} a node", Time(self.boot_s), each(self.boot_s))?;
        writeln!(f, "configure    {}, {} a node", Time(self.configure_s), each(self.configure_s))?;
        if let Some(first) = checked.first_reply_s {
            writeln!(f, "first reply  {} after the start", Time(first))?;
        }
        if let Some(all) = checked.checked_s {
            writeln!(f, "all replies  {} after the start", Time(all))?;
        }
        writeln!(f, "checked      {} of {} pings answered", checked.replies, checked.pings)?;
        if let Some(rtt) = self.rtt_warm_s {
            write!(f, "round trip   {} warm", Time(rtt))?;
            match self.hop_warm_s() {
                Some(hop) => writeln!(f, ", {} for each of {} links", Time(hop), self.hops)?,
                None => writeln!(f)?,
            }
        }
        let each = self.bytes_per_node / 1024.0;
        match &self.processes {
            None => writeln!(f, "memory       {each:.1} KiB a node, resident")?,
            Some(Processes { pss, private_per_process }) => writeln!(
                f,
                "memory       {:.1} MiB in all; {each:.1} KiB a process (PSS), {:.1} KiB of it private",
                *pss as f64 / f64::from(1 << 20),
                private_per_process / 1024.0
            )?,
        }
        write!(f, "host         {} threads", self.host_threads)?;
        match self.idle_cpu_fraction {
            Some(idle) => writeln!(f, ", {:.4} % of a processor while idle", idle * 100.0),
            None => writeln!(f),
        }
    }
}

/// Seconds as people read them.
struct Time(f64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            t if t >= 1.0 => (t, "s"),
            t if t >= 1e-3 => (t * 1e3, "ms"),
            t if t >= 1e-6 => (t * 1e6, "µs"),
            t => (t * 1e9, "ns"),
        };
        let digits = if value >= 100.0 {
            0
        } else if value >= 10.0 {
            1
        } else {
            2
        };
        write!(f, "{value:.digits$} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            nodes: 255,
            topology: "line".to_string(),
            links: 255,
            boot_s: 1e-3,
            configure_s: 2e-3,
            rtt_warm_s: Some(127e-6),
            hops: 508,
            bytes_per_node: 10_240.0,
            host_threads: 1,
            idle_cpu_fraction: None,
            processes: None,
            checked: Checked {
                replies: 1,
                pings: 1,
                first_reply_s: Some(4e-3),
                checked_s: Some(4e-3),
                failure: None,
            },
        }
    }

    #[test]
    fn json_has_the_stable_names() {
        let value = report().json();
        let object = value.as_object().unwrap();
        let mut names: Vec<&str> = object.keys().map(String::as_str).collect();
        names.sort_unstable();
        let expected = [
            "boot_s",
            "bytes_per_node",
            "checked",
            "checked_s",
            "configure_s",
            "first_reply_s",
            "hop_warm_s",
            "host_threads",
            "nodes",
            "rtt_warm_s",
            "topology",
        ];
        assert_eq!(names, expected);
        assert_eq!(value["hop_warm_s"], 0.25e-6);
        assert_eq!(value["checked"], true);
    }

    #[test]
    fn people_get_units() {
        let text = report().to_string();
        assert!(text.contains("first reply  4.00 ms after the start"), "{text}");
        assert!(text.contains("127 µs warm, 250 ns for each of 508 links"), "{text}");
    }

    #[test]
    fn processes_tell_what_they_share() {
        let processes = Processes { pss: 3 << 20, private_per_process: 2048.0 };
        let report = Report { processes: Some(processes), ..report() };
        let value = report.json();
        assert_eq!((&value["processes"], &value["pss_bytes"]), (&json!(255), &json!(3 << 20)));
        assert_eq!(value["private_bytes_per_process"], 2048.0);
        let text = report.to_string();
        assert!(text.contains("3.0 MiB in all; 10.0 KiB a process (PSS), 2.0 KiB"), "{text}");
    }

    #[test]
    fn a_node_that_does_not_answer_is_a_failure() {
        let mut report = report();
        report.checked.failure = Some("node2 pings 1.2.1.1: no reply".to_string());
        assert_eq!(report.json()["checked"], false);
        assert!(report.failure().is_some());
    }
}

//! The process around the kernels: entropy, parameters, console, exit.
//!
//! * Parameters: `hostname`, `ncpu`, those given to the builder, and for any other name the
//!   process's environment variable of that name.
//!
//! Locking: `entropy`, for its time only. Sources: the book, appendix B.1 (host names).

use std::io::Write;

use hypercall::Environment;
use rustix::thread::{CpuSet, sched_getaffinity};

use crate::{Linux, lock};

/// The CPUs that this process may use. One system call; nothing of /proc is read.
pub fn cpus() -> usize {
    sched_getaffinity(None).map_or(1, |set: CpuSet| set.count()).try_into().unwrap_or(1).max(1)
}

fn hostname() -> String {
    let uname = rustix::system::uname();
    let node = uname.nodename().to_string_lossy();
    format!("rump-{:05}.{node}.rumpdomain", std::process::id())
}

impl Environment for Linux {
    fn entropy(&self, out: &mut [u8]) {
        lock(&self.entropy).fill(out);
    }

    fn param(&self, name: &str) -> Option<String> {
        if let Some((_, value)) = self.params.iter().rev().find(|(n, _)| n == name) {
            return Some(value.clone());
        }
        match name {
            "hostname" => Some(self.hostname.get_or_init(hostname).clone()),
            "ncpu" => Some(cpus().to_string()),
            // The names that std documents as impossible.
            _ if name.is_empty() || name.contains(['=', '\0']) => None,
            _ => std::env::var(name).ok(),
        }
    }

    fn console(&self, text: &str) {
        // A console that nobody reads is no reason to stop.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    fn exit(&self, status: i32) -> ! {
        std::process::exit(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_knows_its_name_and_its_processors() {
        let host = Linux::new();
        let name = host.param("hostname").unwrap();
        assert!(name.starts_with("rump-") && name.ends_with(".rumpdomain"), "{name}");
        assert_eq!(host.param("hostname"), Some(name));
        assert!(host.param("ncpu").unwrap().parse::<usize>().unwrap() >= 1);
    }

    #[test]
    fn other_parameters_are_the_builders_or_the_environments() {
        let host = Linux::builder().param("hostname", "here").param("RUMP_X", "1").build();
        assert_eq!(host.param("hostname").as_deref(), Some("here"));
        assert_eq!(host.param("RUMP_X").as_deref(), Some("1"));
        assert_eq!(host.param("PATH"), std::env::var("PATH").ok());
        for odd in ["", "A=B", "A\0B", "RUMP_NO_SUCH_VARIABLE"] {
            assert_eq!(host.param(odd), None);
        }
    }

    #[test]
    fn entropy_differs_between_hosts() {
        let (mut a, mut b) = ([0; 16], [0; 16]);
        Linux::new().entropy(&mut a);
        Linux::new().entropy(&mut b);
        assert_ne!(a, b);
    }
}

//! A test in a network namespace of its own, where it may make devices and addresses.
//!
//! * [`run`]: runs the test's body in a child, which is this test program again.
//! * [`ip`]: a command of `ip` in it.  * [`Another`]: a second one beside it.
//!
//! The child is root in a user namespace of its own unless it is root anyway, so no privilege is
//! needed; the namespaces and all in them are gone with it. Where a machine does not permit that,
//! the test fails and says so: it has shown nothing.
//!
//! Locking: none. Sources: unshare(1), setns(2), user_namespaces(7), ip(8).

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Set in the child, to the test that it is to run.
const INSIDE: &str = "ANYKERNEL_TEST_NAMESPACE";

/// Ways to get a network namespace.
const WAYS: &[&[&str]] = &[&["--net"], &["--user", "--map-root-user", "--net"]];

/// Runs `body`, that of the test whose path is `test`, in a network namespace.
///
/// # Panics
/// If the test fails, or there can be no namespace.
pub fn run(test: &str, body: impl FnOnce()) {
    if is_inside(test) {
        return body();
    }
    let way = way_in();
    let myself = std::env::current_exe().expect("this program's place");
    let output = Command::new("unshare")
        .args(way)
        .arg(myself)
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, test)
        .stdin(Stdio::null())
        .output()
        .expect("unshare starts");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "in its namespace:\n{out}\n{errors}");
    assert!(out.contains("1 passed"), "the test is not called {test}:\n{out}\n{errors}");
}

/// Whether this is the child that runs the body of `test`.
fn is_inside(test: &str) -> bool {
    std::env::var(INSIDE).is_ok_and(|inside| inside == test)
}

/// The options of unshare that work here.
fn way_in() -> &'static [&'static str] {
    let mut reasons = String::new();
    for way in WAYS {
        let tried =
            Command::new("unshare").args(*way).args(["ip", "link", "set", "lo", "up"]).output();
        match tried {
            Ok(output) if output.status.success() => return way,
            Ok(output) => reasons += &String::from_utf8_lossy(&output.stderr),
            Err(e) => reasons += &format!("unshare: {e}\n"),
        }
    }
    panic!(
        "NOT TESTED: this machine permits no network namespaces, or lacks unshare or ip \
         (util-linux, iproute2):\n{reasons}"
    );
}

/// Runs `ip` with these words.
///
/// # Panics
/// If it fails.
pub fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output();
    let output = output.unwrap_or_else(|e| panic!("ip {words}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {errors}");
}

/// Another network namespace, beside that of the test. It and all in it end when this is dropped.
pub struct Another {
    /// A process that does nothing in it until its input ends.
    holder: Child,
    namespace: File,
}

impl Another {
    /// Makes one.
    ///
    /// # Panics
    /// If there can be none.
    #[allow(clippy::new_without_default)] // it makes a process
    pub fn new() -> Another {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo; exec cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        let output = holder.stdout.as_mut().expect("its output");
        let said = BufReader::new(output).read_line(&mut String::new());
        assert_eq!(said.ok(), Some(1), "no second network namespace");
        let namespace = File::open(format!("/proc/{}/ns/net", holder.id()));
        Another { namespace: namespace.expect("its namespace"), holder }
    }

    /// Moves a device of the test's namespace into this one. It is down then, and has no addresses.
    pub fn take(&self, device: &str) {
        ip(&format!("link set {device} netns {}", self.holder.id()));
    }

    /// Runs `body` on a thread in it: sockets that are made there, and commands, are of this namespace.
    ///
    /// # Panics
    /// If `body` does, or this process may not go there.
    pub fn enter<R: Send>(&self, body: impl FnOnce() -> R + Send) -> R {
        let inside = || {
            let kind = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(self.namespace.as_fd(), kind).expect("its namespace");
            body()
        };
        let done = std::thread::scope(|scope| scope.spawn(inside).join());
        done.unwrap_or_else(|reason| std::panic::resume_unwind(reason))
    }
}

impl Drop for Another {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

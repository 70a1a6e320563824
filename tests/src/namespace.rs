//! A test in a network namespace of its own, where it may make devices and addresses.
//!
//! * [`run`]: runs the test's body in a child, which is this test program again.
//! * [`ip`]: a command of `ip` in it.
//!
//! The child is root in a user namespace of its own unless it is root anyway, so no privilege is
//! needed; the namespaces and all in them are gone with it. Where a machine does not permit that,
//! the test fails and says so: it has shown nothing.
//!
//! Locking: none. Sources: unshare(1), user_namespaces(7), ip(8).

use std::process::{Command, Stdio};

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

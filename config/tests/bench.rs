//! The program `bench` from outside.

use std::process::Command;

#[test]
fn getpid_of_the_host_and_of_a_kernel() {
    let bench = env!("CARGO_BIN_EXE_bench");
    let output = Command::new(bench).args(["getpid", "--json"]).output().unwrap();
    assert!(output.status.success());
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for name in ["host_getpid_s", "kernel_getpid_s"] {
        let seconds = value[name].as_f64().unwrap();
        assert!(seconds > 0.0 && seconds < 1e-3, "{name}: {seconds}");
    }
}

#[test]
fn a_group_that_there_is_not_is_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).arg("cores").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cores"));
}

#[test]
fn a_ping_between_two_processes() {
    let bench = env!("CARGO_BIN_EXE_bench");
    let output = Command::new(bench).args(["remote", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value[0]["id"], "bus.ping");
    assert!(value[0]["value"].as_f64().unwrap() > 0.0);
}

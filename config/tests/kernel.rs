//! An assembled kernel, from its configuration to the running program.

mod scratch;

use std::path::Path;
use std::process::{Command, Output};

use scratch::Scratch;

const EDGE: &str = r#"
components = ["net", "netinet", "shmif", "sysproxy"]
[options]
ncpu = 1
memlimit = "16M"
hostname = "edge.example"
[sysctl]
"net.inet.ip.forwarding" = 0
"kern.hostname" = "edge"
[[interface]]
name = "shmif0"
linkstr = "./inside"
inet = ["10.0.0.1/24"]
mtu = 1280
delay = "1.5ms"
jitter = "100us"
distribution = "normal"
rate = "100mbit"
loss = "1%"
burst = 2
reorder = "25%"
duplicate = "0.1%"
corrupt = "0.1%"
limit = 1000
buffer = "64K"
[[interface]]
name = "shmif1"
up = false
[[route]]
to = "default"
via = "10.0.0.2"
[[route]]
to = "10.9.0.0/16"
via = "10.0.0.3"
"#;

fn run(program: &Path, words: &str) -> Output {
    Command::new(program).args(words.split_whitespace()).output().unwrap()
}

/// Builds in the folder for the files of tests, which stays, so that it takes long only once.
fn build(folder: &Path) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet"]).current_dir(folder).env("CARGO_TARGET_DIR", &target);
    // What cargo tells a test about itself is not for another cargo.
    cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    let output = cargo.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
}

#[test]
fn a_configuration_becomes_a_program_and_a_library() {
    let scratch = Scratch::new("kernel");
    let file = scratch.write("edge.toml", EDGE);
    for form in ["", "--lib"] {
        let mut assemble = Command::new(env!("CARGO_BIN_EXE_assemble"));
        assemble.arg(&file).arg("--out").arg(scratch.path("out")).args(form.split_whitespace());
        let output = assemble.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    build(&scratch.path("out/edge-library"));
    build(&scratch.path("out/edge"));

    let edge = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kernels/debug/edge");
    // Its bus is a file in the folder that it runs in.
    let there = || {
        let mut command = Command::new(&edge);
        command.current_dir(scratch.path("out")).env("XDG_RUNTIME_DIR", scratch.path("out"));
        command
    };
    let shown = there().output().unwrap();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert!(String::from_utf8_lossy(&shown.stdout).contains("(edge)"));

    let silent = there().arg("--probe-exit").output().unwrap();
    assert!(silent.status.success() && silent.stdout.is_empty() && silent.stderr.is_empty());

    // Served, it is what the configuration says.
    let served = there().args(["--mode", "600", "unix://edge.socket"]).output().unwrap();
    assert!(served.status.success(), "{}", String::from_utf8_lossy(&served.stderr));
    let url = format!("unix://{}", scratch.path("out/edge.socket").display());
    let client = remote::Client::connect(&url).unwrap();
    assert_eq!(
        (client.kernel().as_str(), client.uname().unwrap().nodename.as_str()),
        ("edge", "edge")
    );
    let interfaces = client.sysctl("net.interfaces").unwrap();
    let link = "delay 1500us jitter 100us distribution normal rate 100mbit loss 1% burst 2 reorder 25% \
                duplicate 0.1% corrupt 0.1% limit 1000 buffer 65536";
    assert!(interfaces.contains("10.0.0.1") && interfaces.contains(link), "{interfaces}");
    let reboot = [0xfee1_dead, 672_274_793, 0x4321_fedc, 0].map(remote::Argument::Value);
    client.call(169, &mut { reboot }).unwrap();

    let measured = run(&edge, "--measure --runs 5 --json");
    let value: serde_json::Value = serde_json::from_slice(&measured.stdout).unwrap();
    assert_eq!(value["components"], 4);
    for name in ["min", "median", "p99", "first"] {
        assert!(value["boot_s"][name].as_f64().unwrap() > 0.0, "{name}");
    }
    assert!(value["halt_s"].as_f64().unwrap() > 0.0);
    assert!(value["bytes_per_kernel"].as_f64().unwrap() > 0.0);

    // What only the kernel can refuse: the entry is named.
    for (entry, error) in [
        ("[sysctl]\n'net.inet.ip.ttk' = 1", "[sysctl] net.inet.ip.ttk: No such file"),
        (
            "[[route]]\nto = 'default'\nvia = '10.9.0.1'",
            "[[route]] 0.0.0.0/0 via 10.9.0.1: the gateway is not on the link of any interface",
        ),
    ] {
        let file = scratch.write("wrong.toml", &format!("components = ['netinet']\n{entry}\n"));
        let mut assemble = Command::new(env!("CARGO_BIN_EXE_assemble"));
        let output = assemble.arg(&file).arg("--out").arg(scratch.path("out")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        build(&scratch.path("out/wrong"));
        let refused = run(&edge.with_file_name("wrong"), "");
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{text}");
        assert!(text.contains(error), "{text}");
    }

    let wrong = run(&edge, "--runs 5");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("edge: error: --runs"));
}

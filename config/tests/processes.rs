//! The program `cluster --processes` from outside: shapes, death, what is left behind.

mod scratch;

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use scratch::Scratch;
use serde_json::Value;

fn cluster(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    command.arg("--processes").args(words.split_whitespace()).stdin(Stdio::null());
    command
}

fn json(words: &str) -> Value {
    let output = cluster(&format!("{words} --json --count 5")).output().unwrap();
    assert!(output.status.success(), "{words}: {}", errors(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_shape_comes_up_and_answers() {
    for shape in ["line", "ring", "star", "tree"] {
        for nodes in [8, 16] {
            let value = json(&format!("--topology {shape} --nodes {nodes}"));
            assert_eq!(value["checked"], true, "{shape} {nodes}: {value}");
            assert_eq!((&value["nodes"], &value["processes"]), (&nodes.into(), &nodes.into()));
            for name in [
                "boot_s",
                "configure_s",
                "first_reply_s",
                "checked_s",
                "rtt_warm_s",
                "hop_warm_s",
                "bytes_per_node",
                "pss_bytes",
                "private_bytes_per_process",
            ] {
                assert!(value[name].as_f64().unwrap() > 0.0, "{shape} {nodes}: {name} in {value}");
            }
            let threads = value["host_threads"].as_u64().unwrap();
            assert!(threads > nodes && threads <= 4 * nodes + 1, "{value}");
        }
    }
}

#[test]
fn links_have_the_character_that_is_asked_for() {
    let value = json("--nodes 3 --delay 5ms");
    assert!(value["rtt_warm_s"].as_f64().unwrap() >= 0.020, "{value}");
}

const CROSSING: &str = r#"
auto = true
links = ["hall", "yard"]
[[node]]
name = "a"
interfaces = [{ link = "hall", inet = "10.0.1.1/24" }]
[[node]]
name = "b"
interfaces = [{ link = "hall", inet = "10.0.1.2/24" }]
[[node]]
name = "router"
interfaces = [{ link = "hall", inet = "10.0.1.3/24" }, { link = "yard", inet = "10.0.2.1/24" }]
[[node]]
name = "c"
interfaces = [{ link = "yard", inet = "10.0.2.2/24" }]
"#;

#[test]
fn a_file_comes_up_with_three_on_a_link() {
    let scratch = Scratch::new("crossing");
    let file = scratch.write("net.toml", CROSSING);
    let value = json(&format!("--topology {} --ping 10.0.1.2", file.display()));
    assert_eq!((value["nodes"].as_u64(), value["checked"].as_bool()), (Some(4), Some(true)));
}

#[test]
fn packets_are_captured_where_the_link_begins() {
    let scratch = Scratch::new("capture");
    let file = scratch.path("link3.pcap");
    json(&format!("--nodes 8 --pcap link3={}", file.display()));
    let bytes = std::fs::read(&file).unwrap();
    // At least its header, a question and an answer of ARP, and six pings there and back.
    assert!(bytes.len() > 24 + 2 * (16 + 42) + 12 * (16 + 98), "{} bytes", bytes.len());
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let scratch = Scratch::new("refused");
    let member = |n: u32| {
        format!(
            "[[node]]\nname = \"n{n}\"\ninterfaces = [{{ link = \"hall\", inet = \"10.0.0.{n}/24\" }}]\n"
        )
    };
    let crowd = format!("links = [\"hall\"]\n{}", (1..=65).map(member).collect::<String>());
    let crowd = scratch.write("crowd.toml", &crowd).display().to_string();
    let wrong = [
        (format!("--topology {crowd}"), "hall has 65 interfaces, and a link between processes"),
        ("--nodes 100000".to_string(), "without --processes there is no limit"),
        ("--nodes 8 --pcap lnik1=/dev/null".to_string(), "the nearest known one is \"link1\""),
        ("--nodes 1".to_string(), "at least 2 nodes"),
    ];
    for (words, reason) in wrong {
        let output = cluster(&words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}: {}", errors(&output));
        assert!(errors(&output).contains(reason), "{words}: {}", errors(&output));
        assert!(output.stdout.is_empty(), "{words}");
    }
}

#[test]
fn a_limit_of_descriptors_is_raised_or_named() {
    let limited = |limits: &str| {
        let script = format!("ulimit {limits}; exec \"$0\" --processes --nodes 40 --count 1");
        Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_cluster")]).output().unwrap()
    };
    let raised = limited("-Sn 30");
    assert!(raised.status.success(), "{}", errors(&raised));
    let refused = limited("-n 30");
    assert_eq!(refused.status.code(), Some(2));
    assert!(errors(&refused).contains("this process may have 30 (ulimit -Hn)"));
}

/// A cluster that stays idle, and its processes.
struct Idle {
    parent: Child,
    nodes: Vec<u32>,
}

impl Idle {
    fn start(nodes: usize, folder: &Scratch) -> Idle {
        let mut command = cluster(&format!("--nodes {nodes} --idle 1000 --count 1"));
        command.env("TMPDIR", folder.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
        let parent = command.spawn().unwrap();
        let path = format!("/proc/{0}/task/{0}/children", parent.id());
        let found = eventually(|| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let children = text.split_whitespace().map(|word| word.parse().unwrap());
            Some(children.collect::<Vec<u32>>()).filter(|children| children.len() == nodes)
        });
        Idle { parent, nodes: found }
    }

    fn wait(mut self) -> (Output, Vec<u32>) {
        let nodes = std::mem::take(&mut self.nodes);
        (self.parent.wait_with_output().unwrap(), nodes)
    }
}

/// Asks again until there is an answer.
fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "it does not happen");
        std::thread::yield_now();
    }
}

fn signal(name: &str, pid: u32) {
    let killed = Command::new("kill").args([name, &pid.to_string()]).status().unwrap();
    assert!(killed.success());
}

/// Those that nobody has waited for yet are dead as well.
fn is_dead(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
}

fn nothing_is_left(nodes: &[u32], folder: &Scratch) {
    eventually(|| nodes.iter().all(|pid| is_dead(*pid)).then_some(()));
    assert_eq!(std::fs::read_dir(folder.path("")).unwrap().count(), 0);
}

#[test]
fn a_node_that_is_killed_is_reported_by_name() {
    let folder = Scratch::new("killed");
    let idle = Idle::start(8, &folder);
    signal("-KILL", idle.nodes[4]);
    let (output, nodes) = idle.wait();
    assert_eq!(output.status.code(), Some(1));
    let errors = errors(&output);
    assert!(errors.contains("the process of node5 was ended by signal 9"), "{errors}");
    nothing_is_left(&nodes, &folder);
}

#[test]
fn nothing_is_left_whatever_ends_it() {
    for name in ["-INT", "-TERM", "-KILL"] {
        let folder = Scratch::new(&format!("ended{name}"));
        let idle = Idle::start(16, &folder);
        signal(name, idle.parent.id());
        let (output, nodes) = idle.wait();
        assert_eq!(output.status.code(), None, "{name}");
        nothing_is_left(&nodes, &folder);
    }
}

#[test]
fn a_node_that_is_stopped_is_a_missing_reply_and_not_a_hang() {
    let folder = Scratch::new("stopped");
    let mut command = cluster("--nodes 16 --topology ring --deadline 1 --count 100000000");
    command.env("TMPDIR", folder.path("")).stdout(Stdio::piped()).stderr(Stdio::piped());
    let parent = command.spawn().unwrap();
    let path = format!("/proc/{0}/task/{0}/children", parent.id());
    let nodes: Vec<u32> = eventually(|| {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let children: Vec<u32> = text.split_whitespace().map(|w| w.parse().unwrap()).collect();
        (children.len() == 16).then_some(children)
    });
    signal("-STOP", nodes[0]);
    let output = parent.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    // Where it was stopped decides who notices: its parent, or who pings it.
    let errors = errors(&output);
    assert!(errors.contains("node1 does not come up") || errors.contains("1.2.1.1"), "{errors}");
    nothing_is_left(&nodes, &folder);
}

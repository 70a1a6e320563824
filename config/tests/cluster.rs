//! The program `cluster` from outside: arguments, exit codes, JSON, files, signals.

mod scratch;

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use scratch::Scratch;
use serde_json::Value;

fn cluster(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    command.args(words.split_whitespace()).stdin(Stdio::null());
    command
}

fn run(words: &str) -> Output {
    cluster(words).output().unwrap()
}

fn json(words: &str) -> Value {
    let output = run(&format!("{words} --json --count 5"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn arguments_that_make_no_sense_are_refused_with_a_reason() {
    let start = Instant::now();
    let wrong = [
        ("--nodes 0", "a topology needs at least 2 nodes, not 0"),
        ("--nodes 1", "a topology needs at least 2 nodes, not 1"),
        ("--nodes 1 --topology ring", "at least 2 nodes"),
        ("--nodes many", "invalid digit"),
        ("--nodes 512 --topology ring", "a ring of 512 nodes is too long"),
        ("--nodes 9000000", "9000000 nodes are too many"),
        ("--topology rign", "the nearest known one is \"ring\""),
        ("--topology no/such/file.toml", "no/such/file.toml: No such file"),
        ("--ping 9.9.9.9", "9.9.9.9 is not reachable from node255: no route at node255"),
        ("--ping 1.2.3", "invalid value '1.2.3'"),
        ("--deadline 0", "not a number of seconds above 0"),
        ("--pcap link1", "not a link and a file"),
        ("--pcap lnik1=/dev/null", "unknown link \"lnik1\"; the nearest known one is \"link1\""),
        ("--pcap link1=/no/such/folder/file", "/no/such/folder/file: No such file"),
        ("--delay 20", "\"20\" is not a time such as 20ms"),
        ("--nodes 3 --reorder 5%", "without a delay"),
        ("--nodes 3 --loss 90% --burst 2", "cannot make up"),
        ("--bogus", "unexpected argument"),
    ];
    for (words, reason) in wrong {
        let output = run(words);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}: {errors}");
        assert!(errors.contains(reason), "{words}: {errors}");
        assert!(output.stdout.is_empty(), "{words}");
    }
    assert!(start.elapsed() < Duration::from_secs(60), "something hung");
}

#[test]
fn a_file_with_a_mistake_is_named_with_the_place() {
    let scratch = Scratch::new("mistake");
    let file = scratch.write("net.toml", "links = ['a']\n\nauot = true\n");
    let output = run(&format!("--topology {}", file.display()));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors.contains("net.toml:3:1: unknown key \"auot\""), "{errors}");
}

#[test]
fn every_shape_comes_up_and_answers() {
    for shape in ["line", "ring", "star", "tree"] {
        for nodes in [2, 3, 20] {
            let value = json(&format!("--topology {shape} --nodes {nodes}"));
            assert_eq!(value["checked"], true, "{shape} {nodes}: {value}");
            assert_eq!(value["nodes"], nodes);
            assert_eq!(value["topology"], shape);
            for name in [
                "boot_s",
                "configure_s",
                "first_reply_s",
                "checked_s",
                "rtt_warm_s",
                "hop_warm_s",
                "bytes_per_node",
                "host_threads",
            ] {
                assert!(value[name].is_number(), "{shape} {nodes}: {name} in {value}");
            }
        }
    }
}

#[test]
fn windows_of_a_long_line_are_all_pinged() {
    let output = run("--nodes 600 --count 2");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(text.contains("line: 600 nodes, 600 links"), "{text}");
    assert!(text.contains("3 of 3 pings answered"), "{text}");
}

#[test]
fn an_idle_cluster_says_what_it_costs_in_cpu() {
    let value = json("--nodes 50 --idle 0.3");
    assert!(value["idle_cpu_fraction"].as_f64().unwrap() < 0.5, "{value}");
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    assert!(value["host_threads"].as_u64().unwrap() <= processors + 2, "{value}");
}

const NETWORK: &str = r#"
auto = true
links = ["left", "right"]
[[node]]
name = "a"
interfaces = [{ link = "left", inet = "10.0.1.1/24" }]
[[node]]
name = "router"
interfaces = [{ link = "left", inet = "10.0.1.2/24" }, { link = "right", inet = "10.0.2.1/24" }]
[[node]]
name = "b"
interfaces = [{ link = "right", inet = "10.0.2.2/24" }]
"#;

#[test]
fn a_file_comes_up_and_any_address_of_it_can_be_pinged() {
    let scratch = Scratch::new("file");
    let file = scratch.write("net.toml", NETWORK);
    let topology = format!("--topology {}", file.display());
    let value = json(&topology);
    assert_eq!((value["nodes"].as_u64(), value["checked"].as_bool()), (Some(3), Some(true)));
    // The router's near side is one link away; the last node itself is none.
    assert!(json(&format!("{topology} --ping 10.0.2.1"))["hop_warm_s"].is_number());
    assert!(json(&format!("{topology} --ping 10.0.2.2"))["hop_warm_s"].is_null());
    let output = run(&format!("{topology} --nodes 4"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has 3 nodes"));
}

#[test]
fn links_have_the_character_that_is_asked_for() {
    // Two links there, two back.
    let value = json("--nodes 3 --delay 5ms");
    assert!(value["rtt_warm_s"].as_f64().unwrap() >= 0.020, "{value}");
    let scratch = Scratch::new("character");
    let links = "links = [\"left\", { name = \"right\", delay = \"10ms\" }]";
    let text = NETWORK.replacen("links = [\"left\", \"right\"]", links, 1);
    let file = scratch.write("net.toml", &text);
    let topology = format!("--topology {}", file.display());
    let slow = json(&topology)["rtt_warm_s"].as_f64().unwrap();
    assert!(slow >= 0.020, "{slow}");
    let value = json(&format!("{topology} --delay 0 --jitter 0 --duplicate 100%"));
    assert_eq!(value["checked"], true, "{value}");
    let output = run("--nodes 2 --loss 100% --deadline 0.2");
    assert_eq!(output.status.code(), Some(1), "nothing gets through");
}

/// The frames of a capture file, after checking all that a reader checks.
fn frames(bytes: &[u8]) -> Vec<&[u8]> {
    let word = |at: usize| {
        u32::from_le_bytes(bytes.get(at..at + 4).expect("a whole word").try_into().unwrap())
    };
    assert_eq!(word(0), 0xa1b2_3c4d, "magic number, nanoseconds");
    assert_eq!(word(4), 0x0004_0002, "version 2.4");
    assert_eq!(word(20), 1, "Ethernet");
    let (snaplen, mut at, mut frames, mut last) = (word(16), 24, Vec::new(), (0, 0));
    while at < bytes.len() {
        let (seconds, nanoseconds) = (word(at), word(at + 4));
        let (captured, length) = (word(at + 8), word(at + 12));
        assert!(captured <= length && captured <= snaplen && nanoseconds < 1_000_000_000);
        assert!((seconds, nanoseconds) >= last, "time goes on");
        last = (seconds, nanoseconds);
        frames.push(bytes.get(at + 16..at + 16 + captured as usize).expect("a whole frame"));
        at += 16 + captured as usize;
    }
    frames
}

#[test]
fn captures_can_be_read() {
    let scratch = Scratch::new("pcap");
    let (one, two) = (scratch.path("one.pcap"), scratch.path("two.pcap"));
    let words = format!("--nodes 4 --pcap link2={} --pcap link3={}", one.display(), two.display());
    // One ping of the check and five warm ones.
    json(&words);
    for file in [one, two] {
        let bytes = std::fs::read(&file).unwrap();
        let frames = frames(&bytes);
        let ethertype = |frame: &[u8]| u16::from_be_bytes([frame[12], frame[13]]);
        assert!(frames.iter().any(|frame| ethertype(frame) == 0x0806), "an ARP packet");
        let icmp = |kind: u8| {
            let is =
                |frame: &&&[u8]| ethertype(frame) == 0x0800 && frame[23] == 1 && frame[34] == kind;
            frames.iter().filter(is).count()
        };
        assert_eq!((icmp(8), icmp(0)), (6, 6), "requests and replies");
    }
}

#[test]
fn an_interrupt_ends_it_at_once() {
    let mut child =
        cluster("--nodes 300 --idle 1000 --json").stdout(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = child.wait().unwrap();
    assert!(!status.success());
    assert!(start.elapsed() < Duration::from_secs(20));
}

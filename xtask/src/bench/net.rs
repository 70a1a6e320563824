//! The group `net`: the network stack, beside Linux's over veth pairs.
//!
//! Figures come from the program `bench`, in turn with the same work in Linux network namespaces.
//! Linux sends with CUBIC, as we do, whatever this machine prefers; what it makes of its own choice is
//! beside that (`as_it_comes`).
//! `tcp.loss`: the links are the same, kernels of ours; their ends are taps for Linux, and buses in memory
//! for us.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::netns::way_in;
use super::{Part, Record, gather};
use crate::stats::Samples;
use crate::workspace::Workspace;
use crate::{kernels, run};

const SCRIPT: &str = include_str!("veth.sh");
const RUNS: u32 = 5;
/// Streams that lose packets, at the same time, and how long each takes, in seconds.
const STREAMS: u32 = 10;
const LONG: u32 = 60;

/// Measures everything.
pub fn run(workspace: &Workspace) -> Result<Vec<Record>> {
    let bench = Bench { program: kernels::program(workspace, "bench")? };
    let parts: Vec<Part<'_>> = vec![
        (&["tcp.bulk", "tcp.bus"], Box::new(|| bench.bulk())),
        (&["tcp.tap.out", "tcp.tap.in"], Box::new(|| bench.tap())),
        (&["tcp.rr"], Box::new(|| bench.rr())),
        (&["tcp.connect"], Box::new(|| bench.connect())),
        (&["forward.pps"], Box::new(|| bench.forward())),
        (&["tcp.idle.bytes"], Box::new(|| bench.idle())),
        (&["tcp.loss"], Box::new(|| bench.loss())),
    ];
    Ok(gather(&parts))
}

/// What `bench net loss` answers.
#[derive(Debug, Deserialize)]
struct Streams {
    values: Vec<f64>,
}

/// What `bench net` answers.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Answer {
    value: f64,
    #[serde(default)]
    charged: f64,
    #[serde(default)]
    cpu_s: f64,
}

struct Bench {
    program: PathBuf,
}

/// Runs both in turn; the median of each.
fn in_turn<const N: usize>(sides: [&dyn Fn() -> Result<f64>; N]) -> Result<[f64; N]> {
    let mut values = [const { Vec::new() }; N];
    for _ in 0..RUNS {
        for (side, values) in sides.iter().zip(&mut values) {
            values.push(side()?);
        }
    }
    let mut medians = [0.0; N];
    for (median, values) in medians.iter_mut().zip(values) {
        *median = Samples::new(values).context("no runs")?.median();
    }
    Ok(medians)
}

impl Bench {
    fn ours(&self, what: &[&str]) -> Result<Answer> {
        run::json(Command::new(&self.program).arg("net").args(what))
    }

    /// The same work on Linux's stack, between two namespaces.
    fn linux(&self, work: &str) -> Result<f64> {
        let program = quoted(&self.program)?;
        let serve = format!("{program} net serve {work} 10.0.0.2:7");
        let connect = format!("{program} net connect {work} 10.0.0.2:7");
        let text = between_namespaces(&["pair", &serve, &connect])?;
        let answer: Answer = serde_json::from_str(&text).context("the other side's answer")?;
        Ok(answer.value)
    }

    /// Between two processes over a file bus.
    fn bus(&self) -> Result<f64> {
        let folder = tempfile::tempdir().context("a folder for the bus")?;
        let path = folder.path().join("bus");
        let serve = Command::new(&self.program)
            .args(["net", "serve", "bulk", "10.0.0.2:7", "--bus"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let mut serve = serve.context("the server does not start")?;
        let measured = said_ready(&mut serve).and_then(|()| {
            let mut command = Command::new(&self.program);
            command.args(["net", "connect", "bulk", "10.0.0.2:7", "--bus"]).arg(&path);
            run::json(&mut command)
        });
        let _ = serve.kill();
        let _ = serve.wait();
        let answer: Answer = measured?;
        Ok(answer.value)
    }

    fn bulk(&self) -> Result<Vec<Record>> {
        let iperf = has_iperf();
        let linux = |how: &str| if iperf { iperf3(how) } else { self.linux("bulk") };
        let [ours, bus, theirs, plain] = in_turn([
            &|| Ok(self.ours(&["stream", "bulk"])?.value),
            &|| self.bus(),
            &|| linux("-C cubic"),
            &|| linux(""),
        ])?;
        let of = if iperf {
            "iperf3 with CUBIC over veth between two Linux namespaces"
        } else {
            "the same work over veth between two Linux namespaces (no iperf3 here)"
        };
        let what = "TCP, two kernels of a process, one connection, 128 KiB writes, bytes a second";
        let over_bus = "the same between two processes, over a bus in a file";
        Ok(vec![
            Record::new("tcp.bulk", what, "B", ours, theirs, of).with("as_it_comes", plain),
            Record::new("tcp.bus", over_bus, "B", bus, theirs, of).with("as_it_comes", plain),
        ])
    }

    /// Between a kernel and the host's stack, over a tap device.
    fn over_tap(&self, is_out: bool) -> Result<f64> {
        let program = quoted(&self.program)?;
        let (serves, measures, host) =
            if is_out { ("", "--tap", "10.0.0.2") } else { ("--tap", "", "10.0.0.1") };
        let serve = format!("{program} net serve bulk 10.0.0.2:7 {serves}");
        let connect = format!("{program} net connect bulk 10.0.0.2:7 {measures}");
        let text = between_namespaces(&["tap", &serve, &connect, host])?;
        let answer: Answer = serde_json::from_str(&text).context("the other side's answer")?;
        Ok(answer.value)
    }

    fn tap(&self) -> Result<Vec<Record>> {
        let [out, back, theirs] =
            in_turn([&|| self.over_tap(true), &|| self.over_tap(false), &|| self.linux("bulk")])?;
        let sends = "TCP from a kernel over a tap device to the host's stack, bytes a second";
        let receives = "TCP from the host's stack over a tap device to a kernel, bytes a second";
        Ok(vec![
            Record::new("tcp.tap.out", sends, "B", out, theirs, OF),
            Record::new("tcp.tap.in", receives, "B", back, theirs, OF),
        ])
    }

    fn rr(&self) -> Result<Vec<Record>> {
        let [ours, theirs] =
            in_turn([&|| Ok(self.ours(&["stream", "rr"])?.value), &|| self.linux("rr")])?;
        let what = "TCP, 64 bytes there and back, two kernels of a process, a thread each";
        Ok(vec![Record::new("tcp.rr", what, "s", ours, theirs, OF)])
    }

    fn connect(&self) -> Result<Vec<Record>> {
        let [ours, theirs] =
            in_turn([&|| Ok(self.ours(&["stream", "connect"])?.value), &|| self.linux("connect")])?;
        let what = "connections a second: connect, a byte each way, close";
        Ok(vec![Record::new("tcp.connect", what, "1", ours, theirs, OF)])
    }

    fn forward(&self) -> Result<Vec<Record>> {
        let myself = std::env::current_exe().context("this program does not know where it is")?;
        let feed = format!("taskset -c 0 {} packet-feed $IF $MAC 1", quoted(&myself)?);
        let linux = || {
            let text = between_namespaces(&["forward", &feed])?;
            let (packets, seconds) = text.trim().split_once(' ').context("no counts")?;
            Ok(packets.parse::<f64>()? / seconds.parse::<f64>()?)
        };
        let [ours, theirs] = in_turn([&|| Ok(self.ours(&["forward"])?.value), &linux])?;
        let what = "packets of 64 bytes a second through a router, three kernels on one processor";
        let of = "Linux forwarding between veth pairs, fed by AF_PACKET sendmmsg, on one processor";
        Ok(vec![Record::new("forward.pps", what, "1", ours, theirs, of)])
    }

    fn idle(&self) -> Result<Vec<Record>> {
        let answer = self.ours(&["idle"])?;
        let what = "memory for each end of 10,000 idle connections";
        let of = "what Linux takes cannot be told apart";
        Ok(vec![
            Record::alone("tcp.idle.bytes", what, "B", answer.value, "–", of)
                .with("charged_bytes", answer.charged)
                .with("cpu_s", answer.cpu_s),
        ])
    }

    /// Nobody is short of anything but patience, so all streams of a side go at the same time.
    fn loss(&self) -> Result<Vec<Record>> {
        let (streams, seconds) = (STREAMS.to_string(), LONG.to_string());
        let ours: Streams = run::json(
            Command::new(&self.program).args(["net", "loss", "ours", &streams, &seconds]),
        )?;
        let program = quoted(&self.program)?;
        let text = between_namespaces(&[
            "taps",
            &format!("{program} net loss links {streams}"),
            &format!("{program} net serve bulk $ADDR:7"),
            &format!("{program} net loss connect $ADDR:7 {seconds}"),
            &streams,
        ])?;
        let mut theirs = Vec::new();
        for line in text.lines() {
            let one: Streams = serde_json::from_str(line).context("a stream's answer")?;
            theirs.extend(one.values);
        }
        if theirs.len() != ours.values.len() {
            bail!("{} of Linux's streams have answered, of {STREAMS}", theirs.len());
        }
        let median = |values: Vec<f64>| Ok(Samples::new(values).context("no streams")?.median());
        let (ours, theirs): (Result<f64>, Result<f64>) = (median(ours.values), median(theirs));
        let what = "bytes a second over 60 s, 1 % loss and 10 ms each way, median of ten";
        let of = "Linux's CUBIC between two namespaces over the same links, by taps";
        Ok(vec![Record::new("tcp.loss", what, "B", ours?, theirs?, of)])
    }
}

const OF: &str = "the same over veth between two Linux namespaces";

/// Waits until a server listens.
fn said_ready(server: &mut Child) -> Result<()> {
    let output = server.stdout.take().context("no output of the server")?;
    let line = BufReader::new(output).lines().next();
    line.context("the server has ended")??;
    Ok(())
}

fn quoted(path: &Path) -> Result<String> {
    let text = path.to_str().context("a path is not UTF-8")?;
    if text.contains('\'') {
        bail!("{text} has a quote in it");
    }
    Ok(format!("'{text}'"))
}

fn has_iperf() -> bool {
    let mut command = Command::new("iperf3");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// With these options.
fn iperf3(how: &str) -> Result<f64> {
    // That nobody listens yet it says in its answer, and as if all were well.
    let client = format!(
        "iperf3 {how} -c 10.0.0.2 -l 128K -t 1 -J > /run/iperf && ! grep -q '\"error\"' /run/iperf \
         && cat /run/iperf"
    );
    let text = between_namespaces(&["pair", "iperf3 -s -B 10.0.0.2", &client])?;
    let answer: serde_json::Value = serde_json::from_str(&text).context("iperf3's answer")?;
    let bits = answer.pointer("/end/sum_received/bits_per_second").and_then(|v| v.as_f64());
    Ok(bits.context("iperf3 has no figure")? / 8.0)
}

fn between_namespaces(arguments: &[&str]) -> Result<String> {
    let entry = way_in().context(
        "network namespaces cannot be made here (needs unshare, ip, and root or user namespaces)",
    )?;
    let output = Command::new("unshare")
        .args(entry)
        .args(["sh", "-c", SCRIPT, "sh"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("unshare does not start")?;
    if !output.status.success() {
        bail!("between namespaces: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("an answer that is not text")
}

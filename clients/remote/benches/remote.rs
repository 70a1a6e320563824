//! `remote.getpid` and `remote.read64k`: calls on a kernel in another process.
//!
//! The baseline is what such a call cannot do without: 64 bytes through a unix socket to another
//! process, and as many back as the call brings. Both sides block, and both are measured twice:
//! with all processes on one CPU, and free. The worse ratio is the figure.
//!
//! Called with the path of `rump_server`; prints an array of figures as JSON.
//!
//! Locking: none. Sources: unix(7).

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use remote::{Client, UdpSocket};
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};

const BATCHES: usize = 60;
const CALLS: u32 = 300;

/// What a request takes on the wire of the baseline.
const ASK: usize = 64;

/// The largest datagram, which is as much as one call can bring without TCP.
const MUCH: usize = 65_507;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.as_slice() {
        [server] if !server.starts_with('-') => {
            println!("{}", serde_json::to_string_pretty(&measure(Path::new(server))?)?);
            Ok(())
        }
        [role, bytes] if role == "--echo" => echo(bytes.parse()?),
        // What `cargo test` makes of it.
        _ => Ok(()),
    }
}

fn measure(server: &Path) -> Result<Value, Failure> {
    let folder = tempfile::tempdir()?;
    let url = format!("unix://{}", folder.path().join("server").display());
    let server = Command::new(server)
        .args(["-s", "-l", "netinet", &url])
        .env("XDG_RUNTIME_DIR", folder.path())
        .stdin(Stdio::null())
        .spawn()?;
    let server = Process(server);
    let client = connect(&url)?;
    let socket = UdpSocket::bind(&client, "127.0.0.1:7")?;
    socket.set_receive_buffer(1 << 20)?;
    socket.send_to(&[7; MUCH], "127.0.0.1:7")?;
    let mut buf = vec![0; MUCH];
    // It stays there, so that nothing but the read is measured.
    let mut peek = || -> Result<(), Failure> {
        (0..CALLS).try_for_each(|_| {
            let n = socket.peek(&mut buf)?;
            if n == MUCH { Ok(()) } else { Err(format!("{n} bytes instead of {MUCH}").into()) }
        })
    };
    let mut getpid =
        || -> Result<(), Failure> { (0..CALLS).try_for_each(|_| Ok(client.getpid().map(|_| ())?)) };
    let of = "64 bytes through a unix socket, and 64 back";
    let getpid =
        figure("remote.getpid", "getpid over a unix socket", of, ASK, &server, &mut getpid)?;
    let what = "a read of 65,507 bytes over a unix socket";
    let of = "64 bytes through a unix socket, and 65,507 back";
    let read = figure("remote.read64k", what, of, MUCH, &server, &mut peek)?;
    Ok(json!([getpid, read]))
}

fn connect(url: &str) -> Result<Client, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Client::connect(url) {
            Err(_) if Instant::now() < deadline => {
                std::thread::park_timeout(Duration::from_millis(1));
            }
            connected => return Ok(connected?),
        }
    }
}

fn figure(
    id: &str,
    what: &str,
    of: &str,
    bytes: usize,
    server: &Process,
    calls: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<Value, Failure> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--echo", &bytes.to_string()]).stdin(theirs.as_fd().try_clone_to_owned()?);
    let echo = Process(command.spawn()?);
    drop(theirs);
    let mut turns = || turns(&ours, bytes);
    let free = compare(calls, &mut turns)?;
    let all = sched_getaffinity(None)?;
    let processes = [None, Some(server.pid()), Some(echo.pid())];
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap_or(0));
    processes.iter().try_for_each(|pid| sched_setaffinity(*pid, &one))?;
    let pinned = compare(calls, &mut turns);
    processes.iter().try_for_each(|pid| sched_setaffinity(*pid, &all))?;
    let pinned = pinned?;
    let worst = if pinned.ratio > free.ratio { pinned } else { free };
    Ok(json!({
        "id": id, "what": what, "unit": "s", "value": worst.ours, "baseline": worst.theirs,
        "baseline_what": of, "ratio": worst.ratio,
        "free_s": free.ours, "free_ratio": free.ratio,
        "pinned_s": pinned.ours, "pinned_ratio": pinned.ratio,
    }))
}

/// Seconds of one operation, and the median of the ratios of neighbouring batches.
#[derive(Clone, Copy)]
struct Compared {
    ours: f64,
    theirs: f64,
    ratio: f64,
}

fn compare(
    ours: &mut dyn FnMut() -> Result<(), Failure>,
    theirs: &mut dyn FnMut() -> Result<(), Failure>,
) -> Result<Compared, Failure> {
    let timed = |work: &mut dyn FnMut() -> Result<(), Failure>| {
        let start = Instant::now();
        work().map(|()| start.elapsed().as_secs_f64() / f64::from(CALLS))
    };
    timed(ours)?;
    timed(theirs)?;
    let (mut mine, mut yours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..BATCHES {
        let (one, other) = (timed(ours)?, timed(theirs)?);
        mine.push(one);
        yours.push(other);
        ratios.push(one / other);
    }
    Ok(Compared { ours: median(mine), theirs: median(yours), ratio: median(ratios) })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn turns(mut stream: &UnixStream, bytes: usize) -> Result<(), Failure> {
    let mut buf = vec![0; bytes];
    for _ in 0..CALLS {
        stream.write_all(&[1; ASK])?;
        stream.read_exact(&mut buf)?;
    }
    Ok(())
}

/// The other process of the baseline: its standard input is the stream.
fn echo(bytes: usize) -> Result<(), Failure> {
    let mut stream = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let (mut ask, answer) = ([0; ASK], vec![2; bytes]);
    while stream.read_exact(&mut ask).is_ok() {
        stream.write_all(&answer)?;
    }
    Ok(())
}

/// A process that ends with its owner.
struct Process(Child);

impl Process {
    fn pid(&self) -> Pid {
        Pid::from_child(&self.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

//! `bench`: figures of kernels in programs, each beside a baseline of the same run.
//!
//! * `core`: boot and system calls, as the ids of the figure tables.  * `getpid`: the host's system
//!   call and a kernel's.  * `remote`: what crosses between processes.
//! * `boot`, `syscall`: the measurements.  * `getpid`: the host's.  * `bus`: a bus in a file.
//! * `network`: streams and packets.
//! * `record`: a figure.
//! * `samples`: batches, in turn, and their medians.
//!
//! Locking: none here.
#![forbid(unsafe_code)]

mod boot;
mod bus;
mod getpid;
mod network;
mod record;
mod samples;
mod syscall;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;

use record::Record;

base::kernel!(BASE = []);
base::kernel!(ROUTER = [net, netinet, shmif]);
base::kernel!(UPLINK = [net, netinet, virtif]);

/// Measure kernels in programs, beside baselines of the same run
#[derive(Parser)]
#[command(name = "bench", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Print JSON (SI units)
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// boot.base, boot.router, syscall.bound, syscall.2cpu
    Core,
    /// getpid of the host and of a kernel
    Getpid,
    /// bus.ping
    Remote,
    /// A side of what `cargo xtask bench net` measures
    #[command(subcommand)]
    Net(network::Net),
    /// The other process of bus.ping
    #[command(hide = true)]
    BusPeer {
        /// The bus
        path: std::path::PathBuf,
    },
    /// Do nothing: what starting a process costs
    #[command(hide = true)]
    Nothing,
}

fn main() -> ExitCode {
    // Before the arguments are parsed: this is the baseline of boots.
    if std::env::args_os().nth(1).is_some_and(|word| word == "nothing") {
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::parse();
    let text = match arguments.what {
        What::Core => core(arguments.json),
        What::Getpid => getpid(arguments.json),
        What::Remote => remote(arguments.json),
        What::Net(what) => network::run(what),
        What::BusPeer { path } => bus::peer(&path).map(|()| String::new()),
        What::Nothing => Ok(String::new()),
    };
    let printed = text.and_then(|text| {
        let mut out = std::io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        written.map_err(|error| format!("cannot write to the standard output: {error}"))
    });
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn core(json: bool) -> Result<String, String> {
    let mut records = boot::measure()?;
    records.push(syscall::bound()?);
    records.push(syscall::two_cpus()?);
    show(&records, json)
}

fn remote(json: bool) -> Result<String, String> {
    show(&[bus::ping()?], json)
}

fn show(records: &[Record], json: bool) -> Result<String, String> {
    match json {
        true => record::json(records),
        false => Ok(records.iter().map(Record::to_string).collect()),
    }
}

fn getpid(json: bool) -> Result<String, String> {
    let (host, kernel) = getpid::measure()?;
    Ok(match json {
        true => format!("{}\n", json!({"host_getpid_s": host, "kernel_getpid_s": kernel})),
        false => format!("getpid: host {:.1} ns, kernel {:.1} ns\n", host * 1e9, kernel * 1e9),
    })
}

//! `shmif_dumpbus`: the frames that are in a bus file, after the fact.
//!
//! Locking: none. Sources: NetBSD usr.bin/shmif_dumpbus.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use shmif_linux::dump::Dump;

/// Show the frames that are still in a bus file, merged by time
///
/// A bus file keeps the last 128 KiB of frames of each member, also after its death, so this tells
/// what happened before a crash. It changes nothing, takes no lock, and works on a bus in use. The
/// times are the senders'.
///
/// Without -p: a line per frame (time, slot and which owner of it, how many frames it had sent,
/// addresses, type, length), and before them a line per member.
#[derive(Parser)]
#[command(
    name = "shmif_dumpbus",
    max_term_width = 100,
    after_help = "Examples:\n  \
        shmif_dumpbus shm/shmif1                     a line per frame\n  \
        shmif_dumpbus -p out.pcap shm/shmif1         a capture for Wireshark\n  \
        shmif_dumpbus -p - shm/shmif1 | tcpdump -r - what tcpdump makes of it"
)]
struct Arguments {
    /// Write a capture file (pcap, times in nanoseconds); `-` is the standard output
    #[arg(short, long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// The bus: the path that was given as linkstr
    #[arg(value_name = "BUSFILE")]
    bus: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shmif_dumpbus: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let dump =
        Dump::read(&arguments.bus).map_err(|e| format!("{}: {e}", arguments.bus.display()))?;
    let stdout = || BufWriter::new(io::stdout().lock());
    let written = match &arguments.pcap {
        None => list(&dump, &mut stdout()),
        Some(path) if path == Path::new("-") => dump.capture(&mut stdout()),
        Some(path) => {
            let file = File::create(path).map_err(|e| format!("{}: {e}", path.display()))?;
            dump.capture(&mut BufWriter::new(file))
        }
    };
    match written {
        // Whoever reads has seen enough.
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|e| format!("cannot write: {e}")),
    }
}

fn list(dump: &Dump, out: &mut impl Write) -> io::Result<()> {
    for member in &dump.members {
        writeln!(out, "{member}")?;
    }
    for frame in &dump.frames {
        writeln!(out, "{frame}")?;
    }
    out.flush()
}

//! `shmif_dumpbus`: the frames that are in a bus file, after the fact.
//!
//! Locking: none. Sources: NetBSD usr.bin/shmif_dumpbus.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use shmif_linux::dump::{Arguments, Dump};

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

//! What an assembled kernel does when it is started as a program.
//!
//! * Without arguments it boots, is set up as its configuration says, prints the kernel's messages
//!   and ends. `--help` tells the rest.
//! * [`main`] is what its `main` calls.
//!
//! Nothing is allocated, started or read here before the kernel boots, and arguments are read by
//! hand: from the start of the process to its end, and the size of the program, are figures that
//! the project watches.
//!
//! Locking: none. Sources: the book, section 3.8 (bootstrap) and table 4.1 (bootstrap times).

mod arguments;
mod measure;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use base::{Host, Kernel, Lwp, Options, Spec};

use arguments::{Action, HELP};

/// Runs the program: boots a kernel of `spec` on `host`, and does with it what the arguments of
/// the process ask for. `configure` is what the configuration says beside its options; its error
/// names the entry.
pub fn main(
    host: Arc<dyn Host>,
    spec: &'static Spec,
    options: Options<'_>,
    configure: fn(&mut Lwp<'_>) -> Result<(), String>,
) -> ExitCode {
    let action = arguments::read(std::env::args_os().skip(1));
    let done = match action {
        Ok(Action::Help) => print(HELP),
        Ok(Action::ProbeExit) => boot(host, spec, &options, configure).map(drop),
        Ok(Action::Show) => show(host, spec, &options, configure),
        Ok(Action::Measure { runs, json }) => measure::measure(&host, spec, &options, runs)
            .and_then(|measured| print(&if json { measured.json() } else { measured.to_string() })),
        Err(error) => {
            say(options.name, &error);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(options.name, &error);
            ExitCode::FAILURE
        }
    }
}

/// A kernel, booted and set up; an error is one sentence.
fn boot(
    host: Arc<dyn Host>,
    spec: &'static Spec,
    options: &Options<'_>,
    configure: fn(&mut Lwp<'_>) -> Result<(), String>,
) -> Result<Kernel, String> {
    let kernel = Kernel::boot_with(host, spec, options).map_err(|e| e.to_string())?;
    match kernel.enter(configure) {
        Ok(Ok(())) => Ok(kernel),
        Ok(Err(error)) => Err(format!("the configuration cannot be carried out: {error}")),
        Err(_) => Err("the kernel panicked while it was set up".to_string()),
    }
}

/// Prints what the kernel has to say.
fn show(
    host: Arc<dyn Host>,
    spec: &'static Spec,
    options: &Options<'_>,
    configure: fn(&mut Lwp<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let kernel = boot(host, spec, options, configure)?;
    let messages = kernel.enter(|l| base::msgbuf::dmesg(l)).map_err(|_| "the kernel panicked")?;
    print(&messages)
}

fn print(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| format!("cannot write to the standard output: {error}"))
}

fn say(name: &str, error: &str) {
    // Where nobody reads, the exit code must do.
    let _ = writeln!(std::io::stderr(), "{name}: error: {error}");
}

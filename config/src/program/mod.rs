//! What an assembled kernel does when it is started as a program.
//!
//! * With a URL it is served there to other programs, if it has the component for that.
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

/// How a kernel is to be served.
pub struct Serve<'a> {
    /// The program, for messages.
    pub program: &'a str,
    /// Where clients come in.
    pub url: &'a str,
    /// The kernel's name.
    pub kernel: &'a str,
    /// What it is made of.
    pub components: Vec<&'static str>,
    /// Stay in the foreground.
    pub foreground: bool,
    /// The mode of a unix socket.
    pub mode: u32,
    /// To listen on TCP where others can reach it, without a key.
    pub allow_unauthenticated_anywhere: bool,
}

/// Serves the kernel that it is given the means to boot, until that ends; the program's exit code.
/// Called before the process has a second thread.
pub type Server = fn(&Serve<'_>, &mut dyn FnMut() -> Result<Kernel, String>) -> ExitCode;

/// Runs the program: boots a kernel of `spec` on `host`, and does with it what the arguments of
/// the process ask for. `configure` is what the configuration says beside its options; its error
/// names the entry. `server` serves the kernel, if it has the component for that.
pub fn main(
    host: Arc<dyn Host>,
    spec: &'static Spec,
    options: Options<'_>,
    configure: fn(&mut Lwp<'_>) -> Result<(), String>,
    server: Option<Server>,
) -> ExitCode {
    let action = arguments::read(std::env::args_os().skip(1));
    let done = match action {
        Ok(Action::Help) => print(HELP),
        Ok(Action::Serve(served)) => {
            let Some(server) = server else {
                say(options.name, NOT_SERVED);
                return ExitCode::from(2);
            };
            let serve = Serve {
                program: options.name,
                url: &served.url,
                kernel: if options.name.is_empty() { spec.name } else { options.name },
                components: spec.components.iter().map(|component| component.name).collect(),
                foreground: served.foreground,
                mode: served.mode,
                allow_unauthenticated_anywhere: served.anywhere,
            };
            return server(&serve, &mut || boot(host.clone(), spec, &options, configure));
        }
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

/// Why a kernel has no use for a URL.
const NOT_SERVED: &str = "it cannot be served: its configuration lacks the component sysproxy";

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

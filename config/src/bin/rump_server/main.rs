//! `rump_server`: a kernel as a server, for programs that use it with system calls.
//!
//! One program holds every component that the project ships; its arguments choose those that the
//! kernel gets. Called `rump_allserver`, it gives the kernel all of them.
//! * `arguments`: the command line.  * `choice`: from names to components.  * `console`: messages.
//!
//! Locking: none here. Sources: the book, section 3.12; rump_server(1), rump_allserver(1).
#![forbid(unsafe_code)]

mod arguments;
mod choice;
mod console;

use std::process::ExitCode;
use std::sync::Arc;

use base::{Kernel, Options};
use clap::Parser;
use linux::Linux;
use sysproxy::Service;
use sysproxy_linux::daemon::{self, Daemon};

use arguments::Arguments;

base::kernel!(ALL = [net, netinet, shmif, virtif, bridge, vlan, dhcp, sysproxy]);

fn main() -> ExitCode {
    let program = arguments::program();
    let arguments = Arguments::parse_from(arguments::words());
    let all = arguments.all || program == arguments::ALL_SERVER;
    let components = match choice::choose(&arguments.components, all, ALL.components) {
        Ok(components) => components,
        Err(error) => {
            eprintln!("{program}: error: {error}");
            return ExitCode::from(2);
        }
    };
    console::set_up(arguments.verbose);
    let name = arguments.name.clone().unwrap_or_else(|| choice::name(&arguments.url));
    let daemon = Daemon {
        program: &program,
        url: &arguments.url,
        kernel: &name,
        components: &components,
        foreground: arguments.foreground,
        mode: arguments.mode,
        allow_unauthenticated_anywhere: arguments.allow_unauthenticated_anywhere,
    };
    daemon::serve(&daemon, |bell| {
        let host = Linux::builder()
            .io("shmif", shmif_linux::files())
            .io("virtif", virtif_linux::taps())
            .build();
        let options = Options {
            name: &name,
            ncpu: arguments.ncpu,
            memlimit: arguments.memlimit.unwrap_or_else(a_quarter),
            components: Some(&components),
            hostname: arguments.hostname.as_deref().unwrap_or_default(),
        };
        let kernel = Kernel::boot_with(host, &ALL, &options).map_err(|e| e.to_string())?;
        let service = Service::new(kernel.handle(), bell).map_err(|e| e.to_string())?;
        Ok((kernel, Arc::clone(&service)))
    })
}

/// What a kernel may hold if nobody says: clients that are nobody to it can have it hold much, and
/// are not to have the machine for that. A quarter of its memory.
fn a_quarter() -> u64 {
    let machine = rustix::system::sysinfo();
    machine.totalram.saturating_mul(machine.mem_unit.into()) / 4
}

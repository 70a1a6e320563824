//! route: the routing table.
//!
//! * `words`: what the words of the command line mean.  * `show`: how routes look.
//!
//! Locking: none. Sources: NetBSD route(8).

pub(crate) mod show;
mod words;

use std::io::Write;

use crate::arguments::Arguments;
use crate::definition::{Example, JSON, NUMERIC, Opt, Tool};
use crate::failure::{Advice, Failure, errno};
use crate::requests::{self, Route, flags};
use crate::server::{self, Control};

use words::Command;

const QUIET: Opt = Opt::flag('q', "say nothing about what was done");
const FLUSH: Opt = Opt::flag('f', "delete all routes that were added, first");

pub(crate) const TOOL: Tool = Tool {
    name: "route",
    about: "show and change the routes of a kernel",
    usage: &[
        "[-nq] add [-net|-host] DESTINATION [-netmask MASK] GATEWAY",
        "[-nq] delete [-net|-host] DESTINATION [-netmask MASK]",
        "[-n] get ADDRESS",
        "[-n] [--json] show",
        "[-nq] flush",
    ],
    options: &[&QUIET, &NUMERIC, &FLUSH, &JSON],
    words: words::ALL,
    permutes: false,
    notes: "DESTINATION is `default`, an ADDRESS, or ADDRESS/LENGTH. Without -net, -host and a \
            mask it is a network if it ends where its class does, else a host. The gateway is a \
            neighbour, or an address of the kernel's own: what is on that link itself.",
    examples: &[
        Example {
            does: "packets to 1.2.1.x go through 1.2.3.2",
            arguments: "add -net 1.2.1.0 -netmask 0xffffff00 1.2.3.2",
        },
        Example { does: "the same", arguments: "add 1.2.1.0/24 1.2.3.2" },
        Example { does: "so do all that have no other route", arguments: "add default 1.2.3.2" },
        Example { does: "which way packets to 10.0.0.9 take", arguments: "get 10.0.0.9" },
        Example { does: "takes a route away", arguments: "delete 1.2.1.0/24" },
        Example { does: "the whole table, for programs", arguments: "--json show" },
    ],
    failure: 1,
    run,
};

const ADVICE: Advice = &[
    (errno::EXIST, "there is such a route already; `route delete` it first"),
    (errno::SRCH, "there is no such route; `route show` has those there"),
    (errno::NETUNREACH, "the gateway is on no link of this kernel; see `ifconfig` for those"),
    (errno::INVAL, "the destination has bits behind its mask"),
    (errno::PERM, "not permitted: to others than root, and for routes that an address made"),
];

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let flushes = arguments.has(&FLUSH);
    let command = match arguments.words.as_slice() {
        [] if flushes => Command::Flush,
        words => words::parse(words)?,
    };
    if !matches!(command, Command::Show) && arguments.has(&JSON) {
        return Err(Failure::misuse("--json is for show"));
    }
    let quiet = arguments.has(&QUIET);
    if matches!(command, Command::Show) && !flushes {
        show::table(&server::connect(arguments)?, arguments.has(&JSON), out)?;
        return Ok(0);
    }
    let control = Control::new(arguments);
    if flushes || matches!(command, Command::Flush) {
        let count = control.count(requests::SIOCFLUSHRT, "flush")?;
        if !quiet {
            writeln!(out, "flushed {count} routes")?;
        }
    }
    match command {
        Command::Flush => {}
        Command::Show => show::table(&server::connect(arguments)?, arguments.has(&JSON), out)?,
        Command::Add(route) => {
            let what = format!("add {}", named(&route));
            let number = requests::SIOCADDRT;
            control.request(number, &mut route.to_bytes(), &what, ADVICE)?;
            if !quiet {
                writeln!(out, "{what}: gateway {}", route.gateway)?;
            }
        }
        Command::Delete(route) => {
            let what = format!("delete {}", named(&route));
            let number = requests::SIOCDELRT;
            control.request(number, &mut route.to_bytes(), &what, ADVICE)?;
            if !quiet {
                writeln!(out, "{what}")?;
            }
        }
        Command::Get(addr) => {
            let mut memory = Route::to(addr, 32).to_bytes();
            let what = format!("get {addr}");
            control.request(requests::SIOCGETRT, &mut memory, &what, ADVICE)?;
            show::route(addr, &Route::parse(&memory), out)?;
        }
    }
    Ok(0)
}

/// A route's destination, as the original names it.
fn named(route: &Route) -> String {
    match route.prefix {
        0 => "net default".into(),
        _ if route.flags & flags::HOST != 0 => format!("host {}", route.dst),
        _ => format!("net {}", route.dst),
    }
}

//! dhcpclient: has the kernel get an address for an interface from a server of its link.
//!
//! The kernel asks, holds the lease and renews it; the tool waits for the beginning, and may be ended
//! at any time.
//!
//! Locking: none. Sources: NetBSD's dhcpclient of rump; the book, workflow W3.

use std::io::Write;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use remote::Client;

use crate::arguments::Arguments;
use crate::definition::{Example, JSON, Opt, Tool};
use crate::failure::{Advice, Failure, errno, told};
use crate::ping::Time;
use crate::requests;
use crate::server::{self, Control};
use crate::table::Table;

const RELEASE: Opt = Opt::flag('r', "give the lease back, and take the address away");
const WAIT: Opt =
    Opt::value('w', "SECONDS", "how long to wait for a lease (60); the kernel goes on asking");

pub(crate) const TOOL: Tool = Tool {
    name: "dhcpclient",
    about: "get an interface's address from a server of its link",
    usage: &["[--json] [-w SECONDS] INTERFACE", "-r INTERFACE"],
    options: &[&RELEASE, &WAIT, &JSON],
    words: &[],
    permutes: true,
    notes: "Brings the interface up. The kernel holds the lease and renews it, until it is given \
            back, or the interface or the kernel ends; `sysctl net.dhcp.leases` shows it. A router \
            that the server names becomes the default route, unless there is one. Servers of names \
            are shown only. Called again, it asks for more time.",
    examples: &[
        Example { does: "an address for the interface on the host's network", arguments: "virt0" },
        Example { does: "gives it back", arguments: "-r virt0" },
    ],
    failure: 1,
    run,
};

const TABLE: &str = "net.dhcp.leases";

/// Between two looks at what became of it.
const EVERY: Duration = Duration::from_millis(20);

/// How long it may take to give a lease back.
const SOON: Duration = Duration::from_secs(5);

const NO_SUCH: (i32, &str) =
    (errno::NODEV, "no such interface; `ifconfig INTERFACE create` makes it");
const ADVICE: Advice = &[
    NO_SUCH,
    (errno::NOENT, "this kernel has no dhcp; start its server with -l dhcp"),
    (errno::OPNOTSUPP, "only interfaces of Ethernets have leases"),
    (errno::ADDRNOTAVAIL, "it has no lease, and asks for none"),
    (errno::PERM, "not permitted: only the kernel's root may"),
];

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let [interface] = arguments.words.as_slice() else {
        return Err(Failure::misuse("which INTERFACE? one has to be named"));
    };
    let name = requests::name(interface)?;
    if arguments.has(&RELEASE) {
        if arguments.has(&WAIT) || arguments.has(&JSON) {
            return Err(Failure::misuse("-r gives a lease back; there is nothing to show"));
        }
        let client = server::connect(arguments)?;
        set(&client, "net.dhcp.release", interface)?;
        wait(&client, interface, SOON, |state| matches!(state, "" | "stopped"))?;
        return Ok(0);
    }
    let patience = arguments.value::<Time>(&WAIT, "a number of seconds, as 0.5 is")?;
    let patience = patience.map_or(Duration::from_secs(60), |time| time.0);
    let control = Control::new(arguments);
    let mut up = requests::ifreq(&name, 1);
    control.request(requests::SIOCSIFFLAGS, &mut up, interface, &[NO_SUCH])?;
    let client = control.client().ok_or_else(|| Failure::failed("the server is gone"))?;
    set(client, "net.dhcp.start", interface)?;
    let is_there = |state: &str| matches!(state, "bound" | "renewing" | "rebinding");
    let text = wait(client, interface, patience, is_there)?;
    let table = Table::parse(TABLE, &text);
    if arguments.has(&JSON) {
        table.write_json(|row| row.get("interface") == interface, out)?;
        writeln!(out)?;
        return Ok(0);
    }
    for row in table.rows().filter(|row| row.get("interface") == interface) {
        let (address, prefix, server) = (row.get("address"), row.get("prefix"), row.get("server"));
        let time = match row.get("lease") {
            "" => "for ever".to_owned(),
            seconds => format!("for {seconds} s"),
        };
        write!(out, "{interface}: {address}/{prefix} from {server} {time}")?;
        for (what, cell) in [("router", "router"), ("dns", "dns")] {
            if !row.get(cell).is_empty() {
                write!(out, ", {what} {}", row.get(cell))?;
            }
        }
        writeln!(out)?;
    }
    Ok(0)
}

fn set(client: &Client, name: &str, interface: &str) -> Result<(), Failure> {
    let done = client.sysctl_raw(name, &mut [], Some(interface));
    done.map(drop).map_err(|e| told(interface, &e, ADVICE))
}

/// Waits until the interface's state is as it is to be; the table then.
fn wait(
    client: &Client,
    interface: &str,
    patience: Duration,
    done: impl Fn(&str) -> bool,
) -> Result<String, Failure> {
    let deadline = Instant::now() + patience;
    loop {
        let text = server::table(client, TABLE)?;
        let table = Table::parse(TABLE, &text);
        let row = table.rows().find(|row| row.get("interface") == interface);
        let state = row.map_or("", |row| row.get("state"));
        if done(state) {
            return Ok(text);
        }
        if Instant::now() >= deadline {
            let why = match state {
                "selecting" => "no server answers; the kernel goes on asking, `-r` ends that",
                "init" => "a server refused, or the address is in use; see `sysctl kern.msgbuf`",
                _ => {
                    "not in time; the kernel goes on, `sysctl net.dhcp.leases` shows how far it is"
                }
            };
            return Err(Failure::failed(format!("{interface}: {why}")));
        }
        park_timeout(EVERY);
    }
}

//! arp: which link addresses a kernel knows.
//!
//! Locking: none. Sources: NetBSD arp(8).

use std::io::Write;

use crate::address;
use crate::arguments::Arguments;
use crate::definition::{Example, JSON, NUMERIC, Opt, Tool};
use crate::failure::{Advice, Failure, errno};
use crate::requests::{self, Arp};
use crate::server::{self, Control};
use crate::table::{Row, Table};

const ALL: Opt = Opt::flag('a', "show all; so does no argument at all");
const DELETE: Opt = Opt::flag('d', "forget ADDRESS; with -a, all");
const SET: Opt = Opt::flag('s', "set the link address of ADDRESS, for good");

pub(crate) const TOOL: Tool = Tool {
    name: "arp",
    about: "show and change the link addresses that a kernel knows",
    usage: &["[-an] [--json]", "[-n] ADDRESS", "-d ADDRESS", "-d -a", "-s ADDRESS LINKADDRESS"],
    options: &[&ALL, &DELETE, &SET, &NUMERIC, &JSON],
    words: &[],
    permutes: true,
    notes: "",
    examples: &[
        Example { does: "all of them", arguments: "-an" },
        Example { does: "one", arguments: "10.0.0.2" },
        Example { does: "sets one", arguments: "-s 10.0.0.2 b2:a0:00:00:00:02" },
        Example { does: "forgets all, static ones too", arguments: "-d -a" },
    ],
    failure: 1,
    run,
};

const TABLE: &str = "net.inet.arp.table";

const ADVICE: Advice = &[
    (errno::NXIO, "nothing is known of it"),
    (errno::ADDRNOTAVAIL, "nothing is known of it"),
    (errno::NETUNREACH, "it is on no link of this kernel; see `ifconfig` for those"),
    (errno::INVAL, "no neighbour can have this address, or this link address"),
];

/// What is to be done.
#[derive(PartialEq, Eq, Debug)]
enum Command {
    Show,
    Get(Arp),
    Delete(Arp),
    Flush,
    Set(Arp),
}

fn command(arguments: &Arguments) -> Result<Command, Failure> {
    let of = |text: &str| address::address(text).map(Arp::of);
    let [all, delete, set] = [&ALL, &DELETE, &SET].map(|opt| arguments.has(opt));
    match (delete, set, all, arguments.words.as_slice()) {
        (true, true, ..) => Err(Failure::misuse("-d forgets and -s sets; give one")),
        (true, _, true, []) => Ok(Command::Flush),
        (true, _, false, [addr]) => Ok(Command::Delete(of(addr)?)),
        (true, ..) => Err(Failure::misuse("-d needs one ADDRESS, or -a")),
        (_, true, false, [addr, link]) => {
            let (link, flags) = (address::link(link)?, requests::ARP_STATIC);
            Ok(Command::Set(Arp { link, flags, ..of(addr)? }))
        }
        (_, true, ..) => Err(Failure::misuse("-s needs an ADDRESS and a LINKADDRESS")),
        (_, _, _, []) => Ok(Command::Show),
        (_, _, false, [addr]) => Ok(Command::Get(of(addr)?)),
        (.., [.., word]) => Err(Failure::misuse(format!("\"{word}\" is one word too many"))),
    }
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let command = command(arguments)?;
    if arguments.has(&JSON) && command != Command::Show {
        return Err(Failure::misuse("--json is for the whole table"));
    }
    if command == Command::Show {
        let client = server::connect(arguments)?;
        let text = server::table(&client, TABLE)?;
        let table = Table::parse(TABLE, &text);
        if arguments.has(&JSON) {
            table.write_json(|_| true, out)?;
            writeln!(out)?;
        } else {
            table.rows().try_for_each(|row| show(&row, out))?;
        }
        return Ok(0);
    }
    let control = Control::new(arguments);
    let request = |number, arp: &Arp| {
        let mut memory = arp.to_bytes();
        control.request(number, &mut memory, &arp.addr.to_string(), ADVICE)?;
        Ok::<_, Failure>(Arp::parse(&memory))
    };
    match command {
        Command::Show => {}
        Command::Get(arp) => write_one(&request(requests::SIOCGARP, &arp)?, out)?,
        Command::Set(arp) => drop(request(requests::SIOCSARP, &arp)?),
        Command::Delete(arp) => {
            request(requests::SIOCDARP, &arp)?;
            writeln!(out, "{} deleted", arp.addr)?;
        }
        Command::Flush => {
            let count = control.count(requests::SIOCFLUSHARP, "flush")?;
            writeln!(out, "{count} deleted")?;
        }
    }
    Ok(0)
}

fn show(row: &Row<'_, '_>, out: &mut dyn Write) -> Result<(), Failure> {
    let [addr, link, interface, state, expires] =
        ["address", "lladdr", "interface", "state", "expires"].map(|column| row.get(column));
    let link = if link.is_empty() { "(incomplete)" } else { link };
    write!(out, "{addr} at {link} on {interface}")?;
    match (state, expires) {
        ("static", _) => write!(out, " permanent")?,
        ("down", _) => write!(out, " down")?,
        (_, "") => {}
        (_, seconds) => write!(out, " expires in {seconds}s")?,
    }
    Ok(writeln!(out)?)
}

fn write_one(arp: &Arp, out: &mut dyn Write) -> Result<(), Failure> {
    let link = match arp.flags & requests::ARP_KNOWN {
        0 => "(incomplete)".to_owned(),
        _ => arp.link.map(|byte| format!("{byte:02x}")).join(":"),
    };
    let permanent = if arp.flags & requests::ARP_STATIC == 0 { "" } else { " permanent" };
    Ok(writeln!(out, "{} at {link} on {}{permanent}", arp.addr, arp.interface)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::read;

    fn meant(line: &str) -> Result<Command, String> {
        read(&TOOL, line).and_then(|arguments| command(&arguments)).map_err(|e| e.to_string())
    }

    #[test]
    fn commands() {
        let arp = || Arp::of([10, 0, 0, 2].into());
        assert_eq!(meant(""), Ok(Command::Show));
        assert_eq!(meant("-an"), Ok(Command::Show));
        assert_eq!(meant("-n 10.0.0.2"), Ok(Command::Get(arp())));
        assert_eq!(meant("-d 10.0.0.2"), Ok(Command::Delete(arp())));
        assert_eq!(meant("-da"), Ok(Command::Flush));
        let (link, flags) = ([0xb2, 0, 0, 0, 0, 2], requests::ARP_STATIC);
        let set = Command::Set(Arp { link, flags, ..arp() });
        assert_eq!(meant("-s 10.0.0.2 b2:0:0:0:0:2"), Ok(set));
        for (line, says) in [
            ("-d", "needs one ADDRESS"),
            ("-d -s 10.0.0.2", "give one"),
            ("-s 10.0.0.2", "LINKADDRESS"),
            ("-s 10.0.0.2 b2", "no link address"),
            ("10.0.0.2 10.0.0.3", "too many"),
            ("-a 10.0.0.2", "too many"),
            ("host", "no IPv4 address"),
        ] {
            let e = meant(line).unwrap_err();
            assert!(e.contains(says), "{line}: {e}");
        }
    }

    #[test]
    fn lines() {
        let text = "address\tlladdr\tinterface\tstate\texpires\n\
                    10.0.0.2\tb2:a0:00:00:00:02\tshmif0\treachable\t1200\n\
                    10.0.0.3\t\tshmif0\tincomplete\t1\n\
                    10.0.0.4\tb2:a0:00:00:00:04\tshmif0\tstatic\t\n\
                    10.0.0.5\t\tshmif0\tdown\t20\n";
        let mut out = Vec::new();
        Table::parse(TABLE, text).rows().for_each(|row| show(&row, &mut out).unwrap());
        let (link, interface) = ([0xb2, 0, 0, 0, 0, 2], "shmif0".into());
        let arp = Arp { link, interface, flags: 6, ..Arp::of([10, 0, 0, 6].into()) };
        write_one(&arp, &mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        let expected = [
            "10.0.0.2 at b2:a0:00:00:00:02 on shmif0 expires in 1200s",
            "10.0.0.3 at (incomplete) on shmif0 expires in 1s",
            "10.0.0.4 at b2:a0:00:00:00:04 on shmif0 permanent",
            "10.0.0.5 at (incomplete) on shmif0 down",
            "10.0.0.6 at b2:00:00:00:00:02 on shmif0 permanent",
        ];
        assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
    }
}

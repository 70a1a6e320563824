//! netstat: sockets, routes, interfaces and counters of a kernel.
//!
//! Locking: none. Sources: NetBSD netstat(1).

use std::io::Write;

use remote::Client;

use crate::arguments::Arguments;
use crate::definition::{Example, JSON, NUMERIC, Opt, Tool};
use crate::failure::Failure;
use crate::table::{Grid, Side, Table};
use crate::{route, server};

const ROUTES: Opt = Opt::flag('r', "show routes");
const INTERFACES: Opt = Opt::flag('i', "show interfaces and what went through them");
const BYTES: Opt = Opt::flag('b', "with -i: count bytes instead of packets");
const COUNTERS: Opt = Opt::flag('s', "show counters; -ss: those that have counted");
const ALL: Opt = Opt::flag('a', "show all sockets, as it does anyway");

pub(crate) const TOOL: Tool = Tool {
    name: "netstat",
    about: "show the sockets, routes, interfaces and counters of a kernel",
    usage: &["[-an] [--json]", "-r [-n] [--json]", "-i [-bn] [--json]", "-s [-s] [--json]"],
    options: &[&ROUTES, &INTERFACES, &BYTES, &COUNTERS, &ALL, &NUMERIC, &JSON],
    words: &[],
    permutes: true,
    notes: "Flags of routes: U up, G through a gateway, C on a link, l the kernel itself, b \
            broadcast, H one host, S added by hand, R reject, B blackhole.",
    examples: &[
        Example { does: "all sockets", arguments: "" },
        Example { does: "all routes", arguments: "-rn" },
        Example { does: "all interfaces", arguments: "-i" },
        Example { does: "what has been counted", arguments: "-ss" },
    ],
    failure: 1,
    run,
};

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    arguments.no_words()?;
    let views = [&ROUTES, &INTERFACES, &COUNTERS].map(|opt| arguments.has(opt));
    if views.iter().filter(|view| **view).count() > 1 {
        return Err(Failure::misuse("-r, -i and -s show different things; give one"));
    }
    let json = arguments.has(&JSON);
    let client = server::connect(arguments)?;
    match views {
        [true, _, _] => route::show::table(&client, json, out)?,
        [_, true, _] => {
            let bytes = arguments.has(&BYTES);
            view(&client, "net.interfaces", json, out, |t, out| interfaces(t, bytes, out))?;
        }
        [_, _, true] => {
            let all = arguments.count(&COUNTERS) < 2;
            view(&client, "kern.counters", json, out, |t, out| counters(t, all, out))?;
        }
        _ => view(&client, "net.inet.sockets", json, out, sockets)?,
    }
    Ok(0)
}

/// Shows a table: to programs as it is, to people by `show`.
fn view(
    client: &Client,
    name: &str,
    json: bool,
    out: &mut dyn Write,
    show: impl FnOnce(&Table<'_>, &mut dyn Write) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let text = server::table(client, name)?;
    let table = Table::parse(name, &text);
    if json {
        table.write_json(|_| true, out)?;
        return Ok(writeln!(out)?);
    }
    show(&table, out)
}

fn sockets(table: &Table<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "Active Internet sockets (including servers)")?;
    let mut grid = Grid::new(&[
        ("Proto", Side::Left),
        ("Recv-Q", Side::Right),
        ("Send-Q", Side::Right),
        ("Local Address", Side::Left),
        ("Foreign Address", Side::Left),
        ("State", Side::Left),
    ]);
    for row in table.rows() {
        let cells = ["protocol", "recv-q", "send-q", "local", "peer", "state"];
        grid.row(cells.map(|column| row.get(column).to_owned()));
    }
    grid.write(out)
}

fn interfaces(table: &Table<'_>, bytes: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let [input, output] = if bytes { ["Ibytes", "Obytes"] } else { ["Ipkts", "Opkts"] };
    let mut grid = Grid::new(&[
        ("Name", Side::Left),
        ("Mtu", Side::Right),
        ("Address", Side::Left),
        (input, Side::Right),
        ("Ierrs", Side::Right),
        ("Idrops", Side::Right),
        (output, Side::Right),
        ("Oerrs", Side::Right),
        ("Odrops", Side::Right),
    ]);
    let [input, output] = if bytes { ["ibytes", "obytes"] } else { ["ipackets", "opackets"] };
    for row in table.rows() {
        // A row for the interface with its counts, then one for each address.
        let link = Some(row.get("lladdr")).filter(|link| !link.is_empty()).unwrap_or("<Link>");
        let counts = [input, "ierrors", "iqdrops", output, "oerrors", "oqdrops"];
        let [i, ie, id, o, oe, od] = counts.map(|column| row.get(column).to_owned());
        let [name, mtu] = ["name", "mtu"].map(|column| row.get(column).to_owned());
        grid.row([name.clone(), mtu.clone(), link.into(), i, ie, id, o, oe, od]);
        for addr in row.get("addresses").split_whitespace() {
            let none = || "-".to_owned();
            let [i, ie, id, o, oe, od] = [none(), none(), none(), none(), none(), none()];
            grid.row([name.clone(), mtu.clone(), addr.into(), i, ie, id, o, oe, od]);
        }
    }
    grid.write(out)
}

fn counters(table: &Table<'_>, all: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let mut group = "";
    for row in table.rows().filter(|row| all || row.get("value") != "0") {
        if row.get("group") != group {
            group = row.get("group");
            writeln!(out, "{group}:")?;
        }
        writeln!(out, "\t{} {}", row.get("value"), row.get("name"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(
        text: &str,
        show: impl FnOnce(&Table<'_>, &mut dyn Write) -> Result<(), Failure>,
    ) -> String {
        let mut out = Vec::new();
        show(&Table::parse("", text), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn sockets_are_a_table() {
        let text = "protocol\tlocal\tpeer\trecv-q\tsend-q\tstate\nudp\t127.0.0.1:7\t*:*\t12\t0\t\n\
                    tcp\t*:80\t*:*\t0\t0\tLISTEN\n";
        assert_eq!(
            shown(text, sockets),
            "Active Internet sockets (including servers)\n\
             Proto  Recv-Q  Send-Q  Local Address  Foreign Address  State\n\
             udp        12       0  127.0.0.1:7    *:*\n\
             tcp         0       0  *:80           *:*              LISTEN\n"
        );
    }

    #[test]
    fn interfaces_have_a_row_for_each_address() {
        let text = "name\tmtu\tlladdr\taddresses\tipackets\tierrors\tiqdrops\topackets\toerrors\t\
                    oqdrops\nlo0\t33176\t\t127.0.0.1/8\t1\t2\t3\t4\t5\t6\n";
        let text = shown(text, |table, out| interfaces(table, false, out));
        let words: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(words[1], ["lo0", "33176", "<Link>", "1", "2", "3", "4", "5", "6"]);
        assert_eq!(words[2], ["lo0", "33176", "127.0.0.1/8", "-", "-", "-", "-", "-", "-"]);
    }

    #[test]
    fn counters_are_in_groups() {
        let text = "group\tname\tvalue\nip\treceived\t3\nip\tforwarded\t0\nudp\tsent\t1\n";
        let some = shown(text, |table, out| counters(table, false, out));
        assert_eq!(some, "ip:\n\t3 received\nudp:\n\t1 sent\n");
        assert!(shown(text, |table, out| counters(table, true, out)).contains("\t0 forwarded\n"));
    }
}

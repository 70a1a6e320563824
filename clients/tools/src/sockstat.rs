//! sockstat: which process has which sockets.
//!
//! Locking: none. Sources: NetBSD sockstat(1), FreeBSD sockstat(1).

use std::io::Write;

use crate::arguments::Arguments;
use crate::definition::{Example, JSON, NUMERIC, Opt, Tool};
use crate::failure::Failure;
use crate::server;
use crate::table::{Grid, Row, Side, Table, plain};

const CONNECTED: Opt = Opt::flag('c', "show sockets that have a peer");
const LISTENING: Opt = Opt::flag('l', "show sockets that have none: they wait for anybody");
const PORTS: Opt = Opt::value('p', "PORTS", "show sockets that have one of these, as in 53,80-89");
const QUIET: Opt = Opt::flag('q', "without the line of names");
const STATES: Opt = Opt::flag('s', "show the states of connections, too");

pub(crate) const TOOL: Tool = Tool {
    name: "sockstat",
    about: "show which process of a kernel has which sockets",
    usage: &["[-clnqs] [-p PORTS] [--json]"],
    options: &[&CONNECTED, &LISTENING, &PORTS, &QUIET, &STATES, &NUMERIC, &JSON],
    words: &[],
    permutes: true,
    notes: "Processes are the kernel's: init has the sockets of local clients, each remote client is \
            one of its own. A socket without a descriptor is nobody's; `netstat -a` shows it.",
    examples: &[
        Example { does: "all of them", arguments: "" },
        Example { does: "who serves", arguments: "-l" },
        Example { does: "who has a port", arguments: "-p 80,8000-8080" },
    ],
    failure: 1,
    run,
};

const TABLE: &str = "net.sockets";

/// Which rows are wanted.
struct Wanted {
    connected: bool,
    listening: bool,
    ports: Vec<(u16, u16)>,
}

impl Wanted {
    fn of(arguments: &Arguments) -> Result<Wanted, Failure> {
        let [c, l] = [&CONNECTED, &LISTENING].map(|opt| arguments.has(opt));
        let both = c == l;
        let ports = arguments.value::<String>(&PORTS, "a text")?;
        let ports = ports.map_or(Ok(Vec::new()), |text| self::ports(&text))?;
        Ok(Wanted { connected: c || both, listening: l || both, ports })
    }

    fn has(&self, row: &Row<'_, '_>) -> bool {
        let port = |column| row.get(column).rsplit_once(':')?.1.parse::<u16>().ok();
        let is_connected = row.get("peer") != "*:*";
        let is_meant = |port: u16| self.ports.iter().any(|(a, b)| (*a..=*b).contains(&port));
        let kind = if is_connected { self.connected } else { self.listening };
        kind && (self.ports.is_empty()
            || ["local", "peer"].into_iter().filter_map(port).any(is_meant))
    }
}

/// `53,80-89` as ranges.
fn ports(text: &str) -> Result<Vec<(u16, u16)>, Failure> {
    let range = |item: &str| {
        let (a, b) = item.split_once('-').unwrap_or((item, item));
        let (a, b) = (a.parse().ok()?, b.parse().ok()?);
        (a <= b).then_some((a, b))
    };
    let ranges = text.split(',').map(range).collect::<Option<Vec<_>>>();
    ranges.ok_or_else(|| {
        Failure::misuse(format!("\"{text}\" are no ports; write them as in 53,80-89"))
    })
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    arguments.no_words()?;
    let wanted = Wanted::of(arguments)?;
    let client = server::connect(arguments)?;
    let text = server::table(&client, TABLE)?;
    let table = Table::parse(TABLE, &text);
    if arguments.has(&JSON) {
        table.write_json(|row| wanted.has(row), out)?;
        writeln!(out)?;
    } else {
        show(&table, &wanted, arguments.has(&STATES), !arguments.has(&QUIET), out)?;
    }
    Ok(0)
}

fn show(
    table: &Table<'_>,
    wanted: &Wanted,
    states: bool,
    names: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut grid = Grid::new(&[
        ("User", Side::Left),
        ("Command", Side::Left),
        ("Pid", Side::Right),
        ("Fd", Side::Right),
        ("Proto", Side::Left),
        ("Local Address", Side::Left),
        ("Foreign Address", Side::Left),
        (if states { "State" } else { "" }, Side::Left),
    ]);
    for row in table.rows().filter(|row| wanted.has(row)) {
        let [pid, fd, local, peer] = ["pid", "fd", "local", "peer"].map(|column| row.get(column));
        let [pid, fd, local, peer] = [pid, fd, local, peer].map(str::to_owned);
        let state = if states { row.get("state") } else { "" };
        let command = plain(row.get("command"));
        grid.row([
            user(&row),
            printable(&command),
            pid,
            fd,
            protocol(&row),
            local,
            peer,
            state.into(),
        ]);
    }
    if names {
        return grid.write(out);
    }
    let mut text = Vec::new();
    grid.write(&mut text)?;
    let rows = text.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    Ok(out.write_all(text.get(rows..).unwrap_or_default())?)
}

/// The users that a kernel knows by name.
fn user(row: &Row<'_, '_>) -> String {
    match row.get("uid") {
        "0" => "root".into(),
        "65534" => "nobody".into(),
        uid => uid.into(),
    }
}

/// The protocol, as netstat calls it.
fn protocol(row: &Row<'_, '_>) -> String {
    match (row.get("domain"), row.get("type"), row.get("number")) {
        ("inet", "stream", "6") => "tcp".into(),
        ("inet", "dgram", "17") => "udp".into(),
        ("inet", "dgram", "1") => "ping".into(),
        ("inet", "raw", "1") => "icmp".into(),
        ("inet", kind, number) => format!("{kind}{number}"),
        (domain, kind, number) => format!("{domain}/{kind}{number}"),
    }
}

/// A name that a client has chosen: nothing in it moves the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::read;

    const TEXT: &str = "pid\tuid\tcommand\tfd\tdomain\ttype\tnumber\tlocal\tpeer\tstate\trecv-q\t\
        send-q\n\
        1\t0\tinit\t3\tinet\tstream\t6\t*:80\t*:*\tLISTEN\t0\t0\n\
        7\t65534\ta\\x1b[c\t0\tinet\tdgram\t17\t10.0.0.1:5000\t10.0.0.2:53\t\t0\t0\n\
        8\t5\tb\t1\tinet\traw\t1\t*:*\t*:*\t\t0\t0\n";

    fn shown(line: &str) -> Result<String, String> {
        let arguments = read(&TOOL, line).map_err(|e| e.to_string())?;
        let wanted = Wanted::of(&arguments).map_err(|e| e.to_string())?;
        let mut out = Vec::new();
        let (states, names) = (arguments.has(&STATES), !arguments.has(&QUIET));
        show(&Table::parse(TABLE, TEXT), &wanted, states, names, &mut out).unwrap();
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn owners_are_in_columns() {
        assert_eq!(
            shown("").unwrap(),
            "User    Command  Pid  Fd  Proto  Local Address  Foreign Address\n\
             root    init       1   3  tcp    *:80           *:*\n\
             nobody  a?[c       7   0  udp    10.0.0.1:5000  10.0.0.2:53\n\
             5       b          8   1  icmp   *:*            *:*\n"
        );
        assert!(shown("-s").unwrap().contains("State\nroot"));
        assert!(shown("-sq").unwrap().lines().next().unwrap().ends_with("LISTEN"));
    }

    #[test]
    fn rows_are_chosen() {
        let lines = |line: &str| shown(line).unwrap().lines().count();
        assert_eq!([lines("-q"), lines("-qc"), lines("-ql"), lines("-qcl")], [3, 1, 2, 3]);
        assert_eq!([lines("-q -p 80"), lines("-qp 53,79-81"), lines("-qp 54-79")], [1, 2, 0]);
        for wrong in ["-p x", "-p 9-8", "-p 65536", "-p 1,,2"] {
            assert!(shown(wrong).unwrap_err().contains("no ports"), "{wrong}");
        }
    }
}

//! How routes look.
//!
//! Locking: none. Sources: NetBSD route(8), netstat(1).

use std::io::Write;
use std::net::Ipv4Addr;

use remote::Client;

use crate::failure::Failure;
use crate::requests::{Route, flags};
use crate::table::{Grid, Side, Table};
use crate::{address, server};

const TABLE: &str = "net.routes";

/// Flags, and their names.
const FLAGS: &[(u32, &str)] = &[
    (flags::UP, "UP"),
    (flags::GATEWAY, "GATEWAY"),
    (flags::HOST, "HOST"),
    (flags::REJECT, "REJECT"),
    (flags::CONNECTED, "CONNECTED"),
    (flags::STATIC, "STATIC"),
    (flags::BLACKHOLE, "BLACKHOLE"),
    (flags::LOCAL, "LOCAL"),
    (flags::BROADCAST, "BROADCAST"),
];

/// Shows the whole table.
pub(crate) fn table(client: &Client, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let text = server::table(client, TABLE)?;
    let table = Table::parse(TABLE, &text);
    if json {
        table.write_json(|_| true, out)?;
        return Ok(writeln!(out)?);
    }
    grid(&table, out)
}

fn grid(table: &Table<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "Routing tables\n\nInternet:")?;
    let mut grid = Grid::new(&[
        ("Destination", Side::Left),
        ("Gateway", Side::Left),
        ("Flags", Side::Left),
        ("Mtu", Side::Right),
        ("Interface", Side::Left),
    ]);
    for row in table.rows() {
        let (to, prefix) = (row.get("destination"), row.get("prefix"));
        let to = match prefix {
            "0" => "default".to_owned(),
            "32" => to.to_owned(),
            _ => format!("{to}/{prefix}"),
        };
        let gateway = match row.get("gateway") {
            "" => "link",
            gateway => gateway,
        };
        let [gateway, flags, mtu, interface] =
            [gateway, row.get("flags"), row.get("mtu"), row.get("interface")].map(String::from);
        grid.row([to, gateway, flags, mtu, interface]);
    }
    grid.write(out)
}

/// Shows the route that packets to `to` take.
pub(crate) fn route(to: Ipv4Addr, route: &Route, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "   route to: {to}")?;
    match route.prefix {
        0 => writeln!(out, "destination: default")?,
        _ => writeln!(out, "destination: {}", route.dst)?,
    }
    writeln!(out, "       mask: {}", address::mask_of(route.prefix))?;
    if route.flags & flags::GATEWAY != 0 {
        writeln!(out, "    gateway: {}", route.gateway)?;
    }
    writeln!(out, " local addr: {}", route.source)?;
    writeln!(out, "  interface: {}", route.interface)?;
    let set = FLAGS.iter().filter(|(flag, _)| route.flags & flag != 0);
    let names: Vec<_> = set.map(|(_, name)| *name).collect();
    writeln!(out, "      flags: <{}>", names.join(","))?;
    writeln!(out, "        mtu: {}", route.mtu)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_netstat_shows_them() {
        let text = "destination\tprefix\tgateway\tflags\tinterface\tsource\tmtu\n\
                    0.0.0.0\t0\t1.2.3.2\tUGS\tshmif0\t1.2.3.1\t1500\n\
                    1.2.3.0\t24\t\tUC\tshmif0\t1.2.3.1\t1500\n\
                    1.2.3.1\t32\t\tUlH\tshmif0\t1.2.3.1\t1500\n";
        let mut out = Vec::new();
        grid(&Table::parse(TABLE, text), &mut out).unwrap();
        let expected = "\
Routing tables

Internet:
Destination  Gateway  Flags   Mtu  Interface
default      1.2.3.2  UGS    1500  shmif0
1.2.3.0/24   link     UC     1500  shmif0
1.2.3.1      link     UlH    1500  shmif0
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn as_route_shows_one() {
        let mut out = Vec::new();
        let found = Route {
            gateway: [1, 2, 3, 2].into(),
            source: [1, 2, 3, 1].into(),
            flags: flags::UP | flags::GATEWAY | flags::STATIC,
            mtu: 1500,
            interface: "shmif0".into(),
            ..Route::to([1, 2, 1, 0].into(), 24)
        };
        route([1, 2, 1, 1].into(), &found, &mut out).unwrap();
        let expected = [
            "   route to: 1.2.1.1",
            "destination: 1.2.1.0",
            "       mask: 255.255.255.0",
            "    gateway: 1.2.3.2",
            " local addr: 1.2.3.1",
            "  interface: shmif0",
            "      flags: <UP,GATEWAY,STATIC>",
            "        mtu: 1500",
        ];
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}

//! How interfaces look.
//!
//! Locking: none. Sources: NetBSD ifconfig(8). DIFFERS: the numbers of flags are Linux's, as
//! programs of this kernel see them.

use std::io::Write;
use std::net::Ipv4Addr;

use crate::address;
use crate::failure::Failure;
use crate::table::{Row, Table};

/// Flags, and their bits.
const FLAGS: &[(&str, u32)] = &[
    ("UP", 0x1),
    ("BROADCAST", 0x2),
    ("LOOPBACK", 0x8),
    ("RUNNING", 0x40),
    ("PROMISC", 0x100),
    ("MULTICAST", 0x1000),
];

/// Shows an interface, a row of `net.interfaces`; `verbose`: with its counters.
pub(super) fn interface(
    row: &Row<'_, '_>,
    verbose: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let flags = row.get("flags");
    let bit = |word| FLAGS.iter().find(|(flag, _)| *flag == word).map_or(0, |(_, bit)| *bit);
    let bits = flags.split(',').fold(0, |bits, word| bits | bit(word));
    writeln!(out, "{}: flags={bits:#x}<{flags}> mtu {}", row.get("name"), row.get("mtu"))?;
    for (what, cell) in [("address:", "lladdr"), ("linkstr:", "linkstr"), ("link:", "link")] {
        if !row.get(cell).is_empty() {
            writeln!(out, "\t{what} {}", row.get(cell))?;
        }
    }
    let has_broadcast = bits & bit("BROADCAST") != 0;
    for each in row.get("addresses").split_whitespace() {
        addr(each, has_broadcast, out)?;
    }
    if verbose {
        let n = |column| row.get(column);
        let (i, o) = (n("ipackets"), n("opackets"));
        writeln!(
            out,
            "\tinput: {i} packets, {} bytes, {} multicasts, {} errors, {} queue drops, \
             {} unknown protocol",
            n("ibytes"),
            n("imcasts"),
            n("ierrors"),
            n("iqdrops"),
            n("noproto")
        )?;
        writeln!(
            out,
            "\toutput: {o} packets, {} bytes, {} multicasts, {} errors, {} queue drops",
            n("obytes"),
            n("omcasts"),
            n("oerrors"),
            n("oqdrops")
        )?;
        if !n("link").is_empty() {
            writeln!(
                out,
                "\tlink: {} packets in it, {} lost, {} found it full, {} duplicated, {} corrupted, \
                 {} reordered",
                n("queued"),
                n("lost"),
                n("full"),
                n("duplicated"),
                n("corrupted"),
                n("reordered")
            )?;
        }
    }
    Ok(())
}

/// Shows what a bridge joins, and what carries a virtual network.
pub(super) fn joined(
    name: &str,
    members: &Table<'_>,
    networks: &Table<'_>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    for row in members.rows().filter(|row| row.get("bridge") == name) {
        writeln!(out, "\tmember: {}", row.get("member"))?;
    }
    for row in networks.rows().filter(|row| row.get("interface") == name) {
        writeln!(out, "\tvlan: {} parent: {}", row.get("number"), row.get("parent"))?;
    }
    Ok(())
}

fn addr(each: &str, has_broadcast: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let parts = each.split_once('/');
    let parts = parts.and_then(|(addr, len)| Some((address::parse(addr)?, len.parse().ok()?)));
    // An address of a family that this program does not know.
    let Some((addr, len)) = parts else { return Ok(writeln!(out, "\tinet6 {each}")?) };
    let mask = address::mask_of(len).to_bits();
    write!(out, "\tinet {addr} netmask {mask:#010x}")?;
    if has_broadcast && len < 31 {
        write!(out, " broadcast {}", Ipv4Addr::from_bits(addr.to_bits() | !mask))?;
    }
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name\tindex\tflags\tmtu\tlladdr\tlinkstr\taddresses\tipackets\tibytes\t\
        imcasts\tierrors\tiqdrops\tnoproto\topackets\tobytes\tomcasts\toerrors\toqdrops\t\
        link\tqueued\tlost\tfull\tduplicated\tcorrupted\treordered\n\
        lo0\t1\tUP,LOOPBACK,RUNNING,MULTICAST\t33176\t\t\t127.0.0.1/8\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t0\t\t0\t0\t0\t0\t0\t0\n\
        shmif0\t2\tUP,BROADCAST,RUNNING,MULTICAST\t1500\tb2:a0:00:00:00:01\tshm/bus 0\t\
        1.2.3.1/24 10.0.0.1/31\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\t11\t\
        delay 20ms loss 1%\t12\t13\t14\t15\t16\t17\n";

    #[test]
    fn as_ifconfig_shows_them() {
        let mut out = Vec::new();
        let table = Table::parse("net.interfaces", TEXT);
        for (at, row) in table.rows().enumerate() {
            interface(&row, at == 1, &mut out).unwrap();
        }
        let expected = "\
lo0: flags=0x1049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33176
\tinet 127.0.0.1 netmask 0xff000000
shmif0: flags=0x1043<UP,BROADCAST,RUNNING,MULTICAST> mtu 1500
\taddress: b2:a0:00:00:00:01
\tlinkstr: shm/bus 0
\tlink: delay 20ms loss 1%
\tinet 1.2.3.1 netmask 0xffffff00 broadcast 1.2.3.255
\tinet 10.0.0.1 netmask 0xfffffffe
\tinput: 1 packets, 2 bytes, 3 multicasts, 4 errors, 5 queue drops, 6 unknown protocol
\toutput: 7 packets, 8 bytes, 9 multicasts, 10 errors, 11 queue drops
\tlink: 12 packets in it, 13 lost, 14 found it full, 15 duplicated, 16 corrupted, 17 reordered
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

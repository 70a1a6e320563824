//! The tree of values and tables through the system call.

mod support;

use base::syscall::number as n;
use base::{Cred, Errno};
use support::program::*;
use support::*;

const NAME: u64 = BASE;
const NEW: u64 = BASE + 0x1000;
const OLD: u64 = BASE + 0x4000;
const ROOM: u64 = 0x8000;

/// What `name` stands for, whole.
fn get(p: &mut Program, name: &str) -> Result<String, Errno> {
    p.1.put(NAME, name.as_bytes());
    let len = p.call(n::SYSCTL, [NAME, name.len() as u64, OLD, ROOM, 0, 0])?;
    assert!(len <= ROOM, "{len}");
    Ok(String::from_utf8(p.1.at(OLD, len as usize)?.to_vec()).unwrap())
}

fn set(p: &mut Program, name: &str, new: &str) -> Result<u64, Errno> {
    p.1.put(NAME, name.as_bytes());
    p.1.put(NEW, new.as_bytes());
    p.call(n::SYSCTL, [NAME, name.len() as u64, 0, 0, NEW, new.len() as u64])
}

fn drop_root(p: &mut Program) {
    p.0.enter(|l| l.proc().set_cred(l, Cred { uid: 1000, ..Cred::root() })).unwrap();
}

/// A column of a table.
fn column(table: &str, name: &str) -> Vec<String> {
    let mut lines = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let at = head.iter().position(|c| *c == name).unwrap_or_else(|| panic!("no column {name}"));
    let cell = |row: Vec<&str>| {
        assert_eq!(row.len(), head.len(), "{row:?}");
        row[at].to_string()
    };
    lines.map(cell).collect()
}

#[test]
fn values_are_read_and_set_as_text() {
    programs(|p| {
        assert_eq!(get(p, "kern.ostype").as_deref(), Ok("anykernel"));
        assert_eq!(get(p, "net.inet.ip.forwarding").as_deref(), Ok("1"));
        assert_eq!(set(p, "net.inet.ip.forwarding", " 0\n"), Ok(1), "the old value's length");
        assert_eq!(get(p, "net.inet.ip.forwarding").as_deref(), Ok("0"));
        set(p, "kern.hostname", "räuber").unwrap();
        assert_eq!(get(p, "kern.hostname").as_deref(), Ok("räuber"));
        // The old value and the new one in one call.
        p.1.put(NAME, b"net.inet.ip.ttl");
        p.1.put(NEW, b"9");
        assert_eq!(p.call(n::SYSCTL, [NAME, 15, OLD, 8, NEW, 1]), Ok(2));
        assert_eq!(p.1.at(OLD, 2).unwrap(), b"64");
        assert_eq!(get(p, "net.inet.ip.ttl").as_deref(), Ok("9"));
    });
}

#[test]
fn a_short_buffer_gets_the_beginning_and_the_length() {
    programs(|p| {
        p.1.put(NAME, b"kern.ostype");
        p.1.put(OLD, b"......");
        assert_eq!(p.call(n::SYSCTL, [NAME, 11, OLD, 3, 0, 0]), Ok(9));
        assert_eq!(p.1.at(OLD, 6).unwrap(), b"any...");
        assert_eq!(p.call(n::SYSCTL, [NAME, 11, 0, 0, 0, 0]), Ok(9), "only the length");
        let whole = get(p, "kern.").unwrap();
        p.1.put(NAME, b"kern.");
        assert_eq!(p.call(n::SYSCTL, [NAME, 5, OLD, 20, 0, 0]), Ok(whole.len() as u64));
        assert_eq!(p.1.at(OLD, 20).unwrap(), &whole.as_bytes()[..20]);
    });
}

#[test]
fn what_is_asked_wrongly() {
    programs(|p| {
        assert_eq!(get(p, "no.such"), Err(Errno::NoEntry));
        assert_eq!(get(p, "no.such."), Err(Errno::NoEntry));
        assert_eq!(get(p, "kern"), Err(Errno::NoEntry), "a subtree ends in a dot");
        assert_eq!(get(p, "kern.ostype\0"), Err(Errno::Invalid));
        assert_eq!(get(p, &"x".repeat(255)), Err(Errno::NoEntry));
        assert_eq!(get(p, &"x".repeat(256)), Err(Errno::NameTooLong));
        p.1.put(NAME, &[0xff]);
        assert_eq!(p.call(n::SYSCTL, [NAME, 1, OLD, 8, 0, 0]), Err(Errno::Invalid));
        assert_eq!(p.call(n::SYSCTL, [1, 5, OLD, 8, 0, 0]), Err(Errno::BadAddress));
        assert_eq!(p.call(n::SYSCTL, [NAME, u64::MAX, OLD, 8, 0, 0]), Err(Errno::NameTooLong));
        p.1.put(NAME, b"hw.ncpu");
        assert_eq!(p.call(n::SYSCTL, [NAME, 7, 1, 8, 0, 0]), Err(Errno::BadAddress));
        assert_eq!(p.call(n::SYSCTL, [NAME, 7, OLD, 8, 1, 1]), Err(Errno::BadAddress));
        assert_eq!(p.call(n::SYSCTL, [NAME, 7, OLD, u64::MAX, 0, 0]), Ok(1), "any room will do");
        assert_eq!(set(p, "no.such", "1"), Err(Errno::NoEntry));
        assert_eq!(set(p, "hw.ncpu", "1"), Err(Errno::NotPermitted), "read only");
        assert_eq!(set(p, "net.routes", "1"), Err(Errno::NotPermitted), "a table");
        assert_eq!(set(p, "kern.", "1"), Err(Errno::IsDirectory));
        for bad in ["", "x", "1x", "0x40", "256", "-1", "99999999999999999999"] {
            assert_eq!(set(p, "net.inet.ip.ttl", bad), Err(Errno::Invalid), "{bad:?}");
        }
        assert_eq!(set(p, "kern.hostname", "a\0b"), Err(Errno::Invalid));
        assert_eq!(set(p, "kern.hostname", &"x".repeat(65)), Err(Errno::NameTooLong));
        assert_eq!(set(p, "kern.hostname", &"x".repeat(4097)), Err(Errno::TooBig));
    });
}

#[test]
fn everybody_reads_and_the_superuser_sets() {
    programs(|p| {
        drop_root(p);
        assert_eq!(get(p, "net.inet.ip.ttl").as_deref(), Ok("64"));
        assert!(get(p, "net.interfaces").is_ok());
        assert_eq!(set(p, "net.inet.ip.ttl", "9"), Err(Errno::NotPermitted));
        assert_eq!(set(p, "no.such", "9"), Err(Errno::NoEntry));
        assert_eq!(get(p, "net.inet.ip.ttl").as_deref(), Ok("64"));
    });
}

#[test]
fn subtrees_are_listed_without_tables() {
    programs(|p| {
        set(p, "kern.hostname", "a\nb\\c").unwrap();
        let all = get(p, "").unwrap();
        assert!(all.lines().is_sorted(), "{all}");
        assert!(all.contains("\nkern.hostname = a\\x0ab\\x5cc\n"), "{all}");
        assert!(!all.contains("net.routes") && !all.contains("kern.msgbuf"), "{all}");
        let ip = get(p, "net.inet.ip.").unwrap();
        assert!(ip.lines().count() > 3 && ip.lines().all(|l| l.starts_with("net.inet.ip.")));
        assert!(ip.contains("net.inet.ip.ttl = 64\n"));
        assert_eq!(get(p, "net.inet.arp.").as_deref(), Ok(""), "there is only a table");
    });
}

#[test]
fn a_component_s_nodes_are_only_where_it_is() {
    let kernel = boot_spec(&(sim::Sim::seeded(1) as _), &LINK);
    let mut p = Program::new(&kernel);
    assert_eq!(get(&mut p, "net.inet.ip.ttl"), Err(Errno::NoEntry));
    assert_eq!(get(&mut p, "net.inet.arp.table"), Err(Errno::NoEntry));
    assert_eq!(get(&mut p, "net.inet."), Err(Errno::NoEntry));
    assert_eq!(column(&get(&mut p, "net.interfaces").unwrap(), "name"), ["lo0"]);
    assert!(!get(&mut p, "sysctl.nodes").unwrap().contains("net.inet"));
    drop(p);
    end(kernel);
}

#[test]
fn tables_of_the_kernel_proper() {
    programs(|p| {
        assert_eq!(column(&get(p, "kern.components").unwrap(), "name").len(), 3);
        let counters = get(p, "kern.counters").unwrap();
        assert!(counters.starts_with("group\tname\tvalue\n"));
        assert!(counters.contains("\nip\tforwarded\t0\n"), "{counters}");
        assert!(get(p, "kern.msgbuf").unwrap().starts_with("anykernel "));
        let nodes = get(p, "sysctl.nodes").unwrap();
        assert!(nodes.contains("\nhw.ncpu\tint\tro\tvirtual CPUs\n"), "{nodes}");
        assert!(nodes.contains("\nkern.hostname\ttext\trw\t"), "{nodes}");
        assert!(nodes.contains("\nnet.routes\ttable\tro\t"), "{nodes}");
    });
}

#[test]
fn tables_of_the_network() {
    programs(|p| {
        let interfaces = get(p, "net.interfaces").unwrap();
        for (name, cell) in [
            ("name", "lo0"),
            ("index", "1"),
            ("flags", "UP,LOOPBACK,RUNNING,MULTICAST"),
            ("lladdr", ""),
            ("linkstr", ""),
            ("addresses", "127.0.0.1/8"),
            ("oerrors", "0"),
        ] {
            assert_eq!(column(&interfaces, name), [cell], "{name}");
        }
        let routes = get(p, "net.routes").unwrap();
        assert_eq!(column(&routes, "destination"), ["127.0.0.0", "127.0.0.1"]);
        assert_eq!(column(&routes, "prefix"), ["8", "32"]);
        assert_eq!(column(&routes, "flags"), ["Ul", "UlH"]);
        assert_eq!(column(&routes, "interface"), ["lo0", "lo0"]);
        p.bound(7);
        let ping = p.call(n::SOCKET, [AF_INET, DGRAM, 1]).unwrap();
        let raw = p.call(n::SOCKET, [AF_INET, RAW, 1]).unwrap();
        let sockets = get(p, "net.inet.sockets").unwrap();
        assert_eq!(column(&sockets, "protocol"), ["udp", "ping", "icmp"]);
        assert_eq!(column(&sockets, "local"), ["127.0.0.1:7", "*:*", "*"]);
        assert_eq!(column(&sockets, "peer"), ["*:*", "*:*", "*"]);
        for fd in [ping, raw] {
            p.call(n::CLOSE, [fd]).unwrap();
        }
        assert_eq!(get(p, "net.inet.sockets").unwrap().lines().count(), 2);
    });
}

#[test]
fn without_memory_it_says_so_and_leaves_nothing() {
    for charge in 1.. {
        let sim = sim::Sim::seeded(charge);
        let done = sim.run(|| {
            let kernel = boot(&(sim.clone() as _));
            let mut p = Program::new(&kernel);
            sim.faults().refuse_nth_charge(charge);
            let answer = get(&mut p, "net.interfaces");
            let done = sim.faults().refused() == 0;
            assert!(if done { answer.is_ok() } else { answer == Err(Errno::NoMemory) });
            drop(p);
            end(kernel);
            done
        });
        if done {
            assert!(charge > 2);
            return;
        }
    }
}

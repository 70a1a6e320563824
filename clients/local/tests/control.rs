//! What ifconfig, route and arp ask, through system calls. Numbers and layouts are written out, as
//! factions/net/CONTROL.md has them.

mod support;

use base::syscall::number as n;
use base::{Cred, Errno};
use support::program::*;
use support::*;

const SIOCIFCREATE: u64 = 0x4010_697a;
const SIOCIFDESTROY: u64 = 0x4010_6979;
const SIOCGLINKSTR: u64 = 0xc110_6987;
const SIOCSLINKSTR: u64 = 0x4110_6988;
const SIOCGLINK: u64 = 0xc050_69be;
const SIOCSLINK: u64 = 0x4050_69bf;
const SIOCDIFADDR: u64 = 0x4020_6919;
const SIOCAIFADDR: u64 = 0x4040_691a;
const SIOCRIFADDR: u64 = 0x4040_691b;
const SIOCADDRT: u64 = 0x4028_720a;
const SIOCDELRT: u64 = 0x4028_720b;
const SIOCGETRT: u64 = 0xc028_720c;
const SIOCFLUSHRT: u64 = 0x8004_720d;
const SIOCSARP: u64 = 0x401c_691e;
const SIOCDARP: u64 = 0x401c_6920;
const SIOCGARP: u64 = 0xc01c_6926;
const SIOCFLUSHARP: u64 = 0x8004_6927;
const SIOCSIFFLAGS: u64 = 0x8914;
const SIOCSIFMTU: u64 = 0x8922;

/// Those that change something, with the length of their memory.
const CHANGES: [(u64, usize); 14] = [
    (SIOCSLINK, 80),
    (SIOCIFCREATE, 16),
    (SIOCIFDESTROY, 16),
    (SIOCSLINKSTR, 272),
    (SIOCDIFADDR, 32),
    (SIOCAIFADDR, 64),
    (SIOCRIFADDR, 64),
    (SIOCADDRT, 40),
    (SIOCDELRT, 40),
    (SIOCFLUSHRT, 4),
    (SIOCSARP, 28),
    (SIOCDARP, 28),
    (SIOCFLUSHARP, 4),
    (SIOCSIFFLAGS, 40),
];
const QUERIES: [(u64, usize); 4] =
    [(SIOCGLINKSTR, 272), (SIOCGLINK, 80), (SIOCGETRT, 40), (SIOCGARP, 28)];

const DATA: u64 = BASE + 0x2000;

fn socket(p: &mut Program) -> u64 {
    p.call(n::SOCKET, [AF_INET, DGRAM, 0]).unwrap()
}

/// Makes a request; what its memory holds then.
fn ask(p: &mut Program, request: u64, data: &[u8]) -> Result<Vec<u8>, Errno> {
    let s = socket(p);
    p.1.put(DATA, data);
    let answer = p.call(n::IOCTL, [s, request, DATA]);
    p.call(n::CLOSE, [s]).unwrap();
    answer.map(|_| p.1.at(DATA, data.len()).unwrap().to_vec())
}

/// The same where only success or failure matters.
fn make(p: &mut Program, request: u64, data: &[u8]) -> Result<(), Errno> {
    ask(p, request, data).map(|_| ())
}

fn name(text: &str) -> Vec<u8> {
    padded(text.as_bytes(), 16)
}

fn padded(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    out.resize(len, 0);
    out
}

type Inet = [u8; 4];

fn inet(addr: Option<Inet>) -> Vec<u8> {
    addr.map_or(vec![0; 16], |a| padded(&[&2_u16.to_ne_bytes()[..], &[0, 0], &a].concat(), 16))
}

fn linkstr(interface: &str, text: &[u8]) -> Vec<u8> {
    [name(interface), padded(text, 256)].concat()
}

fn alias(interface: &str, addr: Inet, mask: Option<Inet>, broadcast: Option<Inet>) -> Vec<u8> {
    [name(interface), inet(Some(addr)), inet(broadcast), inet(mask)].concat()
}

fn route(dst: Inet, prefix: u32, gateway: Inet, flags: u32) -> Vec<u8> {
    let (prefix, flags) = (prefix.to_ne_bytes(), flags.to_ne_bytes());
    padded(&[dst, gateway, [0; 4], prefix, flags].concat(), 40)
}

fn arp(addr: Inet, mac: [u8; 6], flags: u16, interface: &str) -> Vec<u8> {
    [&addr[..], &mac, &flags.to_ne_bytes(), &name(interface)].concat()
}

fn table(p: &mut Program, name: &str) -> String {
    p.1.put(BASE, name.as_bytes());
    let len = p.call(n::SYSCTL, [BASE, name.len() as u64, DATA, 0x8000, 0, 0]).unwrap();
    String::from_utf8(p.1.at(DATA, len as usize).unwrap().to_vec()).unwrap()
}

const MASK: Option<Inet> = Some([255, 255, 255, 0]);

/// shmif0 on `link`, with the address 10.0.0.`host`/24.
fn plug(p: &mut Program, interface: &str, link: &str, addr: Inet) {
    make(p, SIOCIFCREATE, &name(interface)).unwrap();
    make(p, SIOCSLINKSTR, &linkstr(interface, link.as_bytes())).unwrap();
    make(p, SIOCAIFADDR, &alias(interface, addr, MASK, None)).unwrap();
}

#[test]
fn interfaces_are_created_connected_and_destroyed() {
    programs(|p| {
        assert_eq!(make(p, SIOCIFCREATE, &name("shmif0")), Ok(()));
        assert_eq!(make(p, SIOCIFCREATE, &name("shmif0")), Err(Errno::Exists));
        for bad in ["", "shmif", "nosuch0", "shmif00", "a/b0"] {
            assert_eq!(make(p, SIOCIFCREATE, &name(bad)), Err(Errno::Invalid), "{bad:?}");
        }
        assert_eq!(make(p, SIOCIFCREATE, &[b'x'; 16]), Err(Errno::Invalid), "no zero");
        let bus = linkstr("shmif0", b"bus");
        assert_eq!(ask(p, SIOCGLINKSTR, &linkstr("shmif0", &[7; 256])), Ok(linkstr("shmif0", b"")));
        assert_eq!(make(p, SIOCSLINKSTR, &bus), Ok(()));
        assert_eq!(ask(p, SIOCGLINKSTR, &linkstr("shmif0", b"")), Ok(bus));
        assert_eq!(make(p, SIOCSLINKSTR, &linkstr("shmif0", &[b'x'; 256])), Err(Errno::Invalid));
        assert_eq!(make(p, SIOCSLINKSTR, &linkstr("shmif0", b"\xff")), Err(Errno::Invalid));
        assert_eq!(make(p, SIOCSLINKSTR, &linkstr("shmif1", b"bus")), Err(Errno::NotSuchDevice));
        assert_eq!(make(p, SIOCSLINKSTR, &linkstr("lo0", b"bus")), Err(Errno::NotSupported));
        assert_eq!(make(p, SIOCIFDESTROY, &name("lo0")), Err(Errno::Busy));
        assert_eq!(make(p, SIOCIFDESTROY, &name("shmif0")), Ok(()));
        assert_eq!(make(p, SIOCIFDESTROY, &name("shmif0")), Err(Errno::NotSuchDevice));
        assert_eq!(make(p, SIOCGLINKSTR, &linkstr("shmif0", b"")), Err(Errno::NotSuchDevice));
    });
}

#[test]
fn addresses_are_added_replaced_and_deleted() {
    programs(|p| {
        let addresses = |p: &mut Program| {
            let table = table(p, "net.interfaces");
            let row = table.lines().find(|l| l.starts_with("shmif0\t")).unwrap();
            row.split('\t').nth(6).unwrap().to_string()
        };
        make(p, SIOCIFCREATE, &name("shmif0")).unwrap();
        let (a, b, c) = ([10, 0, 0, 1], [10, 0, 0, 2], [172, 16, 0, 1]);
        let last = Some([10, 0, 0, 255]);
        assert_eq!(make(p, SIOCAIFADDR, &alias("shmif0", a, MASK, last)), Ok(()));
        assert_eq!(make(p, SIOCAIFADDR, &alias("shmif0", a, MASK, None)), Ok(()), "it has it");
        assert_eq!(make(p, SIOCAIFADDR, &alias("shmif0", b, MASK, None)), Ok(()));
        assert_eq!(addresses(p), "10.0.0.1/24 10.0.0.2/24");
        assert_eq!(make(p, SIOCAIFADDR, &alias("shmif0", b, None, None)), Ok(()));
        assert_eq!(addresses(p), "10.0.0.1/24 10.0.0.2/8", "another mask: the class's");
        assert_eq!(make(p, SIOCRIFADDR, &alias("shmif0", c, None, None)), Ok(()));
        assert_eq!(addresses(p), "10.0.0.2/8 172.16.0.1/16");
        // What cannot be changes nothing.
        let odd = Some([255, 0, 255, 0]);
        for (request, errno) in [
            (alias("shmif0", a, odd, None), Errno::Invalid),
            (alias("shmif0", a, Some([0; 4]), None), Errno::Invalid),
            (alias("shmif0", a, MASK, Some([10, 0, 0, 254])), Errno::Invalid),
            (alias("shmif0", [224, 0, 0, 1], MASK, None), Errno::Invalid),
            (alias("shmif0", [10, 0, 0, 255], MASK, None), Errno::Invalid),
            (alias("shmif0", [127, 0, 0, 1], MASK, None), Errno::Exists),
            (alias("shmif9", a, MASK, None), Errno::NotSuchDevice),
            ([name("shmif0"), vec![0; 48]].concat(), Errno::NoFamily),
            ([name("shmif0"), vec![9; 48]].concat(), Errno::NoFamily),
        ] {
            assert_eq!(make(p, SIOCAIFADDR, &request), Err(errno));
            assert_eq!(make(p, SIOCRIFADDR, &request), Err(errno));
            assert_eq!(addresses(p).split(' ').count(), 2);
        }
        let delete = |addr| [name("shmif0"), inet(addr)].concat();
        assert_eq!(make(p, SIOCDIFADDR, &delete(Some(a))), Err(Errno::AddrNotAvailable));
        assert_eq!(make(p, SIOCDIFADDR, &delete(Some(c))), Ok(()));
        assert_eq!(make(p, SIOCDIFADDR, &delete(None)), Ok(()), "the first one");
        assert_eq!(make(p, SIOCDIFADDR, &delete(None)), Err(Errno::AddrNotAvailable));
        assert_eq!(addresses(p), "");
    });
}

#[test]
fn routes_are_added_found_deleted_and_flushed() {
    const UP_GATEWAY_STATIC: u32 = 0x803;
    programs(|p| {
        plug(p, "shmif0", "link", [10, 0, 0, 1]);
        let (net, gateway, lo) = ([10, 1, 0, 0], [10, 0, 0, 2], [127, 0, 0, 1]);
        assert_eq!(make(p, SIOCADDRT, &route(net, 16, gateway, 0)), Ok(()));
        assert_eq!(make(p, SIOCADDRT, &route(net, 16, gateway, 0)), Err(Errno::Exists));
        assert_eq!(make(p, SIOCADDRT, &route([10, 1, 2, 3], 32, gateway, 0)), Ok(()), "a host");
        let get = |p: &mut Program, to: Inet| ask(p, SIOCGETRT, &route(to, 99, [9; 4], 9));
        let found = get(p, [10, 1, 9, 9]).unwrap();
        let expected = route(net, 16, gateway, UP_GATEWAY_STATIC);
        assert_eq!((&found[..8], &found[12..20]), (&expected[..8], &expected[12..20]));
        assert_eq!(found[8..12], [10, 0, 0, 1], "the source");
        assert_eq!(found[20..24], 1500_u32.to_ne_bytes(), "the MTU");
        assert_eq!(found[24..], name("shmif0"));
        let flags = |answer: Vec<u8>| u32::from_ne_bytes(answer[16..20].try_into().unwrap());
        assert_eq!(get(p, [10, 1, 2, 3]).map(flags), Ok(UP_GATEWAY_STATIC | 4));
        assert_eq!(get(p, [10, 0, 0, 1]).map(flags), Ok(0x40005), "local");
        assert_eq!(get(p, [10, 0, 0, 9]).map(flags), Ok(0x101), "connected");
        assert_eq!(get(p, [10, 0, 0, 255]).map(flags), Ok(0x80005), "broadcast");
        assert_eq!(get(p, [9, 9, 9, 9]), Err(Errno::NoProcess));
        // To nobody: refused, dropped; the gateway is this kernel.
        assert_eq!(make(p, SIOCADDRT, &route([10, 2, 0, 0], 16, lo, 8)), Ok(()));
        assert_eq!(make(p, SIOCADDRT, &route([10, 3, 0, 0], 16, lo, 0x1000)), Ok(()));
        assert_eq!(get(p, [10, 2, 0, 1]).map(flags), Ok(0x809));
        assert_eq!(get(p, [10, 3, 0, 1]).map(flags), Ok(0x1801));
        for (request, errno) in [
            (route([10, 4, 0, 1], 16, gateway, 0), Errno::Invalid),
            (route([10, 4, 0, 0], 33, gateway, 0), Errno::Invalid),
            (route([10, 4, 0, 0], u32::MAX, gateway, 0), Errno::Invalid),
            (route([10, 4, 0, 0], 16, lo, 0x1008), Errno::Invalid),
            (route([10, 4, 0, 0], 16, [9, 9, 9, 9], 0), Errno::NetUnreachable),
            (route([10, 4, 0, 0], 16, gateway, 8), Errno::NetUnreachable),
        ] {
            assert_eq!(make(p, SIOCADDRT, &request), Err(errno));
        }
        assert_eq!(make(p, SIOCDELRT, &route(net, 16, [0; 4], 0)), Ok(()));
        assert_eq!(make(p, SIOCDELRT, &route(net, 16, [0; 4], 0)), Err(Errno::NoProcess));
        let connected = route([10, 0, 0, 0], 24, [0; 4], 0);
        assert_eq!(make(p, SIOCDELRT, &connected), Err(Errno::NotPermitted));
        assert_eq!(ask(p, SIOCFLUSHRT, &[9; 4]), Ok(3_u32.to_ne_bytes().to_vec()));
        assert_eq!(ask(p, SIOCFLUSHRT, &[9; 4]), Ok(vec![0; 4]));
        assert_eq!(make(p, SIOCADDRT, &route([0; 4], 0, gateway, 0)), Ok(()), "default");
        let routes = table(p, "net.routes");
        assert!(
            routes.contains("\n0.0.0.0\t0\t10.0.0.2\tUGS\tshmif0\t10.0.0.1\t1500\n"),
            "{routes}"
        );
        assert!(routes.contains("\n10.0.0.0\t24\t\tUC\tshmif0\t10.0.0.1\t1500\n"), "{routes}");
        assert!(routes.contains("\n10.0.0.255\t32\t\tUbH\t"), "{routes}");
    });
}

#[test]
fn link_addresses_are_set_shown_and_forgotten() {
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
    programs(|p| {
        plug(p, "shmif0", "link", [10, 0, 0, 1]);
        let peer = [10, 0, 0, 2];
        let ask_for = arp(peer, [0; 6], 0, "");
        assert_eq!(make(p, SIOCGARP, &ask_for), Err(Errno::NoDevice));
        assert_eq!(make(p, SIOCSARP, &arp(peer, MAC, 4, "")), Ok(()));
        assert_eq!(ask(p, SIOCGARP, &ask_for), Ok(arp(peer, MAC, 6, "shmif0")));
        let shown = table(p, "net.inet.arp.table");
        let row = "10.0.0.2\t02:00:00:00:00:09\tshmif0\tstatic\t\n";
        assert_eq!(shown, format!("address\tlladdr\tinterface\tstate\texpires\n{row}"));
        for (request, errno) in [
            (arp(peer, [0; 6], 0, ""), Errno::Invalid),
            (arp(peer, [0xff; 6], 0, ""), Errno::Invalid),
            (arp([224, 0, 0, 1], MAC, 0, "shmif0"), Errno::Invalid),
            (arp([10, 0, 0, 1], MAC, 0, ""), Errno::Invalid),
            (arp([10, 0, 0, 255], MAC, 0, ""), Errno::Invalid),
            (arp([10, 9, 0, 1], MAC, 0, ""), Errno::NetUnreachable),
            (arp(peer, MAC, 8, ""), Errno::NotSupported),
            (arp(peer, MAC, 0, "shmif7"), Errno::NotSuchDevice),
            (arp(peer, MAC, 0, "lo0"), Errno::AddrNotAvailable),
        ] {
            assert_eq!(make(p, SIOCSARP, &request), Err(errno));
        }
        assert_eq!(make(p, SIOCSARP, &arp([10, 9, 0, 1], MAC, 0, "shmif0")), Ok(()), "named");
        assert_eq!(make(p, SIOCDARP, &arp(peer, [0; 6], 0, "lo0")), Err(Errno::NoDevice));
        assert_eq!(make(p, SIOCDARP, &ask_for), Ok(()));
        assert_eq!(make(p, SIOCDARP, &ask_for), Err(Errno::NoDevice));
        // Asked for, not answered; what waits is dropped.
        let to = p.1.put(BASE, &[&sockaddr(9)[..4], &peer, &[0; 8]].concat());
        let s = socket(p);
        assert_eq!(p.call(n::SENDTO, [s, BASE, 8, 0, to, 16]), Ok(8));
        assert!(table(p, "net.inet.arp.table").contains("\n10.0.0.2\t\tshmif0\tincomplete\t1\n"));
        assert_eq!(ask(p, SIOCFLUSHARP, &[9; 4]), Ok(2_u32.to_ne_bytes().to_vec()));
        assert_eq!(ask(p, SIOCFLUSHARP, &[9; 4]), Ok(vec![0; 4]));
    });
}

#[test]
fn static_link_addresses_have_a_limit() {
    programs(|p| {
        plug(p, "shmif0", "link", [10, 0, 0, 1]);
        let set = |p: &mut Program, n: u16| {
            let [high, low] = n.to_be_bytes();
            make(p, SIOCSARP, &arp([10, 9, high, low], [2, 0, 0, 0, 0, 9], 4, "shmif0"))
        };
        assert!((1..=512).all(|n| set(p, n).is_ok()));
        assert_eq!(set(p, 513), Err(Errno::NoBuffers));
        assert_eq!(set(p, 512), Ok(()), "one of them again");
        assert_eq!(ask(p, SIOCFLUSHARP, &[0; 4]), Ok(512_u32.to_ne_bytes().to_vec()));
        assert_eq!(set(p, 513), Ok(()));
    });
}

#[test]
fn what_waited_for_a_link_address_goes_once_it_is_set() {
    on_sims(|sim| {
        let kernels = [boot(&(sim.clone() as _)), boot(&(sim.clone() as _))];
        let [mut a, mut b] = kernels.each_ref().map(Program::new);
        plug(&mut a, "shmif0", "link", [10, 0, 0, 1]);
        let far = a.call(n::SOCKET, [AF_INET, DGRAM, 0]).unwrap();
        let to = a.1.put(BASE, &[&sockaddr(9)[..4], &[10, 0, 0, 2], &[0; 8]].concat());
        a.call(n::SENDTO, [far, BASE, 8, 0, to, 16]).unwrap();
        plug(&mut b, "shmif0", "link", [10, 0, 0, 2]);
        let table = table(&mut b, "net.interfaces");
        let mac = table.lines().last().unwrap().split('\t').nth(4).unwrap();
        let mac: Vec<u8> = mac.split(':').map(|x| u8::from_str_radix(x, 16).unwrap()).collect();
        let request = arp([10, 0, 0, 2], mac.try_into().unwrap(), 4, "");
        assert_eq!(make(&mut a, SIOCSARP, &request), Ok(()));
        sim.settle();
        assert_eq!(counter(&kernels[1], "udp", "no_port"), 1);
        drop((a, b));
        kernels.into_iter().for_each(end);
    });
}

/// The memory of SIOCSLINK: words of four bytes from 16 on, and words of eight at 24 to 56.
fn link(set: u32, delay: u64, rate: u64, small: [u32; 6]) -> Vec<u8> {
    let mut raw = padded(&name("shmif0"), 16);
    raw.extend(set.to_ne_bytes());
    raw.extend([0; 4]);
    [delay, 0, rate, 0].iter().for_each(|n| raw.extend(n.to_ne_bytes()));
    small.iter().for_each(|n| raw.extend(n.to_ne_bytes()));
    raw
}

#[test]
fn links_are_changed_as_a_whole_or_not_at_all() {
    programs(|p| {
        plug(p, "shmif0", "link", [10, 0, 0, 1]);
        let get = |p: &mut Program| ask(p, SIOCGLINK, &padded(&name("shmif0"), 80)).unwrap();
        const PLAIN: u32 = 0x7ff;
        assert_eq!(get(p), link(PLAIN, 0, 0, [0; 6]));
        // Delay and loss; what is not set is not looked at.
        let request = link(0x11, 20_000_000, 5, [10_000_000, 7, 7, 7, 7, 7]);
        assert_eq!(make(p, SIOCSLINK, &request), Ok(()));
        assert_eq!(get(p), link(PLAIN, 20_000_000, 0, [10_000_000, 0, 0, 0, 0, 0]));
        assert!(table(p, "net.interfaces").contains("\tdelay 20ms loss 1%\t0\t0\t0\t0\t0\t0\n"));
        // Reorder and limit beside them.
        assert_eq!(make(p, SIOCSLINK, &link(0x240, 0, 0, [0, 0, 9, 0, 0, 50])), Ok(()));
        let now = link(PLAIN, 20_000_000, 0, [10_000_000, 0, 9, 0, 0, 50]);
        assert_eq!(get(p), now);
        for wrong in [
            // No such bit; no such probability, set or not; a day and more; nothing to overtake; a burst.
            link(0x800, 0, 0, [0; 6]),
            link(0x10, 0, 0, [1_000_000_001, 0, 0, 0, 0, 0]),
            link(0x1, 86_400_000_000_001, 0, [0; 6]),
            link(0x1, 0, 0, [0; 6]),
            link(0x8000_0040, 0, 0, [0, 0, 1, 0, 0, 0]),
            link(0x30, 0, 0, [900_000_000, 1, 0, 0, 0, 0]),
            link(0x200, 0, 0, [0, 0, 0, 0, 0, 1_000_001]),
        ] {
            assert_eq!(make(p, SIOCSLINK, &wrong), Err(Errno::Invalid));
            assert_eq!(get(p), now);
        }
        // Forgotten, and something new.
        assert_eq!(make(p, SIOCSLINK, &link(0x8000_0008, 3, 1000, [0; 6])), Ok(()));
        assert_eq!(get(p), link(PLAIN, 0, 1000, [0; 6]));
        assert_eq!(make(p, SIOCSLINK, &link(0x8000_0000, 0, 0, [0; 6])), Ok(()));
        assert_eq!(get(p), link(PLAIN, 0, 0, [0; 6]));
        let nobody = padded(&name("shmif9"), 80);
        assert_eq!(ask(p, SIOCGLINK, &nobody), Err(Errno::NotSuchDevice));
        assert_eq!(make(p, SIOCSLINK, &nobody), Err(Errno::NotSuchDevice));
    });
}

#[test]
fn only_the_superuser_changes_anything() {
    programs(|p| {
        plug(p, "shmif0", "link", [10, 0, 0, 1]);
        p.0.enter(|l| l.proc().set_cred(l, Cred { uid: 1000, ..Cred::root() })).unwrap();
        let before = (table(p, "net.interfaces"), table(p, "net.routes"));
        for (request, len) in CHANGES {
            let data = padded(&name("shmif0"), len);
            assert_eq!(make(p, request, &data), Err(Errno::NotPermitted), "{request:#x}");
        }
        assert_eq!(make(p, SIOCSIFMTU, &padded(&name("shmif0"), 40)), Err(Errno::NotPermitted));
        assert_eq!(before, (table(p, "net.interfaces"), table(p, "net.routes")));
        let linked = ask(p, SIOCGLINKSTR, &linkstr("shmif0", b""));
        assert_eq!(linked, Ok(linkstr("shmif0", b"link")));
        assert!(ask(p, SIOCGETRT, &route([10, 0, 0, 7], 0, [0; 4], 0)).is_ok());
        assert_eq!(make(p, SIOCGARP, &arp([10, 0, 0, 7], [0; 6], 0, "")), Err(Errno::NoDevice));
    });
}

#[test]
fn requests_of_another_size_are_other_requests() {
    programs(|p| {
        for (request, len) in CHANGES.into_iter().chain(QUERIES).filter(|(r, _)| r >> 8 != 0x89) {
            for other in [0, len - 1, len + 1, 0x3fff] {
                let request = request & !(0x3fff << 16) | (other as u64) << 16;
                let data = padded(&name("lo0"), other);
                assert_eq!(make(p, request, &data), Err(Errno::NotTerminal), "{request:#x}");
            }
            let s = socket(p);
            let at_nothing = p.call(n::IOCTL, [s, request, 1]);
            assert_eq!(at_nothing, Err(Errno::BadAddress), "{request:#x}");
        }
    });
}

#[test]
fn any_bytes_are_answered() {
    let seed = core::cell::Cell::new(0_u64);
    on_sims(|sim| {
        let kernel = boot(&(sim.clone() as _));
        let mut p = Program::new(&kernel);
        plug(&mut p, "shmif0", "link", [10, 0, 0, 1]);
        seed.set(seed.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut state = seed.get();
        let mut random = || {
            // xorshift64 (Marsaglia 2003).
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        for _ in 0..300 {
            for (request, len) in CHANGES.into_iter().chain(QUERIES) {
                let mut data: Vec<u8> = (0..len).map(|_| random()).collect();
                // Often something that is nearly right.
                if random() % 2 == 0 && len >= 16 {
                    let near = [&b"shmif0"[..], b"lo0", b"shmif3", b"\x0a\x00\x00\x02"];
                    let text = near[usize::from(random() % 4)];
                    data[..16].copy_from_slice(&padded(text, 16));
                }
                if random() % 2 == 0 && len >= 32 {
                    let quiet = usize::from(random()) % (len - 16);
                    data[16 + quiet..].fill(0);
                    data[16..18].copy_from_slice(&2_u16.to_ne_bytes());
                }
                let _ = ask(&mut p, request, &data);
            }
        }
        assert!(table(&mut p, "net.interfaces").contains("\nlo0\t1\t"));
        drop(p);
        end(kernel);
    });
}

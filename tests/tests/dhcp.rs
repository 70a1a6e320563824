//! Leases of kernels on a bus, over virtual days.

use std::net::Ipv4Addr;
use std::time::Duration;

use base::Errno;
use net::MacAddr;
use net::ifnet::config;
use net::route::config::Prefix4;
use tests::dhcp_server::{
    ACK, DECLINE, DISCOVER, DhcpServer, NAK, OFFER, RELEASE, REQUEST, datagram,
};
use tests::wire::{Arp, Ip, TYPE_IP, UDP, ethernet};
use tests::{Lab, Node, Station};

const SERVER: [u8; 4] = [10, 5, 0, 1];
const FIRST: [u8; 4] = [10, 5, 0, 100];
const HOUR: u32 = 3600;

/// A server on a bus.
struct Link<'a> {
    lab: &'a Lab,
    server: DhcpServer,
    station: Station,
}

impl<'a> Link<'a> {
    fn new(lab: &'a Lab, lease: u32) -> Link<'a> {
        let station = Station::new(lab, "bus", SERVER);
        Link { lab, server: DhcpServer::new(SERVER, FIRST, lease), station }
    }

    /// Lets time pass in steps, after each of which the server answers.
    fn pass(&mut self, time: Duration, step: Duration) {
        let mut left = time;
        while !left.is_zero() {
            self.serve();
            let now = step.min(left);
            self.lab.pass(now);
            left -= now;
        }
        self.serve();
    }

    fn serve(&mut self) {
        self.lab.settle();
        while self.server.serve(&self.station) > 0 {
            self.lab.settle();
        }
        self.lab.settle();
    }

    /// Until a lease can be there.
    fn soon(&mut self) {
        self.pass(Duration::from_secs(3), Duration::from_millis(100));
    }

    /// The kinds of message that came since the last look.
    fn asked(&mut self) -> Vec<u8> {
        self.server.asked.drain(..).map(|asked| asked.0).collect()
    }
}

/// A kernel on the bus that asks for a lease.
fn client(lab: &Lab) -> Node {
    let node = lab.hosted("client");
    let started = node.enter(|l| {
        config::create(l, "shmif0")?;
        config::set_linkstr(l, "shmif0", "bus")?;
        dhcp::start(l, "shmif0")
    });
    started.unwrap().unwrap();
    node
}

fn addresses(node: &Node) -> Vec<(std::net::IpAddr, u8)> {
    let of = |l: &mut base::Lwp<'_>, ifp: &base::KArc<net::Ifnet>| {
        ifp.addrs(l).iter().map(|a| (a.addr, a.prefix)).collect()
    };
    node.on("shmif0", of).unwrap()
}

fn lent(n: u8) -> Vec<(std::net::IpAddr, u8)> {
    vec![(Ipv4Addr::new(10, 5, 0, n).into(), 24)]
}

/// The row of the table `net.dhcp.leases`, by cells.
fn row(node: &Node) -> Vec<String> {
    let text = node.enter(|l| {
        let mut out = base::sysctl::Listing::new(l, usize::MAX);
        let table = base::sysctl::TABLES.iter().find(|t| t.name == "net.dhcp.leases").unwrap();
        (table.write)(l, &mut out).unwrap();
        String::from_utf8(out.end().0.to_vec()).unwrap()
    });
    text.unwrap().trim_end_matches('\n').split('\t').map(str::to_owned).collect()
}

fn default_route(node: &Node) -> Option<String> {
    let route = node.enter(|l| net::route::config::get(l, Ipv4Addr::new(192, 0, 2, 1))).unwrap();
    route.ok().filter(|(to, _)| *to == Prefix4::DEFAULT).map(|(_, r)| format!("{:?}", r.kind))
}

#[test]
fn a_kernel_gets_an_address_and_a_way_out() {
    Lab::run(1, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        assert_eq!(row(&node)[1], "selecting");
        link.soon();
        assert_eq!(addresses(&node), lent(100));
        assert_eq!(link.asked(), [DISCOVER, REQUEST]);
        assert_eq!(default_route(&node).unwrap(), "Gateway(10.5.0.1)");
        let row = row(&node);
        let shown = ["shmif0", "bound", "10.5.0.100", "24", "10.5.0.1", "9.9.9.9 8.8.8.8"];
        assert_eq!(row[..6], shown);
        assert_eq!(row[6..8], ["10.5.0.1", "3600"]);
        let left: u32 = row[10].parse().unwrap();
        assert!((3590..3600).contains(&left), "{left}");
        assert!(node.dmesg().contains("shmif0: 10.5.0.100/24 lent by 10.5.0.1"));
        // A second kernel gets another one, and they talk.
        let other = client(lab);
        link.soon();
        assert_eq!(addresses(&other), lent(101));
        assert_eq!(other.ping([10, 5, 0, 100]).unwrap().kind, 0);
        assert_eq!(node.counter("udp", "no_port"), 0, "servers get no errors from us");
    });
}

#[test]
fn leases_are_prolonged_for_days() {
    Lab::run(2, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        link.soon();
        link.asked();
        let sent = |node: &Node| node.counter("dhcp", "bound");
        link.pass(Duration::from_secs(3 * 86_400), Duration::from_secs(20));
        assert_eq!(addresses(&node), lent(100));
        let asked = link.asked();
        assert!((140..=150).contains(&asked.len()), "every half hour: {}", asked.len());
        assert!(asked.iter().all(|kind| *kind == REQUEST));
        assert_eq!(sent(&node), 1, "it is one and the same lease");
        assert_eq!(row(&node)[1], "bound");
        assert_eq!(node.counter("udp", "no_port"), 0);
    });
}

#[test]
fn a_silent_server_ends_the_lease_and_another_begins_later() {
    Lab::run(3, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        link.soon();
        link.server.silent = true;
        link.pass(Duration::from_secs(3590), Duration::from_secs(10));
        assert_eq!((addresses(&node), &*row(&node)[1]), (lent(100), "rebinding"));
        link.pass(Duration::from_secs(20), Duration::from_secs(1));
        assert_eq!(addresses(&node), []);
        assert_eq!(default_route(&node), None);
        assert!(node.dmesg().contains("the lease ended"));
        assert_eq!(node.counter("dhcp", "ended"), 1);
        link.pass(Duration::from_secs(600), Duration::from_secs(10));
        link.server.silent = false;
        link.pass(Duration::from_secs(80), Duration::from_millis(500));
        assert_eq!(addresses(&node), lent(100));
        assert!(default_route(&node).is_some());
    });
}

#[test]
fn a_refusal_takes_the_address_away() {
    Lab::run(4, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        link.soon();
        link.server.refuses = true;
        link.pass(Duration::from_secs(1801), Duration::from_secs(1));
        assert_eq!((addresses(&node), default_route(&node)), (vec![], None));
        assert!(node.dmesg().contains("refuses"));
        link.server.refuses = false;
        link.pass(Duration::from_secs(20), Duration::from_millis(100));
        assert_eq!(addresses(&node), lent(100));
    });
}

#[test]
fn rfc2131_section_3_1_5_an_address_that_somebody_has_is_declined() {
    Lab::run(5, |lab| {
        let mut link = Link::new(lab, HOUR);
        let squatter = lab.router("squatter");
        squatter.plug("shmif0", "bus", ([10, 5, 0, 100], 24)).unwrap();
        let node = client(lab);
        link.soon();
        assert_eq!(addresses(&node), []);
        assert!(link.asked().contains(&DECLINE));
        assert_eq!(node.counter("dhcp", "in_use"), 1);
        link.pass(Duration::from_secs(20), Duration::from_millis(100));
        assert_eq!(addresses(&node), lent(101), "another one, after the pause");
    });
}

#[test]
fn a_lease_is_given_back() {
    Lab::run(6, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        link.soon();
        link.asked();
        node.enter(|l| dhcp::release(l, "shmif0")).unwrap().unwrap();
        link.soon();
        assert_eq!((addresses(&node), default_route(&node)), (vec![], None));
        assert_eq!(link.asked(), [RELEASE]);
        assert_eq!(row(&node), [""], "nothing is left of it");
        link.pass(Duration::from_secs(86_400), Duration::from_secs(3600));
        assert_eq!(link.asked(), [], "it is quiet");
        node.enter(|l| dhcp::start(l, "shmif0")).unwrap().unwrap();
        link.soon();
        assert_eq!(addresses(&node), lent(101));
    });
}

#[test]
fn what_somebody_set_by_hand_stays() {
    Lab::run(7, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        node.enter(|l| config::add_addr(l, "shmif0", [10, 6, 0, 1].into(), 24)).unwrap().unwrap();
        node.route([0, 0, 0, 0], 0, [10, 6, 0, 9]).unwrap();
        link.soon();
        let by_hand = (Ipv4Addr::new(10, 6, 0, 1).into(), 24);
        assert_eq!(addresses(&node), [by_hand, lent(100)[0]]);
        assert_eq!(default_route(&node).unwrap(), "Gateway(10.6.0.9)");
        node.enter(|l| dhcp::release(l, "shmif0")).unwrap().unwrap();
        link.soon();
        assert_eq!(addresses(&node), [by_hand]);
        assert_eq!(default_route(&node).unwrap(), "Gateway(10.6.0.9)");
    });
}

#[test]
fn a_router_passes_on_what_servers_send_to_others() {
    Lab::run(11, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        node.plug("shmif1", "inside", ([10, 6, 0, 1], 24)).unwrap();
        let other = Station::new(lab, "inside", [10, 6, 0, 9]);
        other.greet(lab, [10, 6, 0, 1]);
        lab.settle();
        // An acknowledgement for another client, as it has asked for one by unicast.
        let (mac, server) = (node.mac("shmif0"), Ipv4Addr::from(SERVER));
        let mut ack = vec![0; 240];
        ack[..3].copy_from_slice(&[2, 1, 6]);
        ack[16..20].copy_from_slice(&[10, 6, 0, 9]);
        ack[28..34].copy_from_slice(&other.mac.0);
        ack[236..].copy_from_slice(&[99, 130, 83, 99]);
        ack.extend([53, 1, ACK, 255]);
        let pass = |link: &mut Link<'_>, data: &[u8]| {
            let payload = datagram(server, other.ip, data);
            link.station.send_ip(mac, &Ip::new(server, other.ip, UDP, payload.clone()));
            lab.settle();
            let came = other.ips();
            let came = came.iter().filter(|ip| ip.protocol == UDP);
            came.map(|ip| (ip.src, ip.payload == payload)).collect::<Vec<_>>()
        };
        let passed = [(server, true)];
        assert_eq!(pass(&mut link, &ack), passed, "while it has no lease itself");
        link.soon();
        assert_eq!(addresses(&node), lent(100));
        for data in [&ack[..], &[0; 300], b""] {
            assert_eq!(pass(&mut link, data), passed);
        }
        // One that says that it is for us, and is not sent to the address that we get, is not ours.
        ack[28..34].copy_from_slice(&mac.0);
        ack[16..20].copy_from_slice(&[10, 5, 0, 100]);
        assert_eq!(pass(&mut link, &ack), passed);
        assert_eq!(node.counter("dhcp", "bad"), 0);
        // Nor does it take what is its own from it: the lease goes on.
        link.asked();
        link.pass(Duration::from_secs(1810), Duration::from_secs(1));
        assert_eq!(link.asked(), [REQUEST]);
        assert_eq!(row(&node)[1], "bound");
    });
}

#[test]
fn nonsense_of_servers_changes_nothing() {
    Lab::run(8, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        lab.settle();
        let mac = node.mac("shmif0");
        let send = |link: &Link<'_>, dst: Ipv4Addr, payload: &[u8]| {
            let ip = Ip::new(SERVER.into(), dst, UDP, payload.to_vec());
            link.station.send(&ethernet(mac, link.station.mac, TYPE_IP, &ip.bytes()));
            lab.settle();
        };
        let all = Ipv4Addr::BROADCAST;
        let good = datagram(SERVER.into(), all, &[0; 300]);
        let mut bad = good.clone();
        bad[6] ^= 1;
        for payload in [&good[..], &bad, &good[..20], &datagram(SERVER.into(), all, &[0xff; 1400])]
        {
            send(&link, all, payload);
        }
        assert_eq!(node.counter("dhcp", "bad"), 4);
        // For somebody else, with our port: an ordinary datagram, and to us: none of a server's.
        let mut port = good.clone();
        port[1] = 66;
        send(&link, all, &port);
        assert_eq!(node.counter("dhcp", "bad"), 4);
        link.soon();
        assert_eq!(addresses(&node), lent(100));
        // A frame in pieces is none.
        let ip = Ip { more: true, ..Ip::new(SERVER.into(), all, UDP, good.clone()) };
        link.station.send_ip(MacAddr::BROADCAST, &ip);
        let announce = Arp {
            op: 1,
            sender: (MacAddr::local(5), [10, 5, 0, 100].into()),
            target: (MacAddr::ZERO, [10, 5, 0, 100].into()),
        };
        link.station.send_arp(MacAddr::BROADCAST, &announce);
        link.soon();
        assert_eq!(addresses(&node), lent(100), "once it is bound, it is defended");
    });
}

#[test]
fn interfaces_and_kernels_go_at_any_time() {
    for seed in 0..40 {
        Lab::run(seed, |lab| {
            let mut link = Link::new(lab, 20);
            let node = client(lab);
            link.pass(Duration::from_millis(100 * (seed % 20)), Duration::from_millis(50));
            match seed % 4 {
                0 => node.enter(|l| config::destroy(l, "shmif0")).unwrap().unwrap(),
                1 => node.enter(|l| dhcp::release(l, "shmif0")).unwrap().unwrap(),
                2 => node.enter(|l| config::set_up(l, "shmif0", false)).unwrap().unwrap(),
                _ => {}
            }
            if seed % 8 < 4 {
                link.pass(Duration::from_secs(60), Duration::from_millis(500));
            }
            // Whatever is under way, nothing stays charged: the laboratory looks.
            drop(node);
            link.serve();
        });
    }
}

/// Until the client has asked for more time, in vain at first, and is about to be answered.
fn ask_for_more(link: &mut Link<'_>) {
    link.asked();
    link.server.silent = true;
    link.pass(Duration::from_secs(1810), Duration::from_secs(1));
    assert_eq!(link.asked(), [REQUEST]);
    link.server.silent = false;
    // It knows its server's link address, and asks again.
    link.lab.pass(Duration::from_secs(690));
}

#[test]
fn an_address_that_comes_again_otherwise_and_cannot_be_set_does_not_stay() {
    Lab::run(12, |lab| {
        let mut link = Link::new(lab, HOUR);
        let node = client(lab);
        link.soon();
        assert_eq!(addresses(&node), lent(100));
        ask_for_more(&mut link);
        // In this network it is nobody's.
        link.server.mask = [255, 255, 255, 252].into();
        link.serve();
        assert!(node.dmesg().contains("10.5.0.100/30, which was lent, cannot be set"));
        assert_eq!((addresses(&node), default_route(&node)), (vec![], None));
        assert_eq!((&*row(&node)[1], &*row(&node)[2]), ("init", ""));
        link.server.mask = [255, 255, 255, 0].into();
        link.pass(Duration::from_secs(20), Duration::from_millis(100));
        assert_eq!(addresses(&node), lent(100));
        assert!(default_route(&node).is_some());
    });
}

#[test]
fn no_change_without_memory_leaves_what_is_not_lent() {
    let mut lost = 0;
    for n in 1.. {
        let refused = Lab::run(n, |lab| {
            // Its network has no more than two addresses at first, so that there are more routes to be
            // made the second time.
            let mut link = Link::new(lab, HOUR);
            link.server = DhcpServer::new([10, 5, 0, 3], [10, 5, 0, 2], HOUR);
            link.server.mask = [255, 255, 255, 254].into();
            let node = client(lab);
            link.soon();
            assert_eq!(addresses(&node), [(Ipv4Addr::new(10, 5, 0, 2).into(), 31)]);
            ask_for_more(&mut link);
            link.server.mask = [255, 255, 255, 0].into();
            lab.sim().faults().refuse_nth_charge(n);
            link.serve();
            lab.sim().faults().clear();
            // What it has, and what it says that it has.
            let (has, row) = (addresses(&node), row(&node));
            let held = if row[2].is_empty() { vec![] } else { has.clone() };
            assert_eq!(has, held, "{row:?}, without charge {n}");
            assert_eq!(default_route(&node).is_some(), !has.is_empty(), "{row:?}");
            lost += usize::from(has.is_empty());
            // The answer may have been lost; it asks again.
            link.pass(Duration::from_secs(900), Duration::from_secs(1));
            assert_eq!(addresses(&node), lent(2), "without charge {n}");
            assert!(default_route(&node).is_some(), "without charge {n}");
            lab.sim().faults().refused()
        });
        if refused == 0 {
            break;
        }
    }
    assert!(lost > 0, "some of them are needed");
}

#[test]
fn a_way_out_that_there_is_no_memory_for_comes_later() {
    // With some numbers of routes, the table has to grow for the one by the router.
    let mut refused = 0;
    for (routes, n) in (0..6).flat_map(|routes| (1..40).map(move |n| (routes, n))) {
        Lab::run(n, |lab| {
            let mut link = Link::new(lab, HOUR);
            let node = client(lab);
            node.plug("shmif1", "inside", ([10, 6, 0, 1], 24)).unwrap();
            (0..routes).for_each(|net| node.route([10, 7, net, 0], 24, [10, 6, 0, 9]).unwrap());
            link.pass(Duration::from_millis(900), Duration::from_millis(100));
            assert_eq!(row(&node)[1], "checking");
            lab.sim().faults().refuse_nth_charge(n);
            link.pass(Duration::from_secs(1), Duration::from_millis(100));
            lab.sim().faults().clear();
            refused += usize::from(node.dmesg().contains("no way out"));
            link.pass(Duration::from_secs(60), Duration::from_millis(500));
            let has = (addresses(&node), default_route(&node).is_some());
            assert_eq!(has, (lent(100), true), "with {routes} routes, without charge {n}");
        });
    }
    assert!(refused > 0);
}

#[test]
fn what_cannot_have_a_lease_is_refused() {
    Lab::run(9, |lab| {
        let node = lab.hosted("node");
        node.enter(|l| {
            assert_eq!(dhcp::start(l, "lo0"), Err(Errno::NotSupported));
            assert_eq!(dhcp::start(l, "shmif0"), Err(Errno::NotSuchDevice));
            assert_eq!(dhcp::release(l, "lo0"), Err(Errno::AddrNotAvailable));
            let text = |t: &str| base::sysctl::Value::Text(t.to_owned());
            config::create(l, "shmif0").unwrap();
            let set = |l: &mut base::Lwp<'_>, v| base::sysctl::set(l, "net.dhcp.start", v);
            assert_eq!(set(l, text("shmif0")), Err(Errno::NetDown));
            assert_eq!(set(l, base::sysctl::Value::Int(1)), Err(Errno::Invalid));
        })
        .unwrap();
    });
}

#[test]
fn without_memory_and_threads_it_takes_longer() {
    for seed in 0..20 {
        let config = sim::Config { seed, ..sim::Config::default() };
        Lab::run_with(config, |lab| {
            let mut link = Link::new(lab, HOUR);
            let node = client(lab);
            lab.sim().faults().lose(300_000);
            lab.sim().faults().refuse_threads(true);
            link.pass(Duration::from_secs(60), Duration::from_millis(250));
            assert_eq!(addresses(&node).len(), 0, "nobody is there to set it");
            lab.sim().faults().refuse_threads(false);
            lab.sim().faults().refuse(50_000);
            link.pass(Duration::from_secs(60), Duration::from_millis(250));
            lab.sim().faults().clear();
            link.pass(Duration::from_secs(200), Duration::from_millis(250));
            assert_eq!(addresses(&node).len(), 1, "seed {seed}");
        });
    }
}

#[test]
fn kinds_are_as_the_standard_numbers_them() {
    assert_eq!([DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE], [1, 2, 3, 4, 5, 6, 7]);
}

//! A kernel on the host's network: virtif on tap devices, and Linux's own stack at their other end.
//!
//! Each test runs in a network namespace of its own.

use std::io::{ErrorKind, Read, Write};
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;

use net::ifnet::config;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto};
use tests::dhcp_server::DhcpServer;
use tests::namespace::{self, ip};
use tests::patience::{PATIENCE, within};
use tests::streams::{between, both_ways};
use tests::uplink::{self, HOST, KERNEL, lab, with_link};
use tests::{Lab, Node};

#[test]
fn the_kernel_pings_the_host() {
    with_link("the_kernel_pings_the_host", |_, node| {
        for _ in 0..20 {
            let answer = node.ping(HOST).unwrap();
            assert_eq!((answer.kind, answer.from), (0, HOST.into()));
        }
        let big = tests::node::Ping { size: 8000, ..tests::node::Ping::new(HOST) };
        assert_eq!(node.ping_with(big).unwrap().kind, 0, "in fragments, both ways");
    });
}

#[test]
fn the_host_pings_the_kernel() {
    with_link("the_host_pings_the_kernel", |_, node| {
        let protocol = Some(ipproto::ICMP);
        let raw = rustix::net::socket(AddressFamily::INET, SocketType::RAW, protocol).unwrap();
        rustix::net::sockopt::set_socket_timeout(
            &raw,
            rustix::net::sockopt::Timeout::Recv,
            Some(PATIENCE),
        )
        .unwrap();
        for seq in 1..=20u16 {
            let data: Vec<u8> = (0..1000u32).map(|i| i as u8 ^ seq as u8).collect();
            let echo = tests::wire::Icmp::echo(0x4242, seq, &data).bytes();
            let to = SocketAddr::from((KERNEL, 0));
            rustix::net::sendto(&raw, &echo, SendFlags::empty(), &to).unwrap();
            loop {
                let mut buf = [MaybeUninit::uninit(); 2048];
                let ((got, _), _) = rustix::net::recv(&raw, &mut buf, RecvFlags::empty()).unwrap();
                let packet = tests::wire::Ip::parse(got).unwrap();
                let icmp = packet.icmp().unwrap();
                if (packet.src, icmp.kind) == (Ipv4Addr::from(KERNEL), 0) {
                    assert_eq!(icmp.id_and_seq(), Some((0x4242, seq)));
                    assert!(got.ends_with(&data), "the data comes back as it was");
                    break;
                }
            }
        }
        assert!(node.counter("icmp", "echoed") >= 20);
    });
}

#[test]
fn datagrams_both_ways() {
    with_link("datagrams_both_ways", |_, node| {
        let here = UdpSocket::bind((Ipv4Addr::from(HOST), 7000)).unwrap();
        here.set_read_timeout(Some(PATIENCE)).unwrap();
        let there = local::UdpSocket::bind(node, "0.0.0.0:7001").unwrap();
        there.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buf = vec![0; 70_000];
        for size in [0, 1, 1472, 1473, 9000, 60_000] {
            let data: Vec<u8> = (0..size).map(|i| (i * 7 % 251) as u8).collect();
            here.send_to(&data, (Ipv4Addr::from(KERNEL), 7001)).unwrap();
            let (n, from) = there.recv_from(&mut buf).unwrap();
            assert_eq!((from, &buf[..n]), (SocketAddr::from((HOST, 7000)), &data[..]), "{size}");
            there.send_to(&data, from).unwrap();
            let (n, from) = here.recv_from(&mut buf).unwrap();
            assert_eq!((from, &buf[..n]), (SocketAddr::from((KERNEL, 7001)), &data[..]), "{size}");
        }
        // A closed port answers, either way.
        let closed = local::UdpSocket::bind(node, "0.0.0.0:0").unwrap();
        closed.set_read_timeout(Some(PATIENCE)).unwrap();
        closed.connect((Ipv4Addr::from(HOST), 9)).unwrap();
        closed.send(b"x").unwrap();
        assert_eq!(closed.recv(&mut buf).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        let closed = UdpSocket::bind((Ipv4Addr::from(HOST), 0)).unwrap();
        closed.set_read_timeout(Some(PATIENCE)).unwrap();
        closed.connect((Ipv4Addr::from(KERNEL), 9)).unwrap();
        closed.send(b"x").unwrap();
        assert_eq!(closed.recv(&mut buf).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    });
}

/// Megabytes in both directions at once over one connection.
const BULK: usize = 8 << 20;

#[test]
fn a_stream_that_the_host_opens() {
    with_link("a_stream_that_the_host_opens", |_, node| {
        let listener = local::TcpListener::bind(node, "0.0.0.0:80").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (stream, from) = listener.accept().unwrap();
                assert_eq!(from.ip(), IpAddr::from(HOST));
                both_ways(&stream, BULK, (1, 2));
            });
            let stream = TcpStream::connect((Ipv4Addr::from(KERNEL), 80)).unwrap();
            both_ways(&stream, BULK, (2, 1));
        });
        let bad = ["bad_header", "bad_checksum"].map(|name| node.counter("tcp", name));
        assert_eq!(bad, [0, 0], "every segment is as its sender made it");
    });
}

#[test]
fn a_stream_that_the_kernel_opens() {
    with_link("a_stream_that_the_kernel_opens", |_, node| {
        let listener = TcpListener::bind((Ipv4Addr::from(HOST), 81)).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (stream, from) = listener.accept().unwrap();
                assert_eq!(from.ip(), IpAddr::from(KERNEL));
                both_ways(&stream, BULK, (3, 4));
            });
            let stream = local::TcpStream::connect(node, (Ipv4Addr::from(HOST), 81)).unwrap();
            both_ways(&stream, BULK, (4, 3));
        });
        let refused = local::TcpStream::connect(node, (Ipv4Addr::from(HOST), 82)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn the_kernel_serves_the_host_s_web_client() {
    with_link("the_kernel_serves_the_host_s_web_client", |_, node| {
        let page = "<p>Served by a kernel in this process.</p>\n".repeat(1000);
        let listener = local::TcpListener::bind(node, "0.0.0.0:8080").unwrap();
        let serve = || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut buf = [0; 1024];
            while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                let n = stream.read(&mut buf).unwrap();
                assert_ne!(n, 0, "a whole request");
                request.extend_from_slice(&buf[..n]);
            }
            assert!(request.starts_with(b"GET /page HTTP/1."));
            let len = page.len();
            write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {len}\r\n\r\n{page}").unwrap();
        };
        std::thread::scope(|scope| {
            scope.spawn(serve);
            let mut stream = TcpStream::connect((Ipv4Addr::from(KERNEL), 8080)).unwrap();
            stream.write_all(b"GET /page HTTP/1.0\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.0 200 OK") && answer.ends_with(&page));
        });
        match Command::new("curl").arg("--version").output() {
            Err(_) => println!("curl is not here: only a client of our own has been served"),
            Ok(_) => std::thread::scope(|scope| {
                scope.spawn(serve);
                let curl = Command::new("curl")
                    .args(["-sSf", "-m", "20", "http://10.77.0.2:8080/page"])
                    .output()
                    .unwrap();
                assert!(curl.status.success(), "{}", String::from_utf8_lossy(&curl.stderr));
                assert!(curl.stdout == page.as_bytes());
            }),
        }
    });
}

#[test]
fn errors_say_what_to_do() {
    namespace::run("errors_say_what_to_do", || {
        let lab = lab();
        let node = lab.hosted("node");
        let create = |name: &str| {
            let made = node.enter(|l| config::create(l, name).map(|_| ())).unwrap();
            made.map_err(base::Errno::from)
        };
        // The device is made here, and goes with the interface.
        create("virt3").unwrap();
        let is_there = |name: &str| {
            let shown = Command::new("ip").args(["link", "show", name]).output().unwrap();
            shown.status.success()
        };
        assert!(is_there("tap3"));
        let second = lab.hosted("second");
        let busy = second.enter(|l| config::create(l, "virt3").map(|_| ())).unwrap();
        assert_eq!(busy.map_err(base::Errno::from), Err(base::Errno::Busy));
        assert!(second.dmesg().contains("tap3: another interface or program has it open"));
        node.enter(|l| config::destroy(l, "virt3")).unwrap().unwrap();
        within("the device's end", || !is_there("tap3"));

        // Something else of that name.
        let linkstr = |name: &str, text: &str| {
            let done = node.enter(|l| config::set_linkstr(l, name, text)).unwrap();
            done.map_err(base::Errno::from)
        };
        create("virt4").unwrap();
        for bad in ["lo", "a-name-that-is-too-long", "x/y", "tap%d"] {
            assert_eq!(linkstr("virt4", bad), Err(base::Errno::Invalid), "{bad}");
        }
        assert!(node.dmesg().contains("lo: the host has something else of that name"));
        let text = |node: &Node| node.on("virt4", |l, ifp| config::linkstr(l, ifp)).unwrap();
        assert_eq!(text(&node), "tap4", "what was there stays");
        linkstr("virt4", "lab7").unwrap();
        assert_eq!(text(&node), "lab7");
        assert!(is_there("lab7"));
        within("the end of the device before", || !is_there("tap4"));
        linkstr("virt4", "").unwrap();
        within("the end of the device", || !is_there("lab7"));

        // Created without a device, on request.
        node.sysctl("net.virt.connect", 0).unwrap();
        create("virt5").unwrap();
        assert!(!is_there("tap5"));

        // A kernel on a host without the other half.
        let lab = Lab::linux();
        let alone = lab.hosted("alone");
        let refused = alone.enter(|l| config::create(l, "virt0").map(|_| ())).unwrap();
        assert_eq!(refused.map_err(base::Errno::from), Err(base::Errno::NotSupported));
        assert!(alone.on("virt0", |_, _| ()).is_err(), "it was not created");
    });
}

/// Called again by [`without_permission_nothing_is_made`] where it may do nothing.
const POWERLESS: &str = "ANYKERNEL_TEST_POWERLESS";

#[test]
fn without_permission_nothing_is_made() {
    let name = "without_permission_nothing_is_made";
    namespace::run(name, || {
        if std::env::var_os(POWERLESS).is_none() {
            // A user namespace inside: root there, but nobody to the network outside of it.
            let myself = std::env::current_exe().unwrap();
            let output = Command::new("unshare")
                .args(["--user", "--map-root-user"])
                .arg(myself)
                .args(["--exact", name, "--nocapture", "--test-threads=1"])
                .env(POWERLESS, "1")
                .output()
                .unwrap();
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.success(), "{errors}");
            return;
        }
        powerless();
    });
}

fn powerless() {
    let lab = lab();
    let node = lab.hosted("node");
    let made = node.enter(|l| config::create(l, "virt0").map(|_| ())).unwrap();
    assert_eq!(made.map_err(base::Errno::from), Err(base::Errno::NotPermitted));
    let said = node.dmesg();
    assert!(
        said.contains("virt0: tap0: not permitted") && said.contains("ip tuntap add"),
        "{said}"
    );
    assert!(node.on("virt0", |_, _| ()).is_err(), "it was not created");
}

#[test]
fn interfaces_and_kernels_come_and_go() {
    with_link("interfaces_and_kernels_come_and_go", |lab, node| {
        let before = node.account().used();
        for round in 0..50 {
            let virt = format!("virt{}", 1 + round % 3);
            node.enter(|l| {
                config::create(l, &virt)?;
                config::set_up(l, &virt, true)?;
                config::destroy(l, &virt)
            })
            .unwrap()
            .unwrap();
        }
        let after = node.account().used();
        assert!(after <= before + 4096, "{before} bytes before, {after} after fifty rounds");
        for _ in 0..20 {
            let other = lab.hosted("other");
            other.enter(|l| config::create(l, "virt1").map(|_| ())).unwrap().unwrap();
            // It ends with its interface on.
            drop(other);
        }
        assert_eq!(node.ping(HOST).unwrap().kind, 0);

        // The host takes the device away.
        ip("link del tap0");
        within("a word about it", || node.dmesg().contains("virt0: the host's tap0 is gone"));
        assert!(node.ping_patiently(HOST, 1).is_err());
        // Another one, and the link is there again.
        uplink::tap();
        node.enter(|l| config::set_linkstr(l, "virt0", "")).unwrap().unwrap();
        node.enter(|l| config::set_linkstr(l, "virt0", "tap0")).unwrap().unwrap();
        assert_eq!(node.ping_patiently(HOST, 20).unwrap().kind, 0);
    });
}

#[test]
fn a_flood_loses_frames_and_nothing_else() {
    with_link("a_flood_loses_frames_and_nothing_else", |_, node| {
        let there = local::UdpSocket::bind(node, "0.0.0.0:7001").unwrap();
        let here = UdpSocket::bind((Ipv4Addr::from(HOST), 7000)).unwrap();
        let before = node.account().used();
        for round in 0..20_000u32 {
            // The queue of the device may be full, which is no error of the socket's.
            here.send_to(&[round as u8; 1000], (Ipv4Addr::from(KERNEL), 7001)).unwrap();
        }
        // Others get their turn, and memory stays bounded.
        assert_eq!(node.ping_patiently(HOST, 20).unwrap().kind, 0);
        assert!(node.account().used() < before + (8 << 20));
        drop(there);
        let sender = local::UdpSocket::bind(node, "0.0.0.0:0").unwrap();
        let packets = |node: &Node| node.on("virt0", |_, i| i.counters.opackets.get()).unwrap();
        let sent_before = packets(node);
        for _ in 0..20_000 {
            sender.send_to(&[0; 1000], (Ipv4Addr::from(HOST), 7002)).unwrap();
        }
        assert!(packets(node) >= sent_before + 20_000);
    });
}

#[test]
fn an_end_that_is_down_is_an_error_that_passes() {
    with_link("an_end_that_is_down_is_an_error_that_passes", |_, node| {
        assert_eq!(node.ping(HOST).unwrap().kind, 0);
        ip("link set tap0 down");
        let errors = |node: &Node| node.on("virt0", |_, i| i.counters.oerrors.get()).unwrap();
        let before = errors(node);
        assert!(node.ping_patiently(HOST, 1).is_err());
        assert!(errors(node) > before, "what was not sent is counted");
        ip("link set tap0 up");
        assert_eq!(node.ping_patiently(HOST, 20).unwrap().kind, 0);
    });
}

#[test]
fn jumbo_frames_where_both_ends_have_them() {
    with_link("jumbo_frames_where_both_ends_have_them", |_, node| {
        ip("link set tap0 mtu 9000");
        // Longer than this end takes: dropped and counted, not cut.
        let here = UdpSocket::bind((Ipv4Addr::from(HOST), 7000)).unwrap();
        let there = local::UdpSocket::bind(node, "0.0.0.0:7001").unwrap();
        there.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(node.ping(HOST).unwrap().kind, 0);
        let errors = |node: &Node| node.on("virt0", |_, i| i.counters.ierrors.get()).unwrap();
        let before = errors(node);
        here.send_to(&[7; 8000], (Ipv4Addr::from(KERNEL), 7001)).unwrap();
        within("an error that is counted", || errors(node) > before);
        node.enter(|l| config::set_mtu(l, "virt0", 9000)).unwrap().unwrap();
        here.send_to(&[8; 8000], (Ipv4Addr::from(KERNEL), 7001)).unwrap();
        let mut buf = vec![0; 9000];
        let (n, from) = there.recv_from(&mut buf).unwrap();
        assert_eq!((n, buf[0]), (8000, 8));
        there.send_to(&buf[..n], from).unwrap();
        let mut again = vec![0; 9000];
        here.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(here.recv(&mut again).unwrap(), 8000);
        let too_long = node.enter(|l| config::set_mtu(l, "virt0", 65_535)).unwrap();
        assert!(too_long.is_err(), "no frame of the host's is so long");
    });
}

#[test]
fn no_thread_is_left() {
    namespace::run("no_thread_is_left", || {
        let count = || {
            let tasks = std::fs::read_dir("/proc/self/task").unwrap();
            let name = |task: std::io::Result<std::fs::DirEntry>| {
                std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
            };
            tasks.filter_map(name).filter(|comm| comm.trim() == "virtif").count()
        };
        let lab = lab();
        let nodes: Vec<Node> = (0..10).map(|i| lab.hosted(&format!("node{i}"))).collect();
        assert_eq!(count(), 0, "none before there is a device");
        for (i, node) in nodes.iter().enumerate() {
            node.enter(|l| config::create(l, &format!("virt{i}")).map(|_| ())).unwrap().unwrap();
        }
        within("one thread for all", || count() == 1);
        drop(nodes);
        within("the thread's end", || count() == 0);
        let again: Arc<Node> = Arc::new(lab.hosted("again"));
        again.enter(|l| config::create(l, "virt0").map(|_| ())).unwrap().unwrap();
        within("another one", || count() == 1);
    });
}

#[test]
fn a_bridge_leads_others_to_the_host() {
    with_link("a_bridge_leads_others_to_the_host", |lab, node| {
        // The node's address moves to its bridge; another kernel is behind that.
        node.enter(|l| {
            config::remove_addr(l, "virt0", IpAddr::from(KERNEL))?;
            config::create(l, "shmif0")?;
            config::set_linkstr(l, "shmif0", "inside")?;
            config::set_up(l, "shmif0", true)?;
            config::create(l, "bridge0")?;
            bridge::add(l, "bridge0", "shmif0")?;
            bridge::add(l, "bridge0", "virt0")?;
            config::add_addr(l, "bridge0", IpAddr::from(KERNEL), 24)?;
            Ok::<_, base::Errno>(())
        })
        .unwrap()
        .unwrap();
        let inner = lab.hosted("inner");
        inner.plug("shmif0", "inside", ([10, 77, 0, 3], 24)).unwrap();
        assert_eq!(inner.ping(HOST).unwrap().kind, 0);
        assert_eq!(inner.ping(KERNEL).unwrap().kind, 0);
        assert_eq!(node.ping_patiently(HOST, 20).unwrap().kind, 0);
        let listener = local::TcpListener::bind(&inner, "0.0.0.0:80").unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::new(10, 77, 0, 3), 80));
        between(BULK, || Ok(listener.accept()?.0), connect);
        assert!(node.counter("bridge", "forwarded") > 200);
    });
}

#[test]
fn an_address_from_a_server_on_the_host() {
    namespace::run("an_address_from_a_server_on_the_host", || {
        uplink::tap();
        // Answers to those who have no address yet go to everybody on that link.
        ip("route add 255.255.255.255 dev tap0");
        let socket = UdpSocket::bind("0.0.0.0:67").unwrap();
        socket.set_broadcast(true).unwrap();
        let mut server = DhcpServer::new(HOST, [10, 77, 0, 50], 3600);
        std::thread::spawn(move || {
            let mut buf = [0; 2000];
            while let Ok((n, _)) = socket.recv_from(&mut buf) {
                if let Some((answer, _)) = server.answer(&buf[..n]) {
                    socket.send_to(&answer, "255.255.255.255:68").unwrap();
                }
            }
        });
        let lab = lab();
        let node = lab.hosted("node");
        node.enter(|l| {
            config::create(l, "virt0")?;
            dhcp::start(l, "virt0")
        })
        .unwrap()
        .unwrap();
        let addr = |node: &Node| {
            let of = |l: &mut base::Lwp<'_>, i: &base::KArc<net::Ifnet>| {
                i.addrs(l).first().map(|a| a.addr)
            };
            node.on("virt0", of).unwrap()
        };
        within("an address", || addr(&node) == Some(IpAddr::from([10, 77, 0, 50])));
        assert_eq!(node.ping(HOST).unwrap().kind, 0);
        let listener = TcpListener::bind((Ipv4Addr::from(HOST), 81)).unwrap();
        let mut stream = local::TcpStream::connect(&node, (Ipv4Addr::from(HOST), 81)).unwrap();
        let (mut there, from) = listener.accept().unwrap();
        assert_eq!(from.ip(), IpAddr::from([10, 77, 0, 50]));
        stream.write_all(b"lent").unwrap();
        let mut buf = [0; 4];
        there.read_exact(&mut buf).unwrap();
        // It is prolonged when somebody asks, and given back.
        node.enter(|l| dhcp::start(l, "virt0")).unwrap().unwrap();
        within("the server's answer", || node.counter("dhcp", "received") >= 3);
        node.enter(|l| dhcp::release(l, "virt0")).unwrap().unwrap();
        within("the address's end", || addr(&node).is_none());
    });
}

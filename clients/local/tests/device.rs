//! Sockets that are bound to an interface (SO_BINDTODEVICE): what they hear, and which way they send.

mod support;

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use base::syscall::number as n;
use base::{Errno, Host, Kernel};
use local::{TcpListener, TcpStream, UdpSocket, ifconfig, route};
use net::socket::{SockType, api};
use support::program::*;
use support::*;

const SO_BINDTODEVICE: i32 = 25;

/// A kernel between two links, on each of which somebody has the same address:
///
/// ```text
/// left 10.0.0.1 ---- 10.0.0.2 shmif0, shmif1 10.0.0.3 ---- 10.0.0.1 right
/// ```
///
/// Its one route to the network leads to the left.
struct Between {
    left: Kernel,
    mid: Kernel,
    right: Kernel,
}

fn plug(kernel: &Kernel, name: &str, link: &str, addr: Ipv4Addr) {
    ifconfig::create(kernel, name).unwrap();
    ifconfig::linkstr(kernel, name, link).unwrap();
    ifconfig::inet(kernel, name, addr, 24).unwrap();
}

fn between(test: impl Fn(&Between)) {
    everywhere(|host: &Arc<dyn Host>| {
        let [left, mid, right] = [(); 3].map(|()| boot(host));
        plug(&left, "shmif0", "one", A);
        plug(&mid, "shmif0", "one", B);
        plug(&mid, "shmif1", "two", Ipv4Addr::new(10, 0, 0, 3));
        plug(&right, "shmif0", "two", A);
        let b = Between { left, mid, right };
        test(&b);
        [b.left, b.mid, b.right].into_iter().for_each(end);
    });
}

/// Nothing has come to `socket` once `marker`, which was sent after it, has come to another one.
fn nothing_but(socket: &UdpSocket, marks: &UdpSocket, marker: &str) {
    assert_eq!(text(marks), marker);
    silent(socket);
}

#[test]
fn datagrams_come_and_go_by_the_interface_only() {
    between(|b| {
        let on = |interface| {
            let socket = UdpSocket::bind_on(&b.mid, "0.0.0.0:7", interface).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            socket
        };
        // Both have the port; a third one would hear what they hear.
        let (x, y) = (on("shmif0"), on("shmif1"));
        for refused in [
            UdpSocket::bind(&b.mid, "0.0.0.0:7"),
            UdpSocket::bind_on(&b.mid, "10.0.0.3:7", "shmif1"),
        ] {
            fails_with(refused.map(drop), Errno::AddrInUse);
        }
        let (l, r) = (socket(&b.left, "0.0.0.0:5000"), socket(&b.right, "0.0.0.0:5000"));
        l.send_to(b"from the left", "10.0.0.2:7").unwrap();
        r.send_to(b"from the right", "10.0.0.3:7").unwrap();
        assert_eq!((text(&x), text(&y)), ("from the left".into(), "from the right".into()));
        // The same address, and which host is meant the interface says.
        y.send_to(b"to the right", "10.0.0.1:5000").unwrap();
        x.send_to(b"to the left", "10.0.0.1:5000").unwrap();
        assert_eq!((text(&l), text(&r)), ("to the left".into(), "to the right".into()));
        y.connect("10.0.0.1:5000").unwrap();
        assert_eq!(y.local_addr().unwrap(), "10.0.0.3:7".parse().unwrap());
        x.connect("10.0.0.1:5000").unwrap();
        assert_eq!(x.local_addr().unwrap(), "10.0.0.2:7".parse().unwrap());
        // One that is bound to none hears what is left, and sends as routes say.
        let [z, w] = [(); 2].map(|()| UdpSocket::bind_shared(&b.mid, "0.0.0.0:9").unwrap());
        for s in [&z, &w] {
            s.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        }
        z.bind_device(Some("shmif1")).unwrap();
        assert_eq!(z.device().unwrap().as_deref(), Some("shmif1"));
        assert_eq!(w.device().unwrap(), None);
        l.send_to(b"left", "10.0.0.2:9").unwrap();
        r.send_to(b"right", "10.0.0.3:9").unwrap();
        assert_eq!((text(&w), text(&z)), ("left".into(), "right".into()));
        w.send_to(b"as routes say", "10.0.0.1:5000").unwrap();
        assert_eq!(text(&l), "as routes say");
        z.bind_device(None).unwrap();
        z.send_to(b"so does this one", "10.0.0.1:5000").unwrap();
        assert_eq!(text(&l), "so does this one");
        silent(&r);
    });
}

#[test]
fn a_port_of_the_kernel_s_choice_is_free_on_the_interface() {
    between(|b| {
        for name in ["net.inet.ip.anonportmin", "net.inet.ip.anonportmax"] {
            sysctl(&b.mid, name, 50_000).unwrap();
        }
        let x = UdpSocket::bind_on(&b.mid, "0.0.0.0:0", "shmif0").unwrap();
        let y = UdpSocket::bind_on(&b.mid, "0.0.0.0:0", "shmif1").unwrap();
        assert_eq!(x.local_addr().unwrap(), y.local_addr().unwrap());
        fails_with(UdpSocket::bind(&b.mid, "0.0.0.0:0").map(drop), Errno::AddrInUse);
        let listeners = [&b.left, &b.right].map(|k| TcpListener::bind(k, "10.0.0.1:80").unwrap());
        let [_x, _y] = ["shmif0", "shmif1"]
            .map(|interface| TcpStream::connect_on(&b.mid, "10.0.0.1:80", interface).unwrap());
        drop(listeners);
    });
}

fn greet(mut from: &TcpStream, mut to: &TcpStream, what: &[u8]) {
    from.write_all(what).unwrap();
    let mut buf = vec![0; what.len()];
    to.read_exact(&mut buf).unwrap();
    assert_eq!(buf, what);
}

#[test]
fn connections_are_made_by_the_interface_only() {
    between(|b| {
        let [left, right] =
            [&b.left, &b.right].map(|k| TcpListener::bind(k, "10.0.0.1:80").unwrap());
        for (interface, local, listener) in
            [("shmif1", "10.0.0.3", &right), ("shmif0", "10.0.0.2", &left)]
        {
            let client = TcpStream::connect_on(&b.mid, "10.0.0.1:80", interface).unwrap();
            assert_eq!(client.local_addr().unwrap().ip().to_string(), local);
            let (server, _) = listener.accept().unwrap();
            greet(&client, &server, b"there");
            greet(&server, &client, b"and back");
        }
        // Who listens on one interface is nobody on the others.
        let listener = TcpListener::bind_on(&b.mid, "0.0.0.0:81", "shmif1").unwrap();
        let refused = TcpStream::connect(&b.left, "10.0.0.2:81");
        fails_with(refused.map(drop), Errno::ConnectionRefused);
        let client = TcpStream::connect(&b.right, "10.0.0.3:81").unwrap();
        let (server, _) = listener.accept().unwrap();
        assert_eq!(server.device().unwrap().as_deref(), Some("shmif1"), "so are its connections");
        greet(&client, &server, b"there");
        greet(&server, &client, b"and back");
        fails_with(TcpListener::bind(&b.mid, "0.0.0.0:81").map(drop), Errno::AddrInUse);
    });
}

#[test]
fn the_same_two_ends_by_two_interfaces_are_two_connections() {
    between(|b| {
        route::add(&b.right, B, 32, [10, 0, 0, 3]).unwrap();
        let listeners = ["shmif0", "shmif1"]
            .map(|interface| TcpListener::bind_on(&b.mid, "0.0.0.0:80", interface).unwrap());
        let clients = [&b.left, &b.right]
            .map(|kernel| TcpStream::begin(kernel, "10.0.0.1:5000", "10.0.0.2:80").unwrap());
        let servers = [&listeners[0], &listeners[1]].map(|listener| listener.accept().unwrap().0);
        for (client, server) in clients.iter().zip(&servers) {
            assert_eq!(server.peer_addr().unwrap(), "10.0.0.1:5000".parse().unwrap());
            assert_eq!(server.local_addr().unwrap(), "10.0.0.2:80".parse().unwrap());
            greet(server, client, b"for one of you");
            greet(client, server, b"and from it");
        }
        // One ends, the other does not notice.
        let [first, second] = servers;
        drop(first);
        let mut left = &clients[0];
        assert_eq!(left.read(&mut [0; 8]).unwrap(), 0);
        greet(&second, &clients[1], b"goes on");
        // Halves of connections are of one interface, too: this listener goes, the other stays.
        let [gone, stays] = listeners;
        drop(gone);
        let refused = TcpStream::connect(&b.left, "10.0.0.2:80");
        fails_with(refused.map(drop), Errno::ConnectionRefused);
        let _client = TcpStream::connect(&b.right, "10.0.0.2:80").unwrap();
        stays.accept().unwrap();
    });
}

#[test]
fn an_established_connection_can_be_moved() {
    between(|b| {
        let listener = TcpListener::bind(&b.left, "10.0.0.1:80").unwrap();
        let client = TcpStream::connect(&b.mid, "10.0.0.1:80").unwrap();
        let (server, _) = listener.accept().unwrap();
        client.bind_device(Some("shmif0")).unwrap();
        greet(&client, &server, b"there");
        greet(&server, &client, b"and back");
        // By the other one it is not heard any more: the peer learns that there is no such connection.
        client.bind_device(Some("shmif1")).unwrap();
        let mut peer = &server;
        peer.write_all(b"lost").unwrap();
        fails_with(peer.read(&mut [0; 8]), Errno::ConnectionReset);
    });
}

/// A socket of a program, bound to an interface.
fn on(p: &mut Program, kind: u64, protocol: u64, interface: &str) -> u64 {
    let s = p.call(n::SOCKET, [AF_INET, kind, protocol]).unwrap();
    let name = p.1.put(BASE + 0x100, interface.as_bytes());
    let len = interface.len() as u64;
    assert_eq!(p.call(n::SETSOCKOPT, [s, 1, SO_BINDTODEVICE as u64, name, len]), Ok(0));
    let second = p.1.put(BASE + 0x100, &[1_u64, 0].map(u64::to_ne_bytes).concat());
    assert_eq!(p.call(n::SETSOCKOPT, [s, 1, 20, second, 16]), Ok(0), "SO_RCVTIMEO");
    s
}

#[test]
fn echoes_by_ping_and_raw_sockets() {
    between(|b| {
        let mut p = Program::new(&b.mid);
        // An echo request: type, code, checksum, identifier, sequence.
        let echo = [8, 0, 0xf7, 0xfd, 0, 1, 0, 1];
        let to = |p: &mut Program| {
            let addr = [&sockaddr(0)[..4], &A.octets(), &[0; 8]].concat();
            p.1.put(BASE + 0x200, &addr)
        };
        let raws = ["shmif0", "shmif1"].map(|interface| on(&mut p, RAW, 1, interface));
        for (kind, interface, answered, other) in [
            (DGRAM, "shmif1", &b.right, &b.left),
            (DGRAM, "shmif0", &b.left, &b.right),
            (RAW, "shmif1", &b.right, &b.left),
            (RAW, "shmif0", &b.left, &b.right),
        ] {
            let s = on(&mut p, kind, 1, interface);
            let before = [answered, other].map(|k| counter(k, "icmp", "echoed"));
            let (to, data) = (to(&mut p), p.1.put(BASE + 0x300, &echo));
            assert_eq!(p.call(n::SENDTO, [s, data, 8, 0, to, 16]), Ok(8));
            let len = if kind == RAW { 28 } else { 8 };
            assert_eq!(p.call(n::RECVFROM, [s, BASE + 0x400, 100, 0, 0, 0]), Ok(len));
            let after = [answered, other].map(|k| counter(k, "icmp", "echoed"));
            assert_eq!(after, [before[0] + 1, before[1]], "{interface}");
            // Of the others the one that is bound to the same interface has heard it.
            let heard = raws.map(|raw| p.call(n::RECVFROM, [raw, BASE + 0x400, 100, 0x40, 0, 0]));
            let (here, there) = if interface == "shmif0" { (0, 1) } else { (1, 0) };
            assert_eq!((heard[here], heard[there]), (Ok(28), Err(Errno::WouldBlock)));
            p.call(n::CLOSE, [s]).unwrap();
        }
        drop(p);
    });
}

#[test]
fn errors_are_heard_by_the_socket_of_their_interface() {
    between(|b| {
        let both = ["shmif0", "shmif1"].map(|interface| {
            let socket = UdpSocket::bind_on(&b.mid, "10.0.0.2:7", interface).unwrap();
            socket.connect("10.0.0.1:5000").unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            socket
        });
        route::add(&b.right, B, 32, [10, 0, 0, 3]).unwrap();
        // Nobody has the port there.
        both[1].send(b"who is there?").unwrap();
        fails_with(both[1].recv(&mut [0; 8]), Errno::ConnectionRefused);
        assert!(both[0].take_error().unwrap().is_none());
        both[0].send(b"and there?").unwrap();
        fails_with(both[0].recv(&mut [0; 8]), Errno::ConnectionRefused);
        assert!(both[1].take_error().unwrap().is_none());
    });
}

#[test]
fn what_a_kernel_sends_to_itself_arrives_where_the_address_is() {
    between(|b| {
        let [x, y, lo] = ["shmif0", "shmif1", "lo0"].map(|interface| {
            let socket = UdpSocket::bind_on(&b.mid, "0.0.0.0:7", interface).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            socket
        });
        let any = socket(&b.mid, "0.0.0.0:0");
        for (to, heard) in [("10.0.0.2:7", &x), ("10.0.0.3:7", &y), ("127.0.0.1:7", &lo)] {
            any.send_to(to.as_bytes(), to).unwrap();
            assert_eq!(text(heard), to);
        }
        x.send_to(b"itself", "10.0.0.2:7").unwrap();
        assert_eq!(text(&x), "itself");
        lo.send_to(b"itself", "127.0.0.1:7").unwrap();
        assert_eq!(text(&lo), "itself");
        // An address of another interface is somebody's on this link; 127.0.0.1 is nobody's there.
        x.send_to(b"out there", "10.0.0.3:7").unwrap();
        any.send_to(b"marker", "10.0.0.3:7").unwrap();
        nothing_but(&x, &y, "marker");
        fails_with(x.send_to(b"x", "127.0.0.1:7"), Errno::NetUnreachable);
        fails_with(lo.send_to(b"x", "10.0.0.1:7"), Errno::NetUnreachable);
        // Connections, too.
        let listener = TcpListener::bind_on(&b.mid, "0.0.0.0:80", "shmif1").unwrap();
        let refused = TcpStream::connect(&b.mid, "10.0.0.2:80");
        fails_with(refused.map(drop), Errno::ConnectionRefused);
        let client = TcpStream::connect_on(&b.mid, "10.0.0.3:80", "shmif1").unwrap();
        greet(&client, &listener.accept().unwrap().0, b"here");
    });
}

#[test]
fn everybody_and_groups_on_the_link() {
    between(|b| {
        let group = Ipv4Addr::new(239, 1, 1, 1);
        let [l, r] = [&b.left, &b.right].map(|kernel| {
            let socket = socket(kernel, "0.0.0.0:5000");
            socket.join_multicast_v4(&group, &A).unwrap();
            socket
        });
        let y = UdpSocket::bind_on(&b.mid, "0.0.0.0:7", "shmif1").unwrap();
        y.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        y.set_broadcast(true).unwrap();
        let mut buf = [0; 16];
        for to in ["255.255.255.255:5000", "10.0.0.255:5000", "239.1.1.1:5000"] {
            y.send_to(b"all", to).unwrap();
            let (n, from) = r.recv_from(&mut buf).unwrap();
            assert_eq!((&buf[..n], from), (&b"all"[..], "10.0.0.3:7".parse().unwrap()), "{to}");
            silent(&l);
        }
        // What is said about groups cannot be otherwise.
        fails_with(y.set_multicast_if_v4(&B), Errno::Invalid);
        y.set_multicast_if_v4(&Ipv4Addr::new(10, 0, 0, 3)).unwrap();
        y.set_multicast_if_v4(&Ipv4Addr::UNSPECIFIED).unwrap();
        // What is sent to all there is heard by the one that is bound there.
        let x = UdpSocket::bind_on(&b.mid, "0.0.0.0:7", "shmif0").unwrap();
        r.set_broadcast(true).unwrap();
        r.send_to(b"to all", "255.255.255.255:7").unwrap();
        nothing_but(&x, &y, "to all");
    });
}

#[test]
fn who_has_no_address_yet_asks_everybody_from_none() {
    everywhere(|host| {
        let [client, server] = [(); 2].map(|()| boot(host));
        plug(&server, "shmif0", "link", A);
        for (name, link) in [("shmif0", "elsewhere"), ("shmif1", "link")] {
            ifconfig::create(&client, name).unwrap();
            ifconfig::linkstr(&client, name, link).unwrap();
            ifconfig::up(&client, name).unwrap();
        }
        let asks = UdpSocket::bind_on(&client, "0.0.0.0:68", "shmif1").unwrap();
        asks.set_broadcast(true).unwrap();
        asks.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let answers = socket(&server, "0.0.0.0:67");
        answers.set_broadcast(true).unwrap();
        asks.send_to(b"who am I?", "255.255.255.255:67").unwrap();
        let mut buf = [0; 16];
        let (_, from) = answers.recv_from(&mut buf).unwrap();
        assert_eq!(from, "0.0.0.0:68".parse().unwrap());
        answers.send_to(b"10.0.0.9", "255.255.255.255:68").unwrap();
        assert_eq!(text(&asks), "10.0.0.9");
        fails_with(asks.send_to(b"x", "10.0.0.1:67"), Errno::NetUnreachable);
        // Another interface's address, where there is one.
        ifconfig::inet(&client, "shmif0", Ipv4Addr::new(10, 9, 0, 1), 24).unwrap();
        asks.send_to(b"who am I?", "255.255.255.255:67").unwrap();
        let (_, from) = answers.recv_from(&mut buf).unwrap();
        assert_eq!(from, "10.9.0.1:68".parse().unwrap());
        drop((asks, answers));
        end(client);
        end(server);
    });
}

#[test]
fn an_interface_that_went_leaves_its_sockets_bound_to_nothing() {
    between(|b| {
        // The other one's route would take what is for nobody's sockets.
        ifconfig::destroy(&b.mid, "shmif0").unwrap();
        let udp = UdpSocket::bind_on(&b.mid, "0.0.0.0:7", "shmif1").unwrap();
        let listener = TcpListener::bind_on(&b.mid, "0.0.0.0:80", "shmif1").unwrap();
        let down = UdpSocket::bind_on(&b.mid, "0.0.0.0:8", "shmif1").unwrap();
        ifconfig::down(&b.mid, "shmif1").unwrap();
        fails_with(down.send_to(b"x", "10.0.0.1:5000"), Errno::NetUnreachable);
        ifconfig::destroy(&b.mid, "shmif1").unwrap();
        for _ in 0..2 {
            fails_with(udp.send_to(b"x", "10.0.0.1:5000"), Errno::NotSuchDevice);
            fails_with(udp.connect("10.0.0.1:5000"), Errno::NotSuchDevice);
            fails_with(udp.device(), Errno::NotSuchDevice);
            // One of the same name is another one.
            plug(&b.mid, "shmif1", "two", Ipv4Addr::new(10, 0, 0, 3));
            let r = socket(&b.right, "0.0.0.0:0");
            let marks = socket(&b.mid, "0.0.0.0:9");
            r.send_to(b"nobody", "10.0.0.3:7").unwrap();
            r.send_to(b"marker", "10.0.0.3:9").unwrap();
            nothing_but(&udp, &marks, "marker");
            let refused = TcpStream::connect(&b.right, "10.0.0.3:80");
            fails_with(refused.map(drop), Errno::ConnectionRefused);
            ifconfig::destroy(&b.mid, "shmif1").unwrap();
        }
        plug(&b.mid, "shmif1", "two", Ipv4Addr::new(10, 0, 0, 3));
        udp.bind_device(Some("shmif1")).unwrap();
        let r = socket(&b.right, "0.0.0.0:5000");
        udp.send_to(b"again", "10.0.0.1:5000").unwrap();
        assert_eq!(text(&r), "again");
        drop((udp, listener, down, r));
    });
}

#[test]
fn who_is_not_root_binds_once() {
    everywhere(|host| {
        let kernel = boot(host);
        ifconfig::create(&kernel, "shmif0").unwrap();
        let mut other = kernel.enter(|l| l.rfork(base::Rfork::ClearFds)).unwrap().unwrap();
        let tried = other.enter(|l| {
            l.proc().set_cred(l, base::Cred { uid: 7, gid: 7, ..base::Cred::root() });
            let fd = api::socket(l, 2, SockType::Dgram, 0, api::Open::default())?;
            let bind = |l: &mut base::Lwp<'_>, name: &[u8]| {
                api::set_option(l, fd, 1, SO_BINDTODEVICE, name)
            };
            assert_eq!(bind(l, b""), Ok(()), "it is bound to none");
            assert_eq!(bind(l, b"shmif7"), Err(Errno::NotSuchDevice));
            assert_eq!(bind(l, b"shmif0\0and more"), Ok(()));
            for name in [&b"lo0"[..], b"shmif0", b""] {
                assert_eq!(bind(l, name), Err(Errno::NotPermitted), "{name:?}");
            }
            let mut name = [9; 20];
            assert_eq!(api::option(l, fd, 1, SO_BINDTODEVICE, &mut name), Ok(7));
            assert_eq!(&name[..8], b"shmif0\0\x09");
            api::option(l, fd, 1, SO_BINDTODEVICE, &mut name[..15])
        });
        assert_eq!(tried.unwrap(), Err(Errno::Invalid), "there may be longer names");
        drop(other);
        end(kernel);
    });
}

#[test]
fn the_option_as_linux_lays_it_out() {
    programs(|p| {
        let s = p.call(n::SOCKET, [AF_INET, DGRAM, 0]).unwrap();
        let (name, len) = (BASE + 0x100, BASE + 0x140);
        let get = |p: &mut Program, room: u32| {
            p.1.put(len, &room.to_ne_bytes());
            p.call(n::GETSOCKOPT, [s, 1, SO_BINDTODEVICE as u64, name, len])?;
            Ok::<_, Errno>(p.1.word(len))
        };
        assert_eq!(get(p, 16), Ok(0), "none");
        p.1.put(name, b"lo0");
        assert_eq!(p.call(n::SETSOCKOPT, [s, 1, SO_BINDTODEVICE as u64, name, 3]), Ok(0));
        p.1.put(name, &[9; 16]);
        assert_eq!(get(p, 16), Ok(4), "with the zero");
        assert_eq!(p.1.at(name, 5).unwrap(), b"lo0\0\x09");
        assert_eq!(get(p, 4), Err(Errno::Invalid));
        // Nothing beyond the longest name is looked at.
        p.1.put(name, b"lo0-and-on-and-on-and-on");
        let long = p.call(n::SETSOCKOPT, [s, 1, SO_BINDTODEVICE as u64, name, 24]);
        assert_eq!(long, Err(Errno::NotSuchDevice));
        assert_eq!(p.call(n::SETSOCKOPT, [s, 1, SO_BINDTODEVICE as u64, name, 0]), Ok(0));
        assert_eq!(get(p, 0), Ok(0));
    });
}

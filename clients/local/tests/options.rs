//! Options of sockets: sharing a port, how much a read waits for, when segments leave.

mod support;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::time::Duration;

use base::Errno;
use local::{Events, Poll, TcpListener, TcpStream, UdpSocket, poll};
use support::*;

#[test]
fn datagrams_are_spread_over_those_that_share_a_port() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let servers: Vec<_> =
            (0..4).map(|_| UdpSocket::bind_reuseport(&b, "0.0.0.0:7").unwrap()).collect();
        // Who does not say that they share cannot have it, and who shares otherwise neither.
        for refused in [UdpSocket::bind(&b, "0.0.0.0:7"), UdpSocket::bind_shared(&b, "0.0.0.0:7")] {
            fails_with(refused.map(drop), Errno::AddrInUse);
        }
        let clients: Vec<_> = (0..40).map(|_| socket(&a, "0.0.0.0:0")).collect();
        let marks = socket(&b, "10.0.0.2:8");
        // Once the neighbour is known, none is lost.
        clients[0].send_to(b"first", "10.0.0.2:8").unwrap();
        assert_eq!(text(&marks), "first");
        for round in 0..3 {
            for client in &clients {
                client.send_to(&[round], "10.0.0.2:7").unwrap();
            }
        }
        clients[0].send_to(b"sync", "10.0.0.2:8").unwrap();
        assert_eq!(text(&marks), "sync");
        let mut heard = Vec::new();
        for server in &servers {
            server.set_nonblocking(true).unwrap();
            let mut buf = [0; 4];
            let from = std::iter::from_fn(|| Some(server.recv_from(&mut buf).ok()?.1));
            heard.push(from.collect::<Vec<_>>());
        }
        assert_eq!(heard.iter().map(Vec::len).sum::<usize>(), 120, "none is lost");
        let senders: Vec<BTreeSet<_>> = heard.iter().map(|h| h.iter().collect()).collect();
        // A sender has one server; no server has all senders.
        assert_eq!(senders.iter().map(BTreeSet::len).sum::<usize>(), 40);
        assert!(senders.iter().all(|s| s.len() < 40), "{senders:?}");
        drop((servers, clients, marks));
        end(a);
        end(b);
    });
}

#[test]
fn connections_are_spread_over_those_that_share_a_port() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let [x, y] = [(); 2].map(|()| TcpListener::bind_reuseport(&b, "10.0.0.2:80").unwrap());
        fails_with(TcpListener::bind(&b, "0.0.0.0:80").map(drop), Errno::AddrInUse);
        let clients: Vec<_> =
            (0..40).map(|_| TcpStream::connect(&a, "10.0.0.2:80").unwrap()).collect();
        let accept_all = |listener: &TcpListener| {
            listener.set_nonblocking(true).unwrap();
            std::iter::from_fn(|| listener.accept().ok()).count()
        };
        let some = accept_all(&x);
        assert!((1..40).contains(&some), "{some}");
        assert_eq!(accept_all(&y), 40 - some);
        // Those that come later are for whoever is left.
        drop(x);
        let later: Vec<_> =
            (0..10).map(|_| TcpStream::connect(&a, "10.0.0.2:80").unwrap()).collect();
        assert_eq!(accept_all(&y), 10);
        drop((y, clients, later));
    });
}

#[test]
fn only_one_user_s_sockets_share_a_port() {
    everywhere(|host| {
        let b = boot(host);
        let mine = UdpSocket::bind_reuseport(&b, "0.0.0.0:5000").unwrap();
        let other = b.enter(|l| l.rfork(base::Rfork::ClearFds)).unwrap();
        let mut other = other.unwrap();
        let bound = other.enter(|l| {
            use net::socket::{SockType, api};
            l.proc().set_cred(l, base::Cred { uid: 7, gid: 7, ..base::Cred::root() });
            let fd = api::socket(l, 2, SockType::Dgram, 0, api::Open::default())?;
            api::set_option(l, fd, 1, 15, &1_i32.to_ne_bytes())?;
            let mut on = [0; 4];
            api::option(l, fd, 1, 15, &mut on)?;
            assert_eq!(on, 1_i32.to_ne_bytes());
            api::bind(l, fd, "0.0.0.0:5000".parse().unwrap())
        });
        assert_eq!(bound.unwrap(), Err(Errno::AddrInUse));
        drop((mine, other));
        end(b);
    });
}

#[test]
fn a_read_waits_for_as_much_as_is_worth_it() {
    everywhere(|host| {
        let kernel = boot(host);
        let listener = TcpListener::bind(&kernel, "127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(&kernel, listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.set_nodelay(true).unwrap();
        server.set_receive_low_water(10).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        client.write_all(b"12345").unwrap();
        let fd = server.fd();
        let ready = || {
            let mut polls = [Poll::new(fd, Events::IN)];
            poll(&kernel, &mut polls, Some(Duration::ZERO)).unwrap()
        };
        assert_eq!(ready(), 0);
        // Who wants less does not wait for more.
        let mut buf = [0; 100];
        assert_eq!(server.read(&mut buf[..3]).unwrap(), 3);
        // When the time is over there is what there is.
        assert_eq!(server.read(&mut buf).unwrap(), 2);
        fails_with(server.read(&mut buf), Errno::WouldBlock);
        client.write_all(b"1234567890").unwrap();
        assert_eq!(ready(), 1);
        assert_eq!(server.read(&mut buf).unwrap(), 10);
        // The end of a stream is always worth reading.
        client.write_all(b"rest").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        server.set_read_timeout(None).unwrap();
        assert_eq!(server.read(&mut buf).unwrap(), 4);
        assert_eq!(server.read(&mut buf).unwrap(), 0);
        // More than the buffer could ever hold does not stop it.
        server.set_receive_low_water(usize::MAX).unwrap();
        assert_eq!(ready(), 1);
    });
}

#[test]
fn corks_and_quick_acknowledgments_are_set_and_read() {
    everywhere(|host| {
        let kernel = boot(host);
        let listener = TcpListener::bind(&kernel, "127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(&kernel, listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_quickack(true).unwrap();
        assert!(server.quickack().unwrap() && !client.quickack().unwrap());
        client.set_cork(true).unwrap();
        client.write_all(b"head").unwrap();
        client.write_all(b"body").unwrap();
        server.set_nonblocking(true).unwrap();
        let mut buf = [0; 100];
        fails_with(server.read(&mut buf), Errno::WouldBlock);
        client.set_cork(false).unwrap();
        server.set_nonblocking(false).unwrap();
        assert_eq!(server.read(&mut buf).unwrap(), 8, "in one piece");
    });
}

#[test]
fn a_close_that_lingers_waits_until_the_peer_has_everything() {
    on_sims(|sim| {
        let host: std::sync::Arc<dyn base::Host> = sim.clone();
        let (a, b) = pair(&host);
        let listener = TcpListener::bind(&b, "10.0.0.2:80").unwrap();
        let connect = |linger: u64| {
            let client = TcpStream::connect(&a, "10.0.0.2:80").unwrap();
            let (server, _) = listener.accept().unwrap();
            client.set_linger(Some(Duration::from_secs(linger))).unwrap();
            (client, server)
        };
        let now = || a.enter(|l| l.now()).unwrap();
        let passed = |since| Duration::from_nanos(now().nanos() - base::Instant::nanos(since));
        // All arrives: no longer than that takes.
        let (mut client, mut server) = connect(30);
        client.write_all(b"all of it").unwrap();
        let start = now();
        drop(client);
        assert!(passed(start) < Duration::from_secs(1), "{:?}", passed(start));
        assert_eq!(counter(&a, "tcp", "failed"), 0);
        let mut buf = vec![0; 1 << 20];
        assert_eq!(server.read(&mut buf).unwrap(), 9);
        assert_eq!(server.read(&mut buf).unwrap(), 0);
        // The peer does not read what does not fit into its buffer: the time is over.
        let (client, mut server) = connect(5);
        client.set_nonblocking(true).unwrap();
        let mut writer = &client;
        let sent = std::iter::from_fn(|| writer.write(&buf).ok()).sum::<usize>();
        client.set_nonblocking(false).unwrap();
        let start = now();
        drop(client);
        let took = passed(start);
        assert!(took >= Duration::from_secs(5) && took < Duration::from_secs(6), "{took:?}");
        // What was written is still sent.
        let mut read = 0;
        server.set_read_timeout(Some(Duration::from_secs(600))).unwrap();
        loop {
            match server.read(&mut buf).unwrap() {
                0 => break,
                n => read += n,
            }
        }
        assert_eq!(read, sent);
        // One of two descriptors does not wait, and neither does a socket that does not block.
        let (client, _server) = connect(5);
        (&client).write_all(b"x").unwrap();
        let twin = client.try_clone().unwrap();
        twin.set_nonblocking(true).unwrap();
        let start = now();
        drop(client);
        drop(twin);
        assert!(passed(start) < Duration::from_secs(1));
    });
}

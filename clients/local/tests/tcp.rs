//! TCP sockets between kernels: connecting, data, ends, errors, options; on bad links too.

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::{Errno, Host, Kernel};
use local::{Events, Poll, TcpListener, TcpStream, ifconfig, route};
use sim::{Config, Sim};
use support::{A, B, boot, counter, end, everywhere, fails_with, on_sims, pair};

/// A listener in one kernel, connected to from another, without a second thread.
fn meet(from: &Kernel, to: &Kernel, addr: std::net::Ipv4Addr) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(to, (addr, 0)).unwrap();
    let client = TcpStream::connect(from, listener.local_addr().unwrap()).unwrap();
    let (server, peer) = listener.accept().unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    (client, server)
}

fn stream(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

#[test]
fn a_connection_in_one_kernel() {
    everywhere(|host| {
        let kernel = boot(host);
        let (mut client, mut server) = meet(&kernel, &kernel, [127, 0, 0, 1].into());
        client.write_all(b"hello").unwrap();
        let mut buf = [0; 16];
        assert_eq!(server.read(&mut buf).unwrap(), 5);
        server.write_all(b"and back").unwrap();
        assert_eq!(client.read(&mut buf).unwrap(), 8);
        assert_eq!(&buf[..8], b"and back");
        drop((client, server));
        end(kernel);
    });
}

#[test]
fn a_connection_between_two_kernels() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let (mut client, mut server) = meet(&a, &b, B);
        assert_eq!(client.peer_addr().unwrap(), server.local_addr().unwrap());
        assert_eq!(client.local_addr().unwrap().ip(), A);
        client.write_all(b"hello").unwrap();
        let mut buf = [0; 16];
        assert_eq!(server.peek(&mut buf).unwrap(), 5);
        assert_eq!(server.read(&mut buf).unwrap(), 5);
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut buf).unwrap(), 0, "the end of one direction");
        server.write_all(b"the other one goes on").unwrap();
        assert_eq!(client.read(&mut buf).unwrap(), 16);
        drop(server);
        assert_eq!(client.read(&mut buf).unwrap(), 5);
        assert_eq!(client.read(&mut buf).unwrap(), 0);
        assert_eq!(counter(&b, "tcp", "accepts"), 1);
        assert_eq!(counter(&a, "tcp", "resets_sent") + counter(&b, "tcp", "resets_sent"), 0);
        drop(client);
        end(a);
        end(b);
    });
}

/// Sends `len` bytes there and back, with a thread of its own at the other end.
fn echo(sim: &Arc<Sim>, len: usize, wait: Duration) {
    let host = sim.clone() as Arc<dyn Host>;
    let (a, b) = pair(&host);
    let listener = TcpListener::bind(&b, (B, 7)).unwrap();
    let server = sim.spawn("server", move || {
        let (mut conn, _) = listener.accept().unwrap();
        conn.set_read_timeout(Some(wait)).unwrap();
        let mut all = Vec::new();
        conn.read_to_end(&mut all).unwrap();
        conn.write_all(&all).unwrap();
    });
    let mut client = TcpStream::connect(&a, (B, 7)).unwrap();
    client.set_read_timeout(Some(wait)).unwrap();
    let data = stream(len);
    client.write_all(&data).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    client.read_to_end(&mut back).unwrap();
    assert!(back == data, "{} bytes of {len} came back", back.len());
    server.join();
    drop(client);
    end(a);
    end(b);
}

#[test]
fn a_megabyte_there_and_back() {
    on_sims(|sim| echo(sim, 1 << 20, Duration::from_secs(60)));
}

#[test]
fn bad_weather_changes_nothing_but_the_time() {
    for seed in 0..12 {
        let sim = Sim::new(Config { seed, ..Config::default() });
        sim.run(|| {
            let faults = sim.faults();
            faults.lose(30_000);
            faults.double(20_000);
            faults.delay(200_000, Duration::from_millis(1)..Duration::from_millis(20));
            faults.reorder(50_000, Duration::from_millis(5));
            echo(&sim, 100_000, Duration::from_secs(1000));
        });
    }
}

#[test]
fn a_megabyte_on_the_linux_host() {
    let host = linux::Linux::new() as Arc<dyn Host>;
    let (a, b) = pair(&host);
    let listener = TcpListener::bind(&b, (B, 7)).unwrap();
    let data = stream(1 << 20);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut conn, _) = listener.accept().unwrap();
            let mut all = Vec::new();
            conn.read_to_end(&mut all).unwrap();
            assert!(all == data);
            conn.write_all(&all).unwrap();
        });
        let mut client = TcpStream::connect(&a, (B, 7)).unwrap();
        client.write_all(&data).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).unwrap();
        assert!(back == data);
    });
    drop(listener);
    end(a);
    end(b);
}

#[test]
fn rfc9293_3_10_7_1_nobody_listens() {
    everywhere(|host| {
        let (a, b) = pair(host);
        fails_with(TcpStream::connect(&a, (B, 9)), Errno::ConnectionRefused);
        fails_with(TcpStream::connect(&a, "127.0.0.1:9"), Errno::ConnectionRefused);
        assert_eq!(counter(&b, "tcp", "no_port"), 1);
        fails_with(TcpStream::connect(&a, "10.9.9.9:9"), Errno::NetUnreachable);
        fails_with(TcpStream::connect(&a, "10.0.0.255:9"), Errno::NetUnreachable);
        end(a);
        end(b);
    });
}

#[test]
fn a_listener_that_goes_breaks_off_what_it_did_not_accept() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let listener = TcpListener::bind(&b, (B, 7)).unwrap();
        let mut client = TcpStream::connect(&a, (B, 7)).unwrap();
        // The connection is made; whether the listener has seen the last segment, accept would tell.
        let mut poll = [Poll::new(listener.fd(), Events::IN)];
        assert_eq!(local::poll(&b, &mut poll, Some(Duration::from_secs(5))).unwrap(), 1);
        drop(listener);
        fails_with(client.read(&mut [0; 4]), Errno::ConnectionReset);
        fails_with(client.write(b"x"), Errno::BrokenPipe);
        drop(client);
        end(a);
        end(b);
    });
}

#[test]
fn rfc2525_2_17_closing_with_unread_data_resets() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let (mut client, server) = meet(&a, &b, B);
        client.write_all(b"never read").unwrap();
        server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        server.peek(&mut [0; 4]).unwrap();
        drop(server);
        fails_with(client.read(&mut [0; 4]), Errno::ConnectionReset);
        drop(client);
        end(a);
        end(b);
    });
}

#[test]
fn a_linger_of_no_time_resets() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let (client, mut server) = meet(&a, &b, B);
        client.set_linger(Some(Duration::ZERO)).unwrap();
        drop(client);
        fails_with(server.read(&mut [0; 4]), Errno::ConnectionReset);
        drop(server);
        end(a);
        end(b);
    });
}

#[test]
fn a_socket_without_a_connection_has_nothing_to_say() {
    use net::socket::{MsgFlags, SockType, api};
    everywhere(|host| {
        let kernel = boot(host);
        kernel
            .enter(|l| {
                let open = api::Open::default();
                let fd = api::socket(l, net::domain::AF_INET, SockType::Stream, 0, open).unwrap();
                let none = MsgFlags::empty();
                let got = api::recv_from(l, fd, &mut [&mut [0; 4]], none);
                assert_eq!(got, Err(Errno::NotConnected));
                assert_eq!(api::send_to(l, fd, &[b"x"], none, None), Err(Errno::NotConnected));
                let down = api::shutdown(l, fd, net::socket::Shutdown::Write);
                assert_eq!(down, Err(Errno::NotConnected));
                assert_eq!(api::accept(l, fd, open), Err(Errno::Invalid));
                assert_eq!(api::peer_addr(l, fd), Err(Errno::NotConnected));
                // What is not there yet says so.
                for name in [23, 31] {
                    let set = api::set_option(l, fd, 6, name, &1_i32.to_ne_bytes());
                    assert_eq!(set, Err(Errno::NoProtocolOption), "option {name}");
                }
                l.proc().fds().close(l, fd).unwrap();
            })
            .unwrap();
        end(kernel);
    });
}

#[test]
fn ports_and_addresses_that_are_taken() {
    everywhere(|host| {
        let kernel = boot(host);
        let first = TcpListener::bind(&kernel, "0.0.0.0:7").unwrap();
        fails_with(TcpListener::bind(&kernel, "127.0.0.1:7"), Errno::AddrInUse);
        fails_with(TcpListener::bind(&kernel, "10.1.1.1:8"), Errno::AddrNotAvailable);
        let client = TcpStream::connect(&kernel, "127.0.0.1:7").unwrap();
        let (server, _) = first.accept().unwrap();
        drop(first);
        drop(server);
        drop(client);
        // With what is left of a connection in TIME-WAIT, as std's listeners have it.
        drop(TcpListener::bind(&kernel, "0.0.0.0:7").unwrap());
        end(kernel);
    });
}

#[test]
fn a_connection_without_waiting() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let listener = TcpListener::bind(&b, (B, 7)).unwrap();
        let anywhere = SocketAddr::from((A, 0));
        let client = TcpStream::begin(&a, anywhere, (B, 7)).unwrap();
        let mut poll = [Poll::new(client.fd(), Events::OUT)];
        assert_eq!(local::poll(&a, &mut poll, Some(Duration::from_secs(5))).unwrap(), 1);
        assert!(client.take_error().unwrap().is_none());
        let refused = TcpStream::begin(&a, anywhere, (B, 8)).unwrap();
        let mut poll = [Poll::new(refused.fd(), Events::OUT)];
        assert_eq!(local::poll(&a, &mut poll, Some(Duration::from_secs(5))).unwrap(), 1);
        let error = refused.take_error().unwrap().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
        drop((listener, client, refused));
        end(a);
        end(b);
    });
}

#[test]
fn options() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let (client, server) = meet(&a, &b, B);
        assert!(!client.nodelay().unwrap());
        client.set_nodelay(true).unwrap();
        assert!(client.nodelay().unwrap());
        assert_eq!(client.congestion().unwrap(), "cubic");
        client.set_congestion("reno").unwrap();
        assert_eq!(client.congestion().unwrap(), "reno");
        fails_with(client.set_congestion("vegas"), Errno::NoEntry);
        assert_eq!(client.max_segment().unwrap(), 1460);
        client.set_user_timeout(Some(Duration::from_secs(9))).unwrap();
        let times = (Duration::from_secs(60), Duration::from_secs(5), 3);
        client.set_keepalive(Some(times)).unwrap();
        assert_eq!(client.info().unwrap()[0], 1, "ESTABLISHED");
        drop((client, server));
        end(a);
        end(b);
    });
}

#[test]
fn rfc9293_3_8_4_a_peer_that_has_gone_is_noticed() {
    on_sims(|sim| {
        let host = sim.clone() as Arc<dyn Host>;
        let (a, b) = pair(&host);
        let (mut client, server) = meet(&a, &b, B);
        let times = (Duration::from_secs(10), Duration::from_secs(5), 3);
        client.set_keepalive(Some(times)).unwrap();
        let before = host.now();
        sim.faults().lose(1_000_000);
        fails_with(client.read(&mut [0; 4]), Errno::TimedOut);
        assert_eq!((host.now() - before).as_secs(), 25);
        sim.faults().clear();
        drop((client, server));
        end(a);
        end(b);
    });
}

#[test]
fn a_slow_reader_slows_the_writer_down() {
    on_sims(|sim| {
        let host = sim.clone() as Arc<dyn Host>;
        let (a, b) = pair(&host);
        let (client, mut server) = meet(&a, &b, B);
        client.set_nonblocking(true).unwrap();
        let data = stream(1 << 20);
        let mut written = 0;
        while let Ok(n) = client.send(&data[written..]) {
            written += n;
            sim.settle();
        }
        assert!((200_000..1_000_000).contains(&written), "{written} bytes in two buffers");
        // A long time with a closed window.
        sim.sleep(Duration::from_secs(3600));
        let mut back = vec![0; written];
        server.read_exact(&mut back).unwrap();
        assert!(back == data[..written]);
        client.send(b"more").unwrap();
        let mut more = [0; 4];
        server.read_exact(&mut more).unwrap();
        drop((client, server));
        end(a);
        end(b);
    });
}

#[test]
fn an_idle_connection_costs_nothing_but_memory() {
    on_sims(|sim| {
        let host = sim.clone() as Arc<dyn Host>;
        let (a, b) = pair(&host);
        let first = meet(&a, &b, B);
        let before = (a.account().used(), b.account().used());
        let more: Vec<_> = (0..64).map(|_| meet(&a, &b, B)).collect();
        let each = (a.account().used() - before.0) / 64;
        assert!(each < 4096, "{each} bytes for an endpoint");
        sim.sleep(Duration::from_secs(10));
        let sent = counter(&a, "tcp", "sent");
        sim.sleep(Duration::from_secs(100_000));
        assert_eq!(counter(&a, "tcp", "sent"), sent);
        drop((first, more));
        end(a);
        end(b);
    });
}

#[test]
fn a_port_in_time_wait_is_not_used_again_towards_the_same_peer() {
    on_sims(|sim| {
        let host = sim.clone() as Arc<dyn Host>;
        let (a, b) = pair(&host);
        support::sysctl(&a, "net.inet.ip.anonportmin", 60_000).unwrap();
        support::sysctl(&a, "net.inet.ip.anonportmax", 60_003).unwrap();
        let listeners = [7, 8].map(|port| TcpListener::bind(&b, (B, port)).unwrap());
        let once = |port: u16| {
            let client = TcpStream::connect(&a, (B, port))?;
            drop(listeners[usize::from(port) - 7].accept()?);
            drop(client);
            sim.settle();
            std::io::Result::Ok(())
        };
        // This side ends first as often as the other; either way the pair is in use for a while.
        let many = (0..20).map(|_| once(7)).take_while(Result::is_ok).count();
        assert!(many >= 4, "{many} connections from four ports");
        once(8).unwrap();
        sim.sleep(Duration::from_secs(61));
        once(7).unwrap();
        end(a);
        end(b);
    });
}

#[test]
fn what_is_over_is_forgotten() {
    on_sims(|sim| {
        let host = sim.clone() as Arc<dyn Host>;
        let (a, b) = pair(&host);
        drop(meet(&a, &b, B));
        let before = (a.account().used(), b.account().used());
        for _ in 0..20 {
            drop(meet(&a, &b, B));
        }
        sim.sleep(Duration::from_secs(200));
        let after = (a.account().used(), b.account().used());
        assert!(after.0 <= before.0 && after.1 <= before.1, "{before:?} {after:?}");
        assert_eq!(counter(&a, "tcp", "closed"), 21);
        end(a);
        end(b);
    });
}

/// A router whose second link is narrow, and which says nothing about what it drops.
#[test]
fn rfc4821_a_path_that_drops_long_segments_in_silence() {
    on_sims(|sim| {
        let host = sim.clone() as Arc<dyn Host>;
        let [a, router, b] = [(); 3].map(|()| boot(&host));
        for (kernel, name, link, addr) in [
            (&a, "shmif0", "left", [10, 0, 1, 1]),
            (&router, "shmif0", "left", [10, 0, 1, 2]),
            (&router, "shmif1", "right", [10, 0, 2, 1]),
            (&b, "shmif0", "right", [10, 0, 2, 2]),
        ] {
            ifconfig::create(kernel, name).unwrap();
            ifconfig::linkstr(kernel, name, link).unwrap();
            ifconfig::inet(kernel, name, addr, 24).unwrap();
        }
        route::add(&a, [0, 0, 0, 0], 0, [10, 0, 1, 2]).unwrap();
        route::add(&b, [0, 0, 0, 0], 0, [10, 0, 2, 1]).unwrap();
        ifconfig::mtu(&router, "shmif1", 1200).unwrap();
        support::sysctl(&router, "net.inet.icmp.errppslimit", 0).unwrap();
        let (mut client, mut server) = meet(&a, &b, [10, 0, 2, 2].into());
        let data = stream(300_000);
        let mut read = Vec::new();
        let mut buf = vec![0; 65_536];
        client.set_nonblocking(true).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut written = 0;
        while read.len() < data.len() {
            written += client.write(&data[written..]).unwrap_or(0);
            let n = server.read(&mut buf).unwrap();
            read.extend_from_slice(&buf[..n]);
        }
        assert!(read == data);
        assert_eq!(counter(&a, "tcp", "black_holes"), 1);
        // What was found fits the narrow link, and more than where the search began.
        let found = client.max_segment().unwrap();
        assert!((1025..=1160).contains(&found), "{found}");
        drop((client, server));
        // Without the search nothing comes through.
        support::sysctl(&a, "net.inet.tcp.mtu_probing", 0).unwrap();
        let (mut client, mut server) = meet(&a, &b, [10, 0, 2, 2].into());
        client.write_all(&data[..10_000]).unwrap();
        server.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        fails_with(server.read(&mut buf), Errno::WouldBlock);
    });
}

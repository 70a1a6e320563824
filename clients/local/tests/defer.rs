//! Connections that are accepted when there is something to read (TCP_DEFER_ACCEPT).

mod support;

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use base::{Errno, Host, Instant, Kernel};
use local::{Events, Poll, TcpListener, TcpStream, poll};
use support::*;

const SECOND: Duration = Duration::from_secs(1);

fn deferring(kernel: &Kernel, seconds: u32) -> TcpListener {
    let listener = TcpListener::bind(kernel, "0.0.0.0:80").unwrap();
    listener.set_defer_accept(SECOND * seconds).unwrap();
    listener
}

fn is_ready(kernel: &Kernel, listener: &TcpListener, wait: Duration) -> bool {
    let mut polls = [Poll::new(listener.fd(), Events::IN)];
    poll(kernel, &mut polls, Some(wait)).unwrap() > 0
}

#[test]
fn a_connection_is_accepted_with_its_first_data() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let listener = deferring(&b, 60);
        let mut client = TcpStream::connect(&a, "10.0.0.2:80").unwrap();
        // One that ends without a word is accepted, too; it comes behind the other's handshake.
        let other = TcpStream::connect(&a, "10.0.0.2:80").unwrap();
        drop(other);
        let (mut server, _) = listener.accept().unwrap();
        assert_eq!(server.read(&mut [0; 8]).unwrap(), 0, "the silent one");
        assert!(!is_ready(&b, &listener, Duration::ZERO));
        client.write_all(b"hello").unwrap();
        assert!(is_ready(&b, &listener, SECOND));
        listener.set_nonblocking(true).unwrap();
        let (mut server, peer) = listener.accept().unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        server.set_nonblocking(true).unwrap();
        let mut buf = [0; 8];
        assert_eq!(server.read(&mut buf).unwrap(), 5, "it is there");
        assert_eq!(counter(&b, "tcp", "accepts"), 2);
    });
}

#[test]
fn without_data_it_is_accepted_when_the_time_is_over() {
    on_sims(|sim| {
        let host: Arc<dyn Host> = sim.clone();
        for (seconds, least) in [(1, 1), (2, 3), (60, 63)] {
            let (a, b) = pair(&host);
            let listener = deferring(&b, seconds);
            assert_eq!(listener.defer_accept().unwrap(), SECOND * least, "rounded as Linux does");
            let start = now(&b);
            let mut client = TcpStream::connect(&a, "10.0.0.2:80").unwrap();
            assert!(!is_ready(&b, &listener, SECOND * least - SECOND / 10));
            let (mut server, _) = listener.accept().unwrap();
            let took = Duration::from_nanos(now(&b).nanos() - start.nanos());
            assert!(took >= SECOND * least && took < SECOND * (least + 1), "{took:?}");
            client.write_all(b"late").unwrap();
            assert_eq!(server.read(&mut [0; 8]).unwrap(), 4);
            drop((listener, client, server));
            end(a);
            end(b);
        }
    });
}

fn now(kernel: &Kernel) -> Instant {
    kernel.enter(|l| l.now()).unwrap()
}

#[test]
fn it_is_the_listener_s_and_can_be_taken_back() {
    everywhere(|host| {
        let kernel = boot(host);
        let listener = deferring(&kernel, 5);
        assert_eq!(listener.defer_accept().unwrap(), 7 * SECOND);
        let mut client = TcpStream::connect(&kernel, "127.0.0.1:80").unwrap();
        client.write_all(b"x").unwrap();
        let (server, _) = listener.accept().unwrap();
        let of = |stream: &TcpStream| {
            let mut value = [9; 4];
            let get =
                |l: &mut base::Lwp<'_>| net::socket::api::option(l, stream.fd(), 6, 9, &mut value);
            kernel.enter(get).unwrap().map(|_| i32::from_ne_bytes(value))
        };
        assert_eq!(of(&server), Ok(0));
        listener.set_defer_accept(Duration::ZERO).unwrap();
        let _client = TcpStream::connect(&kernel, "127.0.0.1:80").unwrap();
        listener.accept().unwrap();
        listener.set_nonblocking(true).unwrap();
        fails_with(listener.accept().map(drop), Errno::WouldBlock);
    });
}

#[test]
fn who_finds_the_queue_full_comes_later() {
    on_sims(|sim| {
        let host: Arc<dyn Host> = sim.clone();
        let (a, b) = pair(&host);
        let listener = TcpListener::bind_with(&b, "0.0.0.0:80", 1).unwrap();
        listener.set_defer_accept(SECOND * 30).unwrap();
        let connect = |_| TcpStream::connect(&a, "10.0.0.2:80").unwrap();
        let mut clients: Vec<_> = (0..3).map(connect).collect();
        assert!(!is_ready(&b, &listener, SECOND / 2), "all of them wait for data");
        for client in &mut clients {
            client.write_all(b"hello").unwrap();
        }
        sim.sleep(SECOND / 2);
        assert!(counter(&b, "tcp", "listen_full") > 0, "one has the only place");
        let mut servers = Vec::new();
        for _ in 0..3 {
            assert!(is_ready(&b, &listener, SECOND * 10), "{} are there", servers.len());
            let (mut server, _) = listener.accept().unwrap();
            let mut data = [0; 5];
            server.read_exact(&mut data).unwrap();
            assert_eq!(&data, b"hello");
            server.write_all(b"you").unwrap();
            servers.push(server);
        }
        for client in &mut clients {
            client.read_exact(&mut [0; 3]).unwrap();
        }
        drop((listener, clients, servers));
        end(a);
        end(b);
    });
}

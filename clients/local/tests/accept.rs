//! Connections that there is no descriptor for, or no memory: they wait.

mod support;

use std::io::{Read, Write};
use std::sync::Arc;

use base::file::MAX_FDS;
use base::{Errno, Host, Lwp};
use local::{Events, Poll, TcpListener, TcpStream, poll};
use net::socket::api::{self, Open};
use support::*;

/// Gives every number that is free to the file of `fd`, and answers which ones these were.
fn use_up(l: &mut Lwp<'_>, fd: u32) -> Vec<u32> {
    let fds = l.proc().fds();
    let free: Vec<_> = (0..MAX_FDS).filter(|n| fds.get(l, *n).is_err()).collect();
    let file = fds.get(l, fd).unwrap();
    for n in &free {
        fds.install_at(l, file.clone(), *n, false).unwrap();
    }
    free
}

#[test]
fn without_a_descriptor_a_connection_stays_where_it_is() {
    everywhere(|host| {
        let (a, b) = pair(host);
        let listener = TcpListener::bind(&b, "10.0.0.2:80").unwrap();
        let mut client = TcpStream::connect(&a, "10.0.0.2:80").unwrap();
        client.write_all(b"hello").unwrap();
        let fd = listener.fd();
        let free = b.enter(|l| use_up(l, fd)).unwrap();
        for _ in 0..3 {
            fails_with(listener.accept().map(drop), Errno::TooManyFiles);
        }
        let mut polls = [Poll::new(fd, Events::IN)];
        assert_eq!(poll(&b, &mut polls, None).unwrap(), 1, "it is still there");
        b.enter(|l| free.iter().for_each(|n| l.proc().fds().close(l, *n).unwrap())).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut buf = [0; 8];
        assert_eq!(server.read(&mut buf).unwrap(), 5);
        server.write_all(b"there").unwrap();
        assert_eq!(client.read(&mut buf).unwrap(), 5);
        drop((listener, client, server));
        end(a);
        end(b);
    });
}

#[test]
fn without_a_descriptor_nobody_waits_for_a_connection() {
    everywhere(|host| {
        let kernel = boot(host);
        let listener = TcpListener::bind(&kernel, "127.0.0.1:80").unwrap();
        kernel.enter(|l| use_up(l, listener.fd())).unwrap();
        // As on Linux: it would be for nothing.
        fails_with(listener.accept().map(drop), Errno::TooManyFiles);
    });
}

#[test]
fn without_memory_a_connection_stays_where_it_is() {
    on_sims(|sim| {
        let host: Arc<dyn Host> = sim.clone();
        let kernel = boot(&host);
        let listener = TcpListener::bind(&kernel, "127.0.0.1:80").unwrap();
        let mut refused = 0;
        for n in 1.. {
            let mut client = TcpStream::connect(&kernel, "127.0.0.1:80").unwrap();
            client.write_all(b"hello").unwrap();
            sim.settle();
            // So that the table of descriptors must grow for it, too.
            let fds: Vec<_> = (0..n).map(|_| listener.try_clone().unwrap()).collect();
            let before = sim.faults().refused();
            sim.faults().refuse_nth_charge(n);
            let accepted =
                kernel.enter(|l| api::accept(l, listener.fd(), Open::default())).unwrap();
            sim.faults().clear();
            let was_refused = sim.faults().refused() > before;
            refused += usize::from(was_refused);
            let fd = match accepted {
                Ok((fd, _)) => fd,
                Err(e) => {
                    assert_eq!((e, was_refused), (Errno::NoMemory, true));
                    let again = kernel.enter(|l| api::accept(l, listener.fd(), Open::default()));
                    again.unwrap().unwrap().0
                }
            };
            let mut buf = [0; 8];
            let got = kernel.enter(|l| {
                let none = net::socket::MsgFlags::empty();
                api::recv_from(l, fd, &mut [&mut buf], none).map(|got| got.len)
            });
            assert_eq!(got.unwrap(), Ok(5), "without charge {n}");
            kernel.enter(|l| l.proc().fds().close(l, fd).unwrap()).unwrap();
            drop((client, fds));
            if !was_refused {
                break;
            }
        }
        assert!(refused >= 2, "{refused}");
        drop(listener);
        end(kernel);
    });
}

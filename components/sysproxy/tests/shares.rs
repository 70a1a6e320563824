//! What all clients that are nobody may have of a kernel's memory together.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use base::Errno;
use base::syscall::number;
use base::sysctl::Value;
use support::{Answer, Client, Served, loopback, message, scene, syscall};
use sysproxy::{Ended, Trust};
use wire::{How, Kind};

const AT: u64 = 0x7000;
const BUF: u64 = 0x8000;
const LIMIT: u64 = 8 << 20;

fn udp(c: &mut Client) -> Result<u64, Errno> {
    c.call(number::SOCKET, &[2, 2, 0], &[])
}

fn tcp(c: &mut Client) -> u64 {
    c.call(number::SOCKET, &[2, 1, 0], &[]).unwrap()
}

fn bound(c: &mut Client, fd: u64, port: u16) {
    assert_eq!(c.call(number::BIND, &[fd, AT, 16], &[(AT, &loopback(port))]), Ok(0));
}

fn send(c: &mut Client, fd: u64, port: u16, len: usize) -> Result<u64, Errno> {
    let data = vec![7; len];
    let args = [fd, BUF, len as u64, 0, AT, 16];
    c.call(number::SENDTO, &args, &[(BUF, &data), (AT, &loopback(port)[..])])
}

fn receive(c: &mut Client, fd: u64, len: u64) -> Result<u64, Errno> {
    c.call(number::RECVFROM, &[fd, BUF, len, 0x40, 0, 0], &[])
}

/// Root does what it likes, and has much room for it.
fn root_works(root: &mut Client, port: u16) {
    let (from, to) = (udp(root).unwrap(), udp(root).unwrap());
    bound(root, to, port);
    for _ in 0..3 {
        assert_eq!(send(root, from, port, 60_000), Ok(60_000));
    }
    for _ in 0..3 {
        assert_eq!(receive(root, to, 60_000), Ok(60_000));
    }
    for fd in [from, to] {
        assert_eq!(root.call(number::CLOSE, &[fd], &[]), Ok(0));
    }
}

fn limited(s: &Served) {
    s.kernel.account().set_limit(LIMIT);
}

/// What nobodies have.
fn held(s: &Served) -> u64 {
    let held = s.kernel.enter(|l| base::sysctl::get(l, "vm.nobodies")).unwrap();
    let Ok(Value::Int(held)) = held else { panic!("{held:?}") };
    held as u64
}

/// Nobodies have no more than they may, and nearly all that is held is theirs: the kernel's own
/// tables grow with their sockets.
fn within_the_share(s: &Served) {
    let (used, held) = (s.kernel.account().used(), held(s));
    assert!(held <= LIMIT / 2 && held > LIMIT / 3, "{held} bytes of {used}");
    assert!(used - held < LIMIT / 6, "{} bytes beside theirs", used - held);
}

#[test]
fn nobodies_that_are_sent_much_have_half_of_the_memory() {
    scene(|s| {
        limited(s);
        let mut root = s.guest(Trust::Owner, 1);
        let from = udp(&mut root).unwrap();
        // Each socket is below its own limit; there are enough of them for four times the memory.
        let mut nobodies: Vec<_> = (10..20).map(|n| s.guest(Trust::Nobody, n)).collect();
        let mut last = s.guest(Trust::Nobody, 2);
        let to = udp(&mut last).unwrap();
        bound(&mut last, to, 9001);
        let mut ports = 7000..;
        for c in &mut nobodies {
            for port in ports.by_ref().take(16) {
                let Ok(fd) = udp(c) else { break };
                bound(c, fd, port);
                for _ in 0..3 {
                    assert_eq!(send(&mut root, from, port, 60_000), Ok(60_000));
                }
            }
        }
        within_the_share(s);
        root_works(&mut root, 9000);
        // Who goes makes room for the others.
        assert_eq!(send(&mut root, from, 9001, 60_000), Ok(60_000));
        let nothing = receive(&mut last, to, 100);
        assert!(matches!(nothing, Err(Errno::WouldBlock | Errno::NoMemory)), "{nothing:?}");
        drop(nobodies.remove(0));
        assert_eq!(send(&mut root, from, 9001, 60_000), Ok(60_000));
        assert_eq!(receive(&mut last, to, 100), Ok(100));
    });
}

#[test]
fn nobodies_that_ask_for_much_get_errors_and_stay() {
    scene(|s| {
        limited(s);
        let mut root = s.guest(Trust::Owner, 1);
        let mut nobodies: Vec<Client> = Vec::new();
        // Until one is not let in any more.
        let refused = loop {
            let mut c = s.client(Trust::Nobody, 10);
            match c.hello(How::Guest) {
                Ok(()) => assert!(matches!(c.next(), Answer::Welcome(_))),
                Err(ended) => break (ended, c.next()),
            }
            while udp(&mut c).is_ok() {}
            nobodies.push(c);
            assert!(nobodies.len() < 10_000);
        };
        assert_eq!(refused, (Ended::Refused, Answer::Refused(12)));
        within_the_share(s);
        for c in &mut nobodies {
            assert_eq!(udp(c), Err(Errno::NoBuffers));
            assert_eq!(c.call(number::GETUID, &[], &[]), Ok(65534), "it goes on");
        }
        root_works(&mut root, 9000);
        // One that closes has room again.
        let c = &mut nobodies[0];
        for fd in 0..20 {
            assert_eq!(c.call(number::CLOSE, &[fd], &[]), Ok(0));
        }
        assert!(udp(c).is_ok());
        drop(nobodies);
        assert!(matches!(s.guest(Trust::Nobody, 10).call(number::GETUID, &[], &[]), Ok(65534)));
    });
}

#[test]
fn long_messages_that_there_is_no_memory_for_are_passed_over() {
    scene(|s| {
        limited(s);
        let mut root = s.guest(Trust::Owner, 1);
        let mut nobodies: Vec<_> = (10..30).map(|n| s.guest(Trust::Nobody, n)).collect();
        let data = vec![7; 900_000];
        let long = syscall(7, number::SENDTO, &[0, BUF, 900_000, 0, 0, 0], &[(BUF, &data)]);
        // All but the end of it, in pieces as they come from a socket.
        let (most, end) = long.split_at(long.len() - 5);
        for c in &mut nobodies {
            most.chunks(65_536).for_each(|piece| c.send(piece).unwrap());
        }
        within_the_share(s);
        root_works(&mut root, 9000);
        let mut passed_over = 0;
        for c in &mut nobodies {
            c.send(end).unwrap();
            let Answer::Return(7, Err(e), _) = c.next() else { panic!() };
            passed_over += usize::from(e == Errno::NoMemory);
            assert!([Errno::NoMemory, Errno::BadFile].contains(&e), "{e:?}");
            assert_eq!(c.call(number::GETUID, &[], &[]), Ok(65534), "the stream is in order");
        }
        assert!((10..20).contains(&passed_over), "{passed_over}");
        // What was long once is not kept.
        assert!(s.kernel.account().used() < 1 << 20, "{}", s.kernel.account().used());
    });
}

#[test]
fn connections_to_nobodies_are_theirs() {
    scene(|s| {
        s.kernel.account().set_limit(4 * LIMIT);
        let (mut root, mut nobody) = (s.guest(Trust::Owner, 1), s.guest(Trust::Nobody, 2));
        let fd = tcp(&mut nobody);
        bound(&mut nobody, fd, 7007);
        assert_eq!(nobody.call(number::LISTEN, &[fd, 4096], &[]), Ok(0));
        // Root sends to each as much as it takes; nobody reads, nor accepts.
        let before = held(s);
        for n in 0..20 {
            let to = tcp(&mut root);
            let memory = [(AT, &loopback(7007)[..])];
            root.send(&syscall(n, number::CONNECT, &[to, AT, 16], &memory)).unwrap();
            root.resume();
            assert_eq!(root.next(), Answer::Return(n, Ok(0), vec![]));
            let data = [1; 60_000];
            let args = [to, BUF, 60_000, 0x40, 0, 0];
            while root.call(number::SENDTO, &args, &[(BUF, &data)]) != Err(Errno::WouldBlock) {}
        }
        let each = (held(s) - before) / 20;
        assert!(each > 60_000, "{each} bytes for each connection");
        root_works(&mut root, 9000);
        drop(nobody);
        drop(root);
    });
}

#[test]
fn children_of_nobodies_are_theirs() {
    scene(|s| {
        s.kernel.account().set_limit(s.kernel.account().used() + 64_000);
        let mut root = s.guest(Trust::Owner, 1);
        let mut nobodies = Vec::new();
        let mut cookies = 0;
        'all: for n in 10.. {
            let mut c = s.client(Trust::Nobody, n);
            if c.hello(How::Guest).is_err() {
                break;
            }
            c.next();
            for request in 0..16 {
                c.send(&message(Kind::Prefork, request, &[])).unwrap();
                match c.next() {
                    Answer::Cookie(_) => cookies += 1,
                    Answer::Refused(12) => {
                        nobodies.push(c);
                        break 'all;
                    }
                    other => panic!("{other:?}"),
                }
            }
            nobodies.push(c);
        }
        assert!(cookies > 0 && cookies < 300, "{cookies}");
        root.send(&message(Kind::Prefork, 1, &[])).unwrap();
        assert!(matches!(root.next(), Answer::Cookie(_)), "root has room");
        // Nobody's memory is what was asked about: what one of them gives back another can have.
        assert!(nobodies.len() > 1, "{cookies} cookies");
        drop(nobodies.remove(0));
        let nobody = nobodies.last_mut().unwrap();
        assert_eq!(nobody.call(number::GETUID, &[], &[]), Ok(65534));
    });
}

#[test]
fn what_there_is_no_memory_to_answer_with_is_not_taken() {
    scene(|s| {
        const LENS: [u64; 3] = [60_000, 30_000, 60_000];
        let mut root = s.guest(Trust::Owner, 1);
        let from = udp(&mut root).unwrap();
        let (mut taken, mut refused) = (0, 0);
        for more in (0..400_000).step_by(5_000) {
            limited(s);
            let mut c = s.guest(Trust::Nobody, 10);
            let to = udp(&mut c).unwrap();
            bound(&mut c, to, 9001);
            for len in LENS {
                assert_eq!(send(&mut root, from, 9001, len as usize), Ok(len));
            }
            // It does not read what it gets, so that the memory for answers grows: the last time by more
            // than the datagram gives back. So much is left of the share, which is half of the limit.
            c.wire.room = Some(0);
            s.kernel.account().set_limit(2 * (held(s) + more));
            for request in 0..3 {
                let args = [to, BUF, 60_000, 0x40, 0, 0];
                c.send(&syscall(request, number::RECVFROM, &args, &[])).unwrap();
            }
            limited(s);
            c.wire.room = None;
            c.session.flush(&mut c.wire).unwrap();
            let mut here = 0;
            for _ in LENS {
                match c.next() {
                    Answer::Return(_, Ok(_), memory) => here += memory[0].1.len(),
                    Answer::Return(_, Err(Errno::NoMemory | Errno::NoBuffers), _) => refused += 1,
                    other => panic!("{other:?}"),
                }
            }
            taken += here;
            while let Ok(n) = receive(&mut c, to, 60_000) {
                here += n as usize;
            }
            assert_eq!(here, 150_000, "with {more} bytes left");
        }
        assert!(taken > 1_000_000 && refused > 20, "{taken} bytes taken, {refused} calls refused");
    });
}

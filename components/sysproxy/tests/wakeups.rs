//! Who is told when something comes that one can have: one, and never nobody.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use base::Errno;
use base::syscall::number;
use sim::Sim;
use support::{Answer, Client, Served, loopback, message, scene, syscall};
use sysproxy::Trust;
use wire::{How, Kind};

const AT: u64 = 0x7000;
const BUF: u64 = 0x8000;
const MSG_PEEK: u64 = 2;

/// A socket of that kind with that port.
fn bound(c: &mut Client, kind: u64, port: u16) -> u64 {
    let fd = c.call(number::SOCKET, &[2, kind, 0], &[]).unwrap();
    assert_eq!(c.call(number::BIND, &[fd, AT, 16], &[(AT, &loopback(port))]), Ok(0));
    fd
}

fn send(c: &mut Client, fd: u64, data: &[u8]) {
    let memory = [(BUF, data), (AT, &loopback(7007)[..])];
    let args = [fd, BUF, data.len() as u64, 0, AT, 16];
    assert_eq!(c.call(number::SENDTO, &args, &memory), Ok(data.len() as u64));
}

fn receive(c: &mut Client, request: u64, fd: u64, flags: u64) {
    c.send(&syscall(request, number::RECVFROM, &[fd, BUF, 64, flags, 0, 0], &[])).unwrap();
}

/// Who was told since the last time.
fn told(s: &Served) -> Vec<u64> {
    std::mem::take(&mut *s.told.woken.lock().unwrap())
}

/// The requests that have been answered, and with what.
fn answers(c: &mut Client) -> Vec<(u64, Result<u64, Errno>)> {
    let mut all = Vec::new();
    while let Answer::Return(request, result, _) = c.next() {
        all.push((request, result));
    }
    all
}

/// A client and its child, which share a socket of port 7007, and somebody who sends there.
struct Family {
    parent: Client,
    child: Client,
    fd: u64,
    sender: Client,
    from: u64,
}

impl Family {
    fn new(s: &Served, trust: Trust) -> Family {
        let mut parent = s.guest(trust, 1);
        let fd = bound(&mut parent, 2, 7007);
        parent.send(&message(Kind::Prefork, 3, &[])).unwrap();
        let Answer::Cookie(cookie) = parent.next() else { panic!() };
        let mut child = s.client(trust, 2);
        child.hello(How::Fork(cookie)).unwrap();
        assert!(matches!(child.next(), Answer::Welcome(_)));
        let mut sender = s.guest(Trust::Owner, 3);
        let from = bound(&mut sender, 2, 7008);
        Family { parent, child, fd, sender, from }
    }
}

#[test]
fn a_datagram_tells_one_of_those_who_receive_and_all_who_poll() {
    scene(|s| {
        let mut f = Family::new(s, Trust::Nobody);
        for n in 0..100 {
            receive(&mut f.parent, n, f.fd, 0);
        }
        let poll = [f.fd as u8, 0, 0, 0, 1, 0, 0, 0];
        let forever = u64::MAX;
        for n in 0..10 {
            f.child.send(&syscall(n, number::POLL, &[AT, 1, forever], &[(AT, &poll)])).unwrap();
        }
        assert_eq!(told(s), []);
        send(&mut f.sender, f.from, b"one");
        let mut who = told(s);
        who.sort_unstable();
        assert_eq!(who, [&[1][..], &[2; 10]].concat());
        f.child.resume();
        assert_eq!(answers(&mut f.child).len(), 10);
        f.parent.resume();
        assert_eq!(answers(&mut f.parent), [(0, Ok(3))]);
        // As many as come, and in the order in which they asked.
        for _ in 0..3 {
            send(&mut f.sender, f.from, b"more");
        }
        assert_eq!(told(s), [1, 1, 1]);
        f.parent.resume();
        let mut got = answers(&mut f.parent);
        got.sort_unstable_by_key(|(request, _)| *request);
        assert_eq!(got, [(1, Ok(4)), (2, Ok(4)), (3, Ok(4))]);
    });
}

#[test]
fn a_connection_tells_one_of_those_who_accept() {
    scene(|s| {
        let (mut c, mut other) = (s.guest(Trust::Nobody, 1), s.guest(Trust::Owner, 2));
        let fd = bound(&mut c, 1, 7007);
        assert_eq!(c.call(number::LISTEN, &[fd, 16], &[]), Ok(0));
        for n in 0..50 {
            c.send(&syscall(n, number::ACCEPT, &[fd, 0, 0], &[])).unwrap();
        }
        let to = other.call(number::SOCKET, &[2, 1, 0], &[]).unwrap();
        other.send(&syscall(1, number::CONNECT, &[to, AT, 16], &[(AT, &loopback(7007))])).unwrap();
        other.resume();
        assert_eq!(answers(&mut other), [(1, Ok(0))]);
        assert_eq!(told(s).iter().filter(|who| **who == 1).count(), 1);
        c.resume();
        let got = answers(&mut c);
        let &[(0, Ok(accepted))] = &got[..] else { panic!("{got:?}") };
        // Bytes tell one of those who read, and what that one leaves tells the next.
        for n in 100..110 {
            receive(&mut c, n, accepted, 0);
        }
        let data = [5; 100];
        let args = [to, BUF, 100, 0, 0, 0];
        assert_eq!(other.call(number::SENDTO, &args, &[(BUF, &data)]), Ok(100));
        assert_eq!(told(s), [1]);
        c.resume();
        assert_eq!(told(s), [1]);
        c.resume();
        assert_eq!(answers(&mut c), [(100, Ok(64)), (101, Ok(36))]);
        // The end is for all.
        assert_eq!(other.call(number::CLOSE, &[to], &[]), Ok(0));
        c.resume();
        assert_eq!(answers(&mut c).len(), 8);
    });
}

#[test]
fn a_client_that_was_told_and_dies_tells_another() {
    scene(|s| {
        let mut f = Family::new(s, Trust::Owner);
        receive(&mut f.parent, 1, f.fd, 0);
        receive(&mut f.child, 2, f.fd, 0);
        send(&mut f.sender, f.from, b"one");
        assert_eq!(told(s), [1]);
        drop(f.parent);
        assert_eq!(told(s), [2]);
        f.child.resume();
        assert_eq!(answers(&mut f.child), [(2, Ok(3))]);
    });
}

#[test]
fn a_call_that_was_told_and_is_cancelled_or_looks_only_tells_another() {
    scene(|s| {
        let mut f = Family::new(s, Trust::Owner);
        receive(&mut f.parent, 1, f.fd, MSG_PEEK);
        receive(&mut f.child, 2, f.fd, 0);
        receive(&mut f.child, 3, f.fd, 0);
        send(&mut f.sender, f.from, b"one");
        assert_eq!(told(s), [1]);
        f.parent.resume();
        assert_eq!(answers(&mut f.parent), [(1, Ok(3))]);
        assert_eq!(told(s), [2]);
        // One that is cancelled has what there is.
        f.child.send(&message(Kind::Cancel, 2, &[])).unwrap();
        assert_eq!(answers(&mut f.child), [(2, Ok(3))]);
        // If there is none any more, the other one still waits.
        send(&mut f.sender, f.from, b"two");
        receive(&mut f.parent, 4, f.fd, 0);
        assert_eq!(answers(&mut f.parent), [(4, Ok(3))]);
        f.child.send(&message(Kind::Cancel, 3, &[])).unwrap();
        assert_eq!(answers(&mut f.child), [(3, Err(Errno::Interrupted))]);
    });
}

#[test]
fn a_client_that_was_told_and_does_not_read_its_answers_tells_another() {
    scene(|s| {
        let mut f = Family::new(s, Trust::Owner);
        receive(&mut f.parent, 1, f.fd, 0);
        receive(&mut f.child, 2, f.fd, 0);
        f.parent.wire.room = Some(0);
        while f.parent.session.wants_input() {
            f.parent.send(&syscall(9, number::UNAME, &[BUF], &[])).unwrap();
        }
        send(&mut f.sender, f.from, b"one");
        assert_eq!(told(s), [1]);
        f.parent.resume();
        assert_eq!(told(s), [2]);
        f.child.resume();
        assert_eq!(answers(&mut f.child), [(2, Ok(3))]);
        // It is not forgotten.
        send(&mut f.sender, f.from, b"another");
        f.parent.wire.room = None;
        f.parent.session.flush(&mut f.parent.wire).unwrap();
        assert_eq!(answers(&mut f.parent).pop(), Some((1, Ok(7))));
    });
}

#[test]
fn a_call_that_was_told_and_fails_tells_another() {
    for n in 1.. {
        let sim = Sim::seeded(n);
        let refused = sim.run(|| {
            let s = Served::boot(&sim);
            let mut f = Family::new(&s, Trust::Owner);
            receive(&mut f.parent, 1, f.fd, 0);
            receive(&mut f.child, 2, f.fd, 0);
            send(&mut f.sender, f.from, b"one");
            assert_eq!(told(&s), [1]);
            sim.faults().refuse_nth_charge(n);
            let resumed = f.parent.session.resume(&mut f.parent.wire);
            let refused = sim.faults().refused() != 0;
            let got = answers(&mut f.parent);
            if resumed.is_err() {
                drop(f.parent);
            }
            f.child.resume();
            let other = answers(&mut f.child);
            match refused {
                true => assert_eq!(other, [(2, Ok(3))], "charge {n}: {got:?}"),
                false => assert_eq!((got, other), (vec![(1, Ok(3))], vec![])),
            }
            drop((f.child, f.sender));
            s.end();
            refused
        });
        if !refused {
            assert!(n > 1, "{n}");
            return;
        }
    }
}

//! Clients at the limit of memory: what they ask for may fail, and they stay.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::collections::VecDeque;

use base::Errno;
use base::syscall::number;
use base::sysctl::Value;
use sim::Sim;
use support::{Answer, Client, Served, hello, loopback, scene, syscall};
use sysproxy::Trust;
use wire::How;

const AT: u64 = 0x7000;
const BUF: u64 = 0x8000;
const LIMIT: u64 = 8 << 20;

/// What nobodies have.
fn held(s: &Served) -> u64 {
    let held = s.kernel.enter(|l| base::sysctl::get(l, "vm.nobodies")).unwrap();
    let Ok(Value::Int(held)) = held else { panic!("{held:?}") };
    held as u64
}

/// Nobodies may have no more than they have, until [`share`] is called.
fn fill(s: &Served) {
    s.kernel.account().set_limit(2 * held(s));
}

fn share(s: &Served) {
    s.kernel.account().set_limit(LIMIT);
}

fn udp(c: &mut Client, port: u16, how: u64) -> u64 {
    let fd = c.call(number::SOCKET, &[2, 2 | how, 0], &[]).unwrap();
    assert_eq!(c.call(number::BIND, &[fd, AT, 16], &[(AT, &loopback(port))]), Ok(0));
    fd
}

fn send(c: &mut Client, fd: u64, port: u16, data: &[u8]) {
    let args = [fd, BUF, data.len() as u64, 0, AT, 16];
    let sent = c.call(number::SENDTO, &args, &[(BUF, data), (AT, &loopback(port)[..])]);
    assert_eq!(sent, Ok(data.len() as u64));
}

/// So much that the limit of nobodies is where memory ends, not that of the kernel.
fn weigh_down(c: &mut Client) {
    (0..100).for_each(|_| assert!(c.call(number::SOCKET, &[2, 2, 0], &[]).is_ok()));
}

/// A client whose last answer but one was long: it has given that memory back.
fn after_long_answers(c: &mut Client, fd: u64) {
    send(c, fd, 7007, &[7; 10_000]);
    assert_eq!(c.call(number::RECVFROM, &[fd, BUF, 10_000, 0, 0, 0], &[]), Ok(10_000));
    assert_eq!(c.call(number::GETUID, &[], &[]), Ok(65534));
}

#[test]
fn a_program_that_there_is_no_memory_to_welcome_is_refused() {
    scene(|s| {
        share(s);
        let mut c = s.guest(Trust::Nobody, 1);
        weigh_down(&mut c);
        let (kept, marked) = (udp(&mut c, 7007, 0), udp(&mut c, 7008, 0o2_000_000));
        after_long_answers(&mut c, kept);
        c.send(&syscall(5, number::RECVFROM, &[kept, BUF, 100, 0, 0, 0], &[])).unwrap();
        fill(s);
        for _ in 0..3 {
            c.hello(How::Exec).unwrap();
            assert_eq!(c.next(), Answer::Refused(12));
        }
        // Nothing has happened.
        assert_eq!(c.next(), Answer::Nothing, "its call goes on");
        share(s);
        send(&mut c, marked, 7007, b"still there");
        c.resume();
        assert_eq!(c.next(), Answer::Return(5, Ok(11), vec![(BUF, b"still there".to_vec())]));
        // With memory it is another program.
        c.send(&syscall(6, number::RECVFROM, &[kept, BUF, 100, 0, 0, 0], &[])).unwrap();
        c.hello(How::Exec).unwrap();
        assert_eq!(c.next(), Answer::Return(6, Err(Errno::Interrupted), vec![]));
        assert!(matches!(c.next(), Answer::Welcome(_)));
        assert_eq!(c.call(number::CLOSE, &[marked], &[]), Err(Errno::BadFile));
        assert_eq!(c.call(number::CLOSE, &[kept], &[]), Ok(0));
    });
}

#[test]
fn an_exec_without_the_nth_charge_happens_or_does_not() {
    let mut refused = 0;
    for n in 1..10 {
        let sim = Sim::seeded(n);
        sim.run(|| {
            let s = Served::boot(&sim);
            let mut c = s.guest(Trust::Nobody, 1);
            let (kept, marked) = (udp(&mut c, 7007, 0), udp(&mut c, 7008, 0o2_000_000));
            after_long_answers(&mut c, kept);
            let calls = 10..14;
            for request in calls.clone() {
                let args = [kept, BUF, 100, 0, 0, 0];
                c.send(&syscall(request, number::RECVFROM, &args, &[])).unwrap();
            }
            sim.faults().refuse_nth_charge(n);
            c.hello(How::Exec).unwrap();
            sim.faults().clear();
            let mut ended = 0;
            let happened = loop {
                match c.next() {
                    Answer::Return(_, Err(Errno::Interrupted), _) => ended += 1,
                    Answer::Welcome(_) => break true,
                    Answer::Refused(12) => break false,
                    other => panic!("{other:?}"),
                }
            };
            refused += usize::from(!happened);
            assert_eq!(ended, if happened { calls.count() } else { 0 });
            let closed = c.call(number::CLOSE, &[marked], &[]);
            assert_eq!(closed, if happened { Err(Errno::BadFile) } else { Ok(0) });
            drop(c);
            s.end();
        });
    }
    assert!(refused > 0);
}

/// Gives the session as much as it takes of what is on its way to it, as its half on the host does.
fn pump(c: &mut Client, on_its_way: &mut VecDeque<u8>) {
    loop {
        let room = c.session.room().unwrap().min(on_its_way.len());
        if room == 0 {
            return;
        }
        let bytes: Vec<u8> = on_its_way.drain(..room).collect();
        c.send(&bytes).unwrap();
    }
}

#[test]
fn requests_that_are_held_back_while_the_share_is_full_are_answered_later() {
    scene(|s| {
        for (more, frees) in [0, 100, 1000, 5000].into_iter().flat_map(|n| [(n, false), (n, true)])
        {
            share(s);
            let mut c = s.guest(Trust::Nobody, 1);
            weigh_down(&mut c);
            let fd = udp(&mut c, 7007, 0);
            after_long_answers(&mut c, fd);
            // It does not read its answers, and others have all the rest.
            c.wire.room = Some(0);
            s.kernel.account().set_limit(2 * (held(s) + more));
            let (calls, data) = (0..400_u64, [7; 300]);
            let mut on_its_way = VecDeque::new();
            for n in calls.clone() {
                // Of several lengths, one of them with memory.
                on_its_way.extend(match n % 3 {
                    0 => syscall(n, number::GETUID, &[], &[]),
                    1 => syscall(n, number::CLOSE, &[1000 + n], &[]),
                    _ => {
                        let args = [fd, BUF, data.len() as u64, 0, AT, 16];
                        let to = loopback(7007);
                        syscall(n, number::SENDTO, &args, &[(BUF, &data), (AT, &to[..])])
                    }
                });
            }
            pump(&mut c, &mut on_its_way);
            assert!(!on_its_way.is_empty(), "they wait outside");
            assert!(!c.session.wants_input() && c.session.has_output());
            assert!(held(s) <= s.kernel.account().limit() / 2);
            if frees {
                // Others give some back; it does not read all the same.
                share(s);
                c.session.flush(&mut c.wire).unwrap();
                pump(&mut c, &mut on_its_way);
            }
            // It reads, a bit at a time.
            let mut answers = vec![None; calls.clone().count()];
            let mut rounds = 0;
            while answers.iter().any(Option::is_none) {
                c.wire.room = Some(50);
                c.session.flush(&mut c.wire).unwrap();
                pump(&mut c, &mut on_its_way);
                // What has come of an answer so far.
                while c.wire.sent.len() >= 4
                    && c.wire.sent.len() >= c.wire.sent[0] as usize + 256 * c.wire.sent[1] as usize
                {
                    match c.next() {
                        Answer::Return(n, result, _) => answers[n as usize] = Some(result),
                        other => panic!("{other:?}"),
                    }
                }
                rounds += 1;
                assert!(rounds < 10_000, "{answers:?}");
            }
            let of = |kind| answers.iter().skip(kind).step_by(3).flatten();
            assert!(of(0).all(|a| *a == Ok(65534)), "with {more} bytes left: {answers:?}");
            assert!(of(1).all(|a| *a == Err(Errno::BadFile)), "{answers:?}");
            let mut sent = of(2);
            let expected =
                [Ok(300), Err(Errno::NoMemory), Err(Errno::NoBuffers), Err(Errno::BadFile)];
            assert!(sent.all(|a| expected.contains(a)), "{answers:?}");
            share(s);
            c.wire.room = None;
            assert_eq!(c.call(number::GETUID, &[], &[]), Ok(65534), "it goes on");
        }
    });
}

#[test]
fn a_session_takes_no_more_than_it_can_keep() {
    scene(|s| {
        share(s);
        let mut c = s.client(Trust::Nobody, 1);
        assert_eq!(c.session.room(), Ok(wire::MAX_HELLO));
        let hello = hello(How::Guest);
        c.send(&hello[..10]).unwrap();
        assert_eq!(c.session.room(), Ok(wire::MAX_HELLO - 10));
        c.send(&hello[10..]).unwrap();
        assert!(matches!(c.next(), Answer::Welcome(_)));
        assert_eq!(c.session.room(), Ok(64 << 10));
        weigh_down(&mut c);
        fill(s);
        assert_eq!(c.session.room(), Ok(wire::MAX_HELLO));
        // Of a message that there is no memory for the rest is passed over, be it in small pieces.
        let data = [7; 5000];
        let long = syscall(7, number::SENDTO, &[0, BUF, 5000, 0, 0, 0], &[(BUF, &data)]);
        let mut on_its_way = VecDeque::from([long, syscall(8, number::GETUID, &[], &[])].concat());
        pump(&mut c, &mut on_its_way);
        assert_eq!(c.next(), Answer::Return(7, Err(Errno::NoMemory), vec![]));
        assert_eq!(c.next(), Answer::Return(8, Ok(65534), vec![]));
        assert!(on_its_way.is_empty());
    });
}

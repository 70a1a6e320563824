//! Remote clients without a connection: calls, calls that wait, fork, exec, death, bad messages.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use base::Errno;
use base::syscall::number;
use sim::Sim;
use support::{Answer, Client, Served, loopback, message, scene, syscall};
use sysproxy::{Ended, Trust};
use wire::{Copyin, How, Kind, MAX_HELLO};

const AT: u64 = 0x7000;
const BUF: u64 = 0x8000;

/// A UDP socket with that port.
fn bound(c: &mut Client, port: u16) -> u64 {
    let fd = c.call(number::SOCKET, &[2, 2, 0], &[]).unwrap();
    assert_eq!(c.call(number::BIND, &[fd, AT, 16], &[(AT, &loopback(port))]), Ok(0));
    fd
}

fn send(c: &mut Client, fd: u64, port: u16, data: &[u8]) {
    let memory = [(BUF, data), (AT, &loopback(port)[..])];
    let args = [fd, BUF, data.len() as u64, 0, AT, 16];
    assert_eq!(c.call(number::SENDTO, &args, &memory), Ok(data.len() as u64));
}

#[test]
fn a_guest_is_a_process_of_its_own() {
    scene(|s| {
        let mut c = s.client(Trust::Owner, 1);
        // In pieces, as a connection may deliver them.
        for byte in support::hello(How::Guest) {
            assert_eq!(c.next(), Answer::Nothing);
            c.send(&[byte]).unwrap();
        }
        let Answer::Welcome(pid) = c.next() else { panic!() };
        assert_eq!(c.call(number::GETPID, &[], &[]), Ok(pid.into()));
        assert_eq!(c.call(number::GETUID, &[], &[]), Ok(0));
        let mut other = s.guest(Trust::Nobody, 2);
        assert_ne!(other.call(number::GETPID, &[], &[]), Ok(pid.into()));
        assert_eq!(other.call(number::GETUID, &[], &[]), Ok(65534));
        let name = [(AT, &b"host"[..])];
        let not = other.call(number::SETHOSTNAME, &[AT, 4], &name);
        assert_eq!(not, Err(Errno::NotPermitted));
        assert_eq!(c.call(number::SETHOSTNAME, &[AT, 4], &name), Ok(0));
        assert_eq!(c.call(499, &[], &[]), Err(Errno::NotImplemented));
    });
}

#[test]
fn memory_comes_along_and_goes_back_in_one_round_trip() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        let fd = bound(&mut c, 7);
        send(&mut c, fd, 7, b"hello");
        let args = [fd, BUF, 100, 0, AT, AT + 16];
        c.send(&syscall(5, number::RECVFROM, &args, &[(AT + 16, &16_u32.to_ne_bytes())])).unwrap();
        let memory = vec![
            (BUF, b"hello".to_vec()),
            (AT, loopback(7).to_vec()),
            (AT + 16, 16_u32.to_ne_bytes().to_vec()),
        ];
        assert_eq!(c.next(), Answer::Return(5, Ok(5), memory));
        // Memory that was not sent along, although it could have been.
        let not = c.call(number::BIND, &[fd, AT, 16], &[]);
        assert_eq!(not, Err(Errno::BadAddress));
    });
}

#[test]
fn what_no_description_says_is_asked_for() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        let fd = bound(&mut c, 7);
        // struct msghdr with one piece of three bytes, sent to ourselves.
        let mut hdr = [0; 56];
        for (at, value) in [(0, AT), (8, 16), (16, 0x9000), (24, 1)] {
            hdr[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        }
        let iov = [BUF.to_ne_bytes(), 3_u64.to_ne_bytes()].concat();
        c.send(&syscall(8, number::SENDMSG, &[fd, 0xa000, 0], &[])).unwrap();
        let memory: [(u64, &[u8]); 4] =
            [(0xa000, &hdr), (AT, &loopback(7)), (0x9000, &iov), (BUF, b"abc")];
        for (addr, data) in memory {
            assert_eq!(c.next(), Answer::Copyin(8, Copyin { addr, len: data.len() }));
            c.copied(8, 0, data).unwrap();
        }
        assert_eq!(c.next(), Answer::Return(8, Ok(3), vec![]));

        c.send(&syscall(9, number::SENDMSG, &[fd, 0xa000, 0], &[])).unwrap();
        assert!(matches!(c.next(), Answer::Copyin(9, _)));
        c.copied(9, 14, &[]).unwrap();
        assert_eq!(c.next(), Answer::Return(9, Err(Errno::BadAddress), vec![]));

        c.send(&syscall(10, number::SENDMSG, &[fd, 0xa000, 0], &[])).unwrap();
        assert!(matches!(c.next(), Answer::Copyin(10, _)));
        assert_eq!(c.copied(10, 0, &[1]), Err(Ended::Malformed), "not what was asked for");
    });
}

/// struct msghdr without an address, and its pieces: one byte at each address.
fn pieces(addresses: impl Iterator<Item = u64>) -> ([u8; 56], Vec<u8>) {
    let iov: Vec<u8> = addresses.flat_map(|addr| [addr, 1]).flat_map(u64::to_ne_bytes).collect();
    let mut hdr = [0; 56];
    for (at, value) in [(0, AT), (8, 16), (16, 0x9000), (24, iov.len() as u64 / 16)] {
        hdr[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }
    (hdr, iov)
}

#[test]
fn memory_in_many_pieces_is_found_and_disorder_keeps_nobody_busy() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        let fd = bound(&mut c, 7);
        let place = |n: u64| 0x10_0000 + 2 * n;
        // One after the other, as they are asked for.
        let (hdr, iov) = pieces((0..1000).map(place));
        c.send(&syscall(8, number::SENDMSG, &[fd, 0xa000, 0], &[])).unwrap();
        let to = loopback(7);
        let memory = [&hdr[..], &to, &iov].into_iter().chain((0..1000).map(|_| &b"x"[..]));
        for data in memory {
            assert!(matches!(c.next(), Answer::Copyin(8, Copyin { len, .. }) if len == data.len()));
            c.copied(8, 0, data).unwrap();
        }
        assert_eq!(c.next(), Answer::Return(8, Ok(1000), vec![]));
        // All at once, from behind.
        let (hdr, iov) = pieces((0..1000).rev().map(place));
        let mut memory: Vec<(u64, &[u8])> = (0..1000).map(|n| (place(n), &b"x"[..])).collect();
        memory.extend([(0xa000, &hdr[..]), (AT, &to), (0x9000, &iov)]);
        assert_eq!(c.call(number::SENDMSG, &[fd, 0xa000, 0], &memory), Err(Errno::TooBig));
    });
}

#[test]
fn a_message_has_as_many_pieces_as_linux_allows() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        let fd = bound(&mut c, 7);
        let place = |n: u64| 0x10_0000 + 2 * n;
        let all = |call, hdr: &[u8], iov: &[u8], c: &mut Client| {
            c.send(&syscall(8, call, &[fd, 0xa000, 0], &[])).unwrap();
            loop {
                match c.next() {
                    Answer::Copyin(8, Copyin { addr: 0xa000, .. }) => c.copied(8, 0, hdr),
                    Answer::Copyin(8, Copyin { addr: 0x9000, .. }) => c.copied(8, 0, iov),
                    Answer::Copyin(8, Copyin { addr: AT, .. }) => c.copied(8, 0, &loopback(7)),
                    Answer::Copyin(8, Copyin { len: 1, .. }) => c.copied(8, 0, b"x"),
                    Answer::Return(8, result, memory) => return (result, memory),
                    other => panic!("{other:?}"),
                }
                .unwrap();
            }
        };
        let (hdr, iov) = pieces((0..1024).map(place));
        assert_eq!(all(number::SENDMSG, &hdr, &iov, &mut c).0, Ok(1024));
        let (result, memory) = all(number::RECVMSG, &hdr, &iov, &mut c);
        assert_eq!(result, Ok(1024));
        let read = memory.iter().filter(|(addr, data)| *addr >= 0x10_0000 && data == b"x");
        assert_eq!(read.count(), 1024);
        // One more is too many, as in sendmsg(2).
        let (hdr, iov) = pieces((0..1025).map(place));
        for call in [number::SENDMSG, number::RECVMSG] {
            assert_eq!(all(call, &hdr, &iov, &mut c), (Err(Errno::MessageSize), vec![]));
        }
    });
}

#[test]
fn memory_that_is_asked_for_has_a_limit_for_all_calls_together() {
    scene(|s| {
        let before = s.kernel.account().used();
        let mut c = s.guest(Trust::Nobody, 1);
        let fd = bound(&mut c, 7007);
        const LEN: usize = 1 << 19;
        // The second piece is never sent.
        let mut hdr = [0; 56];
        for (at, value) in [(16, 0x9000_u64), (24, 2)] {
            hdr[at..at + 8].copy_from_slice(&value.to_ne_bytes());
        }
        let iov: Vec<u8> =
            [BUF, LEN as u64, 0x100_0000, 8].into_iter().flat_map(u64::to_ne_bytes).collect();
        for request in 0..100 {
            c.send(&syscall(request, number::SENDMSG, &[fd, 0xa000, 0], &[])).unwrap();
        }
        let data = vec![7; LEN];
        for request in 0..100 {
            for part in [&hdr[..], &iov, &data] {
                c.copied(request, 0, part).unwrap();
            }
        }
        let held = s.kernel.account().used() - before;
        assert!(held < 12 << 20, "{held} bytes");
        let refused = std::iter::from_fn(|| match c.next() {
            Answer::Nothing => None,
            answer => Some(answer),
        });
        let refused = refused.filter(|a| matches!(a, Answer::Return(_, Err(Errno::NoBuffers), _)));
        assert!(refused.count() > 80);
    });
}

#[test]
fn calls_that_wait_overlap_and_are_answered_when_they_can_be() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 7);
        let fds = [bound(&mut c, 7), bound(&mut c, 8)];
        for (i, fd) in fds.into_iter().enumerate() {
            let args = [fd, BUF, 100, 0, 0, 0];
            c.send(&syscall(20 + i as u64, number::RECVFROM, &args, &[])).unwrap();
        }
        assert_eq!(c.next(), Answer::Nothing);
        let mut other = s.guest(Trust::Owner, 8);
        let fd = bound(&mut other, 9);
        send(&mut other, fd, 8, b"to eight");
        assert_eq!(*s.told.woken.lock().unwrap(), [7]);
        c.resume();
        let memory = vec![(BUF, b"to eight".to_vec())];
        assert_eq!(c.next(), Answer::Return(21, Ok(8), memory));
        assert_eq!(c.next(), Answer::Nothing);
        send(&mut other, fd, 7, b"to seven");
        c.resume();
        assert!(matches!(c.next(), Answer::Return(20, Ok(8), _)));
    });
}

#[test]
fn a_request_is_cancelled_and_its_number_is_free_again() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        let fd = bound(&mut c, 7);
        let recv = syscall(5, number::RECVFROM, &[fd, BUF, 100, 0, 0, 0], &[]);
        for _ in 0..3 {
            c.send(&recv).unwrap();
            assert_eq!(c.next(), Answer::Nothing);
            c.send(&message(Kind::Cancel, 5, &[])).unwrap();
            assert_eq!(c.next(), Answer::Return(5, Err(Errno::Interrupted), vec![]));
        }
        c.send(&message(Kind::Cancel, 5, &[])).unwrap();
        assert_eq!(c.next(), Answer::Nothing, "it was answered already");
        c.send(&recv).unwrap();
        assert_eq!(c.send(&recv), Err(Ended::Malformed), "a number that is under way");
    });
}

#[test]
fn a_timeout_ends_a_call_that_waits() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        let fd = bound(&mut c, 7);
        let timeval = [0_u64.to_ne_bytes(), 5000_u64.to_ne_bytes()].concat();
        let set = c.call(number::SETSOCKOPT, &[fd, 1, 20, AT, 16], &[(AT, &timeval)]);
        assert_eq!(set, Ok(0));
        c.send(&syscall(5, number::RECVFROM, &[fd, BUF, 100, 0, 0, 0], &[])).unwrap();
        assert_eq!(c.next(), Answer::Nothing);
        s.kernel.enter(|l| l.sleep_until(l.now() + std::time::Duration::from_millis(6))).unwrap();
        assert_eq!(*s.told.woken.lock().unwrap(), [1]);
        c.resume();
        assert_eq!(c.next(), Answer::Return(5, Err(Errno::WouldBlock), vec![]));
    });
}

#[test]
fn the_death_of_a_client_frees_what_it_had() {
    let sim = Sim::seeded(3);
    sim.run(|| {
        let s = Served::boot(&sim);
        // What a table has grown to, it keeps.
        drop(s.guest(Trust::Owner, 1));
        let before = s.kernel.account().used();
        for cut in 0..200 {
            let mut c = s.guest(Trust::Owner, 1);
            let fd = bound(&mut c, 7);
            let recv = syscall(5, number::RECVFROM, &[fd, BUF, 100, 0, 0, 0], &[]);
            let asks = syscall(6, number::SENDMSG, &[fd, 0xa000, 0], &[]);
            let bytes = [recv, asks].concat();
            c.send(&bytes[..cut.min(bytes.len())]).unwrap();
            drop(c);
            assert_eq!(s.kernel.account().used(), before, "died after {cut} bytes");
        }
        s.end();
    });
}

#[test]
fn a_child_takes_the_process_that_was_prepared_for_it() {
    scene(|s| {
        let mut c = s.guest(Trust::Nobody, 1);
        let fd = bound(&mut c, 7007);
        c.send(&message(Kind::Prefork, 3, &[])).unwrap();
        let Answer::Cookie(cookie) = c.next() else { panic!() };
        // Closed by the parent afterwards; the child has it still.
        assert_eq!(c.call(number::CLOSE, &[fd], &[]), Ok(0));
        let mut child = s.client(Trust::Nobody, 2);
        child.hello(How::Fork(cookie)).unwrap();
        assert!(matches!(child.next(), Answer::Welcome(_)));
        send(&mut child, fd, 7007, b"x");
        assert_eq!(child.call(number::GETUID, &[], &[]), Ok(65534), "as its parent");

        let mut late = s.client(Trust::Nobody, 3);
        assert_eq!(late.hello(How::Fork(cookie)), Err(Ended::Refused), "a cookie is for one");
        assert_eq!(late.next(), Answer::Refused(3));
    });
}

#[test]
fn children_outlive_their_parent_for_ten_seconds() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        c.send(&message(Kind::Prefork, 1, &[])).unwrap();
        c.send(&message(Kind::Prefork, 2, &[])).unwrap();
        let (Answer::Cookie(first), Answer::Cookie(second)) = (c.next(), c.next()) else {
            panic!()
        };
        drop(c);
        let pass = |seconds| {
            let time = std::time::Duration::from_secs(seconds);
            s.kernel.enter(|l| l.sleep_until(l.now() + time)).unwrap();
            s.service.expire();
        };
        pass(9);
        s.client(Trust::Owner, 2).hello(How::Fork(first)).unwrap();
        pass(2);
        assert!(s.client(Trust::Owner, 2).hello(How::Fork(second)).is_err());
        assert!(!s.service.awaits_children());
    });
}

#[test]
fn children_that_do_not_come_are_forgotten_and_there_are_not_too_many() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        let mut cookies = Vec::new();
        for n in 0..17 {
            c.send(&message(Kind::Prefork, n, &[])).unwrap();
            match c.next() {
                Answer::Cookie(cookie) => cookies.push(cookie),
                refused => assert_eq!((n, refused), (16, Answer::Refused(11))),
            }
        }
        assert_eq!(cookies.len(), 16);
        c.send(&message(Kind::Unfork, 0, &cookies[0])).unwrap();
        assert!(s.client(Trust::Owner, 2).hello(How::Fork(cookies[0])).is_err());
        s.client(Trust::Owner, 2).hello(How::Fork(cookies[1])).unwrap();
        let minute = std::time::Duration::from_secs(61);
        s.kernel.enter(|l| l.sleep_until(l.now() + minute)).unwrap();
        s.service.expire();
        assert!(s.client(Trust::Owner, 2).hello(How::Fork(cookies[2])).is_err());
    });
}

#[test]
fn children_of_nobody_leave_room_for_the_owners() {
    let sim = Sim::seeded(1);
    sim.run(|| {
        let s = Served::boot(&sim);
        let prefork = |c: &mut Client, n| {
            c.send(&message(Kind::Prefork, n, &[])).unwrap();
            matches!(c.next(), Answer::Cookie(_))
        };
        let mut nobodies: Vec<Client> = (0..70).map(|n| s.guest(Trust::Nobody, n)).collect();
        let had = nobodies.iter_mut().map(|c| (0..16).filter(|n| prefork(c, *n)).count());
        assert_eq!(had.sum::<usize>(), 768);
        assert!(prefork(&mut s.guest(Trust::Owner, 100), 1));
        drop(nobodies);
        s.end();
    });
}

#[test]
fn another_program_keeps_the_descriptors_that_are_not_marked() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        let kept = bound(&mut c, 7);
        let marked = c.call(number::SOCKET, &[2, 0o2_000_002, 0], &[]).unwrap();
        c.send(&syscall(5, number::RECVFROM, &[kept, BUF, 100, 0, 0, 0], &[])).unwrap();
        c.hello(How::Exec).unwrap();
        assert_eq!(c.next(), Answer::Return(5, Err(Errno::Interrupted), vec![]));
        assert!(matches!(c.next(), Answer::Welcome(_)));
        assert_eq!(c.call(number::CLOSE, &[marked], &[]), Err(Errno::BadFile));
        send(&mut c, kept, 7, b"x");
    });
}

#[test]
fn who_is_not_welcomed_costs_nothing_and_who_is_rude_is_shown_out() {
    scene(|s| {
        let before = s.kernel.account().used();
        let good = support::hello(How::Guest);
        let mut other_version = good.clone();
        other_version[20] = 9;
        let mut c = s.client(Trust::Owner, 1);
        assert_eq!(c.send(&other_version), Err(Ended::Refused));
        assert_eq!(c.next(), Answer::Refused(93));
        assert_eq!(c.send(&good), Err(Ended::Gone), "there is no second chance");
        for bad in [
            syscall(1, number::GETPID, &[], &[]),
            message(Kind::Hello, 1, &[0; MAX_HELLO]),
            message(Kind::Hello, 1, b"GET / HTTP/1.1"),
            support::hello(How::Exec),
            vec![0xff; 64],
        ] {
            assert!(s.client(Trust::Owner, 1).send(&bad).is_err());
        }
        assert_eq!(s.kernel.account().used(), before);
        for kind in [Kind::Welcome, Kind::Return, Kind::Copyin, Kind::Cookie, Kind::Refused] {
            assert_eq!(
                s.guest(Trust::Owner, 1).send(&message(kind, 1, &[])),
                Err(Ended::Malformed)
            );
        }
    });
}

#[test]
fn a_client_that_does_not_read_is_not_read_from() {
    scene(|s| {
        let mut c = s.guest(Trust::Owner, 1);
        c.wire.room = Some(1000);
        let mut asked = 0_u64;
        while c.session.wants_input() {
            c.send(&syscall(asked, number::UNAME, &[BUF], &[])).unwrap();
            asked += 1;
            assert!(asked < 10_000, "it is read from for ever");
        }
        // What was read already is answered when there is room.
        let more = [
            syscall(asked, number::GETPID, &[], &[]),
            syscall(asked + 1, number::GETPID, &[], &[]),
        ];
        c.send(&more.concat()).unwrap();
        c.wire.room = None;
        c.session.flush(&mut c.wire).unwrap();
        assert!(c.session.wants_input() && !c.session.has_output());
        for n in 0..asked + 2 {
            assert!(matches!(c.next(), Answer::Return(request, Ok(_), _) if request == n));
        }
    });
}

#[test]
fn calls_that_waited_are_not_answered_beyond_what_is_read() {
    const MUCH: usize = 60_000;
    scene(|s| {
        let (mut c, mut other) = (s.guest(Trust::Owner, 1), s.guest(Trust::Owner, 2));
        let fd = bound(&mut c, 7007);
        let to = bound(&mut other, 7008);
        for n in 0..20 {
            let recv = [fd, BUF, MUCH as u64, 0, 0, 0];
            c.send(&syscall(n, number::RECVFROM, &recv, &[])).unwrap();
        }
        let before = s.kernel.account().used();
        c.wire.room = Some(0);
        for _ in 0..20 {
            send(&mut other, to, 7007, &[7; MUCH]);
            c.resume();
        }
        let held = s.kernel.account().used() - before;
        assert!(held < 900_000, "{held} bytes wait for a client that does not read");
        c.wire.room = None;
        c.session.flush(&mut c.wire).unwrap();
        let mut answers = 0;
        while let Answer::Return(_, got, _) = c.next() {
            assert_eq!(got, Ok(MUCH as u64));
            answers += 1;
        }
        assert!(answers >= 5, "{answers} answers");
        assert!(!c.session.has_output());
        // Whoever waits still is answered as before.
        send(&mut other, to, 7007, &[7; MUCH]);
        c.resume();
        assert!(matches!(c.next(), Answer::Return(..)));
    });
}

#[test]
fn somebody_may_leave_fewer_calls_waiting() {
    scene(|s| {
        let mut c = s.guest(Trust::Nobody, 1);
        let fd = bound(&mut c, 7007);
        for n in 0..129 {
            c.send(&syscall(n, number::RECVFROM, &[fd, BUF, 64, 0, 0, 0], &[])).unwrap();
        }
        assert_eq!(c.next(), Answer::Return(128, Err(Errno::WouldBlock), Vec::new()));
        assert_eq!(c.next(), Answer::Nothing);
    });
}

#[test]
fn the_kernel_ends_before_its_clients_and_halts_when_its_owner_says_so() {
    let sim = Sim::seeded(1);
    sim.run(|| {
        let s = Served::boot(&sim);
        let halt = [0xfee1_dead, 672_274_793, 0xcdef_0123, 0];
        let mut nobody = s.guest(Trust::Nobody, 1);
        assert_eq!(nobody.call(number::REBOOT, &halt, &[]), Err(Errno::NotPermitted));
        let mut owner = s.guest(Trust::Owner, 2);
        assert_eq!(owner.call(number::REBOOT, &[1, 2, 3], &[]), Err(Errno::Invalid));
        assert!(!s.told.halted.load(Ordering::Relaxed));
        assert_eq!(owner.call(number::REBOOT, &halt, &[]), Ok(0));
        assert!(s.told.halted.load(Ordering::Relaxed));
        let fd = bound(&mut owner, 7);
        owner.send(&syscall(5, number::RECVFROM, &[fd, BUF, 100, 0, 0, 0], &[])).unwrap();
        s.end();
        assert_eq!(owner.send(&syscall(6, number::GETPID, &[], &[])), Err(Ended::Gone));
        drop((owner, nobody));
    });
}

#[test]
fn without_the_nth_charge_a_client_gets_an_error_and_nothing_is_left() {
    for n in 1.. {
        let sim = Sim::seeded(n);
        let refused = sim.run(|| {
            let s = Served::boot(&sim);
            sim.faults().refuse_nth_charge(n);
            let mut c = s.client(Trust::Owner, 1);
            let sock = syscall(2, number::SOCKET, &[2, 2, 0], &[]);
            let bind = syscall(3, number::BIND, &[0, AT, 16], &[(AT, &loopback(7))]);
            let recv = syscall(4, number::RECVFROM, &[0, BUF, 100, 0, 0, 0], &[]);
            let asks = syscall(5, number::SENDMSG, &[0, 0xa000, 0], &[]);
            for bytes in [support::hello(How::Guest), sock, bind, recv, asks] {
                if c.send(&bytes).is_err() {
                    break;
                }
            }
            drop(c);
            s.end();
            sim.faults().refused() != 0
        });
        if !refused {
            assert!(n > 15, "{n}");
            return;
        }
    }
}

#[test]
fn who_serves_no_more_is_told_no_more() {
    scene(|s| {
        let told = Arc::new(support::Told::default());
        drop(sysproxy::Service::new(s.kernel.handle(), told.clone()).unwrap());
        let mut owner = s.guest(Trust::Owner, 1);
        let halt = [0xfee1_dead, 672_274_793, 0xcdef_0123, 0];
        assert_eq!(owner.call(number::REBOOT, &halt, &[]), Ok(0));
        assert!(s.told.halted.load(Ordering::Relaxed) && !told.halted.load(Ordering::Relaxed));
        assert_eq!(Arc::strong_count(&told), 1, "nobody keeps it");
    });
}

#[test]
fn a_kernel_that_panics_or_is_dropped_is_not_waited_for() {
    let sim = Sim::seeded(1);
    sim.run(|| {
        let dropped = Served::boot(&sim);
        let told = dropped.told.clone();
        assert!(!told.gone.load(Ordering::Relaxed));
        dropped.end();
        assert!(told.gone.load(Ordering::Relaxed));

        let s = Served::boot(&sim);
        let mut c = s.guest(Trust::Owner, 1);
        let fd = bound(&mut c, 7007);
        c.send(&syscall(1, number::RECVFROM, &[fd, BUF, 64, 0, 0, 0], &[])).unwrap();
        assert!(s.kernel.enter(|_| panic!("on purpose")).is_err());
        assert!(s.told.gone.load(Ordering::Relaxed));
        assert!(sysproxy::Service::new(s.kernel.handle(), s.told.clone()).is_err());
    });
}

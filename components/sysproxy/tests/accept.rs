//! Connections that a client has no descriptor for, or no memory: they wait.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use base::Errno;
use base::file::MAX_FDS;
use base::syscall::number;
use support::{Answer, Client, Served, loopback, scene, syscall};
use sysproxy::Trust;

const AT: u64 = 0x7000;
const LEN: u64 = 0x7100;

fn tcp(c: &mut Client) -> u64 {
    c.call(number::SOCKET, &[2, 1, 0], &[]).unwrap()
}

/// `how`: beside its type (SOCK_NONBLOCK).
fn listener(c: &mut Client, port: u16, how: u64) -> u64 {
    let fd = c.call(number::SOCKET, &[2, 1 | how, 0], &[]).unwrap();
    assert_eq!(c.call(number::BIND, &[fd, AT, 16], &[(AT, &loopback(port))]), Ok(0));
    assert_eq!(c.call(number::LISTEN, &[fd, 100], &[]), Ok(0));
    fd
}

/// A connection of `c` to that port, which nobody has accepted.
fn connect(c: &mut Client, port: u16) -> u64 {
    let fd = tcp(c);
    let at = loopback(port);
    c.send(&syscall(50, number::CONNECT, &[fd, AT, 16], &[(AT, &at[..])])).unwrap();
    c.resume();
    assert_eq!(c.next(), Answer::Return(50, Ok(0), vec![]));
    // SO_LINGER, no time: nothing is left of it when it is closed.
    let value = [1, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(c.call(number::SETSOCKOPT, &[fd, 1, 13, AT, 8], &[(AT, &value[..])]), Ok(0));
    fd
}

/// What a read of a connection says now: nothing yet, unless it has ended.
fn is_alive(c: &mut Client, fd: u64) -> bool {
    c.call(number::RECVFROM, &[fd, AT, 1, 0x40, 0, 0], &[]) == Err(Errno::WouldBlock)
}

/// All numbers that are free are of `fd` from now on.
fn use_up(c: &mut Client, fd: u64) {
    for n in fd + 1..u64::from(MAX_FDS) {
        assert_eq!(c.call(number::DUP2, &[fd, n], &[]), Ok(n));
    }
}

#[test]
fn without_a_descriptor_it_stays_where_it_is() {
    scene(|s| {
        let (mut a, mut b) = (s.guest(Trust::Owner, 1), s.guest(Trust::Owner, 2));
        let fd = listener(&mut b, 80, 0);
        let first = connect(&mut a, 80);
        use_up(&mut b, fd);
        for _ in 0..2 {
            assert_eq!(b.call(number::ACCEPT, &[fd, 0, 0], &[]), Err(Errno::TooManyFiles));
        }
        assert!(is_alive(&mut a, first));
        assert_eq!(b.call(number::CLOSE, &[77], &[]), Ok(0));
        assert_eq!(b.call(number::ACCEPT, &[fd, 0, 0], &[]), Ok(77));
        // One that waits for a connection has no descriptor any more when there is one.
        assert_eq!(b.call(number::CLOSE, &[77], &[]), Ok(0));
        b.send(&syscall(7, number::ACCEPT, &[fd, 0, 0], &[])).unwrap();
        assert_eq!(b.next(), Answer::Nothing);
        assert_eq!(b.call(number::DUP, &[fd], &[]), Ok(77));
        let second = connect(&mut a, 80);
        b.resume();
        assert_eq!(b.next(), Answer::Return(7, Err(Errno::TooManyFiles), vec![]));
        assert!(is_alive(&mut a, second));
        assert_eq!(b.call(number::CLOSE, &[78], &[]), Ok(0));
        assert_eq!(b.call(number::ACCEPT, &[fd, 0, 0], &[]), Ok(78));
    });
}

/// What nobodies have.
fn held(s: &Served) -> u64 {
    let held = s.kernel.enter(|l| base::sysctl::get(l, "vm.nobodies")).unwrap();
    let Ok(base::sysctl::Value::Int(held)) = held else { panic!("{held:?}") };
    held as u64
}

#[test]
fn what_there_is_no_memory_to_answer_with_is_not_taken() {
    scene(|s| {
        const LIMIT: u64 = 8 << 20;
        let mut root = s.guest(Trust::Owner, 1);
        let (mut taken, mut refused) = (0, 0);
        for more in (0..20_000).step_by(250) {
            s.kernel.account().set_limit(LIMIT);
            let mut c = s.guest(Trust::Nobody, 10);
            // Its share is more than what the others have, so that it is where memory ends.
            (0..200).for_each(|_| assert!(c.call(number::SOCKET, &[2, 2, 0], &[]).is_ok()));
            let fd = listener(&mut c, 9001, 0o4000);
            let clients = [(); 20].map(|()| connect(&mut root, 9001));
            // It does not read what it gets, so that the memory for answers grows. So much is left of the
            // share, which is half of the limit.
            c.wire.room = Some(0);
            s.kernel.account().set_limit(2 * (held(s) + more));
            let room = 16_u32.to_ne_bytes();
            for request in 0..20 {
                let call = syscall(request, number::ACCEPT, &[fd, AT, LEN], &[(LEN, &room[..])]);
                c.send(&call).unwrap();
            }
            s.kernel.account().set_limit(LIMIT);
            c.wire.room = None;
            c.session.flush(&mut c.wire).unwrap();
            let mut here = 0;
            for _ in 0..20 {
                match c.next() {
                    Answer::Return(_, Ok(_), memory) => {
                        assert_eq!(memory[0].1.len(), 16, "the address");
                        here += 1;
                    }
                    Answer::Return(_, Err(Errno::NoMemory | Errno::NoBuffers), _) => refused += 1,
                    other => panic!("{other:?}"),
                }
            }
            taken += here;
            assert!(clients.iter().all(|fd| is_alive(&mut root, *fd)), "with {more} bytes left");
            while c.call(number::ACCEPT, &[fd, 0, 0], &[]).is_ok() {
                here += 1;
            }
            assert_eq!(here, 20, "with {more} bytes left");
            for fd in clients {
                assert_eq!(root.call(number::CLOSE, &[fd], &[]), Ok(0));
            }
        }
        assert!(taken > 20 && refused > 20, "{taken} taken, {refused} refused");
    });
}

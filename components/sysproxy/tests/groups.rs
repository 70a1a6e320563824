//! The groups that sockets of nobodies are in: whose memory that is.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use base::Errno;
use base::syscall::number;
use base::sysctl::Value;
use net::ifnet::config;
use sim::Sim;
use support::{Client, Served, scene_of};
use sysproxy::Trust;

base::kernel!(LINKED = [net, netinet, shmif, sysproxy]);

const AT: u64 = 0x7000;

/// As many groups as a socket may be in.
const MOST: u8 = 20;

fn linked(test: impl Fn(&Arc<Sim>, &Served)) {
    scene_of(&LINKED, |sim, s| {
        let up = s.kernel.enter(|l| {
            config::create(l, "shmif0")?;
            config::set_linkstr(l, "shmif0", "bus")?;
            config::add_addr(l, "shmif0", [10, 0, 0, 1].into(), 24)
        });
        up.unwrap().unwrap();
        test(sim, s);
    });
}

fn udp(c: &mut Client) -> Result<u64, Errno> {
    c.call(number::SOCKET, &[2, 2, 0], &[])
}

/// Joins (35) or leaves (36) a group, on the bus or on lo0.
fn change(c: &mut Client, fd: u64, name: u64, group: u32, at: [u8; 4]) -> Result<u64, Errno> {
    let [_, x, y, z] = group.to_be_bytes();
    let mreq = [[239, x, y, z], at].concat();
    c.call(number::SETSOCKOPT, &[fd, 0, name, AT, 8], &[(AT, &mreq)])
}

/// What nobodies have, and what the kernel has beside.
fn held(s: &Served) -> (u64, u64) {
    let held = s.kernel.enter(|l| base::sysctl::get(l, "vm.nobodies")).unwrap();
    let Ok(Value::Int(held)) = held else { panic!("{held:?}") };
    (held as u64, s.kernel.account().used() - held as u64)
}

/// Until nothing is left to be told of groups.
fn told(sim: &Sim) {
    sim.sleep(Duration::from_secs(30));
    sim.settle();
}

#[test]
fn memberships_of_nobodies_are_theirs() {
    linked(|sim, s| {
        let (mut root, mut c) = (s.guest(Trust::Owner, 1), s.guest(Trust::Nobody, 2));
        let fds: Vec<_> = (0..50).map(|_| udp(&mut c).unwrap()).collect();
        // What the first one costs the kernel once.
        let first = udp(&mut root).unwrap();
        assert_eq!(change(&mut root, first, 35, 0xff_ffff, [10, 0, 0, 1]), Ok(0));
        told(sim);
        let before = held(s);
        for at in [[10, 0, 0, 1], [127, 0, 0, 1]] {
            let mut groups = 0..;
            for fd in &fds {
                for group in groups.by_ref().take(usize::from(MOST)) {
                    let joined = change(&mut c, *fd, 35, group, at);
                    let most = at[0] == 127;
                    assert_eq!(joined, if most { Err(Errno::NoBuffers) } else { Ok(0) });
                }
            }
        }
        told(sim);
        let after = held(s);
        let members = fds.len() as u64 * u64::from(MOST);
        assert!(after.0 - before.0 > members * 100, "{} bytes", after.0 - before.0);
        assert!(after.1 - before.1 < 1000, "{} bytes are the kernel's", after.1 - before.1);
        // What is left is told, and then its memory is given back.
        for (group, fd) in (0..).zip(fds.iter().flat_map(|fd| [fd; MOST as usize])) {
            assert_eq!(change(&mut c, *fd, 36, group, [10, 0, 0, 1]), Ok(0));
        }
        told(sim);
        assert_eq!(held(s), before);
        // Root's are not theirs, though a nobody was in the group before, or is.
        assert_eq!(change(&mut c, fds[0], 35, 7, [10, 0, 0, 1]), Ok(0));
        assert_eq!(change(&mut c, fds[0], 36, 7, [10, 0, 0, 1]), Ok(0));
        assert_eq!(change(&mut root, first, 35, 7, [10, 0, 0, 1]), Ok(0));
        assert_eq!(held(s).0, before.0);
        drop(c);
        told(sim);
        assert_eq!(change(&mut root, first, 36, 7, [10, 0, 0, 1]), Ok(0));
    });
}

#[test]
fn nobodies_in_many_groups_leave_room_for_root_s() {
    linked(|sim, s| {
        s.kernel.account().set_limit(4 << 20);
        let (mut root, mut c) = (s.guest(Trust::Owner, 1), s.guest(Trust::Nobody, 2));
        // All of the share, but for what some memberships need.
        let first = udp(&mut c).unwrap();
        while udp(&mut c).is_ok() {}
        let limit = s.kernel.account().used();
        s.kernel.account().set_limit(2 * held(s).0 + 2 * 1000);
        let joined = (0..MOST).find(|n| {
            let joined = change(&mut c, first, 35, u32::from(*n), [10, 0, 0, 1]);
            assert!([Ok(0), Err(Errno::NoBuffers)].contains(&joined), "{joined:?}");
            joined.is_err()
        });
        assert!(joined.is_some_and(|n| (1..15).contains(&n)), "{joined:?}");
        // One that was told to join and leave without end has no more of it.
        for n in 100..1000 {
            if change(&mut c, first, 35, n, [10, 0, 0, 1]).is_ok() {
                assert_eq!(change(&mut c, first, 36, n, [10, 0, 0, 1]), Ok(0));
            }
        }
        assert!(held(s).0 <= s.kernel.account().limit() / 2);
        s.kernel.account().set_limit(limit + (1 << 20));
        let fd = udp(&mut root).unwrap();
        for n in 0..MOST {
            assert_eq!(change(&mut root, fd, 35, n.into(), [10, 0, 0, 1]), Ok(0));
        }
        drop(c);
        told(sim);
    });
}

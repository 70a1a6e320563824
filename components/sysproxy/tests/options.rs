//! Options of sockets whose values have no fixed size, from a client's memory and back.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use base::Errno;
use base::syscall::number;
use support::{Answer, Client, scene, syscall};
use sysproxy::Trust;

const SOL_SOCKET: u64 = 1;
const SO_BINDTODEVICE: u64 = 25;

const VALUE: u64 = 0x7000;
const LEN: u64 = 0x7100;

fn set(c: &mut Client, fd: u64, name: &[u8]) -> Result<u64, Errno> {
    let args = [fd, SOL_SOCKET, SO_BINDTODEVICE, VALUE, name.len() as u64];
    c.call(number::SETSOCKOPT, &args, &[(VALUE, name)])
}

/// What comes back for a value of as many bytes.
fn get(c: &mut Client, fd: u64, room: u32) -> Result<Vec<(u64, Vec<u8>)>, Errno> {
    let args = [fd, SOL_SOCKET, SO_BINDTODEVICE, VALUE, LEN];
    c.send(&syscall(99, number::GETSOCKOPT, &args, &[(LEN, &room.to_ne_bytes())])).unwrap();
    match c.next() {
        Answer::Return(99, result, memory) => result.map(|_| memory),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_interface_that_a_socket_is_bound_to() {
    scene(|s| {
        for trust in [Trust::Owner, Trust::Nobody] {
            let mut c = s.guest(trust, 1);
            let fd = c.call(number::SOCKET, &[2, 2, 0], &[]).unwrap();
            let none = vec![(LEN, 0_u32.to_ne_bytes().to_vec())];
            assert_eq!(get(&mut c, fd, 16), Ok(none.clone()));
            assert_eq!(set(&mut c, fd, b"shmif0"), Err(Errno::NotSuchDevice));
            assert_eq!(set(&mut c, fd, b"lo0"), Ok(0));
            let lo0 = vec![(VALUE, b"lo0\0".to_vec()), (LEN, 4_u32.to_ne_bytes().to_vec())];
            assert_eq!(get(&mut c, fd, 16), Ok(lo0.clone()));
            assert_eq!(get(&mut c, fd, 15), Err(Errno::Invalid));
            // Who is nobody binds it once.
            let is_root = trust == Trust::Owner;
            let (result, left) =
                if is_root { (Ok(0), none) } else { (Err(Errno::NotPermitted), lo0) };
            assert_eq!(set(&mut c, fd, b""), result);
            assert_eq!(get(&mut c, fd, 16), Ok(left));
        }
    });
}

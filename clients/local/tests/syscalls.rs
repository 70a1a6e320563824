//! Sockets through the system calls: numbers, layouts and errors as Linux has them.

mod support;

use base::syscall::number as n;
use base::{Cred, Errno};
use support::program::*;

const NONBLOCK: u64 = 0o4000;
const TRUNC: u64 = 0x20;
const DONTWAIT: u64 = 0x40;

#[test]
fn sendto_and_recvfrom_with_addresses() {
    programs(|p| {
        let (a, b) = (p.bound(7), p.bound(8));
        let to = p.1.put(BASE + 64, &sockaddr(8));
        let data = p.1.put(BASE + 128, b"hello");
        assert_eq!(p.call(n::SENDTO, [a, data, 5, 0, to, 16]), Ok(5));
        let (buf, from, len) = (BASE + 256, BASE + 512, BASE + 600);
        p.1.put(len, &128_u32.to_ne_bytes());
        assert_eq!(p.call(n::RECVFROM, [b, buf, 3, TRUNC, from, len]), Ok(5), "its whole length");
        assert_eq!(p.1.at(buf, 4).unwrap(), b"hel\0");
        assert_eq!(p.1.word(len), 16);
        assert_eq!(p.1.at(from, 16).unwrap(), sockaddr(7));
        assert_eq!(p.call(n::RECVFROM, [b, buf, 3, DONTWAIT, 0, 0]), Err(Errno::WouldBlock));
        // Room for a part of the address gets a part, and its whole length is told.
        p.call(n::SENDTO, [a, data, 5, 0, to, 16]).unwrap();
        p.1.put(from, &[9; 16]);
        p.1.put(len, &4_u32.to_ne_bytes());
        assert_eq!(p.call(n::RECVFROM, [b, buf, 16, 0, from, len]), Ok(5));
        assert_eq!((p.1.word(len), p.1.at(from + 4, 1).unwrap()[0]), (16, 9));
    });
}

#[test]
fn connected_descriptors_are_read_and_written() {
    programs(|p| {
        let (a, b) = (p.bound(7), p.bound(8));
        let to = p.1.put(BASE, &sockaddr(8));
        assert_eq!(p.call(n::CONNECT, [a, to, 16]), Ok(0));
        let data = p.1.put(BASE + 128, b"abc");
        assert_eq!(p.call(n::WRITE, [a, data, 3]), Ok(3));
        assert_eq!(p.call(n::READ, [b, BASE + 256, 16]), Ok(3));
        let (name, len) = (BASE + 512, BASE + 600);
        p.1.put(len, &16_u32.to_ne_bytes());
        assert_eq!(p.call(n::GETPEERNAME, [a, name, len]), Ok(0));
        assert_eq!(p.1.at(name, 16).unwrap(), sockaddr(8));
        assert_eq!(p.call(n::GETSOCKNAME, [a, name, len]), Ok(0));
        assert_eq!(p.1.at(name, 16).unwrap(), sockaddr(7));
        assert_eq!(p.call(n::GETPEERNAME, [b, name, len]), Err(Errno::NotConnected));
        // No family disconnects.
        let nobody = p.1.put(BASE, &[0; 16]);
        assert_eq!(p.call(n::CONNECT, [a, nobody, 16]), Ok(0));
        assert_eq!(p.call(n::WRITE, [a, data, 3]), Err(Errno::DestinationRequired));
        assert_eq!(p.call(n::SHUTDOWN, [a, 2]), Err(Errno::NotConnected));
        p.1.put(BASE, &sockaddr(8));
        assert_eq!(p.call(n::CONNECT, [a, to, 16]), Ok(0));
        assert_eq!(p.call(n::SHUTDOWN, [a, 3]), Err(Errno::Invalid));
        assert_eq!(p.call(n::SHUTDOWN, [a, 2]), Ok(0));
        assert_eq!(p.call(n::WRITE, [a, data, 3]), Err(Errno::BrokenPipe));
        assert_eq!(p.call(n::READ, [a, BASE + 256, 16]), Ok(0), "the end");
    });
}

#[test]
fn messages_in_pieces_with_the_address_they_were_sent_to() {
    programs(|p| {
        let (a, b) = (p.bound(7), p.bound(8));
        let on = p.1.put(BASE + 32, &1_i32.to_ne_bytes());
        assert_eq!(p.call(n::SETSOCKOPT, [b, 0, 8, on, 4]), Ok(0), "IP_PKTINFO");
        let name = p.1.put(BASE + 64, &sockaddr(8));
        let (x, y) = (p.1.put(BASE + 128, b"one "), p.1.put(BASE + 160, b"two"));
        let iov = BASE + 192;
        p.1.put(iov, &[x, 4, y, 3].map(u64::to_ne_bytes).concat());
        let hdr = BASE + 256;
        p.1.put(hdr, &[name, 16, iov, 2, 0, 0, 0].map(u64::to_ne_bytes).concat());
        assert_eq!(p.call(n::SENDMSG, [a, hdr, 0]), Ok(7));
        let (u, v, control) = (BASE + 512, BASE + 544, BASE + 600);
        p.1.put(iov, &[u, 2, v, 16].map(u64::to_ne_bytes).concat());
        p.1.put(hdr, &[name, 16, iov, 2, control, 64, 0].map(u64::to_ne_bytes).concat());
        assert_eq!(p.call(n::RECVMSG, [b, hdr, 0]), Ok(7));
        assert_eq!(p.1.at(u, 2).unwrap(), b"on");
        assert_eq!(p.1.at(v, 5).unwrap(), b"e two");
        assert_eq!(p.1.at(name, 16).unwrap(), sockaddr(7));
        assert_eq!((p.1.word(hdr + 40), p.1.word(hdr + 48)), (32, 0), "control, flags");
        assert_eq!(p.1.at(control + 20, 4).unwrap(), [127, 0, 0, 1]);
        // How many hops were left and the type of service, as Linux orders and pads them.
        for (fd, level, name, set) in [(b, 0, 12, 1), (b, 0, 13, 1), (a, 0, 1, 0x10), (a, 0, 2, 9)]
        {
            let value = p.1.put(BASE + 32, &i32::to_ne_bytes(set));
            assert_eq!(p.call(n::SETSOCKOPT, [fd, level, name, value, 4]), Ok(0));
        }
        for (room, len, flags) in [(128, 80, 0), (56, 56, 8)] {
            p.1.put(name, &sockaddr(8));
            assert_eq!(p.call(n::SENDTO, [a, x, 1, 0, name, 16]), Ok(1));
            p.1.put(hdr, &[name, 16, iov, 2, control, room, 0].map(u64::to_ne_bytes).concat());
            assert_eq!(p.call(n::RECVMSG, [b, hdr, 0]), Ok(1));
            assert_eq!((p.1.word(hdr + 40), p.1.word(hdr + 48)), (len, flags), "control, flags");
            assert_eq!((p.1.word(control + 44), p.1.word(control + 48)), (2, 9), "IP_TTL");
        }
        assert_eq!((p.1.word(control + 68), p.1.word(control + 72)), (1, 0x10), "IP_TOS");
        // As many pieces as there may be, too many, and pieces nowhere.
        p.1.put(hdr + 40, &[0; 8]);
        let many = p.1.put(BASE + 1024, &[x, 1].map(u64::to_ne_bytes).concat().repeat(1024));
        p.1.put(name, &sockaddr(8));
        p.1.put(hdr, &[name, 16, many, 1024, 0, 0, 0].map(u64::to_ne_bytes).concat());
        assert_eq!(p.call(n::SENDMSG, [a, hdr, 0]), Ok(1024));
        assert_eq!(p.call(n::RECVMSG, [b, hdr, 0]), Ok(1024));
        assert_eq!(p.1.at(x, 1).unwrap(), b"o");
        p.1.put(hdr + 24, &1025_u64.to_ne_bytes());
        assert_eq!(p.call(n::SENDMSG, [a, hdr, 0]), Err(Errno::MessageSize));
        p.1.put(hdr + 24, &2_u64.to_ne_bytes());
        p.1.put(hdr + 16, &1_u64.to_ne_bytes());
        assert_eq!(p.call(n::SENDMSG, [a, hdr, 0]), Err(Errno::BadAddress));
    });
}

#[test]
fn options_there_and_back() {
    programs(|p| {
        let s = p.bound(7);
        let (value, len) = (BASE + 64, BASE + 128);
        let get = |p: &mut Program, level: u64, name: u64| {
            p.1.put(len, &4_u32.to_ne_bytes());
            p.call(n::GETSOCKOPT, [s, level, name, value, len]).map(|_| p.1.word(value))
        };
        // SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN.
        for (name, expected) in [(3, 2), (39, 2), (38, 17), (4, 0), (30, 0)] {
            assert_eq!(get(p, 1, name), Ok(expected), "option {name}");
        }
        // IP_MTU: only towards a peer.
        assert_eq!(get(p, 0, 14), Err(Errno::NotConnected));
        let to = p.1.put(BASE + 192, &sockaddr(9));
        assert_eq!(p.call(n::CONNECT, [s, to, 16]), Ok(0));
        assert_eq!(get(p, 0, 14), Ok(65_535));
        // SO_REUSEADDR, SO_BROADCAST, SO_REUSEPORT, SO_RCVLOWAT; IP_TOS, IP_TTL, IP_MTU_DISCOVER,
        // IP_RECVTTL, IP_RECVTOS, IP_MULTICAST_TTL, IP_MULTICAST_LOOP.
        for (level, name, set) in [
            (1, 2, 1),
            (1, 6, 1),
            (1, 15, 1),
            (1, 18, 9),
            (0, 1, 0x10),
            (0, 2, 9),
            (0, 10, 2),
            (0, 12, 1),
            (0, 13, 1),
            (0, 33, 7),
            (0, 33, 0),
            (0, 34, 0),
        ] {
            p.1.put(value, &i32::to_ne_bytes(set));
            assert_eq!(p.call(n::SETSOCKOPT, [s, level, name, value, 4]), Ok(0));
            assert_eq!(get(p, level, name), Ok(set as u32), "option {name} of level {level}");
        }
        assert_eq!(get(p, 1, 9999), Err(Errno::NoProtocolOption));
        assert_eq!(get(p, 77, 1), Err(Errno::NoProtocolOption));
        assert_eq!(p.call(n::SETSOCKOPT, [s, 1, 3, value, 4]), Err(Errno::NoProtocolOption));
        assert_eq!(p.call(n::SETSOCKOPT, [s, 1, 2, value, 3]), Err(Errno::Invalid));
        assert_eq!(p.call(n::SETSOCKOPT, [s, 1, 2, 1, 4]), Err(Errno::BadAddress));
    });
}

#[test]
fn what_is_asked_wrongly_answers_as_linux_does() {
    programs(|p| {
        for (args, errno) in [
            ([999, DGRAM, 0], Errno::NoFamily),
            ([AF_INET, 9, 0], Errno::NoSocketType),
            ([AF_INET, 1, 17], Errno::NoProtocol),
            ([AF_INET, DGRAM, 6], Errno::NoProtocol),
            ([AF_INET, RAW, 0], Errno::NoProtocol),
        ] {
            assert_eq!(p.call(n::SOCKET, args), Err(errno), "{args:?}");
        }
        let s = p.bound(7);
        for call in [n::SENDTO, n::RECVFROM] {
            let urgent = [s, BASE + 64, 1, 1, 0, 0];
            assert_eq!(p.call(call, urgent), Err(Errno::NotSupported), "MSG_OOB");
        }
        assert_eq!(p.call(n::LISTEN, [s, 5]), Err(Errno::NotSupported));
        assert_eq!(p.call(n::ACCEPT, [s, 0, 0]), Err(Errno::NotSupported));
        assert_eq!(p.call(n::BIND, [s, BASE, 16]), Err(Errno::Invalid), "it has an address");
        assert_eq!(p.call(n::BIND, [s, BASE, 15]), Err(Errno::Invalid));
        assert_eq!(p.call(n::BIND, [s, BASE, 1000]), Err(Errno::Invalid));
        assert_eq!(p.call(n::BIND, [s, 1, 16]), Err(Errno::BadAddress));
        assert_eq!(p.call(n::BIND, [s + 9, BASE, 16]), Err(Errno::BadFile));
        let s = p.call(n::SOCKET, [AF_INET, DGRAM | NONBLOCK, 0]).unwrap();
        assert_eq!(p.call(n::READ, [s, BASE, 1]), Err(Errno::WouldBlock));
        assert_eq!(p.call(53, [1, 1, 0, 0]), Err(Errno::NotImplemented), "socketpair");
    });
}

#[test]
fn only_the_superuser_has_raw_sockets_and_low_ports() {
    programs(|p| {
        p.0.enter(|l| l.proc().set_cred(l, Cred { uid: 1000, ..Cred::root() })).unwrap();
        assert_eq!(p.call(n::SOCKET, [AF_INET, RAW, 1]), Err(Errno::NotPermitted));
        let s = p.call(n::SOCKET, [AF_INET, DGRAM, 0]).unwrap();
        let addr = p.1.put(BASE, &sockaddr(80));
        assert_eq!(p.call(n::BIND, [s, addr, 16]), Err(Errno::AccessDenied));
        let addr = p.1.put(BASE, &sockaddr(8080));
        assert_eq!(p.call(n::BIND, [s, addr, 16]), Ok(0));
        assert!(p.call(n::SOCKET, [AF_INET, DGRAM, 1]).is_ok(), "ping is for everybody");
        let mut request = [0; 40];
        request[..3].copy_from_slice(b"lo0");
        let at = p.1.put(BASE + 64, &request);
        assert_eq!(p.call(n::IOCTL, [s, 0x8914, at]), Err(Errno::NotPermitted), "SIOCSIFFLAGS");
    });
}

#[test]
fn interfaces_through_ioctl() {
    programs(|p| {
        let s = p.bound(7);
        let ask = |p: &mut Program, number: u64, name: &[u8], value: &[u8]| {
            let mut request = [0; 40];
            request[..name.len()].copy_from_slice(name);
            request[16..16 + value.len()].copy_from_slice(value);
            let at = p.1.put(BASE + 64, &request);
            let answer = p.call(n::IOCTL, [s, number, at]);
            answer.map(|_| p.1.at(at, 40).unwrap().to_vec())
        };
        let flags = ask(p, 0x8913, b"lo0", &[]).unwrap();
        assert_eq!(flags[16] & 9, 9, "up, loopback");
        assert_eq!(ask(p, 0x8915, b"lo0", &[]).unwrap()[16..24], sockaddr(0)[..8]);
        assert_eq!(ask(p, 0x891b, b"lo0", &[]).unwrap()[20..24], [255, 0, 0, 0]);
        assert_eq!(ask(p, 0x8933, b"lo0", &[]).unwrap()[16..20], 1_u32.to_ne_bytes());
        assert_eq!(&ask(p, 0x8910, b"", &1_u32.to_ne_bytes()).unwrap()[..4], b"lo0\0");
        assert_eq!(ask(p, 0x8922, b"lo0", &1500_u32.to_ne_bytes()).map(|_| ()), Ok(()));
        assert_eq!(ask(p, 0x8921, b"lo0", &[]).unwrap()[16..20], 1500_u32.to_ne_bytes());
        assert_eq!(ask(p, 0x8922, b"lo0", &[1, 0, 0, 0]), Err(Errno::Invalid));
        // SIOCSIFADDR takes the class's mask, SIOCSIFNETMASK another; what cannot be changes nothing.
        let addr = |a: [u8; 4]| [&sockaddr(0)[..4], &a, &[0; 8]].concat();
        let now = |p: &mut Program| {
            [0x8915, 0x891b].map(|what| ask(p, what, b"lo0", &[]).unwrap()[20..24].to_vec())
        };
        assert!(ask(p, 0x8916, b"lo0", &addr([172, 16, 0, 1])).is_ok());
        assert_eq!(now(p), [[172, 16, 0, 1], [255, 255, 0, 0]]);
        assert!(ask(p, 0x891c, b"lo0", &addr([255, 255, 255, 0])).is_ok());
        assert_eq!(now(p), [[172, 16, 0, 1], [255, 255, 255, 0]]);
        for (what, value) in [(0x8916, [224, 0, 0, 1]), (0x8916, [10, 0, 0, 0]), (0x891c, [0; 4])] {
            assert_eq!(ask(p, what, b"lo0", &addr(value)), Err(Errno::Invalid), "{value:?}");
            assert_eq!(now(p), [[172, 16, 0, 1], [255, 255, 255, 0]]);
        }
        assert_eq!(ask(p, 0x891c, b"lo0", &addr([255, 0, 255, 0])), Err(Errno::Invalid));
        assert_eq!(ask(p, 0x8913, b"lo7", &[]), Err(Errno::NotSuchDevice));
        assert_eq!(ask(p, 0x8913, &[0xff; 16], &[]), Err(Errno::NotSuchDevice));
        assert_eq!(ask(p, 0x89ff, b"lo0", &[]), Err(Errno::NotTerminal));
        assert_eq!(ask(p, 0x5413, b"", &[]), Err(Errno::NotTerminal));
    });
}

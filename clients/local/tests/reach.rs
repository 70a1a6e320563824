//! What ping and traceroute do, through system calls, across a router.

mod support;

use base::syscall::number as n;
use base::{Errno, Kernel};
use local::{ifconfig, route};
use support::program::*;
use support::*;

const ICMP: u64 = 1;
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const ECHO: u8 = 8;
const TIME_EXCEEDED: u8 = 11;

const NEAR: [u8; 4] = [10, 0, 1, 254];
const FAR: [u8; 4] = [10, 0, 2, 1];

/// A program at 10.0.1.1, a router between, and a kernel at 10.0.2.1.
fn across(test: impl Fn(&mut Program)) {
    everywhere(|host| {
        let kernels = [(); 3].map(|()| boot(host));
        let plug = |kernel: &Kernel, name: &str, link: &str, addr: [u8; 4]| {
            ifconfig::create(kernel, name).unwrap();
            ifconfig::linkstr(kernel, name, link).unwrap();
            ifconfig::inet(kernel, name, addr, 24).unwrap();
        };
        let [a, router, b] = &kernels;
        plug(a, "shmif0", "one", [10, 0, 1, 1]);
        plug(router, "shmif0", "one", NEAR);
        plug(router, "shmif1", "two", [10, 0, 2, 254]);
        plug(b, "shmif0", "two", FAR);
        route::add_default(a, NEAR).unwrap();
        route::add_default(b, [10, 0, 2, 254]).unwrap();
        let mut p = Program::new(a);
        test(&mut p);
        drop(p);
        kernels.into_iter().for_each(end);
    });
}

fn open(p: &mut Program, kind: u64, protocol: u64) -> u64 {
    let s = p.call(n::SOCKET, [AF_INET, kind, protocol]).unwrap();
    // SO_RCVTIMEO: a second.
    let at = p.1.put(BASE + 0x100, &[1_u64, 0].map(u64::to_ne_bytes).concat());
    assert_eq!(p.call(n::SETSOCKOPT, [s, 1, 20, at, 16]), Ok(0));
    s
}

/// An option of level IPPROTO_IP.
fn set_ip(p: &mut Program, s: u64, name: u64, value: i32) {
    let at = p.1.put(BASE + 0x100, &value.to_ne_bytes());
    assert_eq!(p.call(n::SETSOCKOPT, [s, 0, name, at, 4]), Ok(0));
}

/// IP_TTL.
fn set_ttl(p: &mut Program, s: u64, ttl: i32) {
    set_ip(p, s, 2, ttl);
}

fn send(p: &mut Program, s: u64, data: &[u8], to: [u8; 4], port: u16) {
    let at = p.1.put(BASE + 0x1000, data);
    let addr = [&sockaddr(port)[..4], &to, &[0; 8]].concat();
    let addr = p.1.put(BASE + 0x200, &addr);
    let sent = p.call(n::SENDTO, [s, at, data.len() as u64, 0, addr, 16]);
    assert_eq!(sent, Ok(data.len() as u64));
}

/// The next message, and who sent it.
fn recv(p: &mut Program, s: u64) -> Result<(Vec<u8>, [u8; 4]), Errno> {
    let (buf, from, len) = (BASE + 0x4000, BASE + 0x300, BASE + 0x340);
    p.1.put(len, &16_u32.to_ne_bytes());
    let got = p.call(n::RECVFROM, [s, buf, 0x4000, 0, from, len])?;
    let sender = p.1.at(from + 4, 4).unwrap().try_into().unwrap();
    Ok((p.1.at(buf, got as usize).unwrap().to_vec(), sender))
}

/// poll(2) for something to read; what there is.
fn poll(p: &mut Program, s: u64, timeout_ms: u64) -> u16 {
    let at = p.1.put(BASE + 0x400, &[&(s as i32).to_ne_bytes()[..], &[1, 0, 0, 0]].concat());
    p.call(n::POLL, [at, 1, timeout_ms]).unwrap();
    u16::from_ne_bytes(p.1.at(at + 6, 2).unwrap().try_into().unwrap())
}

/// An echo request with a right checksum.
fn echo(id: u16, sequence: u16, size: usize) -> Vec<u8> {
    let mut out = vec![ECHO, 0, 0, 0];
    out.extend(id.to_be_bytes());
    out.extend(sequence.to_be_bytes());
    out.extend((0..size).map(|i| i as u8));
    let words = out.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    out[2..4].copy_from_slice(&sum.to_be_bytes());
    out
}

#[test]
fn ping_without_the_superuser() {
    across(|p| {
        let s = open(p, DGRAM, ICMP);
        // -c, -s; larger than the link's MTU, too.
        for (sequence, size) in [(1, 56), (2, 0), (3, 3000)] {
            send(p, s, &echo(0, sequence, size), FAR, 0);
            assert_eq!(poll(p, s, 1000), 1, "an answer");
            let (answer, from) = recv(p, s).unwrap();
            assert_eq!((answer[0], answer.len(), from), (ECHO_REPLY, 8 + size, FAR));
            assert_eq!(answer[6..8], sequence.to_be_bytes());
        }
        // -W: nobody answers.
        assert_eq!(poll(p, s, 10), 0);
        assert_eq!(recv(p, s), Err(Errno::WouldBlock), "after SO_RCVTIMEO");
        // -t: what ICMP says reaches a connected socket as an error.
        set_ttl(p, s, 1);
        let addr = p.1.put(BASE + 0x200, &[&sockaddr(0)[..4], &FAR, &[0; 8]].concat());
        assert_eq!(p.call(n::CONNECT, [s, addr, 16]), Ok(0));
        send(p, s, &echo(0, 9, 56), FAR, 0);
        assert_eq!(poll(p, s, 1000) & 8, 8, "POLLERR");
        assert_eq!(recv(p, s), Err(Errno::HostUnreachable));
    });
}

#[test]
fn ping_that_sees_hops_and_routers() {
    across(|p| {
        let s = open(p, RAW, ICMP);
        send(p, s, &echo(77, 1, 56), FAR, 0);
        assert_eq!(poll(p, s, 1000), 1);
        let (answer, from) = recv(p, s).unwrap();
        let head = usize::from(answer[0] & 15) * 4;
        assert_eq!((from, answer[8], answer.len()), (FAR, 254, head + 64), "one hop less");
        assert_eq!((answer[head], &answer[head + 4..head + 8]), (ECHO_REPLY, &[0, 77, 0, 1][..]));
        set_ttl(p, s, 1);
        send(p, s, &echo(77, 2, 56), FAR, 0);
        let (answer, from) = recv(p, s).unwrap();
        assert_eq!((from, answer[8], answer[head]), (NEAR, 255, TIME_EXCEEDED));
        let quoted = &answer[head + 8..];
        assert_eq!((&quoted[16..20], &quoted[head + 4..head + 8]), (&FAR[..], &[0, 77, 0, 2][..]));
        send(p, s, &echo(77, 3, 56), [10, 0, 1, 1], 0);
        let kinds = [(); 2].map(|()| recv(p, s).unwrap().0[head]);
        assert_eq!(kinds, [ECHO, ECHO_REPLY], "one's own, both ways");
    });
}

#[test]
fn traceroute_by_datagrams_to_ports_that_nobody_has() {
    across(|p| {
        let (udp, icmp) = (open(p, DGRAM, 17), open(p, RAW, ICMP));
        let mut path = Vec::new();
        for ttl in 1..4 {
            let port = 33434 + ttl as u16;
            set_ttl(p, udp, ttl);
            send(p, udp, &[0; 12], FAR, port);
            assert_eq!(poll(p, icmp, 1000), 1);
            let (answer, from) = recv(p, icmp).unwrap();
            let head = usize::from(answer[0] & 15) * 4;
            let quoted = &answer[head + 8..];
            assert_eq!(quoted[head + 2..head + 4], port.to_be_bytes(), "which probe it was");
            path.push((from, answer[head], answer[head + 1]));
            if from == FAR {
                break;
            }
        }
        assert_eq!(path, [(NEAR, TIME_EXCEEDED, 0), (FAR, UNREACHABLE, 3)]);
    });
}

#[test]
fn rfc1122_4_1_4_what_the_program_says_is_in_the_header() {
    across(|p| {
        let (udp, icmp) = (open(p, DGRAM, 17), open(p, RAW, ICMP));
        // IP_TOS; IP_MTU_DISCOVER: never cut. The router quotes what it saw.
        for (tos, discover, flags) in [(0x10, 2, 0x40), (0, 0, 0)] {
            set_ip(p, udp, 1, tos);
            set_ip(p, udp, 10, discover);
            set_ttl(p, udp, 1);
            send(p, udp, &[0; 12], FAR, 33434);
            let (answer, _) = recv(p, icmp).unwrap();
            let head = usize::from(answer[0] & 15) * 4;
            let quoted = &answer[head + 8..];
            assert_eq!((quoted[1], quoted[6], quoted[8]), (tos as u8, flags, 1));
        }
    });
}

//! Any input whatever, as a sequence of frames into a router: the body of the fuzz target `frame`.
//!
//! * [`run`]: takes the bytes of one input; panics if a rule is broken.
//!
//! An input is a list of steps. The first byte of each says what it is, and so decides how much
//! is made right before the frame is sent, since a fuzzer does not guess checksums:
//!
//! | byte modulo 8 | step |
//! |---|---|
//! | 0, 1 | a frame as it is, on the left or right link |
//! | 2, 3 | an IPv4 packet: link header in front, header checksum put right |
//! | 4 | the same on the left, ICMP checksum put right too |
//! | 5 | an ARP packet, link header in front |
//! | 6 | time passes: 100 ms for each unit of the next byte |
//! | 7 | a setting: forwarding, MTU, error limit, an interface down, up, gone, or there again |
//!
//! A frame is preceded by its length in two bytes, the lower first.
//!
//! What must hold: no panic; what comes out is well-formed; memory is bounded all the time, and
//! given back when all is over.
//!
//! Locking: none. Sources: none.

use std::time::Duration;

use net::MacAddr;
use net::ifnet::config;

use crate::crossing::RIGHT_ROUTER;
use crate::wire::{Arp, ICMP, Ip, TYPE_ARP, TYPE_IP, ethernet, fix_checksum, split_ethernet};
use crate::{Crossing, Lab, Station};

/// The longest frame of a step.
const FRAME_MAX: usize = 2048;
/// The most steps of an input.
const STEPS: usize = 200;
/// What the router may hold, whatever comes: reassembly (512 KiB), queues, caches.
const MEMORY: u64 = 4 << 20;

/// The input's bytes, as they are taken off.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = [self.byte().unwrap_or(0), self.byte().unwrap_or(0)];
        let len = usize::from(u16::from_le_bytes(len)) % FRAME_MAX;
        let (data, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        data.to_vec()
    }
}

/// Puts checksums right as far as the lengths make sense.
fn repair(packet: &mut [u8], icmp_too: bool) {
    let header_len = usize::from(packet.first().copied().unwrap_or(0) & 15) * 4;
    if header_len < 20 || packet.len() < header_len {
        return;
    }
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]])).min(packet.len());
    if icmp_too && packet[9] == ICMP && total >= header_len + 8 {
        fix_checksum(&mut packet[header_len..total], 2);
    }
    fix_checksum(&mut packet[..header_len], 10);
}

/// Runs one input.
pub fn run(input: &[u8]) {
    Lab::run(1, |lab| {
        let crossing = Crossing::new(lab);
        let before = crossing.router.account().used();
        let mut input = Input(input);
        for _ in 0..STEPS {
            if step(&crossing, &mut input).is_none() {
                break;
            }
            look_at_what_came_out(&crossing);
            assert!(!crossing.router.is_dead(), "the kernel panicked");
            assert!(crossing.router.account().used() < before + MEMORY, "memory is not bounded");
        }
        lab.pass(Duration::from_secs(60));
        look_at_what_came_out(&crossing);
        let after = crossing.router.account().used();
        assert!(after < before + (256 << 10), "{before} bytes before, {after} when all is over");
    });
}

fn step(c: &Crossing<'_>, input: &mut Input<'_>) -> Option<()> {
    let kind = input.byte()?;
    let (station, name) = if kind % 2 == 0 { (&c.left, "shmif0") } else { (&c.right, "shmif1") };
    let to_router = |station: &Station, ethertype, payload: &[u8]| {
        let mac = c.router.on(name, |_, ifp| ifp.lladdr()).unwrap_or(MacAddr::BROADCAST);
        // Now and then the link brings it to everybody.
        let mac = if kind & 0x80 == 0 { mac } else { MacAddr::BROADCAST };
        station.send(&ethernet(mac, station.mac, ethertype, payload));
    };
    match kind % 8 {
        0 | 1 => station.send(&input.bytes()),
        2..=4 => {
            let mut packet = input.bytes();
            repair(&mut packet, kind % 8 == 4);
            to_router(station, TYPE_IP, &packet);
        }
        5 => to_router(station, TYPE_ARP, &input.bytes()),
        6 => c.lab.pass(Duration::from_millis(100 * u64::from(input.byte()?))),
        _ => setting(c, input.byte()?),
    }
    c.lab.settle();
    Some(())
}

fn setting(c: &Crossing<'_>, how: u8) {
    let value = i64::from(how >> 4);
    let mtu = [68, 69, 100, 296, 576, 1006, 1280, 1500][usize::from(how >> 5)];
    let _ = match how % 7 {
        0 => c.router.sysctl("net.inet.ip.forwarding", value % 2),
        1 => c.router.sysctl("net.inet.icmp.errppslimit", value - 1),
        2 => c.router.enter(|l| config::set_mtu(l, "shmif1", mtu)).unwrap().map_err(Into::into),
        3 => {
            let up = value % 2 == 0;
            c.router.enter(|l| config::set_up(l, "shmif1", up)).unwrap().map_err(Into::into)
        }
        4 => c.router.enter(|l| config::destroy(l, "shmif1")).unwrap().map_err(Into::into),
        5 => c.router.plug("shmif1", "right", (RIGHT_ROUTER, 24)),
        _ => c.router.route([value as u8 * 16, 0, 0, 0], 4, c.right.ip).map_err(Into::into),
    };
}

/// What the router sends is well-formed, whatever it was sent.
fn look_at_what_came_out(c: &Crossing<'_>) {
    for station in [&c.left, &c.right] {
        for frame in station.frames() {
            let (_, src, ethertype, payload) = split_ethernet(&frame).expect("a whole frame");
            assert!(src.is_unicast(), "a group sends nothing");
            match ethertype {
                TYPE_IP => {
                    let ip = Ip::parse(payload).expect("a well-formed packet");
                    assert!(!ip.src.is_multicast() && !ip.src.is_broadcast(), "{ip:?}");
                    assert_eq!(
                        usize::from(u16::from_be_bytes([payload[2], payload[3]])),
                        payload.len()
                    );
                    // What is passed on has lost a hop; what is the router's own has not, and is
                    // right to the last byte.
                    let ours = ip.protocol == ICMP && ip.ttl == 255;
                    assert!(!ours || ip.more || ip.offset != 0 || ip.icmp().is_some(), "{ip:?}");
                }
                TYPE_ARP => _ = Arp::parse(payload).expect("a well-formed packet"),
                other => panic!("an unknown type, {other:#x}"),
            }
        }
    }
}

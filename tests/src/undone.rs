//! Any input, as frames in which a host has left something undone: the body of the fuzz target `undone`.
//!
//! An input is a list of steps, each of which is a frame to a kernel whose bridge joins the host's device
//! and a bus that takes whole frames only:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | bits 0 and 1: as it is, IPv4, TCP, UDP over IPv4; 2: to the station on the bus, or to the kernel; 3: with a tag; 4: what is undone is where it has to be; 5: to be cut; 6: checksum of the IP header as it comes; 7: the host cannot say what it is |
//! | 6 | where what is undone begins, where its checksum is, how long segments are; the lower byte first |
//! | 2 | the length |
//!
//! What must hold: no panic; frames on the bus fit its link, and where one became several they are right;
//! memory is bounded, and given back.
//!
//! Locking: none. Sources: none.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;

use base::Errno;
use net::ifnet::config;
use virtif::host::{Cut, Undone};

use crate::cable::{Cable, Cables};
use crate::wire::{Ip, TCP, TYPE_IP, UDP, fix_checksum};
use crate::{Lab, Node, Station};

/// The longest frame of a step; each of its bytes stands for eight.
const FRAME_MAX: usize = 8192;
/// The most steps of an input.
const STEPS: usize = 100;
/// What the kernel may hold, whatever comes.
const MEMORY: u64 = 4 << 20;
/// The longest frame of the bus: a packet, a header and a tag.
const LONGEST: usize = 1500 + 14 + 4;

const HERE: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 1);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);

/// The input's bytes, as they are taken off; zeros at its end.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn number(&mut self) -> u16 {
        let (two, rest) = self.0.split_at(self.0.len().min(2));
        self.0 = rest;
        u16::from_le_bytes([two.first().copied().unwrap_or(0), two.get(1).copied().unwrap_or(0)])
    }

    fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.number()) % (FRAME_MAX / 8);
        let (data, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        data
    }
}

/// A kernel between the host and a bus.
struct Bridge {
    node: Node,
    end: std::sync::Arc<Cable>,
    station: Station,
}

impl Bridge {
    fn new(lab: &Lab) -> Bridge {
        let cables = Cables::give(lab.sim(), true);
        let (node, station) = (lab.hosted("node"), Station::new(lab, "bus", THERE));
        let made = node.enter(|l| {
            for (name, linkstr) in [("virt0", "tap0"), ("shmif0", "bus")] {
                config::create(l, name)?;
                config::set_linkstr(l, name, linkstr)?;
                config::set_up(l, name, true)?;
            }
            config::find(l, "shmif0")?.set_unfinished_max(0);
            config::create(l, "bridge0")?;
            bridge::add(l, "bridge0", "virt0")?;
            bridge::add(l, "bridge0", "shmif0")?;
            config::set_up(l, "bridge0", true)?;
            Ok::<_, Errno>(config::add_addr(l, "bridge0", HERE.into(), 24)?)
        });
        made.unwrap().unwrap();
        lab.settle();
        station.frames();
        Bridge { node, end: cables.end("tap0"), station }
    }

    fn step(&self, kind: u8, input: &mut Input<'_>) {
        let [mut start, mut field, size] = [(); 3].map(|()| input.number());
        // Long enough for several segments, out of few bytes of input.
        let mut payload: Vec<u8> = input.bytes().to_vec();
        let tail: Vec<u8> = payload.iter().rev().flat_map(|byte| [*byte; 7]).collect();
        payload.extend(tail);
        let protocol = [0, 0, TCP, UDP][usize::from(kind % 4)];
        repair(&mut payload, kind, protocol);
        let dst = if kind & 4 == 0 { self.station.mac } else { self.node.mac("bridge0") };
        let mut frame = [&dst.0[..], &[2, 7, 7, 7, 7, 7]].concat();
        if kind & 8 != 0 {
            frame.extend([0x81, 0, 0, 7]);
        }
        frame.extend(TYPE_IP.to_be_bytes());
        if kind & 16 == 0 {
            let header = payload.first().map_or(0, |first| u16::from(first & 15) * 4);
            (start, field) = (frame.len() as u16 + header, if protocol == UDP { 6 } else { 16 });
        }
        frame.extend(payload);
        if kind & 128 != 0 {
            return self.end.nonsense(&self.node);
        }
        let size = NonZeroU16::new(if kind & 32 == 0 { 0 } else { size });
        let cut = size.map(|size| Cut { size, headers: 0, reduced: false });
        self.end.send(&self.node, &frame, Some(Undone { start, field, cut }));
    }

    /// Whether it is several frames.
    fn look_at_what_came_out(&self) -> bool {
        self.end.taken();
        let frames = self.station.frames();
        for frame in &frames {
            assert!((14..=LONGEST).contains(&frame.len()), "{} bytes", frame.len());
            let at = if frame[12..14] == [0x81, 0] { 18 } else { 14 };
            if let (true, Some(ip)) = (frames.len() > 1, frame.get(at..).and_then(Ip::parse))
                && ip.protocol == TCP
            {
                assert!(ip.transport_is_sound(), "one of several: {ip:?}");
            }
        }
        frames.len() > 1
    }
}

/// Makes a packet one of IPv4, as far as is asked for.
fn repair(packet: &mut [u8], kind: u8, protocol: u8) {
    if kind.is_multiple_of(4) || packet.len() < 60 {
        return;
    }
    let len = (packet.len() as u16).to_be_bytes();
    packet[0] = 0x40 | (packet[0] & 15).max(5);
    packet[2..4].copy_from_slice(&len);
    packet[6..8].fill(0);
    let header_len = usize::from(packet[0] & 15) * 4;
    if protocol != 0 {
        packet[9] = protocol;
        packet[12..16].copy_from_slice(&HERE.octets());
        packet[16..20].copy_from_slice(&THERE.octets());
    }
    if kind & 64 == 0 {
        fix_checksum(&mut packet[..header_len], 10);
    }
}

/// Runs one input; says how many frames became several.
///
/// # Panics
/// If a rule is broken.
pub fn run(input: &[u8]) -> usize {
    Lab::run(1, |lab| {
        let bridge = Bridge::new(lab);
        let before = bridge.node.account().used();
        let (mut input, mut cut) = (Input(input), 0);
        for _ in 0..STEPS {
            let Some((kind, rest)) = input.0.split_first() else { break };
            input.0 = rest;
            bridge.step(*kind, &mut input);
            lab.settle();
            cut += usize::from(bridge.look_at_what_came_out());
            assert!(!bridge.node.is_dead(), "the kernel panicked");
            assert!(bridge.node.account().used() < before + MEMORY, "memory is not bounded");
        }
        lab.pass(std::time::Duration::from_secs(60));
        let after = bridge.node.account().used();
        assert!(after < before + (256 << 10), "{before} bytes before, {after} when all is over");
        cut
    })
}

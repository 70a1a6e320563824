//! A few thousand mutated inputs for the fuzz targets `frame`, `undone`, `bus`, `message` and `dhcp`, the same every time, so that
//! the paths from the wire and from a bus file are tried without the fuzzer too. The fuzzer itself: `cargo xtask fuzz`.

use std::net::Ipv4Addr;

use net::MacAddr;
use tests::crossing::{LEFT, LEFT_ROUTER, RIGHT, RIGHT_ROUTER};
use tests::random::Random;
use tests::wire::{Arp, ICMP, Icmp, Ip, TYPE_IP, UDP, ethernet};
use tests::{frames, lending, messages, scribble, undone};

/// Well-formed payloads to spoil.
fn templates() -> Vec<(u8, Vec<u8>)> {
    let mac = MacAddr([2, 0, 0, 0, 0, 1]);
    let echo = Ip::echo(LEFT, RIGHT, 1, &[5; 200]);
    let to_us = Ip { dst: LEFT_ROUTER, ..echo.clone() };
    let quote = Ip::new(LEFT_ROUTER, LEFT, UDP, vec![0; 8]).bytes();
    let error = Icmp { kind: 3, code: 4, word: [0, 0, 2, 0], data: quote }.bytes();
    let options = vec![7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let stamps = vec![68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let ips = [
        echo.clone(),
        to_us.clone(),
        Ip { ttl: 1, ..echo.clone() },
        Ip { options, ..echo.clone() },
        Ip { options: stamps, ..to_us.clone() },
        Ip { more: true, payload: vec![1; 64], ..to_us.clone() },
        Ip { offset: 64, payload: vec![2; 64], ..to_us.clone() },
        Ip { dst: Ipv4Addr::BROADCAST, ..to_us.clone() },
        Ip { dst: [10, 0, 2, 255].into(), ..echo.clone() },
        Ip { dont_fragment: true, ..echo.clone() },
        Ip::new(LEFT, LEFT_ROUTER, ICMP, error),
        Ip::new(LEFT, LEFT_ROUTER, UDP, vec![3, 232, 0, 9, 0, 12, 0, 0, 1, 2, 3, 4]),
        Ip::new(LEFT, LEFT_ROUTER, 99, vec![0; 30]),
        Ip { dst: [10, 0, 2, 77].into(), ..echo },
    ];
    let mut all: Vec<(u8, Vec<u8>)> = Vec::new();
    for ip in ips {
        all.push((0, ethernet(mac, mac, TYPE_IP, &ip.bytes())));
        all.extend([2, 3, 4, 0x82].map(|kind| (kind, ip.bytes())));
    }
    for op in [1, 2] {
        for (ip, target) in [(RIGHT, RIGHT_ROUTER), (RIGHT_ROUTER, RIGHT_ROUTER)] {
            all.push((5, Arp { op, sender: (mac, ip), target: (mac, target) }.bytes()));
        }
    }
    all
}

fn spoil(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 if !bytes.is_empty() => bytes[at] = random.byte(),
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 => bytes.resize(bytes.len() + random.below(1500), random.byte()),
            // Mostly in the headers.
            _ if !bytes.is_empty() => {
                let at = random.below(bytes.len().min(40));
                bytes[at] = random.pick(&[0, 1, 4, 0x45, 0x4f, 0x7f, 0x80, 0xff]);
            }
            _ => {}
        }
    }
}

fn input(random: &mut Random, templates: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut input = Vec::new();
    for _ in 0..1 + random.below(12) {
        if random.one_in(6) {
            input.extend([6 + random.below(2) as u8, random.byte()]);
            continue;
        }
        let (kind, mut bytes) = templates[random.below(templates.len())].clone();
        spoil(random, &mut bytes);
        input.push(kind);
        input.extend((bytes.len().min(2047) as u16).to_le_bytes());
        input.extend(&bytes[..bytes.len().min(2047)]);
    }
    input
}

#[test]
fn spoilt_frames() {
    let (mut random, templates) = (Random::new(20), templates());
    for _ in 0..3000 {
        frames::run(&input(&mut random, &templates));
    }
}

#[test]
fn noise() {
    let mut random = Random::new(21);
    for _ in 0..1000 {
        let input: Vec<u8> = (0..random.below(400)).map(|_| random.byte()).collect();
        frames::run(&input);
    }
}

#[test]
fn messages_of_hostile_clients() {
    let mut random = Random::new(23);
    for _ in 0..2000 {
        let len = random.below(600);
        // Steps that are calls, mostly.
        let byte = |random: &mut Random| random.byte() & random.pick(&[0xff, 0x3f, 15]);
        let input: Vec<u8> = (0..len).map(|_| byte(&mut random)).collect();
        messages::run(&input);
    }
}

/// A message of a server, of this kind.
fn lending_message(random: &mut Random, kind: u8) -> Vec<u8> {
    let mut bytes = vec![0; 240];
    bytes[16..20].copy_from_slice(&[10, 0, 0, random.byte()]);
    let number = [0, 0, random.byte() & 15, random.byte()];
    for (code, value) in [
        (53, &[kind][..]),
        (54, &[10, 0, 0, 1]),
        (1, &[255, 255, random.pick(&[255, 0, 240, 15]), 0]),
        (3, &[10, 0, 0, 1, 10, 0, 0, 2]),
        (6, &[9, 9, 9, 9]),
        (51, &number),
        (58, &[0, 0, 0, random.byte()]),
    ] {
        bytes.extend([code, value.len() as u8]);
        bytes.extend(value);
    }
    bytes.push(255);
    bytes
}

#[test]
fn what_dhcp_servers_say() {
    let mut random = Random::new(24);
    for _ in 0..5000 {
        let mut input = vec![7, 0];
        for _ in 0..random.below(40) {
            match random.below(4) {
                0 => input.extend([5 + random.below(3) as u8, random.byte()]),
                1 => input.extend([6, 6]),
                _ => {
                    let kind = random.pick(&[2, 2, 5, 5, 5, 6, 1]);
                    let mut bytes = lending_message(&mut random, kind);
                    if random.one_in(3) {
                        spoil(&mut random, &mut bytes);
                    }
                    bytes.truncate(1499);
                    input.push(random.below(5) as u8);
                    input.extend((bytes.len() as u16).to_le_bytes());
                    input.extend(bytes);
                }
            }
        }
        lending::run(&input);
    }
}

#[test]
fn frames_that_a_host_has_left_undone() {
    let mut random = Random::new(25);
    let (mut cut, numbers) = (0, [0, 6, 8, 16, 34, 38, 54, 536, 1000, 1448, 1480, 1500, 9000]);
    for _ in 0..2000 {
        let mut input = Vec::new();
        for _ in 0..1 + random.below(8) {
            input.push(random.byte() & random.pick(&[0xff, 0x7f, 0x2e, 0x26]));
            for _ in 0..3 {
                let number =
                    if random.one_in(4) { random.number() as u16 } else { random.pick(&numbers) };
                input.extend(number.to_le_bytes());
            }
            let len = random.below(1000);
            input.extend((len as u16).to_le_bytes());
            // Mostly headers without options; a TCP header says its length.
            let start = input.len();
            input.extend((0..len).map(|_| random.byte()));
            for (at, byte) in [(0, 0x45), (32, 0x50)] {
                if let (Some(to), false) = (input.get_mut(start + at), random.one_in(4)) {
                    *to = byte;
                }
            }
        }
        cut += undone::run(&input);
    }
    assert!(cut > 200, "{cut} frames became several");
}

#[test]
fn scribbles_over_a_bus_file() {
    let mut random = Random::new(22);
    for _ in 0..300 {
        let steps = 12 * (1 + random.below(60));
        // Small numbers are near misses.
        let byte = |random: &mut Random| random.byte() & random.pick(&[0xff, 0xff, 7, 0]);
        let input: Vec<u8> = (0..steps).map(|_| byte(&mut random)).collect();
        scribble::run(&input);
    }
}

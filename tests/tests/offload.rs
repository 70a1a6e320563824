//! What a host leaves undone in frames, and what is left to it: where that goes, what is refused, and what
//! becomes of it when memory is short. Against Linux: `host_offload.rs`.

use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::sync::Arc;

use base::Errno;
use local::UdpSocket;
use local::ifconfig::{self, Character, Probability};
use net::MacAddr;
use net::ifnet::config;
use tests::cable::{Cable, Cables};
use tests::wire::{Ip, TCP, TYPE_IP, UDP, ethernet, split_ethernet};
use tests::{Lab, Node, Station};
use virtif::host::{Cut, Undone};

const US: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 1);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 7, 0, 2);
const HOST_MAC: MacAddr = MacAddr([2, 7, 7, 7, 7, 7]);

/// A kernel with `virt0` on the device `tap0`, whose other end is the test's.
fn uplink(lab: &Lab, can_leave_undone: bool) -> (Node, Arc<Cable>) {
    let cables = Cables::give(lab.sim(), can_leave_undone);
    let node = lab.hosted("node");
    let made = node.enter(|l| {
        config::create(l, "virt0")?;
        config::add_addr(l, "virt0", US.into(), 24)
    });
    made.unwrap().unwrap();
    lab.settle();
    let end = cables.end("tap0");
    end.taken();
    (node, end)
}

fn undone(start: u16, field: u16, size: u16) -> Undone {
    let cut = NonZeroU16::new(size).map(|size| Cut { size, headers: 54, reduced: false });
    Undone { start, field, cut }
}

fn data(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ i >> 8) as u8).collect()
}

/// A datagram, its checksum not filled in.
fn datagram(src: Ipv4Addr, dst: Ipv4Addr, data: &[u8]) -> Ip {
    let len = (8 + data.len()) as u16;
    let header = [&[0, 9, 0, 7][..], &len.to_be_bytes(), &[0xde, 0xad]].concat();
    Ip::new(src, dst, UDP, [&header[..], data].concat())
}

/// A TCP segment with `len` bytes of data, likewise; it ends with FIN, and the window was reduced.
fn segment(src: Ipv4Addr, dst: Ipv4Addr, len: usize) -> Ip {
    let header = [0, 9, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x99, 1, 0, 0xde, 0xad, 0, 0];
    Ip { dont_fragment: true, ..Ip::new(src, dst, TCP, [&header[..], &data(len)].concat()) }
}

/// The segments of `size` bytes of data that `whole` is cut into, by code that is not the kernel's.
fn cut(whole: &Ip, size: usize) -> Vec<Ip> {
    let (header, data) = whole.payload.split_at(20);
    let count = data.len().div_ceil(size);
    let part = |(n, data): (usize, &[u8])| {
        let mut header = header.to_vec();
        header[4..8].copy_from_slice(&(1 + (n * size) as u32).to_be_bytes());
        if n > 0 {
            header[13] &= !0x80;
        }
        if n + 1 < count {
            header[13] &= !0x09;
        }
        let id = whole.id + n as u16;
        let mut ip = Ip { id, payload: [&header[..], data].concat(), ..whole.clone() };
        ip.fix_transport();
        ip
    };
    data.chunks(size).enumerate().map(part).collect()
}

/// Tells the kernel who has the address of the host, which it asks for when it has something to send.
fn introduce(lab: &Lab, node: &Node, end: &Cable) {
    let arp = tests::wire::Arp { op: 1, sender: (HOST_MAC, HOST), target: (MacAddr::ZERO, US) };
    let frame = ethernet(MacAddr::BROADCAST, HOST_MAC, tests::wire::TYPE_ARP, &arp.bytes());
    end.send(node, &frame, None);
    lab.settle();
    assert_eq!(end.taken().len(), 1, "an answer");
}

#[test]
fn what_is_sent_is_left_to_a_host_that_can_and_done_for_one_that_cannot() {
    for can in [true, false] {
        Lab::run(1, |lab| {
            let (node, end) = uplink(lab, can);
            introduce(lab, &node, &end);
            assert_eq!(end.leaves_undone(), can);
            let socket = UdpSocket::bind(&node, (US, 9)).unwrap();
            socket.send_to(&data(1000), (HOST, 7)).unwrap();
            let [(frame, told)] = &end.taken()[..] else { panic!("one frame") };
            assert_eq!(*told, can.then_some(undone(34, 6, 0)));
            let mut ip = Ip::parse(&frame[14..]).unwrap();
            assert_eq!(ip.transport_is_sound(), !can);
            ip.fix_transport();
            assert!(ip.payload.ends_with(&data(1000)));
            // One that is cut has a checksum before.
            socket.send_to(&data(3000), (HOST, 7)).unwrap();
            let fragments = end.taken();
            assert!(fragments.len() == 3 && fragments.iter().all(|(_, told)| told.is_none()));
        });
    }
}

#[test]
fn what_comes_is_taken_as_it_is_meant() {
    Lab::run(1, |lab| {
        let (node, end) = uplink(lab, true);
        let mac = node.mac("virt0");
        let socket = UdpSocket::bind(&node, (US, 7)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let whole = |ip: &Ip| ethernet(mac, HOST_MAC, TYPE_IP, &ip.bytes());
        let mut buf = [0; 2000];
        // Not filled in, as the host says; and filled in.
        let mut ip = datagram(HOST, US, &data(1000));
        end.send(&node, &whole(&ip), Some(undone(34, 6, 0)));
        lab.settle();
        assert_eq!(socket.recv(&mut buf).unwrap(), 1000);
        ip.fix_transport();
        end.send(&node, &whole(&ip), None);
        lab.settle();
        assert_eq!(socket.recv(&mut buf).unwrap(), 1000);
        // Of one that is wrong it says nothing.
        ip.payload[500] ^= 1;
        end.send(&node, &whole(&ip), None);
        lab.settle();
        assert!(socket.recv(&mut buf).is_err());
        assert_eq!(node.counter("udp", "bad_checksum"), 1);
        // And what makes no sense is dropped.
        let errors = || node.on("virt0", |_, i| i.counters.ierrors.get()).unwrap();
        let before = errors();
        for nonsense in
            [undone(0, 0, 0), undone(34, 1200, 0), undone(34, 6, 1000), undone(34, 16, 4)]
        {
            end.send(&node, &whole(&ip), Some(nonsense));
        }
        end.nonsense(&node);
        end.send(&node, &vec![0; 70_000], None);
        lab.settle();
        assert_eq!(errors(), before + 6);
        let long = segment(HOST, US, 40_000);
        end.send(&node, &whole(&long), Some(undone(34, 16, 1480)));
        lab.settle();
        assert_eq!(errors(), before + 7, "each of its segments is longer than the link");
        end.send(&node, &whole(&long), Some(undone(34, 16, 1400)));
        lab.settle();
        assert_eq!((errors(), node.counter("tcp", "no_port")), (before + 7, 1));
    });
}

/// The kernel's bridge joins the device and a bus that takes whole frames only, with a station on it.
fn bridged(lab: &Lab) -> (Node, Arc<Cable>, Station) {
    let (node, end) = uplink(lab, true);
    let station = Station::new(lab, "bus", HOST);
    let made = node.enter(|l| {
        config::create(l, "bridge0")?;
        config::create(l, "shmif0")?;
        config::set_linkstr(l, "shmif0", "bus")?;
        config::find(l, "shmif0")?.set_unfinished_max(0);
        for name in ["virt0", "shmif0"] {
            config::set_up(l, name, true)?;
            bridge::add(l, "bridge0", name)?;
        }
        config::set_up(l, "bridge0", true)?;
        Ok::<_, Errno>(())
    });
    made.unwrap().unwrap();
    lab.settle();
    (node, end, station)
}

#[test]
fn a_long_segment_of_the_host_is_cut_where_it_must_be() {
    Lab::run(1, |lab| {
        let (node, end, station) = bridged(lab);
        for (len, size) in [(40_000, 1448), (1448, 1448), (2896, 1448), (60_000, 536)] {
            let whole = segment(US, HOST, len);
            let frame = ethernet(station.mac, HOST_MAC, TYPE_IP, &whole.bytes());
            station.frames();
            end.send(&node, &frame, Some(undone(34, 16, size)));
            lab.settle();
            let expected = cut(&whole, size.into());
            assert!(station.ips() == expected, "{len} bytes in segments of {size}");
        }
    });
}

#[test]
fn tags_are_in_front_of_what_is_undone() {
    Lab::run(1, |lab| {
        let (node, end, station) = bridged(lab);
        // By the bridge: with its tag onto the bus.
        let whole = segment(US, HOST, 10_000);
        let tagged = |ip: &Ip| [&[0, 7, 8, 0][..], &ip.bytes()].concat();
        let frame = ethernet(station.mac, HOST_MAC, 0x8100, &tagged(&whole));
        station.frames();
        end.send(&node, &frame, Some(undone(38, 16, 1000)));
        lab.settle();
        let frames: Vec<Vec<u8>> =
            station.frames().iter().map(|f| split_ethernet(f).unwrap().3.to_vec()).collect();
        assert!(frames == cut(&whole, 1000).iter().map(tagged).collect::<Vec<_>>());

        // And to an interface of the virtual network, and from it.
        let on_vlan = node.enter(|l| {
            bridge::remove(l, "bridge0", "virt0")?;
            config::create(l, "vlan0")?;
            vlan::set(l, "vlan0", "virt0", 7)?;
            Ok::<_, Errno>(config::add_addr(l, "vlan0", [10, 8, 0, 1].into(), 24)?)
        });
        on_vlan.unwrap().unwrap();
        let (us, them) = (Ipv4Addr::new(10, 8, 0, 1), Ipv4Addr::new(10, 8, 0, 255));
        let socket = UdpSocket::bind(&node, "0.0.0.0:7").unwrap();
        let ip = datagram(Ipv4Addr::new(10, 8, 0, 2), us, &data(100));
        let frame = ethernet(node.mac("vlan0"), HOST_MAC, 0x8100, &tagged(&ip));
        end.send(&node, &frame, Some(undone(38, 6, 0)));
        lab.settle();
        assert_eq!(socket.recv(&mut [0; 200]).unwrap(), 100);
        end.taken();
        socket.set_broadcast(true).unwrap();
        socket.send_to(&data(100), (them, 9)).unwrap();
        let [(frame, told)] = &end.taken()[..] else { panic!("one frame") };
        assert_eq!((&frame[12..16], *told), (&[0x81, 0, 0, 7][..], Some(undone(38, 6, 0))));
    });
}

/// A link deals with packets as on a wire.
#[test]
fn a_link_with_character_spoils_what_is_finished() {
    Lab::run(1, |lab| {
        let (node, end) = uplink(lab, true);
        introduce(lab, &node, &end);
        let corrupt = Character { corrupt: Probability::ALWAYS, ..Character::default() };
        ifconfig::character(&node, "virt0", corrupt).unwrap();
        let socket = UdpSocket::bind(&node, (US, 9)).unwrap();
        for _ in 0..100 {
            socket.send_to(&data(1000), (HOST, 7)).unwrap();
            lab.settle();
            let [(frame, None)] = &end.taken()[..] else { panic!("one frame, and whole") };
            // With one bit turned over: in the IP header that is seen, too.
            assert!(Ip::parse(&frame[14..]).is_none_or(|ip| !ip.transport_is_sound()));
        }
        let counts = ifconfig::list(&node).unwrap().into_iter().find(|i| i.name == "virt0");
        assert_eq!(counts.unwrap().status.counts.corrupted, 100);
    });
}

#[test]
fn a_kernel_that_is_short_of_memory_has_whole_frames() {
    let (mut whole, mut refused) = (0, 0);
    for n in 1..200 {
        let was_refused = Lab::run(n, |lab| {
            let cables = Cables::give(lab.sim(), true);
            let (node, faults) = (lab.hosted("node"), lab.sim().faults());
            faults.refuse_nth_charge(n);
            let made = node.enter(|l| config::create(l, "virt0").map(|_| ())).unwrap();
            let was_refused = faults.refused() > 0;
            faults.clear();
            assert!(was_refused || made.is_ok());
            let end = cables.end("tap0");
            match made {
                Err(_) => refused += 1,
                Ok(()) if !end.leaves_undone() => {
                    whole += 1;
                    let inet = |l: &mut base::Lwp<'_>| config::add_addr(l, "virt0", US.into(), 24);
                    node.enter(inet).unwrap().unwrap();
                    lab.settle();
                    end.taken();
                    introduce(lab, &node, &end);
                    let socket = UdpSocket::bind(&node, (US, 9)).unwrap();
                    socket.send_to(&data(1000), (HOST, 7)).unwrap();
                    let [(frame, None)] = &end.taken()[..] else { panic!("one frame, and whole") };
                    assert!(Ip::parse(&frame[14..]).unwrap().transport_is_sound());
                }
                Ok(()) => {}
            }
            was_refused
        });
        if !was_refused {
            assert!(whole > 0 && refused > 3, "{whole} of {n} charges, {refused} errors");
            return;
        }
    }
    panic!("is there no end to the charges?");
}

/// While a long segment is taken over, cut and passed on, each charge in turn is refused.
#[test]
fn whatever_is_refused_the_next_one_is_passed_on() {
    for to_the_end in [false, true] {
        let done = (1..500).find(|n| {
            Lab::run(*n, |lab| {
                let (node, end, station) = bridged(lab);
                let whole = segment(US, HOST, 10_000);
                let frame = ethernet(station.mac, HOST_MAC, TYPE_IP, &whole.bytes());
                let faults = lab.sim().faults();
                match to_the_end {
                    true => faults.refuse_from(*n),
                    false => faults.refuse_nth_charge(*n),
                }
                end.send(&node, &frame, Some(undone(34, 16, 1000)));
                lab.settle();
                let refused = faults.refused();
                faults.clear();
                let came = station.ips();
                let expected = cut(&whole, 1000);
                assert!(came.iter().all(|ip| expected.contains(ip)), "some of them, and right");
                end.send(&node, &frame, Some(undone(34, 16, 1000)));
                lab.settle();
                assert!(station.ips() == expected);
                refused == 0
            })
        });
        assert!(done.is_some_and(|n| n > 20), "{done:?} charges");
    }
}

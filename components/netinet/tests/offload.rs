//! What IPv4 leaves undone in its packets, told to a host that does it, and taken over from one.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

use net::ethernet::wire::EtherType;
use net::mbuf::Flags;
use net::offload::{self, Cut, Undone, adopt, explain};
use net::{IfError, Packet};
use netinet::checksum::{Sum, pseudo};
use netinet::wire::ipv4::{Ipv4Header, protocol};
use netinet::wire::udp::UdpHeader;
use proptest::prelude::*;
use zerocopy::IntoBytes;

use core::net::Ipv4Addr;
use core::num::NonZeroU16;

base::kernel!(BARE = [net, netinet]);

const FROM: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const TO: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn inside(f: impl FnOnce(&base::Cx<'_>)) {
    let kernel = base::Kernel::boot(sim::Sim::seeded(1), &BARE).unwrap();
    let before = kernel.account().used();
    kernel.enter(|l| f(l)).unwrap();
    assert_eq!(kernel.account().used(), before, "a frame left something charged");
}

/// A frame behind `tags` tags, with `options` bytes of IP options and of TCP options, and `len` of data.
#[derive(Clone, Copy, Debug)]
struct Frame {
    tags: usize,
    options: usize,
    is_tcp: bool,
    len: usize,
    cwr: bool,
}

const TCP: Frame = Frame { tags: 0, options: 0, is_tcp: true, len: 4000, cwr: false };
const UDP: Frame = Frame { is_tcp: false, ..TCP };

impl Frame {
    /// Where the IP header begins, and what is in it.
    fn ip(&self) -> usize {
        14 + 4 * self.tags
    }

    fn transport(&self) -> usize {
        self.ip() + 20 + self.options
    }

    fn headers(&self) -> usize {
        self.transport() + if self.is_tcp { 20 + self.options } else { 8 }
    }

    fn field(&self) -> usize {
        if self.is_tcp { 16 } else { 6 }
    }

    fn protocol(&self) -> u8 {
        if self.is_tcp { protocol::TCP } else { protocol::UDP }
    }

    /// Its bytes, the checksum not filled in.
    fn bytes(&self) -> Vec<u8> {
        let mut frame = vec![0xee; 12];
        for _ in 0..self.tags {
            frame.extend([0x81, 0, 0, 7]);
        }
        frame.extend(EtherType::IPV4.0.to_be_bytes());
        let total = self.headers() - self.ip() + self.len;
        let mut ip = Ipv4Header::new(FROM, TO, self.protocol(), 64, total as u16);
        ip.set_options_len(self.options);
        let options = vec![1; self.options];
        ip.set_checksum(&options);
        frame.extend(ip.as_bytes());
        frame.extend(&options);
        if self.is_tcp {
            let control = if self.cwr { 0x90 } else { 0x10 };
            let offset = (((20 + self.options) / 4) << 4) as u8;
            frame.extend([0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, offset, control, 1, 0, 0, 0, 0, 0]);
            frame.extend(&options);
        } else {
            frame.extend(UdpHeader::new(1, 2, self.len).unwrap().as_bytes());
        }
        frame.extend((0..self.len).map(|i| (i ^ i >> 8) as u8));
        frame
    }

    fn packet(&self, cx: &base::Cx<'_>, size: u16) -> Packet {
        let mut packet = Packet::from_slice(cx, &self.bytes()).unwrap();
        packet.leave_unfinished(size);
        packet
    }

    /// What a host is told that does nothing but the checksum.
    fn undone(&self) -> Undone {
        Undone { start: self.transport() as u16, field: self.field() as u16, cut: None }
    }

    /// The same of segments with `size` bytes of data.
    fn segments(&self, size: u16) -> Undone {
        let (size, headers) = (NonZeroU16::new(size).unwrap(), self.headers() as u16);
        Undone { cut: Some(Cut { size, headers, reduced: self.cwr }), ..self.undone() }
    }
}

fn bytes(packet: &Packet) -> Vec<u8> {
    packet.segments().flatten().copied().collect()
}

/// What a host does that knows nothing of IPv4.
fn done(mut frame: Vec<u8>, undone: &Undone) -> Vec<u8> {
    let (start, field) = (usize::from(undone.start), usize::from(undone.field));
    let sum = Sum::of(&frame[start..]).checksum();
    frame[start + field..start + field + 2].copy_from_slice(&sum.to_be_bytes());
    frame
}

fn is_right(frame: &Frame, bytes: &[u8]) -> bool {
    let (payload, len) = (&bytes[frame.transport()..], bytes.len() - frame.transport());
    let mut sum = pseudo(FROM, TO, frame.protocol(), len as u16);
    sum.append(Sum::of(payload));
    sum.is_valid()
}

const SHAPES: [Frame; 6] = [
    TCP,
    Frame { tags: 1, cwr: true, ..TCP },
    Frame { tags: 2, options: 40, ..TCP },
    Frame { len: 0, ..TCP },
    UDP,
    Frame { tags: 1, options: 8, len: 1001, ..UDP },
];

#[test]
fn a_host_that_is_told_fills_in_the_right_checksum() {
    inside(|cx| {
        for frame in SHAPES {
            let mut packet = frame.packet(cx, 0);
            let told = explain(cx, &mut packet).unwrap();
            assert_eq!(told, frame.undone(), "{frame:?}");
            assert!(is_right(&frame, &done(bytes(&packet), &told)), "{frame:?}");
        }
    });
}

#[test]
fn a_host_is_told_how_to_cut() {
    inside(|cx| {
        for frame in SHAPES.iter().filter(|frame| frame.is_tcp && frame.len > 0) {
            for (size, is_cut) in [(1000, true), (3999, true), (4000, false), (9000, false)] {
                let mut packet = frame.packet(cx, size);
                let expected = if is_cut { frame.segments(size) } else { frame.undone() };
                assert_eq!(explain(cx, &mut packet), Some(expected), "{frame:?}, {size}");
                let longest = frame.headers() + usize::from(size).min(4000);
                assert_eq!(offload::longest(cx, &mut packet), longest);
                assert_eq!(expected.cut.map_or(longest, |cut| cut.longest()), longest);
            }
        }
        assert_eq!(explain(cx, &mut UDP.packet(cx, 1000)), None, "that is no segment of TCP");
    });
}

#[test]
fn what_a_host_leaves_undone_stays_so_where_it_would_be_ours() {
    inside(|cx| {
        for frame in SHAPES {
            let packet = adopt(cx, &mut frame.bytes(), &frame.undone()).unwrap();
            assert_eq!(packet.unfinished(), Flags::CSUM_BLANK, "{frame:?}");
            assert_eq!((packet.gso_size(), bytes(&packet)), (0, frame.bytes()));
        }
        for size in [offload::SEGMENT_MIN, 1448, 4000, u16::MAX] {
            let packet = adopt(cx, &mut TCP.bytes(), &TCP.segments(size)).unwrap();
            assert_eq!((packet.unfinished(), packet.gso_size()), (Flags::CSUM_BLANK, size));
        }
    });
}

#[test]
fn what_is_not_as_ipv4_has_it_is_filled_in() {
    inside(|cx| {
        let padded = |frame: &Frame| [frame.bytes(), vec![0; 4]].concat();
        let fragment = |at: usize| {
            let mut bytes = UDP.bytes();
            bytes[20 + at] |= if at == 0 { 0x20 } else { 1 };
            bytes
        };
        let mut other_length = UDP.bytes();
        other_length[UDP.transport() + 5] -= 1;
        let mut other_protocol = UDP.bytes();
        other_protocol[23] = 136;
        for mut bytes in
            [padded(&TCP), padded(&UDP), fragment(0), fragment(1), other_length, other_protocol]
        {
            let undone = UDP.undone();
            let expected = done(bytes.clone(), &undone);
            let packet = adopt(cx, &mut bytes, &undone).unwrap();
            assert!(packet.unfinished().is_empty());
            assert!(self::bytes(&packet) == expected);
        }
        // The inner one of two.
        let undone = Undone { start: 80, ..UDP.undone() };
        let packet = adopt(cx, &mut UDP.bytes(), &undone).unwrap();
        assert!(packet.unfinished().is_empty());
    });
}

#[test]
fn segments_that_cannot_be_are_refused() {
    inside(|cx| {
        let padded = [TCP.bytes(), vec![0; 4]].concat();
        let mut no_header = TCP.bytes();
        no_header[TCP.transport() + 12] = 0x40;
        for (mut bytes, undone, what) in [
            (TCP.bytes(), TCP.segments(offload::SEGMENT_MIN - 1), "tiny"),
            (TCP.bytes(), Undone { field: 6, ..TCP.segments(1448) }, "a checksum elsewhere"),
            (TCP.bytes(), Undone { start: 38, ..TCP.segments(1448) }, "a header elsewhere"),
            (UDP.bytes(), UDP.segments(1448), "of UDP"),
            (padded, TCP.segments(1448), "longer than the packet says"),
            (no_header, TCP.segments(1448), "a header that cannot be"),
            (TCP.bytes()[..60].to_vec(), TCP.segments(1448), "not whole"),
        ] {
            assert_eq!(adopt(cx, &mut bytes, &undone).err(), Some(IfError::Invalid), "{what}");
        }
    });
}

proptest! {
    #[test]
    fn whatever_a_host_says_is_taken_or_refused(
        spoilt in prop::collection::vec((0..80_usize, any::<u8>()), 0..4),
        cut_to in 0..600_usize,
        start in prop_oneof![Just(34), 0..500_u16, any::<u16>()],
        field in prop_oneof![Just(16), Just(6), 0..500_u16],
        size in prop_oneof![Just(0), 0..20_u16, any::<u16>()],
        is_tcp in any::<bool>(),
    ) {
        inside(|cx| {
            let mut frame = Frame { is_tcp, len: 400, ..TCP }.bytes();
            spoilt.iter().for_each(|(at, byte)| frame[*at % 50] = *byte);
            frame.truncate(cut_to);
            let (len, size) = (frame.len(), NonZeroU16::new(size));
            let cut = size.map(|size| Cut { size, headers: 54, reduced: false });
            if let Ok(mut packet) = adopt(cx, &mut frame, &Undone { start, field, cut }) {
                assert_eq!(packet.len(), len);
                assert!(usize::from(start) + usize::from(field) + 2 <= len);
                if !packet.unfinished().is_empty() {
                    assert!(explain(cx, &mut packet).is_some(), "what is taken over can be told");
                }
            }
        });
    }
}

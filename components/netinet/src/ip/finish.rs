//! Finishing packets that leave the machine's memory: checksums are filled in, and segments that
//! stand for several are cut. And where all that is, for a host that does it itself.
//!
//! Locking: none. Sources: RFC 768, RFC 9293 §3.1 (checksums); RFC 6864 §4 (identification);
//! NetBSD netinet/in_offload.c (ip_undefer_csum, tcp4_segment).

use base::{Cx, NoMemory};
use net::Packet;
use net::ifnet::IfError;
use net::offload::{Emit, Layout, part};
use zerocopy::{FromBytes, IntoBytes};

use crate::checksum::{self, Sum};
use crate::tcp::header::{self as tcp, Control, TcpHeader};
use crate::wire::ipv4::{Ipv4Header, MIN_HEADER_LEN, protocol};
use crate::wire::udp::{self, UdpHeader};

/// Finishes a packet whose IP header begins at `at` ([`net::offload::Finish`]).
pub(crate) fn finish(
    cx: &Cx<'_>,
    mut packet: Packet,
    at: usize,
    most: usize,
    emit: Emit<'_>,
) -> Result<(), IfError> {
    let gso_size = usize::from(packet.gso_size());
    let header = ip_header(&mut packet, at).ok_or(IfError::Invalid)?;
    let payload_at = at + header.header_len();
    if gso_size > 0 {
        if header.protocol != protocol::TCP {
            // Nobody of ours leaves that; it would be longer than `longest` says.
            return Err(IfError::Invalid);
        }
        let header_len = tcp_header_len(&mut packet, payload_at).ok_or(IfError::Invalid)?;
        let data_at = payload_at + header_len;
        if packet.len().saturating_sub(data_at) > gso_size {
            let parts = Parts { at, header, data_at, gso_size, most };
            return parts.cut(cx, &packet, emit);
        }
    }
    fill_in(&mut packet, payload_at, &header).ok_or(IfError::Invalid)?;
    packet.set_finished();
    emit(packet)
}

/// Where what could be left undone is, in a packet whose IP header begins at `at` ([`net::offload::FindLayout`]).
pub(crate) fn layout(packet: &mut Packet, at: usize) -> Option<Layout> {
    let header = ip_header(packet, at)?;
    let start = at + header.header_len();
    // A fragment has no checksum that is its own, and the link's padding is in none.
    if header.is_fragment() || at + usize::from(header.total_len()) != packet.len() {
        return None;
    }
    let len = u16::try_from(packet.len().checked_sub(start)?).ok()?;
    let pseudo = checksum::pseudo(header.src(), header.dst(), header.protocol, len).folded();
    match header.protocol {
        protocol::TCP => {
            let headers = start + tcp_header_len(packet, start)?;
            let (tcp, _) = TcpHeader::ref_from_prefix(packet.head().get(start..)?).ok()?;
            let (field, reduced) = (TcpHeader::CHECKSUM_AT, tcp.has(Control::CWR));
            Some(Layout { start, field, pseudo, headers: Some(headers), reduced })
        }
        protocol::UDP => {
            let head = packet.pullup(start + udp::HEADER_LEN)?;
            let (udp, _) = UdpHeader::ref_from_prefix(head.get(start..)?).ok()?;
            let (field, whole) = (UdpHeader::CHECKSUM_AT, udp.len() == len);
            whole.then_some(Layout { start, field, pseudo, headers: None, reduced: false })
        }
        _ => None,
    }
}

/// The longest packet that this one becomes: what must fit a link.
#[inline]
pub(crate) fn longest(packet: &mut Packet) -> usize {
    if packet.gso_size() == 0 { packet.len() } else { longest_segment(packet) }
}

#[cold]
fn longest_segment(packet: &mut Packet) -> usize {
    let whole = packet.len();
    let headers = ip_header(packet, 0).filter(|header| header.protocol == protocol::TCP);
    let headers = headers.map(|header| header.header_len());
    let headers = headers.and_then(|ip| Some(ip + tcp_header_len(packet, ip)?));
    headers.map_or(whole, |headers| whole.min(headers + usize::from(packet.gso_size())))
}

/// Finishes a packet that begins with its IP header, and passes on what comes of it.
pub(crate) fn finish_bare(cx: &Cx<'_>, packet: Packet, emit: Emit<'_>) -> Result<(), IfError> {
    finish(cx, packet, 0, 0, emit)
}

fn ip_header(packet: &mut Packet, at: usize) -> Option<Ipv4Header> {
    let head = packet.pullup(at + MIN_HEADER_LEN)?;
    let (header, _) = Ipv4Header::read_from_prefix(head.get(at..)?).ok()?;
    // What a bridge passes on nobody has looked at.
    if header.version() != 4 || header.header_len() < MIN_HEADER_LEN {
        return None;
    }
    packet.pullup(at + header.header_len())?;
    Some(header)
}

fn tcp_header_len(packet: &mut Packet, at: usize) -> Option<usize> {
    let len = usize::from(packet.pullup(at + tcp::HEADER_LEN)?.get(at + 12)? >> 4) * 4;
    if len < tcp::HEADER_LEN {
        return None;
    }
    packet.pullup(at + len)?;
    Some(len)
}

/// Fills in the checksum of a payload that begins at `at`.
fn fill_in(packet: &mut Packet, at: usize, header: &Ipv4Header) -> Option<()> {
    let len = u16::try_from(packet.len().checked_sub(at)?).ok()?;
    let pseudo = checksum::pseudo(header.src(), header.dst(), header.protocol, len);
    let rest = |skip| Sum::of_pieces(packet.segments(), skip, usize::MAX);
    match header.protocol {
        protocol::TCP => {
            let (end, rest) = (at + tcp::HEADER_LEN, rest(at + tcp::HEADER_LEN));
            let (tcp, _) = TcpHeader::mut_from_prefix(packet.pullup(end)?.get_mut(at..)?).ok()?;
            tcp.set_checksum(pseudo, rest);
        }
        protocol::UDP => {
            let (end, rest) = (at + udp::HEADER_LEN, rest(at + udp::HEADER_LEN));
            let (udp, _) = UdpHeader::mut_from_prefix(packet.pullup(end)?.get_mut(at..)?).ok()?;
            udp.set_checksum(pseudo, rest);
        }
        _ => return None,
    }
    Some(())
}

/// How a TCP segment is cut. All its headers are contiguous.
struct Parts {
    /// Where the IP header begins, and the data.
    at: usize,
    data_at: usize,
    header: Ipv4Header,
    gso_size: usize,
    /// The longest packet that may stay unfinished.
    most: usize,
}

impl Parts {
    fn cut(&self, cx: &Cx<'_>, whole: &Packet, emit: Emit<'_>) -> Result<(), IfError> {
        let Parts { at, data_at, gso_size, .. } = *self;
        let front = whole.head().get(..data_at).ok_or(IfError::Invalid)?;
        let data_len = whole.len() - data_at;
        // As many segments at once as may stay together.
        let together = self.most.saturating_sub(data_at) / gso_size * gso_size;
        let step = together.max(gso_size);
        for start in (0..data_len).step_by(step) {
            let len = step.min(data_len - start);
            let place = Place { n: start / gso_size, start, is_last: start + len == data_len };
            let mut segment = part(cx, front, whole, data_at + start, len)?;
            adjust(&mut segment, at, &self.header, &place).ok_or(NoMemory)?;
            if together > 0 {
                segment.leave_unfinished(if len > gso_size { gso_size as u16 } else { 0 });
            } else {
                let payload_at = at + self.header.header_len();
                fill_in(&mut segment, payload_at, &self.header).ok_or(IfError::Invalid)?;
            }
            emit(segment)?;
        }
        Ok(())
    }
}

/// Which of the segments one is.
struct Place {
    n: usize,
    start: usize,
    is_last: bool,
}

/// Makes the copied headers those of their segment.
fn adjust(segment: &mut Packet, at: usize, header: &Ipv4Header, place: &Place) -> Option<()> {
    let total = u16::try_from(segment.len() - at).ok()?;
    let mut ip = *header;
    ip.set_total_len(total);
    ip.set_id(header.id().wrapping_add(place.n as u16));
    let (front, options) =
        segment.head_mut().get_mut(at..)?.split_at_mut_checked(MIN_HEADER_LEN)?;
    let (options, rest) = options.split_at_mut_checked(header.header_len() - MIN_HEADER_LEN)?;
    ip.set_checksum(options);
    front.copy_from_slice(ip.as_bytes());
    let (tcp, _) = TcpHeader::mut_from_prefix(rest).ok()?;
    tcp.advance(place.start as u32);
    if !place.is_last {
        tcp.clear(Control::FIN | Control::PSH);
    }
    if place.n > 0 {
        // RFC 3168 §6.1.2: the window was reduced once.
        tcp.clear(Control::CWR);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddrV4};

    use super::super::output::send_in_pieces;
    use super::*;
    use crate::tcp::header::Segment;
    use crate::tcp::seq::Seq;

    base::kernel!(BARE = [net, crate]);

    fn with_kernel(f: impl FnOnce(&Cx<'_>)) {
        let kernel = base::Kernel::boot(sim::Sim::seeded(1), &BARE).unwrap();
        kernel.enter(|l| f(l)).unwrap();
    }

    const FROM: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const TO: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

    /// A segment of `len` bytes of data, with headers, behind `link` bytes.
    fn unfinished(cx: &Cx<'_>, link: usize, len: usize, gso_size: u16) -> Packet {
        let control = Control::ACK | Control::FIN | Control::PSH | Control::CWR;
        let seg = Segment { seq: Seq(u32::MAX - 5), control, ..Segment::default() };
        let (from, to) = (SocketAddrV4::new(FROM, 1), SocketAddrV4::new(TO, 2));
        let header = TcpHeader::new(from.port(), to.port(), &seg, 0);
        let total = (MIN_HEADER_LEN + tcp::HEADER_LEN + len) as u16;
        let mut ip = Ipv4Header::new(FROM, TO, protocol::TCP, 64, total);
        ip.set_id(u16::MAX);
        ip.set_checksum(&[]);
        let mut packet = Packet::from_slice(cx, &vec![0xee; link]).unwrap();
        packet.append(ip.as_bytes()).unwrap();
        packet.append(header.as_bytes()).unwrap();
        let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
        data.chunks(300).for_each(|part| packet.append(part).unwrap());
        packet.leave_unfinished(gso_size);
        packet
    }

    fn finished(cx: &Cx<'_>, packet: Packet, at: usize) -> Result<Vec<Packet>, IfError> {
        cut_to(cx, packet, at, 0)
    }

    fn cut_to(cx: &Cx<'_>, packet: Packet, at: usize, most: usize) -> Result<Vec<Packet>, IfError> {
        let mut packets = Vec::new();
        finish(cx, packet, at, most, &mut |packet| {
            packets.push(packet);
            Ok(())
        })?;
        Ok(packets)
    }

    fn is_right(packet: &Packet, link: usize) -> bool {
        let mut bytes = vec![0; packet.len()];
        assert!(packet.copy_to(0, &mut bytes));
        let ip = Ipv4Header::parse(&bytes[link..], bytes.len() - link).unwrap();
        let len = ip.payload_len() as u16;
        let mut sum = checksum::pseudo(FROM, TO, protocol::TCP, len);
        sum.append(Sum::of_pieces(packet.segments(), link + MIN_HEADER_LEN, usize::MAX));
        ip.total_len == bytes.len() - link && sum.is_valid()
    }

    #[test]
    fn a_long_segment_becomes_many_that_say_the_same() {
        with_kernel(|cx| {
            for (link, len, gso) in [(14, 4000, 1000_u16), (18, 4001, 999), (0, 65_000, 1448)] {
                let whole = unfinished(cx, link, len, gso);
                let packets = finished(cx, whole, link).unwrap();
                assert_eq!(packets.len(), len.div_ceil(gso.into()));
                let mut at = 0;
                for (n, packet) in packets.iter().enumerate() {
                    assert!(is_right(packet, link) && packet.unfinished().is_empty());
                    let front = link + MIN_HEADER_LEN;
                    let mut head = vec![0; front + tcp::HEADER_LEN];
                    assert!(packet.copy_to(0, &mut head));
                    let ip = Ipv4Header::read_from_prefix(&head[link..]).unwrap().0;
                    assert_eq!(ip.id(), u16::MAX.wrapping_add(n as u16));
                    let header = TcpHeader::parse(&head[front..], packet.len()).unwrap().0;
                    let seg = header.segment(&[], 0);
                    assert_eq!(seg.seq, Seq(u32::MAX - 5) + at as u32);
                    let is_last = n + 1 == packets.len();
                    assert_eq!(seg.has(Control::FIN), is_last);
                    assert_eq!(seg.has(Control::PSH), is_last);
                    assert_eq!(seg.has(Control::CWR), n == 0);
                    let mut data = vec![0; packet.len() - head.len()];
                    assert!(packet.copy_to(head.len(), &mut data));
                    assert!(data.iter().enumerate().all(|(i, b)| *b == (at + i) as u8));
                    assert_eq!(data.len(), usize::from(gso).min(len - at));
                    at += data.len();
                }
            }
        });
    }

    #[test]
    fn as_much_as_may_stays_together() {
        with_kernel(|cx| {
            let front = 14 + MIN_HEADER_LEN + tcp::HEADER_LEN;
            let packets = cut_to(cx, unfinished(cx, 14, 10_500, 1000), 14, front + 4999).unwrap();
            let facts: Vec<_> = packets.iter().map(|p| (p.len() - front, p.gso_size())).collect();
            assert_eq!(facts, [(4000, 1000), (4000, 1000), (2500, 1000)]);
            assert!(packets.iter().all(|p| !p.unfinished().is_empty()));
            // Cut again, they are what they would have been at once.
            let again = |p| finished(cx, p, 14).unwrap();
            let twice: Vec<Packet> = packets.into_iter().flat_map(again).collect();
            let once = finished(cx, unfinished(cx, 14, 10_500, 1000), 14).unwrap();
            let bytes = |p: &Packet| p.segments().flatten().copied().collect::<Vec<u8>>();
            assert!(twice.iter().map(bytes).eq(once.iter().map(bytes)));
        });
    }

    #[test]
    fn a_short_one_gets_its_checksum() {
        with_kernel(|cx| {
            let done = finished(cx, unfinished(cx, 14, 90, 1000), 14).unwrap();
            assert!(is_right(&done[0], 14));
            assert_eq!((done.len(), done[0].gso_size()), (1, 0));
        });
    }

    proptest::proptest! {
        #[test]
        fn nonsense_is_refused_or_cut_to_what_fits(
            mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..400),
            looks_right in proptest::bool::ANY,
            gso_size in 64_u16..300,
        ) {
            if looks_right && bytes.len() > 40 {
                (bytes[0], bytes[9]) = (0x40 | bytes[0] & 15, 6);
            }
            with_kernel(|cx| {
                let mut packet = Packet::from_slice(cx, &bytes).unwrap();
                packet.leave_unfinished(gso_size);
                let most = longest(&mut packet);
                if let Ok(packets) = finished(cx, packet, 0) {
                    assert!(packets.iter().all(|p| p.len() <= most && p.unfinished().is_empty()));
                }
            });
        }
    }

    #[test]
    fn what_there_is_no_memory_to_cut_was_not_sent() {
        let mut failed = 0;
        for nth in 1.. {
            let sim = sim::Sim::seeded(nth);
            let kernel = base::Kernel::boot(sim.clone(), &BARE).unwrap();
            let refused = kernel.enter(|l| {
                let packet = unfinished(l, 0, 4000, 1000);
                let mut pieces = 0;
                sim.faults().refuse_nth_charge(nth);
                let sent = send_in_pieces(l, 576, packet, &mut |_| {
                    pieces += 1;
                    Ok(())
                });
                let refused = sim.faults().refused() > 0;
                sim.faults().clear();
                // Some charges are for what can be done without.
                assert_eq!(sent.is_ok(), pieces == 4 * 2, "charge {nth}: {pieces} pieces");
                failed += u32::from(sent.is_err());
                refused
            });
            if !refused.unwrap() {
                assert!(failed > 2, "{failed} failures");
                return;
            }
        }
    }

    #[test]
    fn what_is_none_of_ours_is_refused() {
        with_kernel(|cx| {
            for len in 0..40 {
                let mut packet = Packet::from_slice(cx, &vec![0x4f; len]).unwrap();
                packet.leave_unfinished(100);
                assert!(finished(cx, packet, 14).is_err());
            }
        });
    }

    #[test]
    fn the_mtu_counts_for_what_is_sent() {
        with_kernel(|cx| {
            assert_eq!(longest(&mut unfinished(cx, 0, 4000, 1000)), 1040);
            assert_eq!(longest(&mut unfinished(cx, 0, 400, 1000)), 440);
            assert_eq!(longest(&mut unfinished(cx, 0, 4000, 0)), 4040);
        });
    }
}

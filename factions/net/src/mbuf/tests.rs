//! Packets against a plain vector: whatever is done, the bytes are the same, and the account knows.

use std::vec::Vec;

use base::{Cx, Kernel};
use proptest::prelude::*;

use super::{BUFFER, HEADROOM, Packet};

base::kernel!(BARE = [crate]);

mod host {
    use super::*;

    /// Runs `f` inside a kernel; afterwards nothing may be charged beside what was before.
    pub(super) fn inside(f: impl FnOnce(&Cx<'_>)) {
        let kernel = Kernel::boot(sim::Sim::seeded(1), &BARE).unwrap();
        let before = kernel.account().used();
        kernel.enter(|l| f(l)).unwrap();
        assert_eq!(kernel.account().used(), before, "a packet left something charged");
    }
}

fn bytes(p: &Packet) -> Vec<u8> {
    p.segments().flatten().copied().collect()
}

/// A packet of `pieces`: the first goes to the buffer as far as it fits.
fn made(cx: &Cx<'_>, pieces: &[Vec<u8>]) -> (Packet, Vec<u8>) {
    let mut p = Packet::new(cx).unwrap();
    for piece in pieces {
        p.append(piece).unwrap();
    }
    (p, pieces.concat())
}

fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5)
}

#[derive(Clone, Debug)]
enum Step {
    Pull(usize),
    Push(usize),
    Pullup(usize),
    Truncate(usize),
    Append(Vec<u8>),
    Slice(usize, usize),
    Duplicate,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..700usize).prop_map(Step::Pull),
        (0..60usize).prop_map(Step::Push),
        (0..300usize).prop_map(Step::Pullup),
        (0..900usize).prop_map(Step::Truncate),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Step::Append),
        (0..500usize, 0..500usize).prop_map(|(a, b)| Step::Slice(a, b)),
        Just(Step::Duplicate),
    ]
}

fn apply(cx: &Cx<'_>, p: &mut Packet, model: &mut Vec<u8>, step: Step) {
    match step {
        Step::Pull(n) => {
            let fits = n <= model.len();
            assert_eq!(p.pull(n), fits);
            if fits {
                model.drain(..n);
            }
        }
        Step::Push(n) => {
            if let Some(room) = p.push(n) {
                room.fill(7);
                model.splice(..0, std::iter::repeat_n(7, n));
            }
        }
        Step::Pullup(n) => {
            let got = p.pullup(n).map(|b| b.to_vec());
            assert_eq!(got.is_some(), n <= model.len() && n <= BUFFER, "pullup {n}");
            if let Some(got) = got {
                assert_eq!(got, model[..n]);
            }
        }
        Step::Truncate(n) => {
            p.truncate(n);
            model.truncate(n);
        }
        Step::Append(data) => {
            p.append(&data).unwrap();
            model.extend_from_slice(&data);
        }
        Step::Slice(start, len) => {
            let part = p.slice(cx, start, len).unwrap();
            let from = start.min(model.len());
            let to = start.saturating_add(len).min(model.len());
            assert_eq!(bytes(&part), model[from..to]);
        }
        Step::Duplicate => {
            let copy = p.duplicate(cx).unwrap();
            assert_eq!(bytes(&copy), *model);
        }
    }
}

proptest! {
    #[test]
    fn a_packet_is_its_bytes(pieces in pieces(), steps in prop::collection::vec(step(), 0..12)) {
        host::inside(|cx| {
            let (mut p, mut model) = made(cx, &pieces);
            for step in steps {
                apply(cx, &mut p, &mut model, step);
                assert_eq!(p.len(), model.len());
                assert_eq!(bytes(&p), model);
            }
        });
    }

    #[test]
    fn joined_packets_are_one_after_the_other(a in pieces(), b in pieces()) {
        host::inside(|cx| {
            let ((mut p, mut model), (q, more)) = (made(cx, &a), made(cx, &b));
            p.join(q).unwrap();
            model.extend_from_slice(&more);
            assert_eq!(bytes(&p), model);
        });
    }

    #[test]
    fn any_part_can_be_copied_out(pieces in pieces(), at in 0..900usize, len in 0..900usize) {
        host::inside(|cx| {
            let (p, model) = made(cx, &pieces);
            let mut out = std::vec![0; len];
            let whole = at + len <= model.len() || len == 0;
            assert_eq!(p.copy_to(at, &mut out), whole);
            if whole && len > 0 {
                assert_eq!(out, model[at..at + len]);
            }
        });
    }
}

#[test]
fn a_new_packet_has_room_for_all_headers() {
    host::inside(|cx| {
        let mut p = Packet::from_slice(cx, b"data").unwrap();
        assert!(p.push(HEADROOM).is_some());
        assert!(p.push(1).is_some(), "moved to make room");
        assert!(p.push(BUFFER).is_none(), "more than a buffer holds");
    });
}

#[test]
fn a_packet_that_is_handed_over_is_charged_to_the_receiver() {
    let host = sim::Sim::seeded(1);
    let a = Kernel::boot(host.clone(), &BARE).unwrap();
    let b = Kernel::boot(host, &BARE).unwrap();
    let (had, has) = (a.account().used(), b.account().used());
    let packet = a.enter(|l| Packet::from_slice(l, &[1; 1000]).unwrap()).unwrap();
    let cost = packet.cost() as u64;
    assert_eq!(a.account().used(), had + cost);
    let packet = packet.hand_over(b.account()).unwrap();
    assert_eq!((a.account().used(), b.account().used()), (had, has + cost));
    b.account().set_limit(has + cost);
    let second = a.enter(|l| Packet::from_slice(l, &[1; 1000]).unwrap()).unwrap();
    assert!(second.hand_over(b.account()).is_err(), "over the receiver's limit");
    assert_eq!(a.account().used(), had, "and then dropped");
    drop(packet);
    assert_eq!(b.account().used(), has);
}

proptest! {
    #[test]
    fn one_bit_is_turned_over_and_only_in_this_packet(pieces in pieces(), bit in 0..12_000_usize) {
        host::inside(|cx| {
            let (mut packet, before) = made(cx, &pieces);
            let other = packet.duplicate(cx).unwrap();
            let is_there = bit < 8 * before.len();
            assert_eq!(packet.flip_bit(bit), Ok(is_there));
            assert_eq!(bytes(&other), before, "it shares clusters, and is as it was");
            let mut after = before;
            if is_there {
                after[bit / 8] ^= 0x80 >> (bit % 8);
            }
            assert_eq!(bytes(&packet), after);
        });
    }
}

//! Segments that mean no good: no panic, and what must hold, holds.

use super::super::header::{Control, Segment};
use super::super::options::Options;
use super::super::seq::Seq;
use super::super::state::State;
use super::super::{Settings, rto::MS};
use super::channel::{Dice, End, Weather, pair};

/// A number that is interesting about as often as not.
fn number(dice: &mut Dice, near: Seq) -> Seq {
    match dice.below(8) {
        0 => Seq(dice.next() as u32),
        1 => near - dice.below(70_000) as u32,
        2 => near - 1,
        3 => near + 1,
        4 => near + dice.below(70_000) as u32,
        _ => near,
    }
}

fn segment(dice: &mut Dice, end: &End) -> (Segment, Vec<u8>) {
    let (seq, ack) = (number(dice, end.tcb.rcv.nxt), number(dice, end.tcb.snd.una));
    let ack = if dice.chance(300) { number(dice, end.tcb.snd.nxt) } else { ack };
    let mut control = Control::ACK;
    for (bit, chance) in [
        (Control::SYN, 50),
        (Control::FIN, 30),
        (Control::RST, 10),
        (Control::ACK, 50),
        (Control::URG, 50),
        (Control::PSH, 300),
    ] {
        if dice.chance(chance) {
            control.toggle(bit);
        }
    }
    let mut options = Options::default();
    if dice.chance(800) {
        let clock = end.tcb.stamps.recent.wrapping_add(dice.below(20) as u32).wrapping_sub(3);
        options.timestamps = Some((clock, dice.next() as u32));
    }
    for _ in 0..dice.below(5) {
        let from = number(dice, end.tcb.snd.una);
        let to = if dice.chance(700) { from + dice.below(3000) as u32 } else { Seq(0) };
        options.sack.push((from, to));
    }
    let len = if dice.chance(500) { 0 } else { dice.below(3000) as u32 };
    let window = if dice.chance(300) { dice.below(3) as u16 } else { dice.next() as u16 };
    let urgent = dice.next() as u16;
    (
        Segment { seq, ack, control, window, urgent, options, len, ..Segment::default() },
        vec![7; len as usize],
    )
}

fn attack(seed: u64) {
    let mut dice = Dice::new(seed);
    let weather = Weather { loss: 0, mark: 0, duplicate: 0, reorder: 0, delay: MS, jitter: 0 };
    let mut end = if dice.chance(100) {
        End::new(seed as u32, 1460, 30_000, Settings::default())
    } else {
        let [end, _] = pair(weather, seed, 20_000).ends;
        end
    };
    let mut now = 10 * MS;
    for _ in 0..200 {
        match dice.below(12) {
            0 if end.tcb.can_write() && end.unsent() < 100_000 => {
                end.write(&vec![1; dice.below(9000) as usize]);
            }
            1 => end.read_some(dice.below(30_000) as usize, now),
            2 if dice.chance(50) => end.tcb.close(),
            3 if dice.chance(50) => end.tcb.deafen(now),
            4 if dice.chance(200) => end.tcb.narrow(dice.below(1600) as u32),
            5 | 6 => {
                now = end.tcb.deadline().unwrap_or(now).clamp(now, now + 400_000 * MS);
                end.tcb.expire(now);
                end.tcb.check();
            }
            _ => {
                let (seg, data) = segment(&mut dice, &end);
                end.input(&seg, data, now);
            }
        }
        end.settle();
        let mut sent = 0;
        while end.poll(now).is_some() {
            sent += 1;
            assert!(sent < 2000, "seed {seed}: it never stops to send");
        }
        end.settle();
        now += dice.below(20) * MS;
        if end.tcb.state() == State::Closed {
            return;
        }
    }
}

#[test]
fn no_segment_breaks_what_must_hold() {
    let count = std::env::var("TCP_ATTACKS").ok().map_or(3000, |n| n.parse().unwrap());
    (1..=count).for_each(attack);
}

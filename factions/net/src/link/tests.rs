//! The link against what it promises: order, rate, limits, and how often things happen.

use std::cell::Cell;
use std::time::Duration;
use std::vec::Vec;

use base::Account;
use proptest::prelude::*;

use super::*;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1000 * MS;

/// A packet of a test: its number, its length, and which bit was turned over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Item {
    number: usize,
    len: usize,
    flipped: Option<usize>,
}

/// Spoils, as long as there is memory.
struct Hands(Cell<bool>);

impl Spoil<Item> for Hands {
    fn double(&self, item: &Item) -> Option<Item> {
        self.0.get().then_some(*item)
    }

    fn corrupt(&self, item: Item, bit: usize) -> Option<Item> {
        self.0.get().then_some(Item { flipped: Some(bit), ..item })
    }
}

/// A link, what comes out of it, and when.
struct Bench {
    link: Link<Item>,
    hands: Hands,
    out: Vec<(u64, Item)>,
    refused: usize,
}

impl Bench {
    fn new(character: Character, seed: u64) -> Bench {
        character.check().unwrap();
        let link = Link::new(&Account::standalone(), character, seed);
        Bench { link, hands: Hands(Cell::new(true)), out: Vec::new(), refused: 0 }
    }

    /// Puts packets in, at these times and of these lengths, and waits for all.
    fn run(&mut self, packets: impl IntoIterator<Item = (u64, usize)>) {
        for (number, (at, len)) in packets.into_iter().enumerate() {
            self.until(at);
            let item = Item { number, len, flipped: None };
            let sent = self.link.offer(at, len, 14, item, &self.hands);
            self.refused += usize::from(sent.is_err());
        }
        self.until(u64::MAX);
        assert!(self.link.is_empty() && self.link.release(u64::MAX).is_none());
    }

    fn until(&mut self, end: u64) {
        while let Some(at) = self.link.deadline().filter(|at| *at <= end) {
            assert!(at == 0 || self.link.release(at - 1).is_none(), "nothing leaves too soon");
            self.out.push((at, self.link.release(at).unwrap()));
        }
    }

    fn numbers(&self) -> Vec<usize> {
        self.out.iter().map(|(_, item)| item.number).collect()
    }
}

fn every(ns: u64, count: u64) -> impl Iterator<Item = (u64, usize)> {
    (0..count).map(move |n| (n * ns, 100))
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn a_delay_is_a_delay() {
    let mut bench = Bench::new(Character { delay: ms(20), ..Character::default() }, 1);
    bench.run(every(MS, 10));
    let expected: Vec<_> = (0..10).map(|n| (20 + n) * MS).collect();
    assert_eq!(bench.out.iter().map(|(at, _)| *at).collect::<Vec<_>>(), expected);
}

#[test]
fn a_plain_wire_lets_everything_through_at_once() {
    let mut bench = Bench::new(Character::default(), 1);
    bench.run(every(7, 100));
    assert!(bench.out.iter().all(|(at, item)| *at == 7 * item.number as u64));
    assert_eq!((bench.out.len(), bench.link.counts()), (100, Counts::default()));
}

#[test]
fn a_rate_spaces_packets_by_their_length() {
    // 100 bytes at 8 Mbit/s: 100 us each, and then the way.
    let character = Character { rate: 8_000_000, delay: ms(3), ..Character::default() };
    let mut bench = Bench::new(character, 1);
    bench.run((0..5).map(|n| (0, 100 * (n + 1))));
    let at: Vec<_> = bench.out.iter().map(|(at, _)| at - 3 * MS).collect();
    assert_eq!(at, [100_000, 300_000, 600_000, 1_000_000, 1_500_000]);
    // Having been idle earns nothing.
    bench.out.clear();
    bench.run([(SECOND, 100), (SECOND, 100)]);
    assert_eq!(bench.out[1].0 - bench.out[0].0, 100_000);
}

#[test]
fn jitter_keeps_the_order_and_stays_within_its_bounds() {
    for distribution in [Distribution::Uniform, Distribution::Normal] {
        let character =
            Character { delay: ms(20), jitter: ms(5), distribution, ..Character::default() };
        // Far apart, so that none waits for the one before.
        let mut bench = Bench::new(character, 3);
        bench.run(every(100 * MS, 5000));
        let delays: Vec<_> = bench
            .out
            .iter()
            .map(|(at, i)| (at - 100 * MS * i.number as u64) as f64 / 1e6)
            .collect();
        let mean = delays.iter().sum::<f64>() / 5000.0;
        let deviation = (delays.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 5000.0).sqrt();
        let (widest, expected) = match distribution {
            Distribution::Uniform => (5.0, 5.0 / 3_f64.sqrt()),
            Distribution::Normal => (30.0, 5.0),
        };
        assert!(delays.iter().all(|d| (d - 20.0).abs() <= widest));
        // Five standard errors.
        assert!((mean - 20.0).abs() < 5.0 * expected / 5000_f64.sqrt(), "{mean}");
        assert!((deviation - expected).abs() < 0.1 * expected, "{deviation}");
        // Close together, they wait for each other.
        let mut bench = Bench::new(character, 3);
        bench.run(every(MS / 10, 500));
        assert_eq!(bench.numbers(), (0..500).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_reordered_overtakes_those_on_their_way() {
    let character =
        Character { delay: ms(10), reorder: Probability::percent(25), ..Character::default() };
    let mut bench = Bench::new(character, 5);
    bench.run(every(MS, 4000));
    let early = bench.out.iter().filter(|(at, item)| *at == item.number as u64 * MS).count();
    assert_eq!((early as u64, bench.out.len()), (bench.link.counts().reordered, 4000));
    assert!((850..1150).contains(&early), "{early} of 4000");
    let rest: Vec<_> = bench
        .out
        .iter()
        .filter(|(at, i)| *at != i.number as u64 * MS)
        .map(|(_, i)| i.number)
        .collect();
    assert!(rest.is_sorted(), "the others keep their order");
}

#[test]
fn losses_come_as_often_as_asked_for() {
    // (loss, burst, how far off: five standard deviations of 100,000 packets, times the burst)
    for (percent, burst, within) in
        [(1, 0, 160), (30, 0, 730), (50, 1, 100), (5, 4, 1500), (20, 10, 6000)]
    {
        let character =
            Character { loss: Probability::percent(percent), burst, ..Character::default() };
        let mut bench = Bench::new(character, 11);
        bench.run(every(1, 100_000));
        let lost = bench.link.counts().lost as i64;
        assert_eq!(bench.out.len() as i64 + lost, 100_000);
        assert!((lost - 1000 * i64::from(percent)).abs() < within, "{percent} {burst}: {lost}");
        if burst > 0 {
            let numbers = bench.numbers();
            let bursts = numbers.windows(2).filter(|pair| pair[1] > pair[0] + 1).count() as f64;
            let mean = lost as f64 / bursts;
            assert!((mean - f64::from(burst)).abs() < 0.1 * f64::from(burst), "{mean} in a row");
        }
    }
    let all = Character { loss: Probability::ALWAYS, burst: 3, ..Character::default() };
    let mut bench = Bench::new(all, 1);
    bench.run(every(1, 100));
    assert!(bench.out.is_empty());
}

#[test]
fn doubles_follow_their_packets_and_take_their_time_on_the_wire() {
    let character =
        Character { duplicate: Probability::ALWAYS, rate: 800_000, ..Character::default() };
    let mut bench = Bench::new(character, 1);
    bench.run(every(0, 3));
    assert_eq!(bench.numbers(), [0, 0, 1, 1, 2, 2]);
    assert_eq!(bench.out.last().unwrap().0, 6 * MS);
    assert_eq!(bench.link.counts().duplicated, 3);
}

#[test]
fn one_bit_is_turned_over_and_none_of_the_link_header() {
    let character = Character { corrupt: Probability::percent(50), ..Character::default() };
    let mut bench = Bench::new(character, 9);
    bench.run(every(1, 10_000));
    let bits: Vec<_> = bench.out.iter().filter_map(|(_, item)| item.flipped).collect();
    assert_eq!(bits.len() as u64, bench.link.counts().corrupted);
    assert!((4750..5250).contains(&bits.len()), "{}", bits.len());
    assert!(bits.iter().all(|bit| (8 * 14..8 * 100).contains(bit)));
    assert!(bits.iter().any(|bit| *bit < 8 * 15) && bits.iter().any(|bit| *bit >= 8 * 99));
    // Nothing but a header.
    bench.out.clear();
    bench.run((0..100).map(|n| (n, 14)));
    assert!(bench.out.iter().all(|(_, item)| item.flipped.is_none()));
}

#[test]
fn a_full_link_refuses_and_counts() {
    let character = Character { delay: ms(1), limit: 10, ..Character::default() };
    let mut bench = Bench::new(character, 1);
    bench.run(every(0, 25));
    assert_eq!((bench.numbers(), bench.refused), ((0..10).collect(), 15));
    assert_eq!(bench.link.counts().full, 15);
    // Of 100 bytes each, two fit; room comes back.
    let character = Character { limit: 0, buffer: 250, ..character };
    let mut bench = Bench::new(character, 1);
    bench.run([0, 0, 0, MS, MS].map(|at| (at, 100)));
    assert_eq!(bench.numbers(), [0, 1, 3, 4]);
    assert_eq!(Character::default().packets(), 1000);
}

#[test]
fn without_memory_nothing_is_doubled_and_nothing_spoilt_passes_as_sound() {
    let character = Character {
        duplicate: Probability::ALWAYS,
        corrupt: Probability::percent(50),
        ..Character::default()
    };
    let mut bench = Bench::new(character, 2);
    bench.hands.0.set(false);
    bench.run(every(1, 100));
    let Counts { full, duplicated, corrupted, .. } = bench.link.counts();
    assert_eq!((duplicated, corrupted), (0, 0));
    assert_eq!((bench.out.len() + full as usize, bench.refused), (100, full as usize));
    assert!(bench.out.iter().all(|(_, item)| item.flipped.is_none()));
}

#[test]
fn nobody_waits_for_the_end_of_a_delay_that_is_no_more() {
    let slow = Character { delay: MAX_DELAY, rate: 8, ..Character::default() };
    let mut bench = Bench::new(slow, 1);
    for number in 0..3 {
        let item = Item { number, len: 100, flipped: None };
        bench.link.offer(0, 100, 14, item, &bench.hands).unwrap();
    }
    bench.link.change(5, Character { delay: ms(1), rate: 8_000_000, ..Character::default() });
    bench.run([(5, 100)]);
    let at: Vec<_> = bench.out.iter().map(|(at, _)| at - 5 - MS).collect();
    assert_eq!((at, bench.numbers()), (vec![100_000, 200_000, 300_000, 400_000], vec![0, 1, 2, 0]));
    // Slower: what is in it is not held back.
    let mut bench = Bench::new(Character { delay: ms(1), ..Character::default() }, 1);
    bench.link.offer(0, 9, 0, Item { number: 0, len: 9, flipped: None }, &bench.hands).unwrap();
    bench.link.change(0, slow);
    bench.until(MS);
    assert_eq!(bench.out.len(), 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let plain = Character::default();
    let day = MAX_DELAY + Duration::from_nanos(1);
    let half = Probability::percent(50);
    for (character, error) in [
        (Character { delay: day, ..plain }, CharacterError::Delay),
        (Character { jitter: day, ..plain }, CharacterError::Delay),
        (Character { reorder: half, ..plain }, CharacterError::Reorder),
        (Character { limit: MAX_LIMIT + 1, ..plain }, CharacterError::Limit),
        (Character { burst: MAX_BURST + 1, ..plain }, CharacterError::Burst),
        (Character { loss: Probability::percent(51), burst: 1, ..plain }, CharacterError::Loss),
        (Character { loss: Probability::percent(81), burst: 4, ..plain }, CharacterError::Loss),
    ] {
        assert_eq!(character.check(), Err(error));
        assert!(!error.to_string().is_empty());
    }
    for fine in [
        Character { loss: half, burst: 1, ..plain },
        Character { loss: Probability::percent(80), burst: 4, ..plain },
        Character { loss: Probability::ALWAYS, burst: 1, ..plain },
        Character { burst: MAX_BURST, ..plain },
    ] {
        assert_eq!(fine.check(), Ok(()));
    }
    assert_eq!(Probability::billionths(1_000_000_001), None);
}

#[test]
fn shown_in_the_words_of_ifconfig() {
    let all = Character {
        delay: Duration::from_micros(1500),
        jitter: Duration::from_nanos(1),
        distribution: Distribution::Normal,
        rate: 2_500_000,
        loss: Probability::per_million(1),
        burst: 3,
        reorder: Probability::percent(25),
        duplicate: Probability::per_million(1000),
        corrupt: Probability::billionths(123_456_789).unwrap(),
        limit: 50,
        buffer: 65_536,
    };
    assert_eq!(
        all.to_string(),
        "delay 1500us jitter 1ns distribution normal rate 2500kbit loss 0.0001% burst 3 reorder 25% \
         duplicate 0.1% corrupt 12.3456789% limit 50 buffer 65536"
    );
    assert_eq!(Character::default().to_string(), "");
    let long = Character { delay: MAX_DELAY, rate: 7, ..Character::default() };
    assert_eq!(long.to_string(), "delay 86400s rate 7bit");
}

fn probability() -> impl Strategy<Value = Probability> {
    prop_oneof![Just(0), Just(100), 0..100_u32].prop_map(Probability::percent)
}

fn character() -> impl Strategy<Value = Character> {
    let times =
        (0..30_u64, 0..40_u64, any::<bool>(), prop_oneof![Just(0), 1000..10_000_000_000_u64]);
    let chances = (probability(), 0..5_u32, probability(), probability(), probability());
    let limits = (0..40_u32, prop_oneof![Just(0), 1..20_000_u64]);
    let all = (times, chances, limits).prop_map(|(times, chances, (limit, buffer))| {
        let (delay, jitter, is_normal, rate) = times;
        let (loss, burst, reorder, duplicate, corrupt) = chances;
        let distribution = if is_normal { Distribution::Normal } else { Distribution::Uniform };
        let (delay, jitter) = (ms(delay), ms(jitter));
        Character {
            delay,
            jitter,
            distribution,
            rate,
            loss,
            burst,
            reorder,
            duplicate,
            corrupt,
            limit,
            buffer,
        }
    });
    all.prop_filter("sensible", |character| character.check().is_ok())
}

fn packets() -> impl Strategy<Value = Vec<(u64, usize)>> {
    let gaps = prop::collection::vec((0..3_000_000_u64, 14..2000_usize), 0..120);
    gaps.prop_map(|gaps| {
        let mut now = 0;
        gaps.into_iter()
            .map(|(gap, len)| {
                now += gap;
                (now, len)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn whatever_is_asked_for(character in character(), packets in packets(), seed in any::<u64>()) {
        let mut bench = Bench::new(character, seed);
        bench.run(packets.iter().copied());
        let counts = bench.link.counts();

        // The same seed, the same run.
        let mut again = Bench::new(character, seed);
        again.run(packets.iter().copied());
        prop_assert_eq!(&bench.out, &again.out);

        // Each packet came out, or was lost, or found it full.
        let went_in = packets.len() as u64 + counts.duplicated;
        prop_assert_eq!(went_in, bench.out.len() as u64 + counts.lost + counts.full);
        prop_assert!(character.loss > Probability::NEVER || counts.lost == 0);
        prop_assert!(character.loss < Probability::ALWAYS || bench.out.is_empty());
        prop_assert!(bench.refused as u64 <= counts.full);
        for (at, item) in &bench.out {
            prop_assert!(*at >= packets[item.number].0, "before it went in");
        }
        // In order, unless another order is asked for.
        if character.reorder == Probability::NEVER {
            prop_assert!(bench.numbers().is_sorted());
        }
        // Never above the rate: between any two that keep the order, and in all.
        if character.rate > 0 {
            let on_wire = |len: usize| (8 * len as u64 * SECOND).div_ceil(character.rate);
            let start = packets.first().map_or(0, |(at, _)| *at);
            let mut total = 0;
            for (n, (at, item)) in bench.out.iter().enumerate() {
                total += on_wire(item.len);
                prop_assert!(start + total <= *at, "{n}: {total} {at}");
                if let (Some((before, _)), true) =
                    (n.checked_sub(1).map(|n| bench.out[n]), character.reorder == Probability::NEVER)
                {
                    prop_assert!(before + on_wire(item.len) <= *at);
                }
            }
        }
    }

    #[test]
    fn changed_in_the_middle(
        first in character(), second in character(), packets in packets(), seed in any::<u64>()
    ) {
        let mut bench = Bench::new(first, seed);
        let half = packets.len() / 2;
        for (number, (at, len)) in packets.iter().copied().enumerate() {
            if number == half {
                bench.link.change(at, second);
            }
            bench.until(at);
            let item = Item { number, len, flipped: None };
            bench.refused += usize::from(bench.link.offer(at, len, 14, item, &bench.hands).is_err());
        }
        bench.until(u64::MAX);
        let counts = bench.link.counts();
        let out = bench.out.len() as u64 + counts.lost + counts.full;
        prop_assert_eq!(packets.len() as u64 + counts.duplicated, out);
        prop_assert!(bench.out.is_sorted_by_key(|(at, _)| *at));
        let keeps_order = |c: &Character| c.reorder == Probability::NEVER;
        if keeps_order(&first) && keeps_order(&second) {
            prop_assert!(bench.numbers().is_sorted());
        }
    }
}

//! The states, the rules by section, floods, and any sequence of events.

use super::*;
use proptest::prelude::*;
use std::vec;

extern crate std;

const US: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const OUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const LOCALS: [Local; 1] = [Local { addr: US, prefix_len: 16 }];
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;

fn mac(n: u32) -> MacAddr {
    MacAddr::local(u64::from(n) + 0x100)
}

fn host(n: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(PEER.to_bits() + n)
}

fn cache(config: Config) -> ArpCache<u32> {
    ArpCache::new(config, 0x1234_5678_9abc_def1)
}

fn answer(cache: &mut ArpCache<u32>, n: u32, now: u64) -> Input<u32> {
    cache.input(&ArpPacket::reply(mac(n), host(n), OUR_MAC, US), OUR_MAC, &LOCALS, now)
}

fn ask_us(cache: &mut ArpCache<u32>, n: u32, now: u64) -> Input<u32> {
    cache.input(&ArpPacket::request(mac(n), host(n), US), OUR_MAC, &LOCALS, now)
}

/// INVARIANT checks.
fn check(cache: &mut ArpCache<u32>) {
    for (_, entry) in cache.table.iter() {
        match entry.state {
            State::Incomplete => assert!(entry.tries > 0 && entry.fresh_until_ns == 0),
            State::Reachable => assert!(entry.mac.is_unicast() && entry.held.is_empty()),
            State::Static => assert_eq!(entry.deadline_ns, u64::MAX),
            State::Down => assert!(entry.held.is_empty() && entry.fresh_until_ns == 0),
        }
        assert!(entry.held.len() <= cache.config.held);
    }
    assert!(cache.len() <= cache.config.entries);
    let least = cache.table.iter().map(|(_, e)| e.deadline_ns).filter(|d| *d != u64::MAX).min();
    assert_eq!(cache.next_deadline(), least);
}

#[test]
fn rfc826_ask_wait_send() {
    let mut cache = cache(Config::DEFAULT);
    assert_eq!(cache.footprint(), 0);
    assert_eq!(cache.resolve(PEER, 0, 1), Resolve::Query);
    assert_eq!(cache.resolve(PEER, 0, 2), Resolve::Held);
    let got = answer(&mut cache, 0, 5);
    assert_eq!(got.release, Some((mac(0), vec![1, 2])));
    assert_eq!((got.reply, got.conflict, got.learnt), (None, None, Learnt::Refreshed));
    assert_eq!(cache.resolve(PEER, 6, 3), Resolve::Send(mac(0), 3));
    check(&mut cache);
}

#[test]
fn rfc826_a_request_is_answered_and_its_sender_learnt() {
    let mut cache = cache(Config::DEFAULT);
    let got = ask_us(&mut cache, 0, 0);
    assert_eq!(got.reply, Some(ArpPacket::reply(OUR_MAC, US, mac(0), PEER)));
    assert_eq!(got.learnt, Learnt::New);
    assert_eq!(cache.lookup(PEER, 1), Some(mac(0)));
}

#[test]
fn rfc826_others_talk_updates_but_does_not_add() {
    let mut cache = cache(Config::DEFAULT);
    let overheard = ArpPacket::request(mac(7), PEER, host(9));
    let got = cache.input(&overheard, OUR_MAC, &LOCALS, 0);
    assert_eq!((got, cache.len()), (Input::NOTHING, 0));
    ask_us(&mut cache, 0, 0);
    let got = cache.input(&overheard, OUR_MAC, &LOCALS, 1);
    assert_eq!((got.learnt, got.reply), (Learnt::Moved(mac(0)), None));
    assert_eq!(cache.lookup(PEER, 2), Some(mac(7)));
}

#[test]
fn rfc5227_2_3_an_announcement_updates_but_does_not_add() {
    let mut cache = cache(Config::DEFAULT);
    let announcement = ArpPacket::announcement(mac(7), PEER);
    cache.input(&announcement, OUR_MAC, &LOCALS, 0);
    assert!(cache.is_empty());
    cache.resolve(PEER, 0, 1);
    let got = cache.input(&announcement, OUR_MAC, &LOCALS, 1);
    assert_eq!(got.release, Some((mac(7), vec![1])));
}

#[test]
fn rfc5227_2_1_1_a_probe_is_answered_and_not_learnt() {
    let mut cache = cache(Config::DEFAULT);
    let got = cache.input(&ArpPacket::probe(mac(0), US), OUR_MAC, &LOCALS, 0);
    assert_eq!(got.reply, Some(ArpPacket::reply(OUR_MAC, US, mac(0), Ipv4Addr::UNSPECIFIED)));
    assert!(got.conflict.is_none() && cache.is_empty());
}

#[test]
fn rfc5227_2_4_a_conflict_is_reported_and_defended_every_ten_seconds() {
    let mut cache = cache(Config::DEFAULT);
    let mut claim = |now| {
        let got = cache.input(&ArpPacket::announcement(mac(0), US), OUR_MAC, &LOCALS, now * SECOND);
        assert_eq!((got.reply, got.learnt), (None, Learnt::Nothing));
        got.conflict.unwrap()
    };
    assert_eq!(claim(1), Conflict { ip: US, mac: mac(0), defend: true });
    assert!(!claim(2).defend && !claim(10).defend && claim(11).defend);
    assert!(cache.is_empty());
}

#[test]
fn addresses_that_are_not_of_one_host_are_never_learnt() {
    let mut cache = cache(Config::DEFAULT);
    let ours = ArpPacket::request(OUR_MAC, PEER, US);
    assert_eq!(cache.input(&ours, OUR_MAC, &LOCALS, 0), Input::NOTHING);
    for bad in [MacAddr::BROADCAST, MacAddr::ZERO, MacAddr([1, 0, 0x5e, 0, 0, 1])] {
        let got = cache.input(&ArpPacket::request(bad, PEER, US), OUR_MAC, &LOCALS, 0);
        assert_eq!(got, Input::NOTHING);
    }
    for bad in ["255.255.255.255", "224.0.0.1", "127.0.0.1", "0.0.0.1", "10.0.255.255", "10.0.0.0"]
    {
        let ip = bad.parse().unwrap();
        let got = cache.input(&ArpPacket::request(mac(0), ip, US), OUR_MAC, &LOCALS, 0);
        assert_eq!(got, Input::NOTHING, "{bad}");
    }
    for bad in [Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::UNSPECIFIED] {
        assert_eq!(cache.resolve(bad, 0, 1), Resolve::Dropped(1, Why::NotUnicast));
    }
    assert!(cache.is_empty());
}

#[test]
fn a_stranger_from_another_network_is_answered_but_not_learnt() {
    let mut cache = cache(Config::DEFAULT);
    let far = ArpPacket::request(mac(0), Ipv4Addr::new(192, 168, 0, 1), US);
    let got = cache.input(&far, OUR_MAC, &LOCALS, 0);
    assert!(got.reply.is_some() && cache.is_empty());
}

#[test]
fn rfc1122_2_3_2_1_one_request_a_second_then_silence() {
    let mut cache = cache(Config::DEFAULT);
    assert_eq!(cache.resolve(PEER, 0, 1), Resolve::Query);
    for second in 1..5 {
        assert_eq!(cache.next_deadline(), Some(second * SECOND));
        assert_eq!(cache.expire(second * SECOND - 1), None);
        assert_eq!(cache.expire(second * SECOND), Some(Action::Query(PEER)));
        assert_eq!(cache.expire(second * SECOND), None);
        assert_eq!(cache.resolve(PEER, second * SECOND, second as u32 + 1), Resolve::Held);
    }
    let packets = vec![1, 2, 3, 4, 5];
    // Whoever does not ask again for more misses nothing later.
    assert_eq!(cache.expire(5 * SECOND), Some(Action::Unreachable(PEER, packets)));
    assert_eq!(cache.resolve(PEER, 6 * SECOND, 9), Resolve::Dropped(9, Why::Down));
    check(&mut cache);
    // After the silence it is forgotten, and asked for again.
    assert_eq!(cache.next_deadline(), Some(10 * SECOND));
    assert_eq!(cache.expire(10 * SECOND), None);
    assert_eq!((cache.len(), cache.next_deadline(), cache.footprint()), (0, None, 0));
    assert_eq!(cache.resolve(PEER, 10 * SECOND, 9), Resolve::Query);
}

#[test]
fn a_down_address_that_speaks_is_reachable() {
    let mut cache = cache(Config { tries: 1, ..Config::DEFAULT });
    cache.resolve(PEER, 0, 1);
    assert_eq!(cache.expire(SECOND), Some(Action::Unreachable(PEER, vec![1])));
    assert_eq!(answer(&mut cache, 0, 2 * SECOND).learnt, Learnt::Refreshed);
    assert_eq!(cache.resolve(PEER, 2 * SECOND, 2), Resolve::Send(mac(0), 2));
}

#[test]
fn rfc1122_2_3_2_2_the_latest_packets_are_kept() {
    let mut cache = cache(Config::DEFAULT);
    for n in 0..8 {
        cache.resolve(PEER, 0, n);
    }
    assert_eq!(cache.resolve(PEER, 0, 8), Resolve::Dropped(0, Why::Displaced));
    assert_eq!(cache.resolve(PEER, 0, 9), Resolve::Dropped(1, Why::Displaced));
    let (_, packets) = answer(&mut cache, 0, 0).release.unwrap();
    assert_eq!(packets, [2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn rfc1122_2_3_2_1_an_answer_ends_even_if_it_is_in_use() {
    let mut cache = cache(Config::DEFAULT);
    ask_us(&mut cache, 0, 0);
    let (probe, end) = (20 * MINUTE - 30 * SECOND, 20 * MINUTE);
    assert_eq!(cache.resolve(PEER, probe - 1, 1), Resolve::Send(mac(0), 1));
    // The owner is asked, once.
    assert_eq!(cache.resolve(PEER, probe, 2), Resolve::SendAndProbe(mac(0), 2));
    assert_eq!(cache.resolve(PEER, end - 1, 3), Resolve::Send(mac(0), 3));
    // Nobody came to expire it yet: it has ended all the same.
    assert_eq!(cache.resolve(PEER, end, 4), Resolve::Query);
    check(&mut cache);
}

#[test]
fn every_packet_of_the_owner_renews_the_answer() {
    let mut cache = cache(Config::DEFAULT);
    ask_us(&mut cache, 0, 0);
    cache.resolve(PEER, 20 * MINUTE - 1, 1);
    answer(&mut cache, 0, 20 * MINUTE - 1);
    assert_eq!(cache.expire(20 * MINUTE), None);
    assert_eq!(cache.resolve(PEER, 30 * MINUTE, 1), Resolve::Send(mac(0), 1));
    assert_eq!(cache.next_deadline(), Some(40 * MINUTE - 1));
    assert_eq!(cache.expire(40 * MINUTE), None);
    assert!(cache.is_empty());
}

#[test]
fn static_addresses_stay() {
    let mut cache = cache(Config::DEFAULT);
    cache.resolve(PEER, 0, 1);
    assert_eq!(cache.set_static(PEER, mac(5)), Some(vec![1]));
    assert_eq!(cache.next_deadline(), None);
    assert_eq!(answer(&mut cache, 0, 1).learnt, Learnt::Static);
    assert_eq!(cache.expire(u64::MAX - 1), None);
    cache.flush();
    assert_eq!(cache.lookup(PEER, u64::MAX - 1), Some(mac(5)));
    assert_eq!(cache.remove(PEER), Some(vec![]));
    assert_eq!((cache.remove(PEER), cache.footprint()), (None, 0));
}

#[test]
fn a_flood_of_strangers_does_not_push_out_what_is_in_use() {
    let mut cache = cache(Config { entries: 16, ..Config::DEFAULT });
    for n in 0..3 {
        cache.resolve(host(n), 0, n);
        answer(&mut cache, n, 0);
    }
    cache.resolve(host(3), 0, 3); // Pending.
    cache.set_static(host(4), mac(4));
    for n in 100..2000 {
        assert_eq!(ask_us(&mut cache, n, u64::from(n)).learnt, Learnt::New);
        check(&mut cache);
    }
    for n in [0, 1, 2, 4] {
        assert_eq!(cache.lookup(host(n), 1), Some(mac(n)));
    }
    assert_eq!(answer(&mut cache, 3, 3000).release, Some((mac(3), vec![3])));
    // All in use: a stranger is answered but not learnt.
    let all: std::vec::Vec<_> = cache.iter().map(|known| known.ip).collect();
    for ip in all {
        cache.lookup(ip, 1);
    }
    let got = ask_us(&mut cache, 5000, 5000);
    assert!(got.learnt == Learnt::Full && got.reply.is_some());
}

#[test]
fn the_least_recently_confirmed_goes_first() {
    let mut cache = cache(Config { entries: 4, ..Config::DEFAULT });
    for n in 0..4 {
        ask_us(&mut cache, n, u64::from(n));
    }
    ask_us(&mut cache, 0, 10); // Confirmed again.
    ask_us(&mut cache, 4, 11);
    assert_eq!(cache.lookup(host(1), 12), None);
    assert_eq!(cache.lookup(host(0), 12), Some(mac(0)));
}

#[test]
fn a_scan_takes_at_most_half_of_the_cache() {
    let mut cache = cache(Config { entries: 16, ..Config::DEFAULT });
    for n in 0..16 {
        cache.resolve(host(n), 0, 0);
        answer(&mut cache, n, 0);
    }
    let asked = (100..200).filter(|n| cache.resolve(host(*n), 1, 0) == Resolve::Query).count();
    assert_eq!(asked, 8);
    assert_eq!(cache.resolve(host(300), 1, 7), Resolve::Dropped(7, Why::Full));
    assert_eq!(cache.iter().filter(|known| known.state == State::Reachable).count(), 8);
    // Once they are down, they make room.
    for second in 1..=6 {
        while cache.expire(second * SECOND).is_some() {}
    }
    assert_eq!(cache.resolve(host(300), 6 * SECOND, 7), Resolve::Query);
    check(&mut cache);
}

#[test]
fn no_entries_at_all() {
    let mut cache = cache(Config { entries: 0, ..Config::DEFAULT });
    assert_eq!(cache.resolve(PEER, 0, 1), Resolve::Dropped(1, Why::Full));
    assert_eq!(ask_us(&mut cache, 0, 0).learnt, Learnt::Full);
    assert_eq!(cache.set_static(PEER, mac(0)), None);
}

#[derive(Clone, Debug)]
enum Event {
    Resolve(u32),
    Answer(u32, u32),
    AskUs(u32),
    Static(u32),
    Remove(u32),
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let n = 0..24u32;
    prop_oneof![
        6 => n.clone().prop_map(Event::Resolve),
        3 => (n.clone(), 0..3u32).prop_map(|(n, m)| Event::Answer(n, m)),
        2 => n.clone().prop_map(Event::AskUs),
        1 => n.clone().prop_map(Event::Static),
        1 => n.prop_map(Event::Remove),
        4 => (0..3 * SECOND).prop_map(Event::Wait),
        1 => (0..30 * MINUTE).prop_map(Event::Wait),
    ]
}

proptest! {
    /// Every packet comes out again exactly once, or still waits; bounds and deadlines hold.
    #[test]
    fn no_packet_is_lost(events in prop::collection::vec(event(), 0..200)) {
        let mut cache = cache(Config { entries: 12, held: 3, ..Config::DEFAULT });
        let (mut now, mut packet) = (0, 0u32);
        let mut out = std::collections::BTreeSet::new();
        let mut seen = |list: &[u32]| list.iter().all(|p| out.insert(*p));
        for event in events {
            match event {
                Event::Resolve(n) => {
                    let allowed = cache.footprint() + cache.resolve_cost(host(n));
                    packet += 1;
                    match cache.resolve(host(n), now, packet) {
                        Resolve::Send(_, p) | Resolve::SendAndProbe(_, p) => {
                            prop_assert!(p == packet && seen(&[p]));
                        }
                        Resolve::Dropped(p, _) => prop_assert!(seen(&[p])),
                        Resolve::Query | Resolve::Held => {}
                    }
                    prop_assert!(cache.footprint() <= allowed);
                }
                Event::Answer(n, m) => {
                    let arp = ArpPacket::reply(mac(n + 100 * m), host(n), OUR_MAC, US);
                    let allowed = cache.footprint() + cache.input_cost();
                    let got = cache.input(&arp, OUR_MAC, &LOCALS, now);
                    prop_assert!(cache.footprint() <= allowed);
                    prop_assert!(seen(&got.release.map_or(vec![], |r| r.1)));
                }
                Event::AskUs(n) => {
                    let got = ask_us(&mut cache, n, now);
                    prop_assert!(seen(&got.release.map_or(vec![], |r| r.1)));
                }
                Event::Static(n) => prop_assert!(seen(&cache.set_static(host(n), mac(n)).unwrap_or_default())),
                Event::Remove(n) => prop_assert!(seen(&cache.remove(host(n)).unwrap_or_default())),
                Event::Wait(ns) => {
                    now += ns;
                    while let Some(action) = cache.expire(now) {
                        if let Action::Unreachable(_, packets) = action {
                            prop_assert!(seen(&packets));
                        }
                    }
                    prop_assert!(cache.next_deadline().is_none_or(|next| next > now));
                }
            }
            check(&mut cache);
        }
        let waiting: std::vec::Vec<u32> =
            cache.table.iter().flat_map(|(_, e)| e.held.clone()).collect();
        prop_assert!(seen(&waiting));
        prop_assert_eq!(out.len() as u32, packet);
    }
}

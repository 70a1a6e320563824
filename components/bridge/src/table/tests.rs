//! The table against a naive model, and its rules one by one.
//!
//! Locking: none.

use std::collections::BTreeMap;

use base::Account;
use proptest::prelude::*;

use super::*;

fn table() -> Table {
    Table::with(KVec::in_account(&Account::standalone()))
}

fn mac(n: u64) -> MacAddr {
    MacAddr::local(n)
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

#[test]
fn stations_are_learnt_and_move() {
    let mut table = table();
    assert_eq!(table.lookup(mac(1), at(0)), None);
    assert_eq!(table.learn(mac(1), 7, at(0)), Heard::New);
    assert_eq!(table.learn(mac(1), 7, at(1)), Heard::Again);
    assert_eq!(table.lookup(mac(1), at(1)), Some(7));
    assert_eq!(table.learn(mac(1), 8, at(2)), Heard::New, "it moved");
    assert_eq!(table.lookup(mac(1), at(2)), Some(8));
    table.forget_member(8);
    assert_eq!(table.lookup(mac(1), at(2)), None);
}

#[test]
fn ieee802_1d_section_7_9_silence_is_forgotten() {
    let mut table = table();
    table.learn(mac(1), 7, at(0));
    assert_eq!(table.lookup(mac(1), at(1199)), Some(7));
    assert_eq!(table.lookup(mac(1), at(1200)), None);
    table.learn(mac(1), 7, at(1300));
    table.set_timeout(Duration::from_secs(10));
    assert_eq!(table.lookup(mac(1), at(1309)), Some(7));
    assert_eq!(table.lookup(mac(1), at(1310)), None);
    assert_eq!(table.iter(at(1310)).count(), 0);
}

#[test]
fn a_flood_of_senders_pushes_nobody_out() {
    let mut table = table();
    table.set_limit(100);
    for n in 0..100 {
        assert_eq!(table.learn(mac(n), 1, at(n)), Heard::New);
    }
    for n in 1000..9000 {
        assert_eq!(table.learn(mac(n), 2, at(100)), Heard::NoRoom);
    }
    assert!((0..100).all(|n| table.lookup(mac(n), at(100)) == Some(1)));
    // Room is where somebody was silent for too long.
    assert_eq!(table.learn(mac(5000), 2, at(1200)), Heard::New);
    assert_eq!(table.learn(mac(5001), 2, at(1200)), Heard::NoRoom);
    assert_eq!(table.learn(mac(5001), 2, at(1201)), Heard::New);
    table.set_limit(10);
    assert!(table.iter(at(1201)).count() <= 10);
}

#[derive(Clone, Debug)]
enum Step {
    Learn(u8, u8),
    Forget(u8),
    Pass(u16),
    Flush,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (any::<u8>(), 0..4u8).prop_map(|(mac, member)| Step::Learn(mac, member)),
        1 => (0..4u8).prop_map(Step::Forget),
        4 => (0..500u16).prop_map(Step::Pass),
        1 => Just(Step::Flush),
    ]
}

proptest! {
    #[test]
    fn as_a_naive_model(steps in proptest::collection::vec(step(), 0..300)) {
        let (mut table, mut model, mut now) = (table(), BTreeMap::new(), 0);
        for step in steps {
            match step {
                Step::Learn(n, member) => {
                    table.learn(mac(n.into()), member.into(), at(now));
                    model.insert(n, (u32::from(member), now));
                }
                Step::Forget(member) => {
                    table.forget_member(member.into());
                    model.retain(|_, known| known.0 != u32::from(member));
                }
                Step::Pass(seconds) => now += u64::from(seconds),
                Step::Flush => {
                    table.flush();
                    model.clear();
                }
            }
            for n in 0..=255u8 {
                let expected = model.get(&n).filter(|known| now < known.1 + 1200);
                let found = table.lookup(mac(n.into()), at(now));
                prop_assert_eq!(found, expected.map(|known| known.0));
            }
        }
    }
}

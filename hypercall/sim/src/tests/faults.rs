//! The plan of faults.

use hypercall::atomic::AtomicU32;
use hypercall::{Faults as _, Host, PacketFate, Parking, SpawnError, Threads, Wakeup};

use super::{OFF, ms};
use crate::{PacketCounts, Sim};

fn answers(sim: &Sim, n: u32) -> Vec<bool> {
    let faults = Host::faults(sim).unwrap();
    (0..n).map(|_| faults.grant(100)).collect()
}

#[test]
fn the_nth_charge_is_refused_once() {
    let sim = Sim::seeded(1);
    assert_eq!(answers(&sim, 3), [true; 3]);
    sim.faults().refuse_nth_charge(2);
    assert_eq!(answers(&sim, 4), [true, false, true, true]);
    sim.faults().refuse_from(3);
    assert_eq!(answers(&sim, 4), [true, true, false, false]);
    assert_eq!((sim.faults().charges(), sim.faults().refused()), (11, 3));
    sim.faults().clear();
    assert_eq!(answers(&sim, 2), [true; 2]);
}

#[test]
fn a_loop_over_every_charge_ends() {
    // Ten charges, each of which may fail: the loop of a test that refuses the n-th for every n.
    let operation = |sim: &Sim| (0..10).try_for_each(|_| sim.faults().grant(1).then_some(()));
    let mut failures = 0;
    for n in 1.. {
        let sim = Sim::seeded(1);
        sim.faults().refuse_nth_charge(n);
        let outcome = operation(&sim);
        if sim.faults().refused() == 0 {
            assert_eq!(outcome, Some(()));
            break;
        }
        assert_eq!(outcome, None);
        failures += 1;
    }
    assert_eq!(failures, 10);
}

fn fates(seed: u64, plan: impl Fn(&Sim)) -> (Vec<PacketFate>, PacketCounts, u64) {
    let sim = Sim::seeded(seed);
    plan(&sim);
    let fates = (0..10_000).map(|_| sim.faults().packet()).collect();
    (fates, sim.faults().packets(), sim.trace_hash())
}

#[test]
fn a_fresh_plan_delivers_everything() {
    let (all, counts, _) = fates(1, |_| ());
    assert!(all.iter().all(|f| *f == PacketFate::Deliver));
    assert_eq!(counts, PacketCounts { packets: 10_000, ..PacketCounts::default() });
}

#[test]
fn packets_meet_their_fates_by_probability() {
    let plan = |sim: &Sim| {
        sim.faults().lose(100_000);
        sim.faults().double(100_000);
        sim.faults().delay(100_000, ms(10)..ms(20));
        sim.faults().reorder(100_000, ms(5));
    };
    let (all, counts, hash) = fates(1, plan);
    assert!((900..1100).contains(&counts.lost), "{counts:?}");
    assert!((800..1000).contains(&counts.doubled), "{counts:?}");
    assert!((1400..1700).contains(&counts.delayed), "{counts:?}");
    assert!(all.iter().all(|fate| match fate {
        PacketFate::Delay(by) => *by < ms(5) || (ms(10)..ms(20)).contains(by),
        PacketFate::Double(by) => *by < ms(1),
        _ => true,
    }));
    assert_eq!((all, hash), {
        let again = fates(1, plan);
        (again.0, again.2)
    });
    assert_ne!(hash, fates(2, plan).2);
}

#[test]
fn certain_loss_loses_all() {
    let (all, ..) = fates(3, |sim| sim.faults().lose(1_000_000));
    assert!(all.iter().all(|f| *f == PacketFate::Lose));
}

#[test]
fn waits_may_end_for_no_reason() {
    let sim = Sim::seeded(1);
    sim.faults().wake_early(1_000_000);
    sim.run(|| {
        let word = AtomicU32::new(0);
        assert_eq!(sim.wait(&OFF(), &word, 0, None), Wakeup::Woken);
    });
}

#[test]
fn kernels_may_get_no_thread() {
    let sim = Sim::seeded(1);
    sim.faults().refuse_threads(true);
    let kernel = || Threads::spawn(&*sim, "worker", Box::new(|| ())).map(drop);
    assert_eq!(kernel(), Err(SpawnError));
    sim.faults().refuse_threads(false);
    sim.run(|| assert_eq!(kernel(), Ok(())));
}

//! The memory account: limits, reclaim, and requests that no machine could fulfil.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::vm::reclaim::Reclaimer;
use base::{Cx, Errno, KBox, KDeque, KVec, Kernel, Lwp, NoMemory, Options};
use sim::Sim;
use support::{end, on_sims};

/// A cache that can give memory back, and what was asked of it.
#[derive(Default)]
struct Caches {
    cheap: Vec<KBox<[u8; 1000]>>,
    dear: Vec<KBox<[u8; 1000]>>,
    asked: Vec<&'static str>,
}

mod caching {
    use super::*;

    base::slot! { pub static CACHES: IntrMutex<Caches>; }

    fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
        CACHES.set(l, kmem::boxed(l, IntrMutex::new(l, Rank::Proto, Caches::default()))?)
    }

    base::component! { "caching", needs [], hooks { Kern => attach } }
}

base::kernel!(EMPTY = []);
base::kernel!(CACHING = [caching]);

fn shrink(
    cx: &Cx<'_>,
    name: &'static str,
    goal: usize,
    which: fn(&mut Caches) -> &mut Vec<KBox<[u8; 1000]>>,
) -> usize {
    let Some(caches) = cx.try_get(&caching::CACHES) else { return 0 };
    let Some(mut caches) = caches.try_lock(cx) else { return 0 };
    caches.asked.push(name);
    let mut freed = 0;
    while freed < goal && which(&mut caches).pop().is_some() {
        freed += 1000;
    }
    freed
}

base::reclaimer! { static DEAR = Reclaimer {
    name: "dear", stage: 9, run: |cx, goal| shrink(cx, "dear", goal, |c| &mut c.dear),
}; }
base::reclaimer! { static CHEAP = Reclaimer {
    name: "cheap", stage: 1, run: |cx, goal| shrink(cx, "cheap", goal, |c| &mut c.cheap),
}; }

/// A kernel with 100 objects in each cache, at its limit.
fn full(sim: &std::sync::Arc<Sim>) -> Kernel {
    let options = Options { memlimit: 400_000, ..Default::default() };
    let kernel = Kernel::boot_with(sim.clone(), &CACHING, &options).unwrap();
    kernel
        .enter(|l| {
            for _ in 0..100 {
                let (a, b) =
                    (kmem::boxed(l, [0; 1000]).unwrap(), kmem::boxed(l, [0; 1000]).unwrap());
                let mut caches = l.get(&caching::CACHES).lock(l);
                caches.cheap.push(a);
                caches.dear.push(b);
            }
            l.account().set_limit(l.account().used());
        })
        .unwrap();
    kernel
}

#[test]
fn past_the_limit_is_an_error_and_changes_nothing() {
    on_sims(|sim| {
        let options = Options { memlimit: 100_000, ..Default::default() };
        let kernel = Kernel::boot_with(sim.clone(), &EMPTY, &options).unwrap();
        kernel
            .enter(|l| {
                let used = l.account().used();
                assert!(kmem::boxed(l, [0_u8; 100_000]).is_err());
                assert!(kmem::arc(l, [0_u8; 100_000]).is_err());
                assert!(l.charge(100_000).is_err());
                assert_eq!(l.account().used(), used);

                let mut v = KVec::new(l);
                v.extend_from_slice(&[1_u8; 10_000]).unwrap();
                assert!(v.extend_from_slice(&[2; 100_000]).is_err());
                assert!(v.resize(100_000, 0).is_err());
                assert_eq!(&v[..], [1; 10_000], "what was there is there");
                let mut q = KDeque::new(l);
                let pushed = (0..).take_while(|n| q.push_back(*n) == Ok(())).count();
                assert!(pushed > 1000 && q.len() == pushed);
                assert_eq!(q.push_back(-1), Err(-1), "it comes back to who had it");
                assert_eq!(q.pop_front(), Some(0));
                assert!(l.account().used() <= l.account().limit());
                drop((v, q));
                assert_eq!(l.account().used(), used);

                // The limit may be moved, also below what is used.
                l.account().set_limit(used - 1);
                assert!(l.charge(1).is_err());
                l.account().set_limit(used + 1);
                assert!(l.charge(1).is_ok());
            })
            .unwrap();
        end(kernel);
    });
}

#[test]
fn impossible_sizes_are_errors_without_a_limit_too() {
    let kernel = Kernel::boot(Sim::seeded(1), &EMPTY).unwrap();
    kernel
        .enter(|l| {
            let used = l.account().used();
            for bytes in [usize::MAX, usize::MAX - 8, usize::MAX / 2 + 1] {
                assert!(l.charge(bytes).is_err());
            }
            let mut bytes: KVec<u8> = KVec::new(l);
            let mut words: KVec<u64> = KVec::new(l);
            words.push(1).unwrap();
            for n in [usize::MAX, usize::MAX - 8, usize::MAX / 2, usize::MAX / 8, 1 << 60] {
                assert_eq!(bytes.reserve(n), Err(NoMemory), "{n}");
                assert_eq!(words.reserve(n), Err(NoMemory), "{n}");
            }
            assert_eq!(&words[..], [1]);
            drop((bytes, words));
            assert_eq!(l.account().used(), used);
        })
        .unwrap();
    end(kernel);
}

#[test]
fn a_charge_past_the_limit_reclaims_first() {
    on_sims(|sim| {
        let kernel = full(sim);
        kernel
            .enter(|l| {
                let more = l.charge(10_000).expect("caches gave some back");
                let caches = l.get(&caching::CACHES).lock(l);
                assert_eq!(caches.asked, ["cheap"], "what costs least to make again, and no more");
                assert_eq!(caches.dear.len(), 100);
                assert!((80..=90).contains(&caches.cheap.len()), "about as much as was asked for");
                drop((caches, more));
            })
            .unwrap();
        end(kernel);
    });
}

#[test]
fn the_next_stage_follows_when_one_is_not_enough() {
    on_sims(|sim| {
        let kernel = full(sim);
        kernel
            .enter(|l| {
                let more = l.charge(150_000).expect("both caches gave some back");
                let caches = l.get(&caching::CACHES).lock(l);
                assert_eq!(caches.asked, ["cheap", "dear"]);
                assert!(caches.cheap.is_empty() && (1..60).contains(&caches.dear.len()));
                drop((caches, more));
                assert!(l.charge(1_000_000).is_err(), "more than there is");
            })
            .unwrap();
        end(kernel);
    });
}

#[test]
fn reclaim_passes_what_is_locked() {
    on_sims(|sim| {
        let kernel = full(sim);
        kernel
            .enter(|l| {
                let caches = l.get(&caching::CACHES).lock(l);
                assert!(l.charge(1).is_err());
                assert!(caches.asked.is_empty());
            })
            .unwrap();
        end(kernel);
    });
}

#[test]
fn a_charge_may_be_given_back_on_any_thread() {
    let kernel = Kernel::boot(Sim::seeded(1), &EMPTY).unwrap();
    let used = kernel.account().used();
    let object = kernel.enter(|l| kmem::arc(l, 5_u8)).unwrap().unwrap();
    assert!(kernel.account().used() > used);
    std::thread::spawn(move || assert_eq!(**object, 5)).join().unwrap();
    assert_eq!(kernel.account().used(), used);
    end(kernel);
}

#[test]
fn the_host_may_refuse_any_charge() {
    let sim = Sim::seeded(7);
    let kernel = Kernel::boot(sim.clone(), &EMPTY).unwrap();
    sim.faults().refuse(500_000);
    let granted =
        kernel.enter(|l| (0..1000).filter(|_| kmem::boxed(l, [0_u8; 64]).is_ok()).count()).unwrap();
    assert!((400..600).contains(&granted), "{granted} of 1000 at even odds");
    sim.faults().clear();
    end(kernel);
}

#[test]
fn a_part_of_an_account_is_charged_to_the_whole_and_asks_no_caches() {
    on_sims(|sim| {
        let kernel = full(sim);
        let (whole, part) = (kernel.account().clone(), base::Account::part(kernel.account(), 4));
        let limit = whole.limit();
        assert_eq!((part.used(), part.limit()), (0, limit / 4));
        // The kernel has no room: who has a part only does not have the caches emptied.
        let (before, mut kept) = (whole.used(), None);
        kernel
            .enter(|l| {
                let refused = Cx::charged_to(l, &part, |cx| kmem::boxed(cx, [0; 1000]).err());
                assert_eq!(refused, Some(NoMemory));
                assert_eq!(l.get(&caching::CACHES).lock(l).asked, [""; 0]);
            })
            .unwrap();
        assert_eq!((part.used(), whole.used()), (0, before));
        // With room, both are charged, up to the part's limit, which follows that of the whole.
        whole.set_limit(4 * before);
        assert_eq!(part.limit(), before);
        kernel
            .enter(|l| {
                let made = Cx::charged_to(l, &part, |cx| {
                    let mut bytes = KVec::<u8>::new(cx);
                    bytes.reserve(1000).map(|()| bytes)
                });
                kept = Some(made.unwrap());
                assert_eq!(kept.as_mut().unwrap().reserve(before as usize), Err(NoMemory));
                drop(kmem::boxed(l, [0_u8; 1000]).unwrap());
            })
            .unwrap();
        let held = part.used();
        assert!(held >= 1000 && whole.used() == before + held);
        drop(kept);
        assert_eq!((part.used(), whole.used()), (0, before));
        end(kernel);
    });
}

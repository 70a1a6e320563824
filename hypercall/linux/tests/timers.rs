//! Timers fire once, in time, in order; and not after they were taken back.
//!
//! Locking: none. Sources: none.

mod guests;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use guests::{Fake, Later, eventually};
use hypercall::{Carried, Clock, Guest, Instant, Timers};
use linux::Linux;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[test]
fn timers_fire_in_the_order_of_their_deadlines_and_not_early() {
    let host = Linux::builder().workers(1).build();
    let order = Arc::new(Mutex::new(Vec::new()));
    let start = host.now();
    let due = |n: u64| start + ms(5) + Duration::from_micros(n * 200);
    for n in (0..50).rev() {
        let (order, host2, at) = (order.clone(), host.clone(), due(n));
        let guest: Arc<dyn Guest> = Fake::doing(move |_| {
            assert!(host2.now() >= at);
            order.lock().unwrap().push(n);
            Carried::Done
        });
        host.rearm(&guest, None, Some(at));
    }
    eventually("all fire", || order.lock().unwrap().len() == 50);
    assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
}

#[test]
fn an_earlier_deadline_is_not_slept_through() {
    let host = Linux::new();
    let (late, soon) = (Fake::new(), Fake::new());
    let (late_guest, soon_guest): (Arc<dyn Guest>, Arc<dyn Guest>) = (late.clone(), soon.clone());
    let far = host.now() + Duration::from_secs(3600);
    host.rearm(&late_guest, None, Some(far));
    guests::pause(ms(5));
    host.rearm(&soon_guest, None, Some(host.now() + ms(5)));
    eventually("the earlier one", || soon.timers() == 1);
    host.rearm(&late_guest, Some(far), Some(Instant::default()));
    eventually("a deadline in the past", || late.timers() == 1);
}

#[test]
fn a_timer_can_be_replaced_and_taken_back() {
    let host = Linux::new();
    let (moved, gone) = (Fake::new(), Fake::new());
    let (moved_guest, gone_guest): (Arc<dyn Guest>, Arc<dyn Guest>) = (moved.clone(), gone.clone());
    let at = host.now() + ms(200);
    host.rearm(&moved_guest, None, Some(at));
    host.rearm(&gone_guest, None, Some(at));
    host.rearm(&moved_guest, Some(at), Some(at + ms(10)));
    host.rearm(&gone_guest, Some(at), None);
    // Taken back twice, or by a deadline it never had: nothing happens.
    host.rearm(&gone_guest, Some(at), None);
    host.rearm(&gone_guest, Some(Instant::from_nanos(1)), None);
    host.rearm(&gone_guest, None, None);
    eventually("the moved one", || moved.timers() == 1);
    assert!(host.now() >= at + ms(10));
    guests::pause(ms(20));
    assert_eq!((moved.timers(), gone.timers()), (1, 0));
    // The host holds neither of them any more.
    drop((moved_guest, gone_guest));
    eventually("released", || Arc::strong_count(&moved) == 1 && Arc::strong_count(&gone) == 1);
}

#[test]
fn a_timer_may_rearm_itself() {
    let host = Linux::builder().workers(1).build();
    let me: Later<Arc<Fake>> = Later::default();
    let (host2, again, left) = (host.clone(), me.clone(), AtomicU32::new(20));
    let fake = Fake::doing(move |_| {
        if left.fetch_sub(1, Ordering::SeqCst) > 1 {
            let guest: Arc<dyn Guest> = again.get().unwrap().clone();
            host2.rearm(&guest, None, Some(host2.now() + ms(1)));
        }
        Carried::Done
    });
    assert!(me.set(fake.clone()).is_ok());
    let guest: Arc<dyn Guest> = fake.clone();
    host.rearm(&guest, None, Some(host.now()));
    eventually("twenty times", || fake.timers() == 20);
}

#[test]
fn ten_thousand_timers_at_once() {
    let host = Linux::new();
    let fakes: Vec<_> = (0..10_000).map(|_| Fake::new()).collect();
    let at = host.now() + ms(20);
    for fake in &fakes {
        let guest: Arc<dyn Guest> = fake.clone();
        host.rearm(&guest, None, Some(at));
    }
    eventually("all", || fakes.iter().all(|f| f.timers() == 1));
    assert!(fakes.iter().all(|f| f.timers() == 1));
}

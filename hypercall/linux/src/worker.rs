//! Workers: threads that carry interrupts and fire timers.
//!
//! A worker moves guests from the pool to its lane and visits them, with whatever they raise, in
//! order; every so often it looks at the pool again, so that two guests that raise each other for
//! ever delay nobody. With nothing to do it sleeps.
//!
//! Locking: `pool` between visits. Sources: none.

use std::sync::Arc;
use std::thread;

use hypercall::{Carried, Guest};

use crate::lane::{self, Lane};
use crate::pool::{Nap, Step};
use crate::shared::{Shared, visit};

/// Visits between two looks at the pool.
const ROUND: u32 = 32;

/// Starts a worker; `false` if the system has no thread to give.
pub fn spawn(shared: &Arc<Shared>) -> bool {
    let shared = shared.clone();
    thread::Builder::new().name("interrupts".into()).spawn(move || run(&shared)).is_ok()
}

fn run(shared: &Arc<Shared>) {
    let nap = Arc::new(Nap::default());
    // It was called, or it would not be here.
    let mut searching = true;
    let Some(lane) = lane::of(shared) else { return };
    let limit = shared.limit();
    loop {
        match shared.with_pool(|pool| pool.step(&nap, &lane, &mut searching, limit)) {
            Step::End => return,
            Step::Sleep(until) => {
                lane.set_carrying(false);
                nap.sleep(limit > 1, until);
            }
            Step::Work(timer) => {
                if !lane.carrying() {
                    // Others may wait in the pool.
                    lane.set_carrying(true);
                    shared.watch_over(&lane);
                }
                if let Some(guest) = timer {
                    one(shared, &lane, guest, |guest| guest.timer());
                }
                for _ in 0..ROUND {
                    let Some(guest) = lane.pop() else { break };
                    one(shared, &lane, guest, |guest| guest.interrupt());
                }
            }
        }
    }
}

/// One visit. A guest that wants another goes behind all others.
fn one(
    shared: &Arc<Shared>,
    lane: &Lane,
    guest: Arc<dyn Guest>,
    up: impl FnOnce(&dyn Guest) -> Carried,
) {
    lane.count();
    let again = visit(guest, up);
    lane.wake_deferred();
    if let Some(again) = again {
        shared.requeue(again);
    }
}

//! Guests: interrupts that were raised, and the one deadline that each guest may have.
//!
//! A guest gets a number when it first appears, which the trace shows. A deadline that has
//! passed turns into a visit; `rearm` does not take such a visit back, so that kernels meet the
//! late up-call that the contract allows.
//!
//! Locking: the table is under `Sim::state`.
//! Sources: `hypercall::{Interrupts, Timers}`.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use hypercall::{Guest, Instant, Interrupts, Offcpu, Timers};

use crate::Sim;
use crate::state::{Due, State, Verdict, Visit};
use crate::trace::Event;

struct Known {
    /// Keeps the address from being used again while the number stands.
    guest: Weak<dyn Guest>,
    number: u64,
    deadline: Option<(u64, u64)>,
}

/// The guests that are known, by address.
#[derive(Default)]
pub struct Guests {
    known: BTreeMap<usize, Known>,
    last_number: u64,
    /// Forget the dead when the table has grown to this.
    sweep_at: usize,
}

fn address(guest: &Arc<dyn Guest>) -> usize {
    Arc::as_ptr(guest).cast::<()>() as usize
}

impl Guests {
    fn know(&mut self, guest: &Arc<dyn Guest>) -> &mut Known {
        if self.known.len() >= self.sweep_at {
            self.known.retain(|_, k| k.guest.strong_count() != 0);
            self.sweep_at = 64 + 2 * self.known.len();
        }
        let last = &mut self.last_number;
        self.known.entry(address(guest)).or_insert_with(|| {
            *last += 1;
            Known { guest: Arc::downgrade(guest), number: *last, deadline: None }
        })
    }

    /// The deadline of `guest` has passed: it has none now.
    pub fn expired(&mut self, guest: &Arc<dyn Guest>) {
        if let Some(known) = self.known.get_mut(&address(guest)) {
            known.deadline = None;
        }
    }
}

impl Sim {
    /// How often `rearm` named another deadline than the one that the guest had. A host that
    /// keeps no table would have left the guest with two: a fault of the kernel.
    pub fn wrong_rearms(&self) -> u64 {
        self.lock().wrong_rearms
    }
}

impl Interrupts for Sim {
    fn raise(&self, guest: Arc<dyn Guest>) {
        let mut state = self.lock();
        let number = state.guests.know(&guest).number;
        state.trace.note(Event::Raise { guest: number });
        state.pending.push(Visit::Interrupt(guest, number));
    }

    fn carry(&self, _proof: &Offcpu) {
        let me = self.me("carry");
        let mut state = self.lock();
        if state.visiting() {
            // The visitor goes on to what is pending as soon as this visit is over.
            return;
        }
        if state.pending.is_empty() && state.runnable.is_empty() {
            return;
        }
        state.ready(me, Verdict::Woken);
        drop(self.reschedule(state, me));
    }
}

impl Timers for Sim {
    fn rearm(&self, guest: &Arc<dyn Guest>, old: Option<Instant>, new: Option<Instant>) {
        let mut state = self.lock();
        let replaced = state.rearm(guest, old.map(Instant::nanos), new.map(Instant::nanos));
        drop(state);
        drop(replaced);
    }
}

impl State {
    fn rearm(&mut self, guest: &Arc<dyn Guest>, old: Option<u64>, new: Option<u64>) -> Option<Due> {
        let known = self.guests.know(guest);
        let number = known.number;
        let deadline = known.deadline.take();
        if deadline.is_some_and(|(when, _)| old != Some(when)) {
            self.wrong_rearms += 1;
        }
        let replaced = deadline.and_then(|key| self.remove_deadline(key));
        if let Some(when) = new {
            let key = self.add_deadline(when, Due::Guest(guest.clone(), number));
            self.guests.know(guest).deadline = Some(key);
        }
        replaced
    }
}

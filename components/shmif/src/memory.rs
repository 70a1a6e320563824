//! The bus inside a process.
//!
//! Its members are found by name through the host, so two hosts in one process have two name
//! spaces. A frame for one member is handed to it as it is; only a frame for several is duplicated,
//! and then shares its clusters.
//!
//! A member remembers the others as long as they are few and the bus has not changed, so that a sender
//! on a quiet bus writes to nothing that it shares with other senders but the receiver's queue.
//!
//! Locking: the list of members by a short spin lock; no frame is freed and no line raised under
//! a writer. `Rank::Ifqueue` for a receiver's batch and timer, and for the members that are remembered,
//! which is held while a frame is handed to them.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

use base::callout::{self, Callout};
use base::lock::{IntrMutex, Rank};
use base::sched::line::{self, Line};
use base::vm::kmem;
use base::{Charge, Cx, Errno, KArc, KDeque, Lwp, PacketFate};
use net::MacAddr;
use net::ethernet;
use net::ifnet::{IfError, IfFlags, Ifnet};
use net::mbuf::Packet;
use smallvec::SmallVec;

use crate::backend::Backend;
use crate::port::Port;

/// A bus: its members.
struct Bus {
    members: spin::RwLock<Vec<Arc<Port>>>,
    /// Of the list; changes with it.
    generation: AtomicU64,
}

impl Bus {
    #[allow(clippy::disallowed_methods)] // no kernel's: see `join`
    fn new() -> Arc<Bus> {
        let (members, generation) = (spin::RwLock::new(Vec::new()), AtomicU64::new(1));
        Arc::new(Bus { members, generation })
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Port>>)) {
        let mut members = self.members.write();
        change(&mut members);
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// So many other members are remembered; on a larger bus the list is looked at each time.
const NEAR: usize = 4;

/// The other members, as of a generation of the list.
#[derive(Default)]
struct Near {
    generation: u64,
    /// None: there are more than are remembered.
    others: Option<SmallVec<[Arc<Port>; NEAR]>>,
}

impl Near {
    /// Those that are remembered, brought up to date.
    #[inline]
    fn others(&mut self, bus: &Bus, mine: &Arc<Port>) -> Option<&[Arc<Port>]> {
        if self.generation != bus.generation.load(Ordering::Acquire) {
            self.refresh(bus, mine);
        }
        self.others.as_deref()
    }

    #[cold]
    fn refresh(&mut self, bus: &Bus, mine: &Arc<Port>) {
        let members = bus.members.read();
        self.generation = bus.generation.load(Ordering::Acquire);
        let others = || members.iter().filter(|m| !Arc::ptr_eq(m, mine));
        let few = members.len() <= NEAR + 1;
        self.others = few.then(|| others().cloned().collect());
    }
}

/// What a member costs: its port, and its place on the bus.
const COST: usize = size_of::<Port>() + 64;

/// A member's connection.
struct Membership {
    bus: Arc<Bus>,
    port: Arc<Port>,
    receiver: KArc<Receiver>,
    near: IntrMutex<Near>,
    _charge: Charge,
}

/// The receiving side: what the interrupt runs.
struct Receiver {
    port: Arc<Port>,
    ifp: KArc<Ifnet>,
    /// Frames that were taken out of the port together.
    batch: IntrMutex<KDeque<Packet>>,
    /// For delayed frames; made when the first one comes.
    timer: IntrMutex<Option<Callout>>,
}

/// Connects `ifp` to the bus called `name`.
#[allow(clippy::disallowed_methods)] // shared by kernels: a port is charged
pub(crate) fn join(
    l: &mut Lwp<'_>,
    ifp: &KArc<Ifnet>,
    name: &str,
) -> Result<KArc<dyn Backend>, IfError> {
    let charge = l.charge(COST)?;
    let key = alloc::string::String::from("shmif:") + name;
    let mut make = || Bus::new() as Arc<dyn Any + Send + Sync>;
    let shared = l.host().rendezvous(&key, &mut make);
    let bus = shared.downcast::<Bus>().map_err(|_| IfError::Busy)?;

    let port = Arc::new(Port::new(l.account()));
    let timer = IntrMutex::new(l, Rank::Ifqueue, None);
    let batch = IntrMutex::new(l, Rank::Ifqueue, KDeque::new(l));
    let receiver = Receiver { port: port.clone(), ifp: ifp.clone(), batch, timer };
    let receiver = kmem::arc(l, receiver)?;
    let near = IntrMutex::new(l, Rank::Ifqueue, Near::default());
    let membership = Membership { bus, port, receiver, near, _charge: charge };
    let membership = kmem::arc(l, membership)?;
    let line = Line::establish(l, membership.receiver.clone())?;
    membership.port.set_line(line);
    membership.port.refresh(ifp);
    // All members are in this process's memory.
    ifp.set_unfinished_max(u32::MAX);
    membership.bus.change(|members| members.push(membership.port.clone()));
    Ok(membership)
}

impl Backend for Membership {
    #[inline]
    fn send(&self, cx: &Cx<'_>, frame: Packet) -> Result<(), IfError> {
        let Some(dst) = frame.head().first_chunk().map(|d| MacAddr(*d)) else {
            return Err(IfError::Invalid);
        };
        let mut near = self.near.lock(cx);
        if let Some(others) = near.others(&self.bus, &self.port) {
            hand_to(cx, others.iter().filter(|m| m.wants(dst)), frame);
        } else {
            drop(near);
            let members = self.bus.members.read();
            let others = members.iter().filter(|m| !Arc::ptr_eq(m, &self.port));
            hand_to(cx, others.filter(|m| m.wants(dst)), frame);
        }
        Ok(())
    }

    fn refresh(&self, ifp: &Ifnet) {
        self.port.refresh(ifp);
    }

    fn leave(&self, l: &mut Lwp<'_>) {
        self.bus.change(|members| members.retain(|m| !Arc::ptr_eq(m, &self.port)));
        self.port.close();
        if let Some(line) = self.port.line() {
            line.disestablish(l);
        }
        let rest = core::mem::replace(&mut *self.receiver.batch.lock(l), KDeque::new(l));
        drop(rest);
        let timer = self.receiver.timer.lock(l).take();
        if let Some(timer) = timer {
            timer.destroy(l);
        }
    }
}

/// Hands a frame to all of `takers`.
#[inline]
fn hand_to<'a>(cx: &Cx<'_>, takers: impl Iterator<Item = &'a Arc<Port>>, frame: Packet) {
    let (mut takers, mut frame) = (takers.peekable(), Some(frame));
    while let Some(port) = takers.next() {
        let copy = match takers.peek() {
            // The last one gets the frame itself.
            None => frame.take(),
            Some(_) => frame.as_ref().and_then(|f| f.duplicate(cx).ok()),
        };
        match copy {
            Some(copy) => deliver(cx, port, copy),
            None => port.dropped(cx),
        }
    }
}

/// Hands a frame to a member, as well as the host lets it.
#[inline]
fn deliver(cx: &Cx<'_>, port: &Port, frame: Packet) {
    match cx.host().faults() {
        None => port.deliver(cx, frame, None),
        Some(faults) => match faults.packet() {
            PacketFate::Deliver => port.deliver(cx, frame, None),
            PacketFate::Lose => {}
            PacketFate::Delay(d) => port.deliver(cx, frame, Some(cx.now() + d)),
            PacketFate::Double(d) => {
                if let Ok(copy) = frame.duplicate(cx) {
                    port.deliver(cx, copy, Some(cx.now() + d));
                }
                port.deliver(cx, frame, None);
            }
        },
    }
}

impl line::Handler for Receiver {
    fn interrupt(&self, cx: &Cx<'_>) {
        match self.port.take_drops() {
            0 => {}
            n => self.ifp.counters.iqdrops.add(cx, n),
        }
        while let Some(frame) = { self.port.take(cx, &mut self.batch.lock(cx)) } {
            if self.ifp.flags().contains(IfFlags::UP) {
                ethernet::input(cx, &self.ifp, frame);
            }
            if !cx.spend() {
                // Over the budget: the rest when the kernel is visited again.
                if let Some(line) = self.port.line() {
                    line.raise_from(cx);
                }
                return;
            }
        }
        if let Some(due) = self.port.next_due() {
            self.wake_at(cx, due);
        }
    }
}

impl Receiver {
    /// Looks again at `due`. Without memory for a timer, when the next frame comes.
    #[cold]
    fn wake_at(&self, cx: &Cx<'_>, due: base::Instant) {
        if self.timer.lock(cx).is_none() {
            let made = kmem::arc(cx, Wake(self.port.clone()))
                .and_then(|wake| Callout::new(cx, wake))
                .map_err(Errno::from);
            if let Ok(timer) = made {
                *self.timer.lock(cx) = Some(timer);
            }
        }
        if let Some(timer) = &*self.timer.lock(cx) {
            timer.schedule_at(cx, due);
        }
    }
}

/// The timer of delayed frames.
struct Wake(Arc<Port>);

impl callout::Handler for Wake {
    fn expired(&self, cx: &Cx<'_>) {
        if let Some(line) = self.0.line() {
            line.raise_from(cx);
        }
    }
}

//! The bus inside a process.
//!
//! Its members are found by name through the host, so two hosts in one process have two name
//! spaces. A frame for one member is handed to it as it is; only a frame for several is duplicated,
//! and then shares its clusters.
//!
//! Locking: the list of members by a short spin lock; no frame is freed and no line raised under
//! a writer. `Rank::Ifqueue` for a receiver's timer.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use base::callout::{self, Callout};
use base::lock::{IntrMutex, Rank};
use base::sched::line::{self, Line};
use base::vm::kmem;
use base::{Charge, Cx, Errno, KArc, Lwp, PacketFate};
use net::MacAddr;
use net::ethernet;
use net::ifnet::{IfError, IfFlags, Ifnet};
use net::mbuf::Packet;

use crate::backend::Backend;
use crate::port::Port;

/// A bus: its members.
struct Bus {
    members: spin::RwLock<Vec<Arc<Port>>>,
}

/// What a member costs: its port, and its place on the bus.
const COST: usize = size_of::<Port>() + 64;

/// A member's connection.
struct Membership {
    bus: Arc<Bus>,
    port: Arc<Port>,
    receiver: KArc<Receiver>,
    _charge: Charge,
}

/// The receiving side: what the interrupt runs.
struct Receiver {
    port: Arc<Port>,
    ifp: KArc<Ifnet>,
    /// For delayed frames; made when the first one comes.
    timer: IntrMutex<Option<Callout>>,
}

/// Connects `ifp` to the bus called `name`.
#[allow(clippy::disallowed_methods)] // shared by kernels: the bus is no kernel's, a port is charged
pub(crate) fn join(
    l: &mut Lwp<'_>,
    ifp: &KArc<Ifnet>,
    name: &str,
) -> Result<KArc<dyn Backend>, IfError> {
    let charge = l.charge(COST)?;
    let key = alloc::string::String::from("shmif:") + name;
    let mut make =
        || Arc::new(Bus { members: spin::RwLock::new(Vec::new()) }) as Arc<dyn Any + Send + Sync>;
    let shared = l.host().rendezvous(&key, &mut make);
    let bus = shared.downcast::<Bus>().map_err(|_| IfError::Busy)?;

    let port = Arc::new(Port::new(l.account()));
    let timer = IntrMutex::new(l, Rank::Ifqueue, None);
    let receiver = kmem::arc(l, Receiver { port: port.clone(), ifp: ifp.clone(), timer })?;
    let membership = Membership { bus, port, receiver, _charge: charge };
    let membership = kmem::arc(l, membership)?;
    let line = Line::establish(l, membership.receiver.clone())?;
    membership.port.set_line(line);
    membership.port.refresh(ifp);
    // All members are in this process's memory.
    ifp.set_unfinished_max(u32::MAX);
    membership.bus.members.write().push(membership.port.clone());
    Ok(membership)
}

impl Backend for Membership {
    #[inline]
    fn send(&self, cx: &Cx<'_>, frame: Packet) -> Result<(), IfError> {
        let Some(dst) = frame.head().first_chunk().map(|d| MacAddr(*d)) else {
            return Err(IfError::Invalid);
        };
        let members = self.bus.members.read();
        let mut takers =
            members.iter().filter(|m| !Arc::ptr_eq(m, &self.port) && m.wants(dst)).peekable();
        let mut frame = Some(frame);
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
        Ok(())
    }

    fn refresh(&self, ifp: &Ifnet) {
        self.port.refresh(ifp);
    }

    fn leave(&self, l: &mut Lwp<'_>) {
        self.bus.members.write().retain(|m| !Arc::ptr_eq(m, &self.port));
        self.port.close();
        if let Some(line) = self.port.line() {
            line.disestablish(l);
        }
        let timer = self.receiver.timer.lock(l).take();
        if let Some(timer) = timer {
            timer.destroy(l);
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
        while let Some(frame) = self.port.take(cx) {
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

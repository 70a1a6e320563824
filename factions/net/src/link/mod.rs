//! Links with character: delay, rate, loss and their like, on what an interface sends.
//!
//! A link lies between an interface's output (and its captures) and its driver, of any kind. An
//! interface without one pays for a look at a flag beside one that it looks at anyway.
//!
//! * [`Character`]: what a link does; [`crate::ifnet::config::set_character`] sets it.
//! * [`Link`]: the queue, pure.  * The rest of this file: the shell around it.
//!
//! A link has one callout, set to the time at which the next packet comes out; none is set while it is
//! empty. Its random numbers follow from a seed out of the kernel's generator, so on a simulation host
//! a run repeats exactly. What is in a link is charged to the kernel that sent it. A packet that is
//! lost was sent, as far as its sender can tell; one for which a link has no room was not.
//!
//! Locking: `Rank::Link`, not held while the driver has a packet. One visitor at a time takes packets
//! out, so that they reach the driver in order; what others put in meanwhile, it takes, too.
//! Sources: Linux net/sched/sch_netem.c.

mod character;
mod queue;
mod random;
#[cfg(test)]
mod tests;

use core::sync::atomic::Ordering;

use base::callout::{Callout, Handler};
use base::vm::kmem;
use base::{Cx, Instant, KArc, KBox};

use crate::EtherType;
use crate::ethernet::wire::HEADER_LEN;
use crate::ifnet::{self, IfError, IfFlags, Ifnet};
use crate::mbuf::{Flags, Packet};
use crate::offload;

pub use character::{
    Character, CharacterError, Distribution, LIMIT, MAX_BURST, MAX_DELAY, MAX_LIMIT, Probability,
};
pub use queue::{Counts, Full, Link, Spoil};

/// A packet on its way, and its type if it has no link header.
struct Frame {
    packet: Packet,
    bare: Option<EtherType>,
}

/// An interface's link.
pub(crate) struct Port {
    link: Link<Frame>,
    /// Always there, but while the link is being made and taken away.
    callout: Option<Callout>,
    /// Somebody takes packets out.
    releasing: bool,
}

/// What a link does, and did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// What it does to packets.
    pub character: Character,
    /// What it did, since it is there.
    pub counts: Counts,
    /// Packets in it.
    pub queued: usize,
}

/// How packets of a kernel are spoilt.
struct InKernel<'a, 'k>(&'a Cx<'k>);

impl Spoil<Frame> for InKernel<'_, '_> {
    fn double(&self, frame: &Frame) -> Option<Frame> {
        let packet = frame.packet.duplicate(self.0).ok()?;
        Some(Frame { packet, bare: frame.bare })
    }

    /// Checksums are filled in by then, so it can be told.
    fn corrupt(&self, mut frame: Frame, bit: usize) -> Option<Frame> {
        frame.packet.flip_bit(bit).ok()?;
        frame.packet.set_flags(frame.packet.flags() | Flags::SPOILT);
        Some(frame)
    }
}

/// Takes packets out when it is their time.
struct Release(KArc<Ifnet>);

impl Handler for Release {
    fn expired(&self, cx: &Cx<'_>) {
        release(cx, &self.0, || cx.spend());
    }
}

/// Sends a packet through the link of `ifp`.
#[cold]
pub(crate) fn output(
    cx: &Cx<'_>,
    ifp: &KArc<Ifnet>,
    packet: Packet,
    bare: Option<EtherType>,
) -> Result<(), IfError> {
    if !packet.unfinished().is_empty() {
        // A link deals with packets as they are on a wire: they are lost one by one.
        let emit = &mut |packet| output(cx, ifp, packet, bare);
        return match bare {
            None => offload::finish_frame(cx, packet, 0, emit),
            Some(ethertype) => offload::finish(cx, ethertype, packet, 0, 0, emit),
        };
    }
    let mut guard = ifp.link.lock(cx);
    let Some(port) = guard.as_deref_mut() else {
        drop(guard);
        return ifnet::hand_over(cx, ifp, packet, bare);
    };
    let (len, header_len) = (packet.len(), if bare.is_some() { 0 } else { HEADER_LEN });
    let now = cx.now().nanos();
    let before = port.link.deadline();
    let sent = port.link.offer(now, len, header_len, Frame { packet, bare }, &InKernel(cx));
    // For the packet that was first before, the timer is set.
    let first = port.link.deadline().filter(|first| before != Some(*first));
    match (first, &port.callout) {
        (Some(first), Some(callout)) if first > now => {
            callout.schedule_by(cx, Instant::from_nanos(first));
        }
        (Some(_), _) => {
            drop(guard);
            release(cx, ifp, || true);
        }
        (None, _) => {}
    }
    sent.map_err(|Full| {
        ifp.counters.oqdrops.inc(cx);
        IfError::Full
    })
}

/// Gives the driver what is due, one packet at least and more while `may_go_on`, and sets the timer to
/// the next one.
fn release(cx: &Cx<'_>, ifp: &KArc<Ifnet>, may_go_on: impl Fn() -> bool) {
    let mut is_mine = false;
    loop {
        let mut guard = ifp.link.lock(cx);
        let Some(port) = guard.as_deref_mut() else { return };
        if port.releasing && !is_mine {
            return;
        }
        let is_on = !is_mine || may_go_on();
        let due = if is_on { port.link.release(cx.now().nanos()) } else { None };
        let Some(Frame { packet, bare }) = due else {
            port.releasing = false;
            if let (Some(next), Some(callout)) = (port.link.deadline(), &port.callout) {
                callout.schedule_by(cx, Instant::from_nanos(next));
            }
            return;
        };
        (port.releasing, is_mine) = (true, true);
        drop(guard);
        // What the driver refuses is counted; its sender is long gone.
        let _ = ifnet::hand_over(cx, ifp, packet, bare);
    }
}

/// What the link of `ifp` does, and did.
pub(crate) fn status(cx: &Cx<'_>, ifp: &Ifnet) -> Status {
    let guard = ifp.link.lock(cx);
    let Some(port) = guard.as_deref() else { return Status::default() };
    let link = &port.link;
    Status { character: *link.character(), counts: link.counts(), queued: link.len() }
}

/// Gives the link of `ifp` this character. Without any, what is in it goes out at once.
pub(crate) fn set(cx: &Cx<'_>, ifp: &KArc<Ifnet>, character: Character) -> Result<(), IfError> {
    if character == Character::default() {
        if let Some(mut port) = take(cx, ifp) {
            while let Some(Frame { packet, bare }) = port.link.release(u64::MAX) {
                let _ = ifnet::hand_over(cx, ifp, packet, bare);
            }
        }
        return Ok(());
    }
    let is_there = ifp.link.lock(cx).is_some();
    if !is_there {
        return attach(cx, ifp, character);
    }
    if let Some(port) = ifp.link.lock(cx).as_deref_mut() {
        port.link.change(cx.now().nanos(), character);
    }
    release(cx, ifp, || true);
    Ok(())
}

fn attach(cx: &Cx<'_>, ifp: &KArc<Ifnet>, character: Character) -> Result<(), IfError> {
    let link = Link::new(cx.account(), character, base::random::u64(cx));
    let mut port = kmem::boxed(cx, Port { link, callout: None, releasing: false })?;
    // Last, since a timer that is merely dropped stays.
    port.callout = Some(Callout::new(cx, kmem::arc(cx, Release(ifp.clone()))?)?);
    *ifp.link.lock(cx) = Some(port);
    ifp.shaped.store(true, Ordering::Relaxed);
    Ok(())
}

/// Takes the link away, with what is in it.
fn take(cx: &Cx<'_>, ifp: &Ifnet) -> Option<KBox<Port>> {
    ifp.shaped.store(false, Ordering::Relaxed);
    let mut port = ifp.link.lock(cx).take()?;
    if let Some(callout) = port.callout.take() {
        callout.destroy(cx);
    }
    Some(port)
}

/// Takes the link of an interface that is destroyed away; what is in it is dropped.
pub(crate) fn detach(cx: &Cx<'_>, ifp: &Ifnet) {
    if let Some(port) = take(cx, ifp) {
        ifp.counters.oerrors.add(cx, port.link.len() as u64);
    }
}

/// Drops what is in the link of an interface that goes down: what it would send is refused, too.
pub(crate) fn purge(cx: &Cx<'_>, ifp: &Ifnet) {
    debug_assert!(!ifp.flags().contains(IfFlags::UP));
    let mut dropped = 0;
    while let Some(frame) = take_any(cx, ifp) {
        drop(frame);
        dropped += 1;
    }
    ifp.counters.oerrors.add(cx, dropped);
}

fn take_any(cx: &Cx<'_>, ifp: &Ifnet) -> Option<Frame> {
    ifp.link.lock(cx).as_deref_mut()?.link.release(u64::MAX)
}

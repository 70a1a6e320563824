//! A connection to a device of the host's.
//!
//! The host's thread that sees frames come raises our line and carries the interrupt itself; the
//! interrupt takes frames out until there are none or its share of the CPU is used up. Frames to
//! the host go straight into it. What it has no room for is dropped and counted.
//!
//! A frame leaves the machine's memory here, so it comes with its checksums filled in and no longer
//! than the link ([`net::offload`]). To have the host do that instead, it is [`Link::send`] that would
//! have to tell it, and [`Link::take`] that would learn from it what was checked.
//!
//! Locking: `Rank::Ifqueue` for the buffer; not held while a frame goes up.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use base::lock::{IntrMutex, Rank};
use base::sched::line::{self, Line};
use base::vm::kmem;
use base::{Charge, Cx, KArc, KVec, Lwp, Offcpu, kprintf};
use net::ethernet;
use net::ethernet::wire::{HEADER_LEN, MTU, TAG_LEN};
use net::ifnet::{IfError, IfFlags, Ifnet};
use net::mbuf::Packet;

use crate::host::{self, Bell, Device, Network, OpenError, ReceiveError, SendError};

/// What the host's half holds for a device: descriptor, queue, places in lists.
const COST: usize = 512;

/// Room behind the longest packet: its header, a tag, and a byte that tells a frame that is longer.
const SPARE: usize = HEADER_LEN + TAG_LEN + 1;

/// An open device, and the interface that it is the link of.
pub(crate) struct Link {
    device: Box<dyn Device>,
    name: String,
    ifp: KArc<Ifnet>,
    line: spin::Once<Line>,
    /// Where a frame is copied to before anybody looks at it.
    buffer: IntrMutex<KVec<u8>>,
    _charge: Charge,
}

impl Link {
    /// Opens the host's device `name` for `ifp`.
    pub(crate) fn open(
        l: &mut Lwp<'_>,
        ifp: &KArc<Ifnet>,
        name: &str,
    ) -> Result<KArc<Link>, IfError> {
        let half = l.host().io(host::NAME).and_then(|half| half.downcast::<Network>().ok());
        let half = half.ok_or(IfError::NotSupported)?;
        let charge = l.charge(COST + name.len())?;
        let buffer = IntrMutex::new(l, Rank::Ifqueue, KVec::new(l));

        let (device, alive) = l.offcpu(|proof| half.0.open(name, proof));
        let device = device.map_err(|e| refused(l, ifp, name, e))?;
        alive?;

        let link = Link {
            device,
            name: String::from(name),
            ifp: ifp.clone(),
            line: spin::Once::new(),
            buffer,
            _charge: charge,
        };
        Ok(kmem::arc(l, link)?)
    }

    /// Frames are taken from now on.
    pub(crate) fn listen(link: &KArc<Link>, l: &mut Lwp<'_>) -> Result<(), IfError> {
        let line = Line::establish(l, link.clone())?;
        let line = link.line.call_once(|| line);
        #[expect(clippy::disallowed_methods, reason = "charged with the link")]
        let bell = Arc::new(Raise(line.clone()));
        link.device.listen(bell).map_err(if_error)
    }

    /// The device's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Gives a frame to the host.
    #[inline]
    pub(crate) fn send(&self, frame: Packet) -> Result<(), IfError> {
        self.device.send(&mut frame.segments()).map_err(|e| match e {
            SendError::Full => IfError::Full,
            SendError::Down => IfError::Down,
            SendError::Length => IfError::Invalid,
            SendError::Gone => IfError::Broken,
        })
    }

    /// No frame arrives after this.
    pub(crate) fn leave(&self, l: &mut Lwp<'_>) {
        self.device.leave();
        if let Some(line) = self.line.get() {
            line.disestablish(l);
        }
    }

    /// Takes the next frame out of the host.
    fn take(&self, cx: &Cx<'_>) -> Took {
        let mut buffer = self.buffer.lock(cx);
        let room = (self.ifp.mtu() as usize).max(MTU) + SPARE;
        if buffer.len() < room && buffer.resize(room, 0).is_err() {
            // Without memory nothing can be looked at. What comes next rings again.
            drop(buffer);
            return self.skip(cx);
        }
        let room = buffer.len();
        match self.device.receive(&mut buffer) {
            Ok(len) if len >= room => Took::Malformed,
            Ok(len) => {
                let frame = buffer.get(..len).unwrap_or_default();
                Packet::from_slice(cx, frame).map_or(Took::Dropped, Took::Frame)
            }
            Err(ReceiveError::Empty) => Took::Nothing,
            Err(ReceiveError::Gone) => Took::Gone,
        }
    }

    /// Takes a frame out of the host, and forgets it.
    #[cold]
    fn skip(&self, _: &Cx<'_>) -> Took {
        match self.device.receive(&mut [0; HEADER_LEN]) {
            Ok(_) => Took::Dropped,
            Err(ReceiveError::Empty) => Took::Nothing,
            Err(ReceiveError::Gone) => Took::Gone,
        }
    }
}

/// What the host had.
enum Took {
    Frame(Packet),
    /// One that the kernel has no memory for.
    Dropped,
    /// One that is longer than the link's.
    Malformed,
    Nothing,
    Gone,
}

impl line::Handler for Link {
    fn interrupt(&self, cx: &Cx<'_>) {
        let counters = &self.ifp.counters;
        loop {
            match self.take(cx) {
                Took::Frame(frame) if self.ifp.flags().contains(IfFlags::UP) => {
                    ethernet::input(cx, &self.ifp, frame);
                }
                Took::Frame(_) => {}
                Took::Dropped => counters.iqdrops.inc(cx),
                Took::Malformed => counters.ierrors.inc(cx),
                Took::Nothing => return,
                Took::Gone => {
                    // Told once: nobody rings for what is gone.
                    if self.ifp.flags().contains(IfFlags::RUNNING) {
                        self.ifp.change_flags(IfFlags::empty(), IfFlags::RUNNING);
                        kprintf!(cx, "{}: the host's {} is gone", self.ifp.name(), self.name);
                    }
                    return;
                }
            }
            if !cx.spend() {
                break;
            }
        }
        // The rest when the kernel is visited again.
        if let Some(line) = self.line.get() {
            line.raise_from(cx);
        }
    }
}

/// The host's thread raises the line, and carries the interrupt.
struct Raise(Line);

impl Bell for Raise {
    fn ring(&self, proof: &Offcpu) -> bool {
        self.0.raise_outside(proof)
    }
}

fn if_error(e: OpenError) -> IfError {
    match e {
        OpenError::NotPermitted => IfError::NotPermitted,
        OpenError::InUse => IfError::Busy,
        OpenError::BadName => IfError::Invalid,
        OpenError::NoDriver => IfError::NotSupported,
        OpenError::HostLimit => IfError::HostLimit,
        OpenError::Io => IfError::Broken,
    }
}

/// Says why there is no link, and what can be done.
#[cold]
fn refused(cx: &Cx<'_>, ifp: &Ifnet, name: &str, e: OpenError) -> IfError {
    let advice = match e {
        OpenError::NotPermitted => {
            "not permitted; make it for this user (ip tuntap add dev NAME mode tap user USER), \
             or start the kernel with CAP_NET_ADMIN"
        }
        OpenError::InUse => "another interface or program has it open",
        OpenError::BadName => "the host has something else of that name",
        OpenError::NoDriver => "the host has no tap devices (/dev/net/tun)",
        OpenError::HostLimit => "the host has no more descriptors or threads; raise its limits",
        OpenError::Io => "the host reports an error",
    };
    kprintf!(cx, "{}: {name}: {advice}", ifp.name());
    if_error(e)
}

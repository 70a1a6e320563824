//! A connection to a device of the host's.
//!
//! The host's thread that sees frames come raises our line and carries the interrupt itself; the
//! interrupt takes frames out until there are none or its share of the CPU is used up. Frames to
//! the host go straight into it. What it has no room for is dropped and counted.
//!
//! Where the host does the rest, frames cross with their checksums left out and their segments uncut,
//! both ways ([`net::offload`]). Elsewhere they leave the machine's memory, and are whole.
//!
//! Locking: `Rank::Ifqueue` for the buffer; not held while a frame goes up.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;

use base::lock::{IntrMutex, Rank};
use base::sched::line::{self, Line};
use base::vm::kmem;
use base::{Charge, Cx, KArc, KVec, Lwp, Offcpu, kprintf};
use net::ethernet::wire::{HEADER_LEN, MTU, TAG_LEN};
use net::ifnet::{IfError, IfFlags, Ifnet};
use net::mbuf::Packet;
use net::{ethernet, offload};

use crate::component::VIRTIF;
use crate::host::{self, Bell, Device, Network, OpenError, ReceiveError, Received, SendError};

/// What the host's half holds for a device: descriptor, queue, places in lists.
const COST: usize = 512;

/// What a frame has beside a packet: its header, and a tag.
const LINK_LEN: usize = HEADER_LEN + TAG_LEN;

/// An open device, and the interface that it is the link of.
pub(crate) struct Link {
    device: Box<dyn Device>,
    name: String,
    ifp: KArc<Ifnet>,
    line: spin::Once<Line>,
    /// Frames have something left undone, both ways.
    leaves_undone: bool,
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
        let (device, alive) = l.offcpu(|proof| half.0.open(name, proof));
        let device = device.map_err(|e| refused(l, ifp, name, e))?;
        alive?;

        // Such frames are long: a kernel that has no room for one has them whole.
        let mut buffer = KVec::new(l);
        let may = l.get(&VIRTIF).offloads() && offload::is_known(l);
        let leaves_undone = may && buffer.resize(offload::FRAME_MAX + 1, 0).is_ok();
        let (leaves_undone, alive) =
            l.offcpu(|proof| leaves_undone && device.leave_undone(true, proof));
        alive?;
        if !leaves_undone {
            buffer = KVec::new(l);
        }
        let link = Link {
            device,
            name: String::from(name),
            ifp: ifp.clone(),
            line: spin::Once::new(),
            leaves_undone,
            buffer: IntrMutex::new(l, Rank::Ifqueue, buffer),
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

    /// The longest frame that is taken unfinished; 0: none is.
    pub(crate) fn unfinished_max(&self) -> u32 {
        if self.leaves_undone { offload::FRAME_MAX as u32 } else { 0 }
    }

    /// Gives a frame to the host.
    #[inline]
    pub(crate) fn send(&self, cx: &Cx<'_>, mut frame: Packet) -> Result<(), IfError> {
        let undone = match frame.unfinished().is_empty() {
            true => None,
            // It was on its way when the interface was given another device.
            false if !self.leaves_undone => return Err(IfError::Invalid),
            false => Some(offload::explain(cx, &mut frame).ok_or(IfError::Invalid)?),
        };
        // A bridge may pass on what others have sent.
        let longest = undone.and_then(|undone| undone.cut).map_or(frame.len(), |cut| cut.longest());
        if longest > self.ifp.mtu() as usize + LINK_LEN {
            return Err(IfError::Invalid);
        }
        self.device.send(&mut frame.segments(), undone.as_ref()).map_err(|e| match e {
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
        if self.leaves_undone {
            // Who opens it next may know nothing of that. A kernel that ends meanwhile has left, too.
            let _ = l.offcpu(|proof| self.device.leave_undone(false, proof));
        }
    }

    /// Takes the next frame out of the host.
    fn take(&self, cx: &Cx<'_>) -> Took {
        let mut buffer = self.buffer.lock(cx);
        let most = (self.ifp.mtu() as usize).max(MTU) + LINK_LEN;
        // With a byte that tells a frame that is longer.
        if buffer.len() <= most && buffer.resize(most + 1, 0).is_err() {
            // Without memory nothing can be looked at. What comes next rings again.
            drop(buffer);
            return self.skip(cx);
        }
        let Received { len, undone } = match self.device.receive(&mut buffer) {
            Ok(received) => received,
            Err(ReceiveError::Empty) => return Took::Nothing,
            Err(ReceiveError::Malformed) => return Took::Malformed,
            Err(ReceiveError::Gone) => return Took::Gone,
        };
        let Some(bytes) = buffer.get_mut(..len) else { return Took::Malformed };
        let frame = match undone {
            None => Packet::from_slice(cx, bytes).map_err(IfError::from),
            Some(undone) => offload::adopt(cx, bytes, &undone),
        };
        match frame {
            Ok(mut frame) => match offload::longest(cx, &mut frame) <= most {
                true => Took::Frame(frame),
                false => Took::Malformed,
            },
            Err(IfError::NoMemory) => Took::Dropped,
            Err(_) => Took::Malformed,
        }
    }

    /// Takes a frame out of the host, and forgets it.
    #[cold]
    fn skip(&self, _: &Cx<'_>) -> Took {
        match self.device.receive(&mut [0; HEADER_LEN]) {
            Ok(_) => Took::Dropped,
            Err(ReceiveError::Malformed) => Took::Malformed,
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
    /// One that is longer than the link's, or of which the host says nonsense.
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

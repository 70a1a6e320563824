//! The bus between processes: a member of a bus file, as a backend of the driver.
//!
//! A frame is copied into the member's own ring in the file, and out of it by each receiver. The
//! host's thread that sees our doorbell change raises our line and carries the interrupt itself;
//! the interrupt takes frames out.
//!
//! Locking: `Rank::Ifqueue`, one for each direction; not held while a frame goes up.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::num::NonZeroU16;

use base::lock::{IntrMutex, Rank};
use base::sched::line::{self, Line};
use base::vm::kmem;
use base::{Charge, Cx, KArc, KVec, Lwp, Offcpu};
use net::MacAddr;
use net::ethernet;
use net::ifnet::{IfError, IfFlags, Ifnet};
use net::mbuf::Packet;

use crate::backend::Backend;
use crate::bus::record::{FRAME_MAX, Left};
use crate::bus::{self, Next, Outgoing, Receiver, SendError, Sender, Station};
use crate::host::{self, Bell, BusFiles, FileError, Seat};

/// What the host's half holds for a member: descriptor, map, places in lists.
const COST: usize = 512;

/// Room for a frame of Ethernet's usual length; it grows to what comes.
const USUAL: usize = 1514;

/// A member's connection.
struct Membership {
    inner: KArc<Inner>,
    sender: IntrMutex<Sender>,
    _charge: Charge,
}

/// What the interrupt needs.
struct Inner {
    seat: Box<dyn Seat>,
    ifp: KArc<Ifnet>,
    line: spin::Once<Line>,
    input: IntrMutex<Input>,
}

struct Input {
    receiver: Receiver,
    /// Where a frame is copied to before anybody looks at it.
    buffer: KVec<u8>,
    lost: u64,
}

/// Connects `ifp` to the bus in the file `path`.
pub(crate) fn join(
    l: &mut Lwp<'_>,
    ifp: &KArc<Ifnet>,
    path: &str,
) -> Result<KArc<dyn Backend>, IfError> {
    let half = l.host().io(host::NAME).and_then(|half| half.downcast::<BusFiles>().ok());
    let half = half.ok_or(IfError::NotSupported)?;
    let charge = l.charge(COST)?;
    let mut buffer = KVec::new(l);
    buffer.resize(USUAL, 0)?;

    let (seat, alive) = l.offcpu(|proof| half.0.join(path, proof));
    let seat = seat.map_err(if_error)?;
    alive?;

    let map = seat.map();
    let taken = bus::member::take(&map, seat.index(), seat.process());
    let (sender, receiver, sent) = taken.ok_or(IfError::Broken)?;
    seat.wake(sent.wake);
    let input = Input { receiver, buffer, lost: 0 };
    let input = IntrMutex::new(l, Rank::Ifqueue, input);
    let sender = IntrMutex::new(l, Rank::Ifqueue, sender);
    let line = spin::Once::new();
    let inner = kmem::arc(l, Inner { seat, ifp: ifp.clone(), line, input })?;
    let membership = kmem::arc(l, Membership { inner, sender, _charge: charge })?;
    let inner = &membership.inner;
    let line = Line::establish(l, inner.clone())?;
    let line = inner.line.call_once(|| line);
    inner.announce();
    ifp.set_unfinished_max(FRAME_MAX as u32);
    #[expect(clippy::disallowed_methods, reason = "charged with the membership")]
    let bell = Arc::new(Raise(line.clone()));
    if let Err(e) = inner.seat.listen(bell) {
        membership.leave(l);
        return Err(if_error(e));
    }
    Ok(membership)
}

impl Backend for Membership {
    fn send(&self, cx: &Cx<'_>, frame: Packet) -> Result<(), IfError> {
        let Some(dst) = frame.head().first_chunk().map(|d| MacAddr(*d)) else {
            return Err(IfError::Invalid);
        };
        let seat = &self.inner.seat;
        let at = cx.host().wall();
        let what = Outgoing { len: frame.len(), at, left: left_undone(&frame) };
        let sent = self.sender.lock(cx).send(&seat.map(), dst, &what, frame.segments());
        if seat.is_broken() {
            return Err(IfError::Broken);
        }
        match sent {
            Ok(sent) => {
                if sent.wake != 0 {
                    seat.wake(sent.wake);
                }
                Ok(())
            }
            Err(SendError::Length) => Err(IfError::Invalid),
            Err(SendError::Broken) => Err(IfError::Broken),
        }
    }

    fn refresh(&self, _: &Ifnet) {
        self.inner.announce();
    }

    fn leave(&self, l: &mut Lwp<'_>) {
        let seat = &self.inner.seat;
        self.sender.lock(l).leave(&seat.map());
        seat.leave();
        if let Some(line) = self.inner.line.get() {
            line.disestablish(l);
        }
    }
}

impl Inner {
    /// Shows others the interface's present address and flags.
    fn announce(&self) {
        let promiscuous = self.ifp.flags().contains(IfFlags::PROMISC);
        let station = Station::new(self.ifp.lladdr(), promiscuous);
        bus::member::announce(&self.seat.map(), self.seat.index(), station);
    }

    /// Takes the next frame out of the file.
    fn take(&self, cx: &Cx<'_>) -> Took {
        let mut input = self.input.lock(cx);
        let Input { receiver, buffer, lost } = &mut *input;
        let map = self.seat.map();
        loop {
            let mut more = 0u64;
            let next = receiver.next(&map, buffer, |n| more = more.saturating_add(n));
            if more != 0 {
                *lost = lost.saturating_add(more);
                receiver.show_lost(&map, *lost);
                self.ifp.counters.iqdrops.add(cx, more);
            }
            match next {
                Next::Frame(record) => {
                    let frame = buffer.get(..record.len).unwrap_or_default();
                    let Ok(mut packet) = Packet::from_slice(cx, frame) else {
                        return Took::Dropped;
                    };
                    match record.left {
                        Left::Nothing => {}
                        Left::Checksum => packet.leave_unfinished(0),
                        Left::Segments(size) => packet.leave_unfinished(size.get()),
                    }
                    return Took::Frame(packet);
                }
                // At most to the longest frame.
                Next::Longer(len) => {
                    if buffer.resize(len, 0).is_err() {
                        receiver.skip(&map);
                        return Took::Dropped;
                    }
                }
                Next::Empty => return Took::Nothing,
                Next::Later => return Took::Later,
            }
        }
    }
}

/// What there was in the file.
enum Took {
    Frame(Packet),
    /// A frame that the kernel has no memory for.
    Dropped,
    /// Something that needs another look, after others had their turn.
    Later,
    Nothing,
}

impl line::Handler for Inner {
    fn interrupt(&self, cx: &Cx<'_>) {
        self.input.lock(cx).receiver.look(&self.seat.map());
        loop {
            match self.take(cx) {
                Took::Frame(frame) if self.ifp.flags().contains(IfFlags::UP) => {
                    ethernet::input(cx, &self.ifp, frame);
                }
                Took::Frame(_) => {}
                Took::Dropped => self.ifp.counters.iqdrops.inc(cx),
                Took::Later => break,
                Took::Nothing => return,
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

fn left_undone(frame: &Packet) -> Left {
    match NonZeroU16::new(frame.gso_size()) {
        _ if frame.unfinished().is_empty() => Left::Nothing,
        None => Left::Checksum,
        Some(size) => Left::Segments(size),
    }
}

fn if_error(e: FileError) -> IfError {
    match e {
        FileError::NoDirectory => IfError::NoPath,
        FileError::Denied => IfError::Denied,
        FileError::NotABus | FileError::BadPath => IfError::NotALink,
        FileError::Full => IfError::LinkFull,
        FileError::NoSpace => IfError::NoSpace,
        FileError::Stuck => IfError::Busy,
        FileError::HostLimit => IfError::HostLimit,
        FileError::Unsupported => IfError::NotSupported,
        FileError::Io => IfError::Broken,
    }
}

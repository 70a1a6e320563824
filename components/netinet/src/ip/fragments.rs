//! Reassembly: the shell of [`super::reass`].
//!
//! Locking: `Rank::Reass`; packets that are given up are dropped under it, errors about them are
//! sent after it.
//! Sources: RFC 791 §3.2; RFC 1122 §3.3.2; RFC 1812 §5.2.

use base::{Charge, Cx};
use net::Packet;
use net::mbuf::Flags;
use zerocopy::{FromBytes, IntoBytes};

use super::reass::{Fragment, Key, Limits, Outcome, Reassembly};
use crate::component::INET;
use crate::icmp::send::{Report, report};
use crate::timer;
use crate::wire::icmp::code;
use crate::wire::ipv4::Ipv4Header;

/// What waits to be put together.
pub(crate) struct Fragments {
    reass: Reassembly<Packet>,
    charge: Charge,
}

impl Fragments {
    pub(crate) fn new(cx: &Cx<'_>) -> Self {
        let charge = Charge::empty(cx.account());
        Self { reass: Reassembly::new(Limits::default()), charge }
    }

    /// When something is due.
    pub(crate) fn next_deadline(&self) -> Option<u64> {
        self.reass.next_deadline()
    }

    /// Gives memory back: everything that waits.
    pub(crate) fn give_up(&mut self) -> usize {
        let held = self.reass.held_bytes();
        self.reass = Reassembly::new(Limits::default());
        let _ = self.charge.resize(0);
        held
    }
}

/// Takes a fragment, header included; gives the whole packet when it was the last one missing.
#[cold]
pub(super) fn input(cx: &Cx<'_>, packet: Packet, header: &Ipv4Header) -> Option<Packet> {
    let inet = cx.get(&INET);
    inet.ip.fragments.inc(cx);
    let header_len = header.header_len();
    let key =
        Key { src: header.src(), dst: header.dst(), id: header.id(), protocol: header.protocol };
    let fragment = Fragment {
        key,
        offset: header.fragment_offset(),
        len: packet.len().saturating_sub(header_len),
        header_len,
        more: header.more_fragments(),
        cost: packet.cost(),
    };
    let mut held = inet.fragments.lock(cx);
    let need = held.reass.footprint() + held.reass.input_cost(&key);
    if held.charge.resize(need).is_err() {
        drop(held);
        inet.ip.no_memory.inc(cx);
        return None;
    }
    let outcome = held.reass.input(fragment, packet, cx.now().nanos());
    let deadline = held.reass.next_deadline();
    drop(held);
    if let Some(deadline) = deadline {
        timer::by(cx, deadline);
    }
    match outcome {
        Outcome::Held => None,
        Outcome::Refused(..) => {
            inet.ip.fragments_dropped.inc(cx);
            None
        }
        Outcome::Complete(datagram) => {
            let mut pieces = datagram.pieces.into_iter();
            let mut whole = pieces.next()?;
            let mut flags = whole.flags() - Flags::CSUM_BLANK;
            for mut piece in pieces {
                // One bit that was turned over spoils the whole.
                flags |= piece.flags() & Flags::SPOILT;
                let (h, _) = Ipv4Header::read_from_prefix(piece.head()).ok()?;
                piece.pull(h.header_len());
                if whole.join(piece).is_err() {
                    inet.ip.no_memory.inc(cx);
                    return None;
                }
            }
            inet.ip.reassembled.inc(cx);
            whole.set_flags(flags);
            become_whole(&mut whole)?;
            Some(whole)
        }
    }
}

/// Makes the header of the first fragment that of the datagram (RFC 791 p. 28).
fn become_whole(packet: &mut Packet) -> Option<()> {
    let total = u16::try_from(packet.len()).ok()?;
    let (header, _) = Ipv4Header::read_from_prefix(packet.head()).ok()?;
    let header_len = header.header_len();
    let bytes = packet.pullup(header_len)?;
    let (fixed, opts) = bytes.split_at_mut_checked(size_of::<Ipv4Header>())?;
    let mut header = header;
    header.set_total_len(total);
    header.set_fragment(0, false);
    header.set_checksum(opts);
    fixed.copy_from_slice(header.as_bytes());
    Some(())
}

/// Gives up what has waited too long (RFC 1122 §3.3.2), and says so if the first fragment is here.
pub(crate) fn expire(cx: &Cx<'_>, now: u64) {
    loop {
        let mut held = cx.get(&INET).fragments.lock(cx);
        let expired = held.reass.expire(now);
        // A charge that shrinks is not refused.
        let footprint = held.reass.footprint();
        let _ = held.charge.resize(footprint);
        drop(held);
        let Some(expired) = expired else { return };
        cx.get(&INET).ip.reassembly_timeouts.inc(cx);
        if let Some(first) = expired.first {
            report(cx, first, Report::TimeExceeded(code::REASSEMBLY));
        }
    }
}

/// For the reclaimer: fragments are what is missed least.
pub(crate) fn reclaim(cx: &Cx<'_>, _goal: usize) -> usize {
    let Some(inet) = cx.try_get(&INET) else { return 0 };
    inet.fragments.try_lock(cx).map_or(0, |mut held| held.give_up())
}

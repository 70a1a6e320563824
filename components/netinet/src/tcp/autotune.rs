//! How large buffers should be whose size nobody has set.
//!
//! A receive buffer: twice what its user reads in a round trip, so that the window is never what
//! keeps the sender back while the user keeps up. A send buffer: twice the congestion window, what is
//! on its way and what goes next. They grow, and never shrink.
//!
//! Locking: none. Sources: Fisk and Feng, "Dynamic right-sizing in TCP" (2001); Semke et al.,
//! "Automatic TCP buffer tuning" (1998).

use super::congestion::Congestion;
use super::header::Segment;
use super::rto::MS;
use super::seq::Seq;
use super::{Payload, Tcb};

/// An echo of an earlier time than that is no round trip, in milliseconds.
const LONGEST_MS: u32 = 1000;

/// What the user has read since a round began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    since: u64,
    from: Seq,
}

impl<P: Payload> Tcb<P> {
    /// The user has read all that has arrived but `held` bytes: how large the receive buffer should
    /// be, once a round trip.
    pub fn wanted_receive_buffer(&mut self, held: u32, now: u64) -> Option<u32> {
        let at = self.rcv.nxt - held;
        let begun = Some(Reading { since: now, from: at });
        let Some(Reading { since, from }) = self.rcv.reading else {
            self.rcv.reading = begun;
            return None;
        };
        // Below that a clock says little, and windows are large enough.
        let round = self.rtt.smoothed().unwrap_or(0).max(self.rcv.rtt.unwrap_or(0)).max(MS);
        let took = now.saturating_sub(since);
        if took < round {
            return None;
        }
        self.rcv.reading = begun;
        let read = u64::from(at.after(from)) * round / took;
        let wanted = u32::try_from(2 * read).unwrap_or(u32::MAX);
        (wanted > self.rcv.room_max).then_some(wanted)
    }

    /// Data has arrived that echoes a time: who only receives has no other way to know how long the
    /// way is. The sender's own delay is in it, which does no harm here.
    pub(super) fn echoed(&mut self, seg: &Segment, now: u64) {
        let Some((_, echo)) = seg.options.timestamps.filter(|_| self.stamps.on) else { return };
        let took = self.stamps.clock(now).wrapping_sub(echo);
        if took > LONGEST_MS {
            return;
        }
        let sample = u64::from(took) * MS;
        self.rcv.rtt = Some(self.rcv.rtt.map_or(sample, |rtt| (7 * rtt + sample) / 8));
    }

    /// How large the send buffer should be.
    pub fn wanted_send_buffer(&self) -> u32 {
        self.cc.window().saturating_mul(2)
    }
}

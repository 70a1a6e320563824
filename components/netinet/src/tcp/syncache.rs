//! What a listening socket does before there is a connection: the states LISTEN and SYN-RECEIVED.
//!
//! * [`SynCache::syn`]: a SYN has come; the answer.  * [`SynCache::finish`]: a segment that may end
//!   a handshake.  * [`SynCache::expire`]: answers that are due again.
//!
//! Half a connection is a hundred bytes, and there is a limit. Beyond it the answer's number says
//! all that must be known (a SYN cookie), at the price of window scale, SACK and timestamps.
//!
//! One that defers (TCP_DEFER_ACCEPT) does not take the peer's acknowledgment for the end of the
//! handshake, unless data comes with it, before the time is over; then it says its part once more, and
//! takes the next one. So the program is not called before there is something to read. DIFFERS: no
//! more than half of the places are spent on waiting so; beyond that, as with a cookie (which says
//! nothing of an acknowledgment that came before), the connection is there at once.
//!
//! Locking: none; its owner guards it. Memory: charged.
//! Sources: RFC 9293 §3.10.7.2, §3.10.7.4; RFC 4987 §3.4, §3.6; RFC 5961 §3.2; Linux's
//! tcp_check_req and syn_ack_recalc (when what is deferred is answered and given up, and that a full
//! queue ends no handshake).

use alloc::sync::Arc;

use base::{Account, KVec};

use super::control::{Agreed, OUR_SCALE};
use super::header::{Control, Segment};
use super::isn::{Pair, Secret};
use super::options::Options;
use super::rto::{MS, SECOND};
use super::schedule::wait;
use super::seq::Seq;

/// The most halves of connections in a kernel.
pub const LIMIT: usize = 256;
/// How often an answer is sent again: after 1, 2, 4, 8 and 16 seconds.
const TRIES: u8 = 5;
/// How long a cookie is good for: up to twice this.
const COOKIE_LIFE: u64 = 64 * SECOND;
/// What three bits of a cookie say about the largest segment.
const COOKIE_MSS: [u16; 8] = [64, 536, 1200, 1360, 1440, 1460, 4312, 8960];

/// What this side offers.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// The largest segment that the link carries.
    pub mss: u16,
    /// The window.
    pub window: u16,
    /// Whether this side knows of congestion marks.
    pub ecn: bool,
    /// For how many of its answers it waits for data (TCP_DEFER_ACCEPT).
    pub defer: u8,
}

/// Where a connection begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Between whom.
    pub pair: Pair,
    /// The index of the only interface that who listens hears (SO_BINDTODEVICE); 0: all.
    pub device: u32,
}

/// Half a connection.
#[derive(Clone, Copy, Debug)]
struct Half {
    place: Place,
    iss: Seq,
    agreed: Agreed,
    offer: Offer,
    began: u64,
    due: u64,
    tries: u8,
    /// The peer has acknowledged, and data is waited for.
    waits: bool,
}

/// A handshake that has ended well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// The number that this side began with.
    pub iss: Seq,
    /// What was agreed.
    pub agreed: Agreed,
}

/// What a segment for a listening socket leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A connection.
    Done(Done),
    /// An answer.
    Reply(Segment),
    /// It would be a connection, for which there is no room; nothing has changed.
    Full,
    /// Nothing.
    Nothing,
}

/// The halves of connections in a kernel.
pub struct SynCache {
    halves: KVec<Half>,
    limit: usize,
    /// Until when a cookie that was sent may come back.
    cookies_until: u64,
    /// Cookies sent.
    cookies: u64,
}

impl SynCache {
    /// Holds nothing.
    pub fn new(account: &Arc<Account>, limit: usize) -> Self {
        Self { halves: KVec::in_account(account), limit, cookies_until: 0, cookies: 0 }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.halves.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.halves.is_empty()
    }

    /// Cookies sent.
    pub fn cookies(&self) -> u64 {
        self.cookies
    }

    /// When to call [`SynCache::expire`].
    pub fn deadline(&self) -> Option<u64> {
        self.halves.iter().map(|h| h.due).min()
    }

    fn position(&self, place: &Place) -> Option<usize> {
        self.halves.iter().position(|h| h.place == *place)
    }

    /// A SYN for a listening socket; `floor`, if any, is where this side's numbers must begin.
    pub fn syn(
        &mut self,
        secret: &Secret,
        place: &Place,
        syn: &Segment,
        offer: Offer,
        floor: Option<Seq>,
        now: u64,
    ) -> Segment {
        let pair = &place.pair;
        if let Some(at) = self.position(place) {
            if let Some(half) = self.halves.get(at).filter(|h| h.agreed.irs == syn.seq) {
                // It was sent again, and is answered again.
                return half.answer(secret, now);
            }
            self.halves.swap_remove(at);
        }
        let mut agreed = Agreed::of(syn);
        agreed.ecn &= offer.ecn;
        let iss = secret.iss(pair, now);
        let iss = floor.map_or(iss, |f| iss.max(f));
        let half = Half {
            place: *place,
            iss,
            agreed,
            offer,
            began: now,
            due: now + wait(0),
            tries: 0,
            waits: false,
        };
        if self.halves.len() < self.limit && self.halves.push(half).is_ok() {
            return half.answer(secret, now);
        }
        self.cookies += 1;
        self.cookies_until = now + 2 * COOKIE_LIFE;
        let iss = cookie(secret, pair, &agreed, now);
        let agreed = Agreed { scale: None, sack: false, timestamp: None, ecn: false, ..agreed };
        Half { iss, agreed, ..half }.answer(secret, now)
    }

    /// A segment without SYN for a listening socket; `full`: no more connections can wait there.
    pub fn finish(
        &mut self,
        secret: &Secret,
        place: &Place,
        seg: &Segment,
        full: bool,
        now: u64,
    ) -> Outcome {
        let Some(at) = self.position(place) else {
            return match self.stranger(secret, &place.pair, seg, now) {
                Outcome::Done(_) if full => Outcome::Full,
                outcome => outcome,
            };
        };
        let Some(half) = self.halves.get(at).copied() else { return Outcome::Nothing };
        let next = half.agreed.irs + 1;
        let window = u32::from(half.offer.window);
        let inside = next.le(seg.seq) && seg.seq.le(next + window);
        if seg.has(Control::RST) {
            // RFC 5961 §3.2.
            if seg.seq == next {
                self.halves.swap_remove(at);
            }
            return Outcome::Nothing;
        }
        if !inside {
            return Outcome::Reply(half.answer(secret, now));
        }
        if !seg.has(Control::ACK) {
            return Outcome::Nothing;
        }
        if seg.ack != half.iss + 1 {
            return super::reset_for(seg).map_or(Outcome::Nothing, Outcome::Reply);
        }
        if seg.end() == next && half.tries < half.offer.defer && self.may_wait(at) {
            return Outcome::Nothing;
        }
        if full {
            // The half stays: the peer says it again, and there may be room by then.
            return Outcome::Full;
        }
        self.halves.swap_remove(at);
        Outcome::Done(Done { iss: half.iss, agreed: half.agreed })
    }

    /// Whether the half at `at` waits for data from now on.
    fn may_wait(&mut self, at: usize) -> bool {
        let others = self.halves.iter().enumerate().filter(|(i, h)| *i != at && h.waits).count();
        let may = others < self.limit / 2;
        if let Some(half) = self.halves.get_mut(at) {
            half.waits |= may;
        }
        may
    }

    /// Nothing is known of it: RFC 9293 §3.10.7.2, or a cookie.
    fn stranger(&self, secret: &Secret, pair: &Pair, seg: &Segment, now: u64) -> Outcome {
        if seg.has(Control::RST) || !seg.has(Control::ACK) {
            return Outcome::Nothing;
        }
        if now < self.cookies_until {
            // No reset for what is none: data may have overtaken what would be one.
            let done = |agreed| Outcome::Done(Done { iss: seg.ack - 1, agreed });
            return from_cookie(secret, pair, seg, now).map_or(Outcome::Nothing, done);
        }
        super::reset_for(seg).map_or(Outcome::Nothing, Outcome::Reply)
    }

    /// The next answer that is due again; call it until there is none. Halves that got no answer
    /// long enough are forgotten.
    pub fn expire(&mut self, secret: &Secret, now: u64) -> Option<(Place, Segment)> {
        loop {
            let at = self.halves.iter().position(|h| h.due <= now)?;
            let half = self.halves.get_mut(at)?;
            let deferred = half.waits && half.tries < half.offer.defer;
            if half.tries >= TRIES && !deferred {
                self.halves.swap_remove(at);
                continue;
            }
            half.tries += 1;
            half.due = now + wait(half.tries);
            // Who waits for data says nothing until the time is over, and then has the peer
            // acknowledge once more.
            if !half.waits || half.tries >= half.offer.defer {
                return Some((half.place, half.answer(secret, now)));
            }
        }
    }

    /// Forgets the halves of connections to a place where nobody listens any more.
    pub fn retain(&mut self, mut keep: impl FnMut(&Place) -> bool) {
        self.halves.retain(|h| keep(&h.place));
    }

    /// All halves: whose, and since when.
    pub fn iter(&self) -> impl Iterator<Item = (&Pair, u64)> {
        self.halves.iter().map(|h| (&h.place.pair, h.began))
    }
}

impl Half {
    /// SYN and ACK.
    fn answer(&self, secret: &Secret, now: u64) -> Segment {
        let clock = ((now / MS) as u32).wrapping_add(secret.clock_offset(&self.place.pair));
        let ecn = if self.agreed.ecn { Control::ECE } else { Control::empty() };
        Segment {
            seq: self.iss,
            ack: self.agreed.irs + 1,
            control: Control::SYN | Control::ACK | ecn,
            window: self.offer.window,
            options: Options {
                mss: Some(self.offer.mss),
                scale: self.agreed.scale.map(|_| OUR_SCALE),
                sack_permitted: self.agreed.sack,
                timestamps: self.agreed.timestamp.map(|theirs| (clock, theirs)),
                ..Options::default()
            },
            ..Segment::default()
        }
    }
}

/// A number that says when, and which segments the peer takes, to who knows the secret.
fn cookie(secret: &Secret, pair: &Pair, agreed: &Agreed, now: u64) -> Seq {
    let mss = COOKIE_MSS.iter().rposition(|m| *m <= agreed.mss).unwrap_or(0) as u32;
    let time = (now / COOKIE_LIFE) as u32 & 31;
    Seq(time << 27 | mss << 24 | proof(secret, pair, agreed.irs, time, mss))
}

fn proof(secret: &Secret, pair: &Pair, irs: Seq, time: u32, mss: u32) -> u32 {
    let salt = u64::from(irs.0) << 32 | u64::from(time << 3 | mss) << 8;
    secret.of_pair(pair, salt) as u32 & 0x00ff_ffff
}

fn from_cookie(secret: &Secret, pair: &Pair, seg: &Segment, now: u64) -> Option<Agreed> {
    let (cookie, irs) = ((seg.ack - 1).0, seg.seq - 1);
    let (time, mss) = (cookie >> 27, cookie >> 24 & 7);
    let age = ((now / COOKIE_LIFE) as u32).wrapping_sub(time) & 31;
    let genuine = cookie & 0x00ff_ffff == proof(secret, pair, irs, time, mss);
    let mss = COOKIE_MSS.get(mss as usize).copied()?;
    let (scale, timestamp) = (None, None);
    let (window, sack, ecn) = (seg.window, false, false);
    let agreed = Agreed { irs, window, mss, scale, sack, timestamp, ecn };
    (age <= 1 && genuine).then_some(agreed)
}

#[cfg(test)]
mod tests;

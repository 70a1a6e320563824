//! What a listening socket does before there is a connection: the states LISTEN and SYN-RECEIVED.
//!
//! * [`SynCache::syn`]: a SYN has come; the answer.  * [`SynCache::finish`]: a segment that may end
//!   a handshake.  * [`SynCache::expire`]: answers that are due again.
//!
//! Half a connection is a hundred bytes, and there is a limit. Beyond it the answer's number says
//! all that must be known (a SYN cookie), at the price of window scale, SACK and timestamps.
//!
//! Locking: none; its owner guards it. Memory: charged.
//! Sources: RFC 9293 §3.10.7.2, §3.10.7.4; RFC 4987 §3.4, §3.6; RFC 5961 §3.2.

use alloc::sync::Arc;

use base::{Account, KVec};

use super::control::{Agreed, OUR_SCALE};
use super::header::{Control, Segment};
use super::isn::{Pair, Secret};
use super::options::Options;
use super::rto::{MS, SECOND};
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
        let half =
            Half { place: *place, iss, agreed, offer, began: now, due: now + SECOND, tries: 0 };
        if self.halves.len() < self.limit && self.halves.push(half).is_ok() {
            return half.answer(secret, now);
        }
        self.cookies += 1;
        self.cookies_until = now + 2 * COOKIE_LIFE;
        let iss = cookie(secret, pair, &agreed, now);
        let agreed = Agreed { scale: None, sack: false, timestamp: None, ecn: false, ..agreed };
        Half { iss, agreed, ..half }.answer(secret, now)
    }

    /// A segment without SYN for a listening socket.
    pub fn finish(&mut self, secret: &Secret, place: &Place, seg: &Segment, now: u64) -> Outcome {
        let Some(at) = self.position(place) else {
            return self.stranger(secret, &place.pair, seg, now);
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
        self.halves.swap_remove(at);
        Outcome::Done(Done { iss: half.iss, agreed: half.agreed })
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
            if half.tries >= TRIES {
                self.halves.swap_remove(at);
                continue;
            }
            half.tries += 1;
            half.due = now + (SECOND << half.tries);
            return Some((half.place, half.answer(secret, now)));
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
mod tests {
    use super::*;
    use core::net::SocketAddrV4;

    const SECRET: Secret = Secret([1, 2]);
    const OFFER: Offer = Offer { mss: 1460, window: 65535, ecn: true };

    fn place(port: u16) -> Place {
        let pair = Pair {
            local: SocketAddrV4::new([10, 0, 0, 1].into(), 80),
            peer: SocketAddrV4::new([10, 0, 0, 2].into(), port),
        };
        Place { pair, device: 0 }
    }

    fn syn(seq: u32) -> Segment {
        let options = Options {
            mss: Some(1400),
            scale: Some(3),
            sack_permitted: true,
            timestamps: Some((77, 0)),
            ..Options::default()
        };
        let seq = Seq(seq);
        Segment { seq, control: Control::SYN, window: 1000, options, ..Segment::default() }
    }

    fn ack(to: &Segment) -> Segment {
        let (seq, ack) = (to.ack, to.seq + 1);
        Segment { seq, ack, control: Control::ACK, window: 9, ..Segment::default() }
    }

    fn cache(limit: usize) -> SynCache {
        SynCache::new(&Account::standalone(), limit)
    }

    #[test]
    fn rfc9293_3_10_7_2_a_syn_is_answered_and_its_acknowledgment_makes_a_connection() {
        let mut c = cache(9);
        let answer = c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0);
        assert_eq!((answer.ack, answer.control), (Seq(101), Control::SYN | Control::ACK));
        assert_eq!((answer.options.mss, answer.options.scale), (Some(1460), Some(OUR_SCALE)));
        assert_eq!(answer.options.timestamps.unwrap().1, 77, "RFC 7323 §3.2");
        assert_eq!(c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0), answer, "sent again");
        assert_eq!(c.len(), 1);
        let Outcome::Done(done) = c.finish(&SECRET, &place(5), &ack(&answer), 0) else { panic!() };
        assert_eq!(done.iss, answer.seq);
        assert_eq!(done.agreed, Agreed::of(&syn(100)));
        assert!(c.is_empty());
    }

    #[test]
    fn rfc9293_3_10_7_4_what_does_not_fit_is_reset_or_answered_again() {
        let mut c = cache(9);
        let answer = c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0);
        let bad = Segment { ack: answer.seq + 7, ..ack(&answer) };
        let Outcome::Reply(reset) = c.finish(&SECRET, &place(5), &bad, 0) else { panic!() };
        assert_eq!((reset.seq, reset.control), (bad.ack, Control::RST));
        let old = Segment { seq: Seq(50), ..ack(&answer) };
        assert_eq!(c.finish(&SECRET, &place(5), &old, 0), Outcome::Reply(answer));
        let mut rst = Segment { control: Control::RST, seq: Seq(105), ..Segment::default() };
        assert_eq!(c.finish(&SECRET, &place(5), &rst, 0), Outcome::Nothing);
        assert_eq!(c.len(), 1, "RFC 5961 §3.2: the number is not exactly right");
        rst.seq = Seq(101);
        c.finish(&SECRET, &place(5), &rst, 0);
        assert!(c.is_empty());
        let Outcome::Reply(reset) = c.finish(&SECRET, &place(5), &ack(&answer), 0) else {
            panic!()
        };
        assert_eq!(reset.control, Control::RST, "§3.10.7.2: an acknowledgment in LISTEN");
    }

    #[test]
    fn halves_that_came_by_two_interfaces_are_two() {
        let mut c = cache(9);
        let [one, two] = [1, 2].map(|device| Place { device, ..place(5) });
        let answer = c.syn(&SECRET, &one, &syn(100), OFFER, None, 0);
        c.syn(&SECRET, &two, &syn(200), OFFER, None, 0);
        assert_eq!(c.len(), 2);
        assert!(matches!(c.finish(&SECRET, &place(5), &ack(&answer), 0), Outcome::Reply(_)));
        assert!(matches!(c.finish(&SECRET, &one, &ack(&answer), 0), Outcome::Done(_)));
        assert_eq!(c.expire(&SECRET, SECOND).map(|(place, _)| place), Some(two));
    }

    #[test]
    fn rfc9293_3_8_1_answers_are_sent_again_and_given_up() {
        let mut c = cache(9);
        let answer = c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0);
        let mut times = Vec::new();
        while let Some(due) = c.deadline() {
            while let Some((to, seg)) = c.expire(&SECRET, due) {
                assert_eq!((to, seg.seq), (place(5), answer.seq));
                times.push(due / SECOND);
            }
        }
        assert_eq!(times, [1, 3, 7, 15, 31]);
        assert!(c.is_empty());
    }

    #[test]
    fn rfc4987_3_6_beyond_the_limit_a_cookie() {
        let mut c = cache(1);
        c.syn(&SECRET, &place(5), &syn(100), OFFER, None, 0);
        let now = 1000 * SECOND;
        let answer = c.syn(&SECRET, &place(6), &syn(100), OFFER, None, now);
        assert_eq!((c.len(), c.cookies()), (1, 1));
        assert_eq!(answer.options, Options { mss: Some(1460), ..Options::default() });
        let reply = ack(&answer);
        for later in [0, 60 * SECOND] {
            let done = c.finish(&SECRET, &place(6), &reply, now + later);
            let Outcome::Done(done) = done else { panic!("{done:?}") };
            assert_eq!((done.iss, done.agreed.irs), (answer.seq, Seq(100)));
            assert_eq!((done.agreed.mss, done.agreed.sack), (1360, false));
        }
        let refused = |c: &mut SynCache, place: &Place, seg: &Segment, now| {
            !matches!(c.finish(&SECRET, place, seg, now), Outcome::Done(_))
        };
        assert!(refused(&mut c, &place(7), &reply, now), "another pair");
        let other = Segment { seq: reply.seq + 1, ..reply };
        assert!(refused(&mut c, &place(6), &other, now), "another first number");
        assert!(refused(&mut c, &place(6), &reply, now + 200 * SECOND), "too late");
    }
}

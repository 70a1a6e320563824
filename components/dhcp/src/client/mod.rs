//! The states of a client.
//!
//! | state | waits for | and then |
//! |---|---|---|
//! | stopped | nothing | |
//! | init | its time | asks everybody (DISCOVER): selecting |
//! | selecting | an offer | asks for that (REQUEST): requesting |
//! | requesting | ACK, NAK | checking; init |
//! | checking | somebody who has the address | DECLINE, init; if nobody has: bound |
//! | bound | T1 | asks its server: renewing |
//! | renewing | ACK, NAK, T2 | bound; init; asks everybody: rebinding |
//! | rebinding | ACK, NAK, the lease's end | bound; init |
//!
//! * [`Client::begin`], [`Client::release`]: on request.
//! * [`Client::receive`], [`Client::heard`], [`Client::expire`]: a message; an address in use; the
//!   time that [`Client::deadline`] says.
//!
//! Each answers with what is to be done, in that order ([`Action`]).
//!
//! DIFFERS: the check for others who have the address takes [`PROBES`] questions, half a second
//! apart, not the seven seconds of RFC 5227, since people wait for it.
//!
//! Locking: none; the owner guards the whole.
//! Sources: RFC 2131 §3.1, §4.1 (times), §4.4 (states), figure 5; RFC 5227 §2.1 (the check).

mod lease;
#[cfg(test)]
mod tests;

use core::net::Ipv4Addr;
use core::time::Duration;

use base::Instant;
use net::MacAddr;
use smallvec::SmallVec;

pub use lease::{Config, Lease};

use crate::wire::{Kind, Message, Request};

/// Questions for others who have an address.
pub const PROBES: u8 = 2;

/// Between them, and after the last one.
const PROBE_EVERY: Duration = Duration::from_millis(500);

/// After a refusal, before all begins again. RFC 2131 §3.1 (5): ten seconds after a DECLINE.
const PAUSE: Duration = Duration::from_secs(10);

/// Requests for an offer before it is given up.
const REQUESTS: u32 = 4;

/// The least time between two requests for more time (§4.4.5).
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// Where a message goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    /// To everybody on the link, from nobody.
    Everybody,
    /// To a server, from the leased address.
    Server(Ipv4Addr),
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Send a message.
    Send(Request, To),
    /// Ask the link for whoever has this address.
    Probe(Ipv4Addr),
    /// The interface has this from now on, and nothing else of ours.
    Configure(Config),
    /// It has nothing of ours.
    Unconfigure,
    /// Something that people may want to know.
    Tell(News),
}

/// Something that people may want to know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// There is a lease.
    Bound(Lease),
    /// A server refused what it was asked for.
    Refused,
    /// Somebody else has the address that was lent.
    InUse(Ipv4Addr, MacAddr),
    /// The lease ended, and nobody prolonged it.
    Ended,
}

/// What is to be done, in that order.
pub type Actions = SmallVec<[Action; 4]>;

/// See the module's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum State {
    Stopped,
    Init,
    Selecting,
    Requesting { server: Ipv4Addr, address: Ipv4Addr },
    Checking { lease: Lease, left: u8 },
    Bound,
    Renewing,
    Rebinding,
}

/// A client of one interface.
#[derive(Clone, Debug)]
pub struct Client {
    mac: MacAddr,
    state: State,
    lease: Option<Lease>,
    xid: u32,
    /// When it began to ask.
    began: Instant,
    /// When it last asked for what it may be given: a lease counts from there.
    asked: Instant,
    tries: u32,
    deadline: Option<Instant>,
}

/// Random numbers.
pub type Random<'a> = &'a mut dyn FnMut() -> u32;

impl Client {
    /// A client that does nothing yet, of the interface with this link address.
    pub fn new(mac: MacAddr) -> Client {
        let zero = Instant::from_nanos(0);
        Client {
            mac,
            state: State::Stopped,
            lease: None,
            xid: 0,
            began: zero,
            asked: zero,
            tries: 0,
            deadline: None,
        }
    }

    /// Its state.
    pub fn state(&self) -> State {
        self.state
    }

    /// What it has.
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// When [`Client::expire`] is to be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Asks for a lease; one that it has goes on until there is another.
    pub fn begin(&mut self, now: Instant, random: Random<'_>) -> Actions {
        let mut out = Actions::new();
        match self.state {
            State::Stopped | State::Init => self.discover(now, random, &mut out),
            // It has one: is it still good?
            State::Bound => self.renew(now, random, &mut out),
            _ => {}
        }
        out
    }

    /// Gives the lease back.
    pub fn release(&mut self, random: Random<'_>) -> Actions {
        let mut out = Actions::new();
        if let Some(lease) = self.lease.take() {
            self.xid = random();
            let address = lease.config.address;
            let request =
                Request { address, server: Some(lease.server), ..self.message(Kind::Release) };
            out.push(Action::Send(request, To::Server(lease.server)));
            out.push(Action::Unconfigure);
        }
        (self.state, self.deadline) = (State::Stopped, None);
        out
    }

    /// The interface would not take the address: later, again from the beginning.
    pub fn refused(&mut self, now: Instant) {
        if self.state == State::Stopped {
            return;
        }
        self.lease = None;
        (self.state, self.deadline) = (State::Init, Some(now + PAUSE));
    }

    /// The time has come that [`Client::deadline`] says; before it, nothing happens.
    pub fn expire(&mut self, now: Instant, random: Random<'_>) -> Actions {
        let mut out = Actions::new();
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return out;
        }
        match (self.state, self.lease) {
            (State::Init, _) => self.discover(now, random, &mut out),
            (State::Selecting, _) => {
                self.tries = self.tries.saturating_add(1);
                out.push(self.broadcast(Kind::Discover, now, None, None));
                self.back_off(now, random);
            }
            (State::Requesting { .. }, _) if self.tries + 1 >= REQUESTS => {
                self.discover(now, random, &mut out);
            }
            (State::Requesting { server, address }, _) => {
                self.tries += 1;
                self.asked = now;
                out.push(self.broadcast(Kind::Request, now, Some(address), Some(server)));
                self.back_off(now, random);
            }
            (State::Checking { lease, left: 0 }, _) => self.bind(lease, &mut out),
            (State::Checking { lease, left }, _) => {
                out.push(Action::Probe(lease.config.address));
                self.state = State::Checking { lease, left: left - 1 };
                self.deadline = Some(now + PROBE_EVERY);
            }
            (State::Bound, Some(_)) => self.renew(now, random, &mut out),
            (State::Renewing, Some(lease)) if now < lease.rebind => {
                self.ask_for_more(lease, now, &mut out);
            }
            (State::Renewing | State::Rebinding, Some(lease)) if now < lease.end => {
                self.state = State::Rebinding;
                self.ask_for_more(lease, now, &mut out);
            }
            (State::Renewing | State::Rebinding, Some(_)) => {
                self.lease = None;
                out.push(Action::Unconfigure);
                out.push(Action::Tell(News::Ended));
                self.discover(now, random, &mut out);
            }
            // These states have a lease.
            (State::Bound | State::Renewing | State::Rebinding, None) | (State::Stopped, _) => {
                self.deadline = None;
            }
        }
        out
    }

    /// A message came. One that is for others, or for another exchange, changes nothing.
    pub fn receive(&mut self, message: &Message, now: Instant) -> Actions {
        let mut out = Actions::new();
        if message.xid != self.xid || message.client != self.mac {
            return out;
        }
        let is_from = |server: Ipv4Addr| message.server == Some(server);
        match (self.state, message.kind) {
            (State::Selecting, Kind::Offer) => {
                if let (Some(server), true) = (message.server, is_host(message.address)) {
                    // The first one that comes: RFC 2131 §4.4.1 leaves the choice to us.
                    let address = message.address;
                    self.state = State::Requesting { server, address };
                    (self.tries, self.asked) = (0, now);
                    out.push(self.broadcast(Kind::Request, now, Some(address), Some(server)));
                    self.deadline = Some(now + Duration::from_secs(4));
                }
            }
            (State::Requesting { server, .. }, Kind::Ack) if is_from(server) => {
                if let Some(lease) = Lease::of(message, server, self.asked) {
                    out.push(Action::Probe(lease.config.address));
                    self.state = State::Checking { lease, left: PROBES - 1 };
                    self.deadline = Some(now + PROBE_EVERY);
                }
            }
            (State::Requesting { server, .. }, Kind::Nak) if is_from(server) => {
                self.start_over(now, &mut out);
            }
            (State::Renewing | State::Rebinding, Kind::Ack) => {
                let before = self.lease.map(|lease| lease.server);
                let server = message.server.or(before);
                let lease = server.and_then(|server| Lease::of(message, server, self.asked));
                if let Some(lease) = lease {
                    self.bind(lease, &mut out);
                }
            }
            (State::Renewing | State::Rebinding, Kind::Nak) => self.start_over(now, &mut out),
            _ => {}
        }
        out
    }

    /// Somebody with that link address has, or is about to take, an address: is it what we were
    /// lent?
    pub fn heard(&mut self, address: Ipv4Addr, mac: MacAddr, now: Instant) -> Actions {
        let mut out = Actions::new();
        match self.state {
            State::Checking { lease, .. } if lease.config.address == address && mac != self.mac => {
                out.push(self.broadcast(Kind::Decline, now, Some(address), Some(lease.server)));
                out.push(Action::Tell(News::InUse(address, mac)));
                self.lease = None;
                (self.state, self.deadline) = (State::Init, Some(now + PAUSE));
            }
            _ => {}
        }
        out
    }

    /// A server refused: what we have is not ours any more.
    fn start_over(&mut self, now: Instant, out: &mut Actions) {
        if self.lease.take().is_some() {
            out.push(Action::Unconfigure);
        }
        out.push(Action::Tell(News::Refused));
        (self.state, self.deadline) = (State::Init, Some(now + PAUSE));
    }

    fn discover(&mut self, now: Instant, random: Random<'_>, out: &mut Actions) {
        (self.state, self.tries) = (State::Selecting, 0);
        (self.xid, self.began) = (random(), now);
        out.push(self.broadcast(Kind::Discover, now, None, None));
        self.back_off(now, random);
    }

    fn bind(&mut self, lease: Lease, out: &mut Actions) {
        let is_new = self.lease.is_none_or(|before| before.config != lease.config);
        self.lease = Some(lease);
        self.state = State::Bound;
        self.deadline = lease.renew_at();
        if is_new {
            out.push(Action::Configure(lease.config));
            out.push(Action::Tell(News::Bound(lease)));
        }
    }

    fn renew(&mut self, now: Instant, random: Random<'_>, out: &mut Actions) {
        if let Some(lease) = self.lease {
            self.state = State::Renewing;
            (self.xid, self.began) = (random(), now);
            self.ask_for_more(lease, now, out);
        }
    }

    /// Asks for more time: the server, or everybody; again after half of what is left (§4.4.5).
    fn ask_for_more(&mut self, lease: Lease, now: Instant, out: &mut Actions) {
        let (to, until) = match self.state {
            State::Renewing => (To::Server(lease.server), lease.rebind),
            _ => (To::Everybody, lease.end),
        };
        self.asked = now;
        let secs = self.secs(now);
        let address = lease.config.address;
        let request = Request { address, secs, ..self.message(Kind::Request) };
        out.push(Action::Send(request, to));
        let half = until.saturating_since(now) / 2;
        self.deadline = Some((now + half.max(RENEW_EVERY)).min(until));
    }

    /// 4, 8, 16, 32, 64, 64, … seconds, each up to a second more or less (§4.1).
    fn back_off(&mut self, now: Instant, random: Random<'_>) {
        let wait = Duration::from_secs(4 << self.tries.min(4));
        let spread = Duration::from_millis(u64::from(random() % 2001));
        self.deadline = Some(now + (wait + spread).saturating_sub(Duration::from_secs(1)));
    }

    fn secs(&self, now: Instant) -> u16 {
        u16::try_from(now.saturating_since(self.began).as_secs()).unwrap_or(u16::MAX)
    }

    fn message(&self, kind: Kind) -> Request {
        let (xid, client, address) = (self.xid, self.mac, Ipv4Addr::UNSPECIFIED);
        Request { kind, xid, secs: 0, client, address, requested: None, server: None }
    }

    fn broadcast(
        &self,
        kind: Kind,
        now: Instant,
        requested: Option<Ipv4Addr>,
        server: Option<Ipv4Addr>,
    ) -> Action {
        // §4.4.1: a DECLINE has no seconds.
        let secs = if kind == Kind::Decline { 0 } else { self.secs(now) };
        let request = Request { secs, requested, server, ..self.message(kind) };
        Action::Send(request, To::Everybody)
    }
}

/// Whether this can be the address of one host.
fn is_host(address: Ipv4Addr) -> bool {
    let first = address.octets()[0];
    (1..224).contains(&first) && first != 127
}

//! The control block of a connection, and what its user does.
//!
//! Locking: none; its owner guards it. Sources: RFC 9293 §3.3.1, §3.10.1 to §3.10.6.

use alloc::sync::Arc;

use base::Account;

use super::Payload;
use super::autotune::Reading;
use super::board::Board;
use super::congestion::{Algorithm, Congestion};
use super::ecn::{self, Ecn};
use super::header::{Control, Segment};
use super::pathmtu::PathMtu;
use super::rack::Rack;
use super::reassembly::Reassembly;
use super::rto::{MS, Rtt, SECOND};
use super::seq::Seq;
use super::settings::Settings;
use super::state::{Event, Failure, State};
use super::timers::{Timer, Timers};

/// The segment that everybody can take (RFC 9293 §3.7.1).
pub const DEFAULT_MSS: u16 = 536;
/// The window scale of this side, whatever its buffer is now: it may grow.
pub const OUR_SCALE: u8 = 7;
/// How long TIME-WAIT lasts, and how long a FIN is waited for that nobody would read.
/// DIFFERS from RFC 9293 §3.4.2 (four minutes): one, as NetBSD and Linux have it.
pub const LINGER: u64 = 60 * SECOND;

/// What a new connection begins with.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The first number of this side (RFC 6528).
    pub iss: Seq,
    /// The largest segment that the link carries.
    pub mss: u16,
    /// Bytes that the receive buffer has room for.
    pub room: u32,
    /// Where the clock in timestamps starts: not at boot, which is nobody's business.
    pub clock_offset: u32,
    /// The most data that a segment may hold which is cut on its way out, or not at all: 0 if none
    /// is cut.
    pub gso_max: u16,
    /// Whether to ask for congestion marks (RFC 3168).
    pub ecn: bool,
    /// Whether to find out what the path carries where no router says it (RFC 8899).
    pub mtu_probing: bool,
    /// What the user has set.
    pub settings: Settings,
}

/// What two SYNs have agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// The first number of the peer.
    pub irs: Seq,
    /// The peer's window, not scaled: a SYN's never is.
    pub window: u16,
    /// The largest segment that the peer takes.
    pub mss: u16,
    /// The peer's window scale, if both have one.
    pub scale: Option<u8>,
    /// Both take SACK options.
    pub sack: bool,
    /// The peer's clock, if both have timestamps.
    pub timestamp: Option<u32>,
    /// Both know of congestion marks.
    pub ecn: bool,
}

impl Agreed {
    /// Out of the peer's SYN, all of whose options this side has too.
    pub fn of(syn: &Segment) -> Self {
        Self {
            irs: syn.seq,
            window: syn.window,
            mss: syn.options.mss.unwrap_or(DEFAULT_MSS),
            scale: syn.options.scale,
            sack: syn.options.sack_permitted,
            timestamp: syn.options.timestamps.map(|(value, _)| value),
            ecn: ecn::is_asked_by(syn),
        }
    }
}

/// What is sent.
pub(super) struct Sending {
    pub(super) iss: Seq,
    pub(super) una: Seq,
    pub(super) nxt: Seq,
    /// Where the owner's buffer begins, and where it ends.
    pub(super) start: Seq,
    pub(super) end: Seq,
    /// The user sends no more: a FIN follows the data.
    pub(super) fin: bool,
    pub(super) window: u32,
    pub(super) window_max: u32,
    pub(super) wl1: Seq,
    pub(super) wl2: Seq,
    pub(super) scale: u8,
    /// The largest segment, options included.
    pub(super) mss: u16,
    /// The most data in several that leave this side as one.
    pub(super) gso_max: u16,
    /// Bytes acknowledged since the owner last asked.
    pub(super) freed: u32,
    /// The end of urgent data (RFC 6093).
    pub(super) urgent: Option<Seq>,
    /// When something was last sent that takes numbers.
    pub(super) last: u64,
    /// Since when the oldest of what is on its way has been.
    pub(super) since: u64,
    /// The congestion window was what kept data back.
    pub(super) limited: bool,
}

/// What is received.
pub(super) struct Receiving<P> {
    pub(super) irs: Seq,
    pub(super) nxt: Seq,
    /// The right edge of the window that the peer knows.
    pub(super) edge: Seq,
    pub(super) scale: u8,
    /// Bytes that the owner's buffer has room for.
    pub(super) room: u32,
    pub(super) room_max: u32,
    /// The last acknowledgment number sent.
    pub(super) acked: Seq,
    /// The largest segment seen, and the largest that this side asked for.
    pub(super) largest: u32,
    pub(super) offered: u16,
    /// The end of urgent data.
    pub(super) urgent: Option<Seq>,
    /// Nobody will read any more.
    pub(super) deaf: bool,
    pub(super) reading: Option<Reading>,
    /// A round trip, as far as who receives can tell.
    pub(super) rtt: Option<u64>,
    pub(super) reassembly: Reassembly<P>,
}

/// Timestamps (RFC 7323 §3, §4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamps {
    pub(super) on: bool,
    pub(super) offset: u32,
    pub(super) recent: u32,
    pub(super) recent_at: u64,
}

/// What a loss has made of the sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// Nothing is lost.
    Open,
    /// A loss is repaired, until this number is acknowledged (RFC 6675 §5).
    Recovery(Seq),
    /// The retransmission timer has expired; until this number is acknowledged.
    Loss(Seq),
}

/// A tail loss probe on its way (RFC 8985 §7.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct TailProbe {
    pub(super) end: Seq,
    pub(super) again: bool,
}

/// What is to be sent besides what windows allow.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Wanted {
    /// An acknowledgment.
    pub(super) ack: bool,
    /// A segment that the peer has, to make it answer.
    pub(super) probe: bool,
    /// One lost segment, whatever the congestion window.
    pub(super) lost: bool,
    /// A tail loss probe: new data, or the last segment again.
    pub(super) tail: Option<bool>,
    /// Less than a segment, whatever Nagle says.
    pub(super) small: bool,
}

/// A connection.
pub struct Tcb<P> {
    pub(super) state: State,
    pub(super) settings: Settings,
    pub(super) snd: Sending,
    pub(super) rcv: Receiving<P>,
    pub(super) board: Board,
    pub(super) rtt: Rtt,
    pub(super) rack: Rack,
    pub(super) tail: Option<TailProbe>,
    pub(super) cc: Algorithm,
    pub(super) mode: Mode,
    pub(super) duplicates: u32,
    pub(super) stamps: Stamps,
    pub(super) sack: bool,
    pub(super) ecn: Ecn,
    pub(super) path: PathMtu,
    /// How often full segments did not get through.
    pub(super) black_holes: u32,
    pub(super) timers: Timers,
    pub(super) wanted: Wanted,
    pub(super) reset: Option<Segment>,
    pub(super) events: Event,
    pub(super) failure: Option<Failure>,
    /// When something was last heard.
    pub(super) heard: u64,
    /// Probes without an answer: keepalives, or for a window.
    pub(super) probes: u8,
    /// Probes for a window since it closed.
    pub(super) persists: u8,
    /// Challenge acknowledgments in the second that began then (RFC 5961 §7).
    pub(super) challenges: (u64, u8),
    /// Segments sent again, for TCP_INFO.
    pub(super) resent: u32,
}

impl<P: Payload> Tcb<P> {
    fn new(account: &Arc<Account>, start: &Start, now: u64) -> Self {
        let mss = start.settings.max_segment.map_or(start.mss, |m| m.min(start.mss));
        let (iss, zero) = (start.iss, Seq(0));
        Self {
            state: State::Closed,
            settings: start.settings,
            snd: Sending {
                iss,
                una: iss,
                nxt: iss,
                start: iss + 1,
                end: iss + 1,
                fin: false,
                window: 0,
                window_max: 0,
                wl1: zero,
                wl2: zero,
                scale: 0,
                mss,
                gso_max: start.gso_max,
                freed: 0,
                urgent: None,
                last: now,
                since: now,
                limited: false,
            },
            rcv: Receiving {
                irs: zero,
                nxt: zero,
                edge: zero,
                scale: 0,
                room: start.room,
                room_max: start.room,
                acked: zero,
                largest: mss.min(DEFAULT_MSS).into(),
                offered: mss,
                urgent: None,
                deaf: false,
                reading: None,
                rtt: None,
                reassembly: Reassembly::new(account),
            },
            board: Board::new(account),
            rtt: Rtt::new(),
            rack: Rack::default(),
            tail: None,
            cc: Algorithm::new(mss.into()),
            mode: Mode::Open,
            duplicates: 0,
            stamps: Stamps { on: true, offset: start.clock_offset, recent: 0, recent_at: now },
            sack: true,
            ecn: Ecn::new(start.ecn),
            path: PathMtu::new(start.mtu_probing),
            black_holes: 0,
            timers: Timers::new(),
            wanted: Wanted::default(),
            reset: None,
            events: Event::empty(),
            failure: None,
            heard: now,
            probes: 0,
            persists: 0,
            challenges: (0, 0),
            resent: 0,
        }
    }

    /// A connection that this side begins (RFC 9293 §3.10.1, active OPEN).
    pub fn connect(account: &Arc<Account>, start: &Start, now: u64) -> Self {
        let mut tcb = Self::new(account, start, now);
        tcb.state = State::SynSent;
        tcb
    }

    /// A connection whose handshake `syncache` has done. The segment that ended it is still to be
    /// given to [`Tcb::input`].
    pub fn accepted(account: &Arc<Account>, start: &Start, agreed: &Agreed, now: u64) -> Self {
        let mut tcb = Self::new(account, start, now);
        tcb.agree(agreed, now);
        let next = start.iss + 1;
        (tcb.snd.una, tcb.snd.nxt) = (next, next);
        tcb.snd.wl2 = next;
        tcb.ecn.on = agreed.ecn;
        // The SYN-ACK offered what a SYN can say.
        tcb.rcv.edge = tcb.rcv.nxt + start.room.min(u16::MAX.into());
        tcb.established(now);
        tcb
    }

    /// The peer's SYN has come.
    pub(super) fn agree(&mut self, agreed: &Agreed, now: u64) {
        (self.rcv.irs, self.rcv.nxt) = (agreed.irs, agreed.irs + 1);
        self.rcv.acked = self.rcv.nxt;
        // What the peer may send before it hears of a window: what this side's SYN said.
        self.rcv.edge = self.rcv.nxt + self.rcv.room.min(u16::MAX.into());
        self.snd.window = agreed.window.into();
        self.snd.window_max = self.snd.window;
        self.snd.wl1 = agreed.irs;
        let scaled = agreed.scale.is_some();
        self.snd.scale = agreed.scale.unwrap_or(0);
        self.rcv.scale = if scaled { OUR_SCALE } else { 0 };
        self.sack &= agreed.sack;
        self.stamps.on &= agreed.timestamp.is_some();
        self.stamps.recent = agreed.timestamp.unwrap_or(0);
        self.stamps.recent_at = now;
        // RFC 9293 §3.7.1; no smaller than what leaves room for data beside all options.
        self.set_segment(self.snd.mss.min(agreed.mss.max(64)));
        self.path.allow(self.snd.mss);
    }

    pub(super) fn set_segment(&mut self, mss: u16) {
        self.snd.mss = mss;
        let data = self.segment_data();
        // The first window depends on it; later ones do not.
        if self.state.is_synchronized() {
            self.cc.set_mss(data);
        } else {
            self.cc = Algorithm::named(self.cc.name(), data).unwrap_or(self.cc);
        }
    }

    pub(super) fn established(&mut self, now: u64) {
        self.state = State::Established;
        self.heard = now;
        self.events |= Event::CONNECTED;
        self.start_keepalive(now);
    }

    // ---- what the user does ----

    /// `n` more bytes are in the owner's buffer.
    pub fn written(&mut self, n: u32) {
        self.snd.end += n;
    }

    /// The last byte written so far is urgent (RFC 6093: a mark in the stream, and no more).
    pub fn mark_urgent(&mut self) {
        self.snd.urgent = Some(self.snd.end);
    }

    /// The receive buffer has room for so many bytes, of so many when it is empty.
    pub fn set_room(&mut self, room: u32, all: u32) {
        (self.rcv.room, self.rcv.room_max) = (room, all);
    }

    /// The user has read: a larger window, of which [`Tcb::set_room`] was told, may be worth a
    /// segment.
    pub fn read_more(&mut self) {
        let (room, all) = (self.rcv.room, self.rcv.room_max);
        // RFC 9293 §3.8.6.2.2; two segments, since nobody waits for less.
        let more = (self.rcv.nxt + room).after(self.rcv.edge);
        if self.state.receives() && more >= (2 * self.rcv.largest).min(all / 2).max(1) {
            self.wanted.ack = true;
        }
    }

    /// The user sends no more (RFC 9293 §3.10.4).
    pub fn close(&mut self) {
        self.state = match self.state {
            State::SynSent => return self.finish(),
            State::SynReceived | State::Established => State::FinWait1,
            State::CloseWait => State::LastAck,
            _ => return,
        };
        self.snd.fin = true;
    }

    /// The user reads no more, and cannot know what arrives.
    pub fn deafen(&mut self, now: u64) {
        self.rcv.deaf = true;
        if self.state == State::FinWait2 {
            self.timers.start(Timer::Linger, now + LINGER);
        }
    }

    /// The user wants no more of it (RFC 9293 §3.10.5).
    pub fn abort(&mut self) {
        use State::{CloseWait, Established, FinWait1, FinWait2, SynReceived};
        if matches!(self.state, SynReceived | Established | FinWait1 | FinWait2 | CloseWait) {
            self.reset = Some(self.reset_segment());
        }
        self.finish();
    }

    pub(super) fn reset_segment(&self) -> Segment {
        let control = Control::RST | Control::ACK;
        Segment { seq: self.snd.nxt, ack: self.rcv.nxt, control, ..Segment::default() }
    }

    /// There is no connection any more.
    pub(super) fn finish(&mut self) {
        self.state = State::Closed;
        self.timers = Timers::new();
        self.wanted = Wanted::default();
        self.events |= Event::CLOSED;
        self.board.acknowledge(self.snd.nxt, &mut |_| {});
        self.rcv.reassembly.clear();
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
        self.events |= Event::FAILED;
        self.finish();
    }

    pub(super) fn start_keepalive(&mut self, now: u64) {
        if self.settings.keepalive {
            self.timers.start(Timer::Keepalive, now + self.settings.keep_idle);
        }
    }

    /// Changes settings of a connection.
    pub fn set(&mut self, settings: Settings, now: u64) {
        let was = core::mem::replace(&mut self.settings, settings);
        if was != settings && self.state.is_synchronized() {
            self.timers.clear(Timer::Keepalive);
            self.start_keepalive(now);
        }
        // What was held back has waited for this.
        self.wanted.small |= was.cork && !settings.cork;
        self.wanted.ack |= settings.quickack && self.timers.is_set(Timer::DelayedAck);
        if let Some(max) = settings.max_segment.filter(|m| *m < self.snd.mss) {
            self.set_segment(max.max(64));
            self.path.allow(self.snd.mss);
        }
    }

    /// Chooses a congestion algorithm; false if there is none of that name.
    pub fn set_congestion(&mut self, name: &str) -> bool {
        let new = Algorithm::named(name, self.segment_data());
        self.cc = new.unwrap_or(self.cc);
        new.is_some()
    }

    /// The way carries no more than `mtu` bytes in a packet (RFC 1191); segments that are longer are
    /// cut, and go out again.
    pub fn narrow(&mut self, mtu: u32) {
        let mss = u16::try_from(mtu.saturating_sub(40)).unwrap_or(u16::MAX).max(64);
        if mss >= self.snd.mss || !self.state.is_synchronized() {
            return;
        }
        self.set_segment(mss);
        self.path.allow(mss);
        let longest = self.segment_data();
        if self.board.mark_lost(|s| s.len() > longest) {
            self.wanted.lost = true;
        }
    }

    /// How often the path did not carry full segments, since this was last asked.
    pub fn take_black_holes(&mut self) -> u32 {
        core::mem::take(&mut self.black_holes)
    }

    // ---- what there is to know ----

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// What the user has set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether data that the user writes will be sent.
    pub fn can_write(&self) -> bool {
        matches!(self.state, State::Established | State::CloseWait)
    }

    /// The number of the first byte in the owner's buffer.
    pub fn data_start(&self) -> Seq {
        self.snd.start
    }

    /// The numbers that may be acknowledged next, to check what an ICMP error quotes (RFC 5927 §4).
    pub fn is_outstanding(&self, seq: Seq) -> bool {
        self.snd.una.le(seq) && seq.lt(self.snd.nxt)
    }

    /// How many bytes the owner may take off its buffer.
    pub fn take_freed(&mut self) -> u32 {
        core::mem::take(&mut self.snd.freed)
    }

    /// What has happened since this was last asked.
    pub fn take_events(&mut self) -> Event {
        core::mem::take(&mut self.events)
    }

    /// Why it failed.
    pub fn failure(&self) -> Option<Failure> {
        self.failure
    }

    /// Whether all that was written, and the FIN, are acknowledged.
    pub fn all_acknowledged(&self) -> bool {
        self.snd.una == self.snd.end + u32::from(self.snd.fin)
    }

    /// Numbers of the peer for RFC 6191: what a new connection's SYN must be beyond.
    pub fn may_be_reused_by(&self, syn: &Segment) -> bool {
        let beyond = syn.seq.gt(self.rcv.nxt);
        let newer = match syn.options.timestamps.filter(|_| self.stamps.on) {
            Some((value, _)) => {
                let later = (value.wrapping_sub(self.stamps.recent) as i32) > 0;
                later || (value == self.stamps.recent && beyond)
            }
            None => beyond,
        };
        self.state == State::TimeWait && newer
    }

    /// Where a next connection's numbers may begin: beyond those of this one (RFC 6191 §2 wants
    /// timestamps or this).
    pub fn next_iss(&self) -> Seq {
        self.snd.nxt + 64_000
    }

    /// What TCP_INFO says.
    pub fn info(&self) -> Info {
        Info {
            state: self.state,
            timestamps: self.stamps.on,
            sack: self.sack,
            scales: (self.rcv.scale > 0).then_some((self.snd.scale, self.rcv.scale)),
            timeout: self.rtt.timeout(),
            rtt: self.rtt.smoothed().unwrap_or(0),
            variance: self.rtt.variance(),
            min_rtt: self.rtt.smallest(),
            mss: self.snd.mss,
            received_mss: self.rcv.largest,
            window: self.cc.window(),
            threshold: self.cc.threshold(),
            segment: self.segment_data(),
            unacknowledged: self.board.packets(),
            lost: self.board.lost(),
            resent: self.resent,
            backoffs: self.rtt.backoffs(),
            congestion: self.cc.name(),
            peer_window: self.snd.window,
        }
    }
}

/// What TCP_INFO says. Times in nanoseconds, windows in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Info {
    pub state: State,
    pub timestamps: bool,
    pub sack: bool,
    pub scales: Option<(u8, u8)>,
    pub timeout: u64,
    pub rtt: u64,
    pub variance: u64,
    pub min_rtt: u64,
    pub mss: u16,
    pub received_mss: u32,
    pub window: u32,
    pub threshold: u32,
    pub segment: u32,
    pub unacknowledged: u32,
    pub lost: u32,
    pub resent: u32,
    pub backoffs: u8,
    pub congestion: &'static str,
    pub peer_window: u32,
}

impl Stamps {
    /// The clock of this side, in milliseconds.
    pub(super) fn clock(&self, at: u64) -> u32 {
        ((at / MS) as u32).wrapping_add(self.offset)
    }
}

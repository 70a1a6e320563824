//! One socket of TCP: the control block of its connection, or the queue of those that it accepts.
//!
//! * [`TcpPcb::run`]: does something with the control block, and then all that follows from it.
//!
//! Locking: `Rank::Connection` for what is inside, held while segments are sent, so that they leave
//! in order; `Rank::Socket` inside it. Removal from the tables follows with nothing held.
//! Sources: NetBSD tcp_usrreq.c, tcp_subr.c.

use core::sync::atomic::{AtomicBool, Ordering};

use base::callout::{Callout, Handler};
use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::wait::Events;
use base::{Cx, Instant, KArc, KBox, KDeque};
use net::Packet;
use net::socket::{SockError, SockFlags, Socket};

use super::header::{Control, Segment};
use super::isn::Pair;
use super::state::{Event, Failure, State};
use super::{Settings, Tcb, ecn, transmit};
use crate::component::TCP;
use crate::ip::output::SendError;
use crate::udp::ip_options::IpOptions;
use crate::udp::table::Key;

/// A socket's side.
pub(crate) struct TcpPcb {
    pub(crate) so: KArc<Socket>,
    pub(crate) options: IpOptions,
    listens: AtomicBool,
    pub(crate) inner: IntrMutex<Inner>,
}

/// What `Rank::Connection` guards.
pub(crate) struct Inner {
    /// Its place among the ports; an accepted connection has none.
    pub(crate) key: Option<Key>,
    pub(crate) settings: Settings,
    pub(crate) congestion: &'static str,
    /// TCP_DEFER_ACCEPT, as `schedule` counts it.
    pub(crate) defer: u8,
    pub(crate) pair: Option<Pair>,
    pub(crate) tcb: Option<KBox<Tcb<Packet>>>,
    timer: Option<Callout>,
    pub(crate) listen: Option<Listen>,
    /// No descriptor is left.
    pub(crate) detached: bool,
}

/// What a listening socket has.
pub(crate) struct Listen {
    pub(crate) backlog: usize,
    pub(crate) queue: KDeque<KArc<TcpPcb>>,
}

/// The largest buffer that nobody has asked for, in bytes: not much of what the kernel may have.
fn tuned_max(cx: &Cx<'_>) -> usize {
    const MOST: u64 = 4 << 20;
    usize::try_from((cx.account().limit() / 32).min(MOST)).unwrap_or(0)
}

/// What becomes of a pcb after something was done with it.
#[derive(PartialEq, Eq)]
enum Next {
    Stays,
    Over(Pair),
}

impl TcpPcb {
    pub(crate) fn new(cx: &Cx<'_>, so: KArc<Socket>) -> Self {
        let inner = Inner {
            key: None,
            settings: Settings::default(),
            congestion: super::congestion::Algorithm::NAMES[0],
            defer: 0,
            pair: None,
            tcb: None,
            timer: None,
            listen: None,
            detached: false,
        };
        Self {
            so,
            options: IpOptions::default(),
            listens: AtomicBool::new(false),
            inner: IntrMutex::new(cx, Rank::Connection, inner),
        }
    }

    pub(crate) fn listens(&self) -> bool {
        self.listens.load(Ordering::Acquire)
    }

    pub(crate) fn set_listens(&self, on: bool) {
        self.listens.store(on, Ordering::Release);
    }

    /// The state, for lists.
    pub(crate) fn listed_state(&self, cx: &Cx<'_>) -> &'static str {
        if self.listens() {
            return "LISTEN";
        }
        self.inner.lock(cx).tcb.as_ref().map_or("CLOSED", |tcb| tcb.state().name())
    }

    /// Takes a control block, whose connection is in the tables.
    pub(crate) fn begin(
        cx: &Cx<'_>,
        me: &KArc<TcpPcb>,
        pair: Pair,
        tcb: Tcb<Packet>,
    ) -> Result<(), SockError> {
        let tcb = kmem::boxed(cx, tcb)?;
        let timer = Callout::new(cx, me.clone())?;
        let mut inner = me.inner.lock(cx);
        (inner.pair, inner.tcb, inner.timer) = (Some(pair), Some(tcb), Some(timer));
        let congestion = inner.congestion;
        if let Some(tcb) = &mut inner.tcb {
            tcb.set_congestion(congestion);
        }
        Ok(())
    }

    /// Does `f` with the control block, if there is one, and what follows: segments are sent, buffers
    /// freed, the socket told, the timer set. `f` may give a segment that goes out first.
    pub(crate) fn run<R>(
        &self,
        cx: &Cx<'_>,
        f: impl FnOnce(&mut Tcb<Packet>, u64) -> (R, Option<Segment>),
    ) -> Option<R> {
        let now = cx.now().nanos();
        let mut inner = self.inner.lock(cx);
        let Inner { tcb, pair, .. } = &mut *inner;
        let (tcb, pair) = (tcb.as_mut()?, (*pair)?);
        let (room, all) = self.room(cx);
        tcb.set_room(room, all);
        let (result, first) = f(tcb, now);
        if let Some(seg) = first {
            transmit::reply(cx, &pair, self.so.device(), &seg);
        }
        let next = self.follow(cx, &mut inner, pair, now);
        drop(inner);
        if let Next::Over(pair) = next {
            self.over(cx, &pair);
        }
        Some(result)
    }

    /// The receive buffer grows with what is read.
    pub(crate) fn tune_receive(&self, cx: &Cx<'_>, tcb: &mut Tcb<Packet>, now: u64) {
        let mut state = self.so.state(cx);
        if state.flags.contains(SockFlags::RCVBUF_SET) {
            return;
        }
        let held = u32::try_from(state.rcv.counted()).unwrap_or(u32::MAX);
        let Some(wanted) = tcb.wanted_receive_buffer(held, now) else { return };
        let limit = state.rcv.limit();
        state.rcv.set_limit((wanted as usize).min(tuned_max(cx)).max(limit));
        drop(state);
        let (room, all) = self.room(cx);
        tcb.set_room(room, all);
    }

    fn room(&self, cx: &Cx<'_>) -> (u32, u32) {
        let state = self.so.state(cx);
        let words = (u32::try_from(state.rcv.room()), u32::try_from(state.rcv.limit()));
        (words.0.unwrap_or(u32::MAX), words.1.unwrap_or(u32::MAX))
    }

    fn follow(&self, cx: &Cx<'_>, inner: &mut Inner, pair: Pair, now: u64) -> Next {
        let Inner { tcb, timer, .. } = inner;
        let Some(tcb) = tcb.as_mut() else { return Next::Stays };
        let mut wake = Events::empty();
        let freed = tcb.take_freed();
        if freed > 0 {
            let mut state = self.so.state(cx);
            state.snd.pull(freed as usize);
            let wanted = tcb.wanted_send_buffer() as usize;
            let limit = state.snd.limit();
            if wanted > limit && !state.flags.contains(SockFlags::SNDBUF_SET) {
                state.snd.set_limit(wanted.min(tuned_max(cx)).max(limit));
            }
            // A writer that was let in for a few bytes would be back at once.
            if state.snd.room() * 3 >= state.snd.limit() {
                wake |= Events::OUT;
            }
        }
        self.send_all(cx, tcb, &pair, now);
        let events = tcb.take_events();
        let counters = &cx.get(&TCP).counters;
        counters.black_holes.add(cx, tcb.take_black_holes().into());
        if events.contains(Event::CONNECTED) {
            counters.established.inc(cx);
            self.so.state(cx).flags -= SockFlags::CONNECTING;
            wake |= Events::OUT;
        }
        if events.contains(Event::ENDED) {
            // A close may wait for that.
            wake |= Events::OUT;
        }
        if events.contains(Event::PEER_ENDED) {
            self.so.no_more_input(cx);
        }
        if events.contains(Event::FAILED) {
            counters.failed.inc(cx);
            let failure = tcb.failure().map_or(SockError::Aborted, SockError::from);
            self.so.set_error(cx, failure);
        }
        let closed = tcb.state() == State::Closed;
        if closed {
            counters.closed.inc(cx);
            let mut state = self.so.state(cx);
            state.flags -= SockFlags::CONNECTING;
            state.flags |= SockFlags::SHUT_READ | SockFlags::SHUT_WRITE;
            state.snd.clear();
            drop(state);
            wake = Events::all();
        } else if let (Some(due), Some(timer)) = (tcb.deadline(), &*timer) {
            // Not moved later: it fires for nothing once, instead of being told about each change.
            timer.schedule_by(cx, Instant::from_nanos(due));
        }
        if !wake.is_empty() {
            self.so.queue().wake(cx, wake);
        }
        if closed { Next::Over(pair) } else { Next::Stays }
    }

    fn send_all(&self, cx: &Cx<'_>, tcb: &mut Tcb<Packet>, pair: &Pair, now: u64) {
        let how = self.options.send(cx, &self.so, Some(*pair.local.ip()), *pair.peer.ip(), 6);
        let how = crate::ip::output::Send { dont_fragment: true, broadcast_ok: false, ..how };
        while let Some(seg) = tcb.poll(now) {
            let offset = seg.seq.after(tcb.data_start()) as usize;
            let how = crate::ip::output::Send { tos: how.tos & !ecn::MASK | seg.ecn, ..how };
            match transmit::send(cx, pair, &seg, Some((&self.so, offset)), &how) {
                Ok(()) => {}
                Err(SendError::TooBig { mtu }) => tcb.narrow(mtu),
                // It is lost, as others are on their way; the sender will find that out.
                Err(_) => {
                    cx.get(&TCP).counters.send_errors.inc(cx);
                    return;
                }
            }
        }
    }

    /// The connection is over: out of the tables, and its memory is given back.
    fn over(&self, cx: &Cx<'_>, pair: &Pair) {
        let entry = cx.get(&TCP).tables.lock(cx).take(pair, self);
        let mut inner = self.inner.lock(cx);
        let (timer, tcb) = (inner.timer.take(), inner.tcb.take());
        inner.pair = None;
        drop(inner);
        drop(tcb);
        // The timer's reference, and the table's, may be the last ones but the caller's.
        if let Some(timer) = timer {
            timer.destroy(cx);
        }
        drop(entry);
    }

    /// Forgets the connection at once.
    pub(crate) fn forget(&self, cx: &Cx<'_>) {
        let pair = self.inner.lock(cx).pair;
        if let Some(pair) = pair {
            self.so.state(cx).rcv.clear();
            self.so.state(cx).snd.clear();
            self.over(cx, &pair);
        }
    }

    /// A segment for the connection.
    pub(crate) fn segment(&self, cx: &Cx<'_>, seg: &Segment, data: Packet) {
        let mut came = false;
        let so = &self.so;
        // What comes out of order is held by the connection, and so is whose that is.
        let data = match data.is_empty() {
            true => Ok(data),
            false => data.charged_to(so.charge().account()),
        };
        let (seg, data) = match data {
            Ok(data) => (*seg, data),
            Err(mut data) => {
                // It is as if its data had been lost on its way; what else it says counts: it may be
                // what frees memory.
                cx.get(&TCP).counters.no_memory.inc(cx);
                data.truncate(0);
                (Segment { len: 0, control: seg.control - Control::FIN, ..*seg }, data)
            }
        };
        self.run(cx, |tcb, now| {
            let reply = tcb.input(&seg, data, now, &mut |data| {
                let mut state = so.state(cx);
                if state.flags.contains(SockFlags::SHUT_READ) {
                    // Nobody reads: taken, and dropped.
                    return true;
                }
                // More memory than the limit allows for is not held, however small the pieces; what
                // does not fit is sent again.
                let full = !state.rcv.is_empty() && state.rcv.room() == 0;
                let taken = !full && state.rcv.append_stream(data).is_ok();
                came |= taken;
                taken
            });
            if came {
                let state = so.state(cx);
                let word = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let (room, all) = (word(state.rcv.room()), word(state.rcv.limit()));
                drop(state);
                tcb.set_room(room, all);
            }
            ((), reply)
        });
        if came {
            self.so.queue().wake_taker(cx, Events::IN);
        }
    }
}

impl Handler for TcpPcb {
    fn expired(&self, cx: &Cx<'_>) {
        self.run(cx, |tcb, now| (tcb.expire(now), None));
    }
}

impl From<Failure> for SockError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused => SockError::Refused,
            Failure::Reset => SockError::Reset,
            Failure::TimedOut => SockError::TimedOut,
        }
    }
}

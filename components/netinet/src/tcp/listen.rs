//! Listening sockets: segments for them, and the connections that come of these.
//!
//! Locking: `Rank::Pcbs` for the handshake, `Rank::Connection` inside it for the queue's length;
//! nothing while an answer is sent.
//! Sources: RFC 9293 §3.10.7.2; RFC 4987; NetBSD tcp_syncache.c; Linux listen(2) (the backlog), tcp(7)
//! (TCP_DEFER_ACCEPT).

use base::vm::kmem;
use base::wait::Events;
use base::{Cx, Instant, KArc};
use net::Packet;
use net::socket::{SockError, SockFlags, Socket};

use super::header::{Control, Segment};
use super::isn::Pair;
use super::pcb::TcpPcb;
use super::seq::Seq;
use super::syncache::{Done, Offer, Outcome, Place};
use super::{Start, Tcb, deliver, kernel, transmit};
use crate::component::TCP;

/// The most connections that wait to be accepted, whatever a program asks for.
const MAX_BACKLOG: usize = 4096;

/// How many a program that asks for `n` gets.
pub(crate) fn backlog(n: u32) -> usize {
    (n as usize).clamp(1, MAX_BACKLOG)
}

/// A segment for which there is no connection, and which arrived on the interface with the index `at`.
/// `floor`: where this side's numbers must begin.
pub(crate) fn input(
    cx: &Cx<'_>,
    pair: &Pair,
    at: u32,
    seg: &Segment,
    data: Packet,
    floor: Option<Seq>,
) {
    let tcp = cx.get(&TCP);
    let mut inner = tcp.tables.lock(cx);
    let Some(listener) = inner.listener(pair, at).cloned() else {
        drop(inner);
        return deliver::refuse(cx, pair, seg);
    };
    let (secret, now) = (inner.secret(cx), cx.now().nanos());
    let place = Place { pair: *pair, device: listener.so.device() };
    let outcome = if seg.has(Control::SYN) {
        if seg.control.intersects(Control::RST | Control::ACK | Control::FIN) {
            // §3.10.7.2: an acknowledgment of nothing; and no SYN ends what it begins.
            drop(inner);
            return deliver::refuse(cx, pair, seg);
        }
        if listener.is_full(cx) {
            drop(inner);
            return tcp.counters.listen_full.inc(cx);
        }
        let window = u16::try_from(listener.so.state(cx).rcv.limit()).unwrap_or(u16::MAX);
        let offer = Offer {
            mss: listener.mss(cx, &place),
            window,
            ecn: tcp.ecn() != 0,
            defer: listener.inner.lock(cx).defer,
        };
        let before = inner.halves.cookies();
        let answer = inner.halves.syn(&secret, &place, seg, offer, floor, now);
        if inner.halves.cookies() > before {
            tcp.counters.cookies_sent.inc(cx);
        }
        Outcome::Reply(answer)
    } else {
        let full = seg.has(Control::ACK) && listener.is_full(cx);
        inner.halves.finish(&secret, &place, seg, full, now)
    };
    let due = inner.halves.deadline();
    drop(inner);
    if let Some(due) = due {
        tcp.timer.schedule_by(cx, Instant::from_nanos(due));
    }
    match outcome {
        Outcome::Nothing => {}
        Outcome::Full => tcp.counters.listen_full.inc(cx),
        Outcome::Reply(seg) => transmit::reply(cx, pair, place.device, &seg),
        Outcome::Done(done) => match listener.connect(cx, &place, &done) {
            Ok(pcb) => {
                pcb.segment(cx, seg, data);
                enqueue(cx, &listener, pcb);
            }
            Err(_) => tcp.counters.no_memory.inc(cx),
        },
    }
}

/// The answers that are due again.
pub(crate) fn expire(cx: &Cx<'_>) {
    let tcp = cx.get(&TCP);
    loop {
        let mut inner = tcp.tables.lock(cx);
        let (secret, now) = (inner.secret(cx), cx.now().nanos());
        let next = inner.halves.expire(&secret, now);
        let due = inner.halves.deadline();
        drop(inner);
        let Some((place, seg)) = next else {
            if let Some(due) = due {
                tcp.timer.schedule_by(cx, Instant::from_nanos(due));
            }
            return;
        };
        transmit::reply(cx, &place.pair, place.device, &seg);
    }
}

fn connect(
    cx: &Cx<'_>,
    listener: &TcpPcb,
    Place { pair, device }: &Place,
    done: &Done,
) -> Result<KArc<TcpPcb>, SockError> {
    let so = kmem::arc(cx, Socket::new(cx, listener.so.proto(), listener.so.protocol()))?;
    so.set_device(*device);
    let from = listener.so.state(cx);
    let (snd, rcv, linger) = (from.snd.limit(), from.rcv.limit(), from.linger);
    let inherited = SockFlags::KEEPALIVE
        | SockFlags::OOBINLINE
        | SockFlags::DONTROUTE
        | SockFlags::SNDBUF_SET
        | SockFlags::RCVBUF_SET;
    let flags = from.flags & inherited;
    drop(from);
    let mut state = so.state(cx);
    state.snd.set_limit(snd);
    state.rcv.set_limit(rcv);
    (state.linger, state.flags) = (linger, flags);
    drop(state);
    let pcb = kmem::arc(cx, TcpPcb::new(cx, so))?;
    pcb.options.inherit(&listener.options);
    let from = listener.inner.lock(cx);
    let (settings, congestion) = (from.settings, from.congestion);
    drop(from);
    let mut inner = pcb.inner.lock(cx);
    (inner.settings, inner.congestion) = (settings, congestion);
    drop(inner);
    let tables = &cx.get(&TCP).tables;
    let clock_offset = tables.lock(cx).secret(cx).clock_offset(pair);
    let start = Start {
        iss: done.iss,
        mss: kernel::mss_to(cx, *pair.peer.ip(), *device),
        room: u32::try_from(rcv).unwrap_or(u32::MAX),
        clock_offset,
        gso_max: transmit::GSO_MAX,
        ecn: false,
        mtu_probing: cx.get(&TCP).mtu_probing(),
        settings,
    };
    let tcb = Tcb::accepted(cx.account(), &start, &done.agreed, cx.now().nanos());
    TcpPcb::begin(cx, &pcb, *pair, tcb)?;
    let added = tables.lock(cx).add(cx, *pair, pcb.clone());
    if let Err(e) = added {
        pcb.forget(cx);
        return Err(e);
    }
    cx.get(&TCP).counters.accepts.inc(cx);
    Ok(pcb)
}

/// Puts a connection where it waits to be accepted. If nobody listens any more, or there is no room,
/// it is broken.
fn enqueue(cx: &Cx<'_>, listener: &TcpPcb, pcb: KArc<TcpPcb>) {
    let mut inner = listener.inner.lock(cx);
    let refused = match &mut inner.listen {
        Some(listen) if listen.queue.len() < listen.backlog => listen.queue.push_back(pcb).err(),
        _ => Some(pcb),
    };
    drop(inner);
    match refused {
        None => listener.so.queue().wake_taker(cx, Events::IN),
        Some(pcb) => {
            cx.get(&TCP).counters.listen_full.inc(cx);
            pcb.break_off(cx);
        }
    }
}

impl TcpPcb {
    /// Makes the connection of a handshake that has ended, at the cost of whoever listens.
    fn connect(&self, cx: &Cx<'_>, at: &Place, done: &Done) -> Result<KArc<TcpPcb>, SockError> {
        cx.charged_to(self.so.charge().account(), |cx| connect(cx, self, at, done))
    }

    fn is_full(&self, cx: &Cx<'_>) -> bool {
        let inner = self.inner.lock(cx);
        inner.listen.as_ref().is_none_or(|l| l.queue.len() >= l.backlog)
    }

    fn mss(&self, cx: &Cx<'_>, Place { pair, device }: &Place) -> u16 {
        let most = self.inner.lock(cx).settings.max_segment.unwrap_or(u16::MAX);
        kernel::mss_to(cx, *pair.peer.ip(), *device).min(most)
    }

    /// Ends the connection with a reset.
    pub(crate) fn break_off(&self, cx: &Cx<'_>) {
        self.inner.lock(cx).detached = true;
        self.run(cx, |tcb, _| (tcb.abort(), None));
        self.so.state(cx).rcv.clear();
    }
}

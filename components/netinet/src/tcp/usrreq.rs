//! What calls on a TCP socket do.
//!
//! Locking: `Rank::Pcbs` and `Rank::Connection`, one after the other.
//! Sources: RFC 9293 §3.10.1 to §3.10.6; NetBSD tcp_usrreq.c; Linux tcp(7), socket(7) (SO_LINGER).
//! DIFFERS: close does not wait with SO_LINGER above zero; what is left is sent all the same.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use base::vm::kmem;
use base::wait::Events;
use base::{Cx, KArc, KDeque, Lwp};
use net::Packet;
use net::route::RouteKind;
use net::socket::{
    Accepted, Connecting, MsgFlags, Shutdown, SockError, SockFlags, Socket, UsrReqs,
};

use super::isn::Pair;
use super::pcb::{Listen, TcpPcb};
use super::state::State;
use super::syncache::Place;
use super::tables::{Inner, listener};
use super::{Start, Tcb, kernel, listen, transmit};
use crate::component::TCP;
use crate::ip::way::{self, Out};
use crate::udp::pcbs::{destination, inet, may_have, share, v4};
use crate::udp::ports::RESERVED;
use crate::udp::table::{Endpoint, Key, Table, are_apart};

/// Makes a new socket's side.
pub(crate) fn attach(cx: &Cx<'_>, so: &KArc<Socket>) -> Result<KArc<dyn UsrReqs>, SockError> {
    let tcp = cx.get(&TCP);
    tcp.spaces.give(&mut so.state(cx));
    let pcb = kmem::arc(cx, TcpPcb::new(cx, so.clone()))?;
    let key = tcp.tables.insert(cx, pcb.clone())?;
    pcb.inner.lock(cx).key = Some(key);
    Ok(pcb)
}

impl TcpPcb {
    fn key(&self, cx: &Cx<'_>) -> Result<Key, SockError> {
        self.inner.lock(cx).key.ok_or(SockError::Invalid)
    }

    fn endpoint(&self, cx: &Cx<'_>) -> Option<Endpoint> {
        let key = self.inner.lock(cx).key?;
        Some(cx.get(&TCP).tables.lock(cx).ports.endpoint(key))
    }

    fn bind_to(&self, cx: &Cx<'_>, local: SocketAddrV4) -> Result<(), SockError> {
        let share = share(cx, &self.so);
        cx.get(&TCP).tables.bind(cx, self.key(cx)?, local, share)
    }

    /// Sees to it that the socket has a port.
    fn bound(&self, cx: &Cx<'_>) -> Result<Endpoint, SockError> {
        let at = self.endpoint(cx).ok_or(SockError::Invalid)?;
        if at.port != 0 {
            return Ok(at);
        }
        self.bind_to(cx, SocketAddrV4::new(at.local, 0))?;
        self.endpoint(cx).ok_or(SockError::Invalid)
    }

    fn state(&self, cx: &Cx<'_>) -> Option<State> {
        self.inner.lock(cx).tcb.as_ref().map(|tcb| tcb.state())
    }

    /// Begins a connection (RFC 9293 §3.10.1).
    fn open(&self, cx: &Cx<'_>, to: SocketAddrV4) -> Result<(), SockError> {
        let device = self.so.device();
        let route = way::route(cx, *to.ip(), None, Out::by(device))?;
        if route.kind == RouteKind::Broadcast {
            return Err(SockError::NetUnreachable);
        }
        let (key, tables) = (self.key(cx)?, &cx.get(&TCP).tables);
        let mut at = self.endpoint(cx).ok_or(SockError::Invalid)?;
        let local = if at.local.is_unspecified() { route.source } else { at.local };
        if at.port == 0 {
            tables.bind_towards(cx, key, (at.local, local), to, device)?;
            at = self.endpoint(cx).ok_or(SockError::Invalid)?;
        }
        let pair = Pair { local: SocketAddrV4::new(local, at.port), peer: to };
        let mut inner = tables.lock(cx);
        let (secret, me) = (inner.secret(cx), inner.ports.owner(key).cloned());
        let me = me.ok_or(SockError::Invalid)?;
        inner.add(cx, pair, me.clone())?;
        drop(inner);
        let settings = self.inner.lock(cx).settings;
        let now = cx.now().nanos();
        let start = Start {
            iss: secret.iss(&pair, now),
            mss: kernel::mss_to(cx, *to.ip(), device),
            room: u32::try_from(self.so.state(cx).rcv.limit()).unwrap_or(u32::MAX),
            clock_offset: secret.clock_offset(&pair),
            gso_max: transmit::GSO_MAX,
            ecn: cx.get(&TCP).ecn() == 1,
            mtu_probing: cx.get(&TCP).mtu_probing(),
            settings,
        };
        let begun = TcpPcb::begin(cx, &me, pair, Tcb::connect(cx.account(), &start, now));
        if let Err(e) = begun {
            drop(tables.lock(cx).take(&pair, self));
            return Err(e);
        }
        let mut state = self.so.state(cx);
        state.flags |= SockFlags::CONNECTING;
        // It may have had another connection before.
        state.flags -= SockFlags::SHUT_READ | SockFlags::SHUT_WRITE;
        drop(state);
        self.so.take_error(cx);
        cx.get(&TCP).counters.connects.inc(cx);
        self.run(cx, |_, _| ((), None));
        Ok(())
    }

    /// A listening socket listens no more.
    fn stop_listening(&self, cx: &Cx<'_>) {
        self.set_listens(false);
        let at = self.endpoint(cx);
        let listen = self.inner.lock(cx).listen.take();
        if let Some(at) = at {
            let is_here = |Place { pair, .. }: &Place| {
                let addr = at.local.is_unspecified() || at.local == *pair.local.ip();
                addr && at.port == pair.local.port()
            };
            let has_another = |ports: &Table<KArc<TcpPcb>>, place: &Place| {
                let other = listener(ports, &place.pair, place.device);
                other.is_some_and(|other| other.so.device() == place.device)
            };
            let mut tables = cx.get(&TCP).tables.lock(cx);
            let Inner { ports, halves, .. } = &mut *tables;
            // Another one that shares the port takes over what has begun.
            halves.retain(|place| !is_here(place) || has_another(ports, place));
        }
        let Some(mut listen) = listen else { return };
        // What nobody will accept is broken off.
        while let Some(pcb) = listen.queue.pop_front() {
            pcb.break_off(cx);
        }
    }
}

/// An address that a connection can have.
fn is_one_host(addr: Ipv4Addr) -> bool {
    !addr.is_broadcast() && !addr.is_multicast()
}

impl UsrReqs for TcpPcb {
    fn bind(&self, l: &mut Lwp<'_>, addr: SocketAddr) -> Result<(), SockError> {
        let addr = inet(addr)?;
        if (1..RESERVED).contains(&addr.port()) && !l.proc().is_root(l) {
            return Err(SockError::AccessDenied);
        }
        if !may_have(l, *addr.ip()) || !is_one_host(*addr.ip()) {
            return Err(SockError::AddrNotAvailable);
        }
        self.bind_to(l, addr)
    }

    fn listen(&self, l: &mut Lwp<'_>, backlog: u32) -> Result<(), SockError> {
        let backlog = listen::backlog(backlog);
        if self.state(l).is_some() {
            return Err(SockError::Invalid);
        }
        if let Some(listen) = &mut self.inner.lock(l).listen {
            listen.backlog = backlog;
            return Ok(());
        }
        let at = self.bound(l)?;
        // Those who share an address with SO_REUSEADDR do not share what comes there.
        let overlaps =
            |a: Ipv4Addr| a == at.local || a.is_unspecified() || at.local.is_unspecified();
        let (user, device) = (self.so.state(l).shares_port, self.so.device());
        let taken = l.get(&TCP).tables.lock(l).ports.iter().any(|(other, pcb)| {
            let is_there = other.port == at.port && overlaps(other.local);
            let conflicts = pcb.listens() && is_there && !are_apart(pcb.so.device(), device);
            // Those who share it with SO_REUSEPORT do.
            conflicts && (user.is_none() || pcb.so.state(l).shares_port != user)
        });
        if taken {
            return Err(SockError::AddrInUse);
        }
        self.inner.lock(l).listen = Some(Listen { backlog, queue: KDeque::new(l) });
        self.set_listens(true);
        Ok(())
    }

    fn connect(&self, l: &mut Lwp<'_>, to: SocketAddr) -> Result<Connecting, SockError> {
        let to = destination(to)?;
        if to.port() == 0 {
            return Err(SockError::AddrNotAvailable);
        }
        if !is_one_host(*to.ip()) {
            // RFC 9293 §3.9.2.3.
            return Err(SockError::NetUnreachable);
        }
        if self.listens() {
            return Err(SockError::Invalid);
        }
        match self.state(l) {
            None | Some(State::Closed) => {}
            Some(State::SynSent | State::SynReceived) => return Err(SockError::Already),
            Some(_) => return Err(SockError::IsConnected),
        }
        self.open(l, to)?;
        Ok(Connecting::Started)
    }

    fn connected(&self, cx: &Cx<'_>) -> Result<(), SockError> {
        if let Some(error) = self.so.take_error(cx) {
            return Err(error);
        }
        match self.state(cx) {
            Some(State::SynSent | State::SynReceived) => Err(SockError::WouldBlock),
            Some(_) => Ok(()),
            None => Err(SockError::Aborted),
        }
    }

    fn accept(&self, l: &mut Lwp<'_>) -> Result<Accepted, SockError> {
        let mut inner = self.inner.lock(l);
        let listen = inner.listen.as_mut().ok_or(SockError::Invalid)?;
        let pcb = listen.queue.pop_front().ok_or(SockError::WouldBlock)?;
        drop(inner);
        let peer = pcb.inner.lock(l).pair.map(|pair| pair.peer);
        let nobody = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let peer = SocketAddr::V4(peer.unwrap_or(nobody));
        Ok(Accepted { so: pcb.so.clone(), pcb, peer })
    }

    fn shutdown(&self, l: &mut Lwp<'_>, how: Shutdown) -> Result<(), SockError> {
        match self.state(l) {
            None | Some(State::Closed | State::SynSent) => return Err(SockError::NotConnected),
            Some(_) => {}
        }
        if how.write() {
            self.run(l, |tcb, _| (tcb.close(), None));
        }
        Ok(())
    }

    fn send(
        &self,
        l: &mut Lwp<'_>,
        data: Packet,
        _: Option<SocketAddr>,
        flags: MsgFlags,
    ) -> Result<(), SockError> {
        match self.state(l) {
            None => return Err(SockError::NotConnected),
            Some(State::SynSent | State::SynReceived) => return Err(SockError::WouldBlock),
            Some(State::Established | State::CloseWait) => {}
            Some(_) => return Err(SockError::ShutDown),
        }
        let (mut data, so) = (Some(data), &self.so);
        let urgent = flags.contains(MsgFlags::OOB);
        let done = self.run(l, |tcb, _| {
            let Some(data) = data.take().filter(|_| tcb.can_write()) else {
                return (Err(SockError::ShutDown), None);
            };
            let len = u32::try_from(data.len()).unwrap_or(u32::MAX);
            if so.state(l).snd.append_stream(data).is_err() {
                return (Err(SockError::NoBuffers), None);
            }
            tcb.written(len);
            if urgent {
                tcb.mark_urgent();
            }
            (Ok(()), None)
        });
        done.unwrap_or(Err(SockError::ShutDown))
    }

    fn may_receive(&self, cx: &Cx<'_>) -> Result<(), SockError> {
        self.state(cx).map(|_| ()).ok_or(SockError::NotConnected)
    }

    fn received(&self, cx: &Cx<'_>) {
        self.run(cx, |tcb, now| {
            self.tune_receive(cx, tcb, now);
            (tcb.read_more(), None)
        });
    }

    fn options_changed(&self, cx: &Cx<'_>) {
        if let Ok(key) = self.key(cx) {
            let mut tables = cx.get(&TCP).tables.lock(cx);
            // Looked at under the lock, so that the last one of two changes is what stays.
            tables.ports.set_device(key, self.so.device());
        }
        let keepalive = self.so.flags(cx).contains(SockFlags::KEEPALIVE);
        self.change(cx, |settings| settings.keepalive = keepalive);
    }

    fn poll(&self, cx: &Cx<'_>) -> Events {
        let inner = self.inner.lock(cx);
        let waits = inner.listen.as_ref().is_some_and(|l| !l.queue.is_empty());
        if waits { Events::IN } else { Events::empty() }
    }

    fn set_option(
        &self,
        l: &mut Lwp<'_>,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), SockError> {
        if level == super::sockopt::IPPROTO_TCP {
            return self.set_tcp_option(l, name, value);
        }
        self.options.set(l, &self.so, level, name, value)
    }

    fn option(
        &self,
        l: &mut Lwp<'_>,
        level: i32,
        name: i32,
        out: &mut [u8],
    ) -> Result<usize, SockError> {
        if level == super::sockopt::IPPROTO_TCP {
            return self.tcp_option(l, name, out);
        }
        let peer = self.peer_addr(l).and_then(v4);
        self.options.get(l, &self.so, peer, (level, name), out)
    }

    fn local_addr(&self, cx: &Cx<'_>) -> SocketAddr {
        if let Some(pair) = self.inner.lock(cx).pair {
            return SocketAddr::V4(pair.local);
        }
        let at = self.endpoint(cx).map(|at| (at.local, at.port));
        SocketAddr::from(at.unwrap_or((Ipv4Addr::UNSPECIFIED, 0)))
    }

    fn lingers(&self, cx: &Cx<'_>) -> bool {
        use State::{Closing, FinWait1, LastAck};
        matches!(self.state(cx), Some(FinWait1 | Closing | LastAck))
    }

    fn state_name(&self, cx: &Cx<'_>) -> &'static str {
        self.listed_state(cx)
    }

    fn peer_addr(&self, cx: &Cx<'_>) -> Option<SocketAddr> {
        let inner = self.inner.lock(cx);
        let connected = inner.tcb.as_ref().is_some_and(|tcb| tcb.state() != State::SynSent);
        inner.pair.filter(|_| connected).map(|pair| SocketAddr::V4(pair.peer))
    }

    fn detach(&self, l: &mut Lwp<'_>) {
        if self.listens() {
            self.stop_listening(l);
        }
        let mut state = self.so.state(l);
        // RFC 2525 §2.17: data that nobody has read is lost, and the peer must know.
        let rude = !state.rcv.is_empty() || state.linger == Some(0);
        state.rcv.clear();
        drop(state);
        let mut inner = self.inner.lock(l);
        inner.detached = true;
        let key = inner.key.take();
        drop(inner);
        self.run(l, |tcb, now| {
            if rude {
                tcb.abort();
            } else {
                tcb.close();
                tcb.deafen(now);
            }
            ((), None)
        });
        if let Some(key) = key {
            l.get(&TCP).tables.remove(l, key);
        }
    }
}

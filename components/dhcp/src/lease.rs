//! A client of an interface: frames in, messages out, its timer.
//!
//! It stands on the interface, and takes the datagrams of servers for itself, so that they need no
//! address, and no socket of ours: those to everybody, to an address of the interface, and to one that
//! the client is being given (RFC 2131 §4.1: servers may know no other). What is for others, a router
//! passes on. What a lease changes, threads do that may sleep (`apply`).
//!
//! Locking: `Rank::Proto` for the list and for a client, one at a time, and not while anything is
//! sent. Sources: RFC 2131 §4.4; RFC 5227 §2.1.1.

use core::net::{IpAddr, Ipv4Addr};

use base::callout::{self, Callout};
use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::{Cx, Instant, KArc, Lwp, kprintf};
use net::ethernet::wire::HEADER_LEN as LINK_LEN;
use net::ifnet::IfAddr;
use net::ifnet::upper::{self, Place, Upper};
use net::{EtherType, Ifnet, MacAddr, Packet, ethernet};
use netinet::arp::local::Local;
use netinet::wire::arp::{ArpPacket, PACKET_LEN};
use netinet::wire::ipv4::{MAX_HEADER_LEN, MIN_HEADER_LEN};
use zerocopy::IntoBytes;

use crate::apply;
use crate::client::{Action, Actions, Client, Config, News, State, To};
use crate::component::DHCP;
use crate::udp::{self, LONGEST};
use crate::wire::Message;

/// A client, and what its interface has of it.
pub(crate) struct Held {
    pub(crate) ifp: KArc<Ifnet>,
    pub(crate) inner: IntrMutex<Inner>,
    /// Until the interface is let go of.
    timer: IntrMutex<Option<Callout>>,
}

/// What is guarded.
pub(crate) struct Inner {
    pub(crate) client: Client,
    /// What the interface is to have.
    pub(crate) wanted: Option<Config>,
    /// What it has, as far as it is ours.
    pub(crate) applied: Option<Config>,
    /// The route by the router is ours, too.
    pub(crate) has_route: bool,
    /// A thread is about to make the one the other.
    pub(crate) working: bool,
    /// The interface is being let go of: nothing begins here any more.
    over: bool,
}

/// The client of the interface with this index.
pub(crate) fn find(cx: &Cx<'_>, index: u32) -> Option<KArc<Held>> {
    let held = cx.get(&DHCP).held.lock(cx);
    let at = held.binary_search_by_key(&index, |held| held.ifp.index()).ok()?;
    held.get(at).cloned()
}

/// The client of `ifp`, made if there is none.
pub(crate) fn hold(cx: &Cx<'_>, ifp: &KArc<Ifnet>) -> Result<KArc<Held>, net::IfError> {
    if let Some(held) = find(cx, ifp.index()) {
        return Ok(held);
    }
    let state = cx.get(&DHCP);
    let client = Client::new(ifp.lladdr());
    let inner = Inner {
        client,
        wanted: None,
        applied: None,
        has_route: false,
        working: false,
        over: false,
    };
    let inner = IntrMutex::new(cx, Rank::Proto, inner);
    let timer = IntrMutex::new(cx, Rank::Ifqueue, None);
    let held = kmem::arc(cx, Held { ifp: ifp.clone(), inner, timer })?;
    let expire = kmem::arc(cx, Expire(ifp.index()))?;
    state.held.lock(cx).reserve(1)?;
    upper::stand(cx, ifp, Place::Own, state.listener.clone())?;
    match Callout::new(cx, expire) {
        Ok(timer) => *held.timer.lock(cx) = Some(timer),
        Err(e) => {
            upper::leave(cx, ifp, Place::Own);
            return Err(e.into());
        }
    }
    let mut all = state.held.lock(cx);
    let at = all.partition_point(|other| other.ifp.index() < ifp.index());
    if let Err(e) = all.insert(at, held.clone()) {
        drop(all);
        let_go(cx, &held);
        return Err(e.into());
    }
    Ok(held)
}

/// Lets go of an interface and of the client's timer. What the interface has, it keeps.
pub(crate) fn let_go(cx: &Cx<'_>, held: &Held) {
    upper::leave(cx, &held.ifp, Place::Own);
    let timer = held.timer.lock(cx).take();
    if let Some(timer) = timer {
        timer.destroy(cx);
    }
}

/// Lets go of an interface whose client has stopped, and that has nothing of it any more.
pub(crate) fn let_go_if_over(cx: &Cx<'_>, held: &KArc<Held>) {
    let mut inner = held.inner.lock(cx);
    let stopped = inner.client.state() == State::Stopped && !inner.working;
    if !stopped || inner.wanted.is_some() || inner.applied.is_some() || inner.over {
        return;
    }
    inner.over = true;
    drop(inner);
    // The place on the interface first: who finds the client gone from the list may need it.
    let_go(cx, held);
    take(cx, held.ifp.index());
}

/// Takes a client out of the list.
fn take(cx: &Cx<'_>, index: u32) -> Option<KArc<Held>> {
    let mut all = cx.get(&DHCP).held.lock(cx);
    let at = all.binary_search_by_key(&index, |held| held.ifp.index()).ok()?;
    Some(all.remove(at))
}

/// Does something with a client, and then all that follows. False: the client is going, and
/// nothing was done.
pub(crate) fn run(cx: &Cx<'_>, held: &KArc<Held>, f: impl FnOnce(&mut Client) -> Actions) -> bool {
    let mut inner = held.inner.lock(cx);
    if inner.over {
        return false;
    }
    let actions = f(&mut inner.client);
    for action in &actions {
        match action {
            Action::Configure(config) => inner.wanted = Some(*config),
            Action::Unconfigure => inner.wanted = None,
            _ => {}
        }
    }
    // Under the client's lock, so that the last deadline of two threads' is the one that stays.
    let deadline = inner.client.deadline();
    if let Some(timer) = &*held.timer.lock(cx) {
        match deadline {
            Some(deadline) => timer.schedule_at(cx, deadline),
            None => {
                timer.stop(cx);
            }
        }
    }
    drop(inner);
    for action in actions {
        perform(cx, held, action);
    }
    apply::soon(cx, held);
    true
}

fn perform(cx: &Cx<'_>, held: &Held, action: Action) {
    let counters = &cx.get(&DHCP).counters;
    match action {
        Action::Send(request, to) => {
            counters.sent.inc(cx);
            let bytes = request.emit();
            match to {
                To::Everybody => udp::emit(cx, &held.ifp, &bytes),
                To::Server(server) => udp::send(cx, request.address, server, &bytes),
            }
        }
        Action::Probe(address) => {
            let probe = ArpPacket::probe(held.ifp.lladdr(), address);
            if let Ok(packet) = Packet::from_slice(cx, probe.as_bytes()) {
                let to = MacAddr::BROADCAST;
                let _ = ethernet::output(cx, &held.ifp, to, EtherType::ARP, packet);
            }
        }
        Action::Tell(news) => tell(cx, held, news),
        Action::Configure(_) | Action::Unconfigure => {}
    }
}

fn tell(cx: &Cx<'_>, held: &Held, news: News) {
    let (counters, name) = (&cx.get(&DHCP).counters, held.ifp.name());
    match news {
        News::Bound(lease) => {
            counters.bound.inc(cx);
            let (config, server) = (lease.config, lease.server);
            kprintf!(cx, "{name}: {}/{} lent by {server}", config.address, config.prefix);
        }
        News::Refused => {
            counters.refused.inc(cx);
            kprintf!(cx, "{name}: the DHCP server refuses what it was asked for");
        }
        News::InUse(address, mac) => {
            counters.in_use.inc(cx);
            kprintf!(cx, "{name}: {address} was lent, but {mac} has it");
        }
        News::Ended => {
            counters.ended.inc(cx);
            kprintf!(cx, "{name}: the lease ended, and nobody prolonged it");
        }
    }
}

/// A client's time has come. By index: the timer is part of what it would find.
struct Expire(u32);

impl callout::Handler for Expire {
    fn expired(&self, cx: &Cx<'_>) {
        if let Some(held) = find(cx, self.0) {
            let now = cx.now();
            run(cx, &held, |client| client.expire(now, &mut || base::random::u32(cx)));
        }
    }
}

impl Held {
    /// Looks at the client again at that time, at the latest.
    pub(crate) fn look_again(&self, cx: &Cx<'_>, at: Instant) {
        if let Some(timer) = &*self.timer.lock(cx) {
            timer.schedule_by(cx, at);
        }
    }
}

/// What stands on interfaces with clients.
pub(crate) struct Listener;

impl Listener {
    /// The message in a frame, if there is one.
    fn read(frame: &Packet) -> Option<Message> {
        let mut bytes = [0; LONGEST + 42];
        let copy = bytes.get_mut(..frame.len())?;
        let copied = frame.copy_to(0, copy);
        udp::parse(copy, frame.flags().is_sound())
            .filter(|_| copied)
            .and_then(|data| Message::parse(data).ok())
    }

    /// Whether a datagram to `dst` is for the client of `ifp`, or at least for nobody else.
    fn is_ours(cx: &Cx<'_>, ifp: &Ifnet, dst: Ipv4Addr, message: Option<&Message>) -> bool {
        let is_given = |m: &Message| m.client == ifp.lladdr() && m.address == dst;
        let is_its = |addr: &IfAddr| match addr.addr {
            IpAddr::V4(a) => {
                a == dst || Local { addr: a, prefix_len: addr.prefix }.is_broadcast(dst)
            }
            IpAddr::V6(_) => false,
        };
        dst.is_broadcast() || message.is_some_and(is_given) || ifp.addrs(cx).iter().any(is_its)
    }

    /// Shows a message to the client.
    fn message(cx: &Cx<'_>, ifp: &Ifnet, message: Option<Message>) {
        let counters = &cx.get(&DHCP).counters;
        let Some(message) = message else { return counters.bad.inc(cx) };
        counters.received.inc(cx);
        if let Some(held) = find(cx, ifp.index()) {
            let now = cx.now();
            run(cx, &held, |client| client.receive(&message, now));
        }
    }

    /// Shows an ARP packet to a client that looks whether its address is in use.
    fn arp(cx: &Cx<'_>, ifp: &Ifnet, frame: &Packet) {
        let mut bytes = [0; PACKET_LEN];
        if !frame.copy_to(LINK_LEN, &mut bytes) {
            return;
        }
        let Ok(arp) = ArpPacket::parse(&bytes) else { return };
        let Some(held) = find(cx, ifp.index()) else { return };
        let checks = matches!(held.inner.lock(cx).client.state(), State::Checking { .. });
        if !checks {
            return;
        }
        // RFC 5227 §2.1.1: one who has it, or who is about to take it, too.
        let address =
            if arp.sender_ip().is_unspecified() { arp.target_ip() } else { arp.sender_ip() };
        let (mac, now) = (arp.sender_mac, cx.now());
        run(cx, &held, |client| client.heard(address, mac, now));
    }
}

impl Upper for Listener {
    fn input(&self, cx: &Cx<'_>, ifp: &KArc<Ifnet>, mut frame: Packet) -> Option<Packet> {
        let len = frame.len();
        let head = frame.pullup(len.min(LINK_LEN + MIN_HEADER_LEN))?;
        if head.get(12..14) == Some(&EtherType::ARP.0.to_be_bytes()) {
            Self::arp(cx, ifp, &frame);
            return Some(frame);
        }
        // Most frames are no datagrams; of those that are, up to the ports, behind all options.
        if !udp::is_datagram(head) {
            return Some(frame);
        }
        let head = frame.pullup(len.min(LINK_LEN + MAX_HEADER_LEN + 4))?;
        let Some(dst) = udp::destination(head).filter(|_| udp::concerns(head)) else {
            return Some(frame);
        };
        let message = Self::read(&frame);
        if !Self::is_ours(cx, ifp, dst, message.as_ref()) {
            return Some(frame);
        }
        Self::message(cx, ifp, message);
        None
    }

    fn gone(&self, l: &mut Lwp<'_>, ifp: &KArc<Ifnet>) {
        if let Some(gone) = take(l, ifp.index()) {
            let_go(l, &gone);
        }
    }
}

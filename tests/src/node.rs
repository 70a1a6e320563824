//! A kernel of a lab, with what a test does with it: interfaces, routes, pings, counters.
//!
//! * [`Node::plug`]: an interface on a bus.  * [`Node::route`]: a route.
//! * [`Node::ping`], [`Node::ping_with`]: an echo request, and what comes back for it.
//! * [`Node::counter`]: an event counter.
//!
//! Locking: what was heard, by a lock taken last. Sources: ping(8), ifconfig(8), route(8).

use std::net::Ipv4Addr;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::vm::kmem;
use base::wait::{Events, WaitQueue, wait_for};
use base::{Cx, Errno, Instant, KArc, Kernel, Lwp, evcnt};
use net::ifnet::tap::{self, Tap};
use net::ifnet::{IfError, IfKind, Ifnet, config};
use net::route::config::{Prefix4, RouteError};
use net::{MacAddr, Packet};
use netinet::ip::output::{Send, SendError, send};
use netinet::ip::way::Out;

use crate::lab::Ledger;
use crate::wire::{Icmp, Ip, TYPE_IP, split_ethernet};

/// A kernel of a lab. It derefs to its [`Kernel`]; dropping it drops the kernel, and checks that
/// nothing stays charged.
pub struct Node {
    kernel: Option<Kernel>,
    ledger: Arc<Ledger>,
    ears: Mutex<Option<KArc<Ears>>>,
    /// What its echo requests carry: replies that it sends itself are told apart by it.
    id: u16,
    seq: AtomicU16,
    may_die: AtomicBool,
}

/// What came back for an echo request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Who sent it.
    pub from: Ipv4Addr,
    /// The ICMP type: 0 is a reply.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The hops that it had left.
    pub ttl: u8,
    /// When it came.
    pub at: Instant,
}

/// How to ping.
#[derive(Clone, Copy, Debug)]
pub struct Ping {
    /// Whom.
    pub dst: Ipv4Addr,
    /// From which address; `None`: as the route says.
    pub src: Option<Ipv4Addr>,
    /// Hops.
    pub ttl: u8,
    /// Bytes of data.
    pub size: usize,
    /// Whether the request must not be cut.
    pub dont_fragment: bool,
    /// How long to wait for an answer.
    pub wait: Duration,
}

impl Ping {
    /// A ping of `dst` with the usual values.
    pub fn new(dst: impl Into<Ipv4Addr>) -> Ping {
        let wait = Duration::from_secs(10);
        Ping { dst: dst.into(), src: None, ttl: 255, size: 56, dont_fragment: false, wait }
    }
}

/// Hears ICMP messages on all interfaces of a node; of one that was cut, the first piece.
struct Ears {
    id: u16,
    queue: WaitQueue,
    heard: Mutex<Vec<(u16, Answer)>>,
    /// The interfaces that it is on. It stays there: between taking a tap away and adding it again,
    /// another CPU may have an answer.
    on: Mutex<Vec<u32>>,
}

impl Tap for Ears {
    fn packet(&self, cx: &Cx<'_>, ifp: &Ifnet, packet: &Packet) {
        let mut bytes = vec![0; packet.len()];
        packet.copy_to(0, &mut bytes);
        let ip = match (ifp.kind(), split_ethernet(&bytes)) {
            (IfKind::Loopback, _) => Ip::parse(&bytes),
            (IfKind::Ethernet, Some((_, _, TYPE_IP, payload))) => Ip::parse(payload),
            _ => None,
        };
        let heard = ip.and_then(|ip| ip.icmp_beginning().map(|icmp| (ip, icmp)));
        let Some((ip, icmp)) = heard else { return };
        if let (Some((id, seq)), false) = (icmp.id_and_seq(), icmp.kind == 8)
            && id == self.id
        {
            let (kind, code) = (icmp.kind, icmp.code);
            let answer = Answer { from: ip.src, kind, code, ttl: ip.ttl, at: cx.now() };
            self.heard.lock().unwrap().push((seq, answer));
            self.queue.wake(cx, Events::IN);
        }
    }
}

impl Node {
    pub(crate) fn new(kernel: Kernel, ledger: Arc<Ledger>) -> Node {
        let (ears, id, seq) = (Mutex::new(None), ledger.new_id(), AtomicU16::new(1));
        let may_die = AtomicBool::new(false);
        Node { kernel: Some(kernel), ledger, ears, id, seq, may_die }
    }

    /// It is the test's intention that the kernel panics. One that panics without this fails the
    /// test, since its host catches the panic, and nobody else may notice.
    pub fn expect_death(&self) {
        self.may_die.store(true, Ordering::Relaxed);
    }

    /// Takes the kernel apart from the checks.
    pub fn into_kernel(mut self) -> Kernel {
        *self.ears.lock().unwrap() = None;
        self.kernel.take().expect("a node has its kernel until it is dropped")
    }

    /// Creates the interface `name` on the bus `bus`, with an address.
    pub fn plug(
        &self,
        name: &str,
        bus: &str,
        (addr, prefix): (impl Into<Ipv4Addr>, u8),
    ) -> Result<(), Errno> {
        let addr = addr.into();
        self.enter(|l| {
            config::create(l, name)?;
            config::set_linkstr(l, name, bus)?;
            Ok(config::add_addr(l, name, addr.into(), prefix)?)
        })?
    }

    /// Adds a route.
    pub fn route(
        &self,
        to: impl Into<Ipv4Addr>,
        len: u8,
        gateway: impl Into<Ipv4Addr>,
    ) -> Result<(), RouteError> {
        let (to, gateway) = (to.into(), gateway.into());
        let done = self.enter(|l| net::route::config::add(l, Prefix4::of(to, len), gateway));
        done.map_err(|_| RouteError::NoMemory)?
    }

    /// What a driver or a user does with the interface `name`.
    pub fn on<R>(
        &self,
        name: &str,
        f: impl FnOnce(&mut Lwp<'_>, &KArc<Ifnet>) -> R,
    ) -> Result<R, IfError> {
        self.enter(|l| {
            let ifp = config::find(l, name)?;
            Ok(f(l, &ifp))
        })?
    }

    /// The link address of an interface.
    pub fn mac(&self, name: &str) -> MacAddr {
        self.on(name, |_, ifp| ifp.lladdr()).unwrap()
    }

    /// Sends one echo request and waits for what comes back.
    pub fn ping(&self, dst: impl Into<Ipv4Addr>) -> Result<Answer, Errno> {
        self.ping_with(Ping::new(dst))
    }

    /// The same, up to `tries` times, half a second apart.
    pub fn ping_patiently(&self, dst: impl Into<Ipv4Addr>, tries: u32) -> Result<Answer, Errno> {
        let how = Ping { wait: Duration::from_millis(500), ..Ping::new(dst) };
        (0..tries).map(|_| self.ping_with(how)).find(Result::is_ok).unwrap_or(Err(Errno::TimedOut))
    }

    /// The same, as `how` says. [`Errno::TimedOut`]: nothing came back.
    pub fn ping_with(&self, how: Ping) -> Result<Answer, Errno> {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let data: Vec<u8> = (0..how.size).map(|i| i as u8).collect();
        let message = Icmp::echo(self.id, seq, &data).bytes();
        let result = self.enter(|l| {
            let ears = self.listen(l)?;
            let packet = Packet::from_slice(l, &message)?;
            let sending = Send {
                src: how.src,
                dst: how.dst,
                protocol: crate::wire::ICMP,
                ttl: how.ttl,
                tos: 0,
                dont_fragment: how.dont_fragment,
                broadcast_ok: true,
                out: Out::default(),
            };
            send(l, packet, &sending).map_err(errno)?;
            let deadline = l.now() + how.wait;
            wait_for(l, &ears.queue, Events::IN, Some(deadline), |_| {
                let mut heard = ears.heard.lock().unwrap();
                let at = heard.iter().position(|(s, _)| *s == seq).ok_or(Errno::WouldBlock)?;
                Ok(heard.swap_remove(at).1)
            })
        })?;
        result.map_err(|e| if e == Errno::WouldBlock { Errno::TimedOut } else { e })
    }

    /// Taps all interfaces that are there now.
    fn listen(&self, l: &mut Lwp<'_>) -> Result<KArc<Ears>, Errno> {
        let mut ears = self.ears.lock().unwrap();
        let new = match &*ears {
            Some(ears) => ears.clone(),
            None => {
                let (queue, heard, on) = (WaitQueue::new(l), Mutex::default(), Mutex::default());
                kmem::arc(l, Ears { id: self.id, queue, heard, on })?
            }
        };
        let mut on = new.on.lock().unwrap();
        for ifp in config::list(l) {
            if !on.contains(&ifp.index()) {
                tap::add(l, &ifp, new.clone())?;
                on.push(ifp.index());
            }
        }
        drop(on);
        *ears = Some(new.clone());
        Ok(new)
    }

    /// An event counter.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn counter(&self, group: &str, name: &str) -> u64 {
        let mut found = None;
        let show = &mut |g: &str, n: &str, value| {
            if (g, n) == (group, name) {
                found = Some(value);
            }
        };
        self.enter(|l| evcnt::each(l, show)).unwrap();
        found.unwrap_or_else(|| panic!("no counter {group}.{name}"))
    }

    /// Sets a variable of the sysctl tree.
    pub fn sysctl(&self, name: &str, value: i64) -> Result<(), Errno> {
        self.enter(|l| base::sysctl::set(l, name, base::sysctl::Value::Int(value)))?
    }

    /// What the kernel has logged.
    pub fn dmesg(&self) -> String {
        self.enter(|l| base::msgbuf::dmesg(l)).unwrap()
    }
}

fn errno(e: SendError) -> Errno {
    match e {
        SendError::NoRoute | SendError::Rejected => Errno::NetUnreachable,
        SendError::Broadcast => Errno::AccessDenied,
        SendError::TooBig { .. } => Errno::MessageSize,
        SendError::NoMemory => Errno::NoBuffers,
        SendError::Interface(e) => e.into(),
        SendError::BadSource => Errno::AddrNotAvailable,
        SendError::HostDown => Errno::HostUnreachable,
    }
}

impl Deref for Node {
    type Target = Kernel;
    fn deref(&self) -> &Kernel {
        self.kernel.as_ref().expect("a node has its kernel until it is dropped")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let Some(kernel) = self.kernel.take() else { return };
        let ears = self.ears.get_mut().unwrap_or_else(|e| e.into_inner()).take();
        let account = kernel.account().clone();
        drop(ears);
        let died = kernel.is_dead();
        let name = kernel.name().to_owned();
        drop(kernel);
        self.ledger.ended(&account, died);
        let unexpected = died && !self.may_die.load(Ordering::Relaxed);
        assert!(!unexpected || std::thread::panicking(), "kernel {name} panicked");
    }
}

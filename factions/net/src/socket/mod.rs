//! Sockets.
//!
//! * [`api`]: the calls, typed, for clients in Rust; `calls` has them as system calls.
//! * [`Protosw`], [`UsrReqs`]: what a protocol is.  * [`Socket`]: what it shares with the calls.
//! * [`Sockbuf`]: what waits to be read.  * [`sockaddr`]: addresses as programs lay them out.
//! * [`ioctl`]: what ifconfig asks through a socket.
//!
//! A call is an attempt, and a wait on the socket's queue where the attempt answers `WouldBlock`;
//! blocking, timeouts, poll and requests parked by a server are made of that, in base.
//!
//! Locking: `Rank::Socket` for buffers, options and the pending error; a protocol may hold
//! `Rank::Pcbs` while it delivers. Nothing is held while a protocol is called.
//! Sources: NetBSD uipc_socket.c; POSIX.1-2017 XSH 2.10.

pub mod api;
pub(crate) mod calls;
mod error;
mod file;
pub mod ioctl;
pub(crate) mod list;
mod msghdr;
pub mod options;
mod protosw;
pub mod sockaddr;
mod sockbuf;
mod transfer;

use core::net::SocketAddr;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use base::lock::{IntrGuard, IntrMutex, Rank};
use base::wait::{Events, WaitQueue};
use base::{Cx, KArc};
use bitflags::bitflags;

pub use error::SockError;
pub use list::place;
pub use protosw::{Accepted, Connecting, PROTOCOLS, Protosw, Shutdown, SockType, UsrReqs};
pub use sockbuf::{DEFAULT_LIMIT, MAX_LIMIT, MAX_LIMIT_OF_OTHERS, MIN_LIMIT, Record, Sockbuf, Way};
pub use transfer::Received;

use crate::Packet;
use crate::mbuf::Flags;

bitflags! {
    /// Options and state of a socket.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct SockFlags: u32 {
        /// SO_REUSEADDR: others that also say so may have the same address.
        const REUSEADDR = 1;
        /// SO_BROADCAST: may send to everybody.
        const BROADCAST = 2;
        /// SO_KEEPALIVE.
        const KEEPALIVE = 4;
        /// SO_DONTROUTE.
        const DONTROUTE = 8;
        /// SO_OOBINLINE.
        const OOBINLINE = 0x10;
        /// IP_PKTINFO: received messages tell where they were sent to.
        const PKTINFO = 0x20;
        /// IP_RECVTTL: they tell how many hops were left.
        const RECVTTL = 0x40;
        /// IP_RECVTOS: they tell their type of service.
        const RECVTOS = 0x80;
        /// Takes connections.
        const LISTENING = 0x100;
        /// Nothing more is received.
        const SHUT_READ = 0x200;
        /// Nothing more is sent.
        const SHUT_WRITE = 0x400;
        /// No descriptor is left.
        const CLOSED = 0x800;
        /// A connection is being made.
        const CONNECTING = 0x1000;
        /// Somebody has said how much it sends at most (SO_SNDBUF), or it may not be more.
        const SNDBUF_SET = 0x2000;
        /// The same for what it receives (SO_RCVBUF).
        const RCVBUF_SET = 0x4000;
    }
}

bitflags! {
    /// How to send or receive, with Linux's values.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MsgFlags: u32 {
        /// Urgent data; no protocol here has any.
        const OOB = 0x1;
        /// Look at the data and leave it.
        const PEEK = 0x2;
        /// Ask no router.
        const DONTROUTE = 0x4;
        /// Control data was cut short.
        const CTRUNC = 0x8;
        /// The message was cut short; asked for: say its whole length.
        const TRUNC = 0x20;
        /// Do not wait.
        const DONTWAIT = 0x40;
        /// Wait for all that was asked for.
        const WAITALL = 0x100;
        /// No signal; there are none here.
        const NOSIGNAL = 0x4000;
        /// More follows.
        const MORE = 0x8000;
    }
}

/// What a socket's protocol shares with the calls on it.
pub struct Socket {
    // ---- set once ----
    proto: &'static Protosw,
    protocol: u8,
    /// Woken when something can be read, written or accepted, or went wrong.
    queue: WaitQueue,
    // ---- a word ----
    /// SO_BINDTODEVICE: the index of the only interface that it has to do with; 0: all.
    device: AtomicU32,
    // ---- locked ----
    state: IntrMutex<State>,
}

/// What `Rank::Socket` guards.
pub struct State {
    /// Received and not read.
    pub rcv: Sockbuf,
    /// Written and not sent; the limit of one message where the protocol sends at once.
    pub snd: Sockbuf,
    /// Options and state.
    pub flags: SockFlags,
    error: Option<SockError>,
    rcvtimeo: Option<Duration>,
    sndtimeo: Option<Duration>,
    /// SO_LINGER, in seconds.
    pub linger: Option<u32>,
    /// SO_REUSEPORT: the user with whose sockets it shares its port.
    pub shares_port: Option<u32>,
    /// SO_RCVLOWAT: bytes of a stream that are worth waking somebody for.
    rcvlowat: usize,
}

impl State {
    /// Bytes of a stream that readers wait for, of `most` that they want. No more than half the
    /// buffer: who sends may not fill it to the last byte.
    fn worth_reading(&self, most: usize) -> usize {
        self.rcvlowat.min(most).min(self.rcv.limit() / 2).max(1)
    }
}

impl Socket {
    /// A socket of `proto`; protocols make them for new connections.
    pub fn new(cx: &Cx<'_>, proto: &'static Protosw, protocol: u8) -> Self {
        let state = State {
            rcv: Sockbuf::new(cx, DEFAULT_LIMIT),
            snd: Sockbuf::new(cx, DEFAULT_LIMIT),
            flags: SockFlags::empty(),
            error: None,
            rcvtimeo: None,
            sndtimeo: None,
            linger: None,
            shares_port: None,
            rcvlowat: 1,
        };
        let state = IntrMutex::new(cx, Rank::Socket, state);
        Self { proto, protocol, queue: WaitQueue::new(cx), device: AtomicU32::new(0), state }
    }

    /// The protocol's entry.
    pub fn proto(&self) -> &'static Protosw {
        self.proto
    }

    /// The protocol's number, as the socket was made.
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The queue of those that wait for the socket.
    pub fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    /// SO_BINDTODEVICE: the index of the only interface that the socket hears and sends by; 0: all do.
    /// The interface may be gone, and no other one ever has its index.
    #[inline]
    pub fn device(&self) -> u32 {
        self.device.load(Ordering::Relaxed)
    }

    /// Sets it.
    pub fn set_device(&self, index: u32) {
        self.device.store(index, Ordering::Relaxed);
    }

    /// Sets it, if it is 0; false if it was not.
    pub(crate) fn set_device_once(&self, index: u32) -> bool {
        self.device.compare_exchange(0, index, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Buffers and options.
    #[inline]
    pub fn state<'a>(&'a self, cx: &'a Cx<'_>) -> IntrGuard<'a, State> {
        self.state.lock(cx)
    }

    /// The options.
    pub fn flags(&self, cx: &Cx<'_>) -> SockFlags {
        self.state.lock(cx).flags
    }

    /// A message has arrived; false if it was dropped, because the socket has no room for it or
    /// receives no more. With `Rank::Pcbs` held or not.
    pub fn deliver(&self, cx: &Cx<'_>, mut packet: Packet, from: SocketAddr, way: Way) -> bool {
        let ifindex = packet.rcvif();
        packet.set_rcvif(0);
        packet.set_flags(Flags::empty());
        let mut state = self.state.lock(cx);
        if state.flags.contains(SockFlags::SHUT_READ) {
            return false;
        }
        let refused = state.rcv.append(Record { packet, from: Some(from), way, ifindex });
        drop(state);
        if refused.is_ok() {
            self.queue.wake_taker(cx, Events::IN);
        }
        refused.is_ok()
    }

    /// Something went wrong apart from a call: the next one says so.
    pub fn set_error(&self, cx: &Cx<'_>, error: SockError) {
        self.state.lock(cx).error = Some(error);
        self.queue.wake(cx, Events::ERR | Events::IN | Events::OUT);
    }

    /// Takes the pending error.
    pub fn take_error(&self, cx: &Cx<'_>) -> Option<SockError> {
        self.state.lock(cx).error.take()
    }

    /// No more will arrive: readers see the end.
    pub fn no_more_input(&self, cx: &Cx<'_>) {
        self.state.lock(cx).flags |= SockFlags::SHUT_READ;
        self.queue.wake(cx, Events::IN | Events::RDHUP);
    }

    fn is_stream(&self) -> bool {
        self.proto.kind == SockType::Stream
    }
}

/// A new socket and its protocol's side.
fn attach(
    cx: &Cx<'_>,
    proto: &'static Protosw,
    protocol: u8,
) -> Result<(KArc<Socket>, KArc<dyn UsrReqs>), SockError> {
    let so = base::vm::kmem::arc(cx, Socket::new(cx, proto, protocol))?;
    let pcb = (proto.attach)(cx, &so)?;
    Ok((so, pcb))
}

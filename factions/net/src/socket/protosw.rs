//! Protocols: what a component adds so that sockets can speak it.
//!
//! * [`Protosw`] (`protosw!`): family, type and number, and what attaches a new socket.
//! * [`UsrReqs`]: one socket's protocol: what calls on the socket ask of it.
//!
//! A stream fits the same trait: it starts a connection in [`UsrReqs::connect`], finishes it in
//! [`UsrReqs::connected`], hands out new sockets in [`UsrReqs::accept`], is told of room in
//! [`UsrReqs::received`], and puts its own data into the socket's buffers.
//!
//! Locking: called with no lock held. Sources: NetBSD sys/protosw.h (pr_usrreqs).

use core::net::SocketAddr;

use base::wait::Events;
use base::{Cx, KArc, Lwp};
use linkme::distributed_slice;

use super::{MsgFlags, SockError, Socket};
use crate::Packet;

/// What a socket carries, with Linux's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum SockType {
    /// Bytes in order.
    Stream = 1,
    /// Messages.
    Dgram = 2,
    /// Packets of the layer below.
    Raw = 3,
}

impl SockType {
    /// The type with that number.
    pub const fn from_number(n: u16) -> Option<SockType> {
        match n {
            1 => Some(SockType::Stream),
            2 => Some(SockType::Dgram),
            3 => Some(SockType::Raw),
            _ => None,
        }
    }
}

/// Makes the protocol's side of a new socket.
pub type Attach = fn(cx: &Cx<'_>, so: &KArc<Socket>) -> Result<KArc<dyn UsrReqs>, SockError>;

/// A protocol.
pub struct Protosw {
    /// The family, as in `Domain`.
    pub family: u16,
    /// The type of its sockets.
    pub kind: SockType,
    /// Its number; `None` for all numbers that have no entry of their own.
    pub protocol: Option<u8>,
    /// Whether number 0 means this one, for its type.
    pub is_default: bool,
    /// Whether only the superuser may have such sockets.
    pub root_only: bool,
    /// The component that it belongs to.
    pub component: &'static str,
    /// Makes the protocol's side of a new socket.
    pub attach: Attach,
}

/// The protocols of all components in this binary.
#[distributed_slice]
pub static PROTOCOLS: [Protosw];

/// Registers [`Protosw`]s: `net::protosw! { static NAME = Protosw { … }; }`.
#[macro_export]
macro_rules! protosw {
    ($($(#[$m:meta])* $vis:vis static $name:ident = $value:expr;)+) => {$(
        $(#[$m])*
        #[$crate::__private::linkme::distributed_slice($crate::socket::PROTOCOLS)]
        #[linkme(crate = $crate::__private::linkme)]
        $vis static $name: $crate::socket::Protosw = $value;
    )+};
}

/// The protocol for a new socket, among those that `usable` accepts.
pub(super) fn find<'a>(
    protocols: impl Iterator<Item = &'a Protosw> + Clone,
    family: u16,
    kind: SockType,
    protocol: u8,
) -> Result<&'a Protosw, SockError> {
    let mut of_family = protocols.filter(|p| p.family == family).peekable();
    of_family.peek().ok_or(SockError::NoFamily)?;
    let mut of_type = of_family.filter(|p| p.kind == kind).peekable();
    of_type.peek().ok_or(SockError::NoType)?;
    let found = if protocol == 0 {
        of_type.find(|p| p.is_default)
    } else {
        let exact = of_type.clone().find(|p| p.protocol == Some(protocol));
        exact.or_else(|| of_type.find(|p| p.protocol.is_none()))
    };
    found.ok_or(SockError::NoProtocol)
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connecting {
    /// It is made.
    Done,
    /// It takes time: [`UsrReqs::connected`] tells.
    Started,
}

/// Which direction ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shutdown {
    /// Receiving.
    Read,
    /// Sending.
    Write,
    /// Both.
    Both,
}

impl Shutdown {
    /// Whether receiving ends.
    pub fn read(self) -> bool {
        self != Shutdown::Write
    }

    /// Whether sending ends.
    pub fn write(self) -> bool {
        self != Shutdown::Read
    }
}

/// A socket that a listening one hands out.
pub struct Accepted {
    /// The socket.
    pub so: KArc<Socket>,
    /// Its protocol's side.
    pub pcb: KArc<dyn UsrReqs>,
    /// The other side.
    pub peer: SocketAddr,
}

/// One socket's protocol. Every call is an attempt: it answers `WouldBlock` and wakes the socket's
/// queue later.
#[allow(unused_variables)]
pub trait UsrReqs: Send + Sync {
    /// Gives the socket its own address.
    fn bind(&self, l: &mut Lwp<'_>, addr: SocketAddr) -> Result<(), SockError>;

    /// Makes the socket one that takes connections, `backlog` of them before they are accepted.
    fn listen(&self, l: &mut Lwp<'_>, backlog: u32) -> Result<(), SockError> {
        Err(SockError::NotSupported)
    }

    /// Gives the socket a peer, or starts to.
    fn connect(&self, l: &mut Lwp<'_>, to: SocketAddr) -> Result<Connecting, SockError>;

    /// How the connection that was started went: `WouldBlock` while it is being made.
    fn connected(&self, cx: &Cx<'_>) -> Result<(), SockError> {
        Ok(())
    }

    /// Takes a new connection.
    fn accept(&self, l: &mut Lwp<'_>) -> Result<Accepted, SockError> {
        Err(SockError::NotSupported)
    }

    /// Takes the peer away.
    fn disconnect(&self, l: &mut Lwp<'_>) -> Result<(), SockError> {
        Err(SockError::NotSupported)
    }

    /// A direction ends; the socket itself is told afterwards, if the protocol agrees.
    fn shutdown(&self, l: &mut Lwp<'_>, how: Shutdown) -> Result<(), SockError>;

    /// Sends a message, or some bytes of a stream, for which the socket has room.
    fn send(
        &self,
        l: &mut Lwp<'_>,
        data: Packet,
        to: Option<SocketAddr>,
        flags: MsgFlags,
    ) -> Result<(), SockError>;

    /// Whether there is anything to wait for on a stream that has nothing to read.
    fn may_receive(&self, cx: &Cx<'_>) -> Result<(), SockError> {
        Ok(())
    }

    /// The receive buffer has more room than before.
    fn received(&self, cx: &Cx<'_>) {}

    /// An option of level SOL_SOCKET has changed.
    fn options_changed(&self, cx: &Cx<'_>) {}

    /// What can be done on the socket beside what its buffers say (a connection to accept).
    fn poll(&self, cx: &Cx<'_>) -> Events {
        Events::empty()
    }

    /// Sets an option of the protocol's, at its level.
    fn set_option(
        &self,
        l: &mut Lwp<'_>,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), SockError> {
        Err(SockError::NoOption)
    }

    /// Reads one into `out`; says how long it is.
    fn option(
        &self,
        l: &mut Lwp<'_>,
        level: i32,
        name: i32,
        out: &mut [u8],
    ) -> Result<usize, SockError> {
        Err(SockError::NoOption)
    }

    /// The socket's own address.
    fn local_addr(&self, cx: &Cx<'_>) -> SocketAddr;

    /// Whether something that was sent, or the end of it, has not arrived at the peer.
    fn lingers(&self, cx: &Cx<'_>) -> bool {
        false
    }

    /// The state of its connection, for lists; empty if it has none.
    fn state_name(&self, cx: &Cx<'_>) -> &'static str {
        ""
    }

    /// The peer's address, if there is a peer.
    fn peer_addr(&self, cx: &Cx<'_>) -> Option<SocketAddr>;

    /// The socket is closed: the protocol lets go of it, at once or when all is sent.
    fn detach(&self, l: &mut Lwp<'_>);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: SockType, protocol: Option<u8>, is_default: bool) -> Protosw {
        let attach = |_: &Cx<'_>, _: &KArc<Socket>| Err(SockError::NotSupported);
        Protosw { family: 2, kind, protocol, is_default, root_only: false, component: "x", attach }
    }

    #[test]
    fn a_protocol_is_found_by_number_default_or_wildcard() {
        let table = [
            entry(SockType::Raw, None, false),
            entry(SockType::Raw, Some(1), false),
            entry(SockType::Dgram, Some(1), false),
            entry(SockType::Dgram, Some(17), true),
        ];
        let find = |family, kind, number| {
            find(table.iter(), family, kind, number).map(|p| (p.kind, p.protocol))
        };
        assert_eq!(find(2, SockType::Dgram, 0), Ok((SockType::Dgram, Some(17))));
        assert_eq!(find(2, SockType::Dgram, 1), Ok((SockType::Dgram, Some(1))));
        assert_eq!(find(2, SockType::Dgram, 6), Err(SockError::NoProtocol));
        assert_eq!(find(2, SockType::Raw, 1), Ok((SockType::Raw, Some(1))));
        assert_eq!(find(2, SockType::Raw, 89), Ok((SockType::Raw, None)));
        assert_eq!(find(2, SockType::Raw, 0), Err(SockError::NoProtocol));
        assert_eq!(find(2, SockType::Stream, 0), Err(SockError::NoType));
        assert_eq!(find(10, SockType::Dgram, 0), Err(SockError::NoFamily));
    }
}

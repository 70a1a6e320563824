//! What can go wrong with a socket.
//!
//! Locking: none. Sources: POSIX.1-2017 XSH 2.10; NetBSD sys/kern/uipc_socket.c.

use core::fmt;

use base::NoMemory;

/// What can go wrong with a socket. `crate::errno` makes error numbers of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SockError {
    /// Nothing can be read or written now.
    WouldBlock,
    /// The connection is being made.
    InProgress,
    /// A connection was being made already.
    Already,
    /// An argument makes no sense, or not in this state.
    Invalid,
    /// The protocol cannot do that.
    NotSupported,
    /// No component of this kernel has that family, or an address is of another one.
    NoFamily,
    /// The family has no sockets of that type.
    NoType,
    /// The family has no such protocol for that type.
    NoProtocol,
    /// Nobody knows the option.
    NoOption,
    /// There is nothing of that name.
    NotFound,
    /// There is no such interface.
    NoInterface,
    /// Somebody else has the address.
    AddrInUse,
    /// It is not an address of this kernel, or no port is left.
    AddrNotAvailable,
    /// The port is the superuser's, or the socket may not send to everybody.
    AccessDenied,
    /// Only the superuser may.
    NotPermitted,
    /// The socket has a peer already.
    IsConnected,
    /// The socket has no peer.
    NotConnected,
    /// The socket has no peer, and the call named none.
    DestinationRequired,
    /// The message is longer than the protocol, the buffer, or the way can take.
    MessageSize,
    /// This side sends no more.
    ShutDown,
    /// The other side does not listen.
    Refused,
    /// The other side broke the connection.
    Reset,
    /// The connection was given up on this side.
    Aborted,
    /// The other side does not answer.
    TimedOut,
    /// There is no route.
    NetUnreachable,
    /// The other side cannot be reached.
    HostUnreachable,
    /// The interface is not up.
    NetDown,
    /// The kernel's memory limit is reached, or a queue is full.
    NoBuffers,
    /// The socket was closed.
    Closed,
}

impl fmt::Display for SockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(base::Errno::from(*self).text())
    }
}

impl core::error::Error for SockError {}

impl From<NoMemory> for SockError {
    fn from(_: NoMemory) -> Self {
        SockError::NoBuffers
    }
}

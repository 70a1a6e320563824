//! Errors of sockets at the system-call edge: the one table.
//!
//! Locking: none. Sources: Linux man-pages ip(7), udp(7), socket(2) and its relatives.

use base::Errno;

use crate::socket::SockError;

impl From<SockError> for Errno {
    fn from(e: SockError) -> Errno {
        match e {
            SockError::WouldBlock => Errno::WouldBlock,
            SockError::InProgress => Errno::InProgress,
            SockError::Already => Errno::Already,
            SockError::Invalid => Errno::Invalid,
            SockError::NotSupported => Errno::NotSupported,
            SockError::NoFamily => Errno::NoFamily,
            SockError::NoType => Errno::NoSocketType,
            SockError::NoProtocol => Errno::NoProtocol,
            SockError::NoOption => Errno::NoProtocolOption,
            SockError::NotFound => Errno::NoEntry,
            SockError::NoInterface => Errno::NotSuchDevice,
            SockError::AddrInUse => Errno::AddrInUse,
            SockError::AddrNotAvailable => Errno::AddrNotAvailable,
            SockError::AccessDenied => Errno::AccessDenied,
            SockError::NotPermitted => Errno::NotPermitted,
            SockError::IsConnected => Errno::IsConnected,
            SockError::NotConnected => Errno::NotConnected,
            SockError::DestinationRequired => Errno::DestinationRequired,
            SockError::MessageSize => Errno::MessageSize,
            SockError::ShutDown => Errno::BrokenPipe,
            SockError::Refused => Errno::ConnectionRefused,
            SockError::Reset => Errno::ConnectionReset,
            SockError::Aborted => Errno::ConnectionAborted,
            SockError::TimedOut => Errno::TimedOut,
            SockError::NetUnreachable => Errno::NetUnreachable,
            SockError::HostUnreachable => Errno::HostUnreachable,
            SockError::NetDown => Errno::NetDown,
            SockError::NoBuffers => Errno::NoBuffers,
            SockError::Closed => Errno::BadFile,
        }
    }
}

//! What a socket says when a packet of its could not be sent, or an ICMP error came back.
//!
//! Locking: none. Sources: RFC 1122 §3.2.2, §4.1.3.3; Linux ip(7), udp(7).

use net::IfError;
use net::socket::SockError;

use crate::icmp::ErrorKind;
use crate::ip::output::SendError;

impl From<SendError> for SockError {
    fn from(e: SendError) -> SockError {
        match e {
            SendError::NoRoute => SockError::NetUnreachable,
            SendError::Broadcast => SockError::AccessDenied,
            SendError::TooBig { .. } => SockError::MessageSize,
            SendError::NoMemory => SockError::NoBuffers,
            SendError::Interface(IfError::Full | IfError::NoMemory) => SockError::NoBuffers,
            SendError::Interface(IfError::NoInterface) => SockError::NoInterface,
            SendError::Interface(_) => SockError::NetDown,
            SendError::Rejected | SendError::HostDown => SockError::HostUnreachable,
            SendError::BadSource => SockError::AddrNotAvailable,
        }
    }
}

impl From<ErrorKind> for SockError {
    fn from(kind: ErrorKind) -> SockError {
        match kind {
            ErrorKind::NetUnreachable => SockError::NetUnreachable,
            ErrorKind::PortUnreachable | ErrorKind::ProtocolUnreachable => SockError::Refused,
            ErrorKind::TooBig { .. } => SockError::MessageSize,
            ErrorKind::ParameterProblem => SockError::NoOption,
            ErrorKind::HostUnreachable | ErrorKind::TimeExceeded | ErrorKind::Prohibited => {
                SockError::HostUnreachable
            }
        }
    }
}

//! Error numbers of the system-call edge.
//!
//! The names are readable, the old ones are doc aliases, the values are Linux's, since that is
//! what programs at the C and wire edges use. Nothing below the system-call layer returns one of
//! these: an operation has its own error enum, and one table per faction translates.
//!
//! Locking: none. Sources: POSIX.1-2017 `<errno.h>`; Linux `asm-generic/errno.h` (values).

use core::fmt;

macro_rules! errno {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $old:literal, $text:literal;)*) => {
        /// An error number.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Errno {
            $($(#[$doc])* #[doc = $text] #[doc(alias = $old)] $name = $value,)*
        }

        impl Errno {
            /// The old name, as in `ENOENT`.
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => $old,)* }
            }

            /// The words that `strerror` has for it.
            pub const fn text(self) -> &'static str {
                match self { $(Errno::$name => $text,)* }
            }

            /// The number's error, if it is one we know.
            pub const fn from_number(n: i32) -> Option<Errno> {
                match n { $($value => Some(Errno::$name),)* _ => None }
            }
        }
    };
}

errno! {
    NotPermitted = 1, "EPERM", "Operation not permitted";
    NoEntry = 2, "ENOENT", "No such file or directory";
    NoProcess = 3, "ESRCH", "No such process";
    Interrupted = 4, "EINTR", "Interrupted system call";
    Io = 5, "EIO", "Input/output error";
    NoDevice = 6, "ENXIO", "No such device or address";
    TooBig = 7, "E2BIG", "Argument list too long";
    BadFile = 9, "EBADF", "Bad file descriptor";
    WouldBlock = 11, "EAGAIN", "Resource temporarily unavailable";
    NoMemory = 12, "ENOMEM", "Cannot allocate memory";
    AccessDenied = 13, "EACCES", "Permission denied";
    BadAddress = 14, "EFAULT", "Bad address";
    Busy = 16, "EBUSY", "Device or resource busy";
    Exists = 17, "EEXIST", "File exists";
    NotSuchDevice = 19, "ENODEV", "No such device";
    NotDirectory = 20, "ENOTDIR", "Not a directory";
    IsDirectory = 21, "EISDIR", "Is a directory";
    Invalid = 22, "EINVAL", "Invalid argument";
    TooManyFiles = 24, "EMFILE", "Too many open files";
    NotTerminal = 25, "ENOTTY", "Inappropriate ioctl for device";
    NoSpace = 28, "ENOSPC", "No space left on device";
    IllegalSeek = 29, "ESPIPE", "Illegal seek";
    BrokenPipe = 32, "EPIPE", "Broken pipe";
    OutOfRange = 34, "ERANGE", "Numerical result out of range";
    NameTooLong = 36, "ENAMETOOLONG", "File name too long";
    NotImplemented = 38, "ENOSYS", "Function not implemented";
    NotSocket = 88, "ENOTSOCK", "Socket operation on non-socket";
    DestinationRequired = 89, "EDESTADDRREQ", "Destination address required";
    MessageSize = 90, "EMSGSIZE", "Message too long";
    WrongProtocol = 91, "EPROTOTYPE", "Protocol wrong type for socket";
    NoProtocolOption = 92, "ENOPROTOOPT", "Protocol not available";
    NoProtocol = 93, "EPROTONOSUPPORT", "Protocol not supported";
    NoSocketType = 94, "ESOCKTNOSUPPORT", "Socket type not supported";
    NotSupported = 95, "EOPNOTSUPP", "Operation not supported";
    NoFamily = 97, "EAFNOSUPPORT", "Address family not supported by protocol";
    AddrInUse = 98, "EADDRINUSE", "Address already in use";
    AddrNotAvailable = 99, "EADDRNOTAVAIL", "Cannot assign requested address";
    NetDown = 100, "ENETDOWN", "Network is down";
    NetUnreachable = 101, "ENETUNREACH", "Network is unreachable";
    ConnectionAborted = 103, "ECONNABORTED", "Software caused connection abort";
    ConnectionReset = 104, "ECONNRESET", "Connection reset by peer";
    NoBuffers = 105, "ENOBUFS", "No buffer space available";
    IsConnected = 106, "EISCONN", "Transport endpoint is already connected";
    NotConnected = 107, "ENOTCONN", "Transport endpoint is not connected";
    TimedOut = 110, "ETIMEDOUT", "Connection timed out";
    ConnectionRefused = 111, "ECONNREFUSED", "Connection refused";
    HostDown = 112, "EHOSTDOWN", "Host is down";
    HostUnreachable = 113, "EHOSTUNREACH", "No route to host";
    Already = 114, "EALREADY", "Operation already in progress";
    InProgress = 115, "EINPROGRESS", "Operation now in progress";
    /// Inside a kernel only: a request waits, and its call is made again later.
    Restart = 512, "ERESTARTSYS", "The call is made again later";
}

impl Errno {
    /// The number, as Linux has it.
    pub const fn number(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.name())
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip() {
        for n in 0..200 {
            if let Some(e) = Errno::from_number(n) {
                assert_eq!(e.number(), n);
                assert!(e.name().starts_with('E'));
            }
        }
        assert_eq!(Errno::NoEntry.to_string(), "No such file or directory (ENOENT)");
    }

    extern crate std;
    use std::string::ToString;
}

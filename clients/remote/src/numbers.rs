//! The numbers of Linux that this client uses: a client knows no crate of the kernel.
//!
//! Locking: none. Sources: Linux arch/x86/entry/syscalls/syscall_64.tbl, include/uapi.

/// System calls.
pub mod call {
    #![allow(missing_docs)]
    pub const READ: u32 = 0;
    pub const WRITE: u32 = 1;
    pub const CLOSE: u32 = 3;
    pub const POLL: u32 = 7;
    pub const IOCTL: u32 = 16;
    pub const DUP: u32 = 32;
    pub const GETPID: u32 = 39;
    pub const SOCKET: u32 = 41;
    pub const CONNECT: u32 = 42;
    pub const SENDTO: u32 = 44;
    pub const RECVFROM: u32 = 45;
    pub const SHUTDOWN: u32 = 48;
    pub const BIND: u32 = 49;
    pub const LISTEN: u32 = 50;
    pub const GETSOCKNAME: u32 = 51;
    pub const GETPEERNAME: u32 = 52;
    pub const SETSOCKOPT: u32 = 54;
    pub const GETSOCKOPT: u32 = 55;
    pub const UNAME: u32 = 63;
    pub const FCNTL: u32 = 72;
    pub const GETUID: u32 = 102;
    pub const SETHOSTNAME: u32 = 170;
    pub const ACCEPT4: u32 = 288;
    /// The kernel's own: its settings.
    pub const SYSCTL: u32 = 500;
}

pub(crate) const AF_INET: u16 = 2;
pub(crate) const SOCK_STREAM: u64 = 1;
pub(crate) const SOCK_DGRAM: u64 = 2;
pub(crate) const SOCK_RAW: u64 = 3;
pub(crate) const IPPROTO_ICMP: u64 = 1;

pub(crate) const F_GETFD: u64 = 1;
pub(crate) const F_SETFD: u64 = 2;
pub(crate) const F_GETFL: u64 = 3;
pub(crate) const F_SETFL: u64 = 4;
pub(crate) const O_NONBLOCK: u64 = 0o4000;

pub(crate) const MSG_PEEK: u64 = 2;
/// The answer is the datagram's whole length.
pub(crate) const MSG_TRUNC: u64 = 0x20;

pub(crate) const SOL_SOCKET: i32 = 1;
pub(crate) const SO_REUSEADDR: i32 = 2;
pub(crate) const SO_ERROR: i32 = 4;
pub(crate) const SO_BROADCAST: i32 = 6;
pub(crate) const SO_SNDBUF: i32 = 7;
pub(crate) const SO_RCVBUF: i32 = 8;
pub(crate) const SO_KEEPALIVE: i32 = 9;
pub(crate) const SO_LINGER: i32 = 13;
pub(crate) const SO_REUSEPORT: i32 = 15;
pub(crate) const SO_RCVLOWAT: i32 = 18;
pub(crate) const SO_BINDTODEVICE: i32 = 25;
pub(crate) const SO_RCVTIMEO: i32 = 20;
pub(crate) const SO_SNDTIMEO: i32 = 21;
pub(crate) const IPPROTO_IP: i32 = 0;
pub(crate) const IP_TTL: i32 = 2;
pub(crate) const IP_MULTICAST_IF: i32 = 32;
pub(crate) const IP_MULTICAST_TTL: i32 = 33;
pub(crate) const IP_MULTICAST_LOOP: i32 = 34;
pub(crate) const IP_ADD_MEMBERSHIP: i32 = 35;
pub(crate) const IP_DROP_MEMBERSHIP: i32 = 36;
pub(crate) const IP_HDRINCL: i32 = 3;
pub(crate) const IPPROTO_TCP: i32 = 6;
pub(crate) const TCP_NODELAY: i32 = 1;
pub(crate) const TCP_MAXSEG: i32 = 2;
pub(crate) const TCP_CORK: i32 = 3;
pub(crate) const TCP_QUICKACK: i32 = 12;
pub(crate) const TCP_KEEPIDLE: i32 = 4;
pub(crate) const TCP_KEEPINTVL: i32 = 5;
pub(crate) const TCP_KEEPCNT: i32 = 6;
pub(crate) const TCP_DEFER_ACCEPT: i32 = 9;
pub(crate) const TCP_INFO: i32 = 11;
pub(crate) const TCP_CONGESTION: i32 = 13;
pub(crate) const TCP_USER_TIMEOUT: i32 = 18;

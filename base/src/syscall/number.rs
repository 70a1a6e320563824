//! Numbers of system calls: Linux's, x86-64; from 500 on, our own.
//!
//! Locking: none. Sources: Linux arch/x86/entry/syscalls/syscall_64.tbl.
#![allow(missing_docs)]

pub const READ: u32 = 0;
pub const WRITE: u32 = 1;
pub const CLOSE: u32 = 3;
pub const POLL: u32 = 7;
pub const IOCTL: u32 = 16;
pub const READV: u32 = 19;
pub const WRITEV: u32 = 20;
pub const DUP: u32 = 32;
pub const DUP2: u32 = 33;
pub const GETPID: u32 = 39;
pub const SOCKET: u32 = 41;
pub const CONNECT: u32 = 42;
pub const ACCEPT: u32 = 43;
pub const SENDTO: u32 = 44;
pub const RECVFROM: u32 = 45;
pub const SENDMSG: u32 = 46;
pub const RECVMSG: u32 = 47;
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
pub const GETGID: u32 = 104;
pub const SETUID: u32 = 105;
pub const SETGID: u32 = 106;
pub const GETEUID: u32 = 107;
pub const GETEGID: u32 = 108;
pub const GETPPID: u32 = 110;
pub const REBOOT: u32 = 169;
pub const SETHOSTNAME: u32 = 170;
pub const GETTID: u32 = 186;
pub const ACCEPT4: u32 = 288;
pub const DUP3: u32 = 292;

/// The first number that is not Linux's but ours.
pub const OURS: u32 = 500;
pub const SYSCTL: u32 = OURS;

//! The protocol between a kernel's server and its remote clients: messages, and nothing else.
//!
//! `PROTOCOL.md` beside this folder has every message in one table.
//!
//! * [`Header`], [`Kind`]: what every message begins with.
//! * [`Hello`], [`Welcome`], [`Refused`]: the handshake.  * [`Syscall`], [`Return`]: a system call.
//! * [`Copyin`], [`Copied`]: memory that a call's description could not name beforehand.
//! * [`Arg`], [`memory`]: what the arguments of a call are, and so which memory goes along.
//! * [`Reader`], [`Out`]: how messages are taken apart and put together.
//!
//! Nothing here allocates, and nothing is believed: a length that does not fit, a number that
//! means nothing, or bytes that are left over make a message [`Malformed`].
//!
//! Locking: none. Sources: the book, section 3.12 (remote clients); PROTOCOL.md says what differs.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod arg;
mod bytes;
mod call;
mod handshake;
mod header;

pub use arg::{Arg, Description, Descriptions, Memory, memory};
pub use bytes::{Malformed, Out, Reader};
pub use call::{Copied, Copyin, Return, SEGMENT_HEAD_LEN, Segment, Segments, Syscall};
pub use handshake::{COOKIE_LEN, Cookie, Hello, How, Refused, Welcome};
pub use header::{HEADER_LEN, Header, Kind};

/// The version of the protocol. A server refuses a client that speaks another one.
pub const VERSION: u16 = 1;

/// The longest message, header included, in bytes.
pub const MAX_MESSAGE: usize = (1 << 20) + (64 << 10);

/// The most memory that one call moves in one direction, in bytes; a longer read or write is cut
/// short, as system calls may be.
pub const MAX_TRANSFER: usize = 1 << 20;

/// The longest message of a client that has not been welcomed.
pub const MAX_HELLO: usize = 256;

/// The most pieces of memory in one message: a message to or from a socket has up to 1024 of them
/// (IOV_MAX), and what describes it comes on top.
pub const MAX_SEGMENTS: u32 = 1024 + 16;

/// The most requests that a client may have under way.
pub const MAX_REQUESTS: usize = 4096;

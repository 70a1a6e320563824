//! The remote client: a kernel in another process, used as std uses the host.
//!
//! A whole program (`cargo run -p anykernel-remote --example datagrams`, beside a server that
//! `rump_server -l netinet unix://router` has started, with `RUMP_SERVER=unix://router`):
//! ```no_run
#![doc = include_str!("../examples/datagrams.rs")]
//! ```
//!
//! * [`Client`]: the connection, and calls by number.  * [`Retry`]: what happens when the server
//!   is gone.
//! * [`TcpListener`], [`TcpStream`], [`UdpSocket`], [`RawSocket`], [`IcmpSocket`]: sockets with std's methods.
//! * [`Descriptor`]: ioctl and the rest.  * [`poll`]: several at once.
//! * [`Client::fork`], [`Client::exec`]: the program's process and the kernel's go together;
//!   [`Descriptor::from_fd`] is for what came from before.
//! * [`First`]: calls that travel with the greeting.
//! * [`Interrupt`]: ends calls that wait.
//! * [`Client::sysctl`], [`Client::uname`] and their like.
//!
//! A server can answer wrongly, and do no more: memory that was not lent is not touched, and
//! nothing is kept of what was not asked for.
//!
//! Locking: `Connection` says it. Sources: the book, section 3.12; PROTOCOL.md of `wire`.

mod answer;
mod client;
mod connection;
mod descriptor;
mod error;
mod exec;
mod first;
mod fork;
mod handshake;
mod icmp;
mod interrupt;
mod memory;
mod numbers;
mod poll;
mod process;
mod raw;
mod requests;
mod retry;
mod sockaddr;
mod socket;
mod stream;
mod sysctl;
mod tcp;
mod udp;

pub use client::{Argument, Builder, Client};
pub use descriptor::Descriptor;
pub use error::Error;
pub use exec::Exec;
pub use first::First;
pub use fork::{Cookie, Fork};
pub use icmp::IcmpSocket;
pub use interrupt::Interrupt;
pub use poll::{Events, Poll, poll};
pub use process::Uname;
pub use raw::RawSocket;
pub use retry::Retry;
pub use tcp::{TcpListener, TcpStream};
pub use transport::Url;
pub use udp::UdpSocket;

/// Numbers of system calls.
pub mod number {
    pub use crate::numbers::call::*;
}

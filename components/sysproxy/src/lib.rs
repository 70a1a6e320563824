//! sysproxy: remote clients, as processes of the kernel.
//!
//! A client sends messages (`clients/wire`) over a connection of the host's; here they become
//! system calls. This half knows no sockets: whoever has the connection hands bytes in and is
//! given bytes to send.
//!
//! * [`Service`]: a kernel's, for all its clients.  * [`Session`]: one client, one process.
//! * [`Transport`], [`Wake`]: what the host's half implements.  * [`Trust`]: who a client is.
//! * `state`: what a session has inside the kernel.  * `call`: a system call under way.
//! * `memory`: the client's memory, as far as it came along.  * `forks`: processes for children.
//!
//! A call that waits is parked in the kernel without a thread (`base::file::Request`); when
//! [`Wake::wake`] tells, [`Session::resume`] makes it again.
//!
//! Sources: the book, section 3.12; `clients/wire/PROTOCOL.md`.

#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

extern crate alloc;

mod call;
mod component;
mod forks;
mod memory;
mod notice;
mod output;
mod service;
mod session;
mod state;

pub use component::COMPONENT;
pub use notice::Wake;
pub use output::Transport;
pub use service::Service;
pub use session::{Ended, Session, Trust};

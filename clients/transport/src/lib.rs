//! Streams between a kernel's server and its remote clients.
//!
//! * [`Url`]: where a server is: `unix://path`, `tcp://host:port`.
//! * [`connect`]: the client's end.  * [`Listener`]: the server's.  * [`Peer`]: who connected.
//! * [`registry`]: which servers are running.
//! * [`Key`], [`Sealed`]: authentication and encryption over TCP, for any kind of loop.
//!
//! What travels in a stream is the business of `wire`.
//!
//! Locking: none, but the lock of the socket's directory for as long as a listener is made or
//! closed. Sources: unix(7), tcp(7); the book, section 3.12; PROTOCOL.md of `wire`.
#![forbid(unsafe_code)]

mod connect;
mod error;
mod key;
mod listener;
pub mod registry;
mod sealed;
mod socket_file;
mod tcp;
mod url;

pub use connect::{Timeout, connect};
pub use error::{ConnectError, KeyError, ListenError, SealError, UrlError};
pub use key::Key;
pub use listener::{Listen, Listener, Peer};
pub use sealed::{Opener, Sealed, Sealer};
pub use url::Url;

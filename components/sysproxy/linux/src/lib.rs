//! The half of sysproxy on Linux: one thread serves all remote clients of a kernel.
//!
//! ```no_run
//! # fn serve(bell: std::sync::Arc<sysproxy_linux::Bell>, service: std::sync::Arc<sysproxy::Service>)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! // service = Service::new(kernel.handle(), bell.clone())?
//! let url = transport::Url::parse("unix://router")?;
//! let listener = transport::Listener::listen(&url, transport::Listen::default())?;
//! let mut server = sysproxy_linux::Server::new(service, bell)?;
//! server.listen(listener, None)?;
//! server.run()?;
//! # Ok(()) }
//! ```
//!
//! * [`Server`]: the loop.  * [`Bell`]: how the kernel makes itself heard in it.
//! * `connection`: one client.  * `pipe`: its bytes, in the open or sealed.  * `poll`: epoll.
//! * [`daemon`]: a whole server process.  * `trust`: who a client is to the kernel.
//!
//! Whoever calls [`Server::run`] is the thread; a call that waits is parked in the kernel and holds
//! none. The loop itself never blocks but in epoll_wait(2), where it sleeps until there is work.
//!
//! Locking: [`Bell`]'s only. Sources: epoll(7), eventfd(2), unix(7); the book, section 3.12.
#![deny(unsafe_code)]

mod bell;
mod connection;
pub mod daemon;
mod pipe;
mod poll;
mod server;
mod trust;

pub use bell::Bell;
pub use server::{Server, Stopped};

//! The local client: a kernel in this process, used as std uses the host.
//!
//! ```no_run
//! # fn demo(host: std::sync::Arc<dyn base::Host>, spec: &'static base::Spec) -> std::io::Result<()> {
//! use std::io::{Read, Write};
//!
//! let kernel = base::Kernel::boot(host, spec).map_err(std::io::Error::other)?;
//! let server = local::UdpSocket::bind(&kernel, "127.0.0.1:7")?;
//! let mut client = local::UdpSocket::bind(&kernel, "127.0.0.1:0")?;
//! client.connect("127.0.0.1:7")?;
//! client.write_all(b"hello")?;
//! let mut buf = [0; 16];
//! let (n, from) = server.recv_from(&mut buf)?;
//! server.send_to(&buf[..n], from)?;
//! assert_eq!(client.read(&mut buf)?, 5);
//! # Ok(()) }
//! ```
//!
//! * [`TcpListener`], [`TcpStream`], [`UdpSocket`], [`RawSocket`]: sockets of a kernel, with std's methods and std's errors.
//! * [`ping`], [`Pinger`]: ICMP echo.  * [`poll`]: several sockets at once.
//! * [`ifconfig`], [`route`]: interfaces and routes.
//!
//! A socket is a weak handle: it does not keep its kernel alive, closes its descriptor when it is
//! dropped, and answers ENXIO after the kernel's end. Descriptors are those of the kernel's init
//! process, so a socket may be used by any thread, and by several.
//!
//! Locking: none of its own. Sources: the documentation of `std::net`; the book, section 2.3
//! (implicit threads).

pub mod ifconfig;
mod ping;
mod poll;
mod raw;
pub mod route;
mod socket;
mod tcp;
mod udp;

pub use base::wait::Events;
pub use ping::{Ping, Pinger, ping};
pub use poll::{Poll, poll};
pub use raw::RawSocket;
pub use tcp::{TcpListener, TcpStream};
pub use udp::{Datagram, UdpSocket};

use std::io;

use base::{Errno, Gone};

/// An error number of a kernel as std has it: the numbers are Linux's.
pub fn io_error(e: Errno) -> io::Error {
    io::Error::from_raw_os_error(e.number())
}

/// What a visit to a kernel answered.
fn io_result<R>(visit: Result<Result<R, Errno>, Gone>) -> io::Result<R> {
    match visit {
        Ok(result) => result.map_err(io_error),
        Err(gone) => Err(io_error(gone.into())),
    }
}

/// An error that has words of its own, with the kind that its number has.
fn told<E>(e: E) -> io::Error
where
    E: std::error::Error + Copy + Into<Errno> + Send + Sync + 'static,
{
    io::Error::new(io_error(e.into()).kind(), e)
}

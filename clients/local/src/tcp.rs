//! TCP of a kernel.
//!
//! * [`TcpListener`], [`TcpStream`]: the methods of std's types, `Read` and `Write`, and the options
//!   that std has not.
//!
//! Locking: none. Sources: the documentation of `std::net`; Linux tcp(7), socket(7).

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use base::Kernel;
use net::socket::options::{SOL_SOCKET, so};
use net::socket::{MsgFlags, Shutdown as How, SockType};

use crate::socket::{Socket, read_and_write, socket_methods};
use crate::udp::each;

const IPPROTO_TCP: i32 = 6;
const TCP_NODELAY: i32 = 1;
const TCP_MAXSEG: i32 = 2;
const TCP_CORK: i32 = 3;
const TCP_QUICKACK: i32 = 12;
const TCP_KEEPIDLE: i32 = 4;
const TCP_KEEPINTVL: i32 = 5;
const TCP_KEEPCNT: i32 = 6;
const TCP_DEFER_ACCEPT: i32 = 9;
const TCP_INFO: i32 = 11;
const TCP_CONGESTION: i32 = 13;
const TCP_USER_TIMEOUT: i32 = 18;

/// As many connections as std's listeners let wait.
const BACKLOG: u32 = 128;

/// Connections to be accepted.
pub struct TcpListener(Socket);

/// A connection.
pub struct TcpStream(Socket);

socket_methods!(TcpListener);
socket_methods!(TcpStream);
read_and_write!(TcpStream);

impl TcpListener {
    /// Listens at an address, with SO_REUSEADDR as std does; port 0: one of the kernel's choice.
    pub fn bind(kernel: &Kernel, addr: impl ToSocketAddrs) -> io::Result<Self> {
        Self::bind_with(kernel, addr, BACKLOG)
    }

    /// The same with a backlog: how many connections may wait to be accepted.
    pub fn bind_with(kernel: &Kernel, addr: impl ToSocketAddrs, backlog: u32) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(kernel, SockType::Stream, 0)?;
            socket.set_reuse_address(true)?;
            socket.bind(addr)?;
            socket.listen(backlog)?;
            Ok(Self(socket))
        })
    }

    /// Listens at an address that it shares with others of its user and kind (SO_REUSEPORT), among
    /// which connections are spread.
    pub fn bind_reuseport(kernel: &Kernel, addr: impl ToSocketAddrs) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(kernel, SockType::Stream, 0)?;
            socket.set_reuse_port(true)?;
            socket.bind(addr)?;
            socket.listen(BACKLOG)?;
            Ok(Self(socket))
        })
    }

    /// Listens to what arrives on an interface only (SO_BINDTODEVICE), as its connections then do.
    pub fn bind_on(kernel: &Kernel, addr: impl ToSocketAddrs, interface: &str) -> io::Result<Self> {
        each(addr, |addr| {
            let socket = Socket::new(kernel, SockType::Stream, 0)?;
            socket.set_reuse_address(true)?;
            socket.bind_device(Some(interface))?;
            socket.bind(addr)?;
            socket.listen(BACKLOG)?;
            Ok(Self(socket))
        })
    }

    /// How long a connection may wait for its first data before it is accepted without
    /// (TCP_DEFER_ACCEPT), rounded up to 1, 3, 7, 15, … seconds; no time: not at all. For those that
    /// begin from now on.
    pub fn set_defer_accept(&self, time: Duration) -> io::Result<()> {
        let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        self.0.set_int(IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds)
    }

    /// What was set, rounded.
    pub fn defer_accept(&self) -> io::Result<Duration> {
        let seconds = self.0.int(IPPROTO_TCP, TCP_DEFER_ACCEPT)?;
        Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// Waits for a connection.
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (socket, peer) = self.0.accept()?;
        Ok((TcpStream(socket), peer))
    }

    /// Connections, one after the other; it never ends.
    pub fn incoming(&self) -> impl Iterator<Item = io::Result<TcpStream>> {
        std::iter::repeat_with(|| Ok(self.accept()?.0))
    }

    /// The address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl TcpStream {
    /// Connects to `to`.
    pub fn connect(kernel: &Kernel, to: impl ToSocketAddrs) -> io::Result<Self> {
        each(to, |to| {
            let socket = Socket::new(kernel, SockType::Stream, 0)?;
            socket.connect(to)?;
            Ok(Self(socket))
        })
    }

    /// Connects to `to` by an interface, and by no other (SO_BINDTODEVICE).
    pub fn connect_on(
        kernel: &Kernel,
        to: impl ToSocketAddrs,
        interface: &str,
    ) -> io::Result<Self> {
        each(to, |to| {
            let socket = Socket::new(kernel, SockType::Stream, 0)?;
            socket.bind_device(Some(interface))?;
            socket.connect(to)?;
            Ok(Self(socket))
        })
    }

    /// Connects to `to`, and waits no longer than that.
    pub fn connect_timeout(kernel: &Kernel, to: &SocketAddr, wait: Duration) -> io::Result<Self> {
        let socket = Socket::new(kernel, SockType::Stream, 0)?;
        socket.set_write_timeout(Some(wait))?;
        socket.connect(*to).map_err(|e| match e.raw_os_error() {
            Some(n) if n == base::Errno::InProgress.number() => io::ErrorKind::TimedOut.into(),
            _ => e,
        })?;
        socket.set_write_timeout(None)?;
        Ok(Self(socket))
    }

    /// A socket with its own address, connected to `to` without waiting for that.
    pub fn begin(
        kernel: &Kernel,
        from: impl ToSocketAddrs,
        to: impl ToSocketAddrs,
    ) -> io::Result<Self> {
        let socket = Socket::new(kernel, SockType::Stream, 0)?;
        each(from, |addr| socket.bind(addr))?;
        socket.set_nonblocking(true)?;
        let in_progress = base::Errno::InProgress.number();
        each(to, |to| match socket.connect(to) {
            Err(e) if e.raw_os_error() == Some(in_progress) => Ok(()),
            done => done,
        })?;
        socket.set_nonblocking(false)?;
        Ok(Self(socket))
    }

    /// Sends some of `data`: all of it, unless the socket is non-blocking.
    pub fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.send(data, None)
    }

    /// Receives what there is, one byte at least; none means that the other side has ended.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.recv(buf, MsgFlags::empty())?.len)
    }

    /// The same, and leaves it there.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        Ok(self.0.recv(buf, MsgFlags::PEEK)?.len)
    }

    /// Ends one direction, or both.
    pub fn shutdown(&self, how: std::net::Shutdown) -> io::Result<()> {
        self.0.shutdown(match how {
            std::net::Shutdown::Read => How::Read,
            std::net::Shutdown::Write => How::Write,
            std::net::Shutdown::Both => How::Both,
        })
    }

    /// The socket's own address.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// The peer's.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Whether small segments go at once (TCP_NODELAY).
    pub fn nodelay(&self) -> io::Result<bool> {
        Ok(self.0.int(IPPROTO_TCP, TCP_NODELAY)? != 0)
    }

    /// Sets it.
    pub fn set_nodelay(&self, on: bool) -> io::Result<()> {
        self.0.set_int(IPPROTO_TCP, TCP_NODELAY, on.into())
    }

    /// Whether segments that are not full wait for more (TCP_CORK), but no longer than the
    /// retransmission timeout.
    pub fn set_cork(&self, on: bool) -> io::Result<()> {
        self.0.set_int(IPPROTO_TCP, TCP_CORK, on.into())
    }

    /// Whether what arrives is acknowledged at once (TCP_QUICKACK).
    pub fn quickack(&self) -> io::Result<bool> {
        Ok(self.0.int(IPPROTO_TCP, TCP_QUICKACK)? != 0)
    }

    /// Sets it.
    pub fn set_quickack(&self, on: bool) -> io::Result<()> {
        self.0.set_int(IPPROTO_TCP, TCP_QUICKACK, on.into())
    }

    /// How many bytes a read waits for, if it wants as many (SO_RCVLOWAT).
    pub fn set_receive_low_water(&self, bytes: usize) -> io::Result<()> {
        self.0.set_int(SOL_SOCKET, so::RCVLOWAT, i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    /// What closing does (SO_LINGER): with `None` what is left is sent afterwards, with some time it waits
    /// as long as that until the peer has everything, and with no time at all it breaks off.
    pub fn set_linger(&self, time: Option<Duration>) -> io::Result<()> {
        let seconds = time.map_or(0, |t| i32::try_from(t.as_secs()).unwrap_or(i32::MAX));
        let mut value = [0; 8];
        let (on, rest) = value.split_at_mut(4);
        on.copy_from_slice(&i32::from(time.is_some()).to_ne_bytes());
        rest.copy_from_slice(&seconds.to_ne_bytes());
        self.0.set_option(SOL_SOCKET, so::LINGER, &value)
    }

    /// Asks a silent peer after `idle`, then each `interval`, `count` times (SO_KEEPALIVE and its
    /// timers); `None` never asks.
    pub fn set_keepalive(&self, how: Option<(Duration, Duration, u8)>) -> io::Result<()> {
        if let Some((idle, interval, count)) = how {
            let seconds = |t: Duration| i32::try_from(t.as_secs()).unwrap_or(i32::MAX);
            self.0.set_int(IPPROTO_TCP, TCP_KEEPIDLE, seconds(idle))?;
            self.0.set_int(IPPROTO_TCP, TCP_KEEPINTVL, seconds(interval))?;
            self.0.set_int(IPPROTO_TCP, TCP_KEEPCNT, count.into())?;
        }
        self.0.set_int(SOL_SOCKET, so::KEEPALIVE, how.is_some().into())
    }

    /// How long data may stay unacknowledged (TCP_USER_TIMEOUT); `None`: as the kernel has it.
    pub fn set_user_timeout(&self, time: Option<Duration>) -> io::Result<()> {
        let ms = time.map_or(0, |t| i32::try_from(t.as_millis()).unwrap_or(i32::MAX));
        self.0.set_int(IPPROTO_TCP, TCP_USER_TIMEOUT, ms)
    }

    /// How many bytes may wait to be sent.
    pub fn set_send_buffer(&self, bytes: usize) -> io::Result<()> {
        self.0.set_int(SOL_SOCKET, so::SNDBUF, i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    /// The largest segment (TCP_MAXSEG).
    pub fn max_segment(&self) -> io::Result<u32> {
        Ok(self.0.int(IPPROTO_TCP, TCP_MAXSEG)?.try_into().unwrap_or(0))
    }

    /// The congestion algorithm's name.
    pub fn congestion(&self) -> io::Result<String> {
        let mut name = [0; 16];
        let len = self.0.option(IPPROTO_TCP, TCP_CONGESTION, &mut name)?;
        let name = name.get(..len).unwrap_or_default().split(|b| *b == 0).next();
        Ok(String::from_utf8_lossy(name.unwrap_or_default()).into_owned())
    }

    /// Chooses one.
    pub fn set_congestion(&self, name: &str) -> io::Result<()> {
        self.0.set_option(IPPROTO_TCP, TCP_CONGESTION, name.as_bytes())
    }

    /// The beginning of Linux's struct tcp_info.
    pub fn info(&self) -> io::Result<[u8; 104]> {
        let mut info = [0; 104];
        self.0.option(IPPROTO_TCP, TCP_INFO, &mut info)?;
        Ok(info)
    }
}

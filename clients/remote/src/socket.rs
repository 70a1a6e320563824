//! What all sockets have in common.
//!
//! Locking: none. Sources: the documentation of `std::net::UdpSocket`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use crate::descriptor::within;
use crate::numbers::{
    AF_INET, IP_ADD_MEMBERSHIP, IP_DROP_MEMBERSHIP, IP_HDRINCL, IP_MULTICAST_IF, IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL, IP_TTL, IPPROTO_IP, MSG_TRUNC, SO_BINDTODEVICE, SO_BROADCAST, SO_ERROR,
    SO_RCVBUF, SO_RCVTIMEO, SO_REUSEADDR, SO_REUSEPORT, SO_SNDTIMEO, SOL_SOCKET, call,
};
use crate::{Argument, Client, Descriptor, sockaddr};

use Argument::{In, InOut, Null, Out, Value};

/// A socket.
#[derive(Debug)]
pub(crate) struct Socket(pub(crate) Descriptor);

/// What was received.
pub(crate) struct Received {
    /// How much is in the buffer.
    pub(crate) len: usize,
    /// From whom.
    pub(crate) from: Option<SocketAddr>,
}

/// A level and a name, as calls have them.
fn numbers(level: i32, name: i32) -> (Argument<'static>, Argument<'static>) {
    (Value(level as u64), Value(name as u64))
}

impl Socket {
    pub(crate) fn new(client: &Client, kind: u64, protocol: u64) -> io::Result<Socket> {
        let mut arguments = [Value(AF_INET.into()), Value(kind), Value(protocol)];
        Descriptor::open(client, call::SOCKET, &mut arguments).map(Socket)
    }

    pub(crate) fn try_clone(&self) -> io::Result<Socket> {
        self.0.try_clone().map(Socket)
    }

    fn name(&self, number: u32, addr: SocketAddr) -> io::Result<()> {
        let raw = sockaddr::to_bytes(addr);
        self.0.call(number, [In(&raw), Value(raw.len() as u64)]).map(drop)
    }

    pub(crate) fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.name(call::BIND, addr)
    }

    pub(crate) fn listen(&self, backlog: u32) -> io::Result<()> {
        self.0.call(call::LISTEN, [Value(backlog.into())]).map(drop)
    }

    /// Takes a connection; says whose.
    pub(crate) fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (mut raw, mut len) = ([0; sockaddr::LEN], (sockaddr::LEN as u32).to_ne_bytes());
        let arguments = [Out(&mut raw), InOut(&mut len), Value(0)];
        let new = self.0.derive(call::ACCEPT4, arguments)?;
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        Ok((Socket(new), sockaddr::parse(&raw).unwrap_or(nobody)))
    }

    pub(crate) fn shutdown(&self, how: u64) -> io::Result<()> {
        self.0.call(call::SHUTDOWN, [Value(how)]).map(drop)
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<()> {
        self.name(call::CONNECT, to)
    }

    pub(crate) fn send(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        let raw = to.map(sockaddr::to_bytes);
        let (to, to_len) = match &raw {
            Some(raw) => (In(raw), raw.len()),
            None => (Null, 0),
        };
        let len = Value(data.len() as u64);
        let arguments = [In(data), len, Value(0), to, Value(to_len as u64)];
        within(self.0.call(call::SENDTO, arguments)?, data.len())
    }

    pub(crate) fn recv(&self, buf: &mut [u8], flags: u64) -> io::Result<Received> {
        let len = buf.len();
        let buf_len = Value(len as u64);
        let n = self.0.call(call::RECVFROM, [Out(buf), buf_len, Value(flags), Null, Null])?;
        Ok(Received { len: received(n, len, flags)?, from: None })
    }

    pub(crate) fn recv_from(&self, buf: &mut [u8], flags: u64) -> io::Result<Received> {
        let len = buf.len();
        let (mut raw, mut raw_len) = ([0; sockaddr::LEN], (sockaddr::LEN as u32).to_ne_bytes());
        let (buf_len, from, from_len) = (Value(len as u64), Out(&mut raw), InOut(&mut raw_len));
        let n = self.0.call(call::RECVFROM, [Out(buf), buf_len, Value(flags), from, from_len])?;
        Ok(Received { len: received(n, len, flags)?, from: sockaddr::parse(&raw) })
    }

    fn own_name(&self, number: u32) -> io::Result<SocketAddr> {
        let (mut raw, mut len) = ([0; sockaddr::LEN], (sockaddr::LEN as u32).to_ne_bytes());
        self.0.call(number, [Out(&mut raw), InOut(&mut len)])?;
        sockaddr::parse(&raw).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.own_name(call::GETSOCKNAME)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.own_name(call::GETPEERNAME)
    }

    pub(crate) fn option<const N: usize>(&self, level: i32, name: i32) -> io::Result<[u8; N]> {
        let (mut value, mut len) = ([0; N], (N as u32).to_ne_bytes());
        let (level, name) = numbers(level, name);
        self.0.call(call::GETSOCKOPT, [level, name, Out(&mut value), InOut(&mut len)])?;
        Ok(value)
    }

    pub(crate) fn set_option(&self, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        let ((level, name), len) = (numbers(level, name), Value(value.len() as u64));
        self.0.call(call::SETSOCKOPT, [level, name, In(value), len]).map(drop)
    }

    pub(crate) fn int(&self, level: i32, name: i32) -> io::Result<i32> {
        self.option(level, name).map(i32::from_ne_bytes)
    }

    pub(crate) fn set_int(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        self.set_option(level, name, &value.to_ne_bytes())
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let error = self.int(SOL_SOCKET, SO_ERROR)?;
        Ok((error != 0).then(|| io::Error::from_raw_os_error(error)))
    }

    /// Of receiving, or of sending.
    fn time_option(receive: bool) -> i32 {
        if receive { SO_RCVTIMEO } else { SO_SNDTIMEO }
    }

    pub(crate) fn set_timeout(&self, receive: bool, timeout: Option<Duration>) -> io::Result<()> {
        if timeout.is_some_and(|t| t.is_zero()) {
            // As in std: no time at all is an error, not a poll.
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a timeout of no time"));
        }
        // Less than a microsecond would be none.
        let timeout = timeout.map_or(Duration::ZERO, |t| t.max(Duration::from_micros(1)));
        let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX).to_ne_bytes();
        let micros = i64::from(timeout.subsec_micros()).to_ne_bytes();
        let raw: Vec<u8> = seconds.into_iter().chain(micros).collect();
        self.set_option(SOL_SOCKET, Self::time_option(receive), &raw)
    }

    pub(crate) fn timeout(&self, receive: bool) -> io::Result<Option<Duration>> {
        let raw: [u8; 16] = self.option(SOL_SOCKET, Self::time_option(receive))?;
        let raw = u128::from_ne_bytes(raw);
        let (low, high) = (raw as u64, (raw >> 64) as u64);
        let (seconds, micros) =
            if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
        let timeout = Duration::from_secs(seconds) + Duration::from_micros(micros.min(999_999));
        Ok((!timeout.is_zero()).then_some(timeout))
    }

    pub(crate) fn broadcast(&self) -> io::Result<bool> {
        Ok(self.int(SOL_SOCKET, SO_BROADCAST)? != 0)
    }

    pub(crate) fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.set_int(SOL_SOCKET, SO_BROADCAST, on.into())
    }

    pub(crate) fn set_reuse_address(&self, on: bool) -> io::Result<()> {
        self.set_int(SOL_SOCKET, SO_REUSEADDR, on.into())
    }

    pub(crate) fn set_reuse_port(&self, on: bool) -> io::Result<()> {
        self.set_int(SOL_SOCKET, SO_REUSEPORT, on.into())
    }

    pub(crate) fn bind_device(&self, interface: Option<&str>) -> io::Result<()> {
        self.set_option(SOL_SOCKET, SO_BINDTODEVICE, interface.unwrap_or_default().as_bytes())
    }

    pub(crate) fn device(&self) -> io::Result<Option<String>> {
        let name: [u8; 16] = self.option(SOL_SOCKET, SO_BINDTODEVICE)?;
        let name = name.split(|b| *b == 0).next().filter(|name| !name.is_empty());
        Ok(name.map(|name| String::from_utf8_lossy(name).into_owned()))
    }

    pub(crate) fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        self.set_int(SOL_SOCKET, SO_RCVBUF, i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    pub(crate) fn ttl(&self) -> io::Result<u32> {
        Ok(self.int(IPPROTO_IP, IP_TTL)?.try_into().unwrap_or(0))
    }

    pub(crate) fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.set_int(IPPROTO_IP, IP_TTL, i32::try_from(ttl).unwrap_or(i32::MAX))
    }

    pub(crate) fn multicast_ttl(&self) -> io::Result<u32> {
        Ok(self.int(IPPROTO_IP, IP_MULTICAST_TTL)?.try_into().unwrap_or(0))
    }

    pub(crate) fn set_multicast_ttl(&self, ttl: u32) -> io::Result<()> {
        self.set_int(IPPROTO_IP, IP_MULTICAST_TTL, i32::try_from(ttl).unwrap_or(i32::MAX))
    }

    pub(crate) fn multicast_loop(&self) -> io::Result<bool> {
        Ok(self.int(IPPROTO_IP, IP_MULTICAST_LOOP)? != 0)
    }

    pub(crate) fn set_multicast_loop(&self, on: bool) -> io::Result<()> {
        self.set_int(IPPROTO_IP, IP_MULTICAST_LOOP, on.into())
    }

    pub(crate) fn set_multicast_if(&self, interface: Ipv4Addr) -> io::Result<()> {
        self.set_option(IPPROTO_IP, IP_MULTICAST_IF, &interface.octets())
    }

    pub(crate) fn set_member(
        &self,
        group: Ipv4Addr,
        interface: Ipv4Addr,
        member: bool,
    ) -> io::Result<()> {
        let name = if member { IP_ADD_MEMBERSHIP } else { IP_DROP_MEMBERSHIP };
        let [a, b, c, d] = group.octets();
        let [e, f, g, h] = interface.octets();
        self.set_option(IPPROTO_IP, name, &[a, b, c, d, e, f, g, h])
    }

    pub(crate) fn set_header_included(&self, on: bool) -> io::Result<()> {
        self.set_int(IPPROTO_IP, IP_HDRINCL, on.into())
    }
}

/// The length of what was received; with MSG_TRUNC the answer may be more than the buffer has.
fn received(n: u64, len: usize, flags: u64) -> io::Result<usize> {
    if flags & MSG_TRUNC != 0 {
        return Ok(usize::try_from(n).unwrap_or(usize::MAX));
    }
    within(n, len)
}

/// Tries `f` with each address until it succeeds.
pub(crate) fn each<R>(
    addr: impl ToSocketAddrs,
    mut f: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut last = io::Error::new(io::ErrorKind::InvalidInput, "no address");
    for addr in addr.to_socket_addrs()? {
        match f(addr) {
            Ok(r) => return Ok(r),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// Methods that sockets of all types have.
macro_rules! socket_methods {
    ($name:ident) => {
        impl $name {
            /// Another handle on the same socket.
            pub fn try_clone(&self) -> std::io::Result<Self> {
                Ok(Self(self.0.try_clone()?))
            }

            /// How long a call that receives waits; `None` for ever. It then fails with
            /// `WouldBlock`.
            pub fn set_read_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.0.set_timeout(true, timeout)
            }

            /// How long a call that sends waits; `None` for ever.
            pub fn set_write_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.0.set_timeout(false, timeout)
            }

            /// What was set.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                self.0.timeout(true)
            }

            /// What was set.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                self.0.timeout(false)
            }

            /// Whether calls that would wait fail with `WouldBlock` instead.
            pub fn set_nonblocking(&self, on: bool) -> std::io::Result<()> {
                self.0.0.set_nonblocking(on)
            }

            /// Hops given to packets.
            pub fn ttl(&self) -> std::io::Result<u32> {
                self.0.ttl()
            }

            /// Sets it.
            pub fn set_ttl(&self, ttl: u32) -> std::io::Result<()> {
                self.0.set_ttl(ttl)
            }

            /// How many bytes may wait to be received.
            pub fn set_receive_buffer(&self, bytes: usize) -> std::io::Result<()> {
                self.0.set_receive_buffer(bytes)
            }

            /// Binds the socket to an interface: it hears what arrives there, and sends there, whatever
            /// routes say (SO_BINDTODEVICE). `None` unbinds it.
            pub fn bind_device(&self, interface: Option<&str>) -> std::io::Result<()> {
                self.0.bind_device(interface)
            }

            /// The interface, if it is bound to one; that it is gone is an error (ENODEV).
            pub fn device(&self) -> std::io::Result<Option<String>> {
                self.0.device()
            }

            /// Takes the error that came apart from a call: an ICMP error, say.
            pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
                self.0.take_error()
            }

            /// The descriptor.
            pub fn descriptor(&self) -> &crate::Descriptor {
                &self.0.0
            }
        }

        /// A descriptor that is such a socket: nobody checks.
        impl From<crate::Descriptor> for $name {
            fn from(descriptor: crate::Descriptor) -> Self {
                Self(crate::socket::Socket(descriptor))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("fd", &self.0.0.fd()).finish()
            }
        }
    };
}
pub(crate) use socket_methods;

/// `Read` and `Write`, made of `recv` and `send`.
macro_rules! read_and_write {
    ($name:ident) => {
        impl std::io::Read for &$name {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.recv(buf)
            }
        }

        impl std::io::Write for &$name {
            fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
                self.send(data)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        impl std::io::Read for $name {
            fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
                self.recv(buf)
            }
        }

        impl std::io::Write for $name {
            fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
                self.send(data)
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
    };
}
pub(crate) use read_and_write;

/// Methods of sockets whose messages may go to everybody.
macro_rules! broadcast_methods {
    ($name:ident) => {
        impl $name {
            /// Whether the socket may send to everybody.
            pub fn broadcast(&self) -> std::io::Result<bool> {
                self.0.broadcast()
            }

            /// Sets it.
            pub fn set_broadcast(&self, on: bool) -> std::io::Result<()> {
                self.0.set_broadcast(on)
            }

            /// Hops given to packets for a group, 1 unless set; with 0 they do not leave the kernel.
            pub fn multicast_ttl_v4(&self) -> std::io::Result<u32> {
                self.0.multicast_ttl()
            }

            /// Sets it.
            pub fn set_multicast_ttl_v4(&self, ttl: u32) -> std::io::Result<()> {
                self.0.set_multicast_ttl(ttl)
            }

            /// Whether this kernel gets what the socket sends to groups that it is in itself.
            pub fn multicast_loop_v4(&self) -> std::io::Result<bool> {
                self.0.multicast_loop()
            }

            /// Sets it.
            pub fn set_multicast_loop_v4(&self, on: bool) -> std::io::Result<()> {
                self.0.set_multicast_loop(on)
            }

            /// Packets for groups leave by the interface with that address; unspecified: by the
            /// socket's own, or the first.
            pub fn set_multicast_if_v4(
                &self,
                interface: &std::net::Ipv4Addr,
            ) -> std::io::Result<()> {
                self.0.set_multicast_if(*interface)
            }

            /// Joins a group on the interface with that address; unspecified: the first that can
            /// send to many. The socket hears the group until it leaves it or is closed, or the
            /// interface loses its last address.
            pub fn join_multicast_v4(
                &self,
                group: &std::net::Ipv4Addr,
                interface: &std::net::Ipv4Addr,
            ) -> std::io::Result<()> {
                self.0.set_member(*group, *interface, true)
            }

            /// Leaves it.
            pub fn leave_multicast_v4(
                &self,
                group: &std::net::Ipv4Addr,
                interface: &std::net::Ipv4Addr,
            ) -> std::io::Result<()> {
                self.0.set_member(*group, *interface, false)
            }
        }
    };
}
pub(crate) use broadcast_methods;

/// Methods of sockets whose messages go to hosts, not to ports.
macro_rules! host_methods {
    ($name:ident) => {
        impl $name {
            /// Sends from `addr`, and receives what is sent there.
            pub fn bind(&self, addr: std::net::Ipv4Addr) -> std::io::Result<()> {
                self.0.bind(std::net::SocketAddr::from((addr, 0)))
            }

            /// Gives the socket a peer: it hears no other, and `send` sends there.
            pub fn connect(&self, to: std::net::Ipv4Addr) -> std::io::Result<()> {
                self.0.connect(std::net::SocketAddr::from((to, 0)))
            }

            /// Sends a message to the peer.
            pub fn send(&self, message: &[u8]) -> std::io::Result<usize> {
                self.0.send(message, None)
            }

            /// Sends a message to `to`.
            pub fn send_to(
                &self,
                message: &[u8],
                to: std::net::Ipv4Addr,
            ) -> std::io::Result<usize> {
                self.0.send(message, Some(std::net::SocketAddr::from((to, 0))))
            }

            /// Receives a message, its headers first as the type says.
            pub fn recv(&self, buf: &mut [u8]) -> std::io::Result<usize> {
                Ok(self.0.recv(buf, 0)?.len)
            }

            /// The same, with its sender.
            pub fn recv_from(&self, buf: &mut [u8]) -> std::io::Result<(usize, std::net::IpAddr)> {
                let got = self.0.recv_from(buf, 0)?;
                let unknown = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
                Ok((got.len, got.from.map_or(unknown, |from| from.ip())))
            }
        }
    };
}
pub(crate) use host_methods;

//! A descriptor of a socket, and what all sockets have in common.
//!
//! Locking: none. Sources: the documentation of `std::net::UdpSocket`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base::file::Fd;
use base::{Errno, Handle, Kernel, Lwp};
use net::socket::api::{self, Received};
use net::socket::options::{SOL_SOCKET, so};
use net::socket::{MsgFlags, Shutdown, SockType};

use crate::udp::Datagram;
use crate::{io_error, io_result};

/// The level of IPv4's options.
const IPPROTO_IP: i32 = 0;
const IP_TTL: i32 = 2;
const IP_MULTICAST_IF: i32 = 32;
const IP_MULTICAST_TTL: i32 = 33;
const IP_MULTICAST_LOOP: i32 = 34;
const IP_ADD_MEMBERSHIP: i32 = 35;
const IP_DROP_MEMBERSHIP: i32 = 36;
const IP_HDRINCL: i32 = 3;

/// A descriptor in a kernel's init process, closed when dropped.
pub(crate) struct Socket {
    kernel: Handle,
    fd: Fd,
}

impl Socket {
    pub(crate) fn new(kernel: &Kernel, kind: SockType, protocol: u8) -> io::Result<Socket> {
        let (kernel, open) = (kernel.handle(), api::Open::default());
        let family = net::domain::AF_INET;
        let fd = io_result(kernel.enter(|l| api::socket(l, family, kind, protocol, open)))?;
        Ok(Socket { kernel, fd })
    }

    pub(crate) fn fd(&self) -> Fd {
        self.fd
    }

    pub(crate) fn kernel(&self) -> &Handle {
        &self.kernel
    }

    /// Makes a call on the descriptor.
    pub(crate) fn call<R>(
        &self,
        f: impl FnOnce(&mut Lwp<'_>, Fd) -> Result<R, Errno>,
    ) -> io::Result<R> {
        io_result(self.kernel.enter(|l| f(l, self.fd)))
    }

    /// Another descriptor of the same socket.
    pub(crate) fn try_clone(&self) -> io::Result<Socket> {
        let fd = self.call(|l, fd| {
            let fds = l.proc().fds();
            let file = fds.get(l, fd)?;
            fds.install(l, file, 0, false)
        })?;
        Ok(Socket { kernel: self.kernel.clone(), fd })
    }

    /// Takes a connection.
    pub(crate) fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        let (fd, peer) = self.call(|l, fd| api::accept(l, fd, api::Open::default()))?;
        Ok((Socket { kernel: self.kernel.clone(), fd }, peer))
    }

    pub(crate) fn listen(&self, backlog: u32) -> io::Result<()> {
        self.call(|l, fd| api::listen(l, fd, backlog))
    }

    pub(crate) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.call(|l, fd| api::shutdown(l, fd, how))
    }

    pub(crate) fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.call(|l, fd| api::bind(l, fd, addr))
    }

    pub(crate) fn connect(&self, to: SocketAddr) -> io::Result<()> {
        self.call(|l, fd| api::connect(l, fd, Some(to)))
    }

    pub(crate) fn send(&self, data: &[u8], to: Option<SocketAddr>) -> io::Result<usize> {
        self.call(|l, fd| api::send_to(l, fd, &[data], MsgFlags::empty(), to))
    }

    pub(crate) fn recv(&self, buf: &mut [u8], flags: MsgFlags) -> io::Result<Received> {
        self.call(|l, fd| api::recv_from(l, fd, &mut [buf], flags))
    }

    pub(crate) fn send_many(&self, datagrams: &[&[u8]]) -> io::Result<usize> {
        self.call(|l, fd| api::send_many(l, fd, datagrams))
    }

    pub(crate) fn recv_many(&self, datagrams: &mut [Datagram<'_>]) -> io::Result<usize> {
        let rooms = datagrams.iter_mut().map(|Datagram { buf, len, from }| {
            let tell = move |got: api::Received| (*len, *from) = (got.len, got.from);
            (&mut **buf, tell)
        });
        self.call(|l, fd| api::recv_many(l, fd, rooms))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.call(api::local_addr)
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.call(api::peer_addr)
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        Ok(self.call(api::take_error)?.map(io_error))
    }

    pub(crate) fn set_nonblocking(&self, on: bool) -> io::Result<()> {
        self.call(|l, fd| api::set_nonblocking(l, fd, on))
    }

    pub(crate) fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = some_time(timeout)?;
        self.call(|l, fd| {
            let (_, send) = api::timeouts(l, fd)?;
            api::set_timeouts(l, fd, timeout, send)
        })
    }

    pub(crate) fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = some_time(timeout)?;
        self.call(|l, fd| {
            let (receive, _) = api::timeouts(l, fd)?;
            api::set_timeouts(l, fd, receive, timeout)
        })
    }

    pub(crate) fn timeouts(&self) -> io::Result<(Option<Duration>, Option<Duration>)> {
        self.call(api::timeouts)
    }

    pub(crate) fn option(&self, level: i32, name: i32, out: &mut [u8]) -> io::Result<usize> {
        self.call(|l, fd| api::option(l, fd, level, name, out))
    }

    pub(crate) fn set_option(&self, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
        self.call(|l, fd| api::set_option(l, fd, level, name, value))
    }

    pub(crate) fn int(&self, level: i32, name: i32) -> io::Result<i32> {
        let mut value = [0; 4];
        self.call(|l, fd| api::option(l, fd, level, name, &mut value))?;
        Ok(i32::from_ne_bytes(value))
    }

    pub(crate) fn set_int(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        self.call(|l, fd| api::set_option(l, fd, level, name, &value.to_ne_bytes()))
    }

    pub(crate) fn broadcast(&self) -> io::Result<bool> {
        Ok(self.int(SOL_SOCKET, so::BROADCAST)? != 0)
    }

    pub(crate) fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.set_int(SOL_SOCKET, so::BROADCAST, on.into())
    }

    pub(crate) fn set_reuse_address(&self, on: bool) -> io::Result<()> {
        self.set_int(SOL_SOCKET, so::REUSEADDR, on.into())
    }

    pub(crate) fn set_reuse_port(&self, on: bool) -> io::Result<()> {
        self.set_int(SOL_SOCKET, so::REUSEPORT, on.into())
    }

    pub(crate) fn bind_device(&self, interface: Option<&str>) -> io::Result<()> {
        self.set_option(SOL_SOCKET, so::BINDTODEVICE, interface.unwrap_or_default().as_bytes())
    }

    pub(crate) fn device(&self) -> io::Result<Option<String>> {
        let mut name = [0; 16];
        let len = self.option(SOL_SOCKET, so::BINDTODEVICE, &mut name)?;
        let name = name.get(..len.saturating_sub(1)).filter(|name| !name.is_empty());
        Ok(name.map(|name| String::from_utf8_lossy(name).into_owned()))
    }

    pub(crate) fn set_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        self.set_int(SOL_SOCKET, so::RCVBUF, i32::try_from(bytes).unwrap_or(i32::MAX))
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

impl Drop for Socket {
    fn drop(&mut self) {
        // After the kernel's end there is nothing to close.
        let _ = self.call(base::file::close);
    }
}

/// As in std: no time at all is an error, not a poll.
fn some_time(timeout: Option<Duration>) -> io::Result<Option<Duration>> {
    match timeout {
        Some(t) if t.is_zero() => {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "a timeout of no time"))
        }
        timeout => Ok(timeout),
    }
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
                self.0.set_read_timeout(timeout)
            }

            /// How long a call that sends waits; `None` for ever.
            pub fn set_write_timeout(
                &self,
                timeout: Option<std::time::Duration>,
            ) -> std::io::Result<()> {
                self.0.set_write_timeout(timeout)
            }

            /// What was set.
            pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.0.timeouts()?.0)
            }

            /// What was set.
            pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
                Ok(self.0.timeouts()?.1)
            }

            /// Whether calls that would wait fail with `WouldBlock` instead.
            pub fn set_nonblocking(&self, on: bool) -> std::io::Result<()> {
                self.0.set_nonblocking(on)
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

            /// The descriptor, in the kernel's init process.
            pub fn fd(&self) -> base::file::Fd {
                self.0.fd()
            }

            /// The kernel.
            pub fn kernel(&self) -> &base::Handle {
                self.0.kernel()
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).field("fd", &self.0.fd()).finish()
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

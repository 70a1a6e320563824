//! ICMP echo from a kernel.
//!
//! * [`ping`]: once.  * [`Pinger`]: again and again to the same host.
//!
//! Time is the kernel's: on a simulated host, the virtual clock.
//!
//! Locking: none. Sources: RFC 792 (echo); ping(8).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use base::{Host, Kernel};
use net::socket::{MsgFlags, SockType};

use crate::socket::Socket;

/// IPPROTO_ICMP.
const ICMP: u8 = 1;
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
const HEADER_LEN: usize = 8;

/// How to ping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ping {
    /// How long to wait for each answer.
    pub timeout: Duration,
    /// Bytes beside the ICMP header.
    pub size: usize,
    /// Hops.
    pub ttl: u8,
}

impl Default for Ping {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(1), size: 56, ttl: 255 }
    }
}

/// Sends echo requests to one host.
pub struct Pinger {
    socket: Socket,
    host: Arc<dyn Host>,
    how: Ping,
    sequence: u16,
    message: Vec<u8>,
    answer: Vec<u8>,
}

impl Pinger {
    /// For `dst`.
    pub fn new(kernel: &Kernel, dst: Ipv4Addr, how: Ping) -> io::Result<Self> {
        let socket = Socket::new(kernel, SockType::Dgram, ICMP)?;
        socket.set_ttl(how.ttl.into())?;
        socket.connect(SocketAddr::from((dst, 0)))?;
        let len = HEADER_LEN + how.size;
        let message = (0..len).map(|i| if i == 0 { ECHO } else { 0 }).collect();
        let host = kernel.host().clone();
        Ok(Self { socket, host, how, sequence: 0, message, answer: vec![0; len] })
    }

    /// Sends a request and waits for its answer; says how long that took. `TimedOut` if none came,
    /// and what ICMP says if somebody on the way refused.
    pub fn ping(&mut self) -> io::Result<Duration> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence.to_be_bytes();
        if let Some(field) = self.message.get_mut(6..8) {
            field.copy_from_slice(&sequence);
        }
        let sent = self.host.now();
        let deadline = sent + self.how.timeout;
        self.socket.send(&self.message, None)?;
        loop {
            let left = deadline.saturating_since(self.host.now());
            if left.is_zero() {
                return Err(timed_out());
            }
            self.socket.set_read_timeout(Some(left))?;
            let got = match self.socket.recv(&mut self.answer, MsgFlags::empty()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Err(timed_out()),
                got => got?,
            };
            let whole = got.full == self.message.len();
            // An answer to an earlier request may come late.
            if whole && self.answer.starts_with(&[ECHO_REPLY]) && self.answer[6..8] == sequence {
                return Ok(self.host.now().saturating_since(sent));
            }
        }
    }
}

fn timed_out() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer to the echo request")
}

/// Sends one echo request from `kernel` to `dst` and waits for the answer.
pub fn ping(kernel: &Kernel, dst: Ipv4Addr, how: Ping) -> io::Result<Duration> {
    Pinger::new(kernel, dst, how)?.ping()
}

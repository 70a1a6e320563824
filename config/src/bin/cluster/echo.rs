//! One pinging socket: echo requests out, the right replies back.
//!
//! * [`Echo::open`] on a node, for one address; [`Echo::ping`] sends and waits.
//!
//! A request is repeated every second until the deadline, as ping(8) does, since a network may lose
//! packets. A reply counts if its sequence number and its data are those of a request of this
//! call; the kernel has checked the identifier and the checksum.
//!
//! Locking: none. Sources: RFC 792 (echo); RFC 1812 section 4.2.2.9 (TTL).

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use base::file::Fd;
use base::{BoundLwp, Errno, Kernel, Lwp};
use net::socket::{MsgFlags, SockType, api};

/// IPPROTO_ICMP.
const ICMP: u8 = 1;
/// IPPROTO_IP and IP_TTL.
const TTL: (i32, i32) = (0, 2);
const REQUEST: u8 = 8;
const REPLY: u8 = 0;
const HEADER_LEN: usize = 8;
/// As ping(8) sends it: 64 bytes with the header.
const LEN: usize = HEADER_LEN + 56;

/// When a request is repeated.
const AGAIN: Duration = Duration::from_secs(1);

/// A socket that pings one address.
pub struct Echo {
    lwp: BoundLwp,
    fd: Fd,
    sequence: u16,
}

impl Echo {
    /// A socket in this kernel.
    pub fn open(kernel: &Kernel, to: Ipv4Addr) -> Result<Echo, Errno> {
        let mut lwp = kernel.bind()?;
        let fd = lwp.enter(|l| open(l, to))??;
        Ok(Echo { lwp, fd, sequence: 0 })
    }

    /// Sends a request and waits for its reply, at most until `deadline`; says how long it took.
    /// `TimedOut` if none came, or what the network says about the address.
    pub fn ping(&mut self, deadline: Duration) -> Result<Duration, Errno> {
        let Echo { lwp, fd, sequence } = self;
        let first = sequence.wrapping_add(1);
        let start = Instant::now();
        lwp.enter(|l| {
            loop {
                let left = deadline.saturating_sub(start.elapsed());
                if left.is_zero() {
                    return Err(Errno::TimedOut);
                }
                *sequence = sequence.wrapping_add(1);
                api::send_to(l, *fd, &[&message(*sequence)], MsgFlags::empty(), None)?;
                match reply(l, *fd, (first, *sequence), left.min(AGAIN)) {
                    Err(Errno::WouldBlock) => {}
                    other => return other.map(|()| start.elapsed()),
                }
            }
        })?
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let fd = self.fd;
        // A kernel that is gone has closed it.
        let _ = self.lwp.enter(|l| l.proc().fds().close(l, fd));
    }
}

fn open(l: &mut Lwp<'_>, to: Ipv4Addr) -> Result<Fd, Errno> {
    let fd = api::socket(l, net::domain::AF_INET, SockType::Dgram, ICMP, api::Open::default())?;
    let ready = api::set_option(l, fd, TTL.0, TTL.1, &[u8::MAX])
        .and_then(|()| api::connect(l, fd, Some(SocketAddr::from((to, 0)))));
    match ready {
        Ok(()) => Ok(fd),
        Err(error) => {
            l.proc().fds().close(l, fd)?;
            Err(error)
        }
    }
}

/// Waits for the reply to one of these requests, the first and the last of them.
fn reply(l: &mut Lwp<'_>, fd: Fd, sequences: (u16, u16), patience: Duration) -> Result<(), Errno> {
    let until = l.now() + patience;
    let mut left = patience;
    loop {
        api::set_timeouts(l, fd, Some(left), None)?;
        let mut bytes = [0; LEN];
        let got = api::recv_from(l, fd, &mut [&mut bytes], MsgFlags::empty())?;
        if got.full == LEN && answers(&bytes, sequences) {
            return Ok(());
        }
        // Something else, or an earlier reply that came late.
        left = until.saturating_since(l.now());
        if left.is_zero() {
            return Err(Errno::WouldBlock);
        }
    }
}

/// An echo request; the kernel fills in the identifier and the checksum.
fn message(sequence: u16) -> [u8; LEN] {
    let mut bytes: [u8; LEN] = core::array::from_fn(|at| at as u8);
    let [high, low] = sequence.to_be_bytes();
    if let Some(header) = bytes.first_chunk_mut::<HEADER_LEN>() {
        *header = [REQUEST, 0, 0, 0, 0, 0, high, low];
    }
    bytes
}

fn answers(bytes: &[u8; LEN], (first, last): (u16, u16)) -> bool {
    let [kind, code, _, _, _, _, high, low, data @ ..] = bytes;
    let sequence = u16::from_be_bytes([*high, *low]);
    // Numbers wrap.
    let known = sequence.wrapping_sub(first) <= last.wrapping_sub(first);
    let sent = message(sequence);
    (*kind, *code) == (REPLY, 0) && known && sent.get(HEADER_LEN..) == Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use net::ifnet;

    /// A kernel on a bus of its own.
    fn alone() -> Kernel {
        let kernel = Kernel::boot(linux::Linux::new(), &crate::ROUTER).unwrap();
        let set_up = kernel.enter(|l| {
            ifnet::config::create(l, "shmif0")?;
            ifnet::config::set_linkstr(l, "shmif0", "bus")?;
            ifnet::config::add_addr(l, "shmif0", Ipv4Addr::new(10, 0, 0, 1).into(), 24)
        });
        set_up.unwrap().unwrap();
        kernel
    }

    #[test]
    fn nobody_there_is_an_error_when_the_deadline_has_passed() {
        let kernel = alone();
        let mut echo = Echo::open(&kernel, Ipv4Addr::new(10, 0, 0, 9)).unwrap();
        let (start, deadline) = (Instant::now(), Duration::from_millis(50));
        assert_eq!(echo.ping(deadline), Err(Errno::TimedOut));
        assert!(start.elapsed() >= deadline);
    }

    #[test]
    fn an_address_of_its_own_answers_and_one_without_a_route_does_not() {
        let kernel = alone();
        let mut echo = Echo::open(&kernel, Ipv4Addr::new(10, 0, 0, 1)).unwrap();
        assert!(echo.ping(Duration::from_secs(5)).is_ok());
        let nowhere = Echo::open(&kernel, Ipv4Addr::new(9, 9, 9, 9));
        let error = nowhere.and_then(|mut echo| echo.ping(Duration::from_secs(5)));
        assert_eq!(error, Err(Errno::NetUnreachable));
    }

    #[test]
    fn only_the_right_reply_counts() {
        let mut bytes = message(7);
        assert!(!answers(&bytes, (7, 7)), "a request is no reply");
        bytes[0] = REPLY;
        assert!(answers(&bytes, (7, 7)));
        assert!(answers(&bytes, (5, 8)));
        assert!(!answers(&bytes, (8, 9)), "an earlier reply");
        assert!(answers(&bytes, (65_535, 7)), "numbers wrap");
        bytes[20] ^= 1;
        assert!(!answers(&bytes, (7, 7)), "the data are others");
    }
}

//! Feeds a network interface with packets, as fast as the host's kernel takes them: the source of the
//! baseline of `forward.pps`. A hidden command of this program.
//!
//! Sources: packet(7), sendmmsg(2).

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const BATCH: usize = 64;
/// A frame of 64 bytes with its check sequence, which is not ours to send.
const FRAME: usize = 60;

/// Sends frames for `mac` on `interface` for a while, and prints how many seconds that took.
pub fn main(interface: &str, mac: &str, seconds: f64) -> Result<()> {
    let mac = parse(mac).context("a MAC address is six hexadecimal numbers, with colons")?;
    let socket = open(interface).with_context(|| format!("a packet socket on {interface}"))?;
    let frame = frame(mac);
    let mut pieces = [libc::iovec { iov_base: frame.as_ptr() as *mut _, iov_len: FRAME }; BATCH];
    let mut messages: Vec<libc::mmsghdr> = pieces
        .iter_mut()
        .map(|piece| {
            // SAFETY: all zeros is a message header of no address and no pieces.
            let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
            message.msg_hdr.msg_iov = piece;
            message.msg_hdr.msg_iovlen = 1;
            message
        })
        .collect();
    let (start, time) = (Instant::now(), Duration::from_secs_f64(seconds));
    while start.elapsed() < time {
        // SAFETY: as many headers as are said, each with one piece, which all live until it returns.
        let sent =
            unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), BATCH as u32, 0) };
        if sent < 0 {
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::ENOBUFS) {
                return Err(error).context("sendmmsg");
            }
        }
    }
    println!("{:e}", start.elapsed().as_secs_f64());
    Ok(())
}

fn parse(mac: &str) -> Option<[u8; 6]> {
    let bytes: Option<Vec<u8>> = mac.split(':').map(|b| u8::from_str_radix(b, 16).ok()).collect();
    bytes?.try_into().ok()
}

fn open(interface: &str) -> io::Result<OwnedFd> {
    let name = CString::new(interface)?;
    // SAFETY: the name ends with a zero.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: no memory is given.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just made, and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all zeros is an address.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_ifindex = index.cast_signed();
    let len = size_of::<libc::sockaddr_ll>() as u32;
    // SAFETY: an address of that length.
    let bound = unsafe { libc::bind(fd, (&raw const address).cast(), len) };
    if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(socket) }
}

/// UDP from 10.0.1.1 to port 9 of 10.0.2.1, to the router `mac`.
fn frame(mac: [u8; 6]) -> [u8; FRAME] {
    let mut frame = [0; FRAME];
    let ip_len = (FRAME - 14) as u8;
    let head: [u8; 42] = [
        mac[0],
        mac[1],
        mac[2],
        mac[3],
        mac[4],
        mac[5],
        2,
        0,
        0,
        0,
        0,
        1,
        8,
        0, //
        0x45,
        0,
        0,
        ip_len,
        0,
        0,
        0x40,
        0,
        64,
        17,
        0,
        0,
        10,
        0,
        1,
        1,
        10,
        0,
        2,
        1, //
        0,
        7,
        0,
        9,
        0,
        ip_len - 20,
        0,
        0,
    ];
    frame[..42].copy_from_slice(&head);
    let sum: u32 =
        frame[14..34].chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_an_ip_packet() {
        let frame = frame([1, 2, 3, 4, 5, 6]);
        let sum: u32 =
            frame[14..34].chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        assert_eq!(usize::from(frame[17]), FRAME - 14);
    }

    #[test]
    fn macs_are_read() {
        assert_eq!(parse("02:00:0a:ff:00:01"), Some([2, 0, 10, 255, 0, 1]));
        assert_eq!(parse("02:00"), None);
        assert_eq!(parse("x:00:0a:ff:00:01"), None);
    }
}

//! sendmsg and recvmsg: a message in pieces, with control data.
//!
//! Control data that is understood: IP_PKTINFO (RFC 1122 §4.1.3.5 wants programs to learn the address
//! that a message was sent to), IP_TTL and IP_TOS on receiving. On sending there is none; it is refused.
//!
//! Locking: none held. Sources: Linux sendmsg(2), recvmsg(2), cmsg(3), ip(7); layouts of 64-bit
//! programs.

use base::file::Fd;
use base::syscall::SysMemory;
use base::{Errno, KVec, Lwp};
use core::net::IpAddr;

use super::api::{self, Received};
use super::calls::{buffer, copyin_addr, copyin_word, copyout_addr};
use super::{MsgFlags, SockFlags};

/// The most pieces (Linux's UIO_MAXIOV).
const MAX_PIECES: u64 = 1024;

const IPPROTO_IP: i32 = 0;
const IP_TOS: i32 = 1;
const IP_TTL: i32 = 2;
const IP_PKTINFO: i32 = 8;

/// struct msghdr: eight words, two of them half used.
struct Msghdr {
    name: u64,
    namelen: u32,
    iov: u64,
    iovlen: u64,
    control: u64,
    controllen: u64,
}

/// Where the fields that recvmsg writes are.
const NAMELEN_AT: u64 = 8;
const CONTROLLEN_AT: u64 = 40;
const FLAGS_AT: u64 = 48;

impl Msghdr {
    fn copyin(m: &mut dyn SysMemory, at: u64) -> Result<Msghdr, Errno> {
        let raw: [u8; 56] = copyin_word(m, at)?;
        let word = |i: usize| {
            let bytes = raw.get(i * 8..).and_then(|r| r.first_chunk()).copied();
            u64::from_ne_bytes(bytes.unwrap_or_default())
        };
        let [n0, n1, n2, n3, ..] = word(1).to_ne_bytes();
        let namelen = u32::from_ne_bytes([n0, n1, n2, n3]);
        let hdr = Msghdr {
            name: word(0),
            namelen,
            iov: word(2),
            iovlen: word(3),
            control: word(4),
            controllen: word(5),
        };
        if hdr.iovlen > MAX_PIECES {
            return Err(Errno::MessageSize);
        }
        Ok(hdr)
    }

    /// The pieces: address and length.
    fn pieces(&self, l: &Lwp<'_>, m: &mut dyn SysMemory) -> Result<KVec<(u64, u64)>, Errno> {
        let mut raw = buffer(l, self.iovlen * 16)?;
        m.copyin(self.iov, &mut raw)?;
        let mut pieces = KVec::new(l);
        for words in raw.as_chunks::<8>().0.as_chunks::<2>().0 {
            pieces.push((u64::from_ne_bytes(words[0]), u64::from_ne_bytes(words[1])))?;
        }
        Ok(pieces)
    }
}

/// Sends the message that the msghdr at `at` describes.
pub(super) fn send(
    l: &mut Lwp<'_>,
    fd: Fd,
    at: u64,
    flags: MsgFlags,
    m: &mut dyn SysMemory,
) -> Result<u64, Errno> {
    let hdr = Msghdr::copyin(m, at)?;
    if hdr.controllen != 0 {
        return Err(Errno::NotSupported);
    }
    let to = copyin_addr(m, hdr.name, hdr.namelen.into())?;
    let pieces = hdr.pieces(l, m)?;
    let total = pieces.iter().map(|(_, len)| *len).fold(0, u64::saturating_add);
    let mut data = buffer(l, total)?;
    let mut at = 0;
    for (from, len) in pieces.iter() {
        let rest = data.get_mut(at..).unwrap_or_default();
        let n = usize::try_from(*len).unwrap_or(usize::MAX).min(rest.len());
        m.copyin(*from, rest.get_mut(..n).unwrap_or_default())?;
        at += n;
    }
    api::send_to(l, fd, &[&data], flags, to).map(|n| n as u64)
}

/// Receives into the memory that the msghdr at `at` describes.
pub(super) fn receive(
    l: &mut Lwp<'_>,
    fd: Fd,
    at: u64,
    flags: MsgFlags,
    m: &mut dyn SysMemory,
) -> Result<u64, Errno> {
    let hdr = Msghdr::copyin(m, at)?;
    let pieces = hdr.pieces(l, m)?;
    let total = pieces.iter().map(|(_, len)| *len).fold(0, u64::saturating_add);
    let mut data = buffer(l, total)?;
    m.reserve(data.len(), pieces.iter().count())?;
    let got = api::recv_from(l, fd, &mut [&mut data], flags)?;
    let mut rest = data.get(..got.len).unwrap_or_default();
    for (to, len) in pieces.iter() {
        let n = usize::try_from(*len).unwrap_or(usize::MAX).min(rest.len());
        let Some((piece, after)) = rest.split_at_checked(n) else { break };
        m.copyout(piece, *to)?;
        rest = after;
    }
    let mut answered = MsgFlags::empty();
    answered.set(MsgFlags::TRUNC, got.is_truncated());
    if hdr.name != 0 {
        let namelen = copyout_addr(m, got.from, hdr.name, hdr.namelen)?;
        m.copyout(&namelen.to_ne_bytes(), at.wrapping_add(NAMELEN_AT))?;
    }
    let (mut control, wanted) = (Control::new(hdr.controllen), api::flags(l, fd)?);
    let (index, to) = (got.ifindex.to_ne_bytes(), octets(&got));
    if wanted.contains(SockFlags::PKTINFO) {
        control.put(IP_PKTINFO, [index, to, to].as_flattened());
    }
    if wanted.contains(SockFlags::RECVTTL) {
        control.put(IP_TTL, &i32::from(got.way.ttl).to_ne_bytes());
    }
    if wanted.contains(SockFlags::RECVTOS) {
        control.put(IP_TOS, &[got.way.tos]);
    }
    answered.set(MsgFlags::CTRUNC, control.cut);
    if !control.bytes().is_empty() {
        m.copyout(control.bytes(), hdr.control)?;
    }
    let controllen = control.bytes().len() as u64;
    m.copyout(&controllen.to_ne_bytes(), at.wrapping_add(CONTROLLEN_AT))?;
    m.copyout(&answered.bits().to_ne_bytes(), at.wrapping_add(FLAGS_AT))?;
    Ok(answer(&got, flags))
}

/// What a receiving call answers: with TRUNC, the length that the message had.
pub(super) fn answer(got: &Received, flags: MsgFlags) -> u64 {
    let len = if flags.contains(MsgFlags::TRUNC) { got.full } else { got.len };
    len as u64
}

fn octets(got: &Received) -> [u8; 4] {
    match got.way.to {
        Some(IpAddr::V4(a)) => a.octets(),
        _ => [0; 4],
    }
}

/// Control data: struct cmsghdr (length, level, type) and its data, to a multiple of eight.
struct Control {
    raw: [u8; 3 * MAX_CONTROL],
    len: usize,
    room: usize,
    /// Something did not fit.
    cut: bool,
}

/// The longest that there is: IP_PKTINFO's.
const MAX_CONTROL: usize = 32;
const CMSGHDR_LEN: usize = 16;

impl Control {
    fn new(room: u64) -> Control {
        let raw = [0; 3 * MAX_CONTROL];
        let room = usize::try_from(room).unwrap_or(usize::MAX).min(raw.len());
        Control { raw, len: 0, room, cut: false }
    }

    fn put(&mut self, name: i32, data: &[u8]) {
        let len = CMSGHDR_LEN + data.len();
        let end = self.len + len.next_multiple_of(8);
        let Some(place) = self.raw.get_mut(self.len..end).filter(|_| end <= self.room) else {
            self.cut = true;
            return;
        };
        let (level, name) = (IPPROTO_IP.to_ne_bytes(), name.to_ne_bytes());
        let parts = [&(len as u64).to_ne_bytes(), level.as_slice(), &name, data];
        for (to, from) in place.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        self.len = end;
    }

    fn bytes(&self) -> &[u8] {
        self.raw.get(..self.len).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_data_is_laid_out_as_linux_does() {
        let mut control = Control::new(79);
        let info = [[3, 0, 0, 0], [10, 0, 0, 7], [10, 0, 0, 7]];
        control.put(IP_PKTINFO, info.as_flattened());
        control.put(IP_TTL, &64_i32.to_ne_bytes());
        assert!(!control.cut);
        control.put(IP_TOS, &[8]);
        assert!(control.cut, "24 bytes into 23");
        let raw = control.bytes();
        assert_eq!(raw.len(), 56);
        assert_eq!(raw[..8], 28_u64.to_ne_bytes());
        assert_eq!(raw[12..16], 8_i32.to_ne_bytes());
        assert_eq!(raw[16..32], [3, 0, 0, 0, 10, 0, 0, 7, 10, 0, 0, 7, 0, 0, 0, 0]);
        assert_eq!(raw[32..40], 20_u64.to_ne_bytes());
        assert_eq!(raw[44..52], [2_i32.to_ne_bytes(), 64_i32.to_ne_bytes()].concat());
        let mut control = Control::new(u64::MAX);
        control.put(IP_TOS, &[8]);
        assert_eq!(control.bytes()[..8], 17_u64.to_ne_bytes());
        assert_eq!(control.bytes()[16..], [8, 0, 0, 0, 0, 0, 0, 0]);
    }
}

//! sendmsg and recvmsg: a message in pieces, with control data.
//!
//! Control data that is understood: IP_PKTINFO on receiving (RFC 1122 §4.1.3.5 wants programs to
//! learn the address that a message was sent to). On sending there is none; it is refused.
//!
//! Locking: none held. Sources: Linux sendmsg(2), recvmsg(2), cmsg(3), ip(7); layouts of 64-bit
//! programs.

use base::file::Fd;
use base::syscall::SysMemory;
use base::{Errno, KVec, Lwp};
use core::net::IpAddr;

use super::MsgFlags;
use super::api::{self, Received};
use super::calls::{buffer, copyin_addr, copyin_word, copyout_addr};

/// The most pieces (Linux's UIO_MAXIOV).
const MAX_PIECES: u64 = 1024;

const IPPROTO_IP: i32 = 0;
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
    let mut controllen = 0_u64;
    if api::wants_pktinfo(l, fd)? {
        let control = pktinfo(&got);
        if hdr.controllen >= control.len() as u64 {
            m.copyout(&control, hdr.control)?;
            controllen = control.len() as u64;
        } else {
            answered |= MsgFlags::CTRUNC;
        }
    }
    m.copyout(&controllen.to_ne_bytes(), at.wrapping_add(CONTROLLEN_AT))?;
    m.copyout(&answered.bits().to_ne_bytes(), at.wrapping_add(FLAGS_AT))?;
    Ok(answer(&got, flags))
}

/// What a receiving call answers: with TRUNC, the length that the message had.
pub(super) fn answer(got: &Received, flags: MsgFlags) -> u64 {
    let len = if flags.contains(MsgFlags::TRUNC) { got.full } else { got.len };
    len as u64
}

/// struct cmsghdr (length, level, type), then struct in_pktinfo (interface, two addresses), to a
/// multiple of eight.
fn pktinfo(got: &Received) -> [u8; 32] {
    let addr = match got.to {
        Some(IpAddr::V4(a)) => a.octets(),
        _ => [0; 4],
    };
    let mut out = [0; 32];
    let parts: [&[u8]; 6] = [
        &28_u64.to_ne_bytes(),
        &IPPROTO_IP.to_ne_bytes(),
        &IP_PKTINFO.to_ne_bytes(),
        &got.ifindex.to_ne_bytes(),
        &addr,
        &addr,
    ];
    for (to, from) in out.iter_mut().zip(parts.into_iter().flatten()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pktinfo_is_laid_out_as_linux_does() {
        let to = Some(IpAddr::from([10, 0, 0, 7]));
        let raw = pktinfo(&Received { to, ifindex: 3, ..Received::default() });
        assert_eq!(raw[..8], 28_u64.to_ne_bytes());
        assert_eq!(raw[12..16], 8_i32.to_ne_bytes());
        assert_eq!(raw[16..20], 3_u32.to_ne_bytes());
        assert_eq!(raw[20..], [10, 0, 0, 7, 10, 0, 0, 7, 0, 0, 0, 0]);
    }
}

//! The requests of a tap device, which no library has.
//!
//! Locking: none. Sources: Linux include/uapi/linux/if_tun.h, drivers/net/tun.c.

use std::os::fd::AsFd;

use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, Setter, Updater, ioctl, opcode};

/// Linux's IFNAMSIZ.
pub const NAME_LEN: usize = 16;

/// IFF_TAP | IFF_NO_PI: Ethernet frames, no protocol in front of them.
pub const TAP: u16 = 0x0002 | 0x1000;
/// IFF_VNET_HDR: in front of them, what is left undone in each.
pub const HEADER: u16 = 0x4000;

/// TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN: checksums and TCP segments over IPv4, those too that say
/// that the window was reduced.
pub const UNDONE: u32 = 0x01 | 0x02 | 0x08;

/// TUNSETIFF: takes a [`Request`] although its number says an int.
const TUNSETIFF: u32 = opcode::write::<i32>(b'T', 202);
/// TUNSETOFFLOAD: takes flags in place of a pointer.
const TUNSETOFFLOAD: u32 = opcode::write::<u32>(b'T', 208);
const TUNSETVNETHDRSZ: u32 = opcode::write::<i32>(b'T', 216);
const TUNSETVNETLE: u32 = opcode::write::<i32>(b'T', 220);

/// A struct ifreq.
#[repr(C)]
pub struct Request {
    /// The device's name, with zeros at its end.
    pub name: [u8; NAME_LEN],
    /// How it is to be.
    pub flags: u16,
    /// Nothing.
    pub rest: [u8; 22],
}

/// Attaches an open file to a device.
#[allow(unsafe_code)] // JUSTIFICATION: a request that no library has
pub fn attach(file: impl AsFd, request: &mut Request) -> Result<(), Errno> {
    // SAFETY: TUNSETIFF reads and writes a struct ifreq of 40 bytes at the pointer, which is what
    // `Request` is, and keeps nothing of it.
    unsafe { ioctl(file, Updater::<TUNSETIFF, Request>::new(request)) }
}

/// Says how long what is in front of frames is, and that its numbers have their lower bytes first. A
/// device that others have used may have it otherwise.
#[allow(unsafe_code)] // JUSTIFICATION: requests that no library has
pub fn set_header(file: impl AsFd, len: usize) -> Result<(), Errno> {
    let len = i32::try_from(len).map_err(|_| Errno::INVAL)?;
    // SAFETY: both requests read an int at the pointer, which is what they are given, and keep nothing
    // of it.
    unsafe {
        ioctl(&file, Setter::<TUNSETVNETHDRSZ, i32>::new(len))?;
        ioctl(&file, Setter::<TUNSETVNETLE, i32>::new(1))
    }
}

/// Says what may be left undone in frames that come.
#[allow(unsafe_code)] // JUSTIFICATION: a request that no library has
pub fn set_undone(file: impl AsFd, what: u32) -> Result<(), Errno> {
    // SAFETY: TUNSETOFFLOAD has flags in place of a pointer, and touches no memory of ours.
    unsafe { ioctl(file, IntegerSetter::<TUNSETOFFLOAD>::new_usize(what as usize)) }
}

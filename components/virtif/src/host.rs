//! What an interface on the host's network needs of its host: the I/O hypercalls of this driver.
//!
//! The half on the host gives a [`Network`] to its host under the name [`NAME`]
//! (`Linux::builder().io("virtif", virtif_linux::taps())`); a kernel finds it there, or answers
//! EOPNOTSUPP.
//!
//! * [`Devices`] opens a device of the host's network: a [`Device`].
//! * [`Device`] takes and gives frames, and never waits. They are whole, or something is left undone in
//!   them ([`Undone`]), if the device can do that.
//! * [`Bell`] is the up-call: frames came.
//!
//! Another network of the host's (a socket of its link layer, a driver in its user space) is
//! another implementation of these.
//!
//! Locking: none here. Methods of a device do not block, but for those that take the proof that the
//! caller holds no CPU.

use alloc::boxed::Box;
use alloc::sync::Arc;

pub use base::Offcpu;
pub use net::offload::{Cut, Undone};

/// The name under which a host has this driver's half.
pub const NAME: &str = "virtif";

/// What the host is given, for the driver to find by downcast.
pub struct Network(pub Arc<dyn Devices>);

/// The host's devices.
pub trait Devices: Send + Sync {
    /// Opens the device `name`, and makes it if there is none. It is given back when what this
    /// answers is dropped; one that was made here goes then.
    fn open(&self, name: &str, proof: &Offcpu) -> Result<Box<dyn Device>, OpenError>;
}

/// A device of the host's network, with the other end of a link in it.
pub trait Device: Send + Sync {
    /// Has frames come in which the host has left checksums undone, and the cutting of TCP segments of
    /// up to 64 KiB, and takes such; or no more of them. Whether it is so now. At first it is not, and
    /// some devices never do. May wait for whoever changes the host's network.
    fn leave_undone(&self, on: bool, proof: &Offcpu) -> bool {
        let _ = (on, proof);
        false
    }

    /// Sends a frame: its bytes, without the link's own checksum, in pieces; and what is left undone in
    /// it, which the host sees to.
    fn send(
        &self,
        frame: &mut dyn Iterator<Item = &[u8]>,
        undone: Option<&Undone>,
    ) -> Result<(), SendError>;

    /// Takes the next frame; as much of it is in `buffer` as fits.
    fn receive(&self, buffer: &mut [u8]) -> Result<Received, ReceiveError>;

    /// Has a thread of the host ring `bell` once soon, and again whenever frames have come since
    /// [`Device::receive`] last found none; until [`Device::leave`].
    fn listen(&self, bell: Arc<dyn Bell>) -> Result<(), OpenError>;

    /// `bell` is not rung for any frame after this. It may be ringing now.
    fn leave(&self);
}

/// A frame of the host's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// Its bytes, more than the buffer's perhaps.
    pub len: usize,
    /// What is left undone in it.
    pub undone: Option<Undone>,
}

/// Told by a thread of the host, which is in no kernel, that frames came.
pub trait Bell: Send + Sync {
    /// Rings. False: there is nobody any more who would hear it.
    fn ring(&self, proof: &Offcpu) -> bool;
}

/// Why a device cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenError {
    /// It is not there and may not be made here, or it is somebody else's.
    NotPermitted,
    /// Somebody else has it open.
    InUse,
    /// The host has something else of that name, or the name cannot be one.
    BadName,
    /// The host's system has no such devices.
    NoDriver,
    /// No more descriptors or threads.
    HostLimit,
    /// Anything else.
    Io,
}

/// Why a frame was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SendError {
    /// The host has no room for it now.
    Full,
    /// The other end is down on the host.
    Down,
    /// It is too short or too long.
    Length,
    /// The device is gone.
    Gone,
}

/// Why there is no frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReceiveError {
    /// None has come.
    Empty,
    /// What the host says of one makes no sense, and it is dropped.
    Malformed,
    /// The device is gone.
    Gone,
}

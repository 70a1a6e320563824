//! A tap device: one end of a link, whose other end is an interface of this system.
//!
//! One that is there is opened, if it is ours or we may do anything with the network; one that is
//! not is made, if we may, and goes when it is closed. Frames come and go whole, one for each system
//! call, without a header in front (IFF_NO_PI).
//!
//! Locking: `listening`, for its time only.
//! Sources: Linux Documentation/networking/tuntap.rst, drivers/net/tun.c (errors).

use std::fs::File;
use std::io::{IoSlice, Write};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, read, retry_on_intr};
use rustix::ioctl::{Updater, ioctl, opcode};
use virtif::host::{Bell, Device, OpenError, ReceiveError, SendError};

use crate::held;
use crate::waiter::{Listening, Waiter};

/// IFF_TAP | IFF_NO_PI: Ethernet frames, nothing in front of them.
const FLAGS: u16 = 0x0002 | 0x1000;

/// TUNSETIFF: takes a [`Request`] although its number says an int.
const TUNSETIFF: u32 = opcode::write::<i32>(b'T', 202);

/// Linux's IFNAMSIZ.
const NAME_LEN: usize = 16;

/// Pieces of a frame that are handed over without an allocation.
const PIECES: usize = 8;

/// A struct ifreq.
#[repr(C)]
struct Request {
    name: [u8; NAME_LEN],
    flags: u16,
    rest: [u8; 22],
}

/// An open device.
pub struct Tap {
    file: Arc<File>,
    waiter: Arc<Waiter>,
    listening: Mutex<Option<Listening>>,
}

impl Tap {
    /// Opens the device `name`, or makes it.
    pub fn open(name: &str, waiter: Arc<Waiter>) -> Result<Tap, OpenError> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = retry_on_intr(|| open("/dev/net/tun", flags, Mode::empty()));
        let file = file.map_err(|e| match e {
            Errno::NOENT | Errno::NXIO | Errno::NODEV | Errno::NOTDIR => OpenError::NoDriver,
            Errno::ACCESS | Errno::PERM => OpenError::NotPermitted,
            Errno::MFILE | Errno::NFILE | Errno::NOMEM => OpenError::HostLimit,
            _ => OpenError::Io,
        })?;
        let mut request = Request { name: [0; NAME_LEN], flags: FLAGS, rest: [0; 22] };
        let room = request.name.get_mut(..name.len()).filter(|_| name.len() < NAME_LEN);
        room.ok_or(OpenError::BadName)?.copy_from_slice(name.as_bytes());
        attach(&file, request).map_err(|e| match e {
            Errno::PERM | Errno::ACCESS => OpenError::NotPermitted,
            Errno::BUSY => OpenError::InUse,
            // Something else has that name, or it cannot be one.
            Errno::INVAL | Errno::EXIST => OpenError::BadName,
            Errno::NOMEM | Errno::NOBUFS | Errno::NFILE => OpenError::HostLimit,
            _ => OpenError::Io,
        })?;
        Ok(Tap { file: Arc::new(File::from(file)), waiter, listening: Mutex::default() })
    }
}

#[allow(unsafe_code)] // JUSTIFICATION: a request that no library has
fn attach(file: &OwnedFd, mut request: Request) -> Result<(), Errno> {
    // SAFETY: TUNSETIFF reads and writes a struct ifreq of 40 bytes at the pointer, which is what
    // `Request` is, and keeps nothing of it.
    unsafe { ioctl(file, Updater::<TUNSETIFF, Request>::new(&mut request)) }
}

impl Device for Tap {
    fn send(&self, frame: &mut dyn Iterator<Item = &[u8]>) -> Result<(), SendError> {
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let (mut count, mut rest) = (0, Vec::new());
        for piece in frame {
            match pieces.get_mut(count) {
                Some(place) => {
                    *place = IoSlice::new(piece);
                    count += 1;
                }
                // More pieces than usual: the others together.
                None => rest.extend_from_slice(piece),
            }
        }
        let mut file = &*self.file;
        let sent = if rest.is_empty() {
            file.write_vectored(pieces.get(..count).unwrap_or_default())
        } else {
            let all = pieces.iter().copied().chain([IoSlice::new(&rest)]);
            file.write_vectored(&all.collect::<Vec<_>>())
        };
        match sent.map_err(|e| Errno::from_io_error(&e)) {
            Ok(_) => Ok(()),
            Err(Some(Errno::IO)) => Err(SendError::Down),
            Err(Some(Errno::INVAL | Errno::MSGSIZE)) => Err(SendError::Length),
            Err(Some(Errno::BADFD)) => Err(SendError::Gone),
            Err(_) => Err(SendError::Full),
        }
    }

    fn receive(&self, buffer: &mut [u8]) -> Result<usize, ReceiveError> {
        match retry_on_intr(|| read(&*self.file, &mut *buffer)) {
            Ok(len) => Ok(len),
            Err(Errno::BADFD) => Err(ReceiveError::Gone),
            // Lack of memory, too: the frame is lost, and others ring again.
            Err(_) => Err(ReceiveError::Empty),
        }
    }

    fn listen(&self, bell: Arc<dyn Bell>) -> Result<(), OpenError> {
        let listening = self.waiter.listen(self.file.clone(), bell)?;
        *held(&self.listening) = Some(listening);
        Ok(())
    }

    fn leave(&self) {
        let listening = held(&self.listening).take();
        drop(listening);
    }
}

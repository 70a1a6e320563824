//! A tap device: one end of a link, whose other end is an interface of this system.
//!
//! One that is there is opened, if it is ours or we may do anything with the network; one that is
//! not is made, if we may, and goes when it is closed. Frames come and go one for each system call. In
//! front of each is what is left undone in it, where the system has that (IFF_VNET_HDR), and nothing
//! else (IFF_NO_PI).
//!
//! What may be left undone belongs to the device, and stays when it is closed: so it is taken back
//! then, since whoever opens it next may know nothing of it.
//!
//! Locking: `listening`, for its time only.
//! Sources: Linux Documentation/networking/tuntap.rst, drivers/net/tun.c (errors).

use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::{Errno, readv, retry_on_intr};
use virtif::host::{Bell, Device, Offcpu, OpenError, ReceiveError, Received, SendError, Undone};

use crate::request::{self, NAME_LEN, Request};
use crate::waiter::{Listening, Waiter};
use crate::{held, undone};

/// Pieces of a frame that are handed over without an allocation.
const PIECES: usize = 8;

/// An open device.
pub struct Tap {
    file: Arc<File>,
    /// What is left undone is in front of each frame.
    has_header: bool,
    leaves_undone: AtomicBool,
    waiter: Arc<Waiter>,
    listening: Mutex<Option<Listening>>,
}

impl Tap {
    /// Opens the device `name`, or makes it; with room in front of its frames for what is left undone,
    /// if that is `wanted` and the system has it.
    pub fn open(name: &str, wanted: bool, waiter: Arc<Waiter>) -> Result<Tap, OpenError> {
        // A system that has no such thing says that the request is invalid, as it does of a name.
        let with = if wanted { attached(name, true) } else { Err(OpenError::BadName) };
        let (file, has_header) = match with {
            Ok(file) => (file, true),
            Err(OpenError::BadName) => (attached(name, false)?, false),
            Err(e) => return Err(e),
        };
        // Somebody may have left the device otherwise.
        let _ = request::set_undone(&file, 0);
        Ok(Tap {
            file: Arc::new(File::from(file)),
            has_header,
            leaves_undone: AtomicBool::new(false),
            waiter,
            listening: Mutex::default(),
        })
    }
}

fn attached(name: &str, header: bool) -> Result<OwnedFd, OpenError> {
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = retry_on_intr(|| open("/dev/net/tun", flags, Mode::empty()));
    let file = file.map_err(|e| match e {
        Errno::NOENT | Errno::NXIO | Errno::NODEV | Errno::NOTDIR => OpenError::NoDriver,
        Errno::ACCESS | Errno::PERM => OpenError::NotPermitted,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => OpenError::HostLimit,
        _ => OpenError::Io,
    })?;
    let flags = if header { request::TAP | request::HEADER } else { request::TAP };
    let mut request = Request { name: [0; NAME_LEN], flags, rest: [0; 22] };
    let room = request.name.get_mut(..name.len()).filter(|_| name.len() < NAME_LEN);
    room.ok_or(OpenError::BadName)?.copy_from_slice(name.as_bytes());
    let attached = request::attach(&file, &mut request);
    let ready = attached
        .and_then(|()| if header { request::set_header(&file, undone::LEN) } else { Ok(()) });
    ready.map_err(|e| match e {
        Errno::PERM | Errno::ACCESS => OpenError::NotPermitted,
        Errno::BUSY => OpenError::InUse,
        // Something else has that name, or it cannot be one.
        Errno::INVAL | Errno::EXIST => OpenError::BadName,
        Errno::NOMEM | Errno::NOBUFS | Errno::NFILE => OpenError::HostLimit,
        _ => OpenError::Io,
    })?;
    Ok(file)
}

impl Device for Tap {
    fn leave_undone(&self, on: bool, _proof: &Offcpu) -> bool {
        let what = if on { request::UNDONE } else { 0 };
        let is_on = self.has_header && request::set_undone(&self.file, what).is_ok() && on;
        self.leaves_undone.store(is_on, Ordering::Relaxed);
        is_on
    }

    fn send(
        &self,
        frame: &mut dyn Iterator<Item = &[u8]>,
        undone: Option<&Undone>,
    ) -> Result<(), SendError> {
        let header = undone::emit(undone);
        let mut pieces = [IoSlice::new(&[]); PIECES];
        let (mut count, mut rest) = (0, Vec::new());
        if let (true, [first, ..]) = (self.has_header, &mut pieces) {
            *first = IoSlice::new(&header);
            count = 1;
        }
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

    fn receive(&self, buffer: &mut [u8]) -> Result<Received, ReceiveError> {
        let mut header = [0; undone::LEN];
        let in_front = if self.has_header { undone::LEN } else { 0 };
        let front = header.get_mut(..in_front).unwrap_or_default();
        let mut pieces = [IoSliceMut::new(front), IoSliceMut::new(buffer)];
        let len = match retry_on_intr(|| readv(&*self.file, &mut pieces)) {
            Ok(len) => len.saturating_sub(in_front),
            Err(Errno::BADFD) => return Err(ReceiveError::Gone),
            // Lack of memory, too: the frame is lost, and others ring again.
            Err(_) => return Err(ReceiveError::Empty),
        };
        let undone = undone::parse(&header, len).map_err(|_| ReceiveError::Malformed)?;
        Ok(Received { len, undone })
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

/// One that nobody has told to stop: its kernel has ended.
impl Drop for Tap {
    fn drop(&mut self) {
        if self.leaves_undone.load(Ordering::Relaxed) {
            let _ = request::set_undone(&self.file, 0);
        }
    }
}

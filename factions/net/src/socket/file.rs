//! A socket as an open file.
//!
//! Locking: `Rank::Socket` for each look at the socket, not held while the protocol runs.
//! Sources: NetBSD sys_socket.c, uipc_socket.c (sopoll).

use core::any::Any;
use core::time::Duration;

use base::file::FileOps;
use base::file::uio::Uio;
use base::wait::{Events, WaitQueue};
use base::{Cx, Errno, Instant, KArc, Lwp};

use super::{MsgFlags, Shutdown, SockFlags, Socket, UsrReqs, ioctl, transfer};

/// A socket and its protocol's side, behind a descriptor.
pub(super) struct SocketFile {
    pub(super) so: KArc<Socket>,
    pub(super) pcb: KArc<dyn UsrReqs>,
}

impl FileOps for SocketFile {
    fn read(&self, l: &mut Lwp<'_>, uio: &mut Uio<'_>) -> Result<usize, Errno> {
        Ok(transfer::receive(l, self, uio, MsgFlags::empty())?.len)
    }

    fn write(&self, l: &mut Lwp<'_>, uio: &mut Uio<'_>) -> Result<usize, Errno> {
        Ok(transfer::send_uio(l, self, uio, None, MsgFlags::empty())?)
    }

    fn ioctl(&self, l: &mut Lwp<'_>, request: u32, data: &mut [u8]) -> Result<(), Errno> {
        ioctl::socket(l, &self.so, request, data)
    }

    fn poll(&self, cx: &Cx<'_>, events: Events) -> Events {
        let mut now = self.pcb.poll(cx);
        let state = self.so.state(cx);
        let (no_read, no_write) = (
            state.flags.contains(SockFlags::SHUT_READ),
            state.flags.contains(SockFlags::SHUT_WRITE),
        );
        let has_data = match self.so.is_stream() {
            true => state.rcv.len() >= state.worth_reading(usize::MAX),
            false => !state.rcv.is_empty(),
        };
        now.set(Events::IN, now.contains(Events::IN) || no_read || has_data);
        now.set(Events::RDHUP, no_read);
        now.set(Events::HUP, no_read && no_write);
        let can_write = !state.flags.contains(SockFlags::CONNECTING) && state.snd.room() > 0;
        now.set(Events::OUT, can_write && !state.flags.contains(SockFlags::LISTENING));
        if state.error.is_some() {
            now |= Events::ERR | Events::IN | Events::OUT;
        }
        now & (events | Events::ERR | Events::HUP)
    }

    fn queue(&self) -> &WaitQueue {
        self.so.queue()
    }

    fn read_deadline(&self, cx: &Cx<'_>) -> Option<Instant> {
        let timeout = self.so.state(cx).rcvtimeo?;
        Some(cx.now() + timeout)
    }

    fn write_deadline(&self, cx: &Cx<'_>) -> Option<Instant> {
        let timeout = self.so.state(cx).sndtimeo?;
        Some(cx.now() + timeout)
    }

    fn linger(&self, l: &mut Lwp<'_>) -> Option<Instant> {
        let state = self.so.state(l);
        let seconds = state.linger.filter(|seconds| *seconds > 0)?;
        // What is not read breaks the connection off: there is nothing to wait for.
        if !state.rcv.is_empty() || state.flags.contains(SockFlags::LISTENING) {
            return None;
        }
        drop(state);
        // The end goes out now; for the rest the socket stays what it is.
        self.shutdown(l, Shutdown::Write).ok()?;
        Some(l.now() + Duration::from_secs(seconds.into()))
    }

    fn lingers(&self, cx: &Cx<'_>) -> bool {
        self.pcb.lingers(cx)
    }

    fn close(&self, l: &mut Lwp<'_>) {
        let over = SockFlags::CLOSED | SockFlags::SHUT_READ | SockFlags::SHUT_WRITE;
        self.so.state(l).flags |= over;
        self.pcb.detach(l);
        // Another thread may sleep on the socket; it has a reference, and finds it closed.
        self.so.queue().wake(l, Events::all());
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl SocketFile {
    /// Ends a direction, or both.
    pub(super) fn shutdown(&self, l: &mut Lwp<'_>, how: Shutdown) -> Result<(), Errno> {
        self.pcb.shutdown(l, how)?;
        let mut state = self.so.state(l);
        if how.read() {
            state.flags |= SockFlags::SHUT_READ;
        }
        if how.write() {
            state.flags |= SockFlags::SHUT_WRITE;
        }
        drop(state);
        self.so.queue().wake(l, Events::all());
        Ok(())
    }
}

//! Sending and receiving: one attempt of each.
//!
//! Locking: `Rank::Socket`, while data is looked at; copies out of a message happen after it has
//! been taken, so with nothing held. Sources: NetBSD uipc_socket.c (sosend, soreceive).

use core::net::SocketAddr;

use base::file::uio::Uio;
use base::wait::Events;
use base::{Cx, Lwp};

use super::file::SocketFile;
use super::{MsgFlags, Record, SockError, SockFlags, Way};
use crate::Packet;
use crate::mbuf::{BUFFER, HEADROOM};

/// Data that fits into a packet's own buffer.
const SMALL: usize = BUFFER - HEADROOM;

/// Bytes of a cluster. A packet is charged for each cluster that it refers to, so the pieces of one
/// that is fragmented should refer to little beside their own data.
const CLUSTER: usize = 2048;

/// The same for streams, whose long segments refer to most of each.
const STREAM_CLUSTER: usize = 16 << 10;

/// The longest part of a stream that is put into the send buffer at once.
const PART: usize = 64 << 10;

/// What was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Received {
    /// Bytes copied.
    pub len: usize,
    /// Bytes that the message had.
    pub full: usize,
    /// Where it came from.
    pub from: Option<SocketAddr>,
    /// What its packet said.
    pub way: Way,
    /// The index of the interface on which it arrived.
    pub ifindex: u32,
}

impl Received {
    /// Whether the reader's memory was too short for the message; its end is lost.
    pub fn is_truncated(&self) -> bool {
        self.full > self.len
    }

    fn of(record: &Record, len: usize) -> Self {
        let full = record.packet.len();
        Self { len, full, from: record.from, way: record.way, ifindex: record.ifindex }
    }
}

/// Takes the first message, or what there is of a stream.
pub(super) fn receive(
    l: &mut Lwp<'_>,
    file: &SocketFile,
    uio: &mut Uio<'_>,
    flags: MsgFlags,
) -> Result<Received, SockError> {
    if file.so.is_stream() {
        return receive_stream(l, file, uio, flags);
    }
    if flags.contains(MsgFlags::OOB) {
        return Err(SockError::NotSupported);
    }
    let mut state = file.so.state(l);
    if let Some(error) = state.error.take() {
        return Err(error);
    }
    if flags.contains(MsgFlags::PEEK)
        && let Some(record) = state.rcv.front()
    {
        let len = copy(&record.packet, uio);
        let received = Received::of(record, len);
        drop(state);
        // It stays for another one, which was perhaps not told of it.
        file.so.queue().wake_one(l, Events::IN);
        return Ok(received);
    }
    let Some(record) = state.rcv.pop() else {
        return at_the_end(state.flags);
    };
    drop(state);
    let len = copy(&record.packet, uio);
    Ok(Received::of(&record, len))
}

fn at_the_end(flags: SockFlags) -> Result<Received, SockError> {
    if flags.contains(SockFlags::CLOSED) {
        return Err(SockError::Closed);
    }
    let end = flags.contains(SockFlags::SHUT_READ);
    if end { Ok(Received::default()) } else { Err(SockError::WouldBlock) }
}

fn receive_stream(
    l: &mut Lwp<'_>,
    file: &SocketFile,
    uio: &mut Uio<'_>,
    flags: MsgFlags,
) -> Result<Received, SockError> {
    if uio.remaining() == 0 {
        return Ok(Received::default());
    }
    let mut state = file.so.state(l);
    if state.rcv.is_empty() {
        // What has arrived is read before the error that followed it.
        if let Some(error) = state.error.take() {
            return Err(error);
        }
        let end = at_the_end(state.flags);
        drop(state);
        if end == Err(SockError::WouldBlock) {
            file.pcb.may_receive(l)?;
        }
        return end;
    }
    let ends = state.error.is_some() || state.flags.contains(SockFlags::SHUT_READ);
    if !flags.contains(MsgFlags::DONTWAIT)
        && !ends
        && state.rcv.len() < state.worth_reading(uio.remaining())
    {
        return Err(SockError::WouldBlock);
    }
    let mut len = 0;
    for record in state.rcv.iter() {
        len += copy(&record.packet, uio);
        if uio.remaining() == 0 {
            break;
        }
    }
    let peeks = flags.contains(MsgFlags::PEEK);
    if !peeks {
        state.rcv.pull(len);
    }
    let more = !state.rcv.is_empty();
    drop(state);
    if more {
        // What is left is another one's, which was perhaps not told of it.
        file.so.queue().wake_one(l, Events::IN);
    }
    if peeks {
        return Ok(Received { len, full: len, ..Received::default() });
    }
    file.pcb.received(l);
    Ok(Received { len, full: len, ..Received::default() })
}

/// Takes of a stream all that `uio` has room for, or what there is if no more will come. Until then it
/// stays in the socket: who waits without a thread has nothing that could be lost, and needs no memory
/// to wait with.
pub(super) fn receive_all(
    l: &mut Lwp<'_>,
    file: &SocketFile,
    uio: &mut Uio<'_>,
) -> Result<Received, SockError> {
    let mut state = file.so.state(l);
    let ends = state.error.is_some() || state.flags.contains(SockFlags::SHUT_READ);
    let here = state.rcv.len();
    if here == 0 || ends || here >= uio.remaining() {
        drop(state);
        return receive_stream(l, file, uio, MsgFlags::DONTWAIT);
    }
    state.rcv.set_aside(here);
    drop(state);
    file.pcb.received(l);
    Err(SockError::WouldBlock)
}

fn copy(packet: &Packet, uio: &mut Uio<'_>) -> usize {
    let mut done = 0;
    for piece in packet.segments() {
        let n = uio.copy_in(piece);
        done += n;
        if n < piece.len() {
            break;
        }
    }
    done
}

/// Sends one message that is `data` joined, or as much of it as a stream has room for.
pub(super) fn send(
    l: &mut Lwp<'_>,
    file: &SocketFile,
    data: &[&[u8]],
    to: Option<SocketAddr>,
    flags: MsgFlags,
) -> Result<usize, SockError> {
    if file.so.is_stream() {
        return send_uio(l, file, &mut Uio::from(data), to, flags);
    }
    if flags.contains(MsgFlags::OOB) {
        return Err(SockError::NotSupported);
    }
    let len = data.iter().map(|d| d.len()).fold(0_usize, usize::saturating_add);
    check_message(l, file, len)?;
    let mut packet = Packet::new(l)?;
    for part in data.iter().flat_map(|piece| piece.chunks(CLUSTER)) {
        packet.append(part)?;
    }
    file.pcb.send(l, packet, to, flags)?;
    Ok(len)
}

/// The same from the memory of a request, which it consumes.
pub(super) fn send_uio(
    l: &mut Lwp<'_>,
    file: &SocketFile,
    uio: &mut Uio<'_>,
    to: Option<SocketAddr>,
    flags: MsgFlags,
) -> Result<usize, SockError> {
    let mut len = uio.remaining();
    if file.so.is_stream() {
        len = len.min(stream_room(l, file)?).min(PART);
    } else {
        check_message(l, file, len)?;
    }
    let start = uio.position();
    let cluster = if file.so.is_stream() { STREAM_CLUSTER } else { CLUSTER };
    let sent = gather(l, uio, len, cluster).and_then(|packet| file.pcb.send(l, packet, to, flags));
    if let Err(e) = sent {
        uio.rewind(start);
        return Err(e);
    }
    Ok(len)
}

/// Whether a message of that length may be sent.
fn check_message(cx: &Cx<'_>, file: &SocketFile, len: usize) -> Result<(), SockError> {
    let mut state = file.so.state(cx);
    if let Some(error) = state.error.take() {
        return Err(error);
    }
    if state.flags.contains(SockFlags::SHUT_WRITE) {
        return Err(SockError::ShutDown);
    }
    if len > state.snd.limit() {
        return Err(SockError::MessageSize);
    }
    Ok(())
}

fn stream_room(cx: &Cx<'_>, file: &SocketFile) -> Result<usize, SockError> {
    let mut state = file.so.state(cx);
    if let Some(error) = state.error.take() {
        return Err(error);
    }
    if state.flags.contains(SockFlags::SHUT_WRITE) {
        return Err(SockError::ShutDown);
    }
    match state.snd.room() {
        0 => Err(SockError::WouldBlock),
        room => Ok(room),
    }
}

/// A packet of the next `len` bytes, in clusters of `cluster`.
fn gather(cx: &Cx<'_>, uio: &mut Uio<'_>, len: usize, cluster: usize) -> Result<Packet, SockError> {
    let mut small = [0; SMALL];
    if let Some(small) = small.get_mut(..len) {
        uio.copy_out(small);
        return Ok(Packet::from_slice(cx, small)?);
    }
    let mut packet = Packet::new(cx)?;
    let mut left = len;
    while left > 0 {
        let part = uio.take(left.min(cluster));
        if part.is_empty() {
            break;
        }
        packet.append(part)?;
        left -= part.len();
    }
    Ok(packet)
}

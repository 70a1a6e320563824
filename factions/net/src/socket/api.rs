//! The calls on sockets, typed: for clients in Rust, and for the system calls.
//!
//! * [`socket`], [`bind`], [`connect`], [`listen`], [`accept`], [`shutdown`].
//! * [`send_to`], [`recv_from`]: blocking or not, as the descriptor and the flags say.
//!   [`send_many`], [`recv_many`]: several messages at once.
//! * [`local_addr`], [`peer_addr`], [`set_option`], [`option`], [`set_timeouts`].
//!
//! Data goes between the caller's memory and packets directly.
//!
//! Locking: none held. Sources: POSIX.1-2017 XSH 2.10; Linux man-pages section 2.

use core::net::SocketAddr;
use core::time::Duration;

use base::file::uio::Uio;
use base::file::{Fd, File, FileOps, Flags, blocking, blocking_beside};
use base::vm::kmem;
use base::wait::Events;
use base::{Errno, Instant, KArc, Lwp};

use super::file::SocketFile;
use super::options::SOL_SOCKET;
use super::protosw::{Connecting, PROTOCOLS, find};
pub use super::transfer::Received;
use super::{
    MsgFlags, Shutdown, SockError, SockFlags, SockType, Socket, UsrReqs, options, transfer,
};

/// How a new descriptor is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Open {
    /// Calls that would block fail instead.
    pub nonblocking: bool,
    /// Closed when the process executes another program.
    pub close_on_exec: bool,
}

/// A descriptor of a socket, held for the time of a call.
struct Held(KArc<File>);

impl Held {
    fn of(l: &Lwp<'_>, fd: Fd) -> Result<Held, Errno> {
        Ok(Held(l.proc().fds().get(l, fd)?))
    }

    fn socket(&self) -> Result<&SocketFile, Errno> {
        self.0.ops().as_any().downcast_ref().ok_or(Errno::NotSocket)
    }

    /// Makes `attempt` until it does not answer `WouldBlock`, or once if it is not to wait.
    fn attempt<R>(
        &self,
        l: &mut Lwp<'_>,
        events: Events,
        flags: MsgFlags,
        deadline: Option<Instant>,
        mut attempt: impl FnMut(&mut Lwp<'_>, &SocketFile) -> Result<R, SockError>,
    ) -> Result<R, Errno> {
        let file = self.socket()?;
        if flags.contains(MsgFlags::DONTWAIT) {
            return Ok(attempt(l, file)?);
        }
        blocking(l, &self.0, events, deadline, |l| attempt(l, file).map_err(Errno::from))
    }
}

/// A descriptor for a socket to come, and memory for what is behind it. Either way it ends by
/// [`Seat::fill`] or [`Seat::leave`].
struct Seat {
    fd: Fd,
    file: kmem::Room<File>,
    ops: kmem::Room<SocketFile>,
}

impl Seat {
    fn reserve(l: &Lwp<'_>) -> Result<Seat, Errno> {
        let (file, ops) = (File::room(l)?, kmem::room(l)?);
        Ok(Seat { fd: l.proc().fds().reserve(l)?, file, ops })
    }

    fn leave(self, l: &Lwp<'_>) {
        l.proc().fds().release(l, self.fd);
    }

    /// The socket has the descriptor. If the process has ended meanwhile, the socket is closed.
    fn fill(
        self,
        l: &mut Lwp<'_>,
        so: KArc<Socket>,
        pcb: KArc<dyn UsrReqs>,
        open: Open,
    ) -> Result<Fd, Errno> {
        let flags = if open.nonblocking { Flags::NONBLOCK } else { Flags::empty() };
        let ops = self.ops.arc(SocketFile { so, pcb });
        let file = File::new_in(self.file, ops, Flags::RDWR | flags);
        l.proc().fds().fill(l, self.fd, file, open.close_on_exec)?;
        Ok(self.fd)
    }
}

/// A new socket. Protocol 0 is the usual one of the type.
pub fn socket(
    l: &mut Lwp<'_>,
    family: u16,
    kind: SockType,
    protocol: u8,
    open: Open,
) -> Result<Fd, Errno> {
    let has = l.components();
    let here = PROTOCOLS.iter().filter(move |p| has.has(p.component));
    let proto = find(here, family, kind, protocol)?;
    if proto.root_only && !l.proc().is_root(l) {
        return Err(Errno::NotPermitted);
    }
    let number = if protocol == 0 { proto.protocol.unwrap_or(0) } else { protocol };
    let (so, pcb) = super::attach(l, proto, number)?;
    if !l.proc().is_root(l) {
        // Buffers that grow by themselves grow beyond what others may ask for.
        so.state(l).flags |= SockFlags::SNDBUF_SET | SockFlags::RCVBUF_SET;
    }
    match Seat::reserve(l) {
        Ok(seat) => seat.fill(l, so, pcb, open),
        Err(e) => {
            pcb.detach(l);
            Err(e)
        }
    }
}

/// Gives a socket its own address.
pub fn bind(l: &mut Lwp<'_>, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
    Ok(Held::of(l, fd)?.socket()?.pcb.bind(l, addr)?)
}

/// Makes a socket one that takes connections.
pub fn listen(l: &mut Lwp<'_>, fd: Fd, backlog: u32) -> Result<(), Errno> {
    let held = Held::of(l, fd)?;
    let file = held.socket()?;
    file.pcb.listen(l, backlog)?;
    file.so.state(l).flags |= SockFlags::LISTENING;
    Ok(())
}

/// Gives a socket a peer, and waits until there is one; `None` takes the peer away.
pub fn connect(l: &mut Lwp<'_>, fd: Fd, to: Option<SocketAddr>) -> Result<(), Errno> {
    let held = Held::of(l, fd)?;
    let file = held.socket()?;
    let Some(to) = to else {
        return Ok(file.pcb.disconnect(l)?);
    };
    if l.progress() == 0 {
        if file.pcb.connect(l, to)? == Connecting::Done {
            return Ok(());
        }
        if held.0.is_nonblocking() {
            return Err(Errno::InProgress);
        }
        l.set_progress(1);
    }
    let deadline = file.write_deadline(l);
    let made =
        held.attempt(l, Events::OUT, MsgFlags::empty(), deadline, |l, file| file.pcb.connected(l));
    // A connection that the caller stopped waiting for is still being made.
    made.map_err(|e| if e == Errno::WouldBlock { Errno::InProgress } else { e })
}

/// Takes a new connection. Without a descriptor or memory for it, it stays where it is; as on Linux,
/// the caller learns of that even if there is none.
pub fn accept(l: &mut Lwp<'_>, fd: Fd, open: Open) -> Result<(Fd, SocketAddr), Errno> {
    let held = Held::of(l, fd)?;
    let file = held.socket()?;
    let deadline = file.read_deadline(l);
    blocking(l, &held.0, Events::IN, deadline, |l| {
        let seat = Seat::reserve(l)?;
        match file.pcb.accept(l) {
            Ok(new) => Ok((seat.fill(l, new.so, new.pcb, open)?, new.peer)),
            Err(e) => {
                seat.leave(l);
                Err(e.into())
            }
        }
    })
}

/// Ends one direction, or both.
pub fn shutdown(l: &mut Lwp<'_>, fd: Fd, how: Shutdown) -> Result<(), Errno> {
    Held::of(l, fd)?.socket()?.shutdown(l, how)
}

/// Sends one message made of `data` joined, or the bytes of it on a stream; says how many.
pub fn send_to(
    l: &mut Lwp<'_>,
    fd: Fd,
    data: &[&[u8]],
    flags: MsgFlags,
    to: Option<SocketAddr>,
) -> Result<usize, Errno> {
    let held = Held::of(l, fd)?;
    let file = held.socket()?;
    if !file.so.is_stream() {
        // A message goes at once or not at all.
        return Ok(transfer::send(l, file, data, to, flags)?);
    }
    let deadline = file.write_deadline(l);
    let mut uio = Uio::from(data);
    let mut done = uio.skip(l.progress());
    while uio.remaining() > 0 || done == 0 {
        let sent = held.attempt(l, Events::OUT, flags, deadline, |l, file| {
            transfer::send_uio(l, file, &mut uio, to, flags)
        });
        match sent {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(Errno::Restart) => {
                l.set_progress(done);
                return Err(Errno::Restart);
            }
            Err(e) if done == 0 => return Err(e),
            Err(_) => break,
        }
        if held.0.is_nonblocking() || flags.contains(MsgFlags::DONTWAIT) {
            break;
        }
    }
    Ok(done)
}

/// Sends messages to the socket's peer as long as they go, and says how many did; an error if the
/// first one does not.
#[doc(alias = "sendmmsg")]
pub fn send_many(l: &mut Lwp<'_>, fd: Fd, messages: &[&[u8]]) -> Result<usize, Errno> {
    let held = Held::of(l, fd)?;
    let file = held.socket()?;
    for (sent, message) in messages.iter().enumerate() {
        match transfer::send(l, file, &[message], None, MsgFlags::empty()) {
            Ok(_) => {}
            Err(e) if sent == 0 => return Err(e.into()),
            Err(_) => return Ok(sent),
        }
    }
    Ok(messages.len())
}

/// Receives one message, or bytes of a stream, into `pieces`.
pub fn recv_from<'a>(
    l: &mut Lwp<'_>,
    fd: Fd,
    pieces: &'a mut [&'a mut [u8]],
    flags: MsgFlags,
) -> Result<Received, Errno> {
    receive(l, &Held::of(l, fd)?, pieces, flags)
}

/// Waits for a message, then receives those that are here: each into room of its own, whose owner is
/// told. Says how many there were.
#[doc(alias = "recvmmsg")]
pub fn recv_many<'a, T: FnOnce(Received)>(
    l: &mut Lwp<'_>,
    fd: Fd,
    rooms: impl Iterator<Item = (&'a mut [u8], T)>,
) -> Result<usize, Errno> {
    let held = Held::of(l, fd)?;
    let mut count = 0;
    for (room, tell) in rooms {
        let flags = if count == 0 { MsgFlags::empty() } else { MsgFlags::DONTWAIT };
        match receive(l, &held, &mut [room], flags) {
            Ok(received) => tell(received),
            Err(e) if count == 0 => return Err(e),
            Err(_) => break,
        }
        count += 1;
    }
    Ok(count)
}

fn receive<'a>(
    l: &mut Lwp<'_>,
    held: &Held,
    pieces: &'a mut [&'a mut [u8]],
    flags: MsgFlags,
) -> Result<Received, Errno> {
    let file = held.socket()?;
    let deadline = file.read_deadline(l);
    let all = flags.contains(MsgFlags::WAITALL) && !flags.contains(MsgFlags::PEEK);
    let waits = !held.0.is_nonblocking() && !flags.contains(MsgFlags::DONTWAIT);
    // Who does not wait, or not any longer, takes less than SO_RCVLOWAT says.
    let now = flags | MsgFlags::DONTWAIT;
    let flags = if waits { flags } else { now };
    let mut uio = Uio::into(pieces);
    if !file.so.is_stream() {
        // A message comes whole, with the first attempt that finds one.
        return held.attempt(l, Events::IN, flags, deadline, |l, file| {
            transfer::receive(l, file, &mut uio, flags)
        });
    }
    if all && waits && l.makes_attempt() {
        // What it leaves where it is may be enough for another one, which is told as well.
        let got = blocking_beside(l, &held.0, Events::IN, deadline, |l| {
            transfer::receive_all(l, file, &mut uio).map_err(Errno::from)
        });
        return match got {
            // It does not wait any longer.
            Err(Errno::WouldBlock | Errno::Interrupted) => {
                match transfer::receive(l, file, &mut uio, now) {
                    Err(SockError::WouldBlock) => got,
                    last => Ok(last?),
                }
            }
            got => got,
        };
    }
    let mut total = Received::default();
    loop {
        let mut got = held.attempt(l, Events::IN, flags, deadline, |l, file| {
            transfer::receive(l, file, &mut uio, flags)
        });
        if waits && got == Err(Errno::WouldBlock) {
            got = transfer::receive(l, file, &mut uio, now).map_err(Errno::from);
        }
        match got {
            Ok(got) => {
                total = Received { len: total.len + got.len, full: total.full + got.full, ..got };
                let more = all && got.len > 0 && uio.remaining() > 0;
                if !more || !waits {
                    return Ok(total);
                }
            }
            Err(_) if total.len > 0 => return Ok(total),
            Err(e) => return Err(e),
        }
    }
}

/// The socket's own address.
pub fn local_addr(l: &mut Lwp<'_>, fd: Fd) -> Result<SocketAddr, Errno> {
    Ok(Held::of(l, fd)?.socket()?.pcb.local_addr(l))
}

/// The peer's address; `NotConnected` if there is no peer.
pub fn peer_addr(l: &mut Lwp<'_>, fd: Fd) -> Result<SocketAddr, Errno> {
    Held::of(l, fd)?.socket()?.pcb.peer_addr(l).ok_or(Errno::NotConnected)
}

/// Sets an option, in the layout that a program uses.
pub fn set_option(
    l: &mut Lwp<'_>,
    fd: Fd,
    level: i32,
    name: i32,
    value: &[u8],
) -> Result<(), Errno> {
    let held = Held::of(l, fd)?;
    let file = held.socket()?;
    if level != SOL_SOCKET {
        return Ok(file.pcb.set_option(l, level, name, value)?);
    }
    let by = options::Setter { user: l.proc().cred(l).uid, is_root: l.proc().is_root(l) };
    options::set(l, &file.so, name, value, by)?;
    file.pcb.options_changed(l);
    Ok(())
}

/// Reads an option into `out`; says how long it is.
pub fn option(
    l: &mut Lwp<'_>,
    fd: Fd,
    level: i32,
    name: i32,
    out: &mut [u8],
) -> Result<usize, Errno> {
    let held = Held::of(l, fd)?;
    let file = held.socket()?;
    Ok(match level {
        SOL_SOCKET => options::get(l, &file.so, name, out),
        _ => file.pcb.option(l, level, name, out),
    }?)
}

/// How long blocked calls on the socket wait: to receive, to send; `None` for ever.
pub fn timeouts(l: &mut Lwp<'_>, fd: Fd) -> Result<(Option<Duration>, Option<Duration>), Errno> {
    let held = Held::of(l, fd)?;
    let state = held.socket()?.so.state(l);
    Ok((state.rcvtimeo, state.sndtimeo))
}

/// Sets them.
pub fn set_timeouts(
    l: &mut Lwp<'_>,
    fd: Fd,
    receive: Option<Duration>,
    send: Option<Duration>,
) -> Result<(), Errno> {
    let held = Held::of(l, fd)?;
    let mut state = held.socket()?.so.state(l);
    (state.rcvtimeo, state.sndtimeo) = (receive, send);
    Ok(())
}

/// Takes the error that came apart from a call (SO_ERROR).
pub fn take_error(l: &mut Lwp<'_>, fd: Fd) -> Result<Option<Errno>, Errno> {
    Ok(Held::of(l, fd)?.socket()?.so.take_error(l).map(Errno::from))
}

/// Whether calls on the descriptor wait.
pub fn set_nonblocking(l: &mut Lwp<'_>, fd: Fd, on: bool) -> Result<(), Errno> {
    let file = l.proc().fds().get(l, fd)?;
    let mut flags = file.flags();
    flags.set(Flags::NONBLOCK, on);
    file.set_flags(flags);
    Ok(())
}

/// The options and the state of a socket.
pub(super) fn flags(l: &Lwp<'_>, fd: Fd) -> Result<SockFlags, Errno> {
    Ok(Held::of(l, fd)?.socket()?.so.flags(l))
}

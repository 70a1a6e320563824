//! Between a socket and this program's input and output, until one of them ends.
//!
//! A thread of its own reads the input and sends; what arrives is printed by who calls. Both note when
//! they did something, so that a connection is idle only if neither has.
//!
//! Locking: none; the time is an atomic, the socket is the kernel's to guard.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use remote::{Argument, TcpStream, UdpSocket, number};

use super::Broken;

/// What is read at once: a datagram, with -u.
const ROOM: usize = 16 << 10;
/// What may arrive at once.
const MOST: usize = 64 << 10;

/// How the ends are dealt with.
pub(super) struct How {
    /// Whether the input is read.
    pub(super) reads: bool,
    /// Whether the other side is told of its end.
    pub(super) shuts: bool,
    /// How long neither side may be silent.
    pub(super) wait: Option<Duration>,
}

/// When something was last sent or received.
struct Activity {
    start: Instant,
    last_ms: AtomicU64,
    /// Sending has failed: nothing more is worth waiting for.
    broken: AtomicBool,
}

impl Activity {
    fn new() -> Arc<Activity> {
        let (last_ms, broken) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Activity { start: Instant::now(), last_ms, broken })
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn note(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    /// What is left of `wait`; none: it is over.
    fn left(&self, wait: Duration) -> Option<Duration> {
        let silent = self.now_ms().saturating_sub(self.last_ms.load(Ordering::Relaxed));
        wait.checked_sub(Duration::from_millis(silent)).filter(|left| !left.is_zero())
    }
}

/// A socket with a peer.
pub(super) trait Ends: Send + Sized + 'static {
    fn again(&self) -> io::Result<Self>;
    fn give(&self, data: &[u8]) -> io::Result<usize>;
    fn take(&self, room: &mut [u8]) -> io::Result<usize>;
    fn wait_at_most(&self, time: Option<Duration>) -> io::Result<()>;
    fn finish(&self) -> io::Result<()>;
    /// Nothing more is received; who waits for it is told.
    fn stop(&self) -> io::Result<()>;
    /// Whether receiving nothing is the end.
    const HAS_END: bool;
}

/// What the sockets have in common, by the same names.
macro_rules! ends {
    ($socket:ty, $has_end:literal, $finish:expr, $stop:expr) => {
        impl Ends for $socket {
            const HAS_END: bool = $has_end;

            fn again(&self) -> io::Result<Self> {
                self.try_clone()
            }

            fn give(&self, data: &[u8]) -> io::Result<usize> {
                self.send(data)
            }

            fn take(&self, room: &mut [u8]) -> io::Result<usize> {
                self.recv(room)
            }

            fn wait_at_most(&self, time: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(time)
            }

            fn finish(&self) -> io::Result<()> {
                $finish(self)
            }

            fn stop(&self) -> io::Result<()> {
                $stop(self)
            }
        }
    };
}

ends!(
    TcpStream,
    true,
    |stream: &TcpStream| stream.shutdown(Shutdown::Write),
    |stream: &TcpStream| stream.shutdown(Shutdown::Read)
);
ends!(UdpSocket, false, |_: &UdpSocket| Ok(()), |socket: &UdpSocket| {
    socket.descriptor().call(number::SHUTDOWN, [Argument::Value(0)]).map(drop)
});

/// What ends talking.
enum End {
    /// The other side will say no more.
    Other,
    /// Nobody has done anything for so long.
    Idle,
    /// The socket's own error.
    Broken(io::Error),
}

/// Talks until one side has ended; by datagrams, until nobody has said anything for so long.
pub(super) fn talk<E: Ends>(socket: &E, how: &How, out: &mut dyn Write) -> Result<(), Broken> {
    let activity = Activity::new();
    // Answers when the input has ended, or what went wrong with sending it.
    let (tell, sent) = channel();
    if how.reads {
        let (socket, activity, shuts) = (socket.again(), activity.clone(), how.shuts);
        let socket = socket.map_err(Broken::Socket)?;
        // It may read for ever: nobody waits for its end but through the channel.
        std::thread::spawn(move || {
            let fed = feed(&socket, shuts, &activity);
            let failed = fed.is_err();
            let _ = tell.send(fed);
            if failed {
                // Whoever waits for what will not come is told.
                activity.broken.store(true, Ordering::Release);
                let _ = socket.stop();
            }
        });
    } else {
        drop(tell);
    }
    match print(socket, how.wait, &activity, out)? {
        End::Idle => Ok(()),
        // What was to be sent knows better why, if that broke.
        End::Broken(e) => Err(Broken::Socket(why(&sent).unwrap_or(e))),
        End::Other => match why(&sent) {
            Some(e) => Err(Broken::Socket(e)),
            // It may wait for the rest of the input; nobody at a terminal does.
            None if E::HAS_END && !io::stdin().is_terminal() => rest(&sent, how.wait, &activity),
            None => Ok(()),
        },
    }
}

/// Why sending has ended early, if it has by now. That the other side takes no more is not worth a word.
fn why(sent: &Receiver<io::Result<()>>) -> Option<io::Error> {
    let error = sent.try_recv().ok()?.err();
    error.filter(|e| e.kind() != ErrorKind::BrokenPipe)
}

/// Waits until the input is sent, or nothing was for so long.
fn rest(
    sent: &Receiver<io::Result<()>>,
    wait: Option<Duration>,
    activity: &Activity,
) -> Result<(), Broken> {
    let fed = loop {
        let Some(wait) = wait else { break sent.recv().ok() };
        let Some(left) = activity.left(wait) else { return Ok(()) };
        match sent.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => {}
            done => break done.ok(),
        }
    };
    match fed {
        Some(Err(e)) if e.kind() != ErrorKind::BrokenPipe => Err(Broken::Socket(e)),
        _ => Ok(()),
    }
}

/// Prints what arrives, until there is a reason to end.
fn print<E: Ends>(
    socket: &E,
    wait: Option<Duration>,
    activity: &Activity,
    out: &mut dyn Write,
) -> Result<End, Broken> {
    let mut room = vec![0; MOST];
    loop {
        if let Some(wait) = wait {
            let Some(left) = activity.left(wait) else { return Ok(End::Idle) };
            socket.wait_at_most(Some(left)).map_err(Broken::Socket)?;
        }
        match socket.take(&mut room) {
            Ok(0) if E::HAS_END || activity.broken.load(Ordering::Acquire) => {
                return Ok(End::Other);
            }
            Ok(len) => {
                activity.note();
                let data = room.get(..len).unwrap_or_default();
                out.write_all(data).and_then(|()| out.flush()).map_err(Broken::Output)?;
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(e) => return Ok(End::Broken(e)),
        }
    }
}

/// Sends what is read from the input, until that ends or the other side takes no more.
fn feed<E: Ends>(socket: &E, shuts: bool, activity: &Activity) -> io::Result<()> {
    let (mut input, mut room) = (io::stdin().lock(), vec![0; ROOM]);
    loop {
        let mut data = match input.read(&mut room) {
            Ok(0) => break,
            Ok(len) => room.get(..len).unwrap_or_default(),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            // What cannot be read has ended.
            Err(_) => break,
        };
        loop {
            match socket.give(data) {
                Ok(len) => data = data.get(len..).unwrap_or_default(),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            activity.note();
            if data.is_empty() {
                break;
            }
        }
    }
    if shuts { socket.finish() } else { Ok(()) }
}

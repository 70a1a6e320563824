//! Between a socket and this program's input and output, until one of them ends.
//!
//! A thread of its own reads the input and sends; what arrives is printed by who calls. Both note when
//! they did something, so that a connection is idle only if neither has.
//!
//! Locking: none; the time is an atomic, the socket is the kernel's to guard.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use remote::{TcpStream, UdpSocket};

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
}

impl Activity {
    fn new() -> Arc<Activity> {
        Arc::new(Activity { start: Instant::now(), last_ms: AtomicU64::new(0) })
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
    /// Whether receiving nothing is the end.
    const HAS_END: bool;
}

impl Ends for TcpStream {
    const HAS_END: bool = true;

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
        self.shutdown(Shutdown::Write)
    }
}

impl Ends for UdpSocket {
    const HAS_END: bool = false;

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
        Ok(())
    }
}

/// Talks until one side has ended; by datagrams, until nobody has said anything for so long.
pub(super) fn talk<E: Ends>(socket: &E, how: &How, out: &mut dyn Write) -> Result<(), Broken> {
    let activity = Activity::new();
    let sender = how.reads.then(|| {
        let (socket, activity, shuts) = (socket.again()?, activity.clone(), how.shuts);
        Ok(std::thread::spawn(move || feed(&socket, shuts, &activity)))
    });
    let sender = sender.transpose().map_err(Broken::Socket)?;
    print(socket, how.wait, &activity, out)?;
    // The other side has ended, which may wait for the rest of the input; nobody at a terminal does.
    match sender {
        Some(sender) if E::HAS_END && !io::stdin().is_terminal() => rest(sender),
        _ => Ok(()),
    }
}

fn rest(sender: JoinHandle<io::Result<()>>) -> Result<(), Broken> {
    match sender.join() {
        Ok(Err(e)) if e.kind() != ErrorKind::BrokenPipe => Err(Broken::Socket(e)),
        _ => Ok(()),
    }
}

/// Prints what arrives, until the other side has ended or nobody has done anything for so long.
fn print<E: Ends>(
    socket: &E,
    wait: Option<Duration>,
    activity: &Activity,
    out: &mut dyn Write,
) -> Result<(), Broken> {
    let mut room = vec![0; MOST];
    loop {
        if let Some(wait) = wait {
            let Some(left) = activity.left(wait) else { return Ok(()) };
            socket.wait_at_most(Some(left)).map_err(Broken::Socket)?;
        }
        match socket.take(&mut room) {
            Ok(0) if E::HAS_END => return Ok(()),
            Ok(len) => {
                activity.note();
                let data = room.get(..len).unwrap_or_default();
                out.write_all(data).and_then(|()| out.flush()).map_err(Broken::Output)?;
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(e) => return Err(Broken::Socket(e)),
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

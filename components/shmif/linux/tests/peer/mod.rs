//! A member of a bus without a kernel, and processes to kill.
//!
//! * [`Peer`]: joins, sends, and shows what it hears to a closure, on the waiting thread.
//! * [`Child`]: this test program started again, as the test `child`, which does what it is told.
//!
//! Locking: a peer's lock around its two halves. Sources: none.
#![allow(dead_code)] // each test program uses some of it

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use net::MacAddr;
use shmif::bus::record::Left;
use shmif::bus::{Next, Outgoing, Receiver, SendError, Sender, Station, member};
use shmif::host::{Bell, BusFiles, FileError, Offcpu, Seat};

/// Long enough for a machine that does other things as well.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A frame's type in these tests.
pub const PING: u16 = 0x88b5;
pub const PONG: u16 = 0x88b6;
pub const NOISE: u16 = 0x88b7;

type Hear = dyn Fn(&Peer, &[u8]) + Send + Sync;

/// A member.
pub struct Peer {
    pub mac: MacAddr,
    seat: Box<dyn Seat>,
    sender: Mutex<Sender>,
    receiver: Mutex<(Receiver, Vec<u8>)>,
    pub lost: AtomicU64,
    hear: Box<Hear>,
    // The host's half lives as long as its members do.
    _files: Arc<BusFiles>,
}

struct Ring(std::sync::Weak<Peer>);

impl Bell for Ring {
    fn ring(&self, _: &Offcpu) -> bool {
        let Some(peer) = self.0.upgrade() else { return false };
        peer.drain();
        true
    }
}

/// Joins the bus as a host would.
pub fn seat(path: &Path) -> (Result<Box<dyn Seat>, FileError>, Arc<BusFiles>) {
    let files = shmif_linux::files().downcast::<BusFiles>().unwrap();
    let (theirs, path) = (files.clone(), path.to_str().unwrap().to_owned());
    let result = Arc::new(Mutex::new(None));
    let put = result.clone();
    let join = move |proof: &Offcpu| *put.lock().unwrap() = Some(theirs.0.join(&path, proof));
    linux::spawn_outside("join", join).unwrap().join().unwrap();
    let seat = result.lock().unwrap().take().unwrap();
    (seat, files)
}

impl Peer {
    /// Joins.
    pub fn join(
        path: &Path,
        mac: [u8; 6],
        hear: impl Fn(&Peer, &[u8]) + Send + Sync + 'static,
    ) -> Result<Arc<Peer>, FileError> {
        let (seat, files) = seat(path);
        let seat = seat?;
        let (sender, receiver, sent) =
            member::take(&seat.map(), seat.index(), seat.process()).unwrap();
        seat.wake(sent.wake);
        let mac = MacAddr(mac);
        member::announce(&seat.map(), seat.index(), Station::new(mac, false));
        let peer = Arc::new(Peer {
            mac,
            seat,
            sender: Mutex::new(sender),
            receiver: Mutex::new((receiver, vec![0; 2000])),
            lost: AtomicU64::new(0),
            hear: Box::new(hear),
            _files: files,
        });
        peer.seat.listen(Arc::new(Ring(Arc::downgrade(&peer))))?;
        Ok(peer)
    }

    /// Sends.
    pub fn send(&self, dst: MacAddr, kind: u16, payload: &[u8]) -> Result<(), SendError> {
        let mut frame = [&dst.0[..], &self.mac.0, &kind.to_be_bytes(), payload].concat();
        frame.resize(frame.len().max(60), 0);
        let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let at = base_time(at);
        let pieces = [&frame[..6], &frame[6..]].into_iter();
        let mut sender = self.sender.lock().unwrap();
        let what = Outgoing { len: frame.len(), at, left: Left::Nothing };
        let sent = sender.send(&self.seat.map(), dst, &what, pieces)?;
        self.seat.wake(sent.wake);
        Ok(())
    }

    fn drain(&self) {
        let mut input = self.receiver.lock().unwrap();
        let (receiver, buffer) = &mut *input;
        let map = self.seat.map();
        receiver.look(&map);
        loop {
            let lost = |n| _ = self.lost.fetch_add(n, Ordering::Relaxed);
            match receiver.next(&map, buffer, lost) {
                Next::Frame(record) => (self.hear)(self, &buffer[..record.len]),
                Next::Longer(len) => buffer.resize(len, 0),
                Next::Later => {}
                Next::Empty => break,
            }
        }
        receiver.show_lost(&map, self.lost.load(Ordering::Relaxed));
    }

    pub fn is_broken(&self) -> bool {
        self.seat.is_broken()
    }

    pub fn index(&self) -> usize {
        self.seat.index()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.sender.get_mut().unwrap().leave(&self.seat.map());
        self.seat.leave();
    }
}

fn base_time(at: Duration) -> shmif::bus::WallTime {
    shmif::bus::WallTime { seconds: at.as_secs().cast_signed(), nanoseconds: at.subsec_nanos() }
}

/// A process that was started, and ends with this.
pub struct Child(std::process::Child);

impl Child {
    /// Starts this program again, to do `what` on the bus `path`.
    pub fn start(what: &str, path: &Path) -> Child {
        Self::wrapped(&[], what, path).unwrap()
    }

    /// The same, started by the program and arguments `by`.
    pub fn wrapped(by: &[&str], what: &str, path: &Path) -> io::Result<Child> {
        let me = std::env::current_exe()?;
        let mut command = match by {
            [] => Command::new(me),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(me);
                command
            }
        };
        command.args(["--exact", "child", "--nocapture", "--test-threads=1", "--quiet"]);
        command.env("BUS_CHILD", what).env("BUS_PATH", path);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Child(command.spawn()?))
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the test `child` was told to do, if this is one.
pub fn told() -> Option<(String, PathBuf)> {
    let what = std::env::var("BUS_CHILD").ok()?;
    Some((what, std::env::var_os("BUS_PATH")?.into()))
}

/// Waits for an event that no other thread announces.
pub fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

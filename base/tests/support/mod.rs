//! What the tests of base share: simulations of several seeds, and a small kind of file.
#![allow(dead_code, clippy::disallowed_methods, clippy::disallowed_macros)]

use std::any::Any;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base::file::uio::Uio;
use base::file::{Fd, File, FileOps, Flags};
use base::lock::{IntrMutex, Rank};
use base::vm::kmem;
use base::wait::{Events, WaitQueue};
use base::{Cx, Errno, KArc, Kernel, Lwp, Spec};
use sim::{Config, Sim};

/// Runs `test` as the first thread of a simulation, once for each of 20 seeds. Nothing of the
/// simulation may be left when it has ended: a kernel, a charge or a timer would hold its host.
pub fn on_sims(test: impl Fn(&Arc<Sim>)) {
    for seed in 0..20 {
        on_sim(Config { seed, ..Config::default() }, &test);
    }
}

/// The same, on one simulation to order.
pub fn on_sim(config: Config, test: impl FnOnce(&Arc<Sim>)) {
    let seed = config.seed;
    let sim = Sim::new(config);
    sim.run(|| test(&sim));
    assert_eq!(sim.wrong_rearms(), 0, "seed {seed}: the kernel lost track of its deadline");
    assert_eq!(Arc::strong_count(&sim), 1, "seed {seed}: something is left of a kernel");
}

/// Boots with `ncpu` virtual CPUs.
pub fn boot(sim: &Arc<Sim>, spec: &'static Spec, ncpu: u32) -> Kernel {
    let options = base::Options { ncpu, ..Default::default() };
    Kernel::boot_with(sim.clone(), spec, &options).unwrap()
}

/// Drops the kernel and looks that nothing is charged to it.
pub fn end(kernel: Kernel) {
    let account = kernel.account().clone();
    assert_ne!(account.used(), 0, "a kernel costs something");
    drop(kernel);
    assert_eq!(account.used(), 0, "something stayed charged");
}

/// What became of the files of a test.
pub type Closed = Arc<AtomicU32>;

/// A file: bytes that are written to it can be read again.
pub struct Pipe {
    bytes: IntrMutex<VecDeque<u8>>,
    room: usize,
    queue: WaitQueue,
    closed: Closed,
}

impl Pipe {
    /// An open file that has room for so many bytes, without a descriptor.
    pub fn file(cx: &Cx<'_>, room: usize, closed: &Closed) -> Result<KArc<File>, Errno> {
        let pipe = Pipe {
            bytes: IntrMutex::new(cx, Rank::Socket, VecDeque::new()),
            room,
            queue: WaitQueue::new(cx),
            closed: closed.clone(),
        };
        Ok(File::new(cx, kmem::arc(cx, pipe)?, Flags::RDWR)?)
    }

    /// The same, with the lowest free descriptor of the calling process.
    pub fn open(l: &mut Lwp<'_>, room: usize, closed: &Closed) -> Result<Fd, Errno> {
        let file = Self::file(l, room, closed)?;
        l.proc().fds().install(l, file, 0, false)
    }
}

impl FileOps for Pipe {
    fn read(&self, l: &mut Lwp<'_>, uio: &mut Uio<'_>) -> Result<usize, Errno> {
        let mut bytes = self.bytes.lock(l);
        if bytes.is_empty() {
            return Err(Errno::WouldBlock);
        }
        let n = uio.copy_in(bytes.make_contiguous());
        bytes.drain(..n);
        drop(bytes);
        self.queue.wake(l, Events::OUT);
        Ok(n)
    }

    fn write(&self, l: &mut Lwp<'_>, uio: &mut Uio<'_>) -> Result<usize, Errno> {
        let mut bytes = self.bytes.lock(l);
        let mut out = vec![0; uio.remaining().min(self.room - bytes.len())];
        if out.is_empty() && uio.remaining() != 0 {
            return Err(Errno::WouldBlock);
        }
        uio.copy_out(&mut out);
        bytes.extend(&out);
        drop(bytes);
        self.queue.wake(l, Events::IN);
        Ok(out.len())
    }

    fn ioctl(&self, _: &mut Lwp<'_>, request: u32, data: &mut [u8]) -> Result<(), Errno> {
        if request & 0xff == 1 {
            data.iter_mut().for_each(|b| *b = b.wrapping_add(1));
            return Ok(());
        }
        Err(Errno::NotTerminal)
    }

    fn poll(&self, cx: &Cx<'_>, events: Events) -> Events {
        let len = self.bytes.lock(cx).len();
        let mut now = Events::empty();
        now.set(Events::IN, len != 0);
        now.set(Events::OUT, len < self.room);
        now & events
    }

    fn queue(&self) -> &WaitQueue {
        &self.queue
    }

    fn close(&self, l: &mut Lwp<'_>) {
        self.closed.fetch_add(1, Ordering::Relaxed);
        self.queue.wake(l, Events::HUP);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Writes through a descriptor.
pub fn write(l: &mut Lwp<'_>, fd: Fd, bytes: &[u8]) -> Result<usize, Errno> {
    let file = l.proc().fds().get(l, fd)?;
    base::file::write(l, &file, &mut Uio::from(&[bytes]))
}

/// Reads up to 64 bytes through a descriptor.
pub fn read(l: &mut Lwp<'_>, fd: Fd) -> Result<Vec<u8>, Errno> {
    let file = l.proc().fds().get(l, fd)?;
    let mut buf = [0; 64];
    let n = base::file::read(l, &file, &mut Uio::into(&mut [&mut buf[..]]))?;
    Ok(buf[..n].to_vec())
}

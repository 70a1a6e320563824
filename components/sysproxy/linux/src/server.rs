//! The loop: clients come, speak, wait and go, on one thread.
//!
//! * [`Server::run`] serves until the kernel ends or somebody says stop.
//! * A client that has connected must have said Hello within [`PATIENCE`].
//! * Out of descriptors, nobody is let in for a moment; who waits goes on waiting.
//! * Clients that are nobody to the kernel leave some descriptors to its owner.
//! * Of those who have connected and said nothing yet there are not too many: the one that came first
//!   goes for the one that comes. Who has something to say says it at once.
//!
//! A number of epoll's is a client's place and the count of clients before it, so that news for one
//! that has gone is not taken for another's.
//!
//! Locking: none; the serving thread has it all. Sources: accept(2) (EMFILE), epoll(7).

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;
use sysproxy::{Ended, Service, Session, Trust};
use transport::{Key, Listener};

use crate::bell::Bell;
use crate::connection::{Connection, Over};
use crate::pipe::{Pipe, Scratch};
use crate::poll::{Interest, Poll, Told};
use crate::trust;

/// How long a client may take to say Hello.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nobody is let in when there are no descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How often those are looked for whose parents announced them and who do not come.
const SWEEP: Duration = Duration::from_secs(1);

/// Clients let in at once, before others have their turn.
const WELCOMES: usize = 64;

/// The most clients that have not said Hello, however many descriptors there are.
const SILENT: usize = 4096;

/// Numbers of what is no client.
const BELL: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;
const DOORS: u64 = 1 << 63;

/// Why a server stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stopped {
    /// A client with the right to do so, or [`Wake::halt`](sysproxy::Wake::halt), ended the kernel.
    Halted,
    /// The descriptor of [`Server::stop_on`] became readable.
    Told,
    /// The kernel is gone: it was dropped, or panicked.
    Gone,
}

/// Serves a kernel to remote clients.
pub struct Server {
    poll: Poll,
    bell: Arc<Bell>,
    service: Arc<Service>,
    doors: Vec<Door>,
    clients: Slab<Client>,
    /// Clients that there were.
    count: u64,
    /// Those of them that are nobody, and how many there may be.
    nobodies: usize,
    nobodies_max: usize,
    /// Who has to say Hello until when, the first first; some have.
    new: VecDeque<(Instant, u64)>,
    new_max: usize,
    /// Until then nobody is let in.
    closed_until: Option<Instant>,
    stop: Option<OwnedFd>,
    scratch: Scratch,
    told: Vec<u64>,
    user: u32,
}

struct Door {
    listener: Listener,
    key: Option<Key>,
}

struct Client {
    number: u64,
    connection: Connection,
}

impl Server {
    /// A server of the kernel behind `service`, which was made with `bell`.
    pub fn new(service: Arc<Service>, bell: Arc<Bell>) -> io::Result<Server> {
        let poll = Poll::new()?;
        poll.add(&*bell, BELL, Interest::INPUT)?;
        let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let descriptors =
            descriptors.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        Ok(Server {
            poll,
            bell,
            service,
            doors: Vec::new(),
            clients: Slab::new(),
            count: 0,
            nobodies: 0,
            nobodies_max: descriptors / 4 * 3,
            new: VecDeque::new(),
            new_max: (descriptors / 4).clamp(WELCOMES, SILENT),
            closed_until: None,
            stop: None,
            scratch: Scratch::default(),
            told: Vec::new(),
            user: rustix::process::geteuid().as_raw(),
        })
    }

    /// Lets clients in at `listener`; over TCP, those who have `key`, if there is one.
    pub fn listen(&mut self, listener: Listener, key: Option<Key>) -> io::Result<()> {
        self.poll.add(&listener, DOORS + self.doors.len() as u64, Interest::INPUT)?;
        self.doors.push(Door { listener, key });
        Ok(())
    }

    /// Stops when `fd` becomes readable.
    pub fn stop_on(&mut self, fd: OwnedFd) -> io::Result<()> {
        self.poll.add(&fd, STOP, Interest::INPUT)?;
        self.stop = Some(fd);
        Ok(())
    }

    /// Serves. Clients that are left when it returns are closed with the server.
    pub fn run(&mut self) -> io::Result<Stopped> {
        loop {
            if let Some(stopped) = self.resume() {
                return Ok(stopped);
            }
            if self.bell.is_gone() {
                return Ok(Stopped::Gone);
            }
            if self.bell.is_halted() {
                return Ok(Stopped::Halted);
            }
            let timeout = self.timeout();
            let timeout = if self.bell.doze() { timeout } else { Some(Duration::ZERO) };
            let waited = self.poll.wait(timeout);
            self.bell.rise();
            waited?;
            while let Some(told) = self.poll.next() {
                let stopped = match told.number {
                    BELL => {
                        self.bell.quiet();
                        None
                    }
                    STOP => Some(Stopped::Told),
                    door if door >= DOORS => self.welcome((door - DOORS) as usize),
                    _ => self.serve(told),
                };
                if stopped.is_some() {
                    return Ok(stopped.unwrap_or(Stopped::Told));
                }
            }
            self.tidy_up();
        }
    }

    /// Makes calls again that waited.
    fn resume(&mut self) -> Option<Stopped> {
        let mut told = std::mem::take(&mut self.told);
        self.bell.take(&mut told);
        // A session that has many calls is told for each, and makes all of them at once.
        told.sort_unstable();
        told.dedup();
        let mut stopped = None;
        for number in told.drain(..) {
            stopped = stopped.or(self.with(number, |connection, _| connection.resume()));
        }
        self.told = told;
        stopped
    }

    fn serve(&mut self, told: Told) -> Option<Stopped> {
        self.with(told.number, |connection, scratch| connection.serve(told, scratch))
    }

    /// Does something for a client, and closes it or watches it accordingly.
    fn with(
        &mut self,
        number: u64,
        f: impl FnOnce(&mut Connection, &mut Scratch) -> Result<(), Over>,
    ) -> Option<Stopped> {
        let place = place(number);
        let client = self.clients.get_mut(place).filter(|client| client.number == number)?;
        let connection = &mut client.connection;
        let mut done = f(connection, &mut self.scratch);
        if done.is_ok() {
            let interest = connection.interest();
            if interest != connection.watched {
                connection.watched = interest;
                let changed = self.poll.change(connection.pipe(), number, interest);
                done = changed.map_err(|_| Over::HungUp);
            }
        }
        let over = done.err()?;
        self.close(number, over);
        (over == Over::Ended(Ended::Gone)).then_some(Stopped::Gone)
    }

    fn close(&mut self, number: u64, over: Over) {
        if self.clients.get(place(number)).is_none_or(|client| client.number != number) {
            return;
        }
        let client = self.clients.remove(place(number));
        self.nobodies -= usize::from(client.connection.trust == Trust::Nobody);
        let peer = client.connection.peer;
        match over {
            Over::HungUp => log::debug!("{peer}: {over}"),
            _ => log::info!("{peer}: {over}"),
        }
    }

    /// Lets in who waits at a door.
    fn welcome(&mut self, at: usize) -> Option<Stopped> {
        for _ in 0..WELCOMES {
            let door = self.doors.get(at)?;
            let (socket, peer) = match door.listener.accept() {
                Ok(accepted) => accepted?,
                Err(error) => {
                    log::warn!("nobody is let in for {PAUSE:?}: {error}");
                    self.closed_until = Some(Instant::now() + PAUSE);
                    self.watch_doors(Interest::NONE);
                    return None;
                }
            };
            let trust = trust::of(&peer, self.user, door.key.is_some());
            if trust == Trust::Nobody && self.nobodies >= self.nobodies_max {
                log::warn!("{peer}: sent away, {} others are here", self.nobodies);
                continue;
            }
            let entry = self.clients.vacant_entry();
            let number = number(entry.key(), self.count);
            if self.poll.add(&socket, number, Interest::INPUT).is_err() {
                // No memory of the system's for it: the client sees its connection end.
                continue;
            }
            let key = door.key.as_ref().filter(|_| matches!(peer, transport::Peer::Tcp(_)));
            let session = Session::new(&self.service, trust, number);
            let connection = Connection::new(Pipe::new(socket, key), session, peer, trust);
            entry.insert(Client { number, connection });
            self.count += 1;
            self.nobodies += usize::from(trust == Trust::Nobody);
            while self.new.len() >= self.new_max
                && let Some((_, first)) = self.new.pop_front()
            {
                if self.is_new(first) {
                    self.close(first, Over::Crowded);
                }
            }
            self.new.push_back((Instant::now() + PATIENCE, number));
            // Who connects has mostly said something by now.
            let stopped = self.serve(Told { number, input: true, output: false, hung_up: false });
            if stopped.is_some() {
                return stopped;
            }
        }
        None
    }

    fn watch_doors(&self, interest: Interest) {
        for (number, door) in (DOORS..).zip(&self.doors) {
            // One that is not watched stays as it is, and is tried again.
            let _ = self.poll.change(door.listener.as_fd(), number, interest);
        }
    }

    /// How long there is nothing to do but for what descriptors tell.
    fn timeout(&mut self) -> Option<Duration> {
        while let Some((_, number)) = self.new.front()
            && !self.is_new(*number)
        {
            self.new.pop_front();
        }
        let now = Instant::now;
        let hello = self.new.front().map(|(until, _)| until.saturating_duration_since(now()));
        let doors = self.closed_until.map(|until| until.saturating_duration_since(now()));
        let forks = self.service.awaits_children().then_some(SWEEP);
        [hello, doors, forks].into_iter().flatten().min()
    }

    fn is_new(&self, number: u64) -> bool {
        let client = self.clients.get(place(number)).filter(|client| client.number == number);
        client.is_some_and(|client| client.connection.is_new())
    }

    /// What is due by time.
    fn tidy_up(&mut self) {
        if self.new.is_empty() && self.closed_until.is_none() && !self.service.awaits_children() {
            return;
        }
        let now = Instant::now();
        while let Some((_, number)) = self.new.front().copied().filter(|(until, _)| *until <= now) {
            self.new.pop_front();
            if self.is_new(number) {
                self.close(number, Over::Late);
            }
        }
        if self.closed_until.is_some_and(|until| until <= now) {
            self.closed_until = None;
            self.watch_doors(Interest::INPUT);
        }
        self.service.expire();
    }
}

/// Bits of a number that are the place.
const PLACE_BITS: u32 = 24;

fn number(place: usize, count: u64) -> u64 {
    // 2^39 clients later the counts begin again; nobody keeps news for so long.
    (count << PLACE_BITS | place as u64) & (DOORS - 1)
}

fn place(number: u64) -> usize {
    (number & ((1 << PLACE_BITS) - 1)) as usize
}

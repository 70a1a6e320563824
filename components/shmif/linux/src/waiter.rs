//! Who waits on doorbells: one thread for all members of a host, another past [`EARS`] of them.
//!
//! The thread sleeps on all its doorbells at once, together with a word of its own; on a single one, as
//! in a process with one interface, alone, which costs less. When one has changed it rings the member's
//! bell, which raises a line and carries the interrupt into the kernel on this very thread. While
//! nothing happens it costs nothing.
//!
//! How no wake-up is lost is in `shmif::bus::door`. A member is rung once when it begins to listen,
//! for what came before.
//!
//! The thread keeps the places of its members, and with them the locks of their slots, until it
//! has let go of them: so nobody new sleeps on a slot's doorbell while the thread may still write
//! its mark.
//!
//! Locking: `threads`, then a thread's `list`. Nothing is held while a bell rings.
//! Sources: futex_waitv(2), Linux 5.16.

use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use rustix::io::Errno;
use rustix::thread::ClockId;
use rustix::thread::futex::{self, Flags, Wait, WaitFlags, WaitPtr, WaitvFlags};
use shmif::bus::layout::Slot;
use shmif::host::{Bell, FileError, Offcpu};

use crate::held;
use crate::open::Place;

/// Members that a thread can wait for: the system's 128 words, less one.
const EARS: usize = 127;

/// The waiting threads of a host.
#[derive(Default)]
pub struct Waiters {
    threads: Mutex<Vec<Arc<Shared>>>,
}

/// What others share with a waiting thread.
#[derive(Default)]
struct Shared {
    /// Changes with the list.
    changes: AtomicU32,
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    ears: Vec<Arc<Ear>>,
    /// The thread has ended, or is about to.
    closed: bool,
}

/// A member that listens.
struct Ear {
    place: Arc<Place>,
    bell: Arc<dyn Bell>,
}

impl Ear {
    fn slot(&self) -> Option<Slot<'_>> {
        self.place.mapping.map().slot(self.place.index)
    }
}

/// A member listens as long as this lives.
pub struct Listening {
    thread: Arc<Shared>,
    ear: Arc<Ear>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.thread.change(|list| list.ears.retain(|ear| !Arc::ptr_eq(ear, &self.ear)));
    }
}

impl Waiters {
    /// Has `bell` rung whenever the doorbell of the place changes.
    pub fn listen(&self, place: Arc<Place>, bell: Arc<dyn Bell>) -> Result<Listening, FileError> {
        let ear = Arc::new(Ear { place, bell });
        let mut threads = held(&self.threads);
        threads.retain(|thread| !held(&thread.list).closed);
        let with_room = threads.iter().find(|thread| thread.add(&ear));
        if let Some(thread) = with_room {
            return Ok(Listening { thread: thread.clone(), ear });
        }
        if !is_supported() {
            return Err(FileError::Unsupported);
        }
        let thread = Arc::new(Shared::default());
        thread.add(&ear);
        let theirs = thread.clone();
        linux::spawn_outside("shmif", move |proof| run(&theirs, proof))
            .map_err(|_| FileError::HostLimit)?;
        threads.push(thread.clone());
        Ok(Listening { thread, ear })
    }

    /// The host is gone: all threads end.
    pub fn end(&self) {
        for thread in held(&self.threads).drain(..) {
            thread.change(|list| list.ears.clear());
        }
    }
}

impl Shared {
    fn add(&self, ear: &Arc<Ear>) -> bool {
        self.change(|list| {
            let room = !list.closed && list.ears.len() < EARS;
            if room {
                list.ears.push(ear.clone());
            }
            room
        })
    }

    fn change<R>(&self, change: impl FnOnce(&mut List) -> R) -> R {
        let mut list = held(&self.list);
        let alone = match list.ears.as_slice() {
            [ear] => Some(ear.clone()),
            _ => None,
        };
        let r = change(&mut list);
        drop(list);
        self.changes.fetch_add(1, Ordering::SeqCst);
        let _ = futex::wake(&self.changes, Flags::PRIVATE, 1);
        // After the change: who sees the bell sees that, too.
        if let Some(ear) = alone {
            ear.place.rouse();
        }
        r
    }

    /// The members now; none: the thread must end.
    fn ears(&self) -> Vec<Arc<Ear>> {
        let mut list = held(&self.list);
        list.closed = list.ears.is_empty();
        list.ears.clone()
    }
}

/// A member, as the thread knows it.
struct Heard {
    ear: Arc<Ear>,
    /// The doorbell when it was last rung.
    last: Option<u32>,
}

fn run(shared: &Shared, proof: &Offcpu) {
    let mut heard: Vec<Heard> = Vec::new();
    let (mut known, mut listed, mut words) = (None, 0, Vec::new());
    loop {
        let changes = shared.changes.load(Ordering::SeqCst);
        if known != Some(changes) {
            known = Some(changes);
            let ears = shared.ears();
            if ears.is_empty() {
                return;
            }
            listed = ears.len();
            heard = ears.into_iter().map(|ear| again(&heard, ear)).collect();
        }
        let mut quiet = true;
        heard.retain_mut(|member| match member.look(proof) {
            Look::Quiet => true,
            Look::Rang => {
                quiet = false;
                true
            }
            Look::Gone => false,
        });
        if !quiet {
            continue;
        }
        match heard.as_slice() {
            [member] if listed == 1 => member.sleep(),
            _ => sleep(&mut words, &shared.changes, changes, &heard),
        }
    }
}

/// What is known of `ear`.
fn again(heard: &[Heard], ear: Arc<Ear>) -> Heard {
    let before = heard.iter().find(|member| Arc::ptr_eq(&member.ear, &ear));
    Heard { last: before.and_then(|member| member.last), ear }
}

/// What a look at a doorbell came to.
enum Look {
    /// Nothing new, and the slot is marked as asleep.
    Quiet,
    Rang,
    /// The file was cut, or the kernel is gone.
    Gone,
}

impl Heard {
    fn look(&mut self, proof: &Offcpu) -> Look {
        let Some(slot) = self.ear.slot() else { return Look::Gone };
        let door = slot.door();
        let bell = door.doze();
        if self.ear.place.mapping.is_broken() {
            return Look::Gone;
        }
        if self.last == Some(bell) {
            return Look::Quiet;
        }
        self.last = Some(bell);
        door.rise();
        match self.ear.bell.ring(proof) {
            true => Look::Rang,
            false => Look::Gone,
        }
    }
}

impl Heard {
    /// Sleeps until the doorbell changes; whoever changes the list of this one member rings it.
    fn sleep(&self) {
        if let (Some(slot), Some(last)) = (self.ear.slot(), self.last) {
            let _ = futex::wait(slot.door().bell(), Flags::empty(), last, None);
        }
    }
}

/// Sleeps until a doorbell or the list changes. May return early.
fn sleep(words: &mut Vec<Wait>, changes: &AtomicU32, seen: u32, heard: &[Heard]) {
    words.clear();
    words.push(word(changes, seen, WaitFlags::SIZE_U32 | WaitFlags::PRIVATE));
    for member in heard {
        if let (Some(slot), Some(last)) = (member.ear.slot(), member.last) {
            words.push(word(slot.door().bell(), last, WaitFlags::SIZE_U32));
        }
    }
    // A word that has changed, a signal, a page that is gone: the caller looks again either way.
    let _ = futex::waitv(words, WaitvFlags::empty(), None, ClockId::Monotonic);
}

/// Whether the system can wait on several words.
fn is_supported() -> bool {
    let changed = AtomicU32::new(1);
    let words = [word(&changed, 0, WaitFlags::SIZE_U32 | WaitFlags::PRIVATE)];
    let waited = futex::waitv(&words, WaitvFlags::empty(), None, ClockId::Monotonic);
    waited == Err(Errno::AGAIN)
}

fn word(word: &AtomicU32, expected: u32, flags: WaitFlags) -> Wait {
    let mut wait = Wait::new();
    wait.val = u64::from(expected);
    wait.uaddr = WaitPtr::new(word.as_ptr().cast());
    wait.flags = flags;
    wait
}

//! The model checker on rings and doors: every interleaving, and every value that a load may see.

use base::atomic::{AtomicU32, AtomicU64, Ordering};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use super::door::Door;
use super::record::Record;
use super::ring::{Cursor, Next, Ring, Writer};

/// A ring of eight words, which has room for one shortest frame.
struct Small {
    positions: [AtomicU64; 3],
    words: [AtomicU64; 8],
}

impl Small {
    fn new() -> Arc<Small> {
        let word = |_| AtomicU64::new(0);
        Arc::new(Small { positions: [0, 1, 2].map(word), words: [0; 8].map(word) })
    }

    fn ring(&self) -> Ring<'_> {
        let [head, tail, written] = &self.positions;
        Ring::new(head, tail, written, &self.words)
    }
}

const LEN: usize = 14;

fn push(writer: &mut Writer, ring: &Ring<'_>, fill: u8) {
    let record = Record { len: LEN, targets: 1, ..Record::default() };
    assert!(writer.push(ring, record, [&[fill; LEN][..]].into_iter()));
}

/// All interleavings with up to so many preemptions; the number of loads is what bounds it.
fn model(preemptions: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(test);
}

#[test]
fn loom_a_frame_that_is_believed_is_whole() {
    model(2, || {
        let small = Small::new();
        let theirs = small.clone();
        // Before it starts, so that there is something to overwrite.
        let mut writer = Writer::resume(&small.ring());
        let mut cursor = Cursor::at_head(&small.ring());
        push(&mut writer, &small.ring(), 1);
        let sender = thread::spawn(move || push(&mut writer, &theirs.ring(), 2));
        let mut buffer = [0; LEN];
        if let Next::Frame(record) = cursor.next(&small.ring(), 1, &mut buffer) {
            assert_eq!(record.len, LEN);
            assert_eq!(buffer, [record.sequence as u8 + 1; LEN]);
        }
        sender.join().unwrap();
        // Whatever it saw, it finds the last one in the end, or had it.
        let before = buffer;
        match cursor.next(&small.ring(), 1, &mut buffer) {
            Next::Frame(_) => assert_eq!(buffer, [2; LEN]),
            _ => assert_eq!(before, [2; LEN]),
        }
    });
}

/// A door, and the system's futex as it is documented.
struct Futex {
    pending: AtomicU64,
    bell: AtomicU32,
    asleep: AtomicU32,
    queue: (Mutex<()>, Condvar),
}

impl Futex {
    fn new() -> Arc<Futex> {
        Arc::new(Futex {
            pending: AtomicU64::new(0),
            bell: AtomicU32::new(0),
            asleep: AtomicU32::new(0),
            queue: (Mutex::new(()), Condvar::new()),
        })
    }

    fn door(&self) -> Door<'_> {
        Door { pending: &self.pending, bell: &self.bell, asleep: &self.asleep }
    }

    fn tell(&self, bit: u64) {
        if self.door().tell(bit) {
            drop(self.queue.0.lock().unwrap());
            self.queue.1.notify_all();
        }
    }

    /// Waits and looks until all these bits were seen. Should it sleep for ever, loom says so.
    fn see(&self, all: u64) {
        let (mut last, mut seen) = (0, 0);
        while seen & all != all {
            let bell = self.door().doze();
            if bell != last {
                last = bell;
                self.door().rise();
                seen |= self.door().look();
                continue;
            }
            let held = self.queue.0.lock().unwrap();
            if self.bell.load(Ordering::SeqCst) == last {
                drop(self.queue.1.wait(held).unwrap());
            }
        }
    }
}

#[test]
fn loom_no_wake_up_is_lost() {
    model(3, || {
        let futex = Futex::new();
        let (one, two) = (futex.clone(), futex.clone());
        let first = thread::spawn(move || {
            one.tell(1);
            one.tell(1);
        });
        let second = thread::spawn(move || two.tell(2));
        futex.see(3);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn loom_who_dies_before_it_rings_takes_nobody_along() {
    model(3, || {
        let futex = Futex::new();
        let (one, two) = (futex.clone(), futex.clone());
        // It set its bit, and died.
        let dead = thread::spawn(move || one.pending.fetch_or(1, Ordering::SeqCst));
        let alive = thread::spawn(move || two.tell(2));
        futex.see(2);
        dead.join().unwrap();
        alive.join().unwrap();
    });
}

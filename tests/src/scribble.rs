//! Any input, as what somebody scribbles over a bus file that others use, for the fuzzer.
//!
//! The input is a sequence of steps: a word of the file is overwritten, or one of two members sends
//! or receives. Nothing may panic or go on for ever, no frame may be longer than a frame can be;
//! and in the end the file is dumped, whatever it has become.
//!
//! Locking: none. Sources: none.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use base::WallTime;
use net::MacAddr;
use shmif::bus::layout::{PAGE, SLOT};
use shmif::bus::record::{FRAME_MAX, Left};
use shmif::bus::{Map, Next, Outgoing, Receiver, Sender, Station, member};
use shmif_linux::dump::Dump;

const SLOTS: usize = 3;
const MEMBERS: usize = 2;

struct File {
    header: Vec<AtomicU64>,
    bells: Vec<AtomicU32>,
    slots: Vec<AtomicU64>,
}

impl File {
    fn new() -> File {
        let words = |n| (0..n).map(|_| AtomicU64::new(0)).collect();
        let bells = (0..PAGE / 4).map(|_| AtomicU32::new(0)).collect();
        File { header: words(PAGE / 8), bells, slots: words(SLOTS * SLOT / 8) }
    }

    fn map(&self) -> Map<'_> {
        Map::new(&self.header, &self.bells, &self.slots)
    }

    fn scribble(&self, place: u8, at: usize, value: u64) {
        match place % 3 {
            0 => self.header[at % 8].store(value, Ordering::Relaxed),
            1 => self.bells[at % (16 * SLOTS)].store(value as u32, Ordering::Relaxed),
            _ => {
                // Control words, and the beginning and the end of a ring.
                let word = match at / SLOTS % 3 {
                    0 => at / 16 % (PAGE / 8),
                    1 => PAGE / 8 + at / 16 % 64,
                    _ => SLOT / 8 - 1 - at / 16 % 64,
                };
                self.slots[at % SLOTS * (SLOT / 8) + word].store(value, Ordering::Relaxed);
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let words = |words: &[AtomicU64]| -> Vec<u8> {
            words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect()
        };
        [words(&self.header), vec![0; PAGE], words(&self.slots)].concat()
    }
}

/// Plays the steps.
///
/// # Panics
/// If something does not hold.
pub fn run(input: &[u8]) {
    let file = File::new();
    let map = file.map();
    map.header().expect("a page").create(1);
    let mac = |n: usize| MacAddr([2, 0, 0, 0, 0, n as u8]);
    let mut members: Vec<(Sender, Receiver)> = (0..MEMBERS)
        .map(|n| {
            let (sender, receiver, _) = member::take(&map, n, 1).expect("a slot");
            member::announce(&map, n, Station::new(mac(n), false));
            (sender, receiver)
        })
        .collect();
    let mut buffer = vec![0; FRAME_MAX];
    for step in input.chunks_exact(12) {
        let [kind, who, at @ .., a, b, c, d, e, f, g, h] = step else { continue };
        let (at, value) =
            (usize::from(at[0]) << 8 | usize::from(at[1]), [*a, *b, *c, *d, *e, *f, *g, *h]);
        let n = usize::from(*who) % MEMBERS;
        match kind % 8 {
            0..4 => file.scribble(*who, at, u64::from_le_bytes(value)),
            4 => file.scribble(*who, at, u64::from(*a)),
            5 | 6 => {
                let dst = if kind % 2 == 0 { MacAddr::BROADCAST } else { mac(1 - n) };
                let (len, at) = (at % 2000, WallTime::default());
                let frame = vec![*a; len];
                let left = NonZeroU16::new((*b).into()).map_or(Left::Checksum, Left::Segments);
                let what = Outgoing { len, at, left };
                let _ = members[n].0.send(&map, dst, &what, [&frame[..]].into_iter());
            }
            _ => drain(&map, &mut members[n].1, &mut buffer),
        }
    }
    for (_, receiver) in &mut members {
        drain(&map, receiver, &mut buffer);
    }
    if let Ok(dump) = Dump::of(&file.bytes()) {
        dump.capture(&mut std::io::sink()).expect("a sink takes all");
    }
}

fn drain(map: &Map<'_>, receiver: &mut Receiver, buffer: &mut [u8]) {
    receiver.look(map);
    // A ring has room for so many frames of the shortest kind; twice, for one that was led astray.
    for _ in 0..64 * 2 * SLOT / 56 {
        match receiver.next(map, buffer, |_| {}) {
            Next::Frame(record) => assert!(record.len <= FRAME_MAX),
            Next::Longer(len) => panic!("{len} bytes"),
            Next::Later => {}
            Next::Empty => return,
        }
    }
    panic!("it goes on for ever");
}

//! A ring against a model: a queue that drops its oldest frames.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A ring in ordinary memory, small so that it wraps often.
struct Memory {
    positions: [AtomicU64; 3],
    words: Vec<AtomicU64>,
}

impl Memory {
    fn new(start: u64, words: usize) -> Memory {
        let positions = [start, start, 0].map(AtomicU64::new);
        Memory { positions, words: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    fn ring(&self) -> Ring<'_> {
        let [head, tail, written] = &self.positions;
        Ring::new(head, tail, written, &self.words)
    }
}

fn frame(sequence: u64, len: usize) -> Vec<u8> {
    (0..len as u64).map(|i| (sequence.wrapping_mul(31).wrapping_add(i)) as u8).collect()
}

fn push(writer: &mut Writer, ring: &Ring<'_>, bytes: &[u8], cut: usize) -> bool {
    let (a, b) = bytes.split_at(cut.min(bytes.len()));
    let (b, c) = b.split_at((cut / 2).min(b.len()));
    let record = Record { len: bytes.len(), targets: 1, ..Record::default() };
    writer.push(ring, record, [a, b, c].into_iter())
}

#[derive(Clone, Debug)]
enum Op {
    Push { len: usize, cut: usize },
    Take(usize),
    Takeover,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0usize..260, 0usize..260).prop_map(|(len, cut)| Op::Push { len, cut }),
        5 => (0usize..3).prop_map(Op::Take),
        1 => Just(Op::Takeover),
    ];
    prop::collection::vec(op, 0..200)
}

/// The model: frames that are there, with their sequence; each reader's next one.
#[derive(Default)]
struct Model {
    frames: VecDeque<(u64, usize)>,
    next: [u64; 3],
    pushed: u64,
}

const WORDS: usize = 64;

fn size(len: usize) -> usize {
    record::words(len) as usize
}

fn check(start: u64, ops: &[Op]) {
    let memory = Memory::new(start, WORDS);
    let ring = memory.ring();
    let mut writer = Writer::resume(&ring);
    let mut cursors = [Cursor::at_head(&ring); 3];
    let (mut model, mut buffer) = (Model::default(), vec![0; 300]);
    for op in ops {
        match *op {
            Op::Push { len, cut } => {
                let pushed = push(&mut writer, &ring, &frame(model.pushed, len), cut);
                assert_eq!(pushed, len >= record::FRAME_MIN);
                if !pushed {
                    continue;
                }
                model.frames.push_back((model.pushed, len));
                model.pushed += 1;
                while model.frames.iter().map(|(_, len)| size(*len)).sum::<usize>() > WORDS {
                    model.frames.pop_front();
                }
            }
            Op::Take(n) => {
                let oldest = model.frames.front().map_or(model.pushed, |(s, _)| *s);
                let wanted = model.next[n].max(oldest);
                match cursors[n].next(&ring, 1, &mut buffer) {
                    Next::Frame(record) => {
                        assert_eq!(record.sequence, wanted);
                        let (_, len) = model.frames[(wanted - oldest) as usize];
                        assert_eq!(buffer[..record.len], frame(wanted, len));
                        model.next[n] = wanted + 1;
                    }
                    Next::Empty => assert_eq!(wanted, model.pushed),
                    other => panic!("{other:?}"),
                }
            }
            Op::Takeover => writer = Writer::resume(&ring),
        }
    }
}

proptest! {
    #[test]
    fn a_ring_is_a_queue_that_drops_its_oldest(ops in ops(), start in prop_oneof![
        Just(0u64), Just(u64::MAX - 70), Just(u64::from(u32::MAX) - 40), any::<u64>()
    ]) {
        check(start, &ops);
    }

    #[test]
    fn nonsense_is_survived(
        ops in prop::collection::vec((0u8..5, any::<u64>(), any::<u64>()), 0..300),
    ) {
        let memory = Memory::new(0, WORDS);
        let ring = memory.ring();
        let mut writer = Writer::resume(&ring);
        let mut cursor = Cursor::at_head(&ring);
        let mut buffer = vec![0; record::FRAME_MAX];
        for (op, a, b) in ops {
            match op {
                0 => memory.words[a as usize % WORDS].store(b, Ordering::Relaxed),
                1 => memory.positions[a as usize % 3].store(b, Ordering::Relaxed),
                // Near misses.
                2 => { memory.positions[a as usize % 3].fetch_add(b % 16, Ordering::Relaxed); }
                3 => { push(&mut writer, &ring, &frame(a, b as usize % 300), 7); }
                _ => if let Next::Frame(record) = cursor.next(&ring, 1, &mut buffer) {
                    prop_assert!(size(record.len) <= WORDS);
                }
            }
        }
        // The owner's next frame is whole again, and who begins at the tail finds it.
        prop_assert!(push(&mut writer, &ring, &frame(9, 100), 50));
        prop_assert!(writer.used() <= WORDS as u64);
        let found = Cursor::at_head(&ring);
        prop_assert!(push(&mut writer, &ring, &frame(10, 99), 50));
        let mut cursor = found;
        let Next::Frame(record) = cursor.next(&ring, 1, &mut buffer) else { panic!() };
        prop_assert_eq!(&buffer[..record.len], &frame(10, 99)[..]);
    }
}

#[test]
fn a_frame_larger_than_the_ring_is_refused() {
    let memory = Memory::new(0, WORDS);
    let mut writer = Writer::resume(&memory.ring());
    assert!(!push(&mut writer, &memory.ring(), &vec![0; WORDS * 8], 0));
    assert!(!push(&mut writer, &memory.ring(), &vec![0; record::FRAME_MAX + 1], 0));
}

#[test]
fn a_buffer_that_is_short_costs_nothing() {
    let memory = Memory::new(0, WORDS);
    let (ring, mut cursor) = (memory.ring(), Cursor::at_head(&memory.ring()));
    let mut writer = Writer::resume(&ring);
    assert!(
        push(&mut writer, &ring, &frame(0, 50), 8) && push(&mut writer, &ring, &frame(1, 20), 8)
    );
    let mut buffer = [0; 50];
    assert_eq!(cursor.next(&ring, 1, &mut buffer[..49]), Next::Longer(50));
    assert!(matches!(cursor.next(&ring, 1, &mut buffer), Next::Frame(r) if r.len == 50));
    assert_eq!(cursor.next(&ring, 1, &mut buffer[..19]), Next::Longer(20));
    cursor.skip(&ring);
    assert_eq!(cursor.next(&ring, 1, &mut buffer), Next::Empty);
}

/// A writer at full speed and readers at theirs: every frame that is taken is whole, in order.
#[test]
fn readers_never_see_half_a_frame() {
    const FRAMES: u64 = 200_000;
    let memory = Memory::new(u64::MAX - 10_000, 1024);
    let begin = Cursor::at_head(&memory.ring());
    let read = |memory: &Memory| {
        let (mut cursor, mut buffer) = (begin, vec![0; 400]);
        let (mut taken, mut next) = (0u64, 0);
        while next < FRAMES {
            let Next::Frame(record) = cursor.next(&memory.ring(), 1, &mut buffer) else {
                std::hint::spin_loop();
                continue;
            };
            assert!(record.sequence >= next, "{} after {next}", record.sequence);
            let len = 14 + record.sequence as usize % 300;
            assert!(buffer[..record.len] == frame(record.sequence, len)[..], "garbled");
            next = record.sequence + 1;
            taken += 1;
        }
        taken
    };
    std::thread::scope(|s| {
        let readers = [s.spawn(|| read(&memory)), s.spawn(|| read(&memory))];
        let mut writer = Writer::resume(&memory.ring());
        for n in 0..FRAMES {
            assert!(push(&mut writer, &memory.ring(), &frame(n, 14 + n as usize % 300), 33));
            if n % 64 == 0 {
                std::thread::yield_now();
            }
        }
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
}

//! Members of a bus in ordinary memory.

use base::atomic::{AtomicU32, AtomicU64};
use proptest::prelude::*;

use super::super::layout::{Found, PAGE, SLOT};
use super::super::member;
use super::*;

/// A bus with room for so many members.
struct Memory {
    header: Vec<AtomicU64>,
    bells: Vec<AtomicU32>,
    slots: Vec<AtomicU64>,
}

impl Memory {
    fn new(slots: usize) -> Memory {
        let words = |n| (0..n).map(|_| AtomicU64::new(0)).collect();
        let bells = (0..PAGE / 4).map(|_| AtomicU32::new(0)).collect();
        let memory = Memory { header: words(PAGE / 8), bells, slots: words(slots * SLOT / 8) };
        let header = memory.map().header().unwrap();
        assert_eq!(header.look(), Found::Nothing);
        header.create(7);
        assert_eq!((header.look(), header.id()), (Found::Bus, 7));
        memory
    }

    fn map(&self) -> Map<'_> {
        Map::new(&self.header, &self.bells, &self.slots)
    }

    fn join(&self, me: usize) -> (Sender, Receiver) {
        let (sender, receiver, _) = take(&self.map(), me, 1).unwrap();
        announce(&self.map(), me, Station::new(mac(me), false));
        (sender, receiver)
    }

    fn send(&self, sender: &mut Sender, dst: MacAddr, frame: &[u8]) -> Result<Sent, SendError> {
        let at = WallTime { seconds: 3, nanoseconds: 4 };
        let what = Outgoing { len: frame.len(), at, left: Left::Nothing };
        sender.send(&self.map(), dst, &what, [frame].into_iter())
    }

    /// What a receiver has: frames, and how many it lost.
    fn drain(&self, receiver: &mut Receiver) -> (Vec<Vec<u8>>, u64) {
        let (mut frames, mut lost, mut buffer) = (Vec::new(), 0, vec![0; 2000]);
        receiver.look(&self.map());
        loop {
            match receiver.next(&self.map(), &mut buffer, |n| lost += n) {
                Next::Frame(record) => frames.push(buffer[..record.len].to_vec()),
                Next::Later => {}
                Next::Longer(len) => buffer.resize(len, 0),
                Next::Empty => return (frames, lost),
            }
        }
    }
}

fn mac(n: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, n as u8])
}

#[test]
fn frames_go_to_those_that_want_them() {
    let memory = Memory::new(4);
    let (mut a, mut a_in) = memory.join(0);
    let (mut b, mut b_in) = memory.join(1);
    let (_, mut c_in) = memory.join(2);
    announce(&memory.map(), 2, Station::new(mac(2), true));
    memory.send(&mut a, mac(1), &[1; 20]).unwrap();
    memory.send(&mut a, mac(9), &[2; 21]).unwrap();
    memory.send(&mut b, MacAddr::BROADCAST, &[3; 22]).unwrap();
    assert_eq!(memory.drain(&mut a_in), (vec![vec![3; 22]], 0));
    assert_eq!(memory.drain(&mut b_in), (vec![vec![1; 20]], 0));
    let (mut all, lost) = memory.drain(&mut c_in);
    all.sort();
    assert_eq!((all, lost), (vec![vec![1; 20], vec![2; 21], vec![3; 22]], 0));
}

#[test]
fn lengths_and_files_that_are_not_theirs_are_refused() {
    let memory = Memory::new(1);
    let (mut a, _) = memory.join(0);
    assert_eq!(memory.send(&mut a, mac(1), &[0; 13]), Err(SendError::Length));
    assert_eq!(memory.send(&mut a, mac(1), &vec![0; 65_554]), Err(SendError::Length));
    assert!(memory.send(&mut a, mac(1), &vec![0; 65_553]).is_ok());
    let (mut again, _) = memory.join(0);
    assert_eq!(memory.send(&mut a, mac(1), &[0; 14]), Err(SendError::Broken));
    assert!(memory.send(&mut again, mac(1), &[0; 14]).is_ok());
    assert!(take(&memory.map(), 1, 1).is_none(), "a map without that slot");
}

#[test]
fn a_slow_reader_loses_its_oldest_frames_counted_and_nobody_elses() {
    let memory = Memory::new(3);
    let (mut a, _) = memory.join(0);
    let (_, mut slow) = memory.join(1);
    let (_, mut quick) = memory.join(2);
    let (mut seen, mut sent) = (Vec::new(), 0u64);
    for n in 0..3000u32 {
        // Those for others do not count.
        let dst = if n % 3 == 0 { mac(2) } else { MacAddr::BROADCAST };
        sent += u64::from(n % 3 != 0);
        let mut frame = vec![0; 200];
        frame[..4].copy_from_slice(&n.to_le_bytes());
        memory.send(&mut a, dst, &frame).unwrap();
        let (frames, lost) = memory.drain(&mut quick);
        assert_eq!((frames, lost), (vec![frame.clone()], 0));
        if n % 3 != 0 {
            seen.push(frame);
        }
    }
    let (frames, lost) = memory.drain(&mut slow);
    assert!(!frames.is_empty() && lost > 0);
    assert_eq!(frames.len() as u64 + lost, sent);
    assert_eq!(frames, seen[seen.len() - frames.len()..]);
    assert_eq!(memory.drain(&mut slow), (vec![], 0), "counted once");
}

#[test]
fn a_new_member_sees_nothing_old() {
    let memory = Memory::new(3);
    let (mut a, _) = memory.join(0);
    // The slot's last owner left frames unread, and bits set.
    let (mut old, _) = memory.join(1);
    memory.send(&mut a, MacAddr::BROADCAST, &[1; 60]).unwrap();
    memory.send(&mut old, MacAddr::BROADCAST, &[2; 60]).unwrap();
    let (_, mut new_in) = memory.join(1);
    assert_eq!(memory.drain(&mut new_in), (vec![], 0));
    let (_, mut third) = memory.join(2);
    assert_eq!(memory.drain(&mut third), (vec![], 0));
    memory.send(&mut a, MacAddr::BROADCAST, &[3; 60]).unwrap();
    assert_eq!(memory.drain(&mut new_in), (vec![vec![3; 60]], 0));
    assert_eq!(memory.drain(&mut third), (vec![vec![3; 60]], 0));
}

#[test]
fn a_bell_rings_once_until_the_receiver_has_looked() {
    let memory = Memory::new(2);
    let (mut a, _) = memory.join(0);
    let (_, mut b_in) = memory.join(1);
    let slot = memory.map().slot(1).unwrap();
    slot.door().doze();
    let mut send = || memory.send(&mut a, mac(1), &[0; 60]).unwrap().wake;
    assert_eq!((send(), send()), (0b10, 0));
    assert_eq!(memory.drain(&mut b_in).0.len(), 2);
    assert_eq!((send(), send()), (0b10, 0));
    assert_eq!(slot.door().bell().load(Ordering::SeqCst), 2);
}

#[test]
fn who_died_before_it_rang_is_rung_for() {
    let memory = Memory::new(3);
    let (mut a, _) = memory.join(0);
    let (mut c, _) = memory.join(2);
    let (_, mut b_in) = memory.join(1);
    let slot = memory.map().slot(1).unwrap();
    memory.drain(&mut b_in);
    let before = slot.door().bell().load(Ordering::SeqCst);
    // The frame is in the ring and the bit is set, and then it dies.
    memory.send(&mut a, mac(1), &[1; 60]).unwrap();
    slot.door().bell().store(before, Ordering::SeqCst);
    // Another sender owes its own ring.
    memory.send(&mut c, mac(1), &[2; 60]).unwrap();
    assert_ne!(slot.door().bell().load(Ordering::SeqCst), before);
    // So does who takes the slot over.
    slot.door().bell().store(before, Ordering::SeqCst);
    slot.door().doze();
    let (_, _, sent) = take(&memory.map(), 0, 1).unwrap();
    assert_eq!(sent.wake, 0b10);
    assert_ne!(slot.door().bell().load(Ordering::SeqCst), before);
    assert_eq!(memory.drain(&mut b_in).0, [vec![1; 60], vec![2; 60]]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Anything may be in the file: nobody panics, nothing goes on for ever, and a frame that two
    /// honest members then exchange arrives once the nonsense has been passed.
    #[test]
    fn garbage_in_every_field(
        scribbles in prop::collection::vec((0u8..3, 0usize..1 << 20, any::<u64>(), 0u8..4), 1..60),
    ) {
        let memory = Memory::new(3);
        let (mut a, mut a_in) = memory.join(0);
        let (mut b, mut b_in) = memory.join(1);
        for (place, at, value, then) in scribbles {
            match place {
                0 => memory.bells[at % memory.bells.len()].store(value as u32, Ordering::Relaxed),
                1 => {
                    // The control words and the beginning of the ring.
                    let at = at % 3 * (SLOT / 8) + at / 3 % 600;
                    memory.slots[at].store(value, Ordering::Relaxed);
                }
                _ => memory.header[5].store(value % 4, Ordering::Relaxed),
            }
            match then {
                0 => _ = memory.send(&mut a, mac(1), &[5; 99]),
                1 => _ = memory.send(&mut b, MacAddr::BROADCAST, &[6; 600]),
                2 => _ = memory.drain(&mut a_in),
                _ => _ = memory.drain(&mut b_in),
            }
        }
        // Members that join anew repair what is theirs.
        memory.header[5].store(2, Ordering::Relaxed);
        let ((mut a, _), (_, mut b_in)) = (memory.join(0), memory.join(1));
        memory.drain(&mut b_in);
        memory.send(&mut a, mac(1), &[7; 70]).unwrap();
        let (frames, _) = memory.drain(&mut b_in);
        prop_assert_eq!(frames.last(), Some(&vec![7; 70]));
    }
}

/// Threads as members: every frame is taken once, or counted as lost.
#[test]
fn all_frames_are_taken_or_counted() {
    const FRAMES: u64 = 30_000;
    const MEMBERS: usize = 3;
    let memory = &Memory::new(MEMBERS);
    let members: Vec<_> = (0..MEMBERS).map(|n| memory.join(n)).collect();
    let done = &AtomicU32::new(0);
    let totals: Vec<(u64, u64)> = std::thread::scope(|s| {
        let run = |(mut sender, mut receiver): (Sender, Receiver)| {
            let (mut taken, mut lost) = (0, 0);
            for n in 0..FRAMES {
                let frame = [n as u8; 120];
                memory.send(&mut sender, MacAddr::BROADCAST, &frame).unwrap();
                if n % 40 == 0 {
                    let (frames, more) = memory.drain(&mut receiver);
                    assert!(frames.iter().all(|f| f.iter().all(|b| *b == f[0])));
                    taken += frames.len() as u64;
                    lost += more;
                }
            }
            done.fetch_add(1, Ordering::SeqCst);
            while done.load(Ordering::SeqCst) < MEMBERS as u32 {
                std::thread::yield_now();
            }
            let (frames, more) = memory.drain(&mut receiver);
            (taken + frames.len() as u64, lost + more)
        };
        let threads: Vec<_> = members.into_iter().map(|m| s.spawn(move || run(m))).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    for (taken, lost) in totals {
        assert_eq!(taken + lost, FRAMES * (MEMBERS as u64 - 1), "{taken} taken, {lost} lost");
    }
}

/// The tests above go through the module's own path.
#[test]
fn bits_go_round() {
    assert_eq!(next_bit(0b1001, 0), 0);
    assert_eq!(next_bit(0b1001, 1), 3);
    assert_eq!(next_bit(0b1001, 4), 0);
    assert_eq!(next_bit(1 << 63, 64), 63);
    assert_eq!(member::bit(65), 2);
}

//! Members that are killed or stopped at any moment: the others go on.
//!
//! Two members in this process ping each other all the time, over the same bus on which children
//! of this process join, send at full speed, and are killed or stopped.

mod peer;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use net::MacAddr;
use peer::{Child, NOISE, PATIENCE, PING, PONG, Peer, told, until};
use rustix::process::Signal;
use shmif_linux::dump::Dump;

/// Two members that ping each other, and check what others send.
struct Pair {
    one: Arc<Peer>,
    _two: Arc<Peer>,
    answered: Arc<(Mutex<u64>, Condvar)>,
    heard: Arc<Noise>,
}

/// What was heard of the children.
#[derive(Default)]
struct Noise {
    frames: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

const TWO: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// Children's frames say who sent them, the how manyth this is, and bytes that follow from that.
fn noise(who: u64, sequence: u64, len: usize) -> Vec<u8> {
    let fill = (0..len as u64).map(|i| (who ^ sequence ^ i) as u8);
    [&who.to_le_bytes()[..], &sequence.to_le_bytes()].concat().into_iter().chain(fill).collect()
}

impl Noise {
    fn check(&self, frame: &[u8]) {
        self.frames.fetch_add(1, Ordering::Relaxed);
        let payload = &frame[14..];
        let word = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
        let (who, sequence) = (word(0), word(8));
        if payload != noise(who, sequence, payload.len() - 16) {
            self.wrong.lock().unwrap().push(format!("garbled frame {sequence} of {who}"));
        }
    }
}

impl Pair {
    fn on(path: &Path) -> Pair {
        let (answered, heard) =
            (Arc::new((Mutex::new(0), Condvar::new())), Arc::<Noise>::default());
        let (answers, noise) = (answered.clone(), heard.clone());
        let hear_one = move |_: &Peer, frame: &[u8]| match kind(frame) {
            PONG => {
                let (last, bell) = &*answers;
                *last.lock().unwrap() = number(frame);
                bell.notify_all();
            }
            NOISE => noise.check(frame),
            _ => {}
        };
        let noise = heard.clone();
        let hear_two = move |me: &Peer, frame: &[u8]| match kind(frame) {
            PING => me.send(MacAddr([2, 0, 0, 0, 0, 1]), PONG, &frame[14..22]).unwrap(),
            NOISE => noise.check(frame),
            _ => {}
        };
        let one = Peer::join(path, [2, 0, 0, 0, 0, 1], hear_one).unwrap();
        Pair { one, _two: Peer::join(path, TWO, hear_two).unwrap(), answered, heard }
    }

    /// One ping; it may be lost to a flood, and is then sent again.
    fn ping(&self, number: u64) {
        let (last, bell) = &*self.answered;
        let mut waited = Duration::ZERO;
        while waited < PATIENCE {
            self.one.send(MacAddr(TWO), PING, &number.to_le_bytes()).unwrap();
            let wait = Duration::from_millis(200);
            let last = last.lock().unwrap();
            let (last, over) = bell.wait_timeout_while(last, wait, |last| *last != number).unwrap();
            if !over.timed_out() {
                return;
            }
            drop(last);
            waited += wait;
        }
        panic!("ping {number} was not answered");
    }

    /// All that was heard was whole; how many frames of children that was.
    fn check(&self) -> u64 {
        assert_eq!(*self.heard.wrong.lock().unwrap(), Vec::<String>::new());
        self.heard.frames.load(Ordering::Relaxed)
    }
}

fn kind(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[12], frame[13]])
}

fn number(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[14..22].try_into().unwrap())
}

/// What children do.
#[test]
fn child() {
    let Some((what, path)) = told() else { return };
    let mac = [2, 1, 0, 0, 0, std::process::id() as u8];
    match what.as_str() {
        "send" => {
            // Hears as well, and does not care.
            let me = Peer::join(&path, mac, |_, _| {}).unwrap();
            for sequence in 0.. {
                let len = 44 + sequence as usize * 37 % 1400;
                let payload = noise(std::process::id().into(), sequence, len);
                me.send(MacAddr::BROADCAST, NOISE, &payload).unwrap();
            }
        }
        "hear" => {
            let _me = Peer::join(&path, mac, |_, _| {}).unwrap();
            loop {
                std::thread::park();
            }
        }
        "join" => loop {
            // Joins and leaves, so that a kill hits that.
            drop(Peer::join(&path, mac, |_, _| {}));
        },
        other => panic!("{other}"),
    }
}

/// Not evenly spread, but not the same each time either.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// Kills `kills` children, each after a random time; the pair on the bus pings between.
fn kill_children(what: &[&str], kills: u32, within: Duration, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let mut random = Random(seed);
    let mut pair = Pair::on(&path);
    let (mut pings, mut frames) = (0, 0);
    for n in 0..kills {
        if n % 100 == 99 {
            // A new file: children race to make it, and are killed at that, too.
            frames += pair.check();
            std::fs::remove_file(&path).unwrap();
            for _ in 0..10 {
                let racers = [Child::start("join", &path), Child::start("join", &path)];
                pause(Duration::from_nanos(random.below(within.as_nanos() as u64)));
                racers.into_iter().for_each(Child::kill);
            }
            pair = Pair::on(&path);
        }
        let children: Vec<_> = what.iter().map(|what| Child::start(what, &path)).collect();
        pause(Duration::from_nanos(random.below(within.as_nanos() as u64)));
        for child in children {
            child.kill();
        }
        pings += 1;
        pair.ping(pings);
    }
    frames += pair.check();
    assert!(frames > u64::from(kills), "hardly a child came to send: {frames} frames");
    Dump::read(&path).unwrap();
}

/// A random moment has no event to wait for.
#[expect(clippy::disallowed_methods, reason = "a random moment has no event to wait for")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[test]
fn senders_are_killed_at_random_points() {
    kill_children(&["send"], 1_500, Duration::from_millis(8), 1);
}

#[test]
fn several_are_killed_at_once() {
    kill_children(&["send", "join", "hear"], 400, Duration::from_millis(12), 2);
}

#[test]
fn a_sender_is_stopped_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let pair = Pair::on(&path);
    let child = Child::start("send", &path);
    let frames = || pair.heard.frames.load(Ordering::Relaxed);
    for round in 0..30 {
        let before = frames();
        until("a frame of the child", || frames() > before);
        child.signal(Signal::STOP);
        for n in 0..20 {
            pair.ping(round * 20 + n + 1);
        }
        child.signal(Signal::CONT);
    }
    child.signal(Signal::STOP);
    child.kill();
    pair.ping(10_000);
    pair.check();
}

#[test]
fn a_stopped_reader_loses_its_own_frames_and_counts_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus");
    let pair = Pair::on(&path);
    let child = Child::start("hear", &path);
    let lost = || Dump::read(&path).unwrap().members.get(2).map(|m| (m.mac.is_some(), m.lost));
    until("the child's joining", || lost().is_some_and(|(present, _)| present));
    child.signal(Signal::STOP);
    for n in 0..5_000 {
        pair.one.send(MacAddr::BROADCAST, NOISE, &noise(1, n, 200)).unwrap();
        if n % 100 == 0 {
            pair.ping(n + 1);
        }
    }
    child.signal(Signal::CONT);
    until("its count of losses", || lost().is_some_and(|(_, lost)| lost > 2_000));
    pair.ping(9_999);
    // Nobody else's: the pair had time for every frame.
    pair.check();
}

//! Two ends joined by a channel that loses, delays, reorders and duplicates: what was written is
//! what is read, once, in order.

use std::collections::{BTreeMap, VecDeque};

use base::Account;

use zerocopy::IntoBytes;

use super::super::ecn::{CE, ECT_0};
use super::super::header::{Control, HEADER_LEN, MAX_OPTIONS, Segment, TcpHeader};
use super::super::isn::{Pair, Secret};
use super::super::rto::{MS, SECOND};
use super::super::seq::Seq;
use super::super::state::{Event, State};
use super::super::syncache::{Offer, Outcome, Place, SynCache};
use super::super::{Settings, Start, Tcb};

const SECRET: Secret = Secret([3, 4]);

fn somebody() -> Place {
    let addr = core::net::SocketAddrV4::new([10, 0, 0, 1].into(), 1);
    Place { pair: Pair { local: addr, peer: addr }, device: 0 }
}

/// A generator of numbers from a seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 16) % n.max(1)
    }

    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// One end, with the buffers that its owner keeps.
pub(super) struct End {
    pub(super) tcb: Tcb<Vec<u8>>,
    to_send: VecDeque<u8>,
    /// All bytes ever read.
    pub(super) read: Vec<u8>,
    /// Received and not read.
    waiting: Vec<u8>,
    capacity: usize,
    pub(super) seen: Event,
    /// It listens, and has no connection yet.
    cache: Option<SynCache>,
    start: Start,
    /// Its receive buffer grows to this.
    pub(super) tuned_to: usize,
}

impl End {
    pub(super) fn new(iss: u32, mss: u16, capacity: usize, settings: Settings) -> Self {
        let start = Start {
            iss: Seq(iss),
            mss,
            room: capacity as u32,
            clock_offset: iss,
            gso_max: 0,
            ecn: false,
            mtu_probing: false,
            settings,
        };
        Self {
            tcb: Tcb::connect(&Account::standalone(), &start, 0),
            to_send: VecDeque::new(),
            read: Vec::new(),
            waiting: Vec::new(),
            capacity,
            seen: Event::empty(),
            cache: None,
            start,
            tuned_to: 0,
        }
    }

    /// One that leaves its segments to be cut by others.
    pub(super) fn with_gso(mut self, gso_max: u16) -> Self {
        self.start.gso_max = gso_max;
        self.tcb = Tcb::connect(&Account::standalone(), &self.start, 0);
        self
    }

    /// One that finds out what its path carries.
    pub(super) fn probing(mut self) -> Self {
        self.start.mtu_probing = true;
        self.tcb = Tcb::connect(&Account::standalone(), &self.start, 0);
        self
    }

    /// One that asks for congestion marks.
    pub(super) fn asking_for_marks(mut self) -> Self {
        self.start.ecn = true;
        self.tcb = Tcb::connect(&Account::standalone(), &self.start, 0);
        self
    }

    /// One that waits to be connected to; with `limit` 0, by cookies alone.
    pub(super) fn listening(mut self, limit: usize) -> Self {
        self.cache = Some(SynCache::new(&Account::standalone(), limit));

        self
    }

    fn handshake(&mut self, seg: &Segment, now: u64) -> Result<(), Option<Segment>> {
        let Some(cache) = &mut self.cache else { return Ok(()) };
        let window = u16::try_from(self.capacity).unwrap_or(u16::MAX);
        let offer = Offer { mss: self.start.mss, window, ecn: true, defer: 0 };
        if seg.has(Control::SYN) {
            return Err(Some(cache.syn(&SECRET, &somebody(), seg, offer, None, now)));
        }
        match cache.finish(&SECRET, &somebody(), seg, false, now) {
            Outcome::Done(done) => {
                let clock_offset = SECRET.clock_offset(&somebody().pair);
                let start = Start { iss: done.iss, clock_offset, ..self.start };
                self.tcb = Tcb::accepted(&Account::standalone(), &start, &done.agreed, now);
                self.cache = None;
                Ok(())
            }
            Outcome::Reply(seg) => Err(Some(seg)),
            Outcome::Full | Outcome::Nothing => Err(None),
        }
    }

    /// When something is due.
    fn deadline(&self) -> Option<u64> {
        match &self.cache {
            Some(cache) => cache.deadline(),
            None => self.tcb.deadline(),
        }
    }

    pub(super) fn write(&mut self, data: &[u8]) {
        self.to_send.extend(data);
        self.tcb.written(data.len() as u32);
    }

    /// Bytes that have arrived, read or not.
    pub(super) fn received(&self) -> usize {
        self.read.len() + self.waiting.len()
    }

    pub(super) fn unsent(&self) -> usize {
        self.to_send.len()
    }

    fn room(&self) -> (u32, u32) {
        ((self.capacity - self.waiting.len().min(self.capacity)) as u32, self.capacity as u32)
    }

    pub(super) fn input(&mut self, seg: &Segment, data: Vec<u8>, now: u64) -> Option<Segment> {
        if let Err(reply) = self.handshake(seg, now) {
            return reply;
        }
        let (room, all) = self.room();
        self.tcb.set_room(room, all);
        let waiting = &mut self.waiting;
        let reply = self.tcb.input(seg, data, now, &mut |data| {
            waiting.extend(data);
            true
        });
        self.tcb.check();
        self.settle();
        assert!(self.waiting.len() <= self.capacity, "more than there is room for");
        reply
    }

    pub(super) fn read_some(&mut self, n: usize, now: u64) {
        let n = n.min(self.waiting.len());
        self.read.extend(self.waiting.drain(..n));
        if let Some(wanted) = self.tcb.wanted_receive_buffer(self.waiting.len() as u32, now) {
            self.capacity = self.capacity.max((wanted as usize).min(self.tuned_to));
        }
        let (room, all) = self.room();
        self.tcb.set_room(room, all);
        self.tcb.read_more();
    }

    pub(super) fn settle(&mut self) {
        let freed = self.tcb.take_freed() as usize;
        self.to_send.drain(..freed);
        self.seen |= self.tcb.take_events();
    }

    /// The next segment with its data.
    pub(super) fn poll(&mut self, now: u64) -> Option<(Segment, Vec<u8>)> {
        if let Some(cache) = &mut self.cache {
            return cache.expire(&SECRET, now).map(|(_, seg)| (seg, Vec::new()));
        }
        let (room, all) = self.room();
        self.tcb.set_room(room, all);
        let seg = self.tcb.poll(now)?;
        self.tcb.check();
        let data = if seg.len > 0 {
            let at = seg.seq.after(self.tcb.data_start()) as usize;
            let end = at + seg.len as usize;
            assert!(end <= self.to_send.len(), "sends what it does not have");
            self.to_send.range(at..end).copied().collect()
        } else {
            Vec::new()
        };
        Some((seg, data))
    }
}

/// How bad a channel is: chances per mille.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) loss: u64,
    pub(super) mark: u64,
    pub(super) duplicate: u64,
    pub(super) reorder: u64,
    pub(super) delay: u64,
    pub(super) jitter: u64,
}

/// Two ends and what is between them.
pub(super) struct Channel {
    pub(super) ends: [End; 2],
    pub(super) now: u64,
    in_flight: BTreeMap<(u64, u64), (usize, Segment, Vec<u8>)>,
    count: u64,
    pub(super) dice: Dice,
    pub(super) weather: Weather,
    pub(super) sent: u64,
    /// Long segments travel whole.
    pub(super) whole: bool,
    /// Longer ones than this, options included, are dropped without a word; 0: none is.
    pub(super) narrow: usize,
}

impl Channel {
    pub(super) fn new(ends: [End; 2], weather: Weather, seed: u64) -> Self {
        let (in_flight, dice) = (BTreeMap::new(), Dice::new(seed));
        Self { ends, now: 0, in_flight, count: 0, dice, weather, sent: 0, whole: false, narrow: 0 }
    }

    fn carry(&mut self, to: usize, seg: Segment, data: Vec<u8>) {
        let unit = if self.whole { 0 } else { usize::from(seg.gso_size) };
        if unit == 0 {
            return self.carry_one(to, seg, data);
        }
        assert!(data.len() > unit && !seg.has(Control::SYN | Control::URG));
        for (n, part) in data.chunks(unit).enumerate() {
            let mut one = seg;
            one.seq += (n * unit) as u32;
            if (n + 1) * unit < data.len() {
                one.control -= Control::FIN | Control::PSH;
            }
            self.carry_one(to, one, part.to_vec());
        }
    }

    fn carry_one(&mut self, to: usize, seg: Segment, data: Vec<u8>) {
        self.sent += 1;
        if self.narrow > 0 && data.len() + seg.options.len() > self.narrow {
            return;
        }
        let marked = seg.ecn == ECT_0 && self.dice.chance(self.weather.mark);
        let ecn = if marked { CE } else { seg.ecn };
        let seg = Segment { ecn, ..through_the_wire(&seg, &data) };
        let copies = 1 + u64::from(self.dice.chance(self.weather.duplicate));
        for _ in 0..copies {
            if self.dice.chance(self.weather.loss) {
                continue;
            }
            let mut late = self.weather.delay + self.dice.below(self.weather.jitter + 1);
            if self.dice.chance(self.weather.reorder) {
                late += self.dice.below(5 * self.weather.delay + 1);
            }
            self.count += 1;
            self.in_flight.insert((self.now + late, self.count), (to, seg, data.clone()));
        }
    }

    /// Sends what is to be sent now.
    pub(super) fn flush(&mut self) {
        for from in 0..2 {
            while let Some((seg, data)) = self.ends[from].poll(self.now) {
                self.carry(1 - from, seg, data);
            }
            self.ends[from].settle();
        }
    }

    /// Goes to the next thing that happens; false if nothing will.
    pub(super) fn step(&mut self) -> bool {
        self.flush();
        let arrival = self.in_flight.keys().next().map(|k| k.0);
        let timers = self.ends.iter().filter_map(End::deadline);
        let Some(next) = timers.chain(arrival).min() else { return false };
        self.now = self.now.max(next);
        while let Some(first) = self.in_flight.first_entry().filter(|f| f.key().0 <= self.now) {
            let (to, seg, data) = first.remove();
            if let Some(reply) = self.ends[to].input(&seg, data, self.now) {
                self.carry(1 - to, reply, Vec::new());
            }
        }
        for end in self.ends.iter_mut().filter(|e| e.cache.is_none()) {
            end.tcb.expire(self.now);
            end.tcb.check();
            end.settle();
        }
        true
    }
}

/// As bytes, and back.
fn through_the_wire(seg: &Segment, data: &[u8]) -> Segment {
    let mut options = [0; MAX_OPTIONS];
    let len = seg.options.emit(&mut options);
    let header = TcpHeader::new(1, 2, seg, len);
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(&options[..len]);
    let (again, opts) = TcpHeader::parse(&bytes, bytes.len() + data.len()).unwrap();
    assert_eq!(again.header_len(), HEADER_LEN + len);
    again.segment(opts, data.len())
}

/// Bytes that show where they belong.
pub(super) fn stream(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|i| ((i >> 8) as u8).wrapping_mul(31) ^ i as u8 ^ salt).collect()
}

/// One connection with everything by chance, from its SYNs to its end.
fn live(seed: u64) {
    let mut dice = Dice::new(seed);
    let calm = dice.chance(200);
    let weather = Weather {
        loss: if calm { 0 } else { dice.below(150) },
        mark: dice.below(300),
        duplicate: if calm { 0 } else { dice.below(100) },
        reorder: if calm { 0 } else { dice.below(200) },
        delay: dice.below(50) * MS,
        jitter: dice.below(5) * MS,
    };
    let mut end = |iss: u32| {
        let mss = 200 + dice.below(1300) as u16;
        let capacity = 500 + dice.below(60_000) as usize;
        let settings = Settings { nodelay: dice.chance(500), ..Settings::default() };
        let gso_max = if dice.chance(500) { 0 } else { 2000 + dice.below(63_000) as u16 };
        let mut end = End::new(iss, mss, capacity, settings).with_gso(gso_max);
        if dice.chance(300) {
            end = end.asking_for_marks();
        }
        // Some peers know less.
        if dice.chance(300) {
            end.tcb.without(dice.chance(500), dice.chance(500));
        }
        end.tcb.set_congestion(if dice.chance(500) { "cubic" } else { "reno" });
        end
    };
    // Numbers wrap on the way in many a run.
    let iss = (seed as u32).wrapping_mul(77_777_777);
    let (active, other) = (end(iss), end(u32::MAX - (seed as u32 % 5000)));
    let other = match dice.below(4) {
        0 => other,
        // A cookie that is never acknowledged leaves nothing behind that would try again.
        1 if weather.loss < 60 => other.listening(0),
        _ => other.listening(4),
    };
    let ends = [active, other];
    let lens = [dice.below(100_000) as usize, dice.below(30_000) as usize];
    let data = [stream(lens[0], 1), stream(lens[1], 2)];
    let mut written = [0, 0];
    let mut channel = Channel::new(ends, weather, seed ^ 0xabcd);
    channel.whole = dice.chance(300);
    let mut steps = 0;
    loop {
        for side in 0..2 {
            let end = &mut channel.ends[side];
            let n = (1 + dice.below(4000) as usize).min(lens[side] - written[side]);
            // Not what belongs to the connection before there is one.
            if end.tcb.can_write() && end.cache.is_none() && end.unsent() < 20_000 && n > 0 {
                end.write(&data[side][written[side]..written[side] + n]);
                written[side] += n;
            }
            let made = end.cache.is_none() && end.tcb.can_write();
            if written[side] == lens[side] && made && dice.chance(300) {
                end.tcb.close();
            }
            if dice.chance(700) {
                end.read_some(dice.below(20_000) as usize, channel.now);
            }
        }
        let over = channel.ends.iter().all(|e| e.tcb.state() == State::Closed);
        if !channel.step() && over {
            break;
        }
        steps += 1;
        assert!(steps < 200_000 && channel.now < 3600 * 24 * SECOND, "seed {seed}: no end");
    }
    for side in 0..2 {
        let end = &mut channel.ends[side];
        end.read_some(usize::MAX, channel.now);
        assert_eq!(
            end.tcb.failure(),
            None,
            "seed {seed}, side {side}, at {} s",
            channel.now / SECOND
        );
        assert_eq!(end.tcb.state(), State::Closed, "seed {seed}, side {side}");
        assert!(end.seen.contains(Event::CONNECTED | Event::PEER_ENDED | Event::CLOSED));
        assert!(end.read == data[1 - side], "seed {seed}: side {side} read something else");
    }
}

#[test]
fn what_was_written_is_read_once_and_in_order_whatever_the_weather() {
    let (from, count) = match std::env::var("TCP_SEEDS") {
        Ok(range) => {
            let (from, count) = range.split_once('+').expect("FROM+COUNT");
            (from.parse().unwrap(), count.parse().unwrap())
        }
        Err(_) => (1, 400),
    };
    (from..from + count).for_each(live);
}

/// Both ends at their best, on a good way: how long things take.
pub(super) fn pair(weather: Weather, seed: u64, capacity: usize) -> Channel {
    let end = |iss| End::new(iss, 1460, capacity, Settings::default());
    let mut channel = Channel::new([end(1000), end(5000)], weather, seed);
    while !channel.ends.iter().all(|e| e.tcb.state() == State::Established) {
        assert!(channel.step());
    }
    channel
}

/// Sends `len` bytes from one end to the other; says how long that took.
pub(super) fn transfer(channel: &mut Channel, len: usize) -> u64 {
    let (start, data) = (channel.now, stream(len, 3));
    let before = channel.ends[1].read.len();
    let mut written = 0;
    while channel.ends[1].read.len() < before + len {
        let end = &mut channel.ends[0];
        while written < len && end.unsent() < 2_000_000 {
            let n = (len - written).min(65_536);
            end.write(&data[written..written + n]);
            written += n;
        }
        assert!(channel.step());
        let now = channel.now;
        channel.ends[1].read_some(usize::MAX, now);
    }
    assert!(channel.ends[1].read[before..] == data[..]);
    channel.now - start
}

#[test]
fn rfc9293_3_5_figure_8_two_syns_that_cross_make_one_connection() {
    let weather = Weather { loss: 0, mark: 0, duplicate: 0, reorder: 0, delay: MS, jitter: 0 };
    let mut channel = pair(weather, 1, 60_000);
    assert!(transfer(&mut channel, 100_000) < SECOND);
    assert!(channel.ends.iter().all(|e| e.seen.contains(Event::CONNECTED)));
}

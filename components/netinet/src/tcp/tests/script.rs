//! Scripts: segments that come in (`<`), segments that must go out (`>`), and time.
//!
//! A line is one of
//! * `< FLAGS seq N ack N len N win N mss N scale N sackok ts V E sack A-B urg N ecn N`: the peer sends it;
//! * `> FLAGS …`: the next segment that goes out; what is not named may be anything;
//! * `+MS`: so many milliseconds pass;
//! * `write N`, `read N`, `close`, `abort`, `deafen`, `mtu N`, `cork on`, `quickack on`: the user;
//! * `state NAME`, `got N`, `unsent N`, `failed NAME`: what must hold. `#` begins a remark.
//!
//! Numbers are counted from each side's SYN. Flags are letters of S, A, F, R, P, U, E (ECE), C (CWR). Whatever goes
//! out must be expected, in order, before the next line that does something.

use std::collections::VecDeque;

use super::super::Settings;
use super::super::header::{Control, Segment};
use super::super::rto::MS;
use super::super::seq::Seq;
use super::channel::End;

const OURS: u32 = 1000;
const THEIRS: u32 = u32::MAX - 700;
/// What a segment of this side carries, options included, and the buffer for what arrives.
const MSS: u16 = 1000;
const ROOM: usize = 10_000;

struct Script {
    end: End,
    now: u64,
    out: VecDeque<Segment>,
    settings: Settings,
}

/// Runs a script.
pub(super) fn script(text: &str) {
    script_with(Settings::default(), text);
}

/// The same with settings.
pub(super) fn script_with(settings: Settings, text: &str) {
    run(End::new(OURS, MSS, ROOM, settings), settings, text);
}

/// The same for an end that finds out what its path carries.
pub(super) fn script_with_probing(mss: u16, text: &str) {
    run(End::new(OURS, mss, ROOM, Settings::default()).probing(), Settings::default(), text);
}

/// The same for an end that asks for congestion marks.
pub(super) fn script_with_marks(text: &str) {
    let end = End::new(OURS, MSS, ROOM, Settings::default()).asking_for_marks();
    run(end, Settings::default(), text);
}

fn run(end: End, settings: Settings, text: &str) {
    let mut script = Script { end, now: 0, out: VecDeque::new(), settings };
    script.pump();
    for (n, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if !line.is_empty() {
            let what = format!("line {}: {line}", n + 1);
            script.line(line, &what);
        }
    }
    script.quiet("at the end");
}

fn control(letters: &str) -> Control {
    letters.chars().fold(Control::empty(), |all, c| {
        all | match c {
            'S' => Control::SYN,
            'A' => Control::ACK,
            'F' => Control::FIN,
            'R' => Control::RST,
            'P' => Control::PSH,
            'U' => Control::URG,
            'E' => Control::ECE,
            'C' => Control::CWR,
            _ => panic!("no flag {c}"),
        }
    })
}

fn int<'a>(words: &mut impl Iterator<Item = &'a str>) -> u32 {
    words.next().expect("a number").parse().expect("a number")
}

impl Script {
    fn pump(&mut self) {
        while let Some((seg, _)) = self.end.poll(self.now) {
            self.out.push_back(seg);
        }
        self.end.settle();
    }

    fn quiet(&mut self, what: &str) {
        assert!(self.out.is_empty(), "{what}: first it sent {:?}", self.out);
    }

    fn line(&mut self, line: &str, what: &str) {
        let (first, rest) = line.split_at(1);
        let mut words = line.split_whitespace();
        match first {
            ">" => return self.expect(rest, what),
            "<" => {
                self.quiet(what);
                let seg = parse(rest, THEIRS, OURS, Control::empty()).0;
                let data = vec![b'x'; seg.len as usize];
                if let Some(reply) = self.end.input(&seg, data, self.now) {
                    self.out.push_back(reply);
                }
            }
            "+" => {
                self.quiet(what);
                let until = self.now + rest.parse::<u64>().expect("a time") * MS;
                while let Some(due) = self.end.tcb.deadline().filter(|due| *due <= until) {
                    self.now = due.max(self.now);
                    self.end.tcb.expire(self.now);
                    self.pump();
                }
                self.now = until;
            }
            _ => self.user(&mut words, what),
        }
        self.pump();
    }

    fn user<'a>(&mut self, words: &mut impl Iterator<Item = &'a str>, what: &str) {
        let verb = words.next().unwrap_or_default();
        if !matches!(verb, "state" | "got" | "unsent" | "failed") {
            self.quiet(what);
        }
        match verb {
            "write" => self.end.write(&vec![b'y'; int(words) as usize]),
            "read" => self.end.read_some(int(words) as usize, self.now),
            "close" => self.end.tcb.close(),
            "abort" => self.end.tcb.abort(),
            "deafen" => self.end.tcb.deafen(self.now),
            "mtu" => self.end.tcb.narrow(int(words)),
            word @ ("cork" | "quickack") => {
                let on = words.next() == Some("on");
                let settings = match word {
                    "cork" => Settings { cork: on, ..self.settings },
                    _ => Settings { quickack: on, ..self.settings },
                };
                self.settings = settings;
                self.end.tcb.set(settings, self.now);
            }
            "urgent" => self.end.tcb.mark_urgent(),
            "state" => assert_eq!(self.end.tcb.state().name(), words.next().unwrap(), "{what}"),
            "got" => assert_eq!(self.end.received(), int(words) as usize, "{what}"),
            "unsent" => assert_eq!(self.end.unsent(), int(words) as usize, "{what}"),
            "failed" => {
                let failure = self.end.tcb.failure().map(|f| format!("{f:?}"));
                assert_eq!(failure.as_deref(), words.next(), "{what}");
            }
            _ => panic!("{what}: no such line"),
        }
    }

    fn expect(&mut self, text: &str, what: &str) {
        let got = self.out.pop_front().unwrap_or_else(|| panic!("{what}: nothing was sent"));
        // PSH only where it is named, or no script would be readable.
        let ignore = if text.contains('P') { Control::empty() } else { Control::PSH };
        let (want, named) = parse(text, OURS, THEIRS, ignore);
        let got_control = got.control - ignore;
        assert_eq!(got_control, want.control, "{what}: it was {got:?}");
        for name in named {
            let same = match name.as_str() {
                "seq" => got.seq == want.seq,
                "ack" => got.ack == want.ack,
                "len" => got.len == want.len,
                "win" => got.window == want.window,
                "urg" => got.urgent == want.urgent,
                "mss" => got.options.mss == want.options.mss,
                "scale" => got.options.scale == want.options.scale,
                "sackok" => got.options.sack_permitted,
                "ts" => got.options.timestamps == want.options.timestamps,
                "sack" => got.options.sack == want.options.sack,
                "bare" => got.options.is_empty(),
                "ecn" => got.ecn == want.ecn,
                _ => panic!("{what}: no field {name}"),
            };
            let (seq, ack) = (got.seq.0.wrapping_sub(OURS), got.ack.0.wrapping_sub(THEIRS));
            assert!(same, "{what}: {name} differs; it was seq {seq} ack {ack} of {got:?}");
        }
    }
}

/// A segment, and the fields that were named.
fn parse(text: &str, from: u32, to: u32, ignore: Control) -> (Segment, Vec<String>) {
    let mut words = text.split_whitespace();
    let control = control(words.next().unwrap_or_default().trim_matches('.')) - ignore;
    let mut seg = Segment { control, window: 20_000, ..Segment::default() };
    (seg.seq, seg.ack) = (Seq(from), Seq(to));
    let mut named = Vec::new();
    while let Some(name) = words.next() {
        named.push(name.to_owned());
        match name {
            "seq" => seg.seq = Seq(from) + int(&mut words),
            "ack" => seg.ack = Seq(to) + int(&mut words),
            "len" => seg.len = int(&mut words),
            "win" => seg.window = int(&mut words) as u16,
            "urg" => seg.urgent = int(&mut words) as u16,
            "mss" => seg.options.mss = Some(int(&mut words) as u16),
            "scale" => seg.options.scale = Some(int(&mut words) as u8),
            "sackok" => seg.options.sack_permitted = true,
            "ts" => seg.options.timestamps = Some((int(&mut words), int(&mut words))),
            "sack" => {
                let (a, b) = words.next().and_then(|w| w.split_once('-')).expect("A-B");
                let at = |n: &str| Seq(to) + n.parse::<u32>().expect("a number");
                seg.options.sack.push((at(a), at(b)));
            }
            "bare" => {}
            "ecn" => seg.ecn = int(&mut words) as u8,
            _ => panic!("no field {name}"),
        }
    }
    (seg, named)
}

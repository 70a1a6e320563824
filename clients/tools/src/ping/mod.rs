//! ping: whether a host answers, and how long that takes.
//!
//! With a raw socket, whose packets have their IP header, so that hops are known and troubles
//! on the way are told; who may not have one gets a socket for echo requests, which everybody may
//! have.
//!
//! Locking: none. Sources: RFC 792; iputils ping(8) (options, lines, exit status).

mod statistics;

use std::io::{self, ErrorKind, Write};
use std::mem::ManuallyDrop;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use remote::{Client, IcmpSocket, RawSocket};

use crate::arguments::Arguments;
use crate::definition::{Example, NUMERIC, Opt, Tool};
use crate::failure::{Advice, Failure, errno, plain, told};
use crate::icmp::{self, Message, Received};
use crate::{address, server, signal};

use statistics::{Answer, Statistics, round_trip};

const COUNT: Opt = Opt::value('c', "COUNT", "stop after COUNT requests");
const INTERVAL: Opt =
    Opt::value('i', "SECONDS", "time between two requests (1); 0: as fast as they are answered");
const SIZE: Opt = Opt::value('s', "BYTES", "data in a request (56)");
const TTL: Opt = Opt::value('t', "HOPS", "hops that requests may take (255; to a group: 1)");
const TIMEOUT: Opt = Opt::value('W', "SECONDS", "time to wait for the last answer (10)");
const DEADLINE: Opt = Opt::value('w', "SECONDS", "stop after so long, whatever was answered");
const QUIET: Opt = Opt::flag('q', "print nothing but the statistics");
const BROADCAST: Opt = Opt::flag('b', "allow a broadcast address");

pub(crate) const TOOL: Tool = Tool {
    name: "ping",
    about: "ask a host whether it is there, from within a kernel",
    usage: &[
        "[-bnq] [-c COUNT] [-i SECONDS] [-s BYTES] [-t HOPS] [-W SECONDS] [-w SECONDS] ADDRESS",
    ],
    options: &[&COUNT, &INTERVAL, &SIZE, &TTL, &TIMEOUT, &DEADLINE, &QUIET, &BROADCAST, &NUMERIC],
    words: &[],
    permutes: true,
    notes: "Times are those of this program, so they have the way to the server and back in them. \
            ^C ends it with the statistics. The exit status is 0 if there was an answer, 1 if \
            there was none, 2 if it could not be asked.",
    examples: &[
        Example { does: "asks until ^C", arguments: "10.0.0.1" },
        Example { does: "asks once", arguments: "-c 1 10.0.0.1" },
        Example { does: "waits half a second at most", arguments: "-c 1 -W 0.5 10.0.0.1" },
        Example {
            does: "a thousand long ones, at once",
            arguments: "-q -c 1000 -i 0 -s 1400 10.0.0.1",
        },
    ],
    failure: 2,
    run,
};

/// How long the last answer is waited for, if nobody answered.
const LINGER: Duration = Duration::from_secs(10);
/// The shortest pause to a host that does not answer.
const SHORTEST: Duration = Duration::from_millis(10);
/// What a packet can go through, and does unless somebody says less: as in BSD, so that figure 3.31
/// of the book works with 255 networks.
const MAX_TTL: u32 = 255;

/// The most that fits into a packet of IP beside the headers.
const MAX_SIZE: usize = 65_507;
const MAX_PACKET: usize = 65_535;

const ADVICE: Advice = &[
    (errno::NETUNREACH, "there is no route to it; see `rump.route show`, `rump.route add`"),
    (errno::HOSTUNREACH, "there is no way to it"),
    (errno::ACCES, "this is a broadcast address; -b allows it"),
    (errno::MSGSIZE, "the request is longer than the kernel sends"),
];

/// What is to be done.
struct How {
    to: Ipv4Addr,
    count: Option<u64>,
    interval: Duration,
    size: usize,
    ttl: u32,
    timeout: Option<Duration>,
    deadline: Option<Duration>,
    quiet: bool,
    broadcast: bool,
}

impl How {
    fn of(arguments: &Arguments) -> Result<How, Failure> {
        let to = match arguments.words.as_slice() {
            [to] => address::address(to)?,
            [] => return Err(Failure::misuse("whom? an ADDRESS is missing")),
            [_, word, ..] => {
                return Err(Failure::misuse(format!("\"{word}\" is one word too many")));
            }
        };
        let time = |opt| arguments.value::<Time>(opt, "a number of seconds, as 0.5 is");
        let count = arguments.value(&COUNT, "a number")?;
        let size = arguments.value(&SIZE, "a number of bytes")?.unwrap_or(56);
        let usual = if to.is_multicast() { 1 } else { MAX_TTL };
        let ttl = arguments.value(&TTL, "a number of hops")?.unwrap_or(usual);
        if count == Some(0) {
            return Err(Failure::misuse("-c COUNT: at least one"));
        }
        if size > MAX_SIZE {
            return Err(Failure::misuse(format!("-s BYTES: {MAX_SIZE} at most")));
        }
        if !(1..=MAX_TTL).contains(&ttl) {
            return Err(Failure::misuse("-t HOPS: from 1 to 255"));
        }
        Ok(How {
            to,
            count,
            interval: time(&INTERVAL)?.map_or(Duration::from_secs(1), |time| time.0),
            size,
            ttl,
            timeout: time(&TIMEOUT)?.map(|time| time.0),
            deadline: time(&DEADLINE)?.map(|time| time.0),
            quiet: arguments.has(&QUIET),
            broadcast: arguments.has(&BROADCAST),
        })
    }
}

/// A time in seconds.
pub(crate) struct Time(pub(crate) Duration);

impl std::str::FromStr for Time {
    type Err = ();

    fn from_str(text: &str) -> Result<Time, ()> {
        let seconds: f64 = text.parse().map_err(|_| ())?;
        // A year is for ever.
        let time = Duration::try_from_secs_f64(seconds).map_err(|_| ())?;
        Ok(Time(time.min(Duration::from_secs(365 * 24 * 3600))))
    }
}

/// Never closed: sockets end with the process, without a round trip.
enum Socket {
    Raw(ManuallyDrop<RawSocket>),
    /// And whether it has a peer.
    Echo(ManuallyDrop<IcmpSocket>, bool),
}

impl Socket {
    fn open(client: &Client, how: &How) -> Result<Socket, Failure> {
        let failed = |e: io::Error| told(&how.to.to_string(), &e, ADVICE);
        match RawSocket::new(client, icmp::ICMP) {
            Ok(socket) => {
                match how.to.is_multicast() {
                    true => socket.set_multicast_ttl_v4(how.ttl),
                    false => socket.set_ttl(how.ttl),
                }
                .map_err(failed)?;
                how.broadcast.then(|| socket.set_broadcast(true)).transpose().map_err(failed)?;
                Ok(Socket::Raw(ManuallyDrop::new(socket)))
            }
            Err(e) if e.raw_os_error() == Some(errno::PERM) => {
                let socket = IcmpSocket::new(client).map_err(failed)?;
                match how.to.is_multicast() {
                    true => socket.set_multicast_ttl_v4(how.ttl),
                    false => socket.set_ttl(how.ttl),
                }
                .map_err(failed)?;
                how.broadcast.then(|| socket.set_broadcast(true)).transpose().map_err(failed)?;
                // So that what goes wrong on the way is told. Whoever answers for many is another.
                let one = !how.to.is_multicast() && !how.broadcast;
                one.then(|| socket.connect(how.to)).transpose().map_err(failed)?;
                Ok(Socket::Echo(ManuallyDrop::new(socket), one))
            }
            Err(e) => Err(failed(e)),
        }
    }

    fn send(&self, message: &[u8], to: Ipv4Addr) -> io::Result<usize> {
        match self {
            Socket::Raw(socket) => socket.send_to(message, to),
            Socket::Echo(socket, true) => socket.send(message),
            Socket::Echo(socket, false) => socket.send_to(message, to),
        }
    }

    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        // No time at all would be for ever.
        let timeout = Some(timeout.max(Duration::from_micros(1)));
        match self {
            Socket::Raw(socket) => socket.set_read_timeout(timeout),
            Socket::Echo(socket, _) => socket.set_read_timeout(timeout),
        }
    }

    fn receive(&self, room: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Raw(socket) => socket.recv(room),
            Socket::Echo(socket, _) => socket.recv(room),
        }
    }
}

/// A run.
struct Session<'a> {
    how: &'a How,
    socket: Socket,
    ident: u16,
    began: Instant,
    data: Vec<u8>,
    sequence: u16,
    statistics: Statistics,
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let how = How::of(arguments)?;
    let client = server::connect(arguments)?;
    let socket = Socket::open(&client, &how)?;
    signal::watch();
    let (to, size) = (how.to, how.size);
    writeln!(out, "PING {to} ({to}) {size}({}) bytes of data.", size + icmp::HEADER_LEN + 20)?;
    out.flush()?;
    let mut session = Session {
        how: &how,
        socket,
        // Processes of a kernel have numbers of their own.
        ident: client.pid() as u16,
        began: Instant::now(),
        data: (0..size).map(|at| at as u8).collect(),
        sequence: 0,
        statistics: Statistics::default(),
    };
    let done = session.go(out);
    let statistics = &session.statistics;
    if done.is_ok() || statistics.transmitted > 0 {
        statistics.write(to, session.began.elapsed(), out)?;
    }
    done?;
    let too_few = how.deadline.is_some() && how.count.is_some_and(|n| statistics.received < n);
    Ok(u8::from(statistics.received == 0 || too_few))
}

impl Session<'_> {
    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn go(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let how = self.how;
        let (mut next, mut room) = (Duration::ZERO, vec![0; (how.size + 128).min(MAX_PACKET)]);
        loop {
            let now = self.now();
            let deadline = how.deadline.unwrap_or(Duration::MAX);
            if signal::came() || now >= deadline {
                return Ok(());
            }
            let all_sent = how.count.is_some_and(|count| self.statistics.transmitted >= count);
            if all_sent && self.is_done(now, next) {
                return Ok(());
            }
            if !all_sent && now >= next {
                self.send(out)?;
                next = self.now().max(next + how.interval);
                if how.interval < SHORTEST {
                    next = now + SHORTEST;
                }
                continue;
            }
            let until = if all_sent { self.end(next) } else { next };
            let wait = until.min(deadline).saturating_sub(now);
            let failed = |e: io::Error| told(&how.to.to_string(), &e, ADVICE);
            match self.socket.set_timeout(wait) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                done => done.map_err(failed)?,
            }
            match self.socket.receive(&mut room) {
                Ok(len) => {
                    let packet = room.get(..len).unwrap_or_default();
                    if self.receive(packet, out)? && how.interval < SHORTEST {
                        next = self.now().min(next);
                    }
                }
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(e) if e.raw_os_error() == Some(errno::NOTCONN) => return Err(failed(e)),
                Err(e) => {
                    self.statistics.errors += 1;
                    self.line(format_args!("From the way to {}: {}", how.to, plain(&e)), out)?;
                }
            }
        }
    }

    /// When the last answer is given up; `last`: when the request after it would have been sent.
    fn end(&self, last: Duration) -> Duration {
        let sent = last.saturating_sub(self.how.interval);
        let linger = match (self.how.timeout, self.statistics.longest()) {
            (None, Some(longest)) => (2 * longest).max(self.how.interval),
            (timeout, _) => timeout.unwrap_or(LINGER),
        };
        sent + linger
    }

    fn is_done(&self, now: Duration, last: Duration) -> bool {
        let Statistics { transmitted, received, errors, .. } = &self.statistics;
        received + errors >= *transmitted || now >= self.end(last)
    }

    fn send(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = icmp::echo(self.ident, self.sequence, &self.data);
        let at = self.now();
        match self.socket.send(&message, self.how.to) {
            Ok(_) => {
                self.statistics.sent(self.sequence, at);
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => Ok(()),
            // What passes by itself: a full queue, a neighbour that does not answer yet.
            Err(e)
                if self.statistics.transmitted > 0 && e.raw_os_error() != Some(errno::NOTCONN) =>
            {
                self.statistics.sent(self.sequence, at);
                self.statistics.errors += 1;
                self.line(format_args!("{}: {}", self.how.to, plain(&e)), out)
            }
            Err(e) => Err(told(&self.how.to.to_string(), &e, ADVICE)),
        }
    }

    /// Looks at what came; says whether it is an answer.
    fn receive(&mut self, packet: &[u8], out: &mut dyn Write) -> Result<bool, Failure> {
        let at = self.now();
        let raw = matches!(self.socket, Socket::Raw(_));
        let received = if raw {
            Received::parse(packet)
        } else {
            let message = Message::parse(packet);
            message.map(|message| Received { from: self.how.to, ttl: 0, message })
        };
        let Some(Received { from, ttl, message }) = received else { return Ok(false) };
        match message {
            // The kernel chose another identifier for a socket that is not raw.
            Message::Reply { ident, sequence, len, data } if ident == self.ident || !raw => {
                let (time, again) = match self.statistics.answered(sequence, at) {
                    Answer::First(time) => (time, ""),
                    Answer::Again(time) => (time, " (DUP!)"),
                    Answer::Stray => return Ok(false),
                };
                let ttl = if raw { format!(" ttl={ttl}") } else { String::new() };
                let changed = if *data == *self.data { "" } else { " (changed on its way!)" };
                let time = round_trip(time);
                self.line(
                    format_args!(
                        "{len} bytes from {from}: icmp_seq={sequence}{ttl} time={time} ms\
                         {again}{changed}"
                    ),
                    out,
                )?;
                Ok(true)
            }
            Message::Error { what, quoted } if quoted.is_echo_of(self.ident, self.how.to) => {
                self.statistics.errors += 1;
                let (sequence, what) = (quoted.word(6), what.in_words());
                self.line(format_args!("From {from} icmp_seq={sequence} {what}"), out)?;
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn line(&self, line: std::fmt::Arguments<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        if !self.how.quiet {
            writeln!(out, "{line}")?;
            out.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::tests::read;

    fn how(line: &str) -> Result<How, String> {
        read(&TOOL, line).and_then(|arguments| How::of(&arguments)).map_err(|e| e.to_string())
    }

    #[test]
    fn options() {
        let all = how("-c 3 -i 0.2 10.0.0.1 -s1400 -t 5 -W .5 -w 9 -qn").unwrap();
        assert_eq!((all.count, all.size, all.ttl, all.quiet), (Some(3), 1400, 5, true));
        assert_eq!(all.interval, Duration::from_millis(200));
        assert_eq!(all.timeout, Some(Duration::from_millis(500)));
        assert_eq!(all.deadline, Some(Duration::from_secs(9)));
        let usual = how("10.0.0.1").unwrap();
        assert_eq!((usual.size, usual.ttl), (56, 255));
        let group = how("224.0.0.1").unwrap();
        assert_eq!(group.ttl, 1);
        for (line, says) in [
            ("", "ADDRESS is missing"),
            ("10.0.0.1 10.0.0.2", "too many"),
            ("host", "no IPv4 address"),
            ("-c 0 10.0.0.1", "at least one"),
            ("-c x 10.0.0.1", "not a number"),
            ("-i -1 10.0.0.1", "seconds"),
            ("-i nan 10.0.0.1", "seconds"),
            ("-s 65508 10.0.0.1", "65507 at most"),
            ("-t 0 10.0.0.1", "1 to 255"),
            ("-t 256 10.0.0.1", "1 to 255"),
        ] {
            let e = how(line).err().unwrap();
            assert!(e.contains(says), "{line}: {e}");
        }
    }
}

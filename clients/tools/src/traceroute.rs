//! traceroute: the routers on the way to a host.
//!
//! Datagrams with more and more hops go to ports where nobody waits; a raw socket hears who drops
//! them. Each probe has a port of its own, by which its answer is known.
//!
//! Locking: none. Sources: RFC 1393 (introduction); RFC 792; NetBSD traceroute(8).

use std::io::{self, ErrorKind, Write};
use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use remote::{RawSocket, UdpSocket};

use crate::arguments::Arguments;
use crate::definition::{Example, NUMERIC, Opt, Tool};
use crate::failure::{Advice, Failure, errno, told};
use crate::icmp::{self, Message, Received, Trouble};
use crate::ping::Time;
use crate::{address, server};

const FIRST: Opt = Opt::value('f', "HOPS", "hops of the first probe (1)");
const MAX: Opt = Opt::value('m', "HOPS", "hops of the last (30)");
const QUERIES: Opt = Opt::value('q', "COUNT", "probes for each number of hops (3)");
const WAIT: Opt = Opt::value('w', "SECONDS", "time to wait for an answer (5)");
const PORT: Opt = Opt::value('p', "PORT", "port of the first probe; each takes the next (33434)");

pub(crate) const TOOL: Tool = Tool {
    name: "traceroute",
    about: "show the routers on the way from a kernel to a host",
    usage: &["[-n] [-f HOPS] [-m HOPS] [-q COUNT] [-w SECONDS] [-p PORT] ADDRESS"],
    options: &[&FIRST, &MAX, &QUERIES, &WAIT, &PORT, &NUMERIC],
    words: &[],
    permutes: true,
    notes: "A star is a probe that nobody answered. Behind a time, !H, !N and !P say that the host, \
            the network or the protocol is unreachable, and !X that packets are filtered. Only \
            the kernel's root may hear the answers.",
    examples: &[
        Example { does: "all routers", arguments: "10.0.0.1" },
        Example {
            does: "one probe each, at most 300 routers",
            arguments: "-q 1 -m 255 -w 1 10.0.0.1",
        },
    ],
    failure: 1,
    run,
};

/// Bytes of a probe's data.
const DATA: [u8; 12] = [0; 12];
const PACKET: usize = DATA.len() + 28;

const ADVICE: Advice = &[
    (errno::PERM, "only the kernel's root may hear what routers say; use ping instead"),
    (errno::NETUNREACH, "there is no route to it; see `rump.route show`, `rump.route add`"),
];

/// What is to be done.
struct How {
    to: Ipv4Addr,
    first: u32,
    max: u32,
    queries: u32,
    wait: Duration,
    port: u16,
}

impl How {
    fn of(arguments: &Arguments) -> Result<How, Failure> {
        let to = match arguments.words.as_slice() {
            [to] => address::address(to)?,
            [] => return Err(Failure::misuse("where to? an ADDRESS is missing")),
            [_, word, ..] => {
                return Err(Failure::misuse(format!("\"{word}\" is one word too many")));
            }
        };
        let number = |opt: &Opt, otherwise, most| {
            let n = arguments.value(opt, "a number")?.unwrap_or(otherwise);
            if (1..=most).contains(&n) {
                return Ok(n);
            }
            Err(Failure::misuse(format!("{}: from 1 to {most}", opt.spelling())))
        };
        let (first, max) = (number(&FIRST, 1, 255)?, number(&MAX, 30, 255)?);
        if first > max {
            return Err(Failure::misuse(format!("-f {first} is more than -m {max}")));
        }
        let wait = arguments.value::<Time>(&WAIT, "a number of seconds, as 0.5 is")?;
        Ok(How {
            to,
            first,
            max,
            queries: number(&QUERIES, 3, 100)?,
            wait: wait.map_or(Duration::from_secs(5), |time| time.0),
            port: number(&PORT, 33434, 65_535)? as u16,
        })
    }
}

/// An answer to a probe.
struct Answer {
    from: Ipv4Addr,
    what: Trouble,
    took: Duration,
}

/// Sends probes and hears answers.
struct Prober {
    udp: ManuallyDrop<UdpSocket>,
    raw: ManuallyDrop<RawSocket>,
    to: Ipv4Addr,
    own_port: u16,
    wait: Duration,
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let how = How::of(arguments)?;
    let client = server::connect(arguments)?;
    let failed = |e: io::Error| told(&how.to.to_string(), &e, ADVICE);
    let raw = ManuallyDrop::new(RawSocket::new(&client, icmp::ICMP).map_err(failed)?);
    let udp = ManuallyDrop::new(UdpSocket::bind(&client, "0.0.0.0:0").map_err(failed)?);
    let own_port = udp.local_addr().map_err(failed)?.port();
    let prober = Prober { udp, raw, to: how.to, own_port, wait: how.wait };
    let (to, max) = (how.to, how.max);
    writeln!(out, "traceroute to {to} ({to}), {max} hops max, {PACKET} byte packets")?;
    let mut port = how.port;
    for ttl in how.first..=how.max {
        prober.udp.set_ttl(ttl).map_err(failed)?;
        write!(out, "{ttl:2}")?;
        out.flush()?;
        let (mut last, mut ended) = (None, false);
        for _ in 0..how.queries {
            let answer = prober.probe(port).map_err(failed)?;
            ended |= answer.as_ref().is_some_and(|answer| !answer.what.is_time_exceeded());
            shown(answer.as_ref(), &mut last, out)?;
            out.flush()?;
            port = port.checked_add(1).unwrap_or(how.port);
        }
        writeln!(out)?;
        if ended {
            break;
        }
    }
    Ok(0)
}

fn shown(
    answer: Option<&Answer>,
    last: &mut Option<Ipv4Addr>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let Some(Answer { from, what, took }) = answer else { return Ok(write!(out, "  *")?) };
    if *last != Some(*from) {
        write!(out, "  {from}")?;
        *last = Some(*from);
    }
    Ok(write!(out, "  {:.3} ms{}", took.as_secs_f64() * 1000.0, what.mark())?)
}

impl Prober {
    /// Sends a probe to `port` and waits for its answer.
    fn probe(&self, port: u16) -> io::Result<Option<Answer>> {
        let sent = Instant::now();
        match self.udp.send_to(&DATA, SocketAddr::from((self.to, port))) {
            Ok(_) => {}
            // What came back of an earlier probe; it is heard on the other socket.
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable
                ) =>
            {
                self.udp.send_to(&DATA, SocketAddr::from((self.to, port)))?;
            }
            Err(e) => return Err(e),
        }
        let mut room = [0; 576];
        loop {
            let left = self.wait.saturating_sub(sent.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            self.raw.set_read_timeout(Some(left))?;
            let len = match self.raw.recv(&mut room) {
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                len => len?,
            };
            let took = sent.elapsed();
            if let Some((from, what)) = self.answer(room.get(..len).unwrap_or_default(), port) {
                return Ok(Some(Answer { from, what, took }));
            }
        }
    }

    /// What a packet says about the probe to `port`, if it is about that.
    fn answer(&self, packet: &[u8], port: u16) -> Option<(Ipv4Addr, Trouble)> {
        let Received { from, message: Message::Error { what, quoted }, .. } =
            Received::parse(packet)?
        else {
            return None;
        };
        let ours = (quoted.dst, quoted.protocol) == (self.to, icmp::UDP)
            && (quoted.word(0), quoted.word(2)) == (self.own_port, port);
        ours.then_some((from, what))
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
        let all = how("-f 2 -m 9 -q 1 -w 0.5 -p 7 -n 10.0.0.1").unwrap();
        assert_eq!((all.first, all.max, all.queries, all.port), (2, 9, 1, 7));
        assert_eq!(all.wait, Duration::from_millis(500));
        for (line, says) in [
            ("", "ADDRESS is missing"),
            ("-f 0 10.0.0.1", "from 1 to 255"),
            ("-f 9 -m 8 10.0.0.1", "more than -m 8"),
            ("-q 101 10.0.0.1", "from 1 to 100"),
            ("-p 65536 10.0.0.1", "from 1 to 65535"),
        ] {
            let e = how(line).err().unwrap();
            assert!(e.contains(says), "{line}: {e}");
        }
    }
}

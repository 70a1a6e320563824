//! nc: a connection, or datagrams, between a kernel's network and this program's input and output.
//!
//! * `talk`: what is done with a socket, once there is one.
//!
//! Locking: none. Sources: OpenBSD nc(1) (options, what the end of the input means).

mod talk;

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use remote::{Client, Events, Poll, TcpListener, TcpStream, UdpSocket, poll};

use crate::arguments::Arguments;
use crate::definition::{Example, NUMERIC, Opt, Tool};
use crate::failure::{Advice, Failure, errno, told};
use crate::ping::Time;
use crate::{address, server};

const LISTEN: Opt = Opt::flag('l', "wait for a connection to PORT instead of making one");
const KEEP: Opt = Opt::flag('k', "with -l: after one connection wait for the next; sends nothing");
const DATAGRAMS: Opt = Opt::flag('u', "UDP: what is read at once is a datagram");
const SHUT: Opt = Opt::flag('N', "tell the other side when the input has ended");
const DEAF: Opt = Opt::flag('d', "do not read the input");
const SCAN: Opt = Opt::flag('z', "only see whether somebody listens; send nothing");
const VERBOSE: Opt = Opt::flag('v', "say on the error output what happens");
const SOURCE: Opt = Opt::value('s', "ADDRESS", "the address to send from");
const PORT: Opt = Opt::value('p', "PORT", "the port to send from");
const WAIT: Opt = Opt::value(
    'w',
    "SECONDS",
    "give up connecting, and end when nothing comes or goes, after so long",
);

pub(crate) const TOOL: Tool = Tool {
    name: "nc",
    about: "connect input and output with the network of a kernel",
    usage: &[
        "[-dNuvz] [-p PORT] [-s ADDRESS] [-w SECONDS] ADDRESS PORT",
        "-l [-dkNuv] [-w SECONDS] [ADDRESS] PORT",
    ],
    options: &[
        &LISTEN, &KEEP, &DATAGRAMS, &SHUT, &DEAF, &SCAN, &VERBOSE, &SOURCE, &PORT, &WAIT, &NUMERIC,
    ],
    words: &[],
    permutes: true,
    notes: "Ends when the other side has, and the input is at its end or a terminal. The exit status \
            is 1 if there was no connection, or it broke.",
    examples: &[
        Example { does: "connects to port 7 of a host", arguments: "10.0.0.1 7" },
        Example { does: "serves a file once, to a browser too", arguments: "-lN 80 < answer.http" },
        Example { does: "is there a web server?", arguments: "-zv -w 2 10.0.0.1 80" },
        Example { does: "prints datagrams, whoever sends them", arguments: "-luk 514" },
    ],
    failure: 1,
    run,
};

const ADVICE: Advice = &[
    (errno::NETUNREACH, "there is no route to it; see `rump.route show`, `rump.route add`"),
    (errno::HOSTUNREACH, "there is no way to it"),
    (errno::CONNREFUSED, "nobody listens there"),
    (errno::CONNRESET, "the other side broke off"),
    (errno::ADDRINUSE, "somebody has that port already; `rump.sockstat` shows who"),
    (
        errno::ADDRNOTAVAIL,
        "this kernel has no such address; `rump.ifconfig` shows those that it has",
    ),
    (errno::ACCES, "only the kernel's root may have that port"),
];

/// What is to be done.
struct How {
    /// Where this side is.
    here: SocketAddrV4,
    /// Where the other one is; none: it will come.
    there: Option<SocketAddrV4>,
    datagrams: bool,
    keeps: bool,
    scans: bool,
    verbose: bool,
    talk: talk::How,
}

impl How {
    fn of(arguments: &Arguments) -> Result<How, Failure> {
        let listens = arguments.has(&LISTEN);
        let (addr, port) = match (arguments.words.as_slice(), listens) {
            ([addr, port], _) => (address::address(addr)?, number(port)?),
            ([port], true) => (Ipv4Addr::UNSPECIFIED, number(port)?),
            ([], true) => return Err(Failure::misuse("where? a PORT is missing")),
            ([] | [_], false) => return Err(Failure::misuse("whom? ADDRESS and PORT are needed")),
            ([_, _, word, ..], _) => {
                return Err(Failure::misuse(format!("\"{word}\" is one word too many")));
            }
        };
        let source = arguments.value::<Ipv4Addr>(&SOURCE, "an address, as 10.0.0.1 is")?;
        let source_port = arguments.value::<u16>(&PORT, "a number of a port")?;
        let keeps = arguments.has(&KEEP);
        if keeps && !listens {
            return Err(Failure::misuse("-k waits for the next connection; it needs -l"));
        }
        if listens && (arguments.has(&SCAN) || source.is_some() || source_port.is_some()) {
            return Err(Failure::misuse("-l waits; -z, -s and -p are for who connects"));
        }
        if arguments.has(&SCAN) && arguments.has(&DATAGRAMS) {
            return Err(Failure::misuse(
                "-z cannot tell with -u: who takes datagrams says nothing",
            ));
        }
        if port == 0 && !listens {
            return Err(Failure::misuse("PORT: from 1 to 65535"));
        }
        let here = match listens {
            true => SocketAddrV4::new(addr, port),
            false => {
                SocketAddrV4::new(source.unwrap_or(Ipv4Addr::UNSPECIFIED), source_port.unwrap_or(0))
            }
        };
        let wait = arguments.value::<Time>(&WAIT, "a number of seconds, as 0.5 is")?;
        Ok(How {
            here,
            there: (!listens).then_some(SocketAddrV4::new(addr, port)),
            datagrams: arguments.has(&DATAGRAMS),
            keeps,
            scans: arguments.has(&SCAN),
            verbose: arguments.has(&VERBOSE),
            talk: talk::How {
                reads: !arguments.has(&DEAF) && !keeps,
                shuts: arguments.has(&SHUT),
                wait: wait.map(|time| time.0.max(Duration::from_millis(1))),
            },
        })
    }

    fn say(&self, text: &str) {
        if self.verbose {
            // Who does not listen does not want to know.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

fn number(text: &str) -> Result<u16, Failure> {
    text.parse().map_err(|_| Failure::misuse(format!("PORT: \"{text}\" is not a number of one")))
}

fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let how = How::of(arguments)?;
    let client = server::connect(arguments)?;
    match (how.there, how.datagrams) {
        (Some(there), false) => connect(&client, &how, there, out),
        (None, false) => listen(&client, &how, out),
        (there, true) => datagrams(&client, &how, there, out),
    }
}

fn connect(
    client: &Client,
    how: &How,
    there: SocketAddrV4,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let failed = |e: io::Error| told(&there.to_string(), &e, ADVICE);
    let stream = TcpStream::begin(client, how.here, there).map_err(failed)?;
    let mut asked = [Poll::new(stream.descriptor(), Events::OUT)];
    if poll(client, &mut asked, how.talk.wait).map_err(failed)? == 0 {
        return Err(Failure::failed(format!("{there}: no answer in time")));
    }
    if let Some(e) = stream.take_error().map_err(failed)? {
        return Err(failed(e));
    }
    how.say(&format!("{there}: connected"));
    if !how.scans {
        talk::talk(&stream, &how.talk, out).map_err(|e| e.about(&there.to_string()))?;
    }
    Ok(0)
}

fn listen(client: &Client, how: &How, out: &mut dyn Write) -> Result<u8, Failure> {
    let failed = |e: io::Error| told(&how.here.to_string(), &e, ADVICE);
    let mut waiting = Some(TcpListener::bind(client, how.here).map_err(failed)?);
    if let Some(listener) = &waiting {
        how.say(&format!("{}: waiting", listener.local_addr().map_err(failed)?));
    }
    while let Some(listener) = waiting.take() {
        listener.set_read_timeout(how.talk.wait.filter(|_| !how.keeps)).map_err(failed)?;
        let (stream, from) = match listener.accept() {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                return Err(Failure::failed(format!("{}: nobody has come in time", how.here)));
            }
            done => done.map_err(failed)?,
        };
        how.say(&format!("{from}: connected"));
        // Nobody else is to think that somebody listens.
        waiting = how.keeps.then_some(listener);
        let done = talk::talk(&stream, &how.talk, out).map_err(|e| e.about(&from.to_string()));
        match done {
            // One that breaks off is no reason to stop.
            Err(Failure::Failed(why)) if how.keeps => how.say(&why),
            done => done?,
        }
    }
    Ok(0)
}

fn datagrams(
    client: &Client,
    how: &How,
    there: Option<SocketAddrV4>,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let about = there.unwrap_or(how.here).to_string();
    let failed = |e: io::Error| told(&about, &e, ADVICE);
    let socket = UdpSocket::bind(client, how.here).map_err(failed)?;
    match there {
        Some(there) => socket.connect(there).map_err(failed)?,
        None => {
            how.say(&format!("{}: waiting", socket.local_addr().map_err(failed)?));
            if !how.keeps {
                // From then on the first one is the other side; what it has sent waits.
                let from: SocketAddr = socket.peek_from(&mut [0]).map_err(failed)?.1;
                how.say(&format!("{from}: is the other side"));
                socket.connect(from).map_err(failed)?;
            }
        }
    }
    talk::talk(&socket, &how.talk, out).map_err(|e| e.about(&about))?;
    Ok(0)
}

/// Why talking ended early.
enum Broken {
    Socket(io::Error),
    Output(io::Error),
}

impl Broken {
    fn about(self, what: &str) -> Failure {
        match self {
            Broken::Output(e) => Failure::Output(e),
            Broken::Socket(e) => told(what, &e, ADVICE),
        }
    }
}

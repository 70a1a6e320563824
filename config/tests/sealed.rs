//! Clients over TCP with a key that stop or die in the middle of a handshake or of a sealed message,
//! and such that ask much and read nothing.

mod server;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use remote::Client;
use server::plain::{BIND, RECVFROM, SENDTO, SOCKET, hello, message, sockaddr, syscall};
use server::{Place, key_file, tcp_url, within};
use transport::{Key, Sealed};
use wire::{HEADER_LEN, Header, Kind};

const UNAME: u32 = 63;

/// The handshake's record: two bytes of length, a public key and a tag.
const HANDSHAKE: usize = 2 + 32 + 16;

/// A server for who has the key.
struct Sealer {
    place: Place,
    address: String,
    key: Key,
    /// Looks what the server has.
    watches: Client,
    pid: u32,
}

/// What a server holds: the kernel's sockets and memory, and the process's descriptors.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Held {
    sockets: usize,
    bytes: u64,
    descriptors: usize,
}

impl Sealer {
    fn new() -> Sealer {
        let place = Place::new();
        key_file(&place, "key");
        let url = tcp_url(&place, "-l netinet tcp://127.0.0.1:0?key=key");
        let address = url.strip_prefix("tcp://").and_then(|url| url.split('?').next()).unwrap();
        let path = place.path().join("key");
        let watches = Client::connect(&format!("tcp://{address}?key={}", path.display())).unwrap();
        let [pid] = place.pids()[..] else { panic!("one server") };
        Sealer { address: address.into(), key: Key::load(&path).unwrap(), watches, pid, place }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// A client's end, which has yet to say its part of the handshake.
    fn client(&self) -> (Sealed, Vec<u8>) {
        let mut sealed = Sealed::client(&self.key);
        let first = std::mem::take(sealed.outgoing());
        assert_eq!(first.len(), HANDSHAKE);
        (sealed, first)
    }

    /// A client that has shown that it has the key.
    fn establish(&self) -> (TcpStream, Sealed) {
        let (mut stream, (mut sealed, first)) = (self.connect(), self.client());
        stream.write_all(&first).unwrap();
        let mut answer = [0; HANDSHAKE];
        stream.read_exact(&mut answer).unwrap();
        sealed.receive(&answer, &mut Vec::new()).unwrap();
        assert!(sealed.is_established());
        (stream, sealed)
    }

    fn held(&self) -> Held {
        Held {
            sockets: self.watches.sysctl("net.inet.sockets").unwrap().lines().skip(1).count(),
            bytes: self.watches.sysctl("vm.used").unwrap().parse().unwrap(),
            descriptors: std::fs::read_dir(format!("/proc/{}/fd", self.pid)).unwrap().count(),
        }
    }

    /// Memory of the server's process, in bytes.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Until nothing but what was there is left.
    fn settles(&self, before: Held) {
        within(30, "the end of all that clients had", || {
            let now = self.held();
            // What caches hold may differ by a little.
            now.bytes <= before.bytes + 64 * 1024 && Held { bytes: before.bytes, ..now } == before
        });
    }
}

/// The end of the connection, by a reset or in good order.
fn ends(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 256]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(e) => e.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_handshake_that_ends_at_any_byte_leaves_nothing() {
    let s = Sealer::new();
    let before = s.held();
    // At once; after the server has had its turn; and in two pieces.
    for round in 0..3 {
        for end in 0..=HANDSHAKE {
            let (mut stream, (_, first)) = (s.connect(), s.client());
            let (now, later) = first[..end].split_at(if round == 2 { end / 2 } else { end });
            stream.write_all(now).unwrap();
            if round > 0 {
                s.watches.getpid().unwrap();
            }
            stream.write_all(later).unwrap();
        }
    }
    s.settles(before);
    s.watches.getpid().unwrap();
}

#[test]
fn a_handshake_that_stops_at_any_byte_keeps_nobody_out() {
    let s = Sealer::new();
    let before = s.held();
    let mut stopped: Vec<TcpStream> = (0..=HANDSHAKE)
        .map(|end| {
            let (mut stream, (_, first)) = (s.connect(), s.client());
            stream.write_all(&first[..end]).unwrap();
            stream
        })
        .collect();
    // One that has shown the key and says nothing more, or not all of its Hello.
    let (mut silent, _) = s.establish();
    let (mut half, mut sealed) = s.establish();
    let mut record = Vec::new();
    sealed.send(&hello(), &mut record).unwrap();
    half.write_all(&record[..record.len() / 2]).unwrap();
    // Meanwhile others come and go as ever.
    for _ in 0..10 {
        let (mut stream, mut sealed) = s.establish();
        let mut record = Vec::new();
        sealed.send(&hello(), &mut record).unwrap();
        stream.write_all(&record).unwrap();
        assert_ne!(stream.read(&mut [0; 256]).unwrap(), 0, "it is welcomed");
    }
    assert!(s.held().descriptors >= before.descriptors + stopped.len());
    // The server has patience with them, but not for ever.
    let (last, others) = stopped.split_last_mut().unwrap();
    for stream in others {
        assert!(ends(stream));
    }
    // This one said all of its part, and was answered before.
    assert_eq!(last.read(&mut [0; 256]).unwrap(), HANDSHAKE);
    assert!(ends(last) && ends(&mut silent) && ends(&mut half));
    s.settles(before);
}

#[test]
fn a_handshake_with_any_wrong_byte_is_ended_at_once() {
    let s = Sealer::new();
    let before = s.held();
    for wrong in 0..HANDSHAKE {
        let (mut stream, (_, mut first)) = (s.connect(), s.client());
        first[wrong] ^= 1;
        stream.write_all(&first).unwrap();
        assert!(ends(&mut stream), "byte {wrong}");
    }
    s.settles(before);
}

/// What a client says in its life, each message in a record of its own.
fn life() -> Vec<Vec<u8>> {
    let (at, data) = (sockaddr(7), [5; 40]);
    let place: (u64, &[u8]) = (0x1000, &at);
    let send = [0, 0x2000, 40, 0, 0x1000, 16];
    vec![
        hello(),
        syscall(2, SOCKET, &[2, 2, 0], &[]),
        syscall(3, BIND, &[0, 0x1000, 16], &[place]),
        syscall(4, SENDTO, &send, &[(0x2000, &data), place]),
        syscall(5, RECVFROM, &[0, 0x2000, 64, 0, 0, 0], &[]),
        // Its memory did not come along: the server asks.
        syscall(6, SENDTO, &send, &[]),
        syscall(7, RECVFROM, &[0, 0x2000, 64, 0, 0, 0], &[]),
        message(Kind::Prefork, 8, &[]),
        message(Kind::Unfork, 9, &[0; 16]),
    ]
}

#[test]
fn sealed_clients_that_end_at_any_byte_leave_nothing() {
    let s = Sealer::new();
    let before = s.held();
    let mut end = 0;
    loop {
        let (mut stream, mut sealed) = s.establish();
        let mut records = Vec::new();
        life().iter().for_each(|message| sealed.send(message, &mut records).unwrap());
        stream.write_all(&records[..end.min(records.len())]).unwrap();
        if end % 2 == 0 {
            s.watches.getpid().unwrap();
        }
        if end > records.len() {
            break;
        }
        end += 1;
    }
    assert!(end > 600, "{end} clients");
    s.settles(before);
}

#[test]
fn sealed_clients_that_do_not_read_cost_little_and_may_read_later() {
    const CLIENTS: u64 = 8;
    let s = Sealer::new();
    let (before, resident) = (s.held(), s.resident());
    let mut slow = Vec::new();
    for _ in 0..CLIENTS {
        let (mut stream, mut sealed) = s.establish();
        let mut raw = Vec::new();
        sealed.send(&hello(), &mut raw).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        // Requests whose answers nobody reads, until the server takes no more.
        let mut asked = 0;
        let rest = loop {
            match stream.write(&raw) {
                Ok(n) => drop(raw.drain(..n)),
                Err(e) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&e.kind()) => {
                    break raw;
                }
                Err(e) => panic!("{e}"),
            }
            if raw.is_empty() {
                for _ in 0..50 {
                    sealed.send(&syscall(asked, UNAME, &[0x1000], &[]), &mut raw).unwrap();
                    asked += 1;
                }
            }
        };
        slow.push((stream, sealed, rest, asked));
        // Others go on.
        s.watches.getpid().unwrap();
    }
    let (now, grown) = (s.held(), s.resident().saturating_sub(resident));
    // Answers that wait, and requests that came before the server looked at those.
    assert!(now.bytes < before.bytes + CLIENTS * (1 << 19), "{} bytes", now.bytes - before.bytes);
    assert!(grown < CLIENTS * (1 << 20), "{grown} bytes");
    // Whoever reads after all has every answer, in order.
    let (mut stream, mut sealed, rest, asked) = slow.pop().unwrap();
    assert!(asked > 1000, "{asked} requests");
    let mut writer = stream.try_clone().unwrap();
    writer.set_write_timeout(None).unwrap();
    let writes = std::thread::spawn(move || writer.write_all(&rest).unwrap());
    let (mut raw, mut plain, mut at, mut answered) = (vec![0; 65_536], Vec::new(), 0, 0);
    while answered < asked {
        let n = stream.read(&mut raw).unwrap();
        assert_ne!(n, 0, "after {answered} of {asked} answers");
        sealed.receive(&raw[..n], &mut plain).unwrap();
        while let Some(head) = plain[at..].first_chunk::<HEADER_LEN>() {
            let header = Header::parse(head).unwrap();
            if plain.len() - at < header.len as usize {
                break;
            }
            at += header.len as usize;
            if header.kind == Kind::Return {
                assert_eq!(header.request, answered);
                answered += 1;
            }
        }
        plain.drain(..at);
        at = 0;
    }
    writes.join().unwrap();
    drop((stream, slow));
    s.settles(before);
    assert!(s.place.pids() == [s.pid]);
}

//! A server that says what a test wants it to say.
//!
//! * [`Server`]: where clients come in.  * [`Peer`]: one client, message by message.
//! * [`Peer::serve`]: a small kernel, for tests that are about something else.
#![allow(dead_code, reason = "each test uses a part")]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use wire::{Arg, Description, HEADER_LEN, Header, Hello, How, Kind, Return, Segment, Syscall};

/// As write(2).
pub const WRITE: u32 = 1;
/// Answers the sum of the memory that it reads, `args[1]` long.
pub const SUM: u32 = 6;
/// Fills memory of `args[2]` bytes with `args[3]`.
pub const FILL: u32 = 2;
/// Waits until it is cancelled.
pub const PARK: u32 = 5;
/// Takes anything, and asks for it.
pub const OPAQUE: u32 = 4;
/// Answers the number of this process.
pub const GETPID: u32 = 39;

/// The calls that it serves.
pub fn calls() -> Vec<Description> {
    let v = Arg::Value;
    vec![
        Description { number: WRITE, args: [v, Arg::In(2), v, v, v, v] },
        Description { number: FILL, args: [v, Arg::Out(2), v, v, v, v] },
        Description { number: OPAQUE, args: [Arg::Opaque, v, v, v, v, v] },
        Description { number: PARK, args: [v; 6] },
        Description { number: SUM, args: [Arg::In(1), v, v, v, v, v] },
        Description { number: GETPID, args: [v; 6] },
    ]
}

/// A folder that goes with its owner.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rk{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where clients come in.
pub struct Server {
    listener: UnixListener,
    pub folder: Folder,
}

impl Server {
    pub fn new() -> Self {
        let folder = Folder::new();
        Self { listener: UnixListener::bind(folder.0.join("s")).unwrap(), folder }
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.folder.0.join("s").display())
    }

    /// The next client, which has said nothing yet.
    pub fn accept(&self) -> Peer {
        Peer { stream: self.listener.accept().unwrap().0 }
    }

    /// The next client, welcomed as process `pid`.
    pub fn welcome(&self, pid: u32) -> Peer {
        let mut peer = self.accept();
        peer.welcome(pid);
        peer
    }

    /// Dies: clients are refused from now on.
    pub fn die(self) -> Folder {
        drop(self.listener);
        self.folder
    }

    /// Lives again.
    pub fn again(folder: Folder) -> Self {
        let path = folder.0.join("s");
        let _ = std::fs::remove_file(&path);
        Self { listener: UnixListener::bind(path).unwrap(), folder }
    }
}

/// A system call that came.
#[derive(Debug)]
pub struct Call {
    pub request: u64,
    pub number: u32,
    pub args: [u64; 6],
    pub memory: Vec<(u64, Vec<u8>)>,
}

/// One client.
pub struct Peer {
    pub stream: UnixStream,
}

impl Peer {
    /// The next message; none at the end.
    pub fn read(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut raw = [0; HEADER_LEN];
        self.stream.read_exact(&mut raw).ok()?;
        let header = Header::parse(&raw).unwrap();
        let mut body = vec![0; header.body_len()];
        self.stream.read_exact(&mut body).ok()?;
        Some((header, body))
    }

    pub fn write(&mut self, kind: Kind, request: u64, body: &[u8]) {
        self.write_raw(&message(kind, request, body));
    }

    /// Sends; the client may be gone.
    pub fn write_raw(&mut self, raw: &[u8]) {
        let _ = self.stream.write_all(raw);
    }

    /// Answers the Hello; says how the client came.
    pub fn welcome(&mut self, pid: u32) -> How {
        let (header, body) = self.read().expect("a Hello");
        assert_eq!(header.kind, Kind::Hello);
        assert!(header.len as usize <= wire::MAX_HELLO);
        let hello = Hello::parse(&body).unwrap();
        assert_eq!(hello.version, wire::VERSION);
        self.write(Kind::Welcome, header.request, &welcome_body(pid));
        hello.how
    }

    /// The next message, which is a call.
    pub fn call(&mut self) -> Call {
        let (header, body) = self.read().expect("a call");
        assert_eq!(header.kind, Kind::Syscall);
        parse_call(header, &body)
    }

    pub fn answer(&mut self, request: u64, word: i64, memory: &[(u64, &[u8])]) {
        self.write_raw(&return_message(request, word, memory));
    }

    /// A small kernel; ends with its client.
    pub fn serve(mut self, pid: u32) {
        let mut parked = std::collections::HashSet::new();
        while let Some((header, body)) = self.read() {
            match header.kind {
                Kind::Syscall => {
                    let call = parse_call(header, &body);
                    match call.number {
                        WRITE => self.answer(call.request, call.args[2] as i64, &[]),
                        SUM => {
                            let sum: u64 =
                                call.memory.iter().flat_map(|m| &m.1).map(|b| u64::from(*b)).sum();
                            self.answer(call.request, sum as i64, &[]);
                        }
                        FILL => {
                            let data = vec![call.args[3] as u8; call.args[2] as usize];
                            let all = [(call.args[1], data.as_slice())];
                            let some = if data.is_empty() { &all[..0] } else { &all };
                            self.answer(call.request, data.len() as i64, some);
                        }
                        GETPID => self.answer(call.request, pid.into(), &[]),
                        PARK => drop(parked.insert(call.request)),
                        other => panic!("call {other}"),
                    }
                }
                Kind::Cancel if parked.remove(&header.request) => {
                    self.answer(header.request, -4, &[]);
                }
                // It has been answered.
                Kind::Cancel => {}
                Kind::Prefork => self.write(Kind::Cookie, header.request, &[7; 16]),
                Kind::Unfork => {}
                Kind::Hello => {
                    assert_eq!(Hello::parse(&body).unwrap().how, How::Exec);
                    self.write(Kind::Welcome, header.request, &welcome_body(pid));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

pub fn message(kind: Kind, request: u64, body: &[u8]) -> Vec<u8> {
    let mut raw = Header::new(kind, request, body.len()).to_bytes().to_vec();
    raw.extend(body);
    raw
}

pub fn return_message(request: u64, word: i64, memory: &[(u64, &[u8])]) -> Vec<u8> {
    let mut body = Return { word: word as u64 }.to_bytes(memory.len() as u32).to_vec();
    for (addr, data) in memory {
        body.extend(Segment::head(*addr, data.len()));
        body.extend(*data);
    }
    message(Kind::Return, request, &body)
}

pub fn welcome_body(pid: u32) -> Vec<u8> {
    let mut descriptions = Vec::new();
    calls().iter().for_each(|call| call.write(&mut descriptions).unwrap());
    let calls = wire::Descriptions::parse(&descriptions).unwrap();
    let mut body = Vec::new();
    wire::Welcome { version: wire::VERSION, pid, kernel: "fake", calls }.write(&mut body).unwrap();
    body
}

fn parse_call(header: Header, body: &[u8]) -> Call {
    let (Syscall { number, args }, segments) = Syscall::parse(body).unwrap();
    let memory = segments.map(|s| (s.addr, s.data.to_vec())).collect();
    Call { request: header.request, number, args, memory }
}

//! A client that is bytes on a socket, so that it can stop anywhere.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use wire::{HEADER_LEN, Header, Hello, How, Kind, Return, Segment, Syscall, VERSION};

pub const SOCKET: u32 = 41;
pub const SENDTO: u32 = 44;
pub const RECVFROM: u32 = 45;
pub const BIND: u32 = 49;
pub const GETUID: u32 = 102;

/// The address of a socket of this machine, as calls take it.
pub fn sockaddr(port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    vec![2, 0, high, low, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
}

pub fn message(kind: Kind, request: u64, body: &[u8]) -> Vec<u8> {
    [&Header::new(kind, request, body.len()).to_bytes()[..], body].concat()
}

pub fn hello() -> Vec<u8> {
    let mut body = Vec::new();
    let Ok(()) = Hello { version: VERSION, how: How::Guest, name: "plain" }.write(&mut body);
    message(Kind::Hello, 1, &body)
}

pub fn syscall(request: u64, number: u32, args: &[u64], memory: &[(u64, &[u8])]) -> Vec<u8> {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    let mut body = Syscall { number, args: all }.to_bytes(memory.len() as u32).to_vec();
    for (addr, data) in memory {
        body.extend(Segment::head(*addr, data.len()));
        body.extend(*data);
    }
    message(Kind::Syscall, request, &body)
}

/// A client that a server has welcomed.
pub struct Plain(pub UnixStream);

impl Plain {
    pub fn connect(path: &Path) -> Plain {
        let mut plain = Plain(UnixStream::connect(path).unwrap());
        plain.send(&hello());
        assert_eq!(plain.answer().0.kind, Kind::Welcome);
        plain
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub fn answer(&mut self) -> (Header, Vec<u8>) {
        let mut raw = [0; HEADER_LEN];
        self.0.read_exact(&mut raw).unwrap();
        let header = Header::parse(&raw).unwrap();
        let mut body = vec![0; header.body_len()];
        self.0.read_exact(&mut body).unwrap();
        (header, body)
    }

    /// The value that the next answer has.
    pub fn value(&mut self) -> u64 {
        let (header, body) = self.answer();
        assert_eq!(header.kind, Kind::Return);
        Return::parse(&body).unwrap().0.word
    }

    /// A datagram socket at this port of 127.0.0.1.
    pub fn udp(&mut self, port: u16) -> u64 {
        self.send(&syscall(2, SOCKET, &[2, 2, 0], &[]));
        let fd = self.value();
        let at = sockaddr(port);
        self.send(&syscall(3, BIND, &[fd, 0x1000, at.len() as u64], &[(0x1000, &at)]));
        assert_eq!(self.value(), 0);
        fd
    }
}

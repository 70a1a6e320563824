//! TCP with a key: the same calls, and who has another key.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use remote::{Argument, Client};
use support::{FILL, Folder, PARK, Peer, SUM};
use transport::{Key, Sealed};

use Argument::{In, Out, Value};

/// Speaks for a server that has the key: plain on `inside`, sealed on `outside`.
fn front(key: &Key, mut outside: TcpStream, mut inside: UnixStream) {
    let mut sealed = Sealed::server(key);
    let (mut raw, mut plain) = (vec![0; 50_000], Vec::new());
    while !sealed.is_established() {
        let n = outside.read(&mut raw).unwrap();
        if n == 0 || sealed.receive(&raw[..n], &mut plain).is_err() {
            return;
        }
        outside.write_all(sealed.outgoing()).unwrap();
        sealed.outgoing().clear();
    }
    let (mut sealer, mut opener) = sealed.split().unwrap();
    let (mut to_client, mut from_server) =
        (outside.try_clone().unwrap(), inside.try_clone().unwrap());
    thread::scope(|scope| {
        scope.spawn(move || {
            let (mut buf, mut out) = (vec![0; 50_000], Vec::new());
            while let Ok(n @ 1..) = from_server.read(&mut buf) {
                out.clear();
                sealer.send(&buf[..n], &mut out).unwrap();
                let _ = to_client.write_all(&out);
            }
        });
        while let Ok(n @ 1..) = outside.read(&mut raw) {
            plain.clear();
            opener.receive(&raw[..n], &mut plain).unwrap();
            let _ = inside.write_all(&plain);
        }
        inside.shutdown(std::net::Shutdown::Both).unwrap();
    });
}

struct Keys {
    folder: Folder,
    listener: TcpListener,
}

impl Keys {
    fn new() -> Self {
        Self { folder: Folder::new(), listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn key(&self, name: &str) -> Key {
        Key::generate(&self.folder.0.join(name)).unwrap()
    }

    fn url(&self, name: Option<&str>) -> String {
        let addr = self.listener.local_addr().unwrap();
        let key = name.map(|name| format!("?key={}", self.folder.0.join(name).display()));
        format!("tcp://{addr}{}", key.unwrap_or_default())
    }
}

#[test]
fn calls_are_the_same_when_they_are_sealed() {
    let keys = Keys::new();
    let key = keys.key("key");
    thread::scope(|scope| {
        scope.spawn(|| {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let outside = keys.listener.accept().unwrap().0;
            scope.spawn(|| {
                let mut peer = Peer { stream: theirs };
                peer.welcome(5);
                peer.serve(5);
            });
            front(&key, outside, ours);
        });
        let client = Client::connect(&keys.url(Some("key"))).unwrap();
        assert_eq!((client.pid(), client.getpid().unwrap()), (5, 5));
        for len in [1, 5000, 65_519, 65_520, 300_000] {
            let data = vec![1; len];
            let sum = client.call(SUM, &mut [In(&data), Value(len as u64)]).unwrap();
            assert_eq!(sum, len as u64);
            let mut out = vec![0; len];
            let fill = &mut [Value(0), Out(&mut out), Value(len as u64), Value(3)];
            assert_eq!(client.call(FILL, fill).unwrap(), len as u64);
            assert!(out.iter().all(|b| *b == 3), "{len}");
        }
        let client = &client;
        thread::scope(|scope| {
            let parked = scope.spawn(|| client.call(PARK, &mut []).unwrap_err());
            for _ in 0..100 {
                client.getpid().unwrap();
            }
            while !parked.is_finished() {
                client.interrupt_all();
                thread::yield_now();
            }
        });
        let error = client.prepare_exec().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(95), "its keys cannot be left to another program");
        // SAFETY: no pointer is given.
        let bad = unsafe { client.syscall_raw(SUM, [1, 9, 0, 0, 0, 0]) };
        assert_eq!(bad.unwrap_err().raw_os_error(), Some(14));
    });
}

#[test]
fn who_has_another_key_is_told_so() {
    let keys = Keys::new();
    let (right, _wrong) = (keys.key("right"), keys.key("wrong"));
    thread::scope(|scope| {
        scope.spawn(|| {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            front(&right, keys.listener.accept().unwrap().0, ours);
            // A server without any key sees nonsense, and hangs up.
            drop(keys.listener.accept().unwrap());
            // A client without a key, at a server that has one.
            let (ours, _theirs) = UnixStream::pair().unwrap();
            front(&right, keys.listener.accept().unwrap().0, ours);
        });
        for _ in 0..2 {
            let error = Client::connect(&keys.url(Some("wrong"))).unwrap_err();
            assert!(error.to_string().contains("does not have our key"), "{error}");
        }
        let error = Client::connect(&keys.url(None)).unwrap_err();
        assert!(error.to_string().contains("?key=FILE"), "{error}");
    });
}

#[test]
fn a_server_that_says_nothing_does_not_hang_the_handshake() {
    let keys = Keys::new();
    keys.key("key");
    let url = keys.url(Some("key")).parse().unwrap();
    let error = Client::builder().timeout(Duration::from_millis(50)).connect(&url).unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
}

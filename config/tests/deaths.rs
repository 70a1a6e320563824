//! Clients and servers that die at any moment, some thousand times.

mod server;

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use remote::{Client, Retry, UdpSocket};
use rustix::io::Errno;
use rustix::net::SendFlags;
use server::plain::{BIND, GETUID, RECVFROM, SENDTO, SOCKET, hello, message, sockaddr, syscall};
use server::{Place, tcp_url, within};
use wire::{HEADER_LEN, Header, Kind, Return};

/// What is left of clients that have gone: sockets, and bytes that the kernel is charged for.
fn left(client: &Client) -> (usize, u64) {
    let sockets = client.sysctl("net.inet.sockets").unwrap().lines().skip(1).count();
    (sockets, client.sysctl("vm.used").unwrap().parse().unwrap())
}

/// Until nothing but what was there is left.
fn settles(client: &Client, before: (usize, u64)) {
    let mut now = before;
    // A process that was prepared for a child waits for ten seconds.
    within(30, "the end of all that clients had", || {
        now = left(client);
        // What caches hold may differ by a little.
        now.0 == before.0 && now.1 <= before.1 + 64 * 1024
    });
}

/// A client's life in bytes: it sends, asks to wait, forks, and asks for memory to be fetched.
fn life() -> Vec<u8> {
    let (at, data) = (sockaddr(7), [5; 40]);
    let place: (u64, &[u8]) = (0x1000, &at);
    let send = [0, 0x2000, 40, 0, 0x1000, 16];
    [
        hello(),
        syscall(2, SOCKET, &[2, 2, 0], &[]),
        syscall(3, BIND, &[0, 0x1000, 16], &[place]),
        syscall(4, SENDTO, &send, &[(0x2000, &data), place]),
        syscall(5, RECVFROM, &[0, 0x2000, 64, 0, 0, 0], &[]),
        // Its memory did not come along: the server asks.
        syscall(6, SENDTO, &send, &[]),
        syscall(7, RECVFROM, &[0, 0x2000, 64, 0, 0, 0], &[]),
        message(Kind::Prefork, 8, &[]),
        message(Kind::Cancel, 7, &[]),
        syscall(9, RECVFROM, &[0, 0x2000, 64, 0, 0, 0], &[]),
    ]
    .concat()
}

#[test]
fn clients_that_end_at_any_byte_leave_nothing() {
    let place = Place::new();
    place.start("-l netinet unix://a");
    let watches = place.connect("a");
    let (life, path) = (life(), place.path().join("a"));
    let before = left(&watches);
    let mut ended = 0;
    // At once; after the server has had its turn; and in two pieces.
    for round in 0..3 {
        for end in 0..=life.len() {
            let mut stream = UnixStream::connect(&path).unwrap();
            let (now, later) = life[..end].split_at(if round == 2 { end / 2 } else { end });
            stream.write_all(now).unwrap();
            if round > 0 {
                watches.getpid().unwrap();
            }
            stream.write_all(later).unwrap();
            ended += 1;
        }
    }
    settles(&watches, before);
    assert!(ended > 1500, "{ended} clients");
}

#[test]
fn clients_that_do_not_read_cost_little_and_end_as_well() {
    let place = Place::new();
    place.start("-l netinet -r 8M unix://a");
    let watches = place.connect("a");
    let before = left(&watches);
    let mut stream = UnixStream::connect(place.path().join("a")).unwrap();
    stream.write_all(&hello()).unwrap();
    // Requests whose answers nobody reads, until the server takes no more.
    stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let asks: Vec<u8> = (0..50).flat_map(|i| syscall(i, 63, &[0x1000], &[])).collect();
    while stream.write_all(&asks).is_ok() {}
    assert!(left(&watches).1 < before.1 + (1 << 20), "{} bytes", left(&watches).1);
    assert!(watches.getpid().is_ok());
    drop(stream);
    settles(&watches, before);
}

#[test]
fn nobodies_that_do_not_read_stay_while_the_share_is_full() {
    let place = Place::new();
    let url = tcp_url(&place, "-l netinet -r 4M tcp://127.0.0.1:0");
    let others = Client::connect(&url).unwrap();
    let mut stream = TcpStream::connect(url.strip_prefix("tcp://").unwrap()).unwrap();
    let reader = stream.try_clone().unwrap();
    rustix::net::sockopt::set_socket_recv_buffer_size(&reader, 65536).unwrap();
    reader.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(reader);
    let mut answer = || {
        let mut raw = [0; HEADER_LEN];
        reader.read_exact(&mut raw).unwrap();
        let header = Header::parse(&raw).unwrap();
        let mut body = vec![0; header.body_len()];
        reader.read_exact(&mut body).unwrap();
        (header.kind, header.request, body)
    };
    stream.write_all(&hello()).unwrap();
    assert_eq!(answer().0, Kind::Welcome);
    let mut all = Vec::new();
    while let Ok(socket) = UdpSocket::unbound(&others) {
        all.push(socket);
    }
    // Requests without end, until the sockets between hold all the answers that they can, and the server
    // listens no more: however often it serves another one, it takes nothing of these.
    let (mut count, mut rest, mut idle) = (0, Vec::new(), 0);
    while idle < 1000 {
        if rest.is_empty() {
            rest = syscall(count, GETUID, &[], &[]);
            count += 1;
        }
        match rustix::net::send(&stream, &rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(n) => {
                rest.drain(..n);
                idle = 0;
            }
            Err(Errno::AGAIN) => {
                others.getpid().unwrap();
                idle += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    let mut read = 0;
    for next in 0..count {
        if next == count - 1 {
            // There is room again: all the others have been answered.
            stream.write_all(&rest).unwrap();
        }
        let (kind, number, body) = answer();
        assert_eq!((kind, number), (Kind::Return, next));
        assert_eq!(Return::parse(&body).unwrap().0.word, 65534, "a nobody's user");
        read += HEADER_LEN + body.len();
    }
    // More than the reader's socket had room for, twice what was asked for: so the server waited.
    assert!(read > 2 * 65536, "{read} bytes");
    assert!(others.getpid().is_ok());
}

/// Runs in a process of its own, out of `clients_that_are_killed`.
#[test]
fn a_client_to_be_killed() {
    if std::env::var_os("ANYKERNEL_TEST_VICTIM").is_none() {
        return;
    }
    let client = Client::from_env().unwrap();
    println!("here");
    let socket = UdpSocket::bind(&client, "127.0.0.1:0").unwrap();
    let other = socket.try_clone().unwrap();
    std::thread::spawn(move || while other.recv(&mut [0; 2000]).is_ok() {});
    let own = socket.local_addr().unwrap();
    loop {
        socket.send_to(&[1; 1400], own).unwrap();
        let cookie = client.prefork().unwrap();
        client.fork_cancel(&cookie).unwrap();
    }
}

#[test]
fn clients_that_are_killed_leave_nothing() {
    let place = Place::new();
    place.start("-l netinet unix://a");
    let watches = place.connect("a");
    let before = left(&watches);
    for round in 0..1000_u32 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_client_to_be_killed", "--nocapture"])
            .env("ANYKERNEL_TEST_VICTIM", "1")
            .env("RUMP_SERVER", place.url("a"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Some die before they are welcomed.
        if round % 8 != 0 {
            let mut output = victim.stdout.take().unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"here") {
                let mut byte = [0];
                assert_eq!(output.read(&mut byte).unwrap(), 1, "the client ended by itself");
                seen.push(byte[0]);
            }
        }
        // Another moment every time.
        std::thread::park_timeout(Duration::from_micros(u64::from(round * 37 % 1500)));
        victim.kill().unwrap();
        victim.wait().unwrap();
    }
    settles(&watches, before);
}

#[test]
fn a_client_outlives_its_servers() {
    const DEATHS: u64 = 1000;
    let place = Place::new();
    place.start("unix://a");
    let url = place.url("a").parse().unwrap();
    let patient = Client::builder().retry(Retry::Seconds(30)).connect(&url).unwrap();
    // Two threads call without a pause: how often they were answered, and how often not.
    let (answered, lost, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let calls = || {
        while !over.load(Ordering::Relaxed) {
            match patient.getpid() {
                Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                Err(error) => {
                    // It may have been made, so it is not made again.
                    assert_eq!(error.raw_os_error(), Some(107), "ENOTCONN");
                    lost.fetch_add(1, Ordering::Relaxed)
                }
            };
        }
    };
    std::thread::scope(|scope| {
        let callers = [scope.spawn(calls), scope.spawn(calls)];
        for death in 0..DEATHS {
            let before = answered.load(Ordering::Relaxed);
            std::thread::park_timeout(Duration::from_micros(death * 53 % 1500));
            place.kill();
            place.start("unix://a");
            within(20, "answers of the next server", || {
                answered.load(Ordering::Relaxed) > before + 1
                    || callers.iter().any(|caller| caller.is_finished())
            });
        }
        over.store(true, Ordering::Relaxed);
    });
    let lost = lost.into_inner();
    assert!((1..=2 * DEATHS).contains(&lost), "{lost} calls were lost with {DEATHS} servers");
}

#[test]
fn a_client_without_patience_gets_an_error() {
    let place = Place::new();
    place.start("unix://a");
    let url = place.url("a").parse().unwrap();
    let client = Client::builder().retry(Retry::Never).connect(&url).unwrap();
    place.kill();
    assert_eq!(client.getpid().unwrap_err().raw_os_error(), Some(107), "ENOTCONN");
}

//! Threads of one client, against a real server: calls that overlap, wait for several things, are
//! ended by another thread, and a server that stops or dies meanwhile.

mod server;

use std::sync::mpsc::channel;
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use remote::{Client, Events, Interrupt, Poll, Retry, UdpSocket, poll};
use server::{Place, within};

const EINTR: i32 = 4;
const ENOTCONN: i32 = 107;

/// A kernel with a network stack, and one client of it.
fn client() -> (Place, Client) {
    let place = Place::new();
    place.start("-l netinet unix://a");
    let client = place.connect("a");
    (place, client)
}

fn udp(client: &Client) -> UdpSocket {
    UdpSocket::bind(client, "127.0.0.1:0").unwrap()
}

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().expect("an error number")
}

/// A thread that is about to call something, and what ends its call.
fn about_to<'s, R: Send + 's>(
    scope: &'s Scope<'s, '_>,
    client: &Client,
    call: impl FnOnce() -> R + Send + 's,
) -> (Interrupt, ScopedJoinHandle<'s, R>) {
    let (tell, handle) = channel();
    let client = client.clone();
    let thread = scope.spawn(move || {
        tell.send(client.interrupt_handle()).unwrap();
        call()
    });
    (handle.recv().unwrap(), thread)
}

/// Interrupts until the thread has ended: what is not under way yet is not reached.
fn end<R>((interrupt, thread): (Interrupt, ScopedJoinHandle<'_, R>)) -> R {
    within(30, "the end of a call that is interrupted", || {
        interrupt.interrupt();
        thread.is_finished()
    });
    thread.join().unwrap()
}

#[test]
fn one_waits_and_others_are_answered() {
    let (_place, client) = client();
    let (socket, sends) = (udp(&client), udp(&client));
    let at = socket.local_addr().unwrap();
    thread::scope(|scope| {
        // Round after round: the one that waits may read for all, or another one.
        for round in 0..200_u32 {
            let (_, blocked) = about_to(scope, &client, || {
                let mut buf = [0; 4];
                socket.recv(&mut buf).unwrap();
                u32::from_ne_bytes(buf)
            });
            for _ in 0..10 {
                assert_eq!(client.getpid().unwrap(), client.pid());
            }
            assert!(!blocked.is_finished());
            sends.send_to(&round.to_ne_bytes(), at).unwrap();
            assert_eq!(blocked.join().unwrap(), round);
        }
    });
}

/// Every thread has a socket, and passes on what it receives to the next one: a ring, in which many
/// tokens go round at once.
#[test]
fn many_threads_wait_and_wake_each_other() {
    const THREADS: usize = 24;
    const ROUNDS: u32 = 40;
    let (_place, client) = client();
    let sockets: Vec<UdpSocket> = (0..THREADS).map(|_| udp(&client)).collect();
    let places: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
    thread::scope(|scope| {
        for (i, socket) in sockets.iter().enumerate() {
            let next = places[(i + 1) % THREADS];
            scope.spawn(move || {
                socket.send_to(&0_u32.to_ne_bytes(), next).unwrap();
                for round in 0..ROUNDS {
                    let mut buf = [0; 4];
                    assert_eq!(socket.recv(&mut buf).unwrap(), 4);
                    // A token is as old as whoever gets it: nobody overtakes.
                    assert_eq!(u32::from_ne_bytes(buf), round);
                    if round + 1 < ROUNDS {
                        socket.send_to(&(round + 1).to_ne_bytes(), next).unwrap();
                    }
                }
            });
        }
    });
}

#[test]
fn poll_waits_for_the_first_of_several() {
    let (_place, client) = client();
    let sockets: Vec<UdpSocket> = (0..8).map(|_| udp(&client)).collect();
    let asks =
        |events| sockets.iter().map(|s| Poll::new(s.descriptor(), events)).collect::<Vec<_>>();
    // Nothing is there: at once, and after a time.
    let mut these = asks(Events::IN);
    assert_eq!(poll(&client, &mut these, Some(Duration::ZERO)).unwrap(), 0);
    let (start, short) = (Instant::now(), Duration::from_millis(30));
    assert_eq!(poll(&client, &mut these, Some(short)).unwrap(), 0);
    assert!(start.elapsed() >= short);
    let mut these = asks(Events::IN | Events::OUT);
    assert_eq!(poll(&client, &mut these, None).unwrap(), 8);
    assert!(these.iter().all(|poll| poll.ready == Events::OUT));
    thread::scope(|scope| {
        for at in [3, 0, 7, 5] {
            let (_, polls) = about_to(scope, &client, || {
                let mut these = asks(Events::IN);
                assert_eq!(poll(&client, &mut these, None).unwrap(), 1);
                these.iter().position(|poll| poll.ready == Events::IN)
            });
            sockets[0].send_to(b"x", sockets[at].local_addr().unwrap()).unwrap();
            assert_eq!(polls.join().unwrap(), Some(at));
            sockets[at].recv(&mut [0; 8]).unwrap();
        }
    });
    assert_eq!(poll(&client, &mut [], Some(short)).unwrap(), 0, "of nothing: a pause");
}

#[test]
fn poll_of_two_processes_is_refused() {
    let (place, client) = client();
    let (ours, other) = (udp(&client), place.connect("a"));
    let theirs = udp(&other);
    let mut these =
        [Poll::new(ours.descriptor(), Events::OUT), Poll::new(theirs.descriptor(), Events::OUT)];
    let error = poll(&client, &mut these, Some(Duration::ZERO)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn another_thread_ends_a_wait() {
    let (_place, client) = client();
    let (one, two) = (udp(&client), udp(&client));
    thread::scope(|scope| {
        let first = about_to(scope, &client, || errno(one.recv(&mut [0; 8])));
        let second = about_to(scope, &client, || errno(two.recv(&mut [0; 8])));
        assert_eq!(end(first), EINTR);
        assert!(!second.1.is_finished(), "it was not meant");
        within(30, "an interrupt of all", || {
            client.interrupt_all();
            second.1.is_finished()
        });
        assert_eq!(second.1.join().unwrap(), EINTR);
    });
    assert!(!client.interrupt_handle().interrupt(), "there is nothing");
    // Nothing is left of it: the next call waits as if nothing had been.
    one.send_to(b"x", two.local_addr().unwrap()).unwrap();
    assert_eq!(two.recv(&mut [0; 8]).unwrap(), 1);
}

#[test]
fn an_interrupted_poll_and_a_datagram_that_comes_too_late() {
    let (_place, client) = client();
    let socket = udp(&client);
    let at = socket.local_addr().unwrap();
    thread::scope(|scope| {
        let polls = about_to(scope, &client, || {
            let mut these = [Poll::new(socket.descriptor(), Events::IN)];
            errno(poll(&client, &mut these, None))
        });
        assert_eq!(end(polls), EINTR);
    });
    // Interrupts and datagrams at the same time: nothing is lost, whoever comes first.
    let mut missing = 0;
    for _ in 0..100 {
        let done = thread::scope(|scope| {
            let (interrupt, waits) = about_to(scope, &client, || socket.recv(&mut [0; 8]));
            let interrupts = scope.spawn(move || interrupt.interrupt());
            socket.send_to(b"x", at).unwrap();
            interrupts.join().unwrap();
            waits.join().unwrap()
        });
        match done {
            Ok(n) => assert_eq!(n, 1),
            error => {
                assert_eq!(errno(error), EINTR);
                missing += 1;
            }
        }
    }
    socket.set_nonblocking(true).unwrap();
    let left = std::iter::from_fn(|| socket.recv(&mut [0; 8]).ok()).count();
    assert_eq!(left, missing);
}

/// A server that has stopped answers nothing: calls wait for it, also those that were interrupted,
/// since nobody knows yet whether they were made.
#[test]
fn a_stopped_server_is_waited_for() {
    let (place, client) = client();
    let socket = udp(&client);
    thread::scope(|scope| {
        place.stop(true);
        let (asks, pid) = about_to(scope, &client, || client.getpid());
        let waits = about_to(scope, &client, || errno(socket.recv(&mut [0; 8])));
        within(30, "two calls under way", || asks.interrupt() && waits.0.interrupt());
        assert!(!pid.is_finished() && !waits.1.is_finished());
        place.stop(false);
        assert_eq!(pid.join().unwrap().unwrap(), client.pid(), "it was made, and is answered");
        assert_eq!(end(waits), EINTR);
    });
}

#[test]
fn a_stopped_server_is_not_waited_for_by_who_connects() {
    let (place, _client) = client();
    place.stop(true);
    let patience = Duration::from_millis(100);
    let url = place.url("a").parse().unwrap();
    let error = Client::builder().timeout(patience).connect(&url).unwrap_err().to_string();
    assert!(error.contains("in time"), "{error}");
    place.stop(false);
    Client::connect(&place.url("a")).unwrap();
}

/// Over TCP with a key the same holds: calls overlap, and are ended.
#[test]
fn over_a_sealed_connection_too() {
    let place = Place::new();
    let key = place.path().join("key");
    std::fs::write(&key, "5a".repeat(32)).unwrap();
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&key, private).unwrap();
    let output = place.start("-l netinet tcp://127.0.0.1:0?key=key");
    let url = String::from_utf8(output.stdout).unwrap();
    let url = format!("{}?key={}", url.trim().split('?').next().unwrap(), key.display());
    let client = Client::connect(&url).unwrap();
    let (one, two) = (udp(&client), udp(&client));
    one.connect(two.local_addr().unwrap()).unwrap();
    let data: Vec<u8> = (0..60_000).map(|i| (i % 251) as u8).collect();
    thread::scope(|scope| {
        for len in [0, 1, 16_000, 60_000] {
            let (_, waits) = about_to(scope, &client, || {
                let mut buf = vec![0; 70_000];
                let n = two.recv(&mut buf).unwrap();
                buf.truncate(n);
                buf
            });
            assert_eq!(client.getpid().unwrap(), client.pid());
            one.send(&data[..len]).unwrap();
            assert_eq!(waits.join().unwrap(), data[..len]);
        }
        let waits = about_to(scope, &client, || errno(two.recv(&mut [0; 8])));
        assert_eq!(end(waits), EINTR);
    });
    place.kill();
    assert!(client.getpid().is_err());
}

#[test]
fn a_server_that_dies_ends_all_waits() {
    let (place, _) = client();
    let url = place.url("a").parse().unwrap();
    let client = Client::builder().retry(Retry::Never).connect(&url).unwrap();
    let sockets: Vec<UdpSocket> = (0..8).map(|_| udp(&client)).collect();
    thread::scope(|scope| {
        let call = |socket: &UdpSocket| errno(socket.recv(&mut [0; 8]));
        let blocked = sockets.iter().map(|socket| about_to(scope, &client, move || call(socket)));
        let blocked: Vec<_> = blocked.collect();
        place.kill();
        for (_, blocked) in blocked {
            assert_eq!(blocked.join().unwrap(), ENOTCONN);
        }
    });
    assert_eq!(errno(client.getpid()), ENOTCONN);
}

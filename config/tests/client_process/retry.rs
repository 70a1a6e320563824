//! What clients do when their server is killed, and another one comes in its place.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use remote::{Client, Retry, UdpSocket};

use super::signal::{handle, with_signals};
use super::{EINTR, ENOTCONN, Part, Place, Run, SERVER, errno, served, udp};

pub const TESTS: &[Run] = &[
    ("once_is_one_attempt_a_call", once),
    ("never_is_none", never),
    ("seconds_are_so_many", seconds),
    ("a_server_that_stops_is_given_up_in_time", stopped),
    ("inftime_waits_and_says_so", inftime),
    ("a_signal_ends_the_attempts", interrupted),
    ("die_exits", die),
];

pub const PARTS: &[Run] = &[
    ("inftime", inftime_part),
    ("interrupted", interrupted_part),
    ("die in a call", die_part),
    ("die between calls", die_later_part),
];

fn connect(place: &Place, retry: Retry) -> Client {
    Client::builder().retry(retry).connect(&place.url("a").parse().unwrap()).unwrap()
}

fn again(place: &Place) {
    place.kill();
    place.start(SERVER);
}

/// A client after a reconnect: it is a new process, which has nothing of the old one's.
fn is_new(client: &Client, old: &UdpSocket) {
    assert_eq!(client.getpid().unwrap(), client.pid());
    assert_eq!(errno(old.local_addr()), ENOTCONN);
    assert_eq!(errno(old.recv(&mut [0; 8])), ENOTCONN);
    let new = udp(client, 5);
    new.send_to(b"x", "127.0.0.1:5").unwrap();
    assert_eq!(new.recv(&mut [0; 8]).unwrap(), 1);
    // A descriptor of the same number is another one.
    assert_eq!(old.descriptor().fd(), new.descriptor().fd());
    assert_eq!(errno(old.local_addr()), ENOTCONN);
}

fn once() {
    let place = served();
    let client = connect(&place, Retry::Once);
    let old = udp(&client, 5);
    again(&place);
    is_new(&client, &old);
    place.kill();
    for _ in 0..3 {
        assert_eq!(errno(client.getpid()), ENOTCONN);
    }
    place.start(SERVER);
    assert_eq!(client.getpid().unwrap(), client.pid());
}

fn never() {
    let place = served();
    let client = connect(&place, Retry::Never);
    again(&place);
    for _ in 0..3 {
        assert_eq!(errno(client.getpid()), ENOTCONN);
    }
    // Whoever changes the mind is heard.
    client.set_retry(Retry::Once);
    assert_eq!(client.getpid().unwrap(), client.pid());
}

fn seconds() {
    let place = served();
    let client = connect(&place, Retry::Seconds(60));
    let old = udp(&client, 5);
    place.kill();
    // Calls wait until somebody is there again.
    std::thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| client.getpid())).collect();
        place.start(SERVER);
        let pids = calls.into_iter().map(|call| call.join().unwrap().unwrap());
        assert!(pids.into_iter().all(|pid| pid == client.pid()));
    });
    is_new(&client, &old);
    place.kill();
    client.set_retry(Retry::Seconds(1));
    let start = Instant::now();
    assert_eq!(errno(client.getpid()), ENOTCONN);
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
}

/// A server that lets clients wait at its door is as good as none.
fn stopped() {
    let place = served();
    let client = connect(&place, Retry::Seconds(1));
    again(&place);
    place.stop(true);
    let start = Instant::now();
    assert_eq!(errno(client.getpid()), ENOTCONN);
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    place.stop(false);
    assert_eq!(client.getpid().unwrap(), client.pid());
}

fn inftime() {
    let place = served();
    let mut part = Part::new("inftime", &place.url("a"));
    assert_eq!(part.line(), "here");
    place.kill();
    let mut said = BufReader::new(part.child.stderr.as_mut().unwrap()).lines();
    let mut line = || said.next().unwrap().unwrap();
    assert_eq!(line(), "connection to kernel lost, trying to reconnect ...");
    place.start(SERVER);
    assert_eq!(line(), "reconnected!");
    part.ends_well();
}

fn inftime_part() {
    let client = Client::builder().retry(Retry::Inftime).from_env().unwrap();
    let old = udp(&client, 5);
    println!("here");
    while client.getpid().is_ok() && old.local_addr().is_ok() {}
    is_new(&client, &old);
}

fn interrupted() {
    let place = served();
    let mut part = Part::new("interrupted", &place.url("a"));
    assert_eq!(part.line(), "here");
    place.kill();
    while part.line() != "interrupted" {}
    place.start(SERVER);
    let (status, said) = part.end();
    assert_eq!(status, Some(0), "{said}");
}

fn interrupted_part() {
    handle(0);
    let client = Client::builder().retry(Retry::Inftime).from_env().unwrap();
    println!("here");
    // The last one that was sent is lost, if there was one; the next one tries to reconnect.
    let call = || client.getpid().map_err(|e| e.raw_os_error());
    while with_signals(call) != Err(Some(EINTR)) {}
    println!("interrupted");
    assert_eq!(client.getpid().unwrap(), client.pid());
}

fn die() {
    for part in ["die in a call", "die between calls"] {
        let place = served();
        let mut part = Part::new(part, &place.url("a"));
        assert_eq!(part.line(), "here");
        place.kill();
        assert_eq!(part.end(), (Some(1), String::new()));
    }
}

fn die_part() {
    let client = Client::builder().retry(Retry::Die).from_env().unwrap();
    let socket = udp(&client, 5);
    println!("here");
    let done = socket.recv(&mut [0; 8]);
    println!("a call came back: {done:?}");
}

fn die_later_part() {
    let client = Client::builder().retry(Retry::Die).from_env().unwrap();
    println!("here");
    loop {
        client.getpid().unwrap();
    }
}

//! nc between kernels: what one end is given is what the other one prints.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use support::Network;

/// A tool that runs, and says on its error output what it does.
struct Running {
    child: Child,
    says: BufReader<std::process::ChildStderr>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let says = BufReader::new(child.stderr.take().unwrap());
        Running { child, says }
    }

    /// Waits for a line with that in it.
    #[track_caller]
    fn until(&mut self, what: &str) {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        assert!(line.contains(what), "{line:?} instead of {what}");
    }

    fn give(&mut self, data: &[u8]) {
        self.child.stdin.as_mut().unwrap().write_all(data).unwrap();
    }

    fn has(&mut self, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.child.stdout.as_mut().unwrap().read_exact(&mut data).unwrap();
        data
    }

    /// The input ends; what it prints until its own end, and its status.
    fn end(mut self) -> (Vec<u8>, Option<i32>) {
        drop(self.child.stdin.take());
        let mut rest = Vec::new();
        self.child.stdout.as_mut().unwrap().read_to_end(&mut rest).unwrap();
        (rest, self.child.wait().unwrap().code())
    }
}

#[test]
fn a_stream_both_ways() {
    let network = Network::line();
    let mut server = Running::start(network.command("c", "nc -lvN 7"));
    server.until("0.0.0.0:7: waiting");
    let mut client = Running::start(network.command("a", "nc -vN -p 5000 10.0.2.2 7"));
    client.until("10.0.2.2:7: connected");
    server.until("10.0.1.1:5000: connected");
    let data: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    std::thread::scope(|scope| {
        let (client, server) = (&mut client, &mut server);
        let (there, here) = (data.clone(), &data);
        scope.spawn(move || server.give(&there));
        assert!(client.has(here.len()) == *here, "as it was sent");
    });
    client.give(b"thanks");
    // Each waits for the other's end.
    drop(server.child.stdin.take());
    assert_eq!(client.end(), (vec![], Some(0)));
    assert_eq!(server.end(), (b"thanks".to_vec(), Some(0)));
}

#[test]
fn datagrams_to_whoever_sent_the_first() {
    let network = Network::line();
    let mut server = Running::start(network.command("c", "nc -luv 514"));
    server.until("0.0.0.0:514: waiting");
    let mut client = Running::start(network.command("a", "nc -u 10.0.2.2 514"));
    client.give(b"one");
    server.until("is the other side");
    assert_eq!(server.has(3), b"one");
    server.give(b"two");
    assert_eq!(client.has(3), b"two");
    // Datagrams have no end.
    for mut running in [client, server] {
        running.child.kill().unwrap();
        running.child.wait().unwrap();
    }
}

#[test]
fn who_is_silent_is_left_though_the_input_goes_on() {
    let network = Network::line();
    let mut server = Running::start(network.command("c", "nc -lv 7"));
    server.until("waiting");
    // Neither input ends, and neither says anything.
    let mut client = Running::start(network.command("a", "nc -w 0.3 10.0.2.2 7"));
    assert_eq!(client.child.wait().unwrap().code(), Some(0));
    // The other side has ended, whose input goes on: nobody listens there any more.
    server.until("connected");
    network.rump("a", "nc -z 10.0.2.2 7").fails(1, "nobody listens there");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

#[test]
fn nobody_takes_the_datagrams() {
    let network = Network::line();
    for _ in 0..10 {
        // The answer to the first is the second one's error, or the reader's: it ends in either case.
        let mut client = Running::start(network.command("a", "nc -u 10.0.2.2 9"));
        let input = client.child.stdin.as_mut().unwrap();
        let _ = (0..1000).try_for_each(|_| input.write_all(b"anybody?"));
        client.until("nobody listens there");
        assert_eq!(client.child.wait().unwrap().code(), Some(1));
    }
}

#[test]
fn one_connection_after_the_other() {
    let network = Network::line();
    let mut server = Running::start(network.command("c", "nc -lkv 7"));
    server.until("waiting");
    for text in ["first", "second"] {
        let mut client = Running::start(network.command("a", "nc -N 10.0.2.2 7"));
        client.give(text.as_bytes());
        assert_eq!(client.end(), (vec![], Some(0)));
        server.until("connected");
        assert_eq!(server.has(text.len()), text.as_bytes());
    }
    network.rump("a", "nc -z 10.0.2.2 7").has(&[]);
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

#[test]
fn what_goes_wrong_is_said() {
    let network = Network::line();
    let nc = |words: &str| network.rump("a", &format!("nc {words}"));
    nc("10.0.2.2 9").fails(1, "10.0.2.2:9: nobody listens there");
    nc("-w 0.1 10.0.1.99 9").fails(1, "no answer in time");
    nc("-w 0.1 -l 9").fails(1, "nobody has come in time");
    nc("10.0.2.2").fails(1, "ADDRESS and PORT are needed");
    nc("10.0.2.2 http").fails(1, "\"http\" is not a number of one");
    nc("-k 10.0.2.2 9").fails(1, "needs -l");
    nc("-zu 10.0.2.2 9").fails(1, "cannot tell");
    nc("-s 10.9.9.9 10.0.2.2 9").fails(1, "has no such address");
    let mut server = Running::start(network.command("a", "nc -lv 9"));
    server.until("waiting");
    nc("-l 9").fails(1, "somebody has that port already");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
}

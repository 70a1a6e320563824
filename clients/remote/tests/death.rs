//! Servers that die or make no sense: at every byte, and what the client does then.

mod support;

use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use remote::{Argument, Client, Retry};
use support::{FILL, PARK, Server, message, return_message, welcome_body};
use wire::Kind;

use Argument::{Out, Value};

const ENOTCONN: i32 = 107;

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().expect("an error number")
}

fn never(server: &Server) -> Result<Client, remote::Error> {
    let url = server.url().parse().unwrap();
    Client::builder().retry(Retry::Never).connect(&url)
}

#[test]
fn the_welcome_is_cut_at_every_byte() {
    let server = Server::new();
    let whole = message(Kind::Welcome, 1, &welcome_body(1));
    thread::scope(|scope| {
        scope.spawn(|| {
            for cut in 0..whole.len() {
                let mut peer = server.accept();
                peer.read();
                peer.write_raw(&whole[..cut]);
            }
        });
        for _ in 0..whole.len() {
            let error = never(&server).unwrap_err();
            assert!(error.to_string().contains("hung up"), "{error}");
        }
    });
}

#[test]
fn an_answer_is_cut_at_every_byte() {
    let server = Server::new();
    let len = return_message(0, 0, &[(0, &[5; 100])]).len();
    thread::scope(|scope| {
        scope.spawn(|| {
            for cut in 0..len {
                let mut peer = server.welcome(1);
                let call = peer.call();
                let answer = return_message(call.request, 100, &[(call.args[1], &[5; 100])]);
                peer.write_raw(&answer[..cut]);
            }
        });
        for cut in 0..len {
            let client = never(&server).unwrap();
            let mut out = [0; 100];
            let fill = &mut [Value(0), Out(&mut out), Value(100), Value(5)];
            assert_eq!(errno(client.call(FILL, fill)), ENOTCONN, "cut at {cut}");
            assert_eq!(errno(client.getpid()), ENOTCONN, "and for good");
        }
    });
}

#[test]
fn everybody_who_waits_is_told() {
    let server = Server::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = server.welcome(1);
            (0..5).for_each(|_| drop(peer.call()));
        });
        let client = never(&server).unwrap();
        for _ in 0..5 {
            let client = client.clone();
            scope.spawn(move || assert_eq!(errno(client.call(PARK, &mut [])), ENOTCONN));
        }
    });
}

#[test]
fn once_reconnects_and_is_a_new_process() {
    let server = Server::new();
    thread::scope(|scope| {
        let url = server.url();
        let (send, receive) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let mut peer = server.welcome(1);
            peer.call();
            drop(peer);
            let folder = server.die();
            let server = Server::again(folder);
            send.send(()).unwrap();
            server.welcome(2).serve(2);
            let folder = server.die();
            send.send(()).unwrap();
            drop(folder);
        });
        let client = Client::connect(&url).unwrap();
        assert_eq!(errno(client.getpid()), ENOTCONN, "it may have been made: not made again");
        receive.recv().unwrap();
        assert_eq!(client.getpid().unwrap(), 2);
        assert_eq!(client.pid(), 2);
        drop(client);
        receive.recv().unwrap();
    });
}

#[test]
fn once_gives_up_after_one_attempt_and_seconds_after_theirs() {
    for retry in [Retry::Once, Retry::Seconds(0), Retry::Never] {
        let server = Server::new();
        thread::scope(|scope| {
            let url = server.url().parse().unwrap();
            let server = scope.spawn(move || {
                drop(server.welcome(1));
                server.die()
            });
            let client = Client::builder().retry(retry).connect(&url).unwrap();
            let _folder = server.join().unwrap();
            assert_eq!(errno(client.getpid()), ENOTCONN);
            assert_eq!(errno(client.getpid()), ENOTCONN);
        });
    }
}

#[test]
fn a_descriptor_is_not_mistaken_for_another_process_s() {
    let server = Server::new();
    thread::scope(|scope| {
        let url = server.url();
        scope.spawn(move || {
            let mut peer = server.welcome(1);
            let call = peer.call();
            peer.answer(call.request, 3, &[]);
            drop(peer);
            // The client reconnects; nothing may come about descriptor 3 but the end.
            server.welcome(2).serve(2);
        });
        let client = Client::connect(&url).unwrap();
        let old = remote::Descriptor::open(&client, support::GETPID, &mut []).unwrap();
        while client.getpid().is_err() {}
        assert_eq!(client.pid(), 2);
        assert_eq!(errno(old.call(support::GETPID, [])), ENOTCONN);
        drop(old);
    });
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let server = Server::new();
    let url = server.url().parse().unwrap();
    let error = Client::builder().timeout(Duration::from_millis(50)).connect(&url).unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
}

/// An answer of which some bytes are others.
fn nonsense() -> impl Strategy<Value = Vec<(usize, u8)>> {
    proptest::collection::vec((0..80_usize, any::<u8>()), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_server_can_do_no_more_than_answer_wrongly(
        changes in nonsense(),
        random in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let server = Server::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                for raw in [None, Some(&random)] {
                    let mut peer = server.welcome(1);
                    let call = peer.call();
                    let mut answer =
                        return_message(call.request, 16, &[(call.args[1] + 8, &[5; 16])]);
                    for (at, byte) in &changes {
                        if let Some(there) = answer.get_mut(*at) {
                            *there = *byte;
                        }
                    }
                    peer.write_raw(raw.unwrap_or(&answer));
                }
            });
            for _ in 0..2 {
                let client = never(&server).unwrap();
                let mut memory = [1; 96];
                let fill =
                    &mut [Value(0), Out(&mut memory[32..64]), Value(32), Value(5)];
                let _ = client.call(FILL, fill);
                assert_eq!((&memory[..32], &memory[64..]), (&[1; 32][..], &[1; 32][..]));
            }
        });
    }

    #[test]
    fn a_welcome_may_be_anything(random in proptest::collection::vec(any::<u8>(), 0..100)) {
        let server = Server::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut peer = server.accept();
                peer.read();
                peer.write(Kind::Welcome, 1, &random);
            });
            let _ = never(&server);
        });
    }
}

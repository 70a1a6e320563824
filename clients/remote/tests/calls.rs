//! Calls: memory that travels, answers out of order, threads that overlap, cancellation.

mod support;

use std::thread;

use remote::{Argument, Client};
use support::{FILL, GETPID, OPAQUE, PARK, SUM, Server};
use wire::{Copied, Copyin, Kind};

use Argument::{In, Out, Value};

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().expect("an error number")
}

const EFAULT: i32 = 14;
const EINTR: i32 = 4;
const ENOSYS: i32 = 38;

/// A client of a small kernel, which ends with it.
fn with_kernel(test: impl FnOnce(&Client)) {
    let server = Server::new();
    thread::scope(|scope| {
        scope.spawn(|| server.welcome(7).serve(7));
        let client = Client::connect(&server.url()).unwrap();
        test(&client);
    });
}

#[test]
fn a_client_is_a_process() {
    with_kernel(|client| {
        assert_eq!((client.pid(), client.kernel().as_str()), (7, "fake"));
        assert_eq!(client.getpid().unwrap(), 7);
        assert_eq!(errno(client.call(9999, &mut [])), ENOSYS);
    });
}

#[test]
fn a_long_name_is_cut() {
    let server = Server::new();
    thread::scope(|scope| {
        scope.spawn(|| server.welcome(7).serve(7));
        let url = server.url().parse().unwrap();
        Client::builder().name("ä".repeat(300)).connect(&url).unwrap();
    });
}

#[test]
fn memory_travels() {
    with_kernel(|client| {
        for len in [0, 1, 100, 5000, 16 << 10, 64 << 10, 1 << 20] {
            let data = vec![1; len];
            let sum = client.call(SUM, &mut [In(&data), Value(len as u64)]).unwrap();
            assert_eq!(sum, len as u64);
            let mut out = vec![0; len];
            let fill = [Value(0), Out(&mut out), Value(len as u64), Value(3)];
            assert_eq!(client.call(FILL, &mut { fill }).unwrap(), len as u64);
            assert!(out.iter().all(|b| *b == 3), "{len}");
        }
    });
}

#[test]
fn only_what_is_lent_is_used() {
    with_kernel(|client| {
        assert_eq!(errno(client.call(SUM, &mut [In(b"four"), Value(5)])), EFAULT);
        assert_eq!(errno(client.call(SUM, &mut [Value(0x1000), Value(5)])), EFAULT);
        let fill = &mut [Value(0), In(b"four"), Value(4), Value(1)];
        assert_eq!(errno(client.call(FILL, fill)), EFAULT);
        assert_eq!(client.getpid().unwrap(), 7, "nothing was sent");
    });
}

#[test]
fn threads_overlap() {
    with_kernel(|client| {
        thread::scope(|scope| {
            let parked = scope.spawn(|| errno(client.call(PARK, &mut [])));
            for i in 1..=8_u64 {
                scope.spawn(move || {
                    let mut out = vec![0; 20_000];
                    for round in 0..200 {
                        let len = i * 1000 + round;
                        let fill = &mut [Value(0), Out(&mut out), Value(len), Value(i)];
                        assert_eq!(client.call(FILL, fill).unwrap(), len);
                        assert!(out[..len as usize].iter().all(|b| u64::from(*b) == i));
                    }
                });
            }
            while !parked.is_finished() {
                client.interrupt_all();
                thread::yield_now();
            }
            assert_eq!(parked.join().unwrap(), EINTR);
        });
    });
}

#[test]
fn answers_come_in_any_order() {
    let server = Server::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = server.welcome(1);
            for _ in 0..50 {
                let calls: Vec<_> = (0..4).map(|_| peer.call()).collect();
                for call in calls.iter().rev() {
                    peer.answer(call.request, call.memory[0].1[0].into(), &[]);
                }
            }
        });
        let client = Client::connect(&server.url()).unwrap();
        let threads = (0..4_u8).map(|i| {
            let client = client.clone();
            scope.spawn(move || {
                for _ in 0..50 {
                    let answer = client.call(SUM, &mut [In(&[i]), Value(1)]).unwrap();
                    assert_eq!(answer, i.into());
                }
            })
        });
        threads.collect::<Vec<_>>().into_iter().for_each(|t| t.join().unwrap());
    });
}

#[test]
fn a_thread_is_interrupted_and_no_other() {
    with_kernel(|client| {
        thread::scope(|scope| {
            let (send, receive) = std::sync::mpsc::channel();
            let parked = scope.spawn(move || {
                send.send(client.interrupt_handle()).unwrap();
                errno(client.call(PARK, &mut []))
            });
            let other = scope.spawn(|| errno(client.call(PARK, &mut [])));
            let interrupt = receive.recv().unwrap();
            while !parked.is_finished() {
                interrupt.interrupt();
                thread::yield_now();
            }
            assert_eq!(parked.join().unwrap(), EINTR);
            assert!(!other.is_finished());
            while !other.is_finished() {
                client.interrupt_all();
                thread::yield_now();
            }
            assert_eq!(other.join().unwrap(), EINTR);
        });
    });
}

#[test]
fn memory_is_asked_for_within_what_is_lent() {
    let server = Server::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = server.welcome(1);
            let call = peer.call();
            let mut ask = |addr, len| {
                peer.write(Kind::Copyin, call.request, &Copyin { addr, len }.to_bytes());
                let (header, body) = peer.read().unwrap();
                assert_eq!((header.kind, header.request), (Kind::Copied, call.request));
                let copied = Copied::parse(&body).unwrap();
                (copied.error, copied.data.to_vec())
            };
            let [addr, out] = call.args[..2] else { panic!() };
            assert_eq!(ask(addr + 2, 4), (0, b"quic".to_vec()));
            assert_eq!(ask(addr + 8, 8), (14, vec![]), "beyond the end");
            assert_eq!(ask(out, 1), (14, vec![]), "lent to be written, not read");
            peer.answer(call.request, 5, &[(out, b"brown")]);
            let call = peer.call();
            peer.answer(call.request, 5, &[(call.args[0], b"x")]);
        });
        let client = Client::connect(&server.url()).unwrap();
        let mut out = [0; 5];
        let done = client.call(OPAQUE, &mut [In(b"a quick"), Out(&mut out)]);
        assert_eq!((done.unwrap(), &out), (5, b"brown"));
        assert_eq!(errno(client.call(OPAQUE, &mut [In(b"a"), Out(&mut out)])), EFAULT);
    });
}

#[test]
fn raw_calls_take_pointers() {
    with_kernel(|client| {
        let (data, mut out) = ([2_u8; 6000], [0_u8; 6000]);
        let at = |p: *const u8| p.expose_provenance() as u64;
        let (from, to) = (at(data.as_ptr()), at(out.as_mut_ptr()));
        let raw = |number, args: [u64; 6]| {
            // SAFETY: the pointers are to memory of the test's, or to none.
            unsafe { client.syscall_raw(number, args) }
        };
        assert_eq!(raw(SUM, [from, 6000, 0, 0, 0, 0]).unwrap(), 12_000);
        assert_eq!(raw(FILL, [0, to, 6000, 9, 0, 0]).unwrap(), 6000);
        assert_eq!(out, [9; 6000]);
        assert_eq!(errno(raw(SUM, [1, 6000, 0, 0, 0, 0])), EFAULT);
        for len in [1, 60_000] {
            assert_eq!(errno(raw(FILL, [0, 1, len, 9, 0, 0])), EFAULT, "{len}");
        }
        assert_eq!(raw(GETPID, [0; 6]).unwrap(), 7, "all of the answers was taken off the stream");
    });
}

#[test]
fn a_client_that_is_refused_is_told_why() {
    let server = Server::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut peer = server.accept();
            let (header, _) = peer.read().unwrap();
            let mut body = Vec::new();
            let Ok(()) = wire::Refused { error: 11, reason: "too many" }.write(&mut body);
            peer.write(Kind::Refused, header.request, &body);
        });
        let error = Client::connect(&server.url()).unwrap_err();
        assert_eq!(error.errno(), 11);
        assert!(error.to_string().contains("too many"), "{error}");
    });
    let folder = server.die();
    let error = Client::connect(&format!("unix://{}/s", folder.0.display())).unwrap_err();
    assert!(error.to_string().contains("no server at unix://"), "{error}");
}

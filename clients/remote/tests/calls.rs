//! Calls: memory that travels, answers out of order, threads that overlap, cancellation.

mod support;

use std::thread;

use remote::{Argument, Client};
use support::{FILL, GETPID, OPAQUE, PARK, SUM, Server};
use wire::Kind;

use Argument::{In, Out, Value};

fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> i32 {
    result.unwrap_err().raw_os_error().expect("an error number")
}

const EFAULT: i32 = 14;
const EINTR: i32 = 4;
const ENOSYS: i32 = 38;
const ENOTCONN: i32 = 107;

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
            while client.interrupt_all() == 0 || !parked.is_finished() {
                thread::yield_now();
            }
            assert_eq!(parked.join().unwrap(), EINTR);
        });
    });
}

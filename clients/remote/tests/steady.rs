//! A call allocates nothing, once the connection is there.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::thread;

use remote::{Argument, Client};
use support::{FILL, SUM, Server};

use Argument::{In, Out, Value};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts what each thread allocates.
struct Counting;

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_call_allocates_nothing() {
    let server = Server::new();
    thread::scope(|scope| {
        scope.spawn(|| server.welcome(7).serve(7));
        let client = Client::connect(&server.url()).unwrap();
        let (data, mut out) = (vec![1; 50_000], vec![0; 50_000]);
        let mut calls = || {
            client.getpid().unwrap();
            client.call(SUM, &mut [In(&data), Value(50_000)]).unwrap();
            let fill = &mut [Value(0), Out(&mut out), Value(50_000), Value(3)];
            client.call(FILL, fill).unwrap();
            let at = data.as_ptr().expose_provenance() as u64;
            // SAFETY: `data` is read.
            unsafe { client.syscall_raw(SUM, [at, 50_000, 0, 0, 0, 0]) }.unwrap();
        };
        calls();
        let before = COUNT.get();
        (0..10).for_each(|_| calls());
        assert_eq!(COUNT.get(), before);
    });
}

//! Signals that come while a call waits: they cancel it, or do not, as their handlers want it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;

use remote::UdpSocket;
use rustix::process::{Pid, Signal, kill_process};

use super::{EINTR, Part, Run, client, errno, run, served, udp, within};

pub const TESTS: &[Run] = &[
    ("a_signal_cancels_a_call_that_waits", || run("cancels")),
    ("a_signal_that_restarts_calls_cancels_none", || run("restarts")),
    ("a_program_that_is_stopped_and_goes_on_notices_nothing", stopped),
    ("a_signal_does_not_end_what_a_stopped_server_was_asked", stopped_server),
];

pub const PARTS: &[Run] = &[
    ("cancels", cancels_part),
    ("restarts", restarts_part),
    ("stopped", stopped_part),
    ("stopped server", stopped_server_part),
];

static CAUGHT: AtomicU32 = AtomicU32::new(0);

extern "C" fn catch(_: i32) {
    CAUGHT.fetch_add(1, Ordering::SeqCst);
}

/// Has SIGUSR1 caught.
pub fn handle(flags: i32) {
    // SAFETY: the handler adds to a number.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = catch as extern "C" fn(i32) as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
}

/// A thread that signals are sent to.
#[derive(Clone, Copy)]
pub struct Thread(libc::pthread_t);

impl Thread {
    pub fn this() -> Thread {
        // SAFETY: it only says who we are.
        Thread(unsafe { libc::pthread_self() })
    }

    /// Sends it SIGUSR1, and waits until it has been caught.
    fn signal(self) {
        let before = CAUGHT.load(Ordering::SeqCst);
        // SAFETY: whoever has the value lives as long as the thread.
        assert_eq!(unsafe { libc::pthread_kill(self.0, libc::SIGUSR1) }, 0);
        within(30, "a signal", || CAUGHT.load(Ordering::SeqCst) > before);
    }
}

/// Sends signals to this thread until `call` has ended.
pub fn with_signals<R>(call: impl FnOnce() -> R) -> R {
    let (this, over) = (Thread::this(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                this.signal();
            }
        });
        let done = call();
        over.store(true, Ordering::SeqCst);
        done
    })
}

fn cancels_part() {
    handle(0);
    let client = client();
    let (socket, other) = (udp(&client, 5), udp(&client, 6));
    let wait = |socket: &UdpSocket| errno(socket.recv(&mut [0; 8]));
    // The thread reads for itself.
    for _ in 0..20 {
        assert_eq!(with_signals(|| wait(&socket)), EINTR);
    }
    // Another one, which gets no signals, reads for both.
    std::thread::scope(|scope| {
        let (tell, begins) = channel();
        let other = &other;
        let waits = scope.spawn(move || {
            tell.send(()).unwrap();
            other.recv(&mut [0; 8]).unwrap()
        });
        begins.recv().unwrap();
        for _ in 0..20 {
            client.getpid().unwrap();
            assert_eq!(with_signals(|| wait(&socket)), EINTR);
        }
        assert!(!waits.is_finished(), "it was not meant");
        socket.send_to(b"x", "127.0.0.1:6").unwrap();
        assert_eq!(waits.join().unwrap(), 1);
    });
    // A call that never waits is not hurt by signals: it may not be sent, and is then not made.
    for _ in 0..200 {
        match with_signals(|| client.getpid()) {
            Ok(pid) => assert_eq!(pid, client.pid()),
            error => assert_eq!(errno(error), EINTR),
        }
    }
}

fn restarts_part() {
    handle(libc::SA_RESTART);
    let client = client();
    let (socket, sends) = (udp(&client, 5), udp(&client, 6));
    let (this, received) = (Thread::this(), AtomicBool::new(false));
    for reader in [false, true] {
        std::thread::scope(|scope| {
            let (tell, begins) = channel();
            let (socket, sends, received) = (&socket, &sends, &received);
            scope.spawn(move || {
                begins.recv().unwrap();
                // The second time, somebody else may read for both.
                let other = reader.then(|| scope.spawn(|| sends.recv(&mut [0; 8]).unwrap()));
                for _ in 0..100 {
                    this.signal();
                }
                assert!(!received.load(Ordering::SeqCst));
                sends.send_to(b"x", "127.0.0.1:5").unwrap();
                if let Some(other) = other {
                    sends.send_to(b"x", "127.0.0.1:6").unwrap();
                    other.join().unwrap();
                }
            });
            tell.send(()).unwrap();
            assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 1);
            received.store(true, Ordering::SeqCst);
        });
        received.store(false, Ordering::SeqCst);
    }
}

fn stopped() {
    let place = served();
    let mut part = Part::new("stopped", &place.url("a"));
    assert_eq!(part.line(), "here");
    let pid = Pid::from_child(&part.child);
    for _ in 0..20 {
        let state = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", part.child.id()));
            status.unwrap().lines().find(|line| line.starts_with("State:")).unwrap().to_owned()
        };
        kill_process(pid, Signal::STOP).unwrap();
        within(30, "a program that stops", || state().contains('T'));
        kill_process(pid, Signal::CONT).unwrap();
        within(30, "a program that goes on", || !state().contains('T'));
    }
    let client = place.connect("a");
    udp(&client, 6).send_to(b"x", "127.0.0.1:5").unwrap();
    part.ends_well();
}

fn stopped_part() {
    let client = client();
    let socket = udp(&client, 5);
    println!("here");
    assert_eq!(socket.recv(&mut [0; 8]).unwrap(), 1);
}

fn stopped_server() {
    let place = served();
    let mut part = Part::new("stopped server", &place.url("a"));
    assert_eq!(part.line(), "here");
    place.stop(true);
    // It has been signalled in one call now, which a running server would have ended.
    while part.line() != "signalled" {}
    assert_eq!(part.child.try_wait().unwrap(), None);
    place.stop(false);
    while part.line() != "over" {}
    part.ends_well();
}

fn stopped_server_part() {
    handle(0);
    let client = client();
    let socket = udp(&client, 5);
    let (this, calls, over) = (Thread::this(), AtomicU32::new(0), AtomicBool::new(false));
    println!("here");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut told = false;
            while !over.load(Ordering::SeqCst) {
                let before = calls.load(Ordering::SeqCst);
                (0..100).for_each(|_| this.signal());
                if before == calls.load(Ordering::SeqCst) && !told {
                    told = true;
                    println!("signalled");
                }
            }
        });
        // Until one was signalled for long, and ended when the server went on.
        let mut longest = 0;
        while longest < 100 {
            let before = CAUGHT.load(Ordering::SeqCst);
            calls.fetch_add(1, Ordering::SeqCst);
            assert_eq!(errno(socket.recv(&mut [0; 8])), EINTR);
            longest = longest.max(CAUGHT.load(Ordering::SeqCst) - before);
        }
        over.store(true, Ordering::SeqCst);
    });
    println!("over");
}

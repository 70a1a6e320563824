//! Requests: calls that wait without a thread, are made again, time out, and are interrupted.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base::file::{Fd, Request};
use base::syscall::{NoSysMemory, SysMemory, decode, number};
use base::vm::kmem;
use base::wait::Notify;
use base::{BoundLwp, Cx, Errno, KBox, Kernel, Rfork};
use sim::Sim;
use support::{Closed, Pipe, boot, end, on_sims};

base::kernel!(EMPTY = []);

/// Counts the notices of a request.
struct Bell(Arc<AtomicU32>);

impl Notify for Bell {
    fn notify(&self, _: &Cx<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// The client's memory: 64 bytes from address 1000 on.
struct Memory([u8; 64]);

const AT: u64 = 1000;

impl SysMemory for Memory {
    fn copyin(&mut self, from: u64, to: &mut [u8]) -> Result<(), Errno> {
        let at = (from - AT) as usize;
        to.copy_from_slice(&self.0[at..at + to.len()]);
        Ok(())
    }

    fn copyout(&mut self, from: &[u8], to: u64) -> Result<(), Errno> {
        let at = (to - AT) as usize;
        self.0[at..at + from.len()].copy_from_slice(from);
        Ok(())
    }
}

struct Client {
    l: BoundLwp,
    memory: Memory,
    notices: Arc<AtomicU32>,
}

impl Client {
    fn new(kernel: &Kernel) -> Client {
        let l = kernel.rfork(Rfork::ClearFds).unwrap();
        Client { l, memory: Memory([0; 64]), notices: Arc::default() }
    }

    fn request(&mut self) -> Option<KBox<Request>> {
        let notices = self.notices.clone();
        let made = self.l.enter(|l| Request::new(l, kmem::arc(l, Bell(notices))?));
        Some(made.unwrap().unwrap())
    }

    fn pipe(&mut self, room: usize) -> Fd {
        self.l.enter(|l| Pipe::open(l, room, &Closed::default())).unwrap().unwrap()
    }

    fn attempt(
        &mut self,
        request: &mut Option<KBox<Request>>,
        number: u32,
        args: &[u64],
    ) -> Option<Result<u64, Errno>> {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        let memory = &mut self.memory;
        let answer = self.l.enter(|l| l.attempt(request, number, &all, memory)).unwrap();
        assert!(request.is_some(), "a request is given back");
        answer.map(decode)
    }

    fn end(&mut self, request: Option<KBox<Request>>) {
        self.l.enter(|l| request.unwrap().end(l)).unwrap();
    }

    fn told(&self) -> u32 {
        self.notices.load(Ordering::Relaxed)
    }
}

fn scene(test: impl Fn(&Arc<Sim>, &mut Client)) {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let mut client = Client::new(&kernel);
        test(sim, &mut client);
        drop(client);
        end(kernel);
    });
}

#[test]
fn a_read_waits_without_a_thread_and_is_told_once() {
    scene(|_, c| {
        let fd = c.pipe(8);
        let mut r = c.request();
        let read = [fd.into(), AT, 8];
        assert_eq!(c.attempt(&mut r, number::READ, &read), None);
        assert_eq!(c.attempt(&mut r, number::READ, &read), None, "for no reason: it still waits");
        assert_eq!(c.told(), 0);
        c.l.enter(|l| support::write(l, fd, b"abc")).unwrap().unwrap();
        c.l.enter(|l| support::write(l, fd, b"de")).unwrap().unwrap();
        assert_eq!(c.told(), 1, "level-like: told once, whatever comes");
        assert_eq!(c.attempt(&mut r, number::READ, &read), Some(Ok(5)));
        assert_eq!(&c.memory.0[..5], b"abcde");
        c.end(r);
    });
}

#[test]
fn a_write_goes_on_where_it_was() {
    scene(|_, c| {
        let fd = c.pipe(4);
        let mut r = c.request();
        c.memory.0[..10].copy_from_slice(b"0123456789");
        let write = [fd.into(), AT, 10];
        let mut seen = Vec::new();
        for told in 0..2 {
            assert_eq!(c.attempt(&mut r, number::WRITE, &write), None);
            assert_eq!(c.told(), told);
            seen.extend(c.l.enter(|l| support::read(l, fd)).unwrap().unwrap());
        }
        assert_eq!(c.attempt(&mut r, number::WRITE, &write), Some(Ok(10)));
        seen.extend(c.l.enter(|l| support::read(l, fd)).unwrap().unwrap());
        assert_eq!(seen, b"0123456789");
        c.end(r);
    });
}

#[test]
fn a_poll_of_several_files_waits_for_all_and_times_out() {
    scene(|_, c| {
        let (one, other) = (c.pipe(8), c.pipe(8));
        for (i, fd) in [one, other].into_iter().enumerate() {
            c.memory.0[8 * i..8 * i + 8].copy_from_slice(&[fd as u8, 0, 0, 0, 1, 0, 0, 0]);
        }
        let mut r = c.request();
        assert_eq!(c.attempt(&mut r, number::POLL, &[AT, 2, 1000]), None);
        c.l.enter(|l| support::write(l, other, b"x")).unwrap().unwrap();
        assert_eq!(c.told(), 1);
        assert_eq!(c.attempt(&mut r, number::POLL, &[AT, 2, 1000]), Some(Ok(1)));
        assert_eq!(c.memory.0[14..16], [1, 0]);
        c.end(r);

        c.l.enter(|l| support::read(l, other)).unwrap().unwrap();
        let mut r = c.request();
        let start = c.l.enter(|l| l.now()).unwrap();
        assert_eq!(c.attempt(&mut r, number::POLL, &[AT, 2, 1000]), None);
        let later = start + Duration::from_millis(999);
        c.l.enter(|l| l.sleep_until(later)).unwrap();
        assert_eq!(c.attempt(&mut r, number::POLL, &[AT, 2, 1000]), None, "the deadline stays");
        c.l.enter(|l| l.sleep_until(start + Duration::from_millis(1001))).unwrap();
        assert_eq!(c.told(), 2);
        assert_eq!(c.attempt(&mut r, number::POLL, &[AT, 2, 1000]), Some(Ok(0)));
        c.end(r);
        assert_eq!(c.l.syscall(number::POLL, &[AT, 2, 0, 0, 0, 0], &mut c.memory), Ok(0));
    });
}

#[test]
fn an_interrupted_request_answers_what_there_is_or_eintr() {
    scene(|_, c| {
        let fd = c.pipe(8);
        let read = [fd.into(), AT, 8];
        let mut r = c.request();
        assert_eq!(c.attempt(&mut r, number::READ, &read), None);
        r.as_mut().unwrap().interrupt();
        assert_eq!(c.attempt(&mut r, number::READ, &read), Some(Err(Errno::Interrupted)));
        c.end(r);

        let mut r = c.request();
        assert_eq!(c.attempt(&mut r, number::READ, &read), None);
        c.l.enter(|l| support::write(l, fd, b"abc")).unwrap().unwrap();
        r.as_mut().unwrap().interrupt();
        assert_eq!(c.attempt(&mut r, number::READ, &read), Some(Ok(3)));
        c.end(r);
    });
}

#[test]
fn files_are_let_go_of_and_calls_without_files_are_as_ever() {
    scene(|_, c| {
        let fd = c.pipe(8);
        let mut r = c.request();
        assert_eq!(c.attempt(&mut r, number::READ, &[fd.into(), AT, 8]), None);
        assert_eq!(
            c.l.syscall(number::CLOSE, &[fd.into(), 0, 0, 0, 0, 0], &mut NoSysMemory),
            Ok(0)
        );
        assert_eq!(c.attempt(&mut r, number::READ, &[fd.into(), AT, 8]), Some(Err(Errno::BadFile)));
        let pid = c.l.pid().into();
        assert_eq!(c.attempt(&mut r, number::GETPID, &[]), Some(Ok(pid)));
        assert_eq!(c.attempt(&mut r, 499, &[]), Some(Err(Errno::NotImplemented)));
        c.end(r);
    });
}

#[test]
fn without_memory_to_wait_with_a_request_fails_and_leaves_nothing() {
    for n in 1.. {
        let sim = Sim::seeded(n);
        sim.run(|| {
            let kernel = boot(&sim, &EMPTY, 1);
            let mut c = Client::new(&kernel);
            let fd = c.pipe(8);
            c.memory.0[..8].copy_from_slice(&[fd as u8, 0, 0, 0, 1, 0, 0, 0]);
            let mut r = c.request();
            sim.faults().refuse_nth_charge(n);
            let polled = c.attempt(&mut r, number::POLL, &[AT, 1, 1000]);
            let refused = sim.faults().refused() != 0;
            assert_eq!(polled, refused.then_some(Err(Errno::NoMemory)), "charge {n}");
            c.end(r);
            drop(c);
            end(kernel);
        });
        if sim.faults().refused() == 0 {
            assert!(n > 4);
            return;
        }
    }
}

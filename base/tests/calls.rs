//! What programs see: system calls, sysctl, counters, names, poll.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use base::evcnt::{Counter, CounterSet};
use base::file::poll::{PollFd, poll};
use base::file::{File, Flags};
use base::syscall::{self, Arg, NoSysMemory, SysMemory, number};
use base::sysctl::{self, Value};
use base::vm::kmem;
use base::wait::Events;
use base::{BoundLwp, Cred, Errno, Kernel, Lwp, Options, Rfork, uname};
use sim::{Config, Sim};
use support::{Closed, Pipe, boot, end, on_sims, read, write};

const MS: Duration = Duration::from_millis(1);

mod counting {
    use super::*;

    base::slot! { pub static COUNTER: Counter; }

    fn attach(l: &mut Lwp<'_>) -> Result<(), Errno> {
        COUNTER.set(l, kmem::boxed(l, Counter::new())?)
    }

    base::component! { "counting", needs [], hooks { Kern => attach } }

    base::counters! { static COUNTERS = CounterSet {
        group: "counting",
        each: |cx, show| if let Some(c) = cx.try_get(&COUNTER) { show("events", c.get()) },
    }; }

    base::sysctl! {
        static EVENTS = sysctl::Node {
            name: "counting.events", doc: "events so far",
            get: |cx| Some(Value::Int(cx.try_get(&COUNTER)?.get().try_into().ok()?)), set: None,
        };
    }

    base::syscalls! {
        static ADD = Some("counting"), 400, "add", [Arg::Value], |l: &mut Lwp<'_>, a: &[u64; 6], _| {
            l.get(&COUNTER).add(l, a[0]);
            Ok(l.get(&COUNTER).get())
        };
    }
}

base::kernel!(EMPTY = []);
base::kernel!(COUNTING = [counting]);

/// A client's memory: 4096 bytes at address 0x1000.
struct Memory(Vec<u8>);

impl Memory {
    const AT: u64 = 0x1000;

    fn new() -> Self {
        Memory(vec![0xee; 4096])
    }

    fn at(&mut self, address: u64, len: usize) -> Result<&mut [u8], Errno> {
        let start = address.checked_sub(Self::AT).ok_or(Errno::BadAddress)? as usize;
        start.checked_add(len).and_then(|end| self.0.get_mut(start..end)).ok_or(Errno::BadAddress)
    }
}

impl SysMemory for Memory {
    fn copyin(&mut self, from: u64, to: &mut [u8]) -> Result<(), Errno> {
        to.copy_from_slice(self.at(from, to.len())?);
        Ok(())
    }

    fn copyout(&mut self, from: &[u8], to: u64) -> Result<(), Errno> {
        self.at(to, from.len())?.copy_from_slice(from);
        Ok(())
    }
}

/// Makes a call with up to six arguments.
fn sys(l: &mut BoundLwp, m: &mut dyn SysMemory, n: u32, args: &[u64]) -> Result<u64, Errno> {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    l.syscall(n, &all, m)
}

/// A kernel, and a process in it.
fn process(sim: &Arc<Sim>) -> (Kernel, BoundLwp) {
    let kernel = boot(sim, &EMPTY, 1);
    let l = kernel.rfork(Rfork::ClearFds).unwrap();
    (kernel, l)
}

fn open(l: &mut BoundLwp, room: usize) -> u64 {
    l.enter(|l| Pipe::open(l, room, &Closed::default())).unwrap().unwrap().into()
}

#[test]
fn processes_know_who_they_are() {
    on_sims(|sim| {
        let (kernel, mut l) = process(sim);
        let mut call = |n| sys(&mut l, &mut NoSysMemory, n, &[]).unwrap();
        assert_eq!((call(number::GETPID), call(number::GETPPID)), (2, 1));
        let ids = [number::GETUID, number::GETEUID, number::GETGID, number::GETEGID].map(&mut call);
        assert_eq!(ids, [0; 4]);
        let tid = call(number::GETTID);
        assert_eq!(tid, l.lid().into());
        drop(l);
        end(kernel);
    });
}

#[test]
fn ids_are_given_up_and_not_taken_back() {
    let (_kernel, mut l) = process(&Sim::seeded(1));
    let m = &mut NoSysMemory;
    assert_eq!(sys(&mut l, m, number::SETGID, &[7]), Ok(0));
    assert_eq!(sys(&mut l, m, number::SETUID, &[1 << 32]), Err(Errno::Invalid));
    assert_eq!(sys(&mut l, m, number::SETUID, &[9]), Ok(0));
    assert_eq!(sys(&mut l, m, number::GETUID, &[]), Ok(9));
    assert_eq!(sys(&mut l, m, number::SETUID, &[9]), Ok(0));
    assert_eq!(sys(&mut l, m, number::SETUID, &[0]), Err(Errno::NotPermitted));
    assert_eq!(sys(&mut l, m, number::SETGID, &[0]), Err(Errno::NotPermitted));
    assert_eq!(sys(&mut l, m, number::GETGID, &[]), Ok(7));
    let mut mem = Memory::new();
    assert_eq!(sys(&mut l, &mut mem, number::SETHOSTNAME, &[0x1000, 2]), Err(Errno::NotPermitted));
}

#[test]
fn what_nobody_serves_is_not_implemented() {
    let sim = Sim::seeded(1);
    let (_kernel, mut l) = process(&sim);
    for n in [400, 511, 512, 100_000, u32::MAX] {
        assert_eq!(sys(&mut l, &mut NoSysMemory, n, &[]), Err(Errno::NotImplemented), "call {n}");
    }
    // The same number in a kernel that has the component.
    let kernel = boot(&sim, &COUNTING, 1);
    let mut l = kernel.bind().unwrap();
    assert_eq!(sys(&mut l, &mut NoSysMemory, 400, &[5]), Ok(5));
    assert_eq!(sys(&mut l, &mut NoSysMemory, 400, &[6]), Ok(11));
    let name = |l: &mut Lwp<'_>, n| syscall::describe(l, n).map(|s| s.name);
    assert_eq!(l.enter(|l| name(l, 400)), Ok(Some("add")));
    assert_eq!(l.enter(|l| name(l, 401)), Ok(None));
}

#[test]
fn results_fit_in_a_word() {
    for value in [0, 1, u64::MAX - 4095] {
        assert_eq!(syscall::decode(syscall::encode(Ok(value))), Ok(value));
    }
    for n in 1..200 {
        if let Some(e) = Errno::from_number(n) {
            assert_eq!(syscall::encode(Err(e)), (-i64::from(n)) as u64);
            assert_eq!(syscall::decode((-i64::from(n)) as u64), Err(e));
        }
    }
    assert_eq!(syscall::decode(u64::MAX - 4094), Err(Errno::Io), "a number that is no error's");
}

#[test]
fn uname_is_laid_out_as_linux_does() {
    let config =
        Config { params: [("hostname".into(), "node7".into())].into(), ..Config::default() };
    let options = Options { name: "K", ..Default::default() };
    let kernel = Kernel::boot_with(Sim::new(config), &EMPTY, &options).unwrap();
    let mut l = kernel.bind().unwrap();
    let mut m = Memory::new();
    assert_eq!(sys(&mut l, &mut m, number::UNAME, &[Memory::AT]), Ok(0));
    let fields: Vec<_> = m.0[..390]
        .chunks(65)
        .map(|f| String::from_utf8(f[..f.iter().position(|b| *b == 0).unwrap()].to_vec()).unwrap())
        .collect();
    assert_eq!(fields, [uname::SYSNAME, "node7", uname::RELEASE, "K", uname::MACHINE, ""]);
    assert!(m.0[390..].iter().all(|b| *b == 0xee), "no more than 390 bytes");
    let fault = sys(&mut l, &mut m, number::UNAME, &[Memory::AT + 4096 - 389]);
    assert_eq!(fault, Err(Errno::BadAddress));
    assert_eq!(sys(&mut l, &mut m, number::UNAME, &[u64::MAX]), Err(Errno::BadAddress));
}

#[test]
fn the_host_name_is_the_hosts_until_it_is_set() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let name = || kernel.enter(|l| uname::hostname(l)).unwrap();
        assert_eq!(name(), "rump-1.sim.rumpdomain");
        let mut l = kernel.rfork(Rfork::ClearFds).unwrap();
        let mut m = Memory::new();
        m.0[..70].fill(b'n');
        let mut set = |len| sys(&mut l, &mut m, number::SETHOSTNAME, &[Memory::AT, len]);
        assert_eq!(set(64), Ok(0));
        assert_eq!(set(65), Err(Errno::Invalid));
        assert_eq!(set(u64::MAX), Err(Errno::Invalid));
        assert_eq!(name(), "n".repeat(64));
        m.0[0] = 0xff;
        let bad = sys(&mut l, &mut m, number::SETHOSTNAME, &[Memory::AT, 5]);
        assert_eq!(bad, Err(Errno::Invalid), "not a text");
        assert_eq!(sys(&mut l, &mut m, number::SETHOSTNAME, &[0, 5]), Err(Errno::BadAddress));
        drop(l);
        end(kernel);
    });
}

#[test]
fn a_long_host_name_is_cut_at_a_characters_edge() {
    let hostname = "ü".repeat(40);
    let options = Options { hostname: &hostname, ..Default::default() };
    let kernel = Kernel::boot_with(Sim::seeded(1), &EMPTY, &options).unwrap();
    let name = kernel.enter(|l| uname::hostname(l)).unwrap();
    assert_eq!(name, "ü".repeat(32));
    let refused = kernel.enter(|l| uname::set_hostname(l, &hostname)).unwrap();
    assert_eq!(refused, Err(Errno::NameTooLong));
}

#[test]
fn descriptors_are_duplicated_as_posix_says() {
    let (kernel, mut l) = process(&Sim::seeded(1));
    let fd = open(&mut l, 100);
    let (m, bad) = (&mut NoSysMemory, Err(Errno::BadFile));
    let l = &mut l;
    assert_eq!((fd, sys(l, m, number::DUP, &[0])), (0, Ok(1)));
    assert_eq!(sys(l, m, number::DUP2, &[0, 5]), Ok(5));
    assert_eq!(sys(l, m, number::DUP2, &[0, 0]), Ok(0));
    assert_eq!(sys(l, m, number::DUP2, &[9, 9]), bad);
    assert_eq!(sys(l, m, number::DUP, &[9]), bad);
    assert_eq!(sys(l, m, number::DUP, &[u64::MAX]), bad);
    assert_eq!(sys(l, m, number::DUP2, &[0, 1 << 40]), bad);
    assert_eq!(sys(l, m, number::DUP, &[0]), Ok(2), "the lowest one that is free");
    assert_eq!(sys(l, m, number::DUP3, &[0, 0, 0]), Err(Errno::Invalid));
    assert_eq!(sys(l, m, number::DUP3, &[0, 3, 1]), Err(Errno::Invalid));
    assert_eq!(sys(l, m, number::DUP3, &[0, 3, 0o2_000_000]), Ok(3));
    let getfd = |l: &mut BoundLwp, fd| sys(l, &mut NoSysMemory, number::FCNTL, &[fd, 1, 0]);
    assert_eq!((getfd(l, 3), getfd(l, 5)), (Ok(1), Ok(0)));
    assert_eq!(sys(l, m, number::FCNTL, &[3, 2, 0]), Ok(0)); // F_SETFD
    assert_eq!(getfd(l, 3), Ok(0));
    assert_eq!(sys(l, m, number::FCNTL, &[0, 0, 10]), Ok(10)); // F_DUPFD
    assert_eq!(sys(l, m, number::FCNTL, &[0, 1030, 10]), Ok(11)); // F_DUPFD_CLOEXEC
    assert_eq!((getfd(l, 10), getfd(l, 11)), (Ok(0), Ok(1)));
    assert_eq!(sys(l, m, number::FCNTL, &[0, 0, 1 << 20]), Err(Errno::Invalid));
    assert_eq!(sys(l, m, number::FCNTL, &[0, 99, 0]), Err(Errno::Invalid));
    for fd in [0, 1, 2, 3, 5, 10] {
        assert_eq!(sys(l, m, number::CLOSE, &[fd]), Ok(0));
        assert_eq!(sys(l, m, number::CLOSE, &[fd]), bad);
    }
    // All of them were one file, and the last one still has it.
    assert_eq!(l.enter(|l| write(l, 11, b"x")).unwrap(), Ok(1));
    drop(kernel);
}

#[test]
fn reads_and_writes_move_a_clients_memory() {
    let (_kernel, mut l) = process(&Sim::seeded(1));
    let (fd, mut m) = (open(&mut l, 10), Memory::new());
    m.0[..5].copy_from_slice(b"hello");
    assert_eq!(sys(&mut l, &mut m, number::WRITE, &[fd, Memory::AT, 5]), Ok(5));
    assert_eq!(sys(&mut l, &mut m, number::READ, &[fd, Memory::AT + 100, 99]), Ok(5));
    assert_eq!(&m.0[100..106], b"hello\xee");
    assert_eq!(sys(&mut l, &mut m, number::WRITE, &[fd, Memory::AT, 0]), Ok(0));
    assert_eq!(sys(&mut l, &mut m, number::WRITE, &[fd, 0, 5]), Err(Errno::BadAddress));
    assert_eq!(sys(&mut l, &mut m, number::WRITE, &[fd, Memory::AT, 5]), Ok(5));
    assert_eq!(sys(&mut l, &mut m, number::READ, &[fd, 0, 5]), Err(Errno::BadAddress));
    assert_eq!(sys(&mut l, &mut m, number::READ, &[99, Memory::AT, 5]), Err(Errno::BadFile));
    // O_NONBLOCK, set and seen with fcntl.
    assert_eq!(sys(&mut l, &mut m, number::FCNTL, &[fd, 4, 0o4000]), Ok(0));
    assert_eq!(sys(&mut l, &mut m, number::FCNTL, &[fd, 3]), Ok(0o4002));
    assert_eq!(sys(&mut l, &mut m, number::READ, &[fd, Memory::AT, 5]), Err(Errno::WouldBlock));
    let part = sys(&mut l, &mut m, number::WRITE, &[fd, Memory::AT, 30]);
    assert_eq!(part, Ok(10), "as much as there is room for");
}

#[test]
fn ioctl_moves_what_its_request_says() {
    let (_kernel, mut l) = process(&Sim::seeded(1));
    let (fd, mut m) = (open(&mut l, 10), Memory::new());
    m.0[..8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    // The file adds one to each byte. Four bytes, read and written; then only one of both.
    let request = |dir: u64, size: u64| dir << 30 | size << 16 | 0x7701;
    let mut ioctl = |request| sys(&mut l, &mut m, number::IOCTL, &[fd, request, Memory::AT]);
    assert_eq!(ioctl(request(3, 4)), Ok(0));
    assert_eq!(ioctl(request(1, 4)), Ok(0));
    // An int that was extended to a long: the sign means nothing.
    assert_eq!(ioctl(request(2, 1) | 0xffff_ffff_0000_0000), Ok(0));
    assert_eq!(ioctl(0x7702), Err(Errno::NotTerminal));
    assert_eq!(m.0[..8], [1, 3, 4, 5, 5, 6, 7, 8]);
    let fault = sys(&mut l, &mut m, number::IOCTL, &[fd, request(3, 4), 0]);
    assert_eq!(fault, Err(Errno::BadAddress));
}

#[test]
fn blocked_reads_and_writes_go_on_when_they_can() {
    on_sims(|sim| {
        for ncpu in [1, 3] {
            let kernel = boot(sim, &EMPTY, ncpu);
            let closed = Closed::default();
            let fd = kernel.enter(|l| Pipe::open(l, 3, &closed)).unwrap().unwrap();
            let text: Vec<u8> = (0..100).collect();
            let writer = {
                let (handle, text) = (kernel.handle(), text.clone());
                sim.spawn("writer", move || handle.enter(|l| write(l, fd, &text)).unwrap())
            };
            let mut got = Vec::new();
            while got.len() < text.len() {
                let part = kernel.enter(|l| read(l, fd)).unwrap().unwrap();
                assert!((1..=3).contains(&part.len()));
                got.extend(part);
            }
            assert_eq!((writer.join(), got), (Ok(100), text));
            end(kernel);
        }
    });
}

#[test]
fn a_blocked_read_is_interrupted() {
    on_sims(|sim| {
        let (kernel, mut l) = process(sim);
        let fd = open(&mut l, 10);
        let interrupter = l.interrupter().unwrap();
        let reader = sim.spawn("reader", move || {
            let mut m = Memory::new();
            sys(&mut l, &mut m, number::READ, &[fd, Memory::AT, 1])
        });
        sim.settle();
        interrupter.interrupt();
        assert_eq!(reader.join(), Err(Errno::Interrupted));
        end(kernel);
    });
}

#[test]
fn poll_tells_what_holds_now() {
    on_sims(|sim| {
        let kernel = boot(sim, &EMPTY, 1);
        let closed = Closed::default();
        kernel
            .enter(|l| {
                let (empty, full) =
                    (Pipe::open(l, 1, &closed).unwrap(), Pipe::open(l, 1, &closed).unwrap());
                write(l, full, b"x").unwrap();
                let both = Events::IN | Events::OUT;
                let ask = |fd: i32, events| PollFd { fd, events, revents: Events::HUP };
                let mut fds = [
                    ask(empty as i32, both),
                    ask(full as i32, both),
                    ask(empty as i32, Events::IN),
                    ask(-1, both),
                    ask(77, both),
                ];
                assert_eq!(poll(l, &mut fds, None), Ok(3));
                let expected =
                    [Events::OUT, Events::IN, Events::empty(), Events::empty(), Events::NVAL];
                assert_eq!(fds.map(|p| p.revents), expected);
            })
            .unwrap();
        end(kernel);
    });
}

#[test]
fn poll_waits_for_any_of_several_files() {
    on_sims(|sim| {
        for ncpu in [1, 2] {
            let kernel = boot(sim, &EMPTY, ncpu);
            let closed = Closed::default();
            let open = |l: &mut Lwp<'_>| [(); 3].map(|()| Pipe::open(l, 9, &closed).unwrap());
            let fds = kernel.enter(|l| open(l)).unwrap();
            for ready in 0..3 {
                let handle = kernel.handle();
                let poller = sim.spawn("poller", move || {
                    let ask =
                        |fd| PollFd { fd: fd as i32, events: Events::IN, revents: Events::empty() };
                    let mut asked = fds.map(ask);
                    let n = handle.enter(|l| poll(l, &mut asked, None)).unwrap();
                    (n, asked.map(|p| p.revents == Events::IN))
                });
                sim.settle();
                kernel.enter(|l| write(l, fds[ready], b"x")).unwrap().unwrap();
                let mut expected = [false; 3];
                expected[ready] = true;
                assert_eq!(poller.join(), (Ok(1), expected));
                kernel.enter(|l| read(l, fds[ready])).unwrap().unwrap();
            }
            end(kernel);
        }
    });
}

#[test]
fn poll_ends_at_its_deadline_or_by_an_interruption() {
    on_sims(|sim| {
        sim.faults().wake_early(200_000);
        let (kernel, mut l) = process(sim);
        let fd = open(&mut l, 9);
        let mut m = Memory::new();
        // struct pollfd { int fd; short events; short revents; }
        m.0[..8].copy_from_slice(&[fd as u8, 0, 0, 0, 1, 0, 0xff, 0xff]);
        let before = kernel.host().now();
        assert_eq!(sys(&mut l, &mut m, number::POLL, &[Memory::AT, 1, 5]), Ok(0));
        assert_eq!(kernel.host().now(), before + 5 * MS);
        assert_eq!(m.0[6..8], [0, 0]);
        assert_eq!(sys(&mut l, &mut m, number::POLL, &[Memory::AT, 1, 0]), Ok(0));
        assert_eq!(kernel.host().now(), before + 5 * MS);
        // With no files at all it is a sleep.
        assert_eq!(sys(&mut l, &mut m, number::POLL, &[0, 0, 5]), Ok(0));
        assert_eq!(kernel.host().now(), before + 10 * MS);
        assert_eq!(sys(&mut l, &mut m, number::POLL, &[0, 1 << 17, 0]), Err(Errno::Invalid));
        assert_eq!(sys(&mut l, &mut m, number::POLL, &[0, 1, 0]), Err(Errno::BadAddress));

        l.enter(|l| write(l, fd as u32, b"x")).unwrap().unwrap();
        assert_eq!(sys(&mut l, &mut m, number::POLL, &[Memory::AT, 1, u64::MAX]), Ok(1));
        assert_eq!(m.0[6..8], [1, 0]);
        l.enter(|l| read(l, fd as u32)).unwrap().unwrap();

        let interrupter = l.interrupter().unwrap();
        let poller = sim.spawn("poller", move || {
            sys(&mut l, &mut m, number::POLL, &[Memory::AT, 1, u64::from(u32::MAX)])
        });
        sim.settle();
        interrupter.interrupt();
        assert_eq!(poller.join(), Err(Errno::Interrupted));
        end(kernel);
    });
}

#[test]
fn poll_without_memory_is_an_error_and_leaves_nothing_behind() {
    for n in 1.. {
        let sim = Sim::seeded(n);
        sim.run(|| {
            let (kernel, mut l) = process(&sim);
            let fds = [open(&mut l, 9), open(&mut l, 9)];
            let mut m = Memory::new();
            for (i, fd) in fds.iter().enumerate() {
                m.0[8 * i..8 * i + 8].copy_from_slice(&[*fd as u8, 0, 0, 0, 1, 0, 0, 0]);
            }
            sim.faults().refuse_nth_charge(n);
            let polled = sys(&mut l, &mut m, number::POLL, &[Memory::AT, 2, 1]);
            let expected = if sim.faults().refused() == 0 { Ok(0) } else { Err(Errno::NoMemory) };
            assert_eq!(polled, expected, "charge {n}");
            drop(l);
            end(kernel);
        });
        if sim.faults().refused() == 0 {
            assert!(n > 3);
            return;
        }
    }
}

#[test]
fn flags_of_an_open_file_that_can_change_do() {
    let kernel = boot(&Sim::seeded(1), &EMPTY, 1);
    kernel
        .enter(|l| {
            let file = Pipe::file(l, 1, &Closed::default()).unwrap();
            file.set_flags(Flags::NONBLOCK | Flags::WRONLY);
            assert_eq!(file.flags(), Flags::RDWR | Flags::NONBLOCK, "not how it was opened");
            let again = File::new(l, file.ops().clone(), Flags::APPEND).unwrap();
            assert!(!again.is_nonblocking() && file.is_nonblocking());
        })
        .unwrap();
    end(kernel);
}

#[test]
fn sysctl_reads_sets_and_lists() {
    on_sims(|sim| {
        let kernel = boot(sim, &COUNTING, 3);
        let text = |s: &str| Value::Text(s.into());
        kernel
            .enter(|l| {
                assert_eq!(sysctl::get(l, "hw.ncpu"), Ok(Value::Int(3)));
                assert_eq!(sysctl::get(l, "kern.ostype"), Ok(text("anykernel")));
                assert_eq!(sysctl::get(l, "no.such"), Err(Errno::NoEntry));
                assert_eq!(sysctl::set(l, "no.such", Value::Int(1)), Err(Errno::NoEntry));
                assert_eq!(sysctl::set(l, "hw.ncpu", Value::Int(1)), Err(Errno::NotPermitted));
                assert_eq!(sysctl::set(l, "kern.hostname", Value::Int(1)), Err(Errno::Invalid));
                assert_eq!(sysctl::set(l, "kern.hostname", text("n9")), Ok(()));
                assert_eq!(sysctl::get(l, "kern.hostname"), Ok(text("n9")));
                assert_eq!(sysctl::set(l, "vm.limit", Value::Int(0)), Err(Errno::Invalid));
                assert_eq!(sysctl::set(l, "vm.limit", Value::Int(1 << 20)), Ok(()));
                assert_eq!(l.account().limit(), 1 << 20);
                l.get(&counting::COUNTER).inc(l);
                assert_eq!(sysctl::get(l, "counting.events"), Ok(Value::Int(1)));
                let all = sysctl::all(l);
                assert!(all.is_sorted_by_key(|(n, _)| n.name));
                let of =
                    |name| all.iter().find(|(n, _)| n.name == name).map(|(_, v)| v.to_string());
                assert_eq!(of("counting.events").as_deref(), Some("1"));
                assert_eq!(of("kern.hostname").as_deref(), Some("n9"));
            })
            .unwrap();
        let other = boot(sim, &EMPTY, 1);
        other
            .enter(|l| {
                assert_eq!(sysctl::get(l, "counting.events"), Err(Errno::NoEntry));
                assert!(sysctl::all(l).iter().all(|(n, _)| n.name != "counting.events"));
            })
            .unwrap();
        end(other);
        end(kernel);
    });
}

#[test]
fn counters_count_on_every_cpu() {
    on_sims(|sim| {
        for ncpu in [1, 4] {
            let kernel = boot(sim, &COUNTING, ncpu);
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let handle = kernel.handle();
                    sim.spawn("counter", move || {
                        for _ in 0..100 {
                            handle.enter(|l| l.get(&counting::COUNTER).inc(l)).unwrap();
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|t| t.join());
            let mut shown = Vec::new();
            let show = &mut |group, name, n| shown.push((group, name, n));
            kernel.enter(|l| base::evcnt::each(l, show)).unwrap();
            assert_eq!(shown, [("counting", "events", 400)]);
            end(kernel);
        }
    });
}

#[test]
fn credentials_say_who_is_in_a_group() {
    let cred = Cred { gid: 5, groups: [7, 9].into_iter().collect(), ..Cred::root() };
    assert!(cred.in_group(5) && cred.in_group(9) && !cred.in_group(8));
}

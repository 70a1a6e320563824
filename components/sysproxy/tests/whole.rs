//! Calls that wait for all that they want (MSG_WAITALL): nothing of it is lost.
#![allow(clippy::disallowed_methods, clippy::disallowed_macros)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use base::Errno;
use base::syscall::number;
use sim::Sim;
use support::{Answer, Client, SERVED, Served, loopback, message, scene_of, syscall};
use sysproxy::Trust;
use wire::Kind;

const AT: u64 = 0x7000;
const BUF: u64 = 0x8000;
const WAITALL: u64 = 0x100;
const DONTWAIT: u64 = 0x40;

/// A client that reads, and one that writes to it.
struct Ends {
    reader: Client,
    from: u64,
    writer: Client,
    to: u64,
}

impl Ends {
    fn new(s: &Served, trust: Trust, port: u16) -> Ends {
        let (mut reader, mut writer) = (s.guest(trust, 1), s.guest(Trust::Owner, 2));
        let tcp = |c: &mut Client| c.call(number::SOCKET, &[2, 1, 0], &[]).unwrap();
        let listener = tcp(&mut reader);
        let at = loopback(port);
        assert_eq!(reader.call(number::BIND, &[listener, AT, 16], &[(AT, &at[..])]), Ok(0));
        assert_eq!(reader.call(number::LISTEN, &[listener, 1], &[]), Ok(0));
        let to = tcp(&mut writer);
        writer.send(&syscall(1, number::CONNECT, &[to, AT, 16], &[(AT, &at[..])])).unwrap();
        writer.resume();
        assert_eq!(writer.next(), Answer::Return(1, Ok(0), vec![]));
        // TCP_NODELAY: parts do not wait for each other.
        let on = 1_i32.to_ne_bytes();
        let args = [to, 6, 1, AT, 4];
        assert_eq!(writer.call(number::SETSOCKOPT, &args, &[(AT, &on[..])]), Ok(0));
        let from = reader.call(number::ACCEPT, &[listener, 0, 0], &[]).unwrap();
        assert_eq!(reader.call(number::CLOSE, &[listener], &[]), Ok(0));
        Ends { reader, from, writer, to }
    }

    /// Writes as much as there is room for.
    fn write(&mut self, data: &[u8]) -> usize {
        let args = [self.to, BUF, data.len() as u64, DONTWAIT, 0, 0];
        match self.writer.call(number::SENDTO, &args, &[(BUF, data)]) {
            Ok(n) => n as usize,
            Err(e) => {
                assert_eq!(e, Errno::WouldBlock);
                0
            }
        }
    }

    fn ask(&mut self, request: u64, len: u64, flags: u64) {
        let args = [self.from, BUF, len, flags, 0, 0];
        self.reader.send(&syscall(request, number::RECVFROM, &args, &[])).unwrap();
    }

    /// All that is there to be read now.
    fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        loop {
            self.ask(9, 1000, DONTWAIT);
            match self.reader.next() {
                Answer::Return(9, Ok(n), memory) if n > 0 => all.extend(&memory[0].1),
                _ => return all,
            }
        }
    }
}

fn whole(test: impl Fn(&Arc<Sim>, &Served)) {
    scene_of(&SERVED, test);
}

#[test]
fn what_there_is_no_memory_for_stays_in_the_socket() {
    const PARTS: [&[u8]; 4] = [b"a few ", b"words ", b"in ", b"pieces"];
    whole(|sim, s| {
        let mut ends = Ends::new(s, Trust::Owner, 8080);
        let (mut failed, mut answered) = (0, 0);
        // Without one charge of those that are made while the call waits, and of those at its end.
        for n in 1..60 {
            for missing in 0..PARTS.len() {
                let len: usize = PARTS.iter().map(|part| part.len()).sum();
                ends.ask(7, len as u64, WAITALL);
                assert_eq!(ends.reader.next(), Answer::Nothing);
                let mut answer = Answer::Nothing;
                for (i, part) in PARTS.iter().enumerate() {
                    assert_eq!(ends.write(part), part.len());
                    sim.settle();
                    if i == missing {
                        sim.faults().refuse_nth_charge(n);
                    }
                    ends.reader.resume();
                    sim.faults().clear();
                    if answer == Answer::Nothing {
                        answer = ends.reader.next();
                    }
                }
                let mut got = match answer {
                    Answer::Return(7, Ok(_), memory) => {
                        answered += 1;
                        memory[0].1.clone()
                    }
                    Answer::Return(7, Err(Errno::NoMemory), _) => {
                        failed += 1;
                        Vec::new()
                    }
                    other => panic!("{other:?}"),
                };
                got.extend(ends.rest());
                let got = String::from_utf8(got).unwrap();
                assert_eq!(got, "a few words in pieces", "charge {n} at part {missing}");
            }
        }
        assert!(failed > 3 && answered > 100, "{failed}, {answered}");
    });
}

#[test]
fn more_than_the_socket_holds_comes_all_the_same() {
    whole(|sim, s| {
        for (trust, port) in [(Trust::Owner, 8080), (Trust::Nobody, 8081)] {
            let mut ends = Ends::new(s, trust, port);
            let data: Vec<u8> = (0..900_000_u32).map(|n| (n / 251) as u8).collect();
            ends.ask(7, 900_000, WAITALL);
            let (mut written, mut waits) = (0, 0);
            while written < data.len() {
                let now = (written + 60_000).min(data.len());
                let n = ends.write(&data[written..now]);
                written += n;
                ends.reader.resume();
                if n == 0 {
                    sim.sleep(Duration::from_millis(50));
                    waits += 1;
                }
                assert!(waits < 1000, "{written} bytes, and no more");
            }
            let answer = (0..100).find_map(|_| {
                sim.sleep(Duration::from_millis(50));
                ends.reader.resume();
                Some(ends.reader.next()).filter(|answer| *answer != Answer::Nothing)
            });
            let Some(Answer::Return(7, Ok(900_000), memory)) = answer else { panic!() };
            assert!(memory[0].1 == data, "as it was sent");
        }
    });
}

#[test]
fn who_does_not_wait_any_longer_has_what_there_is() {
    whole(|sim, s| {
        let mut ends = Ends::new(s, Trust::Nobody, 8080);
        // SO_RCVTIMEO: a second.
        let second = [1_u64, 0].map(u64::to_ne_bytes).concat();
        let args = [ends.from, 1, 20, AT, 16];
        assert_eq!(ends.reader.call(number::SETSOCKOPT, &args, &[(AT, &second)]), Ok(0));
        let answer = |ends: &mut Ends| match ends.reader.next() {
            Answer::Return(7, result, memory) => {
                result.map(|_| String::from_utf8(memory[0].1.clone()).unwrap())
            }
            other => panic!("{other:?}"),
        };
        ends.ask(7, 10, WAITALL);
        ends.write(b"late");
        ends.reader.resume();
        assert_eq!(ends.reader.next(), Answer::Nothing);
        sim.sleep(Duration::from_secs(2));
        ends.reader.resume();
        assert_eq!(answer(&mut ends), Ok("late".into()));
        ends.ask(7, 10, WAITALL);
        sim.sleep(Duration::from_secs(2));
        ends.reader.resume();
        assert_eq!(answer(&mut ends), Err(Errno::WouldBlock));
        // Cancelled, too.
        ends.ask(7, 10, WAITALL);
        ends.write(b"called");
        ends.reader.resume();
        ends.reader.send(&message(Kind::Cancel, 7, &[])).unwrap();
        assert_eq!(answer(&mut ends), Ok("called".into()));
        ends.ask(7, 10, WAITALL);
        ends.reader.send(&message(Kind::Cancel, 7, &[])).unwrap();
        assert_eq!(answer(&mut ends), Err(Errno::Interrupted));
        // So does the end of the stream.
        ends.ask(7, 10, WAITALL);
        ends.write(b"the end");
        ends.writer.call(number::CLOSE, &[ends.to], &[]).unwrap();
        ends.reader.resume();
        assert_eq!(answer(&mut ends), Ok("the end".into()));
    });
}

#[test]
fn what_it_leaves_for_now_is_for_others() {
    whole(|_, s| {
        let mut ends = Ends::new(s, Trust::Owner, 8080);
        let taken = |ends: &mut Ends| {
            ends.reader.resume();
            let mut all = Vec::new();
            while let Answer::Return(request, result, _) = ends.reader.next() {
                all.push((request, result));
            }
            all
        };
        // Two of those that want all, before and behind two that take what there is.
        ends.ask(1, 100, WAITALL);
        ends.ask(2, 6, 0);
        ends.ask(3, 20, 0);
        ends.ask(4, 100, WAITALL);
        assert_eq!(ends.write(&[1; 10]), 10);
        assert_eq!(taken(&mut ends), [(2, Ok(6)), (3, Ok(4))]);
        // Without others they wait, and do not wake each other.
        assert_eq!(ends.write(&[2; 60]), 60);
        assert_eq!(taken(&mut ends), []);
        s.told.woken.lock().unwrap().clear();
        assert_eq!(taken(&mut ends), []);
        assert!(s.told.woken.lock().unwrap().is_empty());
        assert_eq!(ends.write(&[3; 60]), 60);
        let first = taken(&mut ends);
        let &[(first, Ok(100))] = &first[..] else { panic!("{first:?}") };
        // What one leaves the other finds, with what comes then.
        assert_eq!(ends.write(&[4; 80]), 80);
        assert_eq!(taken(&mut ends), [(5 - first, Ok(100))]);
        assert!(ends.rest().is_empty());
    });
}

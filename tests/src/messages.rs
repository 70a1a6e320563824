//! Any input, as what hostile clients say to a server, for the fuzzer.
//!
//! The input is a sequence of steps of three clients: bytes as they are, system calls with any
//! arguments and memory, answers that nobody asked for, forks and cancels; between them the
//! connection takes little or much of what is answered. Nothing may panic or wait; what a client
//! is charged for is bounded; answers make sense; and in the end nothing is left.
//!
//! Locking: none of its own. Sources: `clients/wire/PROTOCOL.md`.

use std::sync::{Arc, Mutex};

use base::{Kernel, Options};
use sim::Sim;
use sysproxy::{Service, Session, Transport, Trust, Wake};
use wire::{HEADER_LEN, Header, Hello, How, Kind, Segment, Syscall, VERSION};

base::kernel!(SERVED = [net, netinet, shmif, sysproxy]);

const CLIENTS: usize = 3;

/// What a kernel that serves hostile clients may hold. A client may have a message of a megabyte
/// half sent, and as much waiting for it.
const LIMIT: u64 = 16 << 20;

#[derive(Default)]
struct Told(Mutex<Vec<u64>>);

impl Wake for Told {
    fn wake(&self, session: u64) {
        self.0.lock().unwrap().push(session);
    }

    fn halt(&self) {}

    fn gone(&self) {}
}

/// The connection: checks what a server says, and takes as much of it as there is room for.
#[derive(Default)]
struct Answers {
    bytes: Vec<u8>,
    room: usize,
}

impl Transport for Answers {
    fn send(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        self.bytes.extend_from_slice(&bytes[..taken]);
        self.check();
        taken
    }
}

impl Answers {
    fn check(&mut self) {
        while let Some(raw) = self.bytes.first_chunk::<HEADER_LEN>() {
            let header = Header::parse(raw).expect("a server's header");
            let whole = header.len as usize;
            if self.bytes.len() < whole {
                return;
            }
            let body = &self.bytes[HEADER_LEN..whole];
            match header.kind {
                Kind::Welcome => drop(wire::Welcome::parse(body).unwrap()),
                Kind::Refused => drop(wire::Refused::parse(body).unwrap()),
                Kind::Return => drop(wire::Return::parse(body).unwrap()),
                Kind::Copyin => assert!(wire::Copyin::parse(body).is_ok()),
                Kind::Cookie => assert_eq!(body.len(), 16),
                kind => panic!("a server does not say {kind:?}"),
            }
            self.bytes.drain(..whole);
        }
    }
}

struct Client {
    session: Option<Session>,
    answers: Answers,
}

/// Bytes of the input, zeros at its end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) =
            self.0.split_first().map_or((0, self.0), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.byte()).collect()
    }

    /// A number, mostly one that means something.
    fn number(&mut self) -> u64 {
        match self.byte() {
            kind @ 0..=199 => u64::from(kind % 20),
            200..=219 => 0x1000 * u64::from(self.byte() % 4),
            220..=239 => u64::from(u16::from_le_bytes([self.byte(), self.byte()])),
            _ => u64::from_le_bytes(std::array::from_fn(|_| self.byte())),
        }
    }
}

fn message(kind: Kind, request: u64, body: &[u8]) -> Vec<u8> {
    [&Header::new(kind, request, body.len()).to_bytes()[..], body].concat()
}

fn hello(how: How) -> Vec<u8> {
    let mut body = Vec::new();
    let Ok(()) = Hello { version: VERSION, how, name: "any" }.write(&mut body);
    message(Kind::Hello, 1, &body)
}

/// Calls that there are, and some that there are not.
const CALLS: [u32; 24] =
    [0, 1, 3, 7, 16, 32, 39, 41, 42, 44, 45, 46, 47, 48, 49, 51, 52, 54, 55, 63, 72, 170, 500, 333];

fn call(input: &mut Input<'_>) -> Vec<u8> {
    let number = CALLS[usize::from(input.byte()) % CALLS.len()];
    let args = std::array::from_fn(|_| input.number());
    let count = input.byte() % 3;
    let mut body = Syscall { number, args }.to_bytes(count.into()).to_vec();
    for _ in 0..count {
        let data = {
            let len = usize::from(input.byte() % 64);
            input.bytes(len)
        };
        body.extend(Segment::head(args[usize::from(input.byte()) % 6], data.len()));
        body.extend(data);
    }
    message(Kind::Syscall, (input.byte() % 8).into(), &body)
}

fn words(input: &mut Input<'_>) -> Vec<u8> {
    let request = u64::from(input.byte() % 8);
    let body = {
        let len = usize::from(input.byte() % 32);
        input.bytes(len)
    };
    match input.byte() % 8 {
        0 => body,
        1 => message(Kind::Copied, request, &[&[0; 8][..], &body].concat()),
        2 => message(Kind::Copied, request, &body),
        3 => message(Kind::Cancel, request, &[]),
        4 => message(Kind::Prefork, request, &[]),
        5 => message(Kind::Unfork, request, &body),
        6 => hello(How::Exec),
        // A long message that is never ended.
        _ => Header::new(Kind::Syscall, request, 1 << 20).to_bytes().to_vec(),
    }
}

/// Plays the steps.
///
/// # Panics
/// If something does not hold.
pub fn run(input: &[u8]) {
    let sim = Sim::seeded(1);
    sim.clone().run(move || {
        let options = Options { memlimit: LIMIT, ..Options::default() };
        let kernel = Kernel::boot_with(sim.clone(), &SERVED, &options).unwrap();
        let told = Arc::new(Told::default());
        let service = Service::new(kernel.handle(), told.clone()).unwrap();
        play(&mut Input(input), &service, &told);
        drop(service);
        let account = kernel.account().clone();
        drop(kernel);
        assert_eq!(account.used(), 0, "bytes are left");
    });
}

fn play(input: &mut Input<'_>, service: &Arc<Service>, told: &Told) {
    let fresh = |number: usize| {
        let trust = if number == 0 { Trust::Owner } else { Trust::Nobody };
        let session = Some(Session::new(service, trust, number as u64));
        Client { session, answers: Answers { room: usize::MAX, ..Answers::default() } }
    };
    let mut clients: Vec<Client> = (0..CLIENTS).map(fresh).collect();
    while !input.0.is_empty() {
        let step = input.byte();
        let number = usize::from(step) % CLIENTS;
        let client = &mut clients[number];
        let Some(session) = &mut client.session else {
            clients[number] = fresh(number);
            continue;
        };
        let answers = &mut client.answers;
        let done = match step / 3 % 12 {
            0..=5 if session.is_new() => session.input(&hello(How::Guest), answers),
            0..=5 => session.input(&call(input), answers),
            6 | 7 => session.input(&words(input), answers),
            8 => {
                answers.room = usize::from(input.byte()) * 16;
                session.flush(answers)
            }
            9 => {
                answers.room = usize::MAX;
                session.flush(answers)
            }
            10 => session.resume(answers),
            _ => {
                client.session = None;
                Ok(())
            }
        };
        if done.is_err() {
            client.session = None;
        }
        // Whoever was told is served, as a server does.
        let woken = std::mem::take(&mut *told.0.lock().unwrap());
        for number in woken {
            let Client { session, answers } = &mut clients[number as usize];
            if session.as_mut().is_some_and(|session| session.resume(answers).is_err()) {
                *session = None;
            }
        }
    }
}

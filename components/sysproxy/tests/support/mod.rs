//! A client without a connection: it hands messages to a session and reads the answers.
#![allow(dead_code)]

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use base::{Kernel, Options, Spec};
use sim::Sim;
use sysproxy::{Ended, Service, Session, Transport, Trust, Wake};
use wire::{
    Copied, Copyin, HEADER_LEN, Header, Hello, How, Kind, Refused, Return, Segment, Syscall,
    VERSION, Welcome,
};

base::kernel!(SERVED = [net, netinet, sysproxy]);

/// What a service told its host's half.
#[derive(Default)]
pub struct Told {
    pub woken: Mutex<Vec<u64>>,
    pub halted: AtomicBool,
    pub gone: AtomicBool,
}

impl Wake for Told {
    fn wake(&self, session: u64) {
        self.woken.lock().unwrap().push(session);
    }

    fn halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    fn gone(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

/// A kernel with its service.
pub struct Served {
    pub kernel: Kernel,
    pub service: Arc<Service>,
    pub told: Arc<Told>,
}

impl Served {
    pub fn boot(sim: &Arc<Sim>) -> Served {
        Self::boot_of(sim, &SERVED)
    }

    /// A kernel of other components.
    pub fn boot_of(sim: &Arc<Sim>, spec: &'static Spec) -> Served {
        let options = Options { name: "SERVED", ..Options::default() };
        let kernel = Kernel::boot_with(sim.clone(), spec, &options).unwrap();
        let told = Arc::new(Told::default());
        let service = Service::new(kernel.handle(), told.clone()).unwrap();
        Served { kernel, service, told }
    }

    pub fn client(&self, trust: Trust, token: u64) -> Client {
        Client { session: Session::new(&self.service, trust, token), wire: Wire::default() }
    }

    /// A client that has been welcomed.
    pub fn guest(&self, trust: Trust, token: u64) -> Client {
        let mut client = self.client(trust, token);
        client.hello(How::Guest).unwrap();
        assert!(matches!(client.next(), Answer::Welcome(_)));
        client
    }

    /// Drops the kernel and looks that nothing is charged to it.
    pub fn end(self) {
        let account = self.kernel.account().clone();
        drop(self.kernel);
        assert_eq!(account.used(), 0);
    }
}

/// On a simulation, for a few seeds.
pub fn scene(test: impl Fn(&Served)) {
    scene_of(&SERVED, |_, served| test(served));
}

/// The same with a kernel of other components.
pub fn scene_of(spec: &'static Spec, test: impl Fn(&Arc<Sim>, &Served)) {
    for seed in 0..5 {
        let sim = Sim::seeded(seed);
        sim.run(|| {
            let served = Served::boot_of(&sim, spec);
            test(&sim, &served);
            served.end();
        });
    }
}

/// The connection: what the session has sent, and how much it may send.
#[derive(Default)]
pub struct Wire {
    pub sent: Vec<u8>,
    /// `None`: whatever it likes.
    pub room: Option<usize>,
}

impl Transport for Wire {
    fn send(&mut self, bytes: &[u8]) -> usize {
        let n = bytes.len().min(self.room.unwrap_or(usize::MAX));
        self.sent.extend_from_slice(&bytes[..n]);
        if let Some(room) = &mut self.room {
            *room -= n;
        }
        n
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    Welcome(u32),
    Refused(u32),
    /// The request, its result, and the memory that was written.
    Return(u64, Result<u64, base::Errno>, Vec<(u64, Vec<u8>)>),
    Copyin(u64, Copyin),
    Cookie([u8; 16]),
    Nothing,
}

pub struct Client {
    pub session: Session,
    pub wire: Wire,
}

/// struct sockaddr_in of 127.0.0.1 with a port.
pub fn loopback(port: u16) -> [u8; 16] {
    let [p0, p1] = port.to_be_bytes();
    [2, 0, p0, p1, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// A message's bytes.
pub fn message(kind: Kind, request: u64, body: &[u8]) -> Vec<u8> {
    [&Header::new(kind, request, body.len()).to_bytes()[..], body].concat()
}

pub fn hello(how: How) -> Vec<u8> {
    let mut body = Vec::new();
    Hello { version: VERSION, how, name: "test" }.write(&mut body).unwrap();
    message(Kind::Hello, 1, &body)
}

pub fn syscall(request: u64, number: u32, args: &[u64], memory: &[(u64, &[u8])]) -> Vec<u8> {
    let mut all = [0; 6];
    all[..args.len()].copy_from_slice(args);
    let mut body = Syscall { number, args: all }.to_bytes(memory.len() as u32).to_vec();
    for (addr, data) in memory {
        body.extend(Segment::head(*addr, data.len()));
        body.extend(*data);
    }
    message(Kind::Syscall, request, &body)
}

impl Client {
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.session.input(bytes, &mut self.wire)
    }

    pub fn hello(&mut self, how: How) -> Result<(), Ended> {
        self.send(&hello(how))
    }

    pub fn resume(&mut self) {
        self.session.resume(&mut self.wire).unwrap();
    }

    /// The next answer.
    pub fn next(&mut self) -> Answer {
        let sent = &mut self.wire.sent;
        let Some(raw) = sent.first_chunk::<HEADER_LEN>() else { return Answer::Nothing };
        let header = Header::parse(raw).unwrap();
        let message: Vec<u8> = sent.drain(..header.len as usize).collect();
        let body = &message[HEADER_LEN..];
        match header.kind {
            Kind::Welcome => {
                let welcome = Welcome::parse(body).unwrap();
                assert_eq!(welcome.kernel, "SERVED");
                assert!(welcome.calls.get(base::syscall::number::SOCKET).is_some());
                Answer::Welcome(welcome.pid)
            }
            Kind::Refused => Answer::Refused(Refused::parse(body).unwrap().error),
            Kind::Return => {
                let (answer, memory) = Return::parse(body).unwrap();
                let memory = memory.map(|s| (s.addr, s.data.to_vec())).collect();
                Answer::Return(header.request, base::syscall::decode(answer.word), memory)
            }
            Kind::Copyin => Answer::Copyin(header.request, Copyin::parse(body).unwrap()),
            Kind::Cookie => Answer::Cookie(body.try_into().unwrap()),
            kind => panic!("a server does not say {kind:?}"),
        }
    }

    /// Makes a call that is answered at once.
    pub fn call(
        &mut self,
        number: u32,
        args: &[u64],
        memory: &[(u64, &[u8])],
    ) -> Result<u64, base::Errno> {
        self.send(&syscall(99, number, args, memory)).unwrap();
        match self.next() {
            Answer::Return(99, result, _) => result,
            other => panic!("{other:?}"),
        }
    }

    pub fn copied(&mut self, request: u64, error: u32, data: &[u8]) -> Result<(), Ended> {
        let mut body = Vec::new();
        Copied { error, data }.write(&mut body).unwrap();
        self.send(&message(Kind::Copied, request, &body))
    }
}

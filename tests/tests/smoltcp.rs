//! TCP with a peer that nobody of this project wrote: smoltcp, as a member of the bus.
//!
//! It knows less (no SACK as a sender, no timestamps, one connection a socket), so it also shows that
//! what is not agreed is not used.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use local::{TcpListener, TcpStream};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, HardwareAddress, IpCidr};
use tests::{Lab, Node, Station};

const OURS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const TICK: Duration = Duration::from_millis(1);
/// Of virtual time.
const PATIENCE: Duration = Duration::from_secs(600);

/// What smoltcp takes for a network card.
#[derive(Default)]
struct Card {
    received: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Received(Vec<u8>);
struct ToSend<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for ToSend<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Card {
    type RxToken<'a> = Received;
    type TxToken<'a> = ToSend<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, ToSend<'_>)> {
        let frame = self.received.pop_front()?;
        Some((Received(frame), ToSend(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<ToSend<'_>> {
        Some(ToSend(&mut self.sent))
    }

    /// It checks and computes all checksums.
    fn capabilities(&self) -> DeviceCapabilities {
        let mut all = DeviceCapabilities::default();
        all.medium = Medium::Ethernet;
        all.max_transmission_unit = 1514;
        all
    }
}

/// The peer: a stack with one socket, on the same bus as a node.
struct Peer {
    station: Station,
    card: Card,
    stack: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    millis: i64,
}

impl Peer {
    fn new(lab: &Lab) -> Peer {
        let station = Station::new(lab, "bus", THEIRS);
        let mut card = Card::default();
        let mac = EthernetAddress(station.mac.0);
        let config = Config::new(HardwareAddress::Ethernet(mac));
        let mut stack = Interface::new(config, &mut card, Instant::from_millis(0));
        stack.update_ip_addrs(|addrs| addrs.push(IpCidr::new(THEIRS.into(), 24)).unwrap());
        let buffer = || tcp::SocketBuffer::new(vec![0; 60_000]);
        let mut sockets = SocketSet::new(Vec::new());
        let socket = sockets.add(tcp::Socket::new(buffer(), buffer()));
        Peer { station, card, stack, sockets, socket, millis: 0 }
    }

    fn tcp(&mut self) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(self.socket)
    }

    fn connect(&mut self, port: u16) {
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(self.socket);
        socket.connect(self.stack.context(), (OURS, port), 5000).unwrap();
    }

    /// A millisecond.
    fn tick(&mut self, lab: &Lab) {
        self.card.received.extend(self.station.frames());
        self.stack.poll(Instant::from_millis(self.millis), &mut self.card, &mut self.sockets);
        for frame in self.card.sent.drain(..) {
            self.station.send(&frame);
        }
        lab.sim().sleep(TICK);
        self.millis += 1;
    }

    /// Sends all of `data`, then no more, and gives what came until the other side's end.
    fn exchange(&mut self, lab: &Lab, data: &[u8], done: &AtomicBool) -> Vec<u8> {
        let (mut sent, mut got, mut closed) = (0, Vec::new(), false);
        for _ in 0..PATIENCE.as_millis() {
            self.tick(lab);
            let socket = self.tcp();
            if socket.can_send() && sent < data.len() {
                sent += socket.send_slice(&data[sent..]).unwrap();
            }
            if sent == data.len() && !closed && socket.may_send() {
                socket.close();
                closed = true;
            }
            while socket.can_recv() {
                socket
                    .recv(|bytes| {
                        got.extend_from_slice(bytes);
                        (bytes.len(), ())
                    })
                    .unwrap();
            }
            if closed && !socket.may_recv() && done.load(Ordering::Relaxed) {
                return got;
            }
        }
        panic!("{sent} bytes sent and {} received in {PATIENCE:?}, {:?}", got.len(), self.tcp());
    }
}

fn pattern(len: usize, salt: u8) -> Vec<u8> {
    (0..len).map(|i| (i ^ i >> 8 ^ i >> 16) as u8 ^ salt).collect()
}

fn node(lab: &Lab) -> Node {
    let node = lab.router("a");
    node.plug("shmif0", "bus", (OURS, 24)).unwrap();
    // What is on the bus is to be as on a wire.
    node.on("shmif0", |_, ifp| ifp.set_unfinished_max(0)).unwrap();
    node
}

/// This side: sends `data`, then no more, and reads to the end.
fn talk(mut stream: TcpStream, data: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut other = stream.try_clone().unwrap();
    // Both ways at once would take a second thread; a buffer's worth does not.
    let (first, rest) = data.split_at(data.len().min(50_000));
    other.write_all(first).unwrap();
    let mut got = vec![0; 50_000];
    stream.read_exact(&mut got).unwrap();
    other.write_all(rest).unwrap();
    other.shutdown(Shutdown::Write).unwrap();
    stream.read_to_end(&mut got).unwrap();
    got
}

fn meet(lab: &Lab, we_connect: bool, len: usize) {
    let node = Arc::new(node(lab));
    let mut peer = Peer::new(lab);
    let (ours, theirs) = (pattern(len, 1), pattern(len, 2));
    let done = Arc::new(AtomicBool::new(false));
    let (there, over, data) = (node.clone(), done.clone(), ours.clone());
    if we_connect {
        peer.tcp().listen(7).unwrap();
    } else {
        peer.connect(7);
    }
    let listener = (!we_connect).then(|| TcpListener::bind(&node, (OURS, 7)).unwrap());
    let user = lab.sim().spawn("user", move || {
        let stream = match listener {
            Some(listener) => listener.accept().unwrap().0,
            None => TcpStream::connect(&there, (THEIRS, 7)).unwrap(),
        };
        let got = talk(stream, &data);
        over.store(true, Ordering::Relaxed);
        got
    });
    assert!(peer.exchange(lab, &theirs, &done) == ours, "smoltcp has read something else");
    assert!(user.join() == theirs, "we have read something else");
}

#[test]
fn it_connects_to_us() {
    Lab::run(1, |lab| meet(lab, false, 300_000));
}

#[test]
fn we_connect_to_it() {
    Lab::run(2, |lab| meet(lab, true, 300_000));
}

#[test]
fn through_bad_weather() {
    for (seed, we_connect) in [(3, false), (4, true), (5, false), (6, true)] {
        Lab::run(seed, |lab| {
            let faults = lab.sim().faults();
            faults.lose(10_000);
            faults.double(10_000);
            faults.delay(100_000, Duration::from_millis(1)..Duration::from_millis(8));
            faults.reorder(20_000, Duration::from_millis(3));
            meet(lab, we_connect, 120_000);
        });
    }
}

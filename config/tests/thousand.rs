//! A thousand clients of one server, all of which wait for something.

mod server;

use server::plain::{Plain, RECVFROM, SENDTO, sockaddr, syscall};
use server::{Place, within};

const CLIENTS: u16 = 1000;

fn threads(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

#[test]
fn a_thousand_blocked_receives_hold_no_thread() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let more = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, more).unwrap();
    let place = Place::new();
    place.start("-l netinet unix://a");
    let [pid] = place.pids()[..] else { panic!("one server") };
    let path = place.path().join("a");
    let mut clients: Vec<Plain> = (0..CLIENTS).map(|_| Plain::connect(&path)).collect();
    for (client, port) in clients.iter_mut().zip(1..) {
        let fd = client.udp(port);
        client.send(&syscall(7, RECVFROM, &[fd, 0x2000, 64, 0, 0, 0], &[]));
    }
    // Whoever asks comes after all of them.
    let mut other = Plain::connect(&path);
    let fd = other.udp(2000);
    let cpus = std::thread::available_parallelism().unwrap().get();
    assert!(threads(pid) <= cpus + 4, "{} threads", threads(pid));
    // From behind, so that order is not what wakes them.
    for port in (1..=CLIENTS).rev() {
        let (to, data) = (sockaddr(port), port.to_be_bytes());
        let args = [fd, 0x1000, 2, 0, 0x2000, to.len() as u64];
        other.send(&syscall(8, SENDTO, &args, &[(0x1000, &data), (0x2000, &to)]));
        assert_eq!(other.value(), 2);
    }
    for (client, port) in clients.iter_mut().zip(1_u16..) {
        let (header, body) = client.answer();
        assert_eq!(header.request, 7);
        let (answer, mut memory) = wire::Return::parse(&body).unwrap();
        assert_eq!(answer.word, 2);
        assert_eq!(memory.next().unwrap().data, port.to_be_bytes());
    }
    assert!(threads(pid) <= cpus + 4, "{} threads", threads(pid));
    drop(clients);
    let asks = place.connect("a");
    within(10, "the sockets' end", || {
        asks.sysctl("net.inet.sockets").unwrap().lines().skip(1).count() == 1
    });
}

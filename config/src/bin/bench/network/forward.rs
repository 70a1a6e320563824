//! Packets through a router: a kernel sends, another passes on, a third takes them.
//!
//! All on one processor, as the work of one thread: what the sender's interrupt to the router, and
//! the router's to the receiver, cost is in it. A packet counts once the receiver's interface has it.
//!
//! Locking: none. Sources: RFC 2544 §26.1.

use core::net::Ipv4Addr;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{Host, Kernel};
use linux::Linux;
use local::{Datagram, UdpSocket, route};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::{attach, node};

const TIME: Duration = Duration::from_secs(1);
/// Data of a frame of 64 bytes, its check sequence of four bytes counted.
const DATA: usize = 64 - 4 - 14 - 20 - 8;
const BATCH: usize = 32;

/// Packets a second.
pub fn rate() -> Result<f64, String> {
    let all = sched_getaffinity(None).map_err(|e| e.to_string())?;
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).unwrap_or(0));
    // Before the host has threads: they stay where this one is.
    sched_setaffinity(None, &one).map_err(|e| e.to_string())?;
    let rate = measure().map_err(|e| e.to_string());
    sched_setaffinity(None, &all).map_err(|e| e.to_string())?;
    rate
}

fn measure() -> io::Result<f64> {
    let host: Arc<dyn Host> = Linux::new();
    let source = node(&host, "left", Ipv4Addr::new(10, 0, 1, 1))?;
    let router = node(&host, "left", Ipv4Addr::new(10, 0, 1, 2))?;
    attach(&router, "shmif1", "right", Ipv4Addr::new(10, 0, 2, 2))?;
    let sink = node(&host, "right", Ipv4Addr::new(10, 0, 2, 1))?;
    route::add_default(&source, [10, 0, 1, 2])?;
    route::add_default(&sink, [10, 0, 2, 2])?;
    let taker = UdpSocket::bind(&sink, "10.0.2.1:9")?;
    taker.set_nonblocking(true)?;
    let giver = UdpSocket::bind(&source, "0.0.0.0:0")?;
    giver.connect("10.0.2.1:9")?;
    go(&giver, &taker, TIME / 4)?;
    let before = received(&sink)?;
    let start = Instant::now();
    go(&giver, &taker, TIME)?;
    let took = start.elapsed().as_secs_f64();
    Ok((received(&sink)? - before) as f64 / took)
}

fn go(giver: &UdpSocket, taker: &UdpSocket, time: Duration) -> io::Result<()> {
    let data = [&[7; DATA][..]; BATCH];
    let mut room = [[0; DATA]; BATCH];
    let mut taken: Vec<Datagram<'_>> = room.iter_mut().map(|buf| Datagram::new(buf)).collect();
    let start = Instant::now();
    while start.elapsed() < time {
        giver.send_many(&data)?;
        while taker.recv_many(&mut taken).is_ok_and(|n| n == BATCH) {}
    }
    Ok(())
}

fn received(kernel: &Kernel) -> io::Result<u64> {
    let count = kernel.enter(|l| {
        let found = net::ifnet::config::find(l, "shmif0");
        found.map(|ifp| ifp.counters.ipackets.get())
    });
    count.map_err(io::Error::other)?.map_err(io::Error::other)
}

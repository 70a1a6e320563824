//! A line of kernels, and one echo through it: what a hop costs.
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use base::wait::{Events, WaitQueue, wait_for};
use base::{Cx, Errno, Kernel};
use net::ifnet::tap::{self, Tap};
use net::ifnet::{Ifnet, config};
use net::route::config::{Prefix4, add};

base::kernel!(ROUTER = [net, netinet, shmif]);

struct Seen {
    queue: WaitQueue,
    replies: AtomicU32,
}

impl Tap for Seen {
    fn packet(&self, cx: &Cx<'_>, _: &Ifnet, p: &net::Packet) {
        let mut b = [0; 1];
        if p.copy_to(34, &mut b) && b[0] == 0 && p.len() == 98 {
            self.replies.fetch_add(1, Ordering::Relaxed);
            self.queue.wake(cx, Events::IN);
        }
    }
}

fn addr(n: u32, last: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0102_0000 + (n << 8) + last)
}

fn main() {
    let n: u32 = std::env::args().nth(1).map_or(255, |a| a.parse().unwrap());
    let start = Instant::now();
    let host = linux::Linux::new();
    let kernels: Vec<Kernel> =
        (0..n).map(|_| Kernel::boot(host.clone(), &ROUTER).unwrap()).collect();
    let booted = start.elapsed();
    for (i, k) in kernels.iter().enumerate() {
        let i = i as u32 + 1;
        k.enter(|l| {
            config::create(l, "shmif0").unwrap();
            config::set_linkstr(l, "shmif0", &format!("bus{i}")).unwrap();
            config::add_addr(l, "shmif0", addr(i, 1).into(), 24).unwrap();
            if i != n {
                config::create(l, "shmif1").unwrap();
                config::set_linkstr(l, "shmif1", &format!("bus{}", i + 1)).unwrap();
                config::add_addr(l, "shmif1", addr(i + 1, 2).into(), 24).unwrap();
            }
            if i != 1 {
                add(l, Prefix4::of(addr(1, 0), 24), addr(i, 2)).unwrap();
            }
            if i + 1 != n && i != n {
                add(l, Prefix4::of(addr(n, 0), 24), addr(i + 1, 1)).unwrap();
            }
        })
        .unwrap();
    }
    let configured = start.elapsed();
    let last = kernels.last().unwrap();
    let seen = last
        .enter(|l| {
            let seen = base::vm::kmem::arc(
                l,
                Seen { queue: WaitQueue::new(l), replies: AtomicU32::new(0) },
            )
            .unwrap();
            let ifp = config::find(l, "shmif0").unwrap();
            tap::add(l, &ifp, seen.clone()).unwrap();
            seen
        })
        .unwrap();
    let mut bound = last.bind().unwrap();
    let ping = |bound: &mut base::BoundLwp, seq: u32| {
        bound
            .enter(|l| {
                let mut msg = [0_u8; 64];
                msg[0] = 8;
                let sum = netinet::checksum::Sum::of(&msg).checksum();
                msg[2..4].copy_from_slice(&sum.to_be_bytes());
                let p = net::Packet::from_slice(l, &msg).unwrap();
                let how = netinet::ip::output::Send {
                    src: None,
                    dst: addr(1, 1),
                    protocol: 1,
                    ttl: 255,
                    tos: 0,
                    dont_fragment: false,
                    broadcast_ok: false,
                };
                netinet::ip::output::send(l, p, &how).unwrap();
                let deadline = l.now() + Duration::from_secs(5);
                wait_for(l, &seen.queue, Events::IN, Some(deadline), |_| {
                    if seen.replies.load(Ordering::Relaxed) >= seq {
                        Ok(())
                    } else {
                        Err(Errno::WouldBlock)
                    }
                })
                .unwrap();
            })
            .unwrap();
    };
    ping(&mut bound, 1);
    let first = start.elapsed();
    println!("boot {booted:?} configure {:?} first reply {first:?}", configured - booted);
    let hops = f64::from(2 * (n - 1));
    for _ in 0..5 {
        let rounds = 200;
        let t = Instant::now();
        for s in 0..rounds {
            let seq = seen.replies.load(Ordering::Relaxed) + 1;
            let _ = s;
            ping(&mut bound, seq);
        }
        let rtt = t.elapsed().as_nanos() as f64 / f64::from(rounds);
        println!("rtt {:.1} us, hop {:.1} ns", rtt / 1000.0, rtt / hops);
    }
    println!("account {}", kernels[1].account().used());
    drop(bound);
    let t = Instant::now();
    drop(seen);
    drop(kernels);
    println!("drop {:?}", t.elapsed());
}

//! What a datagram costs: a round trip over loopback in one kernel, and over a bus between two,
//! beside the same over the host's own loopback.
use std::net::Ipv4Addr;
use std::time::Instant;

use base::Kernel;
use local::{Ping, Pinger, UdpSocket, ifconfig};

base::kernel!(ROUTER = [net, netinet, shmif]);

const ROUNDS: u32 = 20_000;

fn main() -> std::io::Result<()> {
    let host = linux::Linux::new();
    let boot = || Kernel::boot(host.clone(), &ROUTER).map_err(std::io::Error::other);
    let (a, b) = (boot()?, boot()?);
    for (kernel, last) in [(&a, 1), (&b, 2)] {
        ifconfig::create(kernel, "shmif0")?;
        ifconfig::linkstr(kernel, "shmif0", "bus")?;
        ifconfig::inet(kernel, "shmif0", [10, 0, 0, last], 24)?;
    }
    for (what, to, at) in [("loopback", &a, "127.0.0.1:7"), ("bus", &b, "10.0.0.2:7")] {
        let (client, server) = (UdpSocket::bind(&a, "0.0.0.0:0")?, UdpSocket::bind(to, at)?);
        client.connect(at)?;
        let mut buf = [0; 64];
        let start = Instant::now();
        for _ in 0..ROUNDS {
            client.send(&buf)?;
            let (n, from) = server.recv_from(&mut buf)?;
            server.send_to(&buf[..n], from)?;
            client.recv(&mut buf)?;
        }
        println!("udp round trip, {what}: {:?}", start.elapsed() / ROUNDS);
    }
    let mut pinger = Pinger::new(&a, Ipv4Addr::new(10, 0, 0, 2), Ping::default())?;
    let start = Instant::now();
    for _ in 0..ROUNDS {
        pinger.ping()?;
    }
    println!("ping, bus: {:?}", start.elapsed() / ROUNDS);

    let bind = || std::net::UdpSocket::bind("127.0.0.1:0");
    let (client, server) = (bind()?, bind()?);
    client.connect(server.local_addr()?)?;
    let mut buf = [0; 64];
    let start = Instant::now();
    for _ in 0..ROUNDS {
        client.send(&buf)?;
        let (n, from) = server.recv_from(&mut buf)?;
        server.send_to(&buf[..n], from)?;
        client.recv(&mut buf)?;
    }
    println!("udp round trip, the host's loopback: {:?}", start.elapsed() / ROUNDS);
    Ok(())
}

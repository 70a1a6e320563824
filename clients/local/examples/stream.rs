//! How fast bytes go from one kernel to another over TCP, how long a request and its reply take, and
//! how many connections can be made: `cargo run --release --example stream [MEGABYTES]`.
//!
//! Locking: none. Sources: iperf3(1), netperf(1) (TCP_RR, TCP_CC).

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Instant;

use base::Kernel;
use local::{TcpListener, TcpStream, ifconfig};

base::kernel!(ROUTER = [net, netinet, shmif]);

fn main() -> std::io::Result<()> {
    let megabytes: u32 = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(256);
    let host = linux::Linux::new();
    let [a, b] = [1, 2].map(|n| {
        let kernel = Kernel::boot(host.clone(), &ROUTER).expect("a kernel");
        ifconfig::create(&kernel, "shmif0").expect("an interface");
        ifconfig::linkstr(&kernel, "shmif0", "wire").expect("a bus");
        ifconfig::inet(&kernel, "shmif0", [10, 0, 0, n], 24).expect("an address");
        kernel
    });
    let listener = TcpListener::bind(&b, "10.0.0.2:7")?;
    let mut client = TcpStream::connect(&a, "10.0.0.2:7")?;
    let (mut server, _) = listener.accept()?;
    let start = Instant::now();
    let reader = std::thread::spawn(move || {
        let (mut buf, mut total) = (vec![0; 1 << 17], 0_usize);
        loop {
            match server.read(&mut buf)? {
                0 => return Ok::<_, std::io::Error>((total, server)),
                n => total += n,
            }
        }
    });
    let data = vec![7; 1 << 17];
    for _ in 0..megabytes * 8 {
        client.write_all(&data)?;
    }
    client.shutdown(Shutdown::Write)?;
    let (total, mut server) = reader.join().expect("the reader")?;
    let took = start.elapsed().as_secs_f64();
    println!("{:.2} Gbit/s", total as f64 * 8.0 / took / 1e9);
    // Sixty-four bytes there and back.
    let mut client = TcpStream::connect(&a, "10.0.0.2:7")?;
    drop(server);
    (server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut buf, rounds) = ([0; 64], 20_000_u32);
    let start = Instant::now();
    for _ in 0..rounds {
        client.write_all(&buf)?;
        server.read_exact(&mut buf)?;
        server.write_all(&buf)?;
        client.read_exact(&mut buf)?;
    }
    println!(
        "{:.2} µs for a request and its reply",
        start.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
    );
    let start = Instant::now();
    let rounds = 5_000_u32;
    for _ in 0..rounds {
        let client = TcpStream::connect(&a, "10.0.0.2:7")?;
        let (server, _) = listener.accept()?;
        client.set_linger(Some(std::time::Duration::ZERO))?;
        drop((client, server));
    }
    println!("{:.0} connections a second", f64::from(rounds) / start.elapsed().as_secs_f64());
    Ok(())
}

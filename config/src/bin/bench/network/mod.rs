//! `net`: figures of the network stack, one JSON object each. `cargo xtask bench net` runs them,
//! beside the same work on the host's stack.
//!
//! * [`work`]: what is done with streams.  * [`forward`]: packets through a router.
//! * [`idle`]: what connections cost that do nothing.  * [`loss`]: links that lose packets.
//!
//! Locking: none.

mod forward;
mod idle;
mod loss;
mod work;

use core::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use base::{Host, Kernel};
use clap::{Args, Subcommand};
use linux::Linux;
use local::ifconfig;
use loss::Loss;
use serde_json::json;
use work::Work;

use crate::{ROUTER, UPLINK};

/// What to measure.
#[derive(Subcommand)]
pub enum Net {
    /// TCP between two kernels of this process
    Stream {
        /// What to do
        work: Work,
    },
    /// The server's side of it alone; says when it listens
    Serve {
        /// What to do
        work: Work,
        /// Where
        addr: SocketAddr,
        #[command(flatten)]
        link: Link,
    },
    /// The client's side of it alone
    Connect {
        /// What to do
        work: Work,
        /// Whereto, from the address before it
        addr: SocketAddr,
        #[command(flatten)]
        link: Link,
    },
    /// TCP over links that lose packets
    #[command(subcommand)]
    Loss(Loss),
    /// Packets a second from a kernel through another to a third, all on one processor
    Forward,
    /// Bytes for each end of 10,000 idle connections
    Idle,
}

/// What a side's kernel is on, if it is not on the host's stack.
#[derive(Args)]
#[group(multiple = false)]
pub struct Link {
    /// With a kernel on this bus
    #[arg(long)]
    bus: Option<PathBuf>,
    /// With a kernel on tap0
    #[arg(long)]
    tap: bool,
}

impl Link {
    /// The kernel, with this address.
    fn kernel(&self, addr: Ipv4Addr) -> Result<Option<Kernel>, String> {
        let host = Linux::builder().io("shmif", shmif_linux::files());
        let host: Arc<dyn Host> = host.io("virtif", virtif_linux::taps()).build();
        let kernel = match (&self.bus, self.tap) {
            (Some(bus), _) => node(&host, &bus.to_string_lossy(), addr),
            (None, true) => uplink(host, addr),
            (None, false) => return Ok(None),
        };
        kernel.map(Some).map_err(|e| e.to_string())
    }
}

/// Measures.
pub fn run(what: Net) -> Result<String, String> {
    let told = |e: std::io::Error| e.to_string();
    let value = match what {
        Net::Stream { work } => stream(work)?,
        Net::Serve { work, addr, link } => {
            match link.kernel(ip(addr)?)? {
                None => {
                    let listener = std::net::TcpListener::bind(addr).map_err(told)?;
                    cubic(&listener).map_err(told)?;
                    println!("ready");
                    work::serve(work, || listener.accept().map(|(s, _)| s)).map_err(told)?;
                }
                Some(kernel) => {
                    let listener = local::TcpListener::bind(&kernel, addr).map_err(told)?;
                    println!("ready");
                    work::serve(work, || listener.accept().map(|(s, _)| s)).map_err(told)?;
                }
            }
            0.0
        }
        Net::Connect { work, addr, link } => {
            match link.kernel(Ipv4Addr::from_bits(ip(addr)?.to_bits() - 1))? {
                None => work::client(work, || connected(addr)),
                Some(kernel) => work::client(work, || local::TcpStream::connect(&kernel, addr)),
            }
            .map_err(told)?
        }
        Net::Loss(what) => return loss::run(what).map_err(told),
        Net::Forward => forward::rate()?,
        Net::Idle => {
            let idle::Idle { resident, charged, cpu } = idle::measure().map_err(told)?;
            return Ok(format!(
                "{}\n",
                json!({"value": resident, "charged": charged, "cpu_s": cpu})
            ));
        }
    };
    Ok(format!("{}\n", json!({"value": value})))
}

/// A connection of the host's.
fn connected(addr: SocketAddr) -> std::io::Result<std::net::TcpStream> {
    let stream = std::net::TcpStream::connect(addr)?;
    cubic(&stream)?;
    Ok(stream)
}

/// Has the host do as ours do, whatever it prefers. Connections do as their listener.
fn cubic(socket: impl AsFd) -> std::io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_congestion(socket, "cubic")?)
}

fn ip(addr: SocketAddr) -> Result<Ipv4Addr, String> {
    match addr {
        SocketAddr::V4(addr) => Ok(*addr.ip()),
        SocketAddr::V6(_) => Err("an IPv4 address is needed".to_owned()),
    }
}

/// A kernel on a bus.
fn node(host: &Arc<dyn Host>, bus: &str, addr: Ipv4Addr) -> std::io::Result<Kernel> {
    let kernel = Kernel::boot(host.clone(), &ROUTER).map_err(std::io::Error::other)?;
    attach(&kernel, "shmif0", bus, addr)?;
    Ok(kernel)
}

/// A kernel on a tap device.
fn uplink(host: Arc<dyn Host>, addr: Ipv4Addr) -> std::io::Result<Kernel> {
    let kernel = Kernel::boot(host, &UPLINK).map_err(std::io::Error::other)?;
    attach(&kernel, "virt0", "tap0", addr)?;
    Ok(kernel)
}

fn attach(kernel: &Kernel, interface: &str, bus: &str, addr: Ipv4Addr) -> std::io::Result<()> {
    ifconfig::create(kernel, interface)?;
    ifconfig::linkstr(kernel, interface, bus)?;
    ifconfig::inet(kernel, interface, addr, 24)
}

fn stream(work: Work) -> Result<f64, String> {
    const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const THERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
    let measure = || -> std::io::Result<f64> {
        let host: Arc<dyn Host> = Linux::new();
        let [here, there] = [node(&host, "wire", HERE)?, node(&host, "wire", THERE)?];
        let addr = SocketAddr::from((THERE, 7));
        let listener = local::TcpListener::bind(&there, addr)?;
        std::thread::scope(|scope| {
            let server = scope.spawn(|| work::serve(work, || listener.accept().map(|(s, _)| s)));
            let value = work::client(work, || local::TcpStream::connect(&here, addr));
            // Whoever waits in a kernel that goes away is told.
            drop(there);
            drop(server);
            value
        })
    };
    measure().map_err(|e| e.to_string())
}

//! What connections cost that do nothing.
//!
//! Locking: none. Sources: proc_pid_statm(5), getrusage(2).

use core::net::{Ipv4Addr, SocketAddr};
use std::io;
use std::sync::Arc;

use base::Host;
use linux::Linux;
use local::{TcpListener, TcpStream};

use super::node;

const CONNECTIONS: usize = 10_000;

/// What is measured: bytes for each end, as the process grows and as the kernels say, and seconds of
/// processor time in one of doing nothing.
pub struct Idle {
    pub resident: f64,
    pub charged: f64,
    pub cpu: f64,
}

/// Makes them, and looks.
pub fn measure() -> io::Result<Idle> {
    let host: Arc<dyn Host> = Linux::new();
    let client = node(&host, "wire", Ipv4Addr::new(10, 0, 0, 1))?;
    let server = node(&host, "wire", Ipv4Addr::new(10, 0, 0, 2))?;
    let addr = SocketAddr::from(([10, 0, 0, 2], 7));
    let listener = TcpListener::bind_with(&server, addr, 128)?;
    let mut held: Vec<(TcpStream, TcpStream)> = Vec::with_capacity(CONNECTIONS);
    let charged = || (client.account().used() + server.account().used()) as f64;
    let one = || -> io::Result<_> {
        let near = TcpStream::connect(&client, addr)?;
        Ok((near, listener.accept()?.0))
    };
    // What is made once is not the connections'.
    held.push(one()?);
    let before = (resident()?, charged());
    while held.len() < CONNECTIONS {
        held.push(one()?);
    }
    let ends = (2 * (CONNECTIONS - 1)) as f64;
    let (resident, charged) = ((resident()? - before.0) / ends, (charged() - before.1) / ends);
    // Until the timers of the handshakes have fired.
    pass(2);
    let before = cpu();
    pass(1);
    Ok(Idle { resident, charged, cpu: cpu() - before })
}

#[allow(clippy::disallowed_methods)] // there is no event: nothing is to happen
fn pass(seconds: u64) {
    std::thread::sleep(core::time::Duration::from_secs(seconds));
}

fn resident() -> io::Result<f64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text.split(' ').nth(1).and_then(|n| n.parse::<f64>().ok());
    Ok(pages.ok_or_else(|| io::Error::other("statm"))? * rustix::param::page_size() as f64)
}

fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
